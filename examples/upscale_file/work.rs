//! The work folder `OUT.part`: what is done of a film, safe from whatever ends the program.
//!
//! ```text
//! lock           held by the run that is at work here
//! manifest.toml  what the segments depend on
//! pinned.toml    what the first segment found out, and all others must do alike
//! 00000.segment  finished segments; what is being written is called .draft
//! joined.mkv     the film while it is being put together, with .frames beside it for MP4
//! complete       from here on only the name is missing
//! ```
//!
//! Files are written under another name, brought to the disk, and renamed: what bears its name is complete.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::manifest::Manifest;
use crate::packets;

const MANIFEST: &str = "manifest.toml";
const PINNED: &str = "pinned.toml";
const COMPLETE: &str = "complete";
const LOCK: &str = "lock";

/// The folder, locked.
pub struct Work {
    folder: PathBuf,
    /// Unlocked by the system when the program ends, however it does.
    _lock: File,
}

impl Work {
    /// Makes the folder, or takes over that of an earlier run.
    ///
    /// # Errors
    /// If another run is at work here, or the folder is not ours.
    pub fn open(folder: PathBuf) -> Result<Self> {
        let shown = folder.display();
        if let Ok(entries) = fs::read_dir(&folder) {
            let is_empty = entries.count() == 0;
            ensure!(
                is_empty || folder.join(LOCK).exists(),
                "{shown} is a folder that another program made; choose another name to write to"
            );
        }
        match fs::create_dir(&folder) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(e).with_context(|| {
                    format!("cannot write {shown}; choose a folder that exists and is yours")
                });
            }
            _ => {}
        }
        ensure!(folder.is_dir(), "{shown} is in the way of the work folder; remove it");
        let lock =
            File::create(folder.join(LOCK)).with_context(|| format!("cannot write to {shown}"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder, _lock: lock }),
            Err(TryLockError::WouldBlock) => {
                bail!("another run is at work in {shown}; wait until it has ended, or stop it")
            }
            Err(TryLockError::Error(e)) => Err(e).with_context(|| format!("cannot lock {shown}")),
        }
    }

    /// Keeps what an earlier run did for the same manifest, and removes everything else. Says why it could not be kept.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn resume(&self, manifest: &Manifest, fresh: bool) -> Result<Option<&'static str>> {
        let found: Option<Manifest> = self.read(MANIFEST);
        let why = match &found {
            _ if fresh => Some("--fresh was asked for"),
            Some(found) => found.difference(manifest),
            None => None,
        };
        let was_begun = self.files()?.iter().any(|file| is_segment(file));
        if why.is_some() || found.is_none() {
            self.clear()?;
            self.write(MANIFEST, manifest)?;
        }
        for file in self.files()?.iter().filter(|file| is_unfinished(file)) {
            fs::remove_file(file)?;
        }
        Ok(why.filter(|_| was_begun))
    }

    /// How many frames a finished segment has; none where it is not finished.
    pub fn finished(&self, segment: usize) -> Option<u64> {
        packets::count(&self.segment(segment)).ok()
    }

    /// A finished segment's file.
    pub fn segment(&self, segment: usize) -> PathBuf {
        self.folder.join(format!("{segment:05}.segment"))
    }

    /// Where a segment is written.
    pub fn draft(&self, segment: usize) -> PathBuf {
        self.segment(segment).with_extension("draft")
    }

    /// Gives a segment, which is on the disk, its name.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn keep(&self, segment: usize) -> Result<()> {
        fs::rename(self.draft(segment), self.segment(segment))?;
        sync_folder(&self.folder)
    }

    /// Whether there is anything that a later run could use.
    pub fn is_begun(&self) -> bool {
        self.files().is_ok_and(|files| files.iter().any(|file| is_segment(file)))
    }

    /// What was found out before.
    pub fn pinned<T: DeserializeOwned>(&self) -> Option<T> {
        self.read(PINNED)
    }

    /// Keeps what was found out.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn pin(&self, value: &impl Serialize) -> Result<()> {
        self.write(PINNED, value)
    }

    /// Where the film is put together.
    pub fn joined(&self) -> PathBuf {
        self.folder.join("joined")
    }

    /// Where an MP4 muxer keeps the frames until it knows the index that goes before them; here, because temporary folders
    /// are often too small.
    pub fn frames(&self) -> PathBuf {
        self.folder.join("joined.frames")
    }

    /// Gives the film its name and removes the folder.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn complete(self, output: &Path) -> Result<()> {
        File::open(self.joined())?.sync_all()?;
        // Says to a run that is killed after the next line that nothing is left to do.
        self.write(COMPLETE, &std::collections::BTreeMap::<String, String>::new())?;
        fs::rename(self.joined(), output).with_context(|| {
            format!("cannot rename {} to {}", self.joined().display(), output.display())
        })?;
        sync_folder(output.parent().unwrap_or(Path::new(".")))?;
        self.remove();
        Ok(())
    }

    /// Whether the film had its name already when the last run was killed.
    pub fn is_complete(&self) -> bool {
        self.folder.join(COMPLETE).exists() && !self.joined().exists()
    }

    /// Removes the folder and what is ours in it.
    pub fn remove(self) {
        // There is nobody left to hear of a failure.
        let _ = self.clear();
        let _ = fs::remove_file(self.folder.join(LOCK));
        let _ = fs::remove_dir(&self.folder);
    }

    fn clear(&self) -> Result<()> {
        // First: without it the rest means nothing, should this be interrupted.
        let _ = fs::remove_file(self.folder.join(MANIFEST));
        for file in self.files()? {
            let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_ours = is_segment(&file) || is_unfinished(&file);
            if is_ours || [MANIFEST, PINNED, COMPLETE].contains(&name) {
                fs::remove_file(&file)
                    .with_context(|| format!("cannot remove {}", file.display()))?;
            }
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder)
            .with_context(|| format!("cannot read {}", self.folder.display()))?;
        Ok(entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        toml::from_str(&fs::read_to_string(self.folder.join(name)).ok()?).ok()
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<()> {
        let (file, draft) =
            (self.folder.join(name), self.folder.join(name).with_extension("draft"));
        let write = || -> Result<()> {
            let mut to = File::create(&draft)?;
            to.write_all(toml::to_string(value)?.as_bytes())?;
            to.sync_all()?;
            fs::rename(&draft, &file)?;
            sync_folder(&self.folder)
        };
        write().with_context(|| format!("cannot write {}", file.display()))
    }
}

fn is_segment(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "segment")
}

fn is_unfinished(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "draft" || extension == "frames")
        || file.file_name().is_some_and(|name| name == "joined")
}

/// A new name is on the disk when its folder is.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
