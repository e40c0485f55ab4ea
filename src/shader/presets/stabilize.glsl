// Kizuna, stage 5 of 5: Temporal Stabilization. What stands still stops flickering; what moves is left alone.
// MIT OR Apache-2.0, the Kizuna developers. KIZUNA_PREV, the picture before, is Kizuna's own: mpv and libplacebo pass over these
// passes, as they do wherever a texture is missing.
//
// The picture before is limited to the deviation of the pixel's neighbours now (variance clipping: Salvi, GDC 2016; Yang, Liu and
// Salvi, "A Survey of Temporal Antialiasing Techniques", 2020), and taken as far as the two agree; most of it where the whole
// block holds still. A cut is a frame whose blocks differ on average, a fade one that gets brighter or darker as a whole; nothing
// is taken over either.

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
//!COMPONENTS 2
//!WIDTH HOOKED.w 16 / 1 +
//!HEIGHT HOOKED.h 16 / 1 +
//!WHEN stability
//!DESC Temporal Stabilization: change by blocks
vec4 hook() {
    const vec3 luma = vec3(0.299, 0.587, 0.114);
    ivec2 first = ivec2(HOOKED_pos * HOOKED_size) - 8;
    ivec2 last = ivec2(HOOKED_size) - 1;
    vec2 sum = vec2(0.0);
    for (int y = 2; y < 16; y += 4) {
        for (int x = 2; x < 16; x += 4) {
            ivec2 at = clamp(first + ivec2(x, y), ivec2(0), last);
            vec3 d = (texelFetch(HOOKED_raw, at, 0) * HOOKED_mul - texelFetch(KIZUNA_PREV_raw, at, 0) * KIZUNA_PREV_mul).rgb;
            sum += vec2(dot(abs(d), luma), dot(d, luma));
        }
    }
    return vec4(sum / 16.0, 0.0, 0.0);
}

//!HOOK OUTPUT
//!BIND KIZUNA_PREV
//!BIND KIZUNA_MOTION
//!SAVE KIZUNA_SHOT
//!COMPONENTS 1
//!WIDTH 1
//!HEIGHT 1
//!WHEN stability
//!DESC Temporal Stabilization: cuts and fades
vec4 hook() {
    vec2 sum = vec2(0.0);
    for (int y = 0; y < 8; y++) {
        for (int x = 0; x < 8; x++) {
            ivec2 at = ivec2((vec2(float(x), float(y)) + 0.5) / 8.0 * KIZUNA_MOTION_size);
            sum += texelFetch(KIZUNA_MOTION_raw, at, 0).rg;
        }
    }
    sum /= 64.0;
    float fades = smoothstep(0.3 / 255.0, 0.9 / 255.0, abs(sum.g));
    return vec4((1.0 - step(0.08, sum.r)) * (1.0 - fades));
}

//!HOOK OUTPUT
//!BIND HOOKED
//!BIND KIZUNA_PREV
//!BIND KIZUNA_MOTION
//!BIND KIZUNA_SHOT
//!WHEN stability
//!DESC Temporal Stabilization: blend
vec4 hook() {
    const vec3 luma = vec3(0.299, 0.587, 0.114);
    vec4 c = HOOKED_tex(HOOKED_pos);
    vec3 change = KIZUNA_PREV_tex(KIZUNA_PREV_pos).rgb - c.rgb;
    // Within a few codes it is the same surface with other noise; beyond, it is another one.
    float same = 1.0 - smoothstep(4.0 / 255.0, 12.0 / 255.0, dot(abs(change), luma));
    ivec2 block = ivec2(KIZUNA_MOTION_pos * KIZUNA_MOTION_size);
    float held = 1.0 - smoothstep(1.5 / 255.0, 4.0 / 255.0, texelFetch(KIZUNA_MOTION_raw, block, 0).r);
    float share = min(mix(1.2, 1.7, held) * stability, 0.9) * same * texelFetch(KIZUNA_SHOT_raw, ivec2(0), 0).r;
    vec2 near = vec2(dot(HOOKED_texOff(vec2(-1.0, -1.0)).rgb - c.rgb, luma), dot(HOOKED_texOff(vec2(1.0, 1.0)).rgb - c.rgb, luma));
    float mean = (near.x + near.y) / 3.0;
    float sigma = sqrt(max(dot(near, near) / 3.0 - mean * mean, 0.0)) + 2.0 / 255.0;
    // A pixel that stands out from its neighbours may stay as it is.
    change = clamp(change, min(mean - sigma, 0.0), max(mean + sigma, 0.0));
    return vec4(c.rgb + share * change, c.a);
}
