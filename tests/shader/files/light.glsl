// Sums of light in place of sums of codes.
//!HOOK MAIN
//!BIND HOOKED
//!DESC mean of two neighbours, in linear light
vec4 hook() {
    vec4 left = linearize(MAIN_texOff(vec2(-1.0, 0.0))), right = linearize(MAIN_texOff(vec2(1.0, 0.0)));
    return vec4(delinearize(0.5 * (left + right)).rgb, 1.0);
}
