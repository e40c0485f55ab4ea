// The source's own planes where they are R'G'B'.
//!HOOK RGB
//!BIND HOOKED
//!WIDTH HOOKED.w 2 *
//!HEIGHT HOOKED.h 2 *
//!DESC source
vec4 hook() {
    return vec4(RGB_tex(RGB_pos).gbr, 1.0);
}
