// The number of the frame.
//!HOOK MAIN
//!BIND HOOKED
//!DESC darker by each frame
vec4 hook() {
    return vec4(MAIN_tex(MAIN_pos).rgb / float(frame), 1.0);
}
