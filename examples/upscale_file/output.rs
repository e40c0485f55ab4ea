//! `OUT.part`, which becomes `OUT` when it is complete: no half film ever bears the name that was asked for.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, bail, ensure};

use crate::options::Options;

/// The file that is being written. Dropped before it is complete, it is removed.
#[derive(Debug)]
pub struct Output {
    wanted: PathBuf,
    part: PathBuf,
    muxer: &'static str,
}

impl Output {
    /// Looks whether the work can be done at all, and makes the empty file.
    ///
    /// # Errors
    /// No file to read; a name that cannot or must not be written.
    pub fn create(options: &Options) -> Result<Self> {
        let Options { input, output, force, .. } = options;
        let shown = output.display();
        File::open(input).with_context(|| format!("cannot read {}", input.display()))?;
        ensure!(input.is_file(), "{} is no file; a video file is needed", input.display());
        let muxer = muxer(output)?;
        let wanted = absolute(output)?;
        ensure!(
            !is_same(input, &wanted),
            "{shown} is the file to read; choose another name to write to"
        );
        ensure!(!wanted.is_dir(), "{shown} is a folder; name a file in it");
        ensure!(
            *force || !wanted.exists(),
            "{shown} exists; choose another name, or overwrite it with --force"
        );
        let part = with_suffix(&wanted, ".part");
        ensure!(
            !is_same(input, &part),
            "{} would be overwritten while it is read; choose another name to write to",
            input.display()
        );
        File::create(&part).with_context(|| {
            format!("cannot write {}; choose a folder that exists and is yours", part.display())
        })?;
        Ok(Self { wanted, part, muxer })
    }

    /// GStreamer's element for this kind of file.
    pub fn muxer(&self) -> &'static str {
        self.muxer
    }

    /// The file to write to.
    pub fn part(&self) -> &Path {
        &self.part
    }

    /// Where an MP4 muxer keeps the frames until it knows the index that goes before them; beside the film, because
    /// temporary folders are often too small.
    pub fn frames(&self) -> PathBuf {
        with_suffix(&self.wanted, ".part.frames")
    }

    /// Gives the complete file its name.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn complete(&self) -> Result<()> {
        fs::rename(&self.part, &self.wanted).with_context(|| {
            format!("cannot rename {} to {}", self.part.display(), self.wanted.display())
        })
    }

    /// Removes what is not complete.
    pub fn remove(&self) {
        // What is not there needs no removal, and there is nobody left to hear of another failure.
        let _ = fs::remove_file(&self.part);
        let _ = fs::remove_file(self.frames());
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.remove();
    }
}

fn muxer(file: &Path) -> Result<&'static str> {
    let extension = file.extension().and_then(OsStr::to_str).unwrap_or_default();
    Ok(match extension.to_ascii_lowercase().as_str() {
        "mp4" | "m4v" => "mp4mux",
        "mov" => "qtmux",
        "mkv" => "matroskamux",
        _ => bail!(
            "'{}' does not end in .mp4, .m4v, .mov or .mkv; name the file to write so",
            file.display()
        ),
    })
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((fs::canonicalize(a), fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
