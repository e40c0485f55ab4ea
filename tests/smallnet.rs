//! Small networks: read from ONNX, in plain loops, and in the streaming kernels.

#[path = "support/skip.rs"]
#[macro_use]
mod skip;
#[path = "engines/models.rs"]
mod models;
#[path = "smallnet/random.rs"]
mod random;

use std::fs;

use gstkizuna::engine::{
    self, Cancel, Engine, EngineError, EngineOptions, ModelSource, Precision, Provider, ValueRange,
};
use gstkizuna::models::test_card::test_picture;
use gstkizuna::smallnet::{self, Base, Edge, Form, Read, naive};
use gstkizuna::upscale::{Element, Layout, Rect, Samples, Shape, Size, Tensor};
use proptest::prelude::*;
use random::Recipe;

const KERNELS: [&str; 4] = ["avx512", "avx2", "neon", "plain"];

fn shipped(name: &str) -> ModelSource {
    let path = format!("{}/models/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    let bytes = fs::read(path).unwrap().into();
    ModelSource { name: name.into(), path: None, bytes }
}

/// Whether the processor has what these kernels are written for.
fn has(kernels: &str) -> bool {
    #[cfg(target_arch = "x86_64")]
    match kernels {
        "avx512-bf16" => return is_x86_feature_detected!("avx512bf16"),
        "avx512" => return is_x86_feature_detected!("avx512f"),
        "avx2" => return is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
        _ => {}
    }
    matches!(kernels, "plain" | "rten") || (kernels == "neon" && cfg!(target_arch = "aarch64"))
}

/// The embedded engine with these kernels; `None` where the processor has none of the name.
fn open(model: &ModelSource, kernels: &str, precision: Precision) -> Option<Box<dyn Engine>> {
    let provider_options = vec![("kernels".into(), kernels.into())];
    let options = EngineOptions { precision, provider_options, ..EngineOptions::default() };
    let engine = match engine::open(Provider::Embedded, model, None, &options) {
        Ok(engine) => engine,
        Err(e) => {
            assert!(!has(kernels), "{kernels}: {e}");
            return None;
        }
    };
    (engine.info().runtime.contains("Kizuna") == (kernels != "rten")).then_some(engine)
}

fn picture(channels: usize, size: Size) -> Tensor {
    let shape = Shape { batch: 1, channels, height: size.height, width: size.width };
    let samples = models::noise(shape.elements()).iter().map(|v| v + 0.5).collect();
    Tensor { shape, layout: Layout::Nchw, samples: Samples::F32(samples) }
}

fn run(engine: &mut dyn Engine, input: &Tensor) -> Vec<f32> {
    let mut output = Tensor::zeros(input.shape, Layout::Nchw, Element::F32);
    engine.run(input, &mut output, &Cancel::new()).unwrap();
    assert!(output.is_whole());
    floats(&output).to_vec()
}

fn floats(tensor: &Tensor) -> &[f32] {
    match &tensor.samples {
        Samples::F32(samples) => samples,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_close(what: &str, a: &[f32], b: &[f32], allowed: f32) {
    assert_eq!(a.len(), b.len(), "{what}");
    let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(worst <= allowed, "{what}: differs by {worst}");
}

#[test]
fn the_shipped_networks_are_read() {
    for (name, filters, inputs, macs) in [("anime4k-m", 4, 56, 2060), ("anime4k-vl", 8, 112, 8472)]
    {
        let net = smallnet::read(&shipped(name).bytes).unwrap();
        let (last, hidden) = net.layers.split_last().unwrap();
        assert_eq!((net.channels, net.outputs(), net.halo(), hidden.len()), (3, 3, 7, 7));
        assert_eq!(
            (net.tail.factor, net.tail.base, net.tail.clip),
            (2, Some(Base::Bilinear), None)
        );
        // Of each CReLU one half is computed, and read in two ways.
        assert!(hidden.iter().all(|layer| layer.outputs == filters && layer.edge == Edge::Clamp));
        let both = [Form::Rectified, Form::NegatedRectified];
        assert_eq!(hidden[1].reads, both.map(|form| Read { feature: 1, form }));
        assert_eq!(last.weights.len(), inputs * last.outputs);
        assert_eq!(net.macs(), macs);
    }
    // M's residual is the same for red, green and blue.
    let tail = smallnet::read(&shipped("anime4k-m").bytes).unwrap().tail;
    assert_eq!(tail.subpixels, [[0, 1, 2, 3]; 3].concat());
}

#[test]
fn the_shipped_networks_give_what_rten_gives() {
    let size = Size::new(83, 61);
    let input = picture(3, size);
    for name in ["anime4k-m", "anime4k-vl"] {
        let model = shipped(name);
        let net = smallnet::read(&model.bytes).unwrap();
        let expected = run(&mut *open(&model, "rten", Precision::Fp32).unwrap(), &input);
        let plain = naive::run(&net, floats(&input), size.width, size.height);
        assert_close(name, &plain, &expected, 1e-4);
        for kernels in KERNELS {
            let Some(mut engine) = open(&model, kernels, Precision::Fp32) else {
                skip!("no {kernels} here");
                continue;
            };
            assert_close(kernels, &run(&mut *engine, &input), &plain, 1e-4);
        }
        let Some(mut engine) = open(&model, "avx512-bf16", Precision::Bf16) else {
            skip!("no bf16 here");
            continue;
        };
        assert_eq!(engine.info().precision, Precision::Bf16);
        let drawn = test_picture(input.shape, Layout::Nchw, Element::F32, ValueRange::Unit, 3);
        let expected = naive::run(&net, floats(&drawn), size.width, size.height);
        // Two codes of 255 once it is rounded.
        assert_close("bf16", &run(&mut *engine, &drawn), &expected, 2.5 / 255.0);
    }
}

#[test]
fn what_is_not_small_is_said() {
    let why = |bytes: &[u8]| smallnet::read(bytes).unwrap_err().to_string();
    let wide = Recipe::chain_of(300, 2).source();
    assert_eq!(why(&wide.bytes), "it has a convolution of 3 channels to 300");
    let upconv = shipped("upconv7-x2");
    assert_eq!(why(&upconv.bytes), "it has a Pad that is not by one pixel on each side");
    assert!(why(b"<html>").contains("not an ONNX file"), "{}", why(b"<html>"));
    let engine = open(&upconv, "rten", Precision::Fp32).unwrap();
    assert!(engine.info().runtime.contains("rten") && engine.rows().is_none());
}

#[test]
fn a_cancelled_run_ends_between_two_rows() {
    let size = Size::new(64, 4096);
    let mut engine = open(&shipped("anime4k-m"), "plain", Precision::Fp32).unwrap();
    let (rows, cancel) = (engine.rows().unwrap(), Cancel::new());
    let mut given = 0;
    let result = rows.run(
        size,
        Rect::new(0, 0, 64, 4096),
        &mut |_, _, planes| planes.iter_mut().for_each(|plane| plane.fill(0.5)),
        &mut |y, _| {
            given = y + 1;
            if y == 9 {
                cancel.raise();
            }
        },
        &cancel,
    );
    assert!(matches!(result, Err(EngineError::Cancelled)));
    assert_eq!(given, 10);
    let mut output = picture(3, size);
    let result = engine.run(&picture(3, size), &mut output, &cancel);
    assert!(matches!(result, Err(EngineError::Cancelled)));
    cancel.clear();
    engine.run(&picture(3, Size::new(9, 7)), &mut output, &cancel).unwrap();
    let outside =
        rows.run(size, Rect::new(1, 0, 64, 1), &mut |_, _, _| {}, &mut |_, _| {}, &cancel);
    assert!(matches!(outside, Err(EngineError::Run(_))));
}

#[test]
fn what_is_not_finite_comes_out() {
    let size = Size::new(40, 20);
    let mut input = picture(3, size);
    for bad in [f32::NAN, f32::INFINITY] {
        let Samples::F32(samples) = &mut input.samples else { unreachable!() };
        samples[10 * 40 + 17] = bad;
        for (kernels, precision) in KERNELS
            .map(|name| (name, Precision::Fp32))
            .into_iter()
            .chain([("avx512-bf16", Precision::Bf16)])
        {
            let Some(mut engine) = open(&shipped("anime4k-m"), kernels, precision) else {
                continue;
            };
            let output = run(&mut *engine, &input);
            assert!(!output[20 * 80 + 34].is_finite(), "{kernels} {bad}");
            // What lies farther away than the halo is none the worse.
            assert!(output[..6 * 80].iter().all(|v| v.is_finite()), "{kernels} {bad}");
        }
    }
}

#[test]
fn a_batch_is_its_pictures() {
    let size = Size::new(23, 9);
    let one = picture(3, size);
    let mut batch = one.clone();
    batch.shape.batch = 2;
    let Samples::F32(samples) = &mut batch.samples else { unreachable!() };
    samples.extend(floats(&one).iter().map(|v| 1.0 - v));
    let second = Tensor { samples: Samples::F32(samples[one.shape.elements()..].to_vec()), ..one };
    let mut engine = open(&shipped("anime4k-m"), "plain", Precision::Fp32).unwrap();
    let both = run(&mut *engine, &batch);
    let parts = [run(&mut *engine, &one), run(&mut *engine, &second)].concat();
    assert_eq!(both, parts);
}

fn parts() -> impl Strategy<Value = (Size, Rect)> {
    (1..150_usize, 1..40_usize, any::<[u16; 4]>()).prop_map(|(width, height, [a, b, c, d])| {
        let (x, y) = (a as usize % width, b as usize % height);
        let part = Rect::new(x, y, 1 + c as usize % (width - x), 1 + d as usize % (height - y));
        (Size::new(width, height), part)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// A part of a picture is bit for bit what it is in the whole, and only what may be read is asked for.
    #[test]
    fn parts_are_the_whole((size, part) in parts(), which in 0..5_usize) {
        let (kernels, precision) = match which {
            0 => ("avx512-bf16", Precision::Bf16),
            i => (KERNELS[i - 1], Precision::Fp32),
        };
        let Some(mut engine) = open(&shipped("anime4k-m"), kernels, precision) else { return Ok(()) };
        let input = picture(3, size);
        let whole = run(&mut *engine, &input);
        let rows = engine.rows().unwrap();
        let (mut last, mut seen) = (None, part.y * 2);
        rows.run(
            size,
            part,
            &mut |y, columns, planes| {
                assert!(last < Some(y) && y < size.height && columns.end <= size.width);
                assert!(y + 7 >= part.y && y < part.y + part.height + 7);
                last = Some(y);
                for (c, plane) in planes.iter_mut().enumerate() {
                    let row = &floats(&input)[(c * size.height + y) * size.width..][..size.width];
                    plane.copy_from_slice(&row[columns.clone()]);
                }
            },
            &mut |y, planes| {
                assert_eq!((y, planes.len()), (seen, 3));
                seen += 1;
                for (c, plane) in planes.iter().enumerate() {
                    let row = (c * size.height * 2 + y) * size.width * 2 + part.x * 2;
                    assert_eq!(*plane, &whole[row..][..part.width * 2], "{kernels} row {y}");
                }
            },
            &Cancel::new(),
        )
        .unwrap();
        assert_eq!(seen, (part.y + part.height) * 2);
    }

    /// Any small network: read from ONNX, it gives what rten gives, in plain loops and in every kernel.
    #[test]
    fn random_networks_agree(recipe in any::<Recipe>(), width in 2..50_usize, height in 2..12_usize) {
        let model = recipe.source();
        let net = smallnet::read(&model.bytes).unwrap();
        let input = picture(net.channels, Size::new(width, height));
        let mut rten = open(&model, "rten", Precision::Fp32).unwrap();
        let expected = run(&mut *rten, &input);
        let scale = expected.iter().fold(1.0_f32, |most, v| most.max(v.abs()));
        let plain = naive::run(&net, floats(&input), width, height);
        assert_close("naive", &plain, &expected, 1e-4 * scale);
        for kernels in KERNELS {
            if let Some(mut engine) = open(&model, kernels, Precision::Fp32) {
                assert_close(kernels, &run(&mut *engine, &input), &plain, 1e-4 * scale);
            }
        }
        if let Some(mut engine) = open(&model, "avx512-bf16", Precision::Bf16) {
            assert_close("bf16", &run(&mut *engine, &input), &plain, 0.1 * scale);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Chains of 3x3 convolutions of many channels, in the kernels that are made for them.
    #[test]
    fn random_chains_agree(recipe in Recipe::chains(), width in 1..50_usize, height in 1..40_usize) {
        let model = recipe.source();
        let net = smallnet::read(&model.bytes).unwrap();
        let input = picture(net.channels, Size::new(width, height));
        let plain = naive::run(&net, floats(&input), width, height);
        let scale = plain.iter().fold(1.0_f32, |most, v| most.max(v.abs()));
        for kernels in KERNELS {
            let Some(mut engine) = open(&model, kernels, Precision::Fp32) else { continue };
            assert!(engine.info().runtime.contains("Winograd"), "{}", engine.info().runtime);
            assert_close(kernels, &run(&mut *engine, &input), &plain, 1e-4 * scale);
            // Memory is used again for a picture of another size, and for the same.
            let smaller = picture(net.channels, Size::new(width.div_ceil(2), height.div_ceil(3)));
            let first = run(&mut *engine, &smaller);
            assert_eq!(run(&mut *engine, &smaller), first, "{kernels}");
            let mut fresh = open(&model, kernels, Precision::Fp32).unwrap();
            assert_eq!(run(&mut *fresh, &smaller), first, "{kernels}");
        }
        if let Some(mut engine) = open(&model, "avx512-bf16", Precision::Bf16) {
            assert_close("bf16", &run(&mut *engine, &input), &plain, 0.1 * scale);
        }
    }
}

#[test]
fn a_chain_gives_the_same_in_many_bands() {
    // More rows than all threads take at a time, however many there are; the last band is cut short.
    let size = Size::new(9, 150 * rayon::current_num_threads() + 7);
    let (model, input) = (Recipe::chain_of(17, 8).source(), picture(3, size));
    let net = smallnet::read(&model.bytes).unwrap();
    let plain = naive::run(&net, floats(&input), size.width, size.height);
    let scale = plain.iter().fold(1.0_f32, |most, v| most.max(v.abs()));
    for kernels in KERNELS {
        let Some(mut engine) = open(&model, kernels, Precision::Fp32) else { continue };
        assert!(engine.info().runtime.contains("Winograd"), "{}", engine.info().runtime);
        for _ in 0..2 {
            assert_close(kernels, &run(&mut *engine, &input), &plain, 1e-4 * scale);
        }
    }
}

#[test]
fn the_shipped_chains_give_what_rten_gives() {
    let size = Size::new(37, 26);
    let input = picture(3, size);
    for name in ["animevideov3-x2", "animevideov3-x3", "animevideov3-x4"] {
        let model = shipped(name);
        let net = smallnet::read(&model.bytes).unwrap();
        let plain = naive::run(&net, floats(&input), size.width, size.height);
        let rten = run(&mut *open(&model, "rten", Precision::Fp32).unwrap(), &input);
        assert_close(name, &plain, &rten, 1e-4);
        for kernels in KERNELS {
            let Some(mut engine) = open(&model, kernels, Precision::Fp32) else {
                skip!("no {kernels} here");
                continue;
            };
            assert!(engine.info().runtime.contains("Winograd"), "{}", engine.info().runtime);
            assert_close(kernels, &run(&mut *engine, &input), &plain, 1e-4);
        }
        let Some(mut engine) = open(&model, "avx512-bf16", Precision::Bf16) else {
            skip!("no bf16 here");
            continue;
        };
        let drawn = test_picture(input.shape, Layout::Nchw, Element::F32, ValueRange::Unit, 3);
        let expected = naive::run(&net, floats(&drawn), size.width, size.height);
        let given = run(&mut *engine, &drawn);
        let error = |(a, b): (&f32, &f32)| f64::from(a - b).powi(2);
        let noise: f64 = given.iter().zip(&expected).map(error).sum::<f64>() / given.len() as f64;
        assert!(noise.log10() * -10.0 > 47.0, "{name}: {} dB", noise.log10() * -10.0);
    }
}
