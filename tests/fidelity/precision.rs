//! Reduced precision: where it may be used, and where not.

use std::fs;
use std::sync::Arc;

use gstkizuna::engine::Precision::{self, Auto, Bf16, Fp16, Fp32};
use gstkizuna::engine::Provider::{self, Cpu, Embedded, OpenVino};
use gstkizuna::engine::{EngineOptions, ModelSource, native_reduced_precision};
use gstkizuna::session::{Config, Loaded};
use gstkizuna::upscale::Finish;
use gstkizuna::upscale::{PixelFormat, Size};
use rten_onnx::onnx::DataType;

use crate::common::{
    config, drawn, load, models_dir, one_at_a_time, planes, process, psnr, session, shipped, video,
};
use crate::graphs::{Net, pass_on, same};

fn asked(provider: Provider, model: &str, precision: Precision) -> Config {
    Config { precision, ..config(provider, model) }
}

/// What a session of this model runs in, and what it says about it.
fn used(loaded: &Arc<Loaded>, config: Config) -> (Precision, Vec<String>) {
    let size = Size::new(64, 48);
    let specs = (video(PixelFormat::Rgb, size), video(PixelFormat::Rgb, Size::new(128, 96)));
    let (session, said) = session(loaded, config, specs, Finish::default());
    (session.setup().info.as_ref().unwrap().precision, said)
}

pub fn has_bf16() -> bool {
    let options = EngineOptions { search: vec![models_dir()], ..EngineOptions::default() };
    // OpenVINO answers for the device, whatever the model.
    let model = ModelSource { name: "any".into(), path: None, bytes: Arc::default() };
    let has = native_reduced_precision(OpenVino, &model, &options) == Some(Bf16);
    if !has {
        skip!("OpenVINO is not here, or has no bf16 on this machine");
    }
    has
}

/// Our own kernels come before the runtimes for processors, and a runtime before rten.
#[test]
fn auto_takes_the_fastest_provider_for_the_model() {
    let _one = one_at_a_time();
    for (model, expected) in
        [("anime4k-m", Embedded), ("animevideov3-x2", Embedded), ("upconv7-x2", OpenVino)]
    {
        let config = Config { provider: None, ..config(Embedded, model) };
        let (loaded, _) = load(&config).unwrap();
        let has_openvino = shipped(OpenVino, model).is_some();
        let is_processors = matches!(loaded.info.provider, Embedded | OpenVino | Cpu);
        if !is_processors || (expected == OpenVino && !has_openvino) {
            skip!("{model} runs on {}", loaded.info.provider);
            continue;
        }
        assert_eq!(loaded.info.provider, expected, "{model}");
    }
}

#[test]
fn auto_takes_bf16_where_it_gives_the_same_picture() {
    let _one = one_at_a_time();
    if !has_bf16() {
        return;
    }
    let Some(loaded) = shipped(OpenVino, "animevideov3-x2") else { return };
    let size = Size::new(160, 90);
    let src = drawn(PixelFormat::Rgb, size, 9);
    let specs = (video(src.format, size), video(PixelFormat::Rgba64le, Size::new(320, 180)));
    let run = |precision, tile_size| {
        let config = Config { tile_size, ..asked(OpenVino, "animevideov3-x2", precision) };
        let (mut session, said) = session(&loaded, config, specs, Finish::default());
        assert_eq!(said, [""; 0]);
        (
            session.setup().info.as_ref().unwrap().precision,
            planes(&process(&mut session, &src, specs.1)),
        )
    };
    let ((auto, fast), (fp32, exact)) = (run(Auto, None), run(Fp32, None));
    assert_eq!((auto, fp32), (Bf16, Fp32));
    let db = psnr(&fast[..3], &exact[..3]);
    println!("animevideov3-x2, bf16 against fp32: {db:.1} dB");
    assert!(db >= 50.0, "{db}");
    let (_, tiled) = run(Auto, Some(64));
    assert!(tiled == fast, "in bf16, too, tiles are the whole bit for bit");
}

#[test]
fn a_network_that_bf16_spoils_runs_in_fp32_and_that_is_said() {
    let _one = one_at_a_time();
    if !has_bf16() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cancelling.onnx");
    fs::write(&path, cancelling()).unwrap();
    let model = path.to_str().unwrap();
    let Some((loaded, _)) = load(&config(OpenVino, model)) else { return };
    for precision in [Auto, Bf16] {
        let (used, said) = used(&loaded, asked(OpenVino, model, precision));
        println!("{said:?}");
        assert_eq!(used, Fp32);
        assert!(said.len() == 1 && said[0].contains("bf16 is not used"), "{said:?}");
    }
    assert_eq!(used(&loaded, asked(OpenVino, model, Fp32)), (Fp32, vec![]));
}

/// Adds 100 and takes it away again; between, bf16 keeps no more than steps of half.
pub fn cancelling() -> Arc<[u8]> {
    let (f, same_planes) = (DataType::FLOAT, pass_on([3, 3]));
    let [input, output] = same(f, "3");
    Net::default()
        .conv(f, "in", "copy", [3, 3], &same_planes)
        .weight(f, "up", &[1], &[100.0])
        .node("Add", &["copy", "up"], "high", &[])
        .conv(f, "high", "still-high", [3, 3], &same_planes)
        .weight(f, "down", &[1], &[-100.0])
        .node("Add", &["still-high", "down"], "back", &[])
        .conv(f, "back", "same", [3, 3], &same_planes)
        .nearest(2.0, "same", "out")
        .source(input, output)
        .bytes
}

#[test]
fn what_a_provider_cannot_do_is_said() {
    let _one = one_at_a_time();
    for provider in [Cpu, Provider::Embedded] {
        let Some(loaded) = shipped(provider, "anime4k-m") else { continue };
        let options = EngineOptions::default();
        let best = native_reduced_precision(provider, &loaded.source, &options).unwrap_or(Fp32);
        assert_eq!(used(&loaded, asked(provider, "anime4k-m", Auto)), (best, vec![]));
        for precision in [Fp16, Bf16].into_iter().filter(|&precision| precision != best) {
            let (used, said) = used(&loaded, asked(provider, "anime4k-m", precision));
            assert_eq!(used, Fp32, "{provider}");
            let is_named = said.iter().any(|s| s.contains(&format!("{precision} is not used")));
            assert!(is_named, "{provider}: {said:?}");
        }
    }
}
