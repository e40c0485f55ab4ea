// Four neighbours at once, where the device can.
//!HOOK LUMA
//!BIND HOOKED
//!DESC mean of four
vec4 hook() {
#ifdef HOOKED_gather
    vec4 four = HOOKED_gather(HOOKED_pos + 0.5 * HOOKED_pt, 0);
#else
    vec4 four = vec4(
        HOOKED_texOff(vec2(0.0, 1.0)).r, HOOKED_texOff(vec2(1.0, 1.0)).r,
        HOOKED_texOff(vec2(1.0, 0.0)).r, HOOKED_tex(HOOKED_pos).r);
#endif
    return vec4(dot(four, vec4(0.1, 0.2, 0.3, 0.4)));
}
