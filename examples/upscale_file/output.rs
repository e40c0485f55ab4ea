//! The name to write to: whether it can be written at all, and what kind of file it says.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, bail, ensure};

use crate::options::Options;
use crate::pipeline::text;

/// The file that the user asked for.
#[derive(Debug)]
pub struct Output {
    /// Its name.
    pub file: PathBuf,
    /// GStreamer's element for this kind of file.
    pub muxer: &'static str,
}

impl Output {
    /// Looks whether the work can be done at all.
    ///
    /// # Errors
    /// No file to read; a name that cannot or must not be written.
    pub fn new(options: &Options) -> Result<Self> {
        let Options { input, output, .. } = options;
        let shown = output.display();
        File::open(input).with_context(|| format!("cannot read {}", input.display()))?;
        ensure!(input.is_file(), "{} is no file; a video file is needed", input.display());
        let muxer = muxer(output)?;
        let file = absolute(output)?;
        text(&file)?;
        ensure!(
            !is_same(input, &file),
            "{shown} is the file to read; choose another name to write to"
        );
        ensure!(!file.is_dir(), "{shown} is a folder; name a file in it");
        let folder = file.parent().unwrap_or(Path::new("/"));
        ensure!(
            folder.is_dir(),
            "cannot write {shown}: there is no folder {}; choose one that exists and is yours",
            folder.display()
        );
        Ok(Self { file, muxer })
    }

    /// Says no where the file is there and the user did not ask for another one.
    ///
    /// # Errors
    /// If so.
    pub fn check_is_free(&self, options: &Options) -> Result<()> {
        ensure!(
            options.force || !self.file.exists(),
            "{} exists; choose another name, or overwrite it with --force",
            options.output.display()
        );
        Ok(())
    }

    /// The folder of work that is not complete.
    pub fn work(&self) -> PathBuf {
        let mut name = self.file.as_os_str().to_owned();
        name.push(".part");
        name.into()
    }

    /// Whether the file is Matroska.
    pub fn is_matroska(&self) -> bool {
        self.muxer == "matroskamux"
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
