//! What was found out once, kept on disk so that the next start need not find it out again. Pure.
//!
//! An entry belongs to a [`Key`], which names everything that it depends on; whatever is not exactly that is found out anew.
//! Entries appear whole or not at all (a temporary name, then a rename), so that processes may share the directory, and
//! carry checksums, so that a damaged one counts as none. Nothing here is ever an error: without a cache, a start only takes
//! longer.

mod folder;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// Raised when what is kept, or what it means, changes within one version of this crate.
const FORMAT: u32 = 2;

/// How names begin that are not final.
const DRAFT: &str = ".draft-";

/// The largest entries are compiled programs; what is longer is none of ours.
const MAX_BYTES: u64 = 16 << 20;

/// A directory of entries; [`Cache::default`] keeps nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cache {
    dir: Option<PathBuf>,
}

impl Cache {
    /// The user's: `$KIZUNA_CACHE`, where an empty value turns it off, else `kizuna` in the system's directory for caches.
    pub fn of_user() -> Self {
        Self { dir: place(|name| env::var_os(name).map(PathBuf::from)) }
    }

    /// One in `dir`, which need not exist.
    pub fn at(dir: impl Into<PathBuf>) -> Self {
        Self { dir: Some(dir.into()) }
    }

    /// Whether it keeps nothing.
    pub fn is_off(&self) -> bool {
        self.dir.is_none()
    }

    /// What was kept under `key`; `None` where there is nothing, or it is damaged or of another kind.
    pub fn get<T: DeserializeOwned>(&self, key: &Key) -> Option<T> {
        let path = self.path(key, "toml")?;
        let size = fs::metadata(&path).ok()?.len();
        let found = (size <= MAX_BYTES)
            .then(|| fs::read_to_string(&path).ok())
            .flatten()
            .and_then(|text| unseal(&text, key));
        match found {
            Some(_) => log::debug!("{} known from {}", key.what, path.display()),
            None => log::debug!("{} is damaged and passed over", path.display()),
        }
        found
    }

    /// Keeps `value` under `key`, in place of what was there.
    pub fn put<T: Serialize>(&self, key: &Key, value: &T) {
        let Some(path) = self.path(key, "toml") else { return };
        let written = match seal(value, key) {
            Ok(text) => write_whole(&path, text.as_bytes()).map_err(|e| e.to_string()),
            Err(e) => Err(e.to_string()),
        };
        match written {
            Ok(()) => log::debug!("{} kept in {}", key.what, path.display()),
            Err(e) => log::debug!("{} not kept in {}: {e}", key.what, path.display()),
        }
    }

    fn path(&self, key: &Key, extension: &str) -> Option<PathBuf> {
        let name = format!("{}-{}.{extension}", key.what, &hex(key.text.as_bytes())[..32]);
        self.dir.as_ref().map(|dir| dir.join(name))
    }
}

/// What an entry is and everything that it depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    what: &'static str,
    text: String,
}

impl Key {
    /// The key of a `what`, a word that may be part of a file's name. Our own version is part of every key.
    pub fn new(what: &'static str) -> Self {
        let text = format!("kizuna = {:?}\nformat = {FORMAT}\n", env!("CARGO_PKG_VERSION"));
        Self { what, text }
    }

    /// The same, depending on `name`, which is `value`, too.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl std::fmt::Debug) -> Self {
        // Writing to a string cannot fail.
        let _ = writeln!(self.text, "{name} = {value:?}");
        self
    }
}

/// The processor, as far as its kind decides what kernels do: architecture and extensions.
pub fn processor() -> String {
    #[cfg(not(target_arch = "x86_64"))]
    let extensions: [(&str, bool); 0] = [];
    #[cfg(target_arch = "x86_64")]
    let extensions = [
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("f16c", is_x86_feature_detected!("f16c")),
        ("avxvnni", is_x86_feature_detected!("avxvnni")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
        ("avx512vnni", is_x86_feature_detected!("avx512vnni")),
        ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ("avx512fp16", is_x86_feature_detected!("avx512fp16")),
    ];
    let present = extensions.iter().filter(|(_, has)| *has).map(|(name, _)| *name);
    std::iter::once(env::consts::ARCH).chain(present).collect::<Vec<_>>().join(" ")
}

/// SHA-256 of `bytes` in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// An entry's text: the checksum of what follows, the key as comments, the value.
fn seal<T: Serialize>(value: &T, key: &Key) -> Result<String, toml::ser::Error> {
    let body = format!("{}{}", comments(key), toml::to_string(value)?);
    Ok(format!("# {}\n{body}", hex(body.as_bytes())))
}

fn unseal<T: DeserializeOwned>(text: &str, key: &Key) -> Option<T> {
    let (sum, body) = text.strip_prefix("# ")?.split_once('\n')?;
    let value = body.strip_prefix(&comments(key))?;
    if hex(body.as_bytes()) != sum {
        return None;
    }
    toml::from_str(value).ok()
}

fn comments(key: &Key) -> String {
    key.text.lines().map(|line| format!("# {line}\n")).collect()
}

/// Writes a file that appears under its name only when it is whole.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = draft_of(path)?;
    fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path)).inspect_err(|_| {
        let _ = fs::remove_file(&draft);
    })
}

/// A name beside `path` that nobody else uses; makes the directory.
fn draft_of(path: &Path) -> io::Result<PathBuf> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let dir = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(dir)?;
    let n = COUNT.fetch_add(1, Ordering::Relaxed);
    Ok(dir.join(format!("{DRAFT}{}-{n}", std::process::id())))
}

/// Where the user's cache is, by the variables that `var` reads.
fn place(var: impl Fn(&str) -> Option<PathBuf>) -> Option<PathBuf> {
    if let Some(dir) = var("KIZUNA_CACHE") {
        return Some(dir).filter(|dir| !dir.as_os_str().is_empty());
    }
    // A relative path would depend on where the program was started.
    let home = |name| var(name).filter(|dir| dir.is_absolute());
    let base = if cfg!(windows) {
        home("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        home("HOME").map(|dir| dir.join("Library/Caches"))
    } else {
        home("XDG_CACHE_HOME").or_else(|| home("HOME").map(|dir| dir.join(".cache")))
    };
    base.map(|dir| dir.join("kizuna"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    type Value = BTreeMap<String, u32>;

    fn value(n: u32) -> Value {
        [("halo".to_owned(), n)].into()
    }

    fn key() -> Key {
        Key::new("test").with("model", "0123").with("device", "CPU \"one\"\nor two")
    }

    #[test]
    fn what_was_kept_is_found_under_its_key_alone() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path().join("new"));
        assert_eq!(cache.get::<Value>(&key()), None);
        cache.put(&key(), &value(8));
        assert_eq!(cache.get(&key()), Some(value(8)));
        assert_eq!(cache.get::<Value>(&key().with("precision", "bf16")), None);
        cache.put(&key(), &value(9));
        assert_eq!(cache.get(&key()), Some(value(9)));
    }

    #[test]
    fn no_damaged_byte_is_believed_and_the_next_one_is_written_over_it() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        cache.put(&key(), &value(8));
        let path = cache.path(&key(), "toml").unwrap();
        let whole = fs::read(&path).unwrap();
        for i in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[i] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert_eq!(cache.get::<Value>(&key()), None, "byte {i}");
            fs::write(&path, &whole[..i]).unwrap();
            assert_eq!(cache.get::<Value>(&key()), None, "cut at {i}");
        }
        // Of another kind, but whole.
        cache.put(&key(), &BTreeMap::from([("halo", "eight")]));
        assert_eq!(cache.get::<Value>(&key()), None);
        cache.put(&key(), &value(8));
        assert_eq!(cache.get(&key()), Some(value(8)));
    }

    #[test]
    fn writers_at_the_same_time_leave_one_whole_entry_and_no_drafts() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        std::thread::scope(|scope| {
            for n in 0..4 {
                let cache = &cache;
                scope.spawn(move || {
                    for _ in 0..50 {
                        cache.put(&key(), &value(n));
                        assert!(cache.get::<Value>(&key()).is_some_and(|v| v["halo"] < 4));
                    }
                });
            }
        });
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_cache_that_is_off_or_cannot_be_written_keeps_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        for cache in [Cache::default(), Cache::at(file)] {
            cache.put(&key(), &value(8));
            assert_eq!(cache.get::<Value>(&key()), None);
        }
    }

    #[test]
    fn the_variable_goes_first_and_an_empty_one_turns_it_off() {
        let with = |vars: &[(&str, &str)]| {
            place(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| PathBuf::from(v)))
        };
        let own = ("KIZUNA_CACHE", "/own");
        let homes = [("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/a"), ("LOCALAPPDATA", "C:\\a")];
        assert_eq!(with(&[own, homes[0]]), Some("/own".into()));
        assert_eq!(with(&[("KIZUNA_CACHE", ""), homes[0], homes[1], homes[2]]), None);
        assert_eq!(with(&[]), None);
        assert!(with(&homes).is_some_and(|dir| dir.ends_with("kizuna")));
        if cfg!(target_os = "linux") {
            assert_eq!(with(&homes), Some("/xdg/kizuna".into()));
            assert_eq!(with(&homes[1..]), Some("/home/a/.cache/kizuna".into()));
            assert_eq!(
                with(&[("XDG_CACHE_HOME", "here"), homes[1]]),
                Some("/home/a/.cache/kizuna".into())
            );
        }
    }
}
