//! `cargo xtask deb`: a Debian package of the plugin, its models and its programs. `[package.metadata.deb]` in Cargo.toml says what is in it.

pub mod notices;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{progress, test, tool};

/// Writes Debian packages from what Cargo.toml says.
const CARGO_DEB: &str = "3.8.0";

/// The plugin's file.
pub const PLUGIN: &str = "libgstkizuna.so";

/// Installs the package on a bare Debian 12, runs it, purges it.
const TRY: &str = include_str!("try.sh");

/// Builds the package; with `attempt` it is installed, run and purged on a bare system too.
///
/// # Errors
/// If a tool of Debian's is missing, or something does not build, install or run.
pub fn run(root: &Path, attempt: bool) -> Result<()> {
    let cargo_deb = tool::cargo(root, "cargo-deb", CARGO_DEB)?;
    let networks = networks(root)?;
    eprintln!("  {networks} networks go in; `cargo xtask models` makes those that are missing");

    build(root)?;

    let folder = root.join("target/deb");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    stage_plugin(root, &folder)?;
    notices::write(root, &folder.join("third-party"))?;

    let mut pack = Command::new(cargo_deb);
    pack.current_dir(root).args(["--no-build", "--locked", "--quiet", "--output"]).arg(&folder);
    progress::show(pack, "packing")?;
    // cargo-deb has said where it is.
    let package = only_package(&folder)?;
    if attempt { try_out(root, &package) } else { Ok(()) }
}

/// Builds the plugin and its programs for release.
///
/// # Errors
/// If they do not build.
pub fn build(root: &Path) -> Result<()> {
    let mut build = test::cargo(root);
    build.args(["build", "--release", "--locked", "--lib"]);
    build.args(["--example", "upscale_file", "--example", "play"]);
    progress::show(build, "building the plugin and its programs")
}

fn networks(root: &Path) -> Result<usize> {
    let models = root.join("models");
    let entries =
        fs::read_dir(&models).with_context(|| format!("cannot read {}", models.display()))?;
    let is_network = |path: &Path| path.extension().is_some_and(|e| e == "onnx");
    Ok(entries.flatten().filter(|entry| is_network(&entry.path())).count())
}

/// Puts the stripped plugin where cargo-deb takes it from: into the same folders as it has below `/usr/lib`, which are other ones
/// for every kind of processor.
fn stage_plugin(root: &Path, folder: &Path) -> Result<()> {
    let plugins = output("pkg-config", &["--variable=pluginsdir", "gstreamer-1.0"])?;
    let below = Path::new(&plugins).strip_prefix("/usr/lib").with_context(|| {
        format!("GStreamer's plugins are in {plugins}, which is no place of Debian's")
    })?;
    let place = folder.join("lib").join(below);
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    let (from, to) = (root.join("target/release").join(PLUGIN), place.join(PLUGIN));
    fs::copy(&from, &to)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    strip(&to)
}

/// Takes out of a library or a program what only debuggers want.
///
/// # Errors
/// If there is no `strip`, or it fails.
pub fn strip(file: &Path) -> Result<()> {
    let mut strip = Command::new("strip");
    strip.args(["--strip-unneeded", "--remove-section=.comment"]).arg(file);
    let name = file.file_name().unwrap_or_default().display();
    progress::run(strip, &format!("stripping symbols of {name}"))
}

fn only_package(folder: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut packages = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "deb"));
    packages.next().with_context(|| format!("cargo-deb wrote no package into {}", folder.display()))
}

fn try_out(root: &Path, package: &Path) -> Result<()> {
    let readme = fs::read_to_string(root.join("README.md")).context("cannot read README.md")?;
    let pipeline = readme
        .lines()
        .find(|line| line.starts_with("gst-launch-1.0 "))
        .context("README.md has no pipeline")?;
    let mut script = Command::new("sh");
    script.args(["-c", TRY, "try.sh"]).arg(package).arg(pipeline).stdin(Stdio::null());
    progress::show(script, "on a bare Debian 12")
}

/// What a program prints, without the end of its line.
///
/// # Errors
/// If it is not there, fails, or prints nothing.
pub fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let found = Command::new(program)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {program}; `cargo xtask setup` brings it"))?;
    ensure!(
        found.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&found.stderr)
    );
    let text = String::from_utf8_lossy(&found.stdout).trim().to_owned();
    if text.is_empty() {
        bail!("{program} {} printed nothing", arguments.join(" "));
    }
    Ok(text)
}
