//! Folders that a runtime fills with files of its own: compiled models.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{Cache, DRAFT, Key, draft_of, hex};

/// Checksums of a folder's other files, a line each.
const SUMS: &str = "sha256";

/// All folders together; the oldest go first.
const MAX_BYTES: u64 = 512 << 20;

/// An empty folder to be filled, and then kept or, when dropped, thrown away.
#[derive(Debug)]
struct Draft {
    dir: PathBuf,
    to: PathBuf,
}

impl Cache {
    /// The folder kept under `key`, if it is whole. A damaged one is removed.
    fn folder(&self, key: &Key) -> Option<PathBuf> {
        let dir = self.path(key, "d").filter(|dir| dir.is_dir())?;
        let is_whole = fs::read_to_string(dir.join(SUMS))
            .is_ok_and(|kept| sums(&dir).is_ok_and(|is| is == kept));
        if is_whole {
            return Some(dir);
        }
        log::debug!("{} is damaged and removed", dir.display());
        let _ = fs::remove_dir_all(&dir);
        None
    }

    /// What `compile` makes with the folder under `key`, in which a runtime finds what it compiled before or keeps what it compiles
    /// now; without a key, or a cache, with none.
    ///
    /// A runtime that refuses what it finds (of another version, say) compiles anew, once. `is_refusal` knows those errors from others
    /// (memory that ran out, a device that is busy), which are no reason to throw away what took minutes.
    ///
    /// # Errors
    /// What `compile` says.
    pub fn compiled<T, E: std::fmt::Display>(
        &self,
        key: Option<&Key>,
        is_refusal: impl Fn(&E) -> bool,
        mut compile: impl FnMut(Option<&Path>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Some(key) = key else { return compile(None) };
        if let Some(folder) = self.folder(key) {
            match compile(Some(&folder)) {
                Err(e) if is_refusal(&e) => {
                    log::debug!("{} is refused and removed: {e}", folder.display());
                    let _ = fs::remove_dir_all(&folder);
                }
                made => {
                    log::debug!("compiled before, in {}", folder.display());
                    return made;
                }
            }
        }
        let draft = self.draft(key);
        let made = compile(draft.as_ref().map(Draft::path))?;
        if let Some(draft) = draft {
            draft.keep();
        }
        Ok(made)
    }

    /// An empty folder that may become the one under `key`; `None` where there is no cache.
    fn draft(&self, key: &Key) -> Option<Draft> {
        let to = self.path(key, "d")?;
        let dir = draft_of(&to).ok()?;
        fs::create_dir(&dir).ok()?;
        Some(Draft { dir, to })
    }
}

impl Draft {
    /// Where to write.
    fn path(&self) -> &Path {
        &self.dir
    }

    /// Keeps what was written, if anything was; whoever was faster with the same stays.
    fn keep(self) {
        let kept = sums(&self.dir).and_then(|sums| {
            if sums.is_empty() {
                return Err(io::Error::other("nothing was written"));
            }
            fs::write(self.dir.join(SUMS), sums)?;
            fs::rename(&self.dir, &self.to)
        });
        match kept {
            Ok(()) => log::debug!("kept {}", self.to.display()),
            Err(e) => log::debug!("{} not kept: {e}", self.to.display()),
        }
        if let Some(parent) = self.to.parent() {
            prune(parent, MAX_BYTES);
        }
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone already where it was kept.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Name and checksum of each file in `dir`, sorted.
fn sums(dir: &Path) -> io::Result<String> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != SUMS {
            lines.push(format!("{} {}\n", hex(&fs::read(entry.path())?), name.display()));
        }
    }
    lines.sort();
    Ok(lines.concat())
}

/// Removes the oldest of our folders in `dir` until no more than `most` bytes are left. Drafts of a process that died are
/// old some day, too.
fn prune(dir: &Path, most: u64) {
    let mut folders: Vec<(SystemTime, u64, PathBuf)> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| is_ours(&entry.path()))
        .filter_map(|entry| {
            let written = entry.metadata().ok()?.modified().ok()?;
            let files = fs::read_dir(entry.path()).ok()?.flatten();
            let size = files.filter_map(|f| f.metadata().ok()).map(|m| m.len()).sum();
            Some((written, size, entry.path()))
        })
        .collect();
    folders.sort();
    let mut total: u64 = folders.iter().map(|(_, size, _)| size).sum();
    for (_, size, folder) in folders {
        if total <= most {
            return;
        }
        total -= size;
        let _ = fs::remove_dir_all(&folder);
    }
}

/// Whether it is a folder of ours, by its name: the directory may be one that other things lie in.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let sum = name.strip_suffix(".d").and_then(|name| name.rsplit_once('-')).map(|(_, sum)| sum);
    let is_kept = sum.is_some_and(|s| s.len() == 32 && s.bytes().all(|b| b.is_ascii_hexdigit()));
    (is_kept || name.starts_with(DRAFT)) && path.is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        Key::new("blobs").with("model", "0123")
    }

    fn fill(cache: &Cache, text: &str) {
        let draft = cache.draft(&key()).unwrap();
        fs::write(draft.path().join("a.blob"), text).unwrap();
        draft.keep();
    }

    #[test]
    fn a_folder_is_kept_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        assert_eq!(cache.folder(&key()), None);
        // Dropped, and empty: nothing is left of either.
        let dropped = cache.draft(&key()).unwrap();
        fs::write(dropped.path().join("a.blob"), "half").unwrap();
        drop(dropped);
        cache.draft(&key()).unwrap().keep();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);

        fill(&cache, "first");
        fill(&cache, "second");
        let kept = cache.folder(&key()).unwrap();
        assert_eq!(fs::read_to_string(kept.join("a.blob")).unwrap(), "first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_damaged_folder_is_removed_and_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        let damages: [fn(&Path); 4] = [
            |dir| fs::write(dir.join("a.blob"), "First").unwrap(),
            |dir| fs::remove_file(dir.join("a.blob")).unwrap(),
            |dir| fs::remove_file(dir.join(SUMS)).unwrap(),
            |dir| fs::write(dir.join("b.blob"), "foreign").unwrap(),
        ];
        for damage in damages {
            fill(&cache, "first");
            damage(&cache.folder(&key()).unwrap());
            assert_eq!(cache.folder(&key()), None);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn what_a_runtime_refuses_is_compiled_anew_once() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::at(dir.path());
        // A runtime of this version, which finds what it compiled, refuses another's, and compiles where there is nothing.
        let runtime = |version: &'static str| {
            move |folder: Option<&Path>| {
                let blob = folder.unwrap().join("a.blob");
                match fs::read_to_string(&blob) {
                    Ok(found) if found != version => Err(format!("{found} is not {version}")),
                    Ok(_) => Ok("found"),
                    Err(_) => fs::write(blob, version).map(|()| "made").map_err(|e| e.to_string()),
                }
            }
        };
        let run = |version| cache.compiled(Some(&key()), |_| true, runtime(version)).unwrap();
        assert_eq!([run("1"), run("1"), run("2"), run("2")], ["made", "found", "made", "found"]);
        // What it found is not to blame for every error.
        let refuses = |e: &&str| *e == "no";
        let fail = |error| {
            let mut asked = 0;
            let failed = cache.compiled(Some(&key()), refuses, |_| {
                asked += 1;
                Err::<(), _>(error)
            });
            assert_eq!(failed, Err(error));
            (asked, fs::read_dir(dir.path()).unwrap().count())
        };
        assert_eq!(fail("out of memory"), (1, 1));
        assert_eq!(run("2"), "found");
        // One that always refuses is asked twice, and leaves nothing.
        assert_eq!(fail("no"), (2, 0));
        let nowhere = cache.compiled(None, |_| true, |folder| Ok::<_, String>(folder.is_none()));
        assert!(nowhere.unwrap());
    }

    #[test]
    fn no_more_is_kept_than_may_be() {
        let dir = tempfile::tempdir().unwrap();
        let sum = "0".repeat(32);
        for name in [&format!("a-{sum}.d"), &format!("b-{sum}.d"), ".draft-1-2", "films"] {
            fs::create_dir(dir.path().join(name)).unwrap();
            fs::write(dir.path().join(name).join("x.blob"), [0; 10]).unwrap();
        }
        for (most, left) in [(30, 4), (25, 3), (0, 1)] {
            prune(dir.path(), most);
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), left);
        }
        assert!(dir.path().join("films").is_dir());
    }
}
