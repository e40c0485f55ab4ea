//! What is ours: the plugin, the programs, runtimes, models, presets, licences.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use super::{Options, archive};
use crate::bench;
use crate::deb::{self, notices};

/// The programs, as examples and as they are installed.
const PROGRAMS: [(&str, &str); 2] = [("upscale_file", "kizuna-upscale"), ("play", "kizuna-play")];

/// Benchmarks that `benches/gpu/run.sh` runs.
const BENCHES: [&str; 2] = ["pipeline", "shaders"];

/// Files that are the same in every bundle, and their folders.
const DATA: [(&str, &str); 6] = [
    ("data/presets", "share/gstreamer-1.0/presets"),
    ("data/encoding-profiles", "share/gstreamer-1.0/encoding-profiles/storage-editing"),
    ("docs/man", "share/man/man1"),
    ("models/licences", "models/licences"),
    ("LICENSE-MIT", "licences/kizuna"),
    ("LICENSE-APACHE", "licences/kizuna"),
];

/// The plugin's version.
///
/// # Errors
/// If Cargo.toml cannot be read.
pub fn version(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join("Cargo.toml")).context("cannot read Cargo.toml")?;
    let manifest: toml::Table = text.parse().context("cannot read Cargo.toml")?;
    let version = manifest.get("package").and_then(|package| package.get("version"));
    Ok(version.and_then(toml::Value::as_str).context("Cargo.toml has no version")?.to_owned())
}

/// Copies it all from the checkout, and from `built`, into `folder`.
///
/// # Errors
/// If something is missing or cannot be copied.
pub fn gather(root: &Path, built: &Path, folder: &Path, options: &Options) -> Result<()> {
    let plugin = folder.join("lib/gstreamer-1.0").join(deb::PLUGIN);
    copy_built(&built.join(deb::PLUGIN), &plugin)?;
    for (example, program) in PROGRAMS {
        copy_built(&built.join("examples").join(example), &folder.join("bin").join(program))?;
    }
    if options.benches {
        for name in BENCHES {
            copy(&bench::build(root, name)?, &folder.join("bin").join(format!("bench-{name}")))?;
        }
    }
    for (from, to) in DATA {
        let (from, to) = (root.join(from), folder.join(to));
        if from.is_dir() { copy_folder(&from, &to)? } else { copy_into(&from, &to)? }
    }
    let models = gather_models(&root.join("models"), &folder.join("models"), options)?;
    let runtimes = gather_runtimes(&root.join("runtimes"), &folder.join("runtimes"), options)?;
    eprintln!("  models: {}", models.join(" "));
    eprintln!("  runtimes: {}", runtimes.join(" "));
    let path = folder.join("licences/kizuna/third-party.txt");
    fs::write(&path, notices::text(root)?)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn copy_built(from: &Path, to: &Path) -> Result<()> {
    ensure!(
        from.is_file(),
        "{} is missing; `cargo build --lib --example upscale_file --example play` makes it",
        from.display()
    );
    copy(from, to)?;
    deb::strip(to)
}

fn gather_models(from: &Path, to: &Path, options: &Options) -> Result<Vec<String>> {
    let there = names(from, |path| {
        path.extension().is_some_and(|e| e == "onnx").then(|| path.file_stem()).flatten()
    })?;
    let wanted = chosen(&there, options.models.as_deref(), "model", "cargo xtask models")?;
    for name in &wanted {
        for kind in ["onnx", "toml"] {
            copy_into(&from.join(format!("{name}.{kind}")), to)?;
        }
    }
    Ok(wanted)
}

fn gather_runtimes(from: &Path, to: &Path, options: &Options) -> Result<Vec<String>> {
    let there =
        names(from, |path| path.is_dir().then(|| path.file_name()).flatten()).unwrap_or_default();
    let wanted = chosen(&there, options.runtimes.as_deref(), "runtime", "cargo xtask setup")?;
    for name in &wanted {
        copy_folder(&from.join(name), &to.join(name))?;
    }
    Ok(wanted)
}

/// The names in a folder that `name` gives, sorted.
fn names(folder: &Path, name: impl Fn(&Path) -> Option<&std::ffi::OsStr>) -> Result<Vec<String>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| Some(name(&entry.path())?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

/// Those of `there` that were asked for; all where nobody asked.
fn chosen(
    there: &[String],
    asked: Option<&[String]>,
    what: &str,
    remedy: &str,
) -> Result<Vec<String>> {
    let Some(asked) = asked else { return Ok(there.to_vec()) };
    for name in asked {
        ensure!(
            there.contains(name),
            "the {what} {name} is not here; there are: {}. `{remedy}` brings those that are missing",
            there.join(", ")
        );
    }
    Ok(asked.to_vec())
}

/// Copies a file, and its mode; what the path names, if it is a link.
///
/// # Errors
/// If it cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let message = || format!("cannot copy {} to {}", from.display(), to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).with_context(message)?;
    }
    fs::copy(from, to).map(drop).with_context(message)
}

fn copy_into(from: &Path, folder: &Path) -> Result<()> {
    copy(from, &folder.join(from.file_name().unwrap_or_default()))
}

/// Copies the files of a folder.
///
/// # Errors
/// If one cannot be read or written.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    for path in archive::files(from)?.iter().filter(|path| path.is_file()) {
        copy(path, &to.join(path.strip_prefix(from).unwrap_or(path)))?;
    }
    Ok(())
}

/// Bytes of all files below a folder; links count nothing.
///
/// # Errors
/// If it cannot be read.
pub fn size(folder: &Path) -> Result<u64> {
    let lengths = archive::files(folder)?.into_iter().map(|path: PathBuf| {
        fs::symlink_metadata(path).map_or(0, |m| if m.is_file() { m.size() } else { 0 })
    });
    Ok(lengths.sum())
}
