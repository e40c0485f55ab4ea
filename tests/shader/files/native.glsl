// All planes together, as coded, made larger than the output.
//!HOOK NATIVE
//!BIND NATIVE
//!WIDTH NATIVE.w 3 *
//!HEIGHT NATIVE.h 3 *
//!DESC native, three times
vec4 hook() {
    vec4 c = NATIVE_tex(NATIVE_pos);
    return vec4(c.r, mix(vec2(0.5), c.gb, 0.5), 1.0);
}
