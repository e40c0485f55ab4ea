// Luma doubled, and moved on the way: what scales chroma and the picture must move it back.
//!HOOK LUMA
//!BIND HOOKED
//!WIDTH HOOKED.w 2 *
//!HEIGHT HOOKED.h 2 *
//!OFFSET -0.5 -0.5
//!DESC doubled, half a pixel off
vec4 hook() {
    return HOOKED_tex(HOOKED_pos + 0.25 * HOOKED_pt);
}
