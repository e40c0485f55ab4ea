// A texture that passes write.
//!TEXTURE MEMORY
//!SIZE 8 8
//!FORMAT rgba32f
//!STORAGE

//!HOOK MAIN
//!BIND HOOKED
//!BIND MEMORY
//!COMPUTE 8 8
//!SAVE NOTED
//!WIDTH 8
//!HEIGHT 8
//!DESC noted
void hook() {
    ivec2 at = ivec2(gl_GlobalInvocationID.xy);
    imageStore(MEMORY, at, imageLoad(MEMORY, at) + vec4(0.25, 0.5, 0.75, 1.0));
    imageStore(out_image, at, vec4(0.0));
}

//!HOOK MAIN
//!BIND HOOKED
//!BIND MEMORY
//!BIND NOTED
//!DESC shown
vec4 hook() {
    ivec2 at = ivec2(HOOKED_pos * HOOKED_size) & ivec2(7);
    return vec4(mix(HOOKED_tex(HOOKED_pos).rgb, imageLoad(MEMORY, at).rgb, 0.5), 1.0);
}
