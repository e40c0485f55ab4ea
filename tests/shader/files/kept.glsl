// Textures of one, two and three dimensions that passes write; each frame finds what the last one left.
//!TEXTURE ROW
//!SIZE 4
//!FORMAT r32f
//!STORAGE
0000003f0000803e0000003e0000803d

//!TEXTURE SHEET
//!SIZE 4 2
//!FORMAT rgba16f
//!STORAGE

//!TEXTURE BLOCK
//!SIZE 2 2 2
//!FORMAT rgba8
//!STORAGE
101010ff202020ff303030ff404040ff505050ff606060ff707070ff808080ff

//!HOOK MAIN
//!BIND ROW
//!BIND SHEET
//!BIND BLOCK
//!SAVE STEP
//!WIDTH 4
//!HEIGHT 2
//!COMPUTE 4 2
//!DESC one step further
void hook() {
    ivec2 at = ivec2(gl_GlobalInvocationID.xy);
    if (at.y == 0) imageStore(ROW, at.x, vec4(imageLoad(ROW, at.x).r + 0.0625));
    imageStore(SHEET, at, imageLoad(SHEET, at) * 0.5 + vec4(0.125 * float(at.x), 0.25, 0.5, 1.0));
    ivec3 cell = ivec3(at.x & 1, at.y, at.x >> 1);
    imageStore(BLOCK, cell, vec4(imageLoad(BLOCK, cell).gbr + vec3(16.0, 0.0, 32.0) / 255.0, 1.0));
    imageStore(out_image, at, imageLoad(SHEET, at).brga);
}

//!HOOK MAIN
//!BIND HOOKED
//!BIND STEP
//!BIND ROW
//!BIND SHEET
//!BIND BLOCK
//!DESC bands of each
vec4 hook() {
    ivec2 at = ivec2(MAIN_pos * MAIN_size);
    vec3 kept = STEP_tex(STEP_pos).rgb;
    if ((at.y & 24) == 0) kept = vec3(imageLoad(ROW, at.x & 3).r);
    if ((at.y & 24) == 8) kept = imageLoad(SHEET, at & ivec2(3, 1)).rgb;
    if ((at.y & 24) == 16) kept = imageLoad(BLOCK, ivec3(at & 1, (at.x >> 1) & 1)).rgb;
    return vec4(mix(MAIN_tex(MAIN_pos).rgb, kept, 0.5), 1.0);
}
