// A compute shader: groups smaller than their blocks, shared memory, two pixels for each invocation.
//!HOOK MAIN
//!BIND HOOKED
//!COMPUTE 16 8 8 8
//!DESC smallest of a row of three
shared vec3 rows[8][18];

void hook() {
    ivec2 first = ivec2(gl_WorkGroupID.xy) * ivec2(16, 8);
    ivec2 id = ivec2(gl_LocalInvocationID.xy);
    ivec2 size = ivec2(HOOKED_size);
    for (int x = id.x; x < 18; x += 8) {
        ivec2 at = clamp(first + ivec2(x - 1, id.y), ivec2(0), size - 1);
        rows[id.y][x] = texelFetch(HOOKED_raw, at, 0).rgb * HOOKED_mul;
    }
    barrier();
    for (int x = id.x; x < 16; x += 8) {
        vec3 c = min(rows[id.y][x], min(rows[id.y][x + 1], rows[id.y][x + 2]));
        imageStore(out_image, first + ivec2(x, id.y), vec4(c, 1.0));
    }
}

//!HOOK MAIN
//!BIND HOOKED
//!COMPUTE 8 8
//!WIDTH HOOKED.w 2 *
//!HEIGHT HOOKED.h 2 *
//!DESC one pixel for each invocation, read at its position
void hook() {
    vec4 c = HOOKED_tex(HOOKED_pos) * 0.5 + HOOKED_tex(HOOKED_map(gl_GlobalInvocationID)) * 0.5;
    imageStore(out_image, ivec2(gl_GlobalInvocationID.xy), c);
}
