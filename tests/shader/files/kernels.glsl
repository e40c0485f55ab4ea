// Around the main scaler, which is left to work.
//!HOOK PREKERNEL
//!BIND HOOKED
//!DESC before scaling
vec4 hook() {
    return vec4(PREKERNEL_tex(PREKERNEL_pos).brg, 1.0);
}

//!HOOK POSTKERNEL
//!BIND HOOKED
//!BIND PREKERNEL
//!DESC after scaling, limited by what was there before
vec4 hook() {
    vec4 low = PREKERNEL_tex(POSTKERNEL_pos);
    return clamp(HOOKED_tex(HOOKED_pos), low - 0.1, low + 0.1);
}

//!HOOK SCALED
//!BIND HOOKED
//!WHEN HOOKED.w OUTPUT.w = HOOKED.h OUTPUT.height == *
//!DESC scaled
vec4 hook() {
    return vec4(SCALED_tex(SCALED_pos).rgb * 0.8, 1.0);
}

//!HOOK OUTPUT
//!BIND HOOKED
//!WHEN HOOKED.w NATIVE_CROPPED.w >
//!DESC output
vec4 hook() {
    return vec4(OUTPUT_tex(OUTPUT_pos).rgb + 0.1, 1.0);
}
