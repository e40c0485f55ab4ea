//! Where models and runtimes are looked for, and how a name becomes a model.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::card::Card;
use super::embedded;
use super::error::{ModelError, Rule};
use crate::engine::ModelSource;

/// Largest ONNX file read into memory, in bytes: protobuf itself ends at 2 GiB.
pub const MAX_MODEL_BYTES: u64 = 2 << 30;

/// A model that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its bytes.
    pub source: ModelSource,
    /// Its card, or the sidecar of a user's file.
    pub card: Option<Card>,
    /// What is odd and does not stop anything: a checksum that differs (the file may be the user's own version), a card
    /// in the way that cannot be read.
    pub warnings: Vec<String>,
}

/// The directories in which cards, weights and runtimes are looked for, most specific first; only those that exist.
///
/// `model_dir` is the property; `plugin_dir` the folder that holds the plugin. Between them come the environment variable
/// `KIZUNA_MODEL_PATH` (separated as `PATH` is), the user's data directory and the system's; after them `share/kizuna` of the
/// prefix that the plugin was installed to, and a checkout's `models/`, where the plugin lies in its `target/`.
pub fn data_dirs(plugin_dir: Option<&Path>, model_dir: Option<&Path>) -> Vec<PathBuf> {
    let places = Places { plugin_dir, model_dir, env: &|name| std::env::var_os(name) };
    let mut dirs: Vec<PathBuf> = Vec::new();
    for dir in places.all() {
        if dir.is_dir() && !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    dirs
}

/// What the list of directories is made from.
struct Places<'a> {
    plugin_dir: Option<&'a Path>,
    model_dir: Option<&'a Path>,
    env: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Places<'_> {
    fn all(&self) -> Vec<PathBuf> {
        let mut dirs: Vec<PathBuf> = self.model_dir.map(Into::into).into_iter().collect();
        dirs.extend(self.listed("KIZUNA_MODEL_PATH"));
        dirs.extend(self.data_homes().into_iter().map(|dir| dir.join("kizuna")));
        if let Some(plugin) = self.plugin_dir {
            dirs.push(plugin.join("kizuna"));
            dirs.push(plugin.into());
            dirs.extend(prefix(plugin).map(|prefix| prefix.join("share/kizuna")));
            dirs.extend(checkout(plugin).map(|root| root.join("models")));
        }
        dirs
    }

    /// The user's data directory, then the system's.
    fn data_homes(&self) -> Vec<PathBuf> {
        let var = |name| (self.env)(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let mut dirs = Vec::new();
        if cfg!(windows) {
            dirs.extend(var("LOCALAPPDATA"));
            dirs.extend(var("PROGRAMDATA"));
            return dirs;
        }
        let home = var("HOME");
        let local =
            if cfg!(target_os = "macos") { "Library/Application Support" } else { ".local/share" };
        dirs.extend(var("XDG_DATA_HOME").or_else(|| home.map(|home| home.join(local))));
        match self.listed("XDG_DATA_DIRS") {
            listed if listed.is_empty() => {
                dirs.extend(["/usr/local/share", "/usr/share"].map(PathBuf::from));
            }
            listed => dirs.extend(listed),
        }
        // Where `make install` and packages put shared libraries that are not for linking: runtimes.
        dirs.extend(["/usr/local/lib", "/usr/lib"].map(PathBuf::from));
        dirs
    }

    fn listed(&self, name: &str) -> Vec<PathBuf> {
        let value = (self.env)(name).unwrap_or_default();
        std::env::split_paths(&value).filter(|dir| !dir.as_os_str().is_empty()).collect()
    }
}

/// Where the plugin was installed to, if `dir` is GStreamer's directory of plugins in some prefix.
fn prefix(dir: &Path) -> Option<&Path> {
    let is_lib = |dir: &&Path| dir.file_name().is_some_and(|name| name == "lib" || name == "lib64");
    let plugins = dir.ends_with("gstreamer-1.0").then_some(dir)?;
    plugins.ancestors().take(3).find(is_lib)?.parent()
}

/// The checkout of this project that `dir` lies in.
fn checkout(dir: &Path) -> Option<PathBuf> {
    let dir = dir.canonicalize().ok()?;
    let named = format!("name = \"{}\"", env!("CARGO_PKG_NAME"));
    let is_ours = |root: &&Path| {
        let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap_or_default();
        root.join("models").is_dir() && manifest.lines().any(|line| line.trim() == named)
    };
    dir.ancestors().take(6).find(is_ours).map(Into::into)
}

/// Finds the model that `model` means: nothing is the embedded [`embedded::DEFAULT`]; what ends in `.onnx` or holds a
/// separator is a file's path; everything else is a card's name. A card in `dirs` goes before an embedded one.
///
/// # Errors
/// [`ModelError::NotFound`], [`ModelError::Read`] or [`ModelError::Card`]; [`Rule::Empty`] for a file without bytes.
pub fn resolve(model: Option<&str>, dirs: &[PathBuf]) -> Result<Found, ModelError> {
    let name = model.filter(|name| !name.is_empty()).unwrap_or(embedded::DEFAULT);
    let is_path = name.to_ascii_lowercase().ends_with(".onnx")
        || name.contains('/')
        || name.contains(std::path::MAIN_SEPARATOR);
    if is_path { by_path(Path::new(name)) } else { by_name(name, dirs) }
}

fn by_path(path: &Path) -> Result<Found, ModelError> {
    let source = read(path, path.display().to_string())?;
    Ok(Found { source, card: Card::sidecar(path)?, warnings: Vec::new() })
}

fn by_name(name: &str, dirs: &[PathBuf]) -> Result<Found, ModelError> {
    let (cards, mut warnings) = cards(dirs);
    if let Some(card) = cards.get(name) {
        return from_card(card, dirs, warnings);
    }
    if let Some(found) = embedded::embedded(name) {
        let (source, card) = found?;
        return Ok(Found { source, card: Some(card), warnings });
    }
    let known = cards.keys().map(String::as_str).chain(embedded::names().map(|name| name as &str));
    let near = near(name, known);
    let mut cause = format!("no card of this name in {}", listed(dirs));
    for warning in warnings.drain(..) {
        cause = format!("{cause}; {warning}");
    }
    let remedy = match near.as_slice() {
        [] => "Give a card's name or the path of an .onnx file".into(),
        near => format!("Did you mean {}?", near.join(", ")),
    };
    Err(ModelError::NotFound { name: name.into(), cause, remedy })
}

fn from_card(
    card: &Card,
    dirs: &[PathBuf],
    mut warnings: Vec<String>,
) -> Result<Found, ModelError> {
    let beside = card.path.parent().map(Path::to_path_buf);
    let path = beside.iter().chain(dirs).map(|dir| dir.join(&card.file)).find(|path| path.exists());
    let Some(path) = path else {
        // The card of an embedded model lies in a checkout or an installation as well; its weights need not.
        if let Some(found) = embedded::embedded(&card.name) {
            let (source, _) = found?;
            return Ok(Found { source, card: Some(card.clone()), warnings });
        }
        return Err(ModelError::NotFound {
            name: card.name.clone(),
            cause: format!("its weights, {}, are not installed in {}", card.file, listed(dirs)),
            remedy: "Run `cargo xtask models`, or set model-dir".into(),
        });
    };
    let source = read(&path, card.name.clone())?;
    if let Some(expected) = &card.sha256 {
        let sum: String =
            Sha256::digest(&source.bytes).iter().map(|b| format!("{b:02x}")).collect();
        if !sum.eq_ignore_ascii_case(expected) {
            warnings.push(format!("{}: sha256 {sum} is not the card's {expected}", path.display()));
        }
    }
    Ok(Found { source, card: Some(card.clone()), warnings })
}

/// All cards in `dirs` by name, the first of each name, and what went wrong with others. `Cargo.toml` and the like, which
/// may lie there too, are passed over: a card's file bears its name.
fn cards(dirs: &[PathBuf]) -> (BTreeMap<String, Card>, Vec<String>) {
    let (mut cards, mut warnings) = (BTreeMap::new(), Vec::new());
    for entry in dirs.iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten().flatten() {
        let path = entry.path();
        let is_card = path.extension().is_some_and(|e| e == "toml")
            && path.file_name().is_some_and(|name| name != "Cargo.toml");
        if !is_card {
            continue;
        }
        match Card::read(&path) {
            Ok(card) => _ = cards.entry(card.name.clone()).or_insert(card),
            Err(error) => warnings.push(error.to_string()),
        }
    }
    (cards, warnings)
}

/// Reads an ONNX file whole.
fn read(path: &Path, name: String) -> Result<ModelSource, ModelError> {
    let fault = |cause: String, remedy: &str| ModelError::Read {
        path: path.into(),
        cause,
        remedy: remedy.into(),
    };
    let io = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => ModelError::NotFound {
            name: path.display().to_string(),
            cause: "there is no such file".into(),
            remedy: "Check the path, or give a card's name".into(),
        },
        std::io::ErrorKind::PermissionDenied => {
            fault(error.to_string(), "Give this user the right to read it")
        }
        _ => fault(error.to_string(), "Check the file and its disk"),
    };
    // Asked before it is opened: opening a pipe would wait for a writer.
    let about = fs::metadata(path).map_err(io)?;
    if about.is_dir() {
        return Err(fault("it is a directory".into(), "Give the path of the .onnx file in it"));
    }
    if !about.is_file() {
        return Err(fault("it is not a regular file".into(), "Give the path of an .onnx file"));
    }
    if about.len() > MAX_MODEL_BYTES {
        let cause = format!("{} bytes, more than ONNX allows ({MAX_MODEL_BYTES})", about.len());
        return Err(fault(cause, "Save its weights as external data"));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(io)?;
    file.take(MAX_MODEL_BYTES).read_to_end(&mut bytes).map_err(io)?;
    if bytes.is_empty() {
        return Err(ModelError::refused(&name, Rule::Empty));
    }
    Ok(ModelSource { name, path: Some(path.into()), bytes: bytes.into() })
}

fn listed(dirs: &[PathBuf]) -> String {
    match dirs {
        [] => "any directory".into(),
        dirs => dirs.iter().map(|d| d.display().to_string()).collect::<Vec<_>>().join(", "),
    }
}

/// Names that `name` may have been meant to be, nearest first, at most four; all that share a part with it, or are a few
/// letters off.
fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut near: Vec<_> = known
        .map(|other| (distance(name, other), other))
        .filter(|&(d, other)| d <= name.len().max(other.len()) / 2 || other.contains(name))
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter().take(4).map(|(_, name)| name).collect()
}

/// Levenshtein's distance, by bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let cost = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = cost.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_specific_first() {
        let env = |name: &str| match name {
            "KIZUNA_MODEL_PATH" => std::env::join_paths(["/a", "/b"]).ok(),
            "HOME" => Some("/home/x".into()),
            "LOCALAPPDATA" => Some("/home/x/.local/share".into()),
            _ => None,
        };
        let places = Places {
            plugin_dir: Some(Path::new("/plugins")),
            model_dir: Some(Path::new("/first")),
            env: &env,
        };
        let dirs = places.all();
        assert_eq!(dirs[..3], ["/first", "/a", "/b"].map(PathBuf::from));
        assert!(dirs[3].starts_with("/home/x") && dirs[3].ends_with("kizuna"));
        assert_eq!(dirs.last(), Some(&PathBuf::from("/plugins")));
    }

    #[test]
    fn a_prefix_has_its_models_wherever_it_lies() {
        for plugins in ["lib/x86_64-linux-gnu/gstreamer-1.0", "lib64/gstreamer-1.0"] {
            let plugins = Path::new("/opt/kizuna").join(plugins);
            assert_eq!(prefix(&plugins), Some(Path::new("/opt/kizuna")));
        }
        for other in ["/opt/lib/plugins", "/opt/gstreamer-1.0", "/lib/a/b/gstreamer-1.0"] {
            assert_eq!(prefix(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_checkout_is_recognised_from_its_target() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        if root.join("models").is_dir() && root.join("target/debug").is_dir() {
            assert_eq!(checkout(&root.join("target/debug")), root.canonicalize().ok());
        }
        assert_eq!(checkout(Path::new("/")), None);
    }

    #[test]
    fn near_names() {
        let known = ["animevideov3-x2", "animevideov3-x4", "anime4k-vl", "upconv7"];
        assert_eq!(near("animevideov3-x3", known.into_iter())[..1], ["animevideov3-x2"]);
        assert_eq!(near("upconv", known.into_iter()), ["upconv7"]);
        assert!(near("zzzzzz", known.into_iter()).is_empty());
    }

    #[test]
    fn nothing_is_the_default() {
        let found = resolve(None, &[]).unwrap();
        assert_eq!(found.source.name, embedded::DEFAULT);
        let error = resolve(Some("anime4k-v"), &[]).unwrap_err().to_string();
        assert!(error.contains("Did you mean anime4k-"), "{error}");
    }
}
