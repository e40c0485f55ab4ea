// Kizuna, stage 5 of 5: Temporal Stabilization. What stands still stops flickering; what moves is left alone.
// MIT OR Apache-2.0, the Kizuna developers. KIZUNA_PREV, the picture before, is Kizuna's own: mpv and libplacebo pass over these
// passes, as they do wherever a texture is missing.
//
// The picture before is limited to mean and deviation of the pixel's neighbours now (variance clipping: Salvi, GDC 2016; Yang,
// Liu and Salvi, "A Survey of Temporal Antialiasing Techniques", 2020), and taken as far as the two agree. A cut is a frame whose
// blocks differ on average; nothing is taken over it.

//!PARAM stability
//!DESC How strongly what stands still is calmed
//!TYPE DYNAMIC float
//!MINIMUM 0
//!MAXIMUM 1
0.5

//!HOOK OUTPUT
//!BIND HOOKED
//!BIND KIZUNA_PREV
//!SAVE KIZUNA_MOTION
//!COMPONENTS 1
//!WIDTH HOOKED.w 16 / 1 +
//!HEIGHT HOOKED.h 16 / 1 +
//!WHEN stability
//!DESC Temporal Stabilization: change by blocks
vec4 hook() {
    float sum = 0.0;
    for (int y = 0; y < 2; y++) {
        for (int x = 0; x < 2; x++) {
            vec2 at = HOOKED_pos + (vec2(float(x), float(y)) - 0.5) * 8.0 / HOOKED_size;
            vec3 d = abs(HOOKED_tex(at).rgb - KIZUNA_PREV_tex(at).rgb);
            sum += dot(d, vec3(0.299, 0.587, 0.114));
        }
    }
    return vec4(sum / 4.0);
}

//!HOOK OUTPUT
//!BIND KIZUNA_PREV
//!BIND KIZUNA_MOTION
//!SAVE KIZUNA_CUT
//!COMPONENTS 1
//!WIDTH 1
//!HEIGHT 1
//!WHEN stability
//!DESC Temporal Stabilization: cut
vec4 hook() {
    float sum = 0.0;
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 8; x++) {
            sum += KIZUNA_MOTION_tex((vec2(float(x), float(y)) + 0.5) / 8.0).r;
        }
    }
    return vec4(sum / 64.0);
}

//!HOOK OUTPUT
//!BIND HOOKED
//!BIND KIZUNA_PREV
//!BIND KIZUNA_CUT
//!WHEN stability
//!DESC Temporal Stabilization: blend
vec4 hook() {
    vec4 c = HOOKED_tex(HOOKED_pos);
    vec3 n = HOOKED_texOff(vec2(0.0, -1.0)).rgb;
    vec3 s = HOOKED_texOff(vec2(0.0, 1.0)).rgb;
    vec3 w = HOOKED_texOff(vec2(-1.0, 0.0)).rgb;
    vec3 e = HOOKED_texOff(vec2(1.0, 0.0)).rgb;
    vec3 mean = (c.rgb + n + s + w + e) * 0.2;
    vec3 square = (c.rgb * c.rgb + n * n + s * s + w * w + e * e) * 0.2;
    vec3 sigma = sqrt(max(square - mean * mean, vec3(0.0))) + 2.0 / 255.0;
    vec3 before = KIZUNA_PREV_tex(KIZUNA_PREV_pos).rgb;
    vec3 limited = clamp(before, mean - sigma, mean + sigma);
    // Within a few codes it is the same surface with other noise; beyond, it is another one.
    float moved = dot(abs(before - c.rgb), vec3(0.299, 0.587, 0.114));
    float still = 1.0 - smoothstep(4.0 / 255.0, 12.0 / 255.0, moved);
    float same_shot = 1.0 - step(0.08, KIZUNA_CUT_tex(vec2(0.5)).r);
    float share = still * same_shot * stability * 1.6 / (1.0 + stability * 0.6);
    return vec4(mix(c.rgb, limited, min(share, 0.9)), c.a);
}
