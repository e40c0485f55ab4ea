// Results under names, with fewer components than four, replaced and read again.
//!HOOK MAIN
//!BIND HOOKED
//!SAVE EDGES
//!COMPONENTS 2
//!DESC gradients, signed
vec4 hook() {
    vec3 w = vec3(0.299, 0.587, 0.114);
    float x = dot(w, MAIN_texOff(vec2(1.0, 0.0)).rgb - MAIN_texOff(vec2(-1.0, 0.0)).rgb);
    float y = dot(w, MAIN_texOff(vec2(0.0, 1.0)).rgb - MAIN_texOff(vec2(0.0, -1.0)).rgb);
    return vec4(x, y, 7.0, 7.0);
}

//!HOOK MAIN
//!BIND EDGES
//!SAVE EDGES
//!COMPONENTS 1
//!WIDTH EDGES.w 2 /
//!HEIGHT EDGES.h 2 /
//!DESC strength, half the size, in place of what it reads
vec4 hook() {
    return vec4(length(EDGES_tex(EDGES_pos).rg) + EDGES_tex(EDGES_pos).b);
}

//!HOOK MAIN
//!BIND HOOKED
//!BIND EDGES
//!DESC drawn over the picture
vec4 hook() {
    return MAIN_tex(MAIN_pos) * (1.0 - 0.7 * clamp(EDGES_tex(EDGES_pos).r, 0.0, 1.0));
}
