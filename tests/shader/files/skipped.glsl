// What does not run: a condition that is not met, one that cannot be, a texture that is not there, a stage that is not.
//!HOOK MAIN
//!BIND HOOKED
//!WHEN 1 2 >
//!DESC condition not met
vec4 hook() { return vec4(1.0, 0.0, 0.0, 1.0); }

//!HOOK MAIN
//!BIND HOOKED
//!WHEN NOTHING.w 2 >
//!DESC condition on what is not there
vec4 hook() { return vec4(0.0, 1.0, 0.0, 1.0); }

//!HOOK MAIN
//!BIND HOOKED
//!BIND NOTHING
//!DESC texture that is not there
vec4 hook() { return vec4(0.0, 0.0, 1.0, 1.0); }

//!HOOK MAIN
//!BIND HOOKED
//!WHEN HOOKED.w 3 % 4 < 1 ! ! *
//!DESC runs
vec4 hook() { return vec4(MAIN_tex(MAIN_pos).rgb * vec3(1.0, 0.9, 0.8), 1.0); }
