//! WebGPU on SwiftShader: the same check as every engine's, and what is its own.

use std::time::Instant;

use gstkizuna::engine::{self, EngineOptions, ModelSource, Precision, Provider};
use gstkizuna::upscale::Layout;

use crate::{largest_difference, message, one_at_a_time, options, picture, run, software};

const WEBGPU: Provider = Provider::WebGpu;

fn anime4k() -> ModelSource {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/anime4k-m.onnx");
    let bytes = std::fs::read(path).unwrap().into();
    ModelSource { name: "anime4k-m".into(), path: None, bytes }
}

fn with(pairs: &[(&str, &str)]) -> EngineOptions {
    let provider_options = pairs.iter().map(|&(k, v)| (k.into(), v.into())).collect();
    EngineOptions { provider_options, ..options() }
}

#[test]
fn keeps_to_what_all_engines_do() {
    if software::is_inside("webgpu::keeps_to_what_all_engines_do") {
        crate::check(WEBGPU);
    }
}

#[test]
fn agrees_on_a_real_network_whatever_its_options() {
    if !software::is_inside("webgpu::agrees_on_a_real_network_whatever_its_options") {
        return;
    }
    let _one = one_at_a_time();
    let input = picture([1, 3, 32, 32], Layout::Nchw);
    let dims = Some(input.dims());
    let mut cpu = engine::open(Provider::Cpu, &anime4k(), dims, &options()).unwrap();
    let expected = run(&mut *cpu, &input);
    for pairs in [&[][..], &[("preferredLayout", "NCHW")], &[("powerPreference", "low-power")]] {
        let mut engine = engine::open(WEBGPU, &anime4k(), dims, &with(pairs)).unwrap();
        let device = engine.info().device.clone();
        assert!(device.contains("WebGPU") && device.contains("SwiftShader"), "{device}");
        let first = run(&mut *engine, &input);
        let begun = Instant::now();
        let second = run(&mut *engine, &input);
        let largest = largest_difference(&expected.samples, &first.samples);
        println!("{pairs:?} on {device}: {:.1?}, differs by {largest}", begun.elapsed());
        assert_eq!(first.samples, second.samples, "{pairs:?}");
        assert!(largest < 1e-5, "{pairs:?}: {largest}");
    }
}

/// What it cannot do is an error with the cause, never another provider's picture.
#[test]
fn options_reach_the_provider() {
    if !software::is_inside("webgpu::options_reach_the_provider") {
        return;
    }
    let _one = one_at_a_time();
    let dims = Some([1, 3, 32, 32]);
    for (key, value, part) in [
        ("preferredLayout", "sideways", "sideways"),
        ("validationMode", "sideways", "sideways"),
        ("dawnBackendType", "D3D12", "D3D12"),
        ("deviceId", "1", "contextId"),
    ] {
        let text = message(engine::open(WEBGPU, &anime4k(), dims, &with(&[(key, value)])));
        println!("{key}={value}: {text}");
        assert!(text.contains(part), "{key}={value}: {text}");
    }
    let device = EngineOptions { device: Some("1".into()), ..options() };
    let text = message(engine::open(WEBGPU, &anime4k(), dims, &device));
    assert!(text.contains("device=1") && text.contains("powerPreference"), "{text}");
    let first = EngineOptions { device: Some("0".into()), ..options() };
    assert!(engine::open(WEBGPU, &anime4k(), dims, &first).is_ok());
    let half = EngineOptions { precision: Precision::Fp16, ..options() };
    let text = message(engine::open(WEBGPU, &anime4k(), dims, &half));
    assert!(text.contains("precision=fp16") && text.contains("fp16 model"), "{text}");

    // What is captured stays on the device, and so would have to be the tensors.
    let capture =
        message(engine::open(WEBGPU, &anime4k(), dims, &with(&[("enableGraphCapture", "1")])));
    assert!(capture.contains("enableGraphCapture"), "{capture}");
}
