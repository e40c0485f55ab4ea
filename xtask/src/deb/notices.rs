//! The notices of the crates that are linked into the plugin and its programs: their licences ask that these travel along.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::{progress, test};

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
    /// None for packages of this repository.
    source: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
    root: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    /// None, `dev` or `build`.
    kind: Option<String>,
}

/// Writes [`text`] to `path`.gz.
///
/// # Errors
/// If cargo does not know its crates, or the file cannot be written.
pub fn write(root: &Path, path: &Path) -> Result<()> {
    fs::write(path, text(root)?).with_context(|| format!("cannot write {}", path.display()))?;
    let mut gzip = Command::new("gzip");
    gzip.args(["-9", "--no-name", "--force"]).arg(path);
    progress::run(gzip, "notices of the linked crates")
}

/// Each crate, its licence, and the texts that lie in its package; equal texts once.
///
/// # Errors
/// If cargo does not know its crates.
pub fn text(root: &Path) -> Result<String> {
    let metadata = metadata(root)?;
    let linked = linked(&metadata);
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut list = String::from("Crates that are linked into the plugin and its programs:\n\n");
    for package in metadata.packages.iter().filter(|p| linked.contains(p.id.as_str())) {
        let name = format!("{} {}", package.name, package.version);
        writeln!(list, "  {name}: {}", package.license.as_deref().unwrap_or("see below"))?;
        for text in licences(package) {
            texts.entry(text).or_default().push(name.clone());
        }
    }
    for (text, names) in texts {
        write!(list, "\n{}\n{}\n\n{}\n", "-".repeat(72), names.join(", "), text.trim_end())?;
    }
    Ok(list)
}

fn metadata(root: &Path) -> Result<Metadata> {
    let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let found = test::cargo(root)
        .args(["metadata", "--locked", "--format-version", "1", "--filter-platform", &host])
        .output()
        .context("cannot start cargo metadata")?;
    ensure!(found.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&found.stderr));
    serde_json::from_slice(&found.stdout).context("cargo metadata's JSON is new to this program")
}

/// What the plugin is made of, and what its programs add: the examples' dependencies are development ones.
fn linked(metadata: &Metadata) -> BTreeSet<&str> {
    let nodes: BTreeMap<&str, &Node> =
        metadata.resolve.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
    let ours = metadata.resolve.root.as_deref();
    let mut waiting: Vec<&str> = ours.into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let wanted = |kind: &Kind| match kind.kind.as_deref() {
            None => true,
            Some(kind) => kind == "dev" && ours == Some(id),
        };
        let dependencies = nodes.get(id).map(|node| node.deps.as_slice()).unwrap_or_default();
        waiting.extend(
            dependencies
                .iter()
                .filter(|dependency| dependency.dep_kinds.iter().any(wanted))
                .map(|dependency| dependency.pkg.as_str()),
        );
    }
    let foreign = |id: &&str| {
        metadata.packages.iter().any(|package| package.id == **id && package.source.is_some())
    };
    seen.into_iter().filter(foreign).collect()
}

/// The texts of licences and notices in a crate's folder.
fn licences(package: &Package) -> Vec<String> {
    let folder = package.manifest_path.parent().and_then(|folder| fs::read_dir(folder).ok());
    let is_notice = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_uppercase();
        ["LICENSE", "LICENCE", "COPYING", "COPYRIGHT", "NOTICE"]
            .iter()
            .any(|word| name.starts_with(word))
    };
    let mut paths: Vec<PathBuf> = folder
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(is_notice)
        .collect();
    paths.sort();
    paths.iter().filter_map(|path| fs::read_to_string(path).ok()).collect()
}
