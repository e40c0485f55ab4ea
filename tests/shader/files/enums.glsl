// A choice by name.
//!PARAM mode
//!TYPE ENUM int
PLAIN
SWAPPED
DARK

//!HOOK MAIN
//!BIND HOOKED
//!WHEN mode SWAPPED = mode DARK = +
//!DESC chosen
vec4 hook() {
    vec3 c = HOOKED_tex(HOOKED_pos).rgb;
    return vec4(mode == SWAPPED ? c.bgr : c * 0.5, 1.0);
}
