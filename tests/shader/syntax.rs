//! What the parser takes, and what it says of the rest.

use gstkizuna::shader::{self, Border, Offset, ShaderFile};

fn parse(text: &str) -> Result<ShaderFile, String> {
    shader::parse("f", text).map_err(|e| e.to_string())
}

#[test]
fn headers_are_read_as_mpv_reads_them() {
    let file = parse(
        "garbage\r\n  //!DESC  a pass \r\n//!HOOK LUMA\r\n//!HOOK MAIN\r\n//!BIND HOOKED\r\n//!OFFSET 0.5 -0.5\r\n\
         vec4 hook() { // not a header\r\n return vec4(0); }\r\n//!HOOK MAIN\n//!OFFSET ALIGN\nvec4 hook();",
    );
    let file = file.unwrap();
    assert_eq!(file.passes.len(), 2);
    let first = &file.passes[0];
    assert_eq!((first.name.as_str(), first.place.line, first.body_line), ("a pass", 2, 7));
    assert_eq!(first.hooks, ["LUMA", "MAIN"]);
    assert_eq!(first.offset, Offset::By(0.5, -0.5));
    assert_eq!(file.passes[1].offset, Offset::Align);
    assert_eq!(file.passes[1].name, "MAIN");
}

#[test]
fn textures_are_read() {
    let file = parse(
        "//!TEXTURE T\n//!SIZE 2 1\n//!FORMAT rg8\n//!BORDER MIRROR\n//!FILTER NEAREST\n01 02\n0a Ff\n",
    );
    let file = file.unwrap();
    let texture = &file.textures[0].content;
    assert_eq!(&texture.data[..], [1, 2, 10, 255]);
    assert_eq!((texture.border, texture.is_linear), (Border::Mirror, false));
}

/// Every rule, and the line that it is about.
#[test]
fn what_is_wrong_is_said_with_its_line() {
    let long = format!("//!HOOK MAIN\n//!WIDTH {}\nhook", "1 ".repeat(65));
    let many = format!("{}hook", "//!HOOK MAIN\n".repeat(17));
    let binds = format!("//!HOOK MAIN\n{}hook", "//!BIND A\n".repeat(17));
    let cases = [
        ("void main() {}", "f:1: there is no //! header: this is no mpv shader"),
        ("//!DESC x\nhook", "f:1: the pass has no HOOK line: it would never run"),
        ("//!HOOK MAIN\n", "f:1: the pass has no function hook()"),
        ("\n//!HOOK MAIN\n//!HOKO x\nhook", "f:3: a pass knows no //!HOKO"),
        ("//!HOOK\nhook", "f:1: HOOK wants a name, not ''"),
        ("//!HOOK MAIN\n//!SAVE a b\nhook", "f:2: SAVE wants a name, not 'a b'"),
        (
            "//!HOOK MAIN\n//!WIDTH 1 +\nhook",
            "f:2: the expression '1 +' has nothing for '+' to work on",
        ),
        ("//!HOOK MAIN\n//!COMPONENTS 5\nhook", "f:2: COMPONENTS is 1 to 4, not 5"),
        ("//!HOOK MAIN\n//!COMPONENTS -1\nhook", "f:2: COMPONENTS wants 1 numbers, not '-1'"),
        ("//!HOOK MAIN\n//!OFFSET 1\nhook", "f:2: OFFSET wants 2 numbers, not '1'"),
        (
            "//!HOOK MAIN\n//!OFFSET nan 0\nhook",
            "f:2: OFFSET wants ALIGN, or two numbers of pixels",
        ),
        ("//!HOOK MAIN\n//!COMPUTE 8 8 8\nhook", "f:2: COMPUTE wants 2 numbers, or 4"),
        (
            "//!HOOK MAIN\n//!COMPUTE 0 8\nhook",
            "f:2: blocks and groups of COMPUTE have 1 to 16384 px a side",
        ),
        ("//!TEXTURE T\n//!SIZE 2\n//!FORMAT r8\n0", "f:4: the TEXTURE's data ends in half a byte"),
        ("//!TEXTURE T\n//!SIZE 2\n//!FORMAT r8\n00", "f:4: the TEXTURE's data has 1 bytes, not 2"),
        (
            "//!TEXTURE T\n//!SIZE 2\n//!FORMAT r8\nxy",
            "f:4: the TEXTURE's data has 'x', no hexadecimal digit",
        ),
        (
            "//!TEXTURE T\n//!SIZE 2\n//!FORMAT bgr8\n00",
            "f:3: FORMAT is e.g. rgba8, r16, rgba16f or rg32f; not 'bgr8'",
        ),
        ("//!TEXTURE T\n//!FORMAT r8\n00", "f:1: the TEXTURE has no SIZE"),
        ("//!TEXTURE T\n//!SIZE 99999\n", "f:2: SIZE is 1 to 16384 px a side"),
        (
            "//!TEXTURE T\n//!SIZE 9999 9999 9999\n//!FORMAT r8\n",
            "f:1: the TEXTURE has more than 33554432 bytes",
        ),
        (
            "//!TEXTURE T\n//!BORDER WRAP\n",
            "f:2: BORDER is one of CLAMP, REPEAT, MIRROR; not 'WRAP'",
        ),
        ("//!PARAM p\n1", "f:1: the PARAM has no TYPE"),
        ("//!PARAM p\n//!TYPE float\n", "f:3: the default of p is ''"),
        ("//!PARAM p\n//!TYPE int\n//!MAXIMUM 3\n4", "f:4: the default of p must lie between"),
        ("//!PARAM p\n//!TYPE double\n4", "f:2: TYPE is float, int, uint or DEFINE; not 'double'"),
        ("//!PARAM p\n//!TYPE ENUM int\n", "f:3: an ENUM wants a name on each line"),
        ("//!PARAM p\n//!TYPE ENUM int\nA\nB\nA\n", "f:3: the ENUM has two members A"),
        ("//!BUFFER b\n", "f:1: a BUFFER is not supported; keep data in a TEXTURE with STORAGE"),
        (
            "//!PARAM p\n//!TYPE int\n1\n//!PARAM p\n//!TYPE int\n1\n",
            "f:4: there are two things called p",
        ),
        (&long, "f:2: the expression '1 1 1"),
        (&many, "f:17: a pass has at most 16 HOOK lines"),
        (&binds, "f:18: a pass has at most 16 BIND lines"),
    ];
    for (text, wanted) in cases {
        let error = parse(text).expect_err(wanted);
        assert!(error.starts_with(wanted), "{text:?}: {error}, not {wanted}");
    }
}
