//! Programs for cargo that are not in this repository, at fixed versions.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{progress, test};

/// The path of `name` at `version`: the user's, if it is the same version, else one of our own under `target/tools`.
///
/// # Errors
/// If it is not there and cannot be built.
pub fn cargo(root: &Path, name: &str, version: &str) -> Result<PathBuf> {
    let tools = root.join("target/tools");
    for candidate in [PathBuf::from(name), tools.join("bin").join(name)] {
        let found = Command::new(&candidate).arg("--version").output();
        if found.is_ok_and(|o| o.stdout.trim_ascii().ends_with(version.as_bytes())) {
            return Ok(candidate);
        }
    }
    let mut install = test::cargo(root);
    install
        .args(["install", "--locked", "--quiet", name, "--version", version])
        .arg("--no-default-features")
        .arg("--root")
        .arg(&tools)
        .arg("--target-dir")
        .arg(tools.join("build"));
    progress::run(install, &format!("building {name} {version} once (some minutes)"))?;
    Ok(tools.join("bin").join(name))
}
