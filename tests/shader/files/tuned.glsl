// Parameters of the other kinds: a choice that the preprocessor knows, constants as sizes, whole numbers that change.
//!PARAM shape
//!TYPE ENUM DEFINE
FLAT
ROUND
STEEP

//!PARAM taps
//!TYPE CONSTANT int
//!MINIMUM 1
//!MAXIMUM 3
2

//!PARAM shrink
//!TYPE CONSTANT float
//!MINIMUM 1
//!MAXIMUM 4
1.5

//!PARAM rounds
//!TYPE DYNAMIC uint
//!MINIMUM 0
//!MAXIMUM 4
3

//!PARAM shift
//!TYPE DYNAMIC int
//!MINIMUM -4
//!MAXIMUM 4
-1

//!HOOK MAIN
//!BIND HOOKED
//!SAVE SMALL
//!WIDTH HOOKED.w shrink /
//!HEIGHT HOOKED.h shrink /
//!WHEN rounds 0 >
//!DESC mean of some rows, smaller
vec4 hook() {
    vec4 rows[2 * taps + 1];
    vec4 sum = vec4(0.0);
    for (int y = -taps; y <= taps; y++) {
        rows[y + taps] = MAIN_texOff(vec2(shift, y));
        sum += rows[y + taps];
    }
    return sum / float(2 * taps + 1);
}

//!HOOK MAIN
//!BIND HOOKED
//!BIND SMALL
//!WHEN SMALL.w 0 >
//!DESC bent towards the mean
vec4 hook() {
    vec3 c = MAIN_tex(MAIN_pos).rgb, mean = SMALL_tex(SMALL_pos).rgb;
    for (uint i = 0u; i < rounds; i++) {
#if shape == FLAT
        c = mix(c, mean, 0.25);
#elif shape == ROUND
        c = sqrt(max(c * mean, 0.0));
#else
        c += 0.25 * (c - mean);
#endif
    }
    return vec4(clamp(c, 0.0, 1.0), 1.0);
}
