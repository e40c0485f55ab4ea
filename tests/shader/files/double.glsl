// Twice the size where that is wanted; the second of the kind is not.
//!HOOK MAIN
//!BIND MAIN
//!WIDTH OUTPUT.w
//!HEIGHT OUTPUT.h
//!WHEN OUTPUT.w MAIN.w / 1.2 > OUTPUT.h MAIN.h / 1.2 > *
//!DESC doubled
vec4 hook() {
    vec2 part = fract(MAIN_pos * MAIN_size);
    vec2 texel = (floor(MAIN_pos * MAIN_size) + 0.5) * MAIN_pt;
    return MAIN_tex(texel) * (0.8 + 0.2 * step(0.5, part.x) * step(0.5, part.y));
}

//!HOOK MAIN
//!BIND MAIN
//!WHEN OUTPUT.w MAIN.w / 1.2 >
//!DESC never
vec4 hook() {
    return vec4(1.0, 0.0, 0.0, 1.0);
}
