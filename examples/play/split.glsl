// Kizuna's player: before on the left, after on the right, of the same frame.
// MIT OR Apache-2.0, the Kizuna developers. List it first in 'shaders=', so that it sees the source before all others.
//
// The planes are kept before any pass changes them. They travel beside the picture until both are RGB, so that one conversion
// serves both and none has to be known here; then they are kept again, and shown at the end by bicubic interpolation.

//!PARAM split
//!DESC Whether both are shown: 0 or 1
//!TYPE DYNAMIC int
//!MINIMUM 0
//!MAXIMUM 1
1

//!PARAM split_at
//!DESC Where the line is, from the left edge (0) to the right (1)
//!TYPE DYNAMIC float
//!MINIMUM 0
//!MAXIMUM 1
0.5

//!HOOK LUMA
//!BIND HOOKED
//!SAVE SPLIT_LUMA
//!WHEN split
//!DESC Split: keep luma
vec4 hook() {
    return HOOKED_tex(HOOKED_pos);
}

//!HOOK CHROMA
//!BIND HOOKED
//!SAVE SPLIT_CHROMA
//!WIDTH LUMA.w
//!HEIGHT LUMA.h
//!WHEN split
//!DESC Split: keep chroma
vec4 hook() {
    return HOOKED_tex(HOOKED_pos + tex_offset * HOOKED_pt);
}

//!HOOK RGB
//!BIND HOOKED
//!SAVE SPLIT_RGB
//!WHEN split
//!DESC Split: keep RGB
vec4 hook() {
    return HOOKED_tex(HOOKED_pos);
}

//!HOOK NATIVE
//!BIND HOOKED
//!BIND SPLIT_LUMA
//!BIND SPLIT_CHROMA
//!WIDTH HOOKED.w 2 *
//!WHEN split
//!DESC Split: both, YUV
vec4 hook() {
    vec2 at = HOOKED_pos * vec2(2.0, 1.0);
    if (at.x > 1.0) {
        return HOOKED_tex(at - vec2(1.0, 0.0));
    }
    return vec4(SPLIT_LUMA_tex(at).r, SPLIT_CHROMA_tex(at).rg, 1.0);
}

//!HOOK NATIVE
//!BIND HOOKED
//!BIND SPLIT_LUMA
//!WIDTH HOOKED.w 2 *
//!WHEN split HOOKED.w LUMA.w = *
//!DESC Split: both, grey
// Where the one for YUV ran, it is wider than luma.
vec4 hook() {
    vec2 at = HOOKED_pos * vec2(2.0, 1.0);
    return at.x > 1.0 ? HOOKED_tex(at - vec2(1.0, 0.0)) : SPLIT_LUMA_tex(at);
}

//!HOOK NATIVE
//!BIND HOOKED
//!BIND SPLIT_RGB
//!WIDTH HOOKED.w 2 *
//!WHEN split
//!DESC Split: both, RGB
vec4 hook() {
    vec2 at = HOOKED_pos * vec2(2.0, 1.0);
    return at.x > 1.0 ? HOOKED_tex(at - vec2(1.0, 0.0)) : SPLIT_RGB_tex(at);
}

//!HOOK MAINPRESUB
//!BIND HOOKED
//!SAVE SPLIT_BEFORE
//!WIDTH HOOKED.w 2 /
//!WHEN split
//!DESC Split: keep the picture before
vec4 hook() {
    return HOOKED_tex(HOOKED_pos * vec2(0.5, 1.0));
}

//!HOOK MAINPRESUB
//!BIND HOOKED
//!BIND SPLIT_BEFORE
//!WIDTH HOOKED.w 2 /
//!WHEN split
//!DESC Split: the picture goes on alone
vec4 hook() {
    return HOOKED_tex(HOOKED_pos * vec2(0.5, 1.0) + vec2(0.5, 0.0));
}

//!HOOK OUTPUT
//!BIND HOOKED
//!BIND SPLIT_BEFORE
//!WHEN split
//!DESC Split: side by side
vec4 weights(float x) {
    // Catmull-Rom's, of the four texels around.
    return vec4(
        ((2.0 - x) * x - 1.0) * x,
        (3.0 * x - 5.0) * x * x + 2.0,
        ((4.0 - 3.0 * x) * x + 1.0) * x,
        (x - 1.0) * x * x) * 0.5;
}

vec4 before(vec2 at) {
    vec2 texel = at * SPLIT_BEFORE_size - 0.5;
    vec2 first = floor(texel);
    vec4 columns = weights(texel.x - first.x);
    vec4 rows = weights(texel.y - first.y);
    vec4 sum = vec4(0.0);
    for (int y = 0; y < 4; y++) {
        for (int x = 0; x < 4; x++) {
            vec2 from = (first + vec2(float(x), float(y)) - 0.5) * SPLIT_BEFORE_pt;
            sum += columns[x] * rows[y] * SPLIT_BEFORE_tex(from);
        }
    }
    return clamp(sum, 0.0, 1.0);
}

vec4 hook() {
    float distance = HOOKED_pos.x - split_at;
    if (abs(distance) < HOOKED_pt.x) {
        return vec4(1.0);
    }
    return distance < 0.0 ? before(HOOKED_pos) : HOOKED_tex(HOOKED_pos);
}
