// What every pass knows.
//!HOOK MAIN
//!BIND HOOKED
//!DESC sizes as colours
vec4 hook() {
    vec2 grid = step(0.5, fract(MAIN_pos * MAIN_size / 16.0));
    vec3 sizes = vec3(input_size.x / 1000.0, target_size.y / 1000.0, MAIN_pt.x * 20.0);
    float still = float(frame) * 0.0 + random * 0.0 + tex_offset.x;
    return vec4(mix(MAIN_tex(MAIN_pos).rgb, sizes, grid.x * grid.y) + still, 1.0);
}
