//! What was found out at an earlier start is the same at the next.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use gstkizuna::cache::Cache;
use gstkizuna::engine::{EngineOptions, Precision, Provider, native_reduced_precision};
use gstkizuna::session::{Config, Loaded};
use gstkizuna::upscale::Finish;
use gstkizuna::upscale::{PixelFormat, Size};

use crate::common::{config, drawn, load, models_dir, one_at_a_time, process, session, video};
use crate::precision::cancelling;
use crate::support::frame::Frame;
use crate::zoo;

/// Everything that a start decides, and a frame.
#[derive(Debug, PartialEq)]
struct Start {
    contract: String,
    precision: Precision,
    said: Vec<String>,
    codes: Vec<i32>,
    /// Entries that are to be kept: one for what runs have shown, one for a reduced precision.
    entries: usize,
}

/// A start with what is remembered in `cache`; `None` where the runtime is not here.
fn start(provider: Provider, model: &Path, cache: &Path) -> Option<Start> {
    let engine = EngineOptions { cache: Cache::at(cache), ..EngineOptions::default() };
    let named = config(provider, model.to_str().unwrap());
    let config = Config { engine, precision: Precision::Auto, ..named };
    let (loaded, notices) = load(&config)?;
    let options = EngineOptions { search: vec![models_dir()], ..EngineOptions::default() };
    let reduced = native_reduced_precision(provider, &loaded.source, &options);
    let entries = 1 + usize::from(reduced.is_some());
    let mut said: Vec<_> = notices.into_iter().map(|n| n.0).collect();
    let (from, to) = sizes(&loaded);
    let (from, to) = (video(PixelFormat::Rgb, from), video(PixelFormat::Rgb, to));
    let (mut session, more) = session(&loaded, config, (from, to), Finish::default());
    said.extend(more);
    let src: Frame = drawn(from.format, from.size, 3);
    let codes = process(&mut session, &src, to).codes().to_vec();
    let contract = format!("{:?}", loaded.contract);
    Some(Start {
        contract,
        precision: session.setup().info.as_ref().unwrap().precision,
        said,
        codes,
        entries,
    })
}

fn sizes(loaded: &Arc<Loaded>) -> (Size, Size) {
    let size = Size::new(48, 36);
    (size, size.scaled(loaded.contract.scale))
}

fn entries(cache: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut all: Vec<_> = fs::read_dir(cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect();
    all.sort();
    all
}

/// Starts anew, from memory, and with a damaged memory, all alike.
fn is_remembered(provider: Provider, model: &Path) -> Option<Start> {
    let dir = tempfile::tempdir().unwrap();
    let cache = dir.path().join("cache");
    let first = start(provider, model, &cache)?;
    let kept = entries(&cache);
    assert_eq!(kept.len(), first.entries, "{provider} {}", model.display());
    assert_eq!(start(provider, model, &cache).as_ref(), Some(&first));
    for (path, bytes) in &kept {
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    }
    assert_eq!(start(provider, model, &cache).as_ref(), Some(&first));
    assert_eq!(entries(&cache), kept, "damaged entries are written again");
    Some(first)
}

#[test]
fn what_runs_have_shown_of_a_model() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    for case in zoo::all() {
        let path = zoo::write(&case, dir.path());
        is_remembered(Provider::Embedded, &path);
    }
}

#[test]
fn what_became_of_a_precision() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cancelling.onnx");
    fs::write(&path, cancelling()).unwrap();
    let asked = crate::precision::has_bf16();
    let Some(start) = is_remembered(Provider::OpenVino, &path) else {
        return;
    };
    assert_eq!(start.precision, Precision::Fp32);
    assert_eq!(
        start.said.iter().filter(|s| s.contains("bf16 is not used")).count(),
        usize::from(asked)
    );
}
