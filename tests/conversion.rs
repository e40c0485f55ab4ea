//! Every shipped model gives what the original network gives, to 1e-4.
//!
//! The originals' results are made by `tests/reference/reference.py` (ncnn itself; Anime4K's shader line by line), which
//! `cargo xtask test` runs. Where they are not there, the test says that it skips.

#[path = "support/shipped.rs"]
mod shipped;
#[path = "support/skip.rs"]
#[macro_use]
mod skip;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gstkizuna::engine::{self, Cancel, Engine, EngineOptions, ModelSource, Precision, Provider};
use gstkizuna::upscale::{Element, Layout, Samples, Shape, Tensor};
use shipped::MODELS;

/// Largest difference allowed, of white = 1.
const TOLERANCE: f32 = 1e-4;

#[test]
fn conversions_agree_with_the_originals() {
    let mut differ = Vec::new();
    for name in MODELS {
        let (model, folder) =
            (root().join(format!("models/{name}.onnx")), root().join("target/reference/pictures"));
        let (Ok(bytes), Some(input), Some(expected)) = (
            fs::read(&model),
            read(&folder.join(format!("{name}.in"))),
            read(&folder.join(format!("{name}.out"))),
        ) else {
            skip!("{name} or its reference picture is not here; `cargo xtask test` makes them");
            continue;
        };
        let source = ModelSource { name: name.into(), path: Some(model), bytes: bytes.into() };
        let (difference, runtime) = compare(&source, &input, &expected);
        say(&format!("{name}: largest difference {difference:.1e} ({runtime})"));
        if difference.is_nan() || difference > TOLERANCE {
            differ.push(name);
        }
    }
    assert!(differ.is_empty(), "{differ:?} differ from the originals by more than {TOLERANCE:e}");
}

/// Every card is checked above, and every name above has a card.
#[test]
fn no_card_is_forgotten() {
    let mut cards: Vec<_> = fs::read_dir(root().join("models"))
        .expect("models/ can be listed")
        .filter_map(|entry| {
            Some(entry.ok()?.file_name().to_str()?.strip_suffix(".toml")?.to_owned())
        })
        .collect();
    cards.sort();
    assert_eq!(cards, MODELS);
}

fn compare(model: &ModelSource, input: &Tensor, expected: &Tensor) -> (f32, String) {
    let mut engine = open(model, input.dims());
    let mut output = Tensor::zeros(expected.shape, Layout::Nchw, Element::F32);
    engine.run(input, &mut output, &Cancel::new()).expect("the network runs");
    assert_eq!(output.shape, expected.shape, "{}", model.name);
    let (Samples::F32(a), Samples::F32(b)) = (&output.samples, &expected.samples) else {
        panic!("{} does not give floats", model.name);
    };
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp);
    (worst.expect("the picture has pixels"), engine.info().runtime.clone())
}

/// ONNX Runtime where `cargo xtask setup` has brought it, else the engine that is always there.
fn open(model: &ModelSource, dims: [usize; 4]) -> Box<dyn Engine> {
    let library = root().join("runtimes/onnxruntime/libonnxruntime.so.1.31.1");
    let provider = if library.is_file() { Provider::Cpu } else { Provider::Embedded };
    let options = EngineOptions {
        precision: Precision::Fp32,
        runtime_library: library.is_file().then_some(library),
        ..EngineOptions::default()
    };
    engine::open(provider, model, Some(dims), &options)
        .unwrap_or_else(|error| panic!("{} on {provider}: {error}", model.name))
}

/// Three little-endian u32 (channels, rows, columns), then floats.
fn read(path: &Path) -> Option<Tensor> {
    let bytes = fs::read(path).ok()?;
    let (words, _) = bytes.as_chunks::<4>();
    let (&[channels, height, width], samples) = words.split_first_chunk::<3>()?;
    let size = |word| u32::from_le_bytes(word) as usize;
    let shape =
        Shape { batch: 1, channels: size(channels), height: size(height), width: size(width) };
    let samples: Vec<f32> = samples.iter().map(|word| f32::from_le_bytes(*word)).collect();
    assert_eq!(samples.len(), shape.elements(), "{}", path.display());
    Some(Tensor { shape, layout: Layout::Nchw, samples: Samples::F32(samples) })
}

/// Says it even where the test passes: print macros are captured, the handle is not.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}
