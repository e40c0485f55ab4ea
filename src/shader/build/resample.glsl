// One axis of a separable kernel. The first column of WEIGHTS says where each sample begins to read.
vec4 hook() {
    ivec2 here = ivec2(gl_FragCoord.xy);
    int first = int(texelFetch(WEIGHTS, ivec2(0, here.AXIS), 0).r);
    int last = textureSize(T0_raw, 0).AXIS - 1;
    vec4 sum = vec4(0.0);
    for (int i = 0; i < TAPS; i++) {
        ivec2 at = here;
        at.AXIS = clamp(first + i, 0, last);
        sum += texelFetch(WEIGHTS, ivec2(i + 1, here.AXIS), 0).r * READ(at);
    }
    return sum;
}
