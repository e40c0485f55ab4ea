//! The peers: a Python environment of their own, with pinned packages, under `target/bench/peers`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::progress;

/// Pinned by version and checksum.
const REQUIREMENTS: &str = include_str!("../../../benches/peers/requirements.txt");
/// What the packages exist for.
const VERSIONS: [&str; 2] = ["3.13", "3.12"];

/// An environment with all peers in it.
#[derive(Debug)]
pub struct Peers {
    folder: PathBuf,
}

impl Peers {
    /// Makes the environment, unless it is there already.
    ///
    /// # Errors
    /// If there is no Python new enough, or pip fails: the peers are skipped then.
    pub fn prepare(folder: &Path) -> Result<Self> {
        let peers = Self { folder: folder.to_owned() };
        // An environment's programs know where it was made: it cannot be moved.
        let made = format!("# made in {}\n{REQUIREMENTS}", folder.display());
        let marker = folder.join("requirements.txt");
        if fs::read_to_string(&marker).is_ok_and(|text| text == made) {
            eprintln!("  peers: are here");
            return Ok(peers);
        }
        let python = find_python()?;
        let _ = fs::remove_dir_all(folder);
        let mut venv = Command::new(python);
        venv.args(["-m", "venv"]).arg(folder);
        progress::run(venv, "a Python environment for the peers")?;

        let wanted = folder.join("wanted.txt");
        fs::write(&wanted, made)?;
        let mut pip = peers.python();
        pip.args(["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--require-hashes", "--requirement"]).arg(&wanted);
        progress::run(pip, "bringing the peers (Python wheels)")?;
        // Says where its Python is in a file; without it vspipe does not start.
        let mut config = peers.program("vapoursynth");
        config.arg("config");
        progress::run(config, "configuring VapourSynth")?;
        fs::rename(wanted, marker).context("cannot mark the peers as complete")?;
        Ok(peers)
    }

    /// The environment's Python.
    pub fn python(&self) -> Command {
        self.program("python")
    }

    /// A program of the environment, which leaves the user's own configuration alone.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.folder.join("bin").join(name));
        command.env("XDG_CONFIG_HOME", self.folder.join("config"));
        command
    }
}

/// Names and versions of the peers, one phrase.
pub fn versions() -> String {
    let pins = REQUIREMENTS.lines().filter_map(|line| line.split_once(" \\")?.0.split_once("=="));
    pins.map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}

fn find_python() -> Result<PathBuf> {
    if let Some(path) = env::var_os("KIZUNA_BENCH_PYTHON") {
        let path = PathBuf::from(path);
        ensure!(is_wanted(&path), "KIZUNA_BENCH_PYTHON is no Python 3.12 or 3.13 with venv");
        return Ok(path);
    }
    let mut candidates: Vec<PathBuf> =
        VERSIONS.iter().map(|version| format!("python{version}").into()).collect();
    candidates.push("python3".into());
    let pyenv = env::home_dir().map(|home| home.join(".pyenv/versions"));
    for entry in pyenv.and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten()
    {
        candidates.push(entry.path().join("bin/python3"));
    }
    match candidates.into_iter().find(|python| is_wanted(python)) {
        Some(python) => Ok(python),
        None => {
            bail!("no Python {} was found; KIZUNA_BENCH_PYTHON can name one", VERSIONS.join(" or "))
        }
    }
}

fn is_wanted(python: &Path) -> bool {
    const VERSION: &str = "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])";
    let output = Command::new(python).args(["-c", VERSION]).output();
    output.is_ok_and(|output| {
        output.status.success()
            && VERSIONS.iter().any(|version| output.stdout.trim_ascii() == version.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_read_from_the_pins() {
        let versions = super::versions();
        assert!(versions.contains("openvino 20"), "{versions}");
        assert_eq!(versions.split(", ").count(), super::REQUIREMENTS.matches("==").count());
    }
}
