// Kizuna, stage 1 of 5: Normalize. What compression and 8 bits did to flat areas is undone, and chroma finds its lines again.
// MIT OR Apache-2.0, the Kizuna developers. Runs in mpv (vo=gpu since 2026-04, vo=gpu-next) and libplacebo as it is.
//
// Deband: the mean of four samples, a quarter turn from each other at a distance that differs from pixel to pixel, replaces a
// pixel that lies within a few codes of all of them (the idea of mpv's and flash3kyuu's filters). Chroma: a line is fitted
// through chroma over luma of the nine nearest chroma samples ("chroma from luma", arXiv 1711.03951), and taken as far as the
// two agree.

//!PARAM deband
//!DESC How strongly banding is smoothed
//!TYPE DYNAMIC float
//!MINIMUM 0
//!MAXIMUM 1
0.5

//!PARAM chroma_from_luma
//!DESC Whether chroma takes its lines from luma
//!TYPE int
//!MINIMUM 0
//!MAXIMUM 1
1

//!HOOK LUMA
//!HOOK RGB
//!BIND HOOKED
//!WHEN deband
//!DESC Normalize: deband
#define texel(p) (HOOKED_mul * texelFetch(HOOKED_raw, clamp(p, ivec2(0), last), 0))

float chance(vec2 p) {
    return fract(sin(dot(p, vec2(12.9898, 78.233))) * 43758.5453);
}

vec4 hook() {
    vec4 c = HOOKED_tex(HOOKED_pos);
    vec2 at = floor(HOOKED_pos * HOOKED_size);
    float angle = 6.2831853 * chance(at);
    float radius = 3.0 + 12.0 * chance(at + 17.0);
    vec2 way = radius * vec2(cos(angle), sin(angle));
    ivec2 here = ivec2(at);
    ivec2 last = ivec2(HOOKED_size) - 1;
    ivec2 step_ = ivec2(floor(way + 0.5));
    vec4 a = texel(here + step_);
    vec4 b = texel(here + ivec2(-step_.y, step_.x));
    vec4 d = texel(here - step_);
    vec4 e = texel(here + ivec2(step_.y, -step_.x));
    vec4 most = max(max(abs(a - c), abs(b - c)), max(abs(d - c), abs(e - c)));
    vec4 limit = vec4(deband * 4.0 / 255.0);
    return mix(c, 0.25 * (a + b + d + e), step(most, limit));
}

//!HOOK CHROMA
//!BIND CHROMA
//!BIND LUMA
//!SAVE KIZUNA_SMALL_LUMA
//!COMPONENTS 1
//!WIDTH CHROMA.w
//!HEIGHT CHROMA.h
//!OFFSET ALIGN
//!WHEN deband chroma_from_luma * CHROMA.w LUMA.w < *
//!DESC Normalize: luma where chroma lies
vec4 hook() {
    // Chroma lies half a sample away from the middle of its luma samples at most; linear sampling is the mean of four.
    vec2 at = CHROMA_pos;
    return vec4(LUMA_tex(at));
}

//!HOOK CHROMA
//!BIND CHROMA
//!BIND LUMA
//!BIND KIZUNA_SMALL_LUMA
//!WIDTH LUMA.w
//!HEIGHT LUMA.h
//!OFFSET ALIGN
//!WHEN deband chroma_from_luma * CHROMA.w LUMA.w < *
//!DESC Normalize: chroma from luma
vec4 hook() {
    vec2 texel = CHROMA_pos * CHROMA_size - 0.5;
    vec2 middle = (floor(texel + 0.5) + 0.5) * CHROMA_pt;
    float sum_l = 0.0, sum_ll = 0.0;
    vec2 sum_c = vec2(0.0), sum_cc = vec2(0.0), sum_lc = vec2(0.0);
    for (int y = -1; y <= 1; y++) {
        for (int x = -1; x <= 1; x++) {
            vec2 at = middle + vec2(float(x), float(y)) * CHROMA_pt;
            float l = KIZUNA_SMALL_LUMA_tex(at).r;
            vec2 c = CHROMA_tex(at).rg;
            sum_l += l;
            sum_ll += l * l;
            sum_c += c;
            sum_cc += c * c;
            sum_lc += l * c;
        }
    }
    float mean_l = sum_l / 9.0;
    vec2 mean_c = sum_c / 9.0;
    float var_l = max(sum_ll / 9.0 - mean_l * mean_l, 0.0);
    vec2 var_c = max(sum_cc / 9.0 - mean_c * mean_c, vec2(0.0));
    vec2 both = sum_lc / 9.0 - mean_l * mean_c;
    vec2 fitted = mean_c + both / (var_l + 1e-5) * (LUMA_tex(LUMA_pos).r - mean_l);
    vec2 trust = both * both / (var_l * var_c + 1e-7);
    vec2 plain = CHROMA_tex(CHROMA_pos).rg;
    return vec4(mix(plain, clamp(fitted, 0.0, 1.0), trust * trust), 0.0, 1.0);
}
