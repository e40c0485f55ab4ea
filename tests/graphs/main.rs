//! Networks that are rewritten when they are loaded: in fp16, and between raw samples.
//!
//! Rewritten graphs run on ONNX Runtime's CPU provider, which casts where it has no kernel: slow, but it is the graph.

#[path = "../support/skip.rs"]
#[macro_use]
mod skip;

#[path = "../support/shipped.rs"]
mod installed;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/zoo.rs"]
mod zoo;

#[path = "../engines/models.rs"]
mod models;

#[path = "../fidelity/common.rs"]
#[allow(dead_code, reason = "fidelity uses the rest")]
mod common;
mod direct;
mod fp16;
mod wrapped;

use std::path::PathBuf;
use std::sync::Arc;

use gstkizuna::engine::{self, Cancel, EngineError, EngineOptions, ModelSource, Provider};
use gstkizuna::upscale::{Element, Layout, Samples, Shape, Tensor};

/// A shipped network's file; `None`, said aloud, where it is not installed.
fn shipped(name: &str) -> Option<Arc<[u8]>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models").join(name);
    match std::fs::read(path.with_added_extension("onnx")) {
        Ok(bytes) => Some(bytes.into()),
        Err(_) => {
            skip!("{name} is not installed (cargo xtask models)");
            None
        }
    }
}

/// The runtimes of this checkout.
fn options() -> EngineOptions {
    EngineOptions { search: vec![env!("CARGO_MANIFEST_DIR").into()], ..EngineOptions::default() }
}

/// What ONNX Runtime makes of `input`; `None`, said aloud, where it is not installed.
fn run(name: &str, bytes: &Arc<[u8]>, input: &Tensor) -> Option<Tensor> {
    let source = ModelSource { name: name.into(), path: None, bytes: bytes.clone() };
    let mut engine = match engine::open(Provider::Cpu, &source, Some(input.dims()), &options()) {
        Err(e @ EngineError::Library { .. }) => {
            skip!("{name}: {e}");
            return None;
        }
        opened => opened.unwrap(),
    };
    let shape = Shape { batch: 0, channels: 0, height: 0, width: 0 };
    let mut output = Tensor::zeros(shape, input.layout, Element::F32);
    engine.run(input, &mut output, &Cancel::new()).unwrap_or_else(|e| panic!("{name}: {e}"));
    Some(output)
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    match &tensor.samples {
        Samples::F32(s) => s.clone(),
        Samples::F16(s) => s.iter().map(|v| v.to_f32()).collect(),
        Samples::U8(s) => s.iter().map(|&v| v.into()).collect(),
    }
}

/// PSNR in dB.
fn psnr(a: &[f32], b: &[f32], peak: f64) -> f64 {
    assert_eq!(a.len(), b.len());
    assert!(b.iter().all(|v| v.is_finite()), "NaN or infinity");
    let error: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    10.0 * (peak * peak * a.len() as f64 / error.max(1e-30)).log10()
}

fn shape(channels: usize, side: usize) -> Shape {
    Shape { batch: 1, channels, height: side, width: side }
}

const NCHW: Layout = Layout::Nchw;
