//! Shader files that nobody would write: ours with changes at random, and headers at random.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

/// The files of `tests/shader/files`.
fn texts() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shader/files");
    let mut files: Vec<_> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

/// One of the files with bytes changed, lines doubled, moved or taken away.
pub fn mutated() -> impl Strategy<Value = String> {
    let change = (0..5_u8, any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>());
    let changes = prop::collection::vec(change, 1..8);
    (prop::sample::select(texts()), changes).prop_map(|(text, changes)| {
        let mut lines: Vec<String> = text.lines().map(Into::into).collect();
        for (kind, a, b, byte) in changes {
            if lines.is_empty() {
                break;
            }
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            match kind {
                0 => drop(lines.remove(a)),
                1 => lines.insert(b, lines[a].clone()),
                2 => lines.swap(a, b),
                3 => lines[a] = lines[a].replace(char::from(b'A' + byte % 26), "9"),
                _ => lines[a].insert(0, char::from(byte % 128)),
            }
        }
        lines.join("\n")
    })
}

/// One of the files with words of its GLSL replaced, so that drivers have to judge it.
pub fn rewritten() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "0",
        "-1",
        "1e38",
        "0.0 / 0.0",
        "1000000000",
        "vec2(1e9)",
        "vec4(1.0)",
        "HOOKED_tex(HOOKED_pos)",
        "HOOKED_pos",
        "int",
        "float",
        "return",
        "discard",
        "for (;;) {}",
        "while (true);",
        "gl_FragCoord",
        "hook()",
        "}",
        "{",
        "#define",
    ]);
    let changes = prop::collection::vec((any::<prop::sample::Index>(), word), 1..4);
    (prop::sample::select(texts()), changes).prop_map(|(text, changes)| {
        let mut lines: Vec<String> = text.lines().map(Into::into).collect();
        let is_body = |line: &String| line.contains(['(', '=', ';']) && !line.starts_with("//");
        let body: Vec<_> = (0..lines.len()).filter(|&i| is_body(&lines[i])).collect();
        for (at, word) in changes {
            let Some(&line) = body.get(at.index(body.len().max(1))) else { break };
            let mut words: Vec<&str> = lines[line].split(' ').collect();
            let at = at.index(words.len());
            words[at] = word;
            lines[line] = words.join(" ");
        }
        lines.join("\n")
    })
}

/// Headers that make sense one by one at most, with bodies or without.
pub fn random_headers() -> impl Strategy<Value = String> {
    let line = (
        prop::sample::select(vec![
            "HOOK",
            "BIND",
            "SAVE",
            "WIDTH",
            "HEIGHT",
            "WHEN",
            "COMPONENTS",
            "OFFSET",
            "COMPUTE",
            "TEXTURE",
            "SIZE",
            "FORMAT",
            "PARAM",
            "TYPE",
            "MINIMUM",
            "STORAGE",
            "DESC",
        ]),
        prop::sample::select(vec![
            "MAIN",
            "LUMA",
            "HOOKED",
            "HOOKED.w 2 *",
            "1e38 1e38 *",
            "0 0 /",
            "ALIGN",
            "1 1",
            "8 8 1 1",
            "rgba16f",
            "float",
            "4294967295",
            "-1",
            "",
            "\u{1f980}",
            "NATIVE.w OUTPUT.h %",
            "! ! !",
        ]),
        prop::sample::select(vec!["", "vec4 hook() { return vec4(0); }\n", "00ff\n"]),
    );
    let written = |lines: Vec<(&str, &str, &str)>| {
        lines.iter().map(|(d, a, body)| format!("//!{d} {a}\n{body}")).collect()
    };
    prop::collection::vec(line, 0..30).prop_map(written)
}
