// One plane, read at its own place and beside it.
//!HOOK LUMA
//!BIND HOOKED
//!DESC luma: blurred along rows
vec4 hook() {
    float sum = 2.0 * LUMA_tex(LUMA_pos).r;
    sum += HOOKED_texOff(vec2(-1.0, 0.0)).r + LUMA_texOff(vec2(1, 0)).r;
    return vec4(sum * 0.25);
}
