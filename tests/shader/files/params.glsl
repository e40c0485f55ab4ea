// Everything that a user can set.
//!PARAM gain
//!DESC how bright
//!TYPE float
//!MINIMUM 0
//!MAXIMUM 2
0.75

//!PARAM lift
//!TYPE DYNAMIC float
//!MINIMUM -1
//!MAXIMUM 1
0.125

//!PARAM order
//!TYPE int
//!MINIMUM 0
//!MAXIMUM 2
1

//!PARAM BANDS
//!TYPE DEFINE
//!MINIMUM 1
//!MAXIMUM 64
8

//!PARAM wanted
//!TYPE uint
//!MINIMUM 0
//!MAXIMUM 1
1

//!HOOK MAIN
//!BIND HOOKED
//!WHEN wanted gain *
//!DESC set
vec4 hook() {
    const float doubled = gain * 2.0;
    vec3 c = MAIN_tex(MAIN_pos).rgb;
    if (order == 1) c = c.gbr;
    c = floor(c * float(BANDS)) / float(BANDS);
    return vec4(c * doubled * 0.5 + lift, 1.0);
}
