// Textures that come with the file: floats, bytes, three dimensions, borders.
//!TEXTURE CURVE
//!SIZE 8 1
//!FORMAT rgba16f
//!FILTER LINEAR
00000000000000000000803f0000803f052fa73c8f84c13eb76d5b3f0000803f052fa73d77d6083f6edb363f0000803fe6143c3e6297273f2549123f0000803f052fa73e8f84413fb76ddb3e0000803fbc9c023f075c583f2549923e0000803fe6143c3f8c026d3f2549123e0000803f0000803f0000803f000000000000803f

//!TEXTURE CUBE
//!SIZE 2 2 2
//!FORMAT rgba8
//!FILTER LINEAR
ff1933ff7f1933ffffe533ff7fe533ffff19ccff7f19ccffffe5ccff7fe5ccff

//!TEXTURE NOISE
//!SIZE 4 4
//!FORMAT r8
//!FILTER NEAREST
//!BORDER REPEAT
135ca5ee3780c9125ba4ed367fc8115a

//!HOOK MAIN
//!BIND MAIN
//!BIND CURVE
//!BIND CUBE
//!BIND NOISE
//!DESC looked up
vec4 hook() {
    vec4 c = clamp(MAIN_tex(MAIN_pos), 0.0, 1.0);
    vec3 curve = texture(CURVE, vec2(LUT_POS(c.g, 8.0), 0.5)).rgb;
    vec3 at = vec3(LUT_POS(c.r, 2.0), LUT_POS(c.g, 2.0), LUT_POS(c.b, 2.0));
    vec3 cube = tex3D(CUBE, at).rgb;
    float noise = texture(NOISE, MAIN_pos * MAIN_size / 4.0).r;
    return vec4(mix(curve, cube, 0.5) * (0.9 + 0.1 * noise), 1.0);
}
