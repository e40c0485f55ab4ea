//! Compiled models that are kept on disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use gstkizuna::cache::Cache;
use gstkizuna::engine::{self, EngineError, EngineOptions, Provider};
use gstkizuna::upscale::{Layout, Samples};

use super::models::{Net, noise, same};
use super::{F32, one_at_a_time, options, picture, run};

/// Files in `cache`, with what is in them.
fn files(cache: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let folders = fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = folders
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_compiled_model_is_used_again_and_gives_the_same() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let options = EngineOptions { cache: Cache::at(dir.path()), ..options() };
    let [i, o] = same(F32, "3");
    let model = Net::default().conv(F32, "in", "out", [3, 3], &noise(81)).source(i, o);
    let input = picture([1, 3, 20, 16], Layout::Nchw);
    let output = || -> Result<Samples, EngineError> {
        let dims = Some(input.dims());
        let mut engine = engine::open(Provider::OpenVino, &model, dims, &options)?;
        Ok(run(&mut *engine, &input).samples)
    };
    let first = match output() {
        Err(e @ EngineError::Library { .. }) => {
            skip!("{e}");
            return;
        }
        first => first.unwrap(),
    };
    let kept = files(dir.path());
    assert_eq!(kept.len(), 2, "a blob and its checksum");
    assert_eq!(output().unwrap(), first);
    assert_eq!(files(dir.path()), kept);

    // Damaged, it is made again.
    let (blob, bytes) = kept.iter().find(|(path, _)| path.extension().is_some()).unwrap();
    fs::remove_file(blob).unwrap();
    fs::write(blob, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!(output().unwrap(), first);
    assert_eq!(files(dir.path()).len(), 2);
    assert_eq!(fs::read(blob).unwrap().len(), bytes.len());

    // Begun at the same time, all are right, and one is kept.
    fs::remove_dir_all(blob.parent().unwrap()).unwrap();
    thread::scope(|scope| {
        let all: Vec<_> = (0..3).map(|_| scope.spawn(|| output().unwrap())).collect();
        assert!(all.into_iter().all(|one| one.join().unwrap() == first));
    });
    assert_eq!(files(dir.path()).len(), 2);
}
