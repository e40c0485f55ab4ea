// Both chroma planes in one texture; two hooks, told apart by the preprocessor.
//!HOOK CHROMA
//!HOOK LUMA
//!BIND HOOKED
//!DESC chroma turned, luma darkened
vec4 hook() {
    vec4 c = HOOKED_texOff(0);
#ifdef CHROMA_raw
    return vec4(1.0 - c.g, c.r, 0.0, 1.0);
#else
    return c * 0.9 + 0.02;
#endif
}
