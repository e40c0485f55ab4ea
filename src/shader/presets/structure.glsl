// Kizuna, stage 2 of 5: Structural Reconstruction. Lines are refined before they are enlarged: their slopes become steeper and
// never overshoot, as no pixel leaves the range of its neighbours.
// MIT OR Apache-2.0, the Kizuna developers. Runs in mpv (vo=gpu since 2026-04, vo=gpu-next) and libplacebo as it is.
//
// A pixel is pushed away from the mean of its neighbours, where these show a soft edge, and stops at their extremes (the idea of
// Anime4K's first version, "push colour towards the edge", and of Pixel Clipper).

//!PARAM line_strength
//!DESC How strongly lines are refined
//!TYPE DYNAMIC float
//!MINIMUM 0
//!MAXIMUM 1
0.3

//!HOOK MAIN
//!BIND HOOKED
//!WHEN line_strength
//!DESC Structural Reconstruction: lines
vec4 hook() {
    vec4 c = HOOKED_tex(HOOKED_pos);
    vec4 n = HOOKED_texOff(vec2(0.0, -1.0));
    vec4 s = HOOKED_texOff(vec2(0.0, 1.0));
    vec4 w = HOOKED_texOff(vec2(-1.0, 0.0));
    vec4 e = HOOKED_texOff(vec2(1.0, 0.0));
    vec4 low = min(c, min(min(n, s), min(w, e)));
    vec4 high = max(c, max(max(n, s), max(w, e)));
    vec3 weights = vec3(0.299, 0.587, 0.114);
    float range = dot(weights, (high - low).rgb);
    float edge = smoothstep(0.02, 0.15, range);
    // What rises within three pixels is sharp already; what goes on rising beyond them is not.
    vec3 n2 = HOOKED_texOff(vec2(0.0, -2.0)).rgb;
    vec3 s2 = HOOKED_texOff(vec2(0.0, 2.0)).rgb;
    vec3 w2 = HOOKED_texOff(vec2(-2.0, 0.0)).rgb;
    vec3 e2 = HOOKED_texOff(vec2(2.0, 0.0)).rgb;
    vec3 low2 = min(low.rgb, min(min(n2, s2), min(w2, e2)));
    vec3 high2 = max(high.rgb, max(max(n2, s2), max(w2, e2)));
    float wider = dot(weights, high2 - low2);
    float soft = smoothstep(0.1, 0.5, (wider - range) / max(wider, 0.001));
    vec4 mean = 0.25 * (n + s + w + e);
    vec4 pushed = c + 0.5 * line_strength * edge * soft * (c - mean);
    return vec4(clamp(pushed, low, high).rgb, c.a);
}
