//! One `check` for every engine: the same tiny networks, the same answers.

#[path = "../support/skip.rs"]
#[macro_use]
mod skip;

#[path = "../support/software.rs"]
mod software;

mod bound;
mod kept;
mod models;
mod webgpu;

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use gstkizuna::engine::{
    self, Cancel, Engine, EngineError, EngineOptions, ModelSource, Precision, Provider,
};
use gstkizuna::upscale::{Element, Layout, Samples, Shape, Tensor};
use half::f16;
use models::{Attr, Net, noise, same};
use rten_onnx::onnx::DataType;

const F32: DataType = DataType::FLOAT;

#[test]
fn embedded() {
    check(Provider::Embedded);
}

#[test]
fn cpu() {
    check(Provider::Cpu);
}

#[test]
fn openvino() {
    check(Provider::OpenVino);
}

fn check(provider: Provider) {
    let _one = one_at_a_time();
    let identity = Net::default().node("Identity", &["in"], "out", &[]);
    let [i, o] = same(F32, "3");
    match engine::open(provider, &identity.source(i, o), None, &options()) {
        Err(e @ EngineError::Library { .. }) => {
            skip!("{provider}: {e}");
            return;
        }
        opened => println!("{provider}: {:?}", opened.unwrap().info()),
    }
    shapes_and_layouts(provider);
    element_types(provider);
    convolution(provider);
    external_data(provider);
    refusals(provider);
    // rten allocates as Rust does: where there is no memory, the process ends.
    if provider != Provider::Embedded {
        out_of_memory(provider);
    }
    cancellation(provider);
}

fn shapes_and_layouts(provider: Provider) {
    let input = picture([2, 3, 5, 4], Layout::Nchw);
    let [i, o] = same(F32, "3");
    let nearest = || Net::default().nearest(2.0, "in", "out").source(i, o);
    let expected = doubled(&input);
    let mut bytes = None;
    for dims in [None, Some(input.dims())] {
        let mut engine = engine::open(provider, &nearest(), dims, &options()).unwrap();
        for _ in 0..2 {
            let output = run(&mut *engine, &input);
            assert_eq!(output.shape, Shape { batch: 2, channels: 3, height: 10, width: 8 });
            assert_eq!(output.samples, expected, "{provider} {dims:?}");
            assert_eq!(bytes.get_or_insert_with(|| output.samples.clone()), &output.samples);
        }
    }
    // Without fixed dimensions the size may change from run to run.
    let mut engine = engine::open(provider, &nearest(), None, &options()).unwrap();
    for dims in [[1, 3, 2, 2], [1, 3, 7, 3], [2, 3, 2, 2]] {
        let input = picture(dims, Layout::Nchw);
        assert_eq!(run(&mut *engine, &input).samples, doubled(&input), "{provider} {dims:?}");
    }

    let nhwc = Net::default()
        .node("Transpose", &["in"], "planes", &[Attr::Ints("perm", &[0, 3, 1, 2])])
        .nearest(2.0, "planes", "large")
        .node("Transpose", &["large"], "out", &[Attr::Ints("perm", &[0, 2, 3, 1])])
        .source((F32, ["n", "h", "w", "3"]), (F32, ["n", "oh", "ow", "3"]));
    let input = picture([1, 4, 6, 3], Layout::Nhwc);
    let mut engine = engine::open(provider, &nhwc, Some(input.dims()), &options()).unwrap();
    let output = run(&mut *engine, &input);
    assert_eq!(output.shape, Shape { batch: 1, channels: 3, height: 8, width: 12 });
    let (Samples::F32(src), Samples::F32(dst)) = (&input.samples, &output.samples) else {
        panic!("{provider}: {:?}", output.element())
    };
    assert_eq!(dst[(5 * 12 + 7) * 3 + 1], src[(2 * 6 + 3) * 3 + 1], "{provider}");
}

fn element_types(provider: Provider) {
    let shape = Shape { batch: 1, channels: 1, height: 6, width: 5 };
    let half: Vec<_> = noise(30).into_iter().map(f16::from_f32).collect();
    let input = Tensor { shape, layout: Layout::Nchw, samples: Samples::F16(half.clone()) };
    let [i, o] = same(DataType::FLOAT16, "1");
    let weights = models::pass_on([1, 1]);
    let model = Net::default().conv(DataType::FLOAT16, "in", "out", [1, 1], &weights).source(i, o);
    match engine::open(provider, &model, Some(input.dims()), &options()) {
        // SwiftShader has no 16-bit floats.
        Err(EngineError::Model { cause, .. }) if provider == Provider::WebGpu => {
            assert!(cause.contains("f16"), "{cause}");
            skip!("{provider}: {cause}");
        }
        opened => assert_eq!(run(&mut *opened.unwrap(), &input).samples, Samples::F16(half)),
    }

    let codes: Vec<u8> = (0..30).map(|i| i * 8).collect();
    let input = Tensor { shape, layout: Layout::Nchw, samples: Samples::U8(codes.clone()) };
    let [i, o] = same(DataType::UINT8, "1");
    let model = Net::default()
        .node("Cast", &["in"], "float", &[Attr::Int("to", 1)])
        .conv(F32, "float", "same", [1, 1], &weights)
        .node("Cast", &["same"], "out", &[Attr::Int("to", 2)])
        .source(i, o);
    let mut engine = engine::open(provider, &model, None, &options()).unwrap();
    assert_eq!(run(&mut *engine, &input).samples, Samples::U8(codes), "{provider}");
}

fn convolution(provider: Provider) {
    let weights = noise(3 * 4 * 9);
    let input = picture([1, 3, 9, 7], Layout::Nchw);
    let model = Net::default()
        .conv(F32, "in", "out", [3, 4], &weights)
        .source((F32, ["1", "3", "9", "w"]), (F32, ["1", "4", "9", "w"]));
    let mut engine = engine::open(provider, &model, Some(input.dims()), &options()).unwrap();
    let output = run(&mut *engine, &input);
    assert_eq!(output.shape.channels, 4);
    let largest = largest_difference(&output.samples, &Samples::F32(naive(&input, &weights, 4)));
    assert!(largest < 1e-5, "{provider}: {largest}");
}

fn external_data(provider: Provider) {
    let folder = tempfile::tempdir().unwrap();
    let [i, o] = same(F32, "1");
    let net = Net::default().conv(F32, "in", "out", [1, 1], &models::pass_on([1, 1]));
    let model = models::source_with_external_data(net.finish(i, o), folder.path());
    let input = picture([1, 1, 8, 8], Layout::Nchw);
    let mut engine = engine::open(provider, &model, Some(input.dims()), &options()).unwrap();
    assert_eq!(run(&mut *engine, &input).samples, input.samples, "{provider}");

    let lost = ModelSource { path: None, ..model };
    let error = engine::open(provider, &lost, Some(input.dims()), &options()).map(|_| ());
    assert!(matches!(error, Err(EngineError::Model { .. })), "{provider}: {error:?}");
}

fn refusals(provider: Provider) {
    let [i, o] = same(F32, "3");
    let model = Net::default().conv(F32, "in", "out", [3, 3], &noise(81)).source(i, o);
    let text = message(engine::open(provider, &model, Some([1, 4, 8, 8]), &options()));
    assert!(text.contains("[n, 3, h, w]") && text.contains("[1, 4, 8, 8]"), "{text}");
    let mut engine = engine::open(provider, &model, None, &options()).unwrap();
    let input = picture([1, 4, 8, 8], Layout::Nchw);
    let result = engine.run(&input, &mut empty(Layout::Nchw), &Cancel::new());
    assert!(matches!(result, Err(EngineError::Run(_))), "{provider}: {result:?}");

    let strange = Net::default().node("Upscale9000", &["in"], "out", &[]).source(i, o);
    let text = message(engine::open(provider, &strange, None, &options()));
    assert!(text.contains("Upscale9000"), "{text}");

    let garbage = ModelSource { bytes: noise_bytes().into(), ..model };
    let result = engine::open(provider, &garbage, None, &options()).map(|_| ());
    assert!(matches!(result, Err(EngineError::Model { .. })), "{provider}: {result:?}");
}

fn out_of_memory(provider: Provider) {
    let [i, o] = same(F32, "1");
    // 26 TB.
    let model = Net::default().nearest(40_000.0, "in", "out").source(i, o);
    let input = picture([1, 1, 64, 64], Layout::Nchw);
    for dims in [None, Some(input.dims())] {
        let result = engine::open(provider, &model, dims, &options())
            .and_then(|mut e| e.run(&input, &mut empty(Layout::Nchw), &Cancel::new()));
        println!("{provider}: {result:?}");
        assert!(matches!(result, Err(EngineError::OutOfMemory(_))), "{provider}: {result:?}");
    }
}

fn cancellation(provider: Provider) {
    // A software adapter takes seconds for a thousandth of what others do in one.
    let side = if provider == Provider::WebGpu { 48 } else { 512 };
    let input = picture([1, 1, side, side], Layout::Nchw);
    let model = models::heavy(6);
    let mut engine = engine::open(provider, &model, Some(input.dims()), &options()).unwrap();
    let mut output = empty(Layout::Nchw);
    // The first run may compile; a run that ends before it is cancelled says nothing.
    timed_run(&mut *engine, &input, &mut output);
    let whole = [(); 2].map(|()| timed_run(&mut *engine, &input, &mut output));
    let whole = whole[0].min(whole[1]);
    // Others may have the machine for a while: as often as it takes to be cancelled in the middle, and to be let go soon.
    let mut slowest = Duration::ZERO;
    for part in [10, 4, 3] {
        let mut tries = Vec::new();
        while tries.last().is_none_or(|took: &Option<_>| took.is_none_or(|took| took > LET_GO)) {
            assert!(tries.len() < 10, "{provider}: {tries:?}");
            tries.push(cancelled_run(&mut *engine, &input, whole / part));
        }
        slowest = slowest.max(tries.into_iter().flatten().last().unwrap_or_default());
    }
    let next = timed_run(&mut *engine, &input, &mut output);
    println!(
        "{provider}: cancelled in {slowest:?}; the run after it {next:?}, a whole one {whole:?}"
    );

    let raised = Cancel::new();
    raised.raise();
    assert!(matches!(engine.run(&input, &mut output, &raised), Err(EngineError::Cancelled)));
}

const LET_GO: Duration = Duration::from_millis(100);

/// How soon a run lets go that is cancelled after a while; `None` where it ended before.
fn cancelled_run(engine: &mut dyn Engine, input: &Tensor, after: Duration) -> Option<Duration> {
    let cancel = Cancel::new();
    let raiser = {
        let cancel = cancel.clone();
        thread::spawn(move || {
            thread::sleep(after);
            cancel.raise();
            Instant::now()
        })
    };
    let result = engine.run(input, &mut empty(Layout::Nchw), &cancel);
    let end = Instant::now();
    let raised = raiser.join().unwrap();
    match result {
        Err(EngineError::Cancelled) => Some(end - raised),
        result => {
            result.unwrap();
            None
        }
    }
}

/// Runs the heavy network, whose result is its input.
fn timed_run(engine: &mut dyn Engine, input: &Tensor, output: &mut Tensor) -> Duration {
    let begin = Instant::now();
    engine.run(input, output, &Cancel::new()).unwrap();
    let taken = begin.elapsed();
    assert!(largest_difference(&output.samples, &input.samples) < 1e-5);
    taken
}

#[test]
fn all_engines_agree_on_a_real_network() {
    let _one = one_at_a_time();
    let input = picture([1, 3, 128, 128], Layout::Nchw);
    let mut first: Option<Samples> = None;
    for provider in [Provider::Embedded, Provider::Cpu, Provider::OpenVino] {
        let reduced = engine::native_reduced_precision(provider, &models::compact(), &options());
        for precision in [Some(Precision::Fp32), reduced].into_iter().flatten() {
            let options = EngineOptions { precision, ..options() };
            let dims = Some(input.dims());
            let mut engine = match engine::open(provider, &models::compact(), dims, &options) {
                Err(e @ EngineError::Library { .. }) => {
                    skip!("{provider}: {e}");
                    continue;
                }
                opened => opened.unwrap(),
            };
            assert_eq!(engine.info().precision, precision);
            let mut output = run(&mut *engine, &input);
            let mut best = Duration::MAX;
            for _ in 0..5 {
                let begin = Instant::now();
                engine.run(&input, &mut output, &Cancel::new()).unwrap();
                best = best.min(begin.elapsed());
            }
            assert_eq!(output.shape, Shape { batch: 1, channels: 3, height: 256, width: 256 });
            let reference = first.get_or_insert_with(|| output.samples.clone());
            let largest = largest_difference(reference, &output.samples);
            println!("{provider} {precision}: {best:?} for 128x128, differs by {largest}");
            let allowed = if precision == Precision::Fp32 { 1e-3 } else { 0.1 };
            assert!(largest < allowed, "{provider} {precision}: {largest}");
        }
    }
}

/// What the errors say is compared by `tests/kizunasr/missing.rs`.
#[test]
fn a_provider_that_is_not_there_is_an_error() {
    let _one = one_at_a_time();
    let [i, o] = same(F32, "3");
    let model = Net::default().nearest(2.0, "in", "out").source(i, o);
    use Provider::{CoreMl, Cuda, DirectMl, MiGraphX, TensorRt, WebGpu};
    for provider in [Cuda, TensorRt, DirectMl, CoreMl, MiGraphX, WebGpu] {
        match engine::open(provider, &model, Some([1, 3, 8, 8]), &options()) {
            Ok(engine) => {
                println!("{provider} is here: {:?}", engine.info());
                convolution(provider);
            }
            Err(EngineError::Library { cause, .. }) => skip!("{provider}: {cause}"),
            Err(e @ EngineError::Provider { .. }) => {
                assert!(e.to_string().contains(provider.nick()), "{e}");
                assert!(e.to_string().starts_with(&format!("provider {provider}")), "{e}");
                assert!(e.brief().len() < e.to_string().len(), "{}", e.brief());
            }
            Err(e) => panic!("{provider}: {e}"),
        }
    }
    let gpu = EngineOptions { device: Some("GPU.7".into()), ..options() };
    match engine::open(Provider::OpenVino, &model, Some([1, 3, 8, 8]), &gpu) {
        Err(EngineError::Library { cause, .. }) => skip!("openvino: {cause}"),
        opened => {
            let text = message(opened);
            assert!(text.contains("GPU.7") && text.contains("CPU"), "{text}");
        }
    }
}

#[test]
fn a_library_that_is_not_there_is_named_and_spoils_nothing() {
    let _one = one_at_a_time();
    let [i, o] = same(F32, "3");
    let model = Net::default().nearest(2.0, "in", "out").source(i, o);
    let folder = tempfile::tempdir().unwrap();
    for (provider, name) in
        [(Provider::Cpu, "libonnxruntime.so"), (Provider::OpenVino, "libopenvino_c.so")]
    {
        let broken = folder.path().join(name);
        std::fs::write(&broken, "not a library").unwrap();
        for path in [PathBuf::from("/nonexistent").join(name), broken] {
            let wrong = EngineOptions { runtime_library: Some(path.clone()), ..options() };
            match engine::open(provider, &model, None, &wrong) {
                // The library of an earlier test is open, and a process has only one.
                Ok(_) => assert!(path.exists()),
                Err(EngineError::Library { cause, .. }) => {
                    assert!(cause.contains(path.to_str().unwrap()), "{cause}");
                }
                Err(e) => panic!("{provider}: {e}"),
            }
        }
        match engine::open(provider, &model, None, &options()) {
            Ok(_) => {}
            Err(EngineError::Library { cause, .. }) => skip!("{provider}: {cause}"),
            Err(e) => panic!("{provider}: {e}"),
        }
    }
}

/// The runtimes of this checkout.
fn options() -> EngineOptions {
    EngineOptions { search: vec![env!("CARGO_MANIFEST_DIR").into()], ..EngineOptions::default() }
}

/// Engines use all cores, and some tests look at the clock.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(engine: &mut dyn Engine, input: &Tensor) -> Tensor {
    let mut output = empty(input.layout);
    engine.run(input, &mut output, &Cancel::new()).unwrap();
    assert!(
        match &output.samples {
            Samples::F32(v) => v.len(),
            Samples::F16(v) => v.len(),
            Samples::U8(v) => v.len(),
        } == output.shape.elements()
    );
    output
}

fn message(opened: Result<Box<dyn Engine>, EngineError>) -> String {
    match opened {
        Ok(engine) => panic!("opened: {:?}", engine.info()),
        Err(e) => e.to_string(),
    }
}

fn empty(layout: Layout) -> Tensor {
    Tensor::zeros(Shape { batch: 0, channels: 0, height: 0, width: 0 }, layout, Element::F32)
}

fn picture(dims: [usize; 4], layout: Layout) -> Tensor {
    let samples = noise(dims.iter().product()).into_iter().map(|v| v + 0.5).collect();
    Tensor { shape: Shape::from_dims(dims, layout), layout, samples: Samples::F32(samples) }
}

fn noise_bytes() -> Vec<u8> {
    noise(500).into_iter().flat_map(f32::to_le_bytes).collect()
}

/// `input` (planes) with each pixel repeated twice in both directions.
fn doubled(input: &Tensor) -> Samples {
    let Samples::F32(src) = &input.samples else { unreachable!() };
    let (w, mut dst) = (input.shape.width, Vec::new());
    for row in src.chunks(w) {
        for _ in 0..2 {
            dst.extend(row.iter().flat_map(|&v| [v, v]));
        }
    }
    Samples::F32(dst)
}

/// A 3x3 convolution as the text book has it; zero beyond the border.
fn naive(input: &Tensor, weights: &[f32], outputs: usize) -> Vec<f32> {
    let Samples::F32(src) = &input.samples else { unreachable!() };
    let Shape { channels, height, width, .. } = input.shape;
    let at = |c: usize, y: isize, x: isize| {
        let inside = (0..height as isize).contains(&y) && (0..width as isize).contains(&x);
        if inside { src[(c * height + y as usize) * width + x as usize] } else { 0.0 }
    };
    let mut dst = Vec::new();
    for o in 0..outputs {
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            let taps = (0..channels).flat_map(|c| (0..9).map(move |k| (c, k)));
            dst.push(
                taps.map(|(c, k)| {
                    let (dy, dx) = ((k / 3) as isize - 1, (k % 3) as isize - 1);
                    weights[(o * channels + c) * 9 + k] * at(c, y as isize + dy, x as isize + dx)
                })
                .sum(),
            );
        }
    }
    dst
}

fn largest_difference(a: &Samples, b: &Samples) -> f32 {
    let (Samples::F32(a), Samples::F32(b)) = (a, b) else { panic!("not f32") };
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
