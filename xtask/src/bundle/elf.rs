//! Which shared libraries programs and libraries need. The system's own loader is asked, by `ldd`: it alone knows where it looks.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

/// What files need, all the way down.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Where each library is, by the name that it is asked for.
    pub found: BTreeMap<String, PathBuf>,
    /// The loader's own path, as it is written in programs.
    pub interpreter: Option<PathBuf>,
    /// Libraries that are nowhere, and a file that wants them.
    pub missing: BTreeMap<String, PathBuf>,
}

/// What `files` need; libraries in `first` go before the system's.
///
/// # Errors
/// If there is no `ldd`.
pub fn needs(files: &[PathBuf], first: &Path) -> Result<Needs> {
    // It does not end well where a single file is linked to nothing, so what it prints counts.
    let said = Command::new("ldd")
        .args(files)
        .env("LC_ALL", "C")
        .env("LD_LIBRARY_PATH", first)
        .env_remove("LD_PRELOAD")
        .output()
        .context("cannot start ldd, which is glibc's")?;
    let mut needs = Needs::default();
    let mut file = files.first().cloned().unwrap_or_default();
    for line in String::from_utf8_lossy(&said.stdout).lines() {
        match line.strip_prefix('\t') {
            Some(line) => needs.take(line, &file),
            None => file = line.trim_end_matches(':').into(),
        }
    }
    Ok(needs)
}

impl Needs {
    fn take(&mut self, line: &str, file: &Path) {
        match line.split_once(" => ") {
            Some((name, "not found")) => {
                self.missing.entry(name.into()).or_insert_with(|| file.into());
            }
            Some((name, place)) => {
                let path = place.rsplit_once(" (").map_or(place, |(path, _)| path);
                self.found.entry(name.into()).or_insert_with(|| path.into());
            }
            None => {
                // The loader, or what the kernel gives, which is no file.
                let path = line.rsplit_once(" (").map_or(line, |(path, _)| path);
                if path.starts_with('/') {
                    self.interpreter = Some(path.into());
                }
            }
        }
    }
}

/// Those of `files` that are programs or libraries.
pub fn only(files: Vec<PathBuf>) -> Vec<PathBuf> {
    let is_elf = |path: &PathBuf| {
        let mut magic = [0; 4];
        path.is_file()
            && !path.is_symlink()
            && File::open(path).and_then(|mut f| f.read_exact(&mut magic)).is_ok()
            && magic == *b"\x7fELF"
    };
    files.into_iter().filter(is_elf).collect()
}

/// Names of glibc's own libraries, which are of one version with the loader, and lie apart in a bundle.
pub fn is_glibc(name: &str) -> bool {
    let stem = name.split(".so").next().unwrap_or(name);
    let names: BTreeSet<_> = [
        "libBrokenLocale",
        "libanl",
        "libc",
        "libdl",
        "libm",
        "libmvec",
        "libnsl",
        "libpthread",
        "libresolv",
        "librt",
        "libthread_db",
        "libutil",
    ]
    .into();
    stem.starts_with("ld-linux") || stem.starts_with("libnss_") || names.contains(stem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_ldd_are_read() {
        let mut needs = Needs::default();
        for line in [
            "linux-vdso.so.1 (0x00007ffd)",
            "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f)",
            "libcuda.so.1 => not found",
            "/lib64/ld-linux-x86-64.so.2 (0x00007f)",
            "statically linked",
        ] {
            needs.take(line, Path::new("/a"));
        }
        let found = [("libm.so.6".to_owned(), "/lib/x86_64-linux-gnu/libm.so.6".into())];
        assert_eq!(needs.found, found.into());
        assert_eq!(needs.missing, [("libcuda.so.1".to_owned(), "/a".into())].into());
        assert_eq!(needs.interpreter.as_deref(), Some(Path::new("/lib64/ld-linux-x86-64.so.2")));
    }

    #[test]
    fn glibc_is_told_from_others() {
        assert!(is_glibc("libc.so.6") && is_glibc("ld-linux-x86-64.so.2") && is_glibc("libm.so.6"));
        assert!(!is_glibc("libcairo.so.2") && !is_glibc("libmp3lame.so.0"));
    }
}
