//! What is written, not copied: the scripts and the page that explains them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context, Result};

use super::archive;
use crate::fetch;

const RUN: &str = include_str!("run.sh");
const README: &str = include_str!("README.txt");

/// GStreamer starts it as a program; it needs the loader that run.sh chooses.
const SCANNER: &str = "#!/bin/sh\nexec \"${0%/*}/../run.sh\" gst-plugin-scanner \"$@\"\n";

/// Writes them into `folder`; `interpreter` is the loader that its programs name, where GStreamer is inside.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Path, interpreter: Option<&Path>) -> Result<()> {
    let interpreter = interpreter.map(|path| path.display().to_string()).unwrap_or_default();
    let run = RUN.replace("@INTERPRETER@", &interpreter).replace("@ID@", &id(folder)?);
    executable(&folder.join("run.sh"), &run)?;
    if !interpreter.is_empty() {
        let libexec = folder.join("libexec");
        fs::create_dir_all(&libexec)
            .with_context(|| format!("cannot create {}", libexec.display()))?;
        executable(&libexec.join("gst-plugin-scanner"), SCANNER)?;
    }
    Ok(())
}

/// Writes the page that explains the rest. It comes first, so that what was begun is known as ours.
///
/// # Errors
/// If it cannot be written.
pub fn write_readme(folder: &Path) -> Result<()> {
    let readme = folder.join("README.txt");
    fs::write(&readme, README).with_context(|| format!("cannot write {}", readme.display()))
}

/// Whether `folder` is a bundle, of whatever version.
pub fn is_bundle(folder: &Path) -> bool {
    let title = README.lines().next().unwrap_or_default();
    fs::read_to_string(folder.join("README.txt")).is_ok_and(|text| text.starts_with(title))
}

/// Tells bundles apart whose plugins differ: all files have one time, by which GStreamer's registry would know them.
fn id(folder: &Path) -> Result<String> {
    let mut sums = String::new();
    for plugin in archive::files(&folder.join("lib/gstreamer-1.0"))? {
        sums += &fetch::sha256(&plugin)?;
    }
    let mut id = fetch::sha256_of(sums.as_bytes());
    id.truncate(12);
    Ok(id)
}

/// Writes a script.
///
/// # Errors
/// If it cannot be written.
pub fn executable(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
        .with_context(|| format!("cannot write {}", path.display()))
}
