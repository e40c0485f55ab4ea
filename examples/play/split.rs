//! The shader that shows before and after, in a file of its own: `split.glsl`, with our last stage put in before its last pass.

use std::path::PathBuf;

use anyhow::{Context, Result};
use tempfile::TempDir;

const SPLIT: &str = include_str!("split.glsl");
const STABILIZE: &str = include_str!("../../src/shader/presets/stabilize.glsl");
/// Where the last pass begins.
const LAST: &str = "//!HOOK OUTPUT";

/// The file; removed when this is dropped.
pub struct Split {
    dir: TempDir,
}

impl Split {
    /// Writes it.
    ///
    /// # Errors
    /// No room for it.
    pub fn create() -> Result<Self> {
        let dir = TempDir::new().context("cannot make a directory for temporary files")?;
        let split = Self { dir };
        let path = split.path();
        std::fs::write(&path, text())
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok(split)
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("split.glsl")
    }
}

fn text() -> String {
    SPLIT.replacen(LAST, &format!("{STABILIZE}\n{LAST}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_joined_last() {
        let file = gstkizuna::shader::parse("split.glsl", &text());
        let file = file.expect("it is a shader");
        let at_output = file.passes.iter().filter(|pass| pass.hooks == ["OUTPUT"]);
        let names: Vec<_> = at_output.map(|pass| &pass.name).rev().take(2).collect();
        assert_eq!(names[0], "Split: side by side");
        assert!(names[1].starts_with("Temporal Stabilization"));
    }
}
