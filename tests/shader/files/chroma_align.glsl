// Chroma in luma's size and at luma's place.
//!HOOK CHROMA
//!BIND HOOKED
//!BIND LUMA
//!WIDTH LUMA.w
//!HEIGHT LUMA.h
//!OFFSET ALIGN
//!DESC chroma follows luma
vec4 hook() {
    vec2 c = CHROMA_tex(CHROMA_pos).rg;
    float l = LUMA_texOff(vec2(1.0, 0.0)).r - LUMA_texOff(vec2(-1.0, 0.0)).r;
    return vec4(c + vec2(0.1, -0.1) * l, 0.0, 1.0);
}
