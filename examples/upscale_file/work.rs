//! The work folder `OUT.part`: what is done of a film, safe from whatever ends the program.
//!
//! ```text
//! lock           held by the run that is at work here
//! manifest.toml  what the segments depend on
//! pinned.toml    what the first segment found out, and all others must do alike
//! 00000.segment  finished segments; what is being written is called .draft
//! joined         the film while it is being put together, with .frames beside it for MP4
//! complete       the manifest once more: from here on only the name is missing, where joined is there
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
use crate::options::Options;
use crate::output::Output;
use crate::packets;

const MANIFEST: &str = "manifest.toml";
const PINNED: &str = "pinned.toml";
const COMPLETE: &str = "complete";
const LOCK: &str = "lock";
/// What to do with work that this run cannot use.
pub const REMEDY: &str = "--fresh throws that work away, another OUT leaves it there";

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
                is_empty || [LOCK, COMPLETE].iter().any(|name| folder.join(name).exists()),
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

    /// Whether `folder` may be that of a film that has its name already.
    pub fn may_be_complete(folder: &Path) -> bool {
        folder.join(COMPLETE).exists()
    }

    /// Gives the film its name where an earlier run of the same manifest was killed when nothing else was missing; whether it
    /// has it now.
    ///
    /// # Errors
    /// If the name is taken, or the system refuses.
    pub fn finish(&self, manifest: &Manifest, output: &Output, options: &Options) -> Result<bool> {
        let complete: Option<Manifest> = self.read(COMPLETE)?;
        if complete.is_none_or(|complete| complete.difference(manifest).is_some()) {
            return Ok(false);
        }
        if !self.joined().exists() {
            return Ok(output.file.exists());
        }
        self.name(output, options)?;
        Ok(true)
    }

    /// Keeps what an earlier run did for the same manifest, and removes everything else.
    ///
    /// # Errors
    /// If finished segments would be lost and `fresh` does not say so.
    pub fn resume(&self, manifest: &Manifest, fresh: bool) -> Result<()> {
        // Before the film that it speaks of.
        remove(&self.folder.join(COMPLETE))?;
        let found = if self.is_begun() && !fresh { self.read(MANIFEST)? } else { None };
        let Some(found): Option<Manifest> = found else {
            self.clear()?;
            return self.write(MANIFEST, manifest);
        };
        if let Some(difference) = found.difference(manifest) {
            bail!(
                "the finished segments in {} are of other work: {difference}; {REMEDY}",
                self.folder.display()
            );
        }
        self.files()?.iter().filter(|file| is_unfinished(file)).try_for_each(|file| remove(file))
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
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn pinned<T: DeserializeOwned>(&self) -> Result<Option<T>> {
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

    /// Gives the film, which is put together, its name.
    ///
    /// # Errors
    /// If the name is taken, or the system refuses.
    pub fn complete(&self, manifest: &Manifest, output: &Output, options: &Options) -> Result<()> {
        File::options().write(true).open(self.joined())?.sync_all()?;
        self.write(COMPLETE, manifest)?;
        self.name(output, options)
    }

    fn name(&self, output: &Output, options: &Options) -> Result<()> {
        // It was free when the work began, hours ago.
        output.check_is_free(options)?;
        let (joined, file) = (self.joined(), &output.file);
        fs::rename(&joined, file)
            .with_context(|| format!("cannot rename {} to {}", joined.display(), file.display()))?;
        sync_folder(file.parent().unwrap_or(Path::new(".")))
    }

    /// Removes the folder and what is ours in it.
    pub fn remove(self) {
        // There is nobody left to hear of a failure.
        let _ = self.clear();
        let _ = fs::remove_file(self.folder.join(LOCK));
        // Last: until then the next run knows that nothing else is left to do.
        let _ = fs::remove_file(self.folder.join(COMPLETE));
        let _ = fs::remove_dir(&self.folder);
    }

    fn clear(&self) -> Result<()> {
        // First: without it the rest means nothing, should this be interrupted.
        remove(&self.folder.join(MANIFEST))?;
        for file in self.files()? {
            if is_segment(&file) || is_unfinished(&file) || file.ends_with(PINNED) {
                remove(&file)?;
            }
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.folder)
            .with_context(|| format!("cannot read {}", self.folder.display()))?;
        Ok(entries.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?)
    }

    /// What a file of ours says; none where it is not there.
    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let file = self.folder.join(name);
        let text = match fs::read_to_string(&file) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(anyhow::Error::from),
        };
        let value = text.and_then(|text| Ok(toml::from_str(&text)?));
        value.map(Some).with_context(|| format!("cannot read {}; {REMEDY}", file.display()))
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

/// Removes a file that need not be there.
fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => {
            Err(e).with_context(|| format!("cannot remove {}", file.display()))
        }
        _ => Ok(()),
    }
}

/// A new name is on the disk when its folder is.
fn sync_folder(folder: &Path) -> Result<()> {
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}
