// Kizuna, stage 4 of 5: Perceptual Enhancement. Sharpened in output size, without ringing.
// MIT OR Apache-2.0, the Kizuna developers. Runs in mpv (vo=gpu since 2026-04, vo=gpu-next) and libplacebo as it is.
//
// A negative lobe around each pixel, as strong as leaves the result within the range of its four neighbours (as AMD's RCAS is
// described), and weaker where neighbours differ little, so that noise is not sharpened.

//!PARAM sharpness
//!DESC How strongly the picture is sharpened
//!TYPE DYNAMIC float
//!MINIMUM 0
//!MAXIMUM 1
0.4

//!HOOK SCALED
//!BIND HOOKED
//!WHEN sharpness
//!DESC Perceptual Enhancement: sharpen
vec4 hook() {
    vec4 c = HOOKED_tex(HOOKED_pos);
    vec3 n = HOOKED_texOff(vec2(0.0, -1.0)).rgb;
    vec3 s = HOOKED_texOff(vec2(0.0, 1.0)).rgb;
    vec3 w = HOOKED_texOff(vec2(-1.0, 0.0)).rgb;
    vec3 e = HOOKED_texOff(vec2(1.0, 0.0)).rgb;
    vec3 low = min(min(n, s), min(w, e));
    vec3 high = max(max(n, s), max(w, e));
    vec3 wish = c.rgb + 0.2 * sharpness * sharpness * (4.0 * c.rgb - n - s - w - e) * smoothstep(0.0, 0.1, high - low);
    return vec4(clamp(wish, min(low, c.rgb), max(high, c.rgb)), c.a);
}
