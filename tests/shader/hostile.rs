//! Files that want too much, and files that make no sense.

use std::collections::BTreeMap;

use gstkizuna::shader;
use gstkizuna::upscale::PixelFormat;
use proptest::prelude::*;

use crate::generated::{mutated, random_headers, rewritten};
use crate::graph;

fn refused(text: &str) -> String {
    let built = shader::parse("f", text)
        .and_then(|file| graph(PixelFormat::I420, &[file], &BTreeMap::new()));
    built.expect_err("it should be refused").to_string()
}

#[test]
fn what_wants_too_much_is_refused() {
    let size = |w: &str| {
        format!("//!HOOK MAIN\n//!BIND HOOKED\n//!WIDTH {w}\nvec4 hook() {{ return vec4(1); }}\n")
    };
    assert_eq!(
        refused(&size("1000000000")),
        "f:1: WIDTH of the result is 1000000000 px; 1 to 16384 are possible"
    );
    assert_eq!(refused(&size("0")), "f:1: WIDTH of the result is 0 px; 1 to 16384 are possible");
    assert_eq!(refused(&size("1 0 /")), "f:1: WIDTH of the result: it has no finite value");
    assert_eq!(
        refused(&size("NOTHING.w")),
        "f:1: WIDTH of the result: nothing is called NOTHING here"
    );
    let passes = "//!HOOK MAIN\nhook\n".repeat(1_000_000);
    assert_eq!(refused(&passes), "f:2049: there are more than 1024 blocks");
    let large = (0..40).map(|i| {
        format!(
            "//!HOOK MAIN\n//!BIND HOOKED\n//!SAVE S{i}\n//!WIDTH 16384\n//!HEIGHT 16384\nhook\n"
        )
    });
    let all: String = large.collect();
    let binds: String = (0..16).map(|i| format!("//!BIND S{i}\n")).collect();
    let error = refused(&format!("{all}//!HOOK MAIN\n{binds}hook\n"));
    assert!(error.contains("all textures together would take"), "{error}");
    let fixed = "//!HOOK OUTPUT\n//!BIND HOOKED\n//!WIDTH 7\nhook\n";
    assert_eq!(refused(fixed), "f:1: OUTPUT cannot be resized: 128x72 would become 7x72");
    let group = "//!HOOK MAIN\n//!BIND HOOKED\n//!COMPUTE 64 64\nhook\n";
    assert_eq!(refused(group), "f:1: 64x64 invocations in a group; here at most 1024 are possible");
}

/// Either it is built, or the refusal names the file and a line of it.
fn check(text: &str) -> Result<(), TestCaseError> {
    let built = shader::parse("hostile", text)
        .and_then(|file| graph(PixelFormat::Nv12, &[file], &BTreeMap::new()));
    if let Err(e) = built {
        let message = e.to_string();
        let line = message.strip_prefix("hostile:").and_then(|m| m.split(':').next()?.parse().ok());
        let line: usize = line.ok_or_else(|| TestCaseError::fail(message.clone()))?;
        prop_assert!((1..=text.lines().count() + 1).contains(&line), "{message}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files_are_built_or_refused(text in mutated()) {
        check(&text)?;
    }

    #[test]
    fn rewritten_files_are_built_or_refused(text in rewritten()) {
        check(&text)?;
    }

    #[test]
    fn random_headers_are_built_or_refused(text in random_headers()) {
        check(&text)?;
    }
}
