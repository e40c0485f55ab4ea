// Chroma in luma's size, which it comes to only where the planes' sizes differ.
//!HOOK CHROMA_SCALED
//!BIND HOOKED
//!DESC the two of it exchanged
vec4 hook() {
    return vec4(HOOKED_tex(HOOKED_pos).gr, 0.0, 1.0);
}
