//! The archive: the same bytes for the same files. gzip, because every system unpacks it, busybox too.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flate2::Compression;
use flate2::write::GzEncoder;

/// Packs `folder` under its own name into `archive`.
///
/// # Errors
/// If a file cannot be read or written.
pub fn write(folder: &Path, archive: &Path) -> Result<()> {
    let name = Path::new(folder.file_name().unwrap_or_default());
    let file =
        File::create(archive).with_context(|| format!("cannot create {}", archive.display()))?;
    let mut tar = tar::Builder::new(GzEncoder::new(BufWriter::new(file), Compression::default()));
    // No owners and times, and no holes, which depend on the file system.
    tar.mode(tar::HeaderMode::Deterministic);
    tar.sparse(false);
    tar.follow_symlinks(false);
    for path in files(folder)? {
        let inside = path.strip_prefix(folder).unwrap_or(&path);
        tar.append_path_with_name(&path, name.join(inside))
            .with_context(|| format!("cannot pack {}", path.display()))?;
    }
    let end = || -> std::io::Result<()> { tar.into_inner()?.finish()?.flush() };
    end().with_context(|| format!("cannot write {}", archive.display()))
}

/// Everything below `folder`, sorted; a folder comes before what is in it.
///
/// # Errors
/// If a folder cannot be read.
pub fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let entries = fs::read_dir(&folder)
            .with_context(|| format!("cannot read the folder {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                waiting.push(entry.path());
            }
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
