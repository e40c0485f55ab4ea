//! How near the kernels for small networks come to what the processor can do: `cargo bench --bench kernels`.
//!
//! Times are those that the thread was running, so that a busy machine disturbs them less; the best of several runs counts.

mod peak;

use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gstkizuna::engine::{self, Cancel, EngineOptions, ModelSource, Precision, Provider};
use gstkizuna::smallnet;
use gstkizuna::upscale::{Element, Layout, Rect, Shape, Size, Tensor};

const SIZES: [Size; 3] = [Size::new(640, 360), Size::new(1280, 720), Size::new(3840, 2160)];

fn main() {
    let args: Vec<_> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let models = concat!(env!("CARGO_MANIFEST_DIR"), "/models");
    println!("register-only peak: {:.0?} GFLOP/s (fp32, bf16)\n", peak::all());
    println!("network     kernels        picture     ms/core  GFLOP/s  of peak  ns/px   engine ms");
    for model in ["anime4k-m", "anime4k-vl"] {
        let Ok(bytes) = fs::read(format!("{models}/{model}.onnx")) else { continue };
        let source = ModelSource { name: model.into(), path: None, bytes: bytes.into() };
        for kernels in ["plain", "avx2", "neon", "avx512", "avx512-bf16"] {
            for size in SIZES {
                let name = format!("{model} {kernels} {size}");
                if args.iter().all(|part| name.contains(part.as_str())) {
                    report(&source, kernels, size);
                }
            }
        }
    }
}

fn report(model: &ModelSource, kernels: &str, size: Size) {
    let is_bf16 = kernels.ends_with("bf16");
    let options = EngineOptions {
        precision: if is_bf16 { Precision::Bf16 } else { Precision::Fp32 },
        provider_options: vec![("kernels".into(), kernels.into())],
        ..EngineOptions::default()
    };
    let Ok(mut engine) = engine::open(Provider::Embedded, model, None, &options) else { return };
    let Some(rows) = engine.rows() else { return };
    let Ok(net) = smallnet::read(&model.bytes) else { return };
    let runs = (40_000_000 / size.area()).clamp(3, 60) / if kernels == "plain" { 3 } else { 1 };

    let cancel = Cancel::new();
    let picture: Vec<f32> = (0..size.width).map(|x| (x % 97) as f32 / 97.0).collect();
    let panels = size.width.div_ceil(rows.panel_width());
    let width = size.width.div_ceil(panels);
    // The best of each panel, so that one disturbance spoils one panel of one run.
    let mut best = vec![Duration::MAX; panels];
    for _ in 0..runs.max(3) {
        for (x, best) in (0..size.width).step_by(width).zip(&mut best) {
            let part = Rect::new(x, 0, width.min(size.width - x), size.height);
            let begin = busy();
            let result = rows.run(
                size,
                part,
                &mut |_, columns, planes| {
                    planes.iter_mut().for_each(|p| p.copy_from_slice(&picture[columns.clone()]));
                },
                &mut |_, planes| {
                    black_box(planes);
                },
                &cancel,
            );
            *best = (busy() - begin).min(*best);
            result.unwrap_or_else(|e| println!("{e}"));
        }
    }
    let seconds = best.iter().sum::<Duration>().as_secs_f64();

    let shape = Shape { batch: 1, channels: 3, height: size.height, width: size.width };
    let input = Tensor::zeros(shape, Layout::Nchw, Element::F32);
    let mut output = Tensor::zeros(Shape { batch: 0, ..shape }, Layout::Nchw, Element::F32);
    let mut whole = Duration::MAX;
    for _ in 0..runs.max(3) {
        let begin = Instant::now();
        engine.run(&input, &mut output, &cancel).unwrap_or_else(|e| println!("{e}"));
        whole = whole.min(begin.elapsed());
    }

    let gflops = 2e-9 * (net.macs() * size.area()) as f64 / seconds;
    let peak = peak::all()[usize::from(is_bf16)];
    println!(
        "{:11} {kernels:13} {:>10} {:9.2} {gflops:8.0} {:7.0}% {:6.1} {:9.2}  {panels} panels of {width}",
        model.name,
        size.to_string(),
        seconds * 1e3,
        100.0 * gflops / peak,
        seconds * 1e9 / size.area() as f64,
        whole.as_secs_f64() * 1e3,
    );
}

/// How long this thread has been running.
#[cfg(unix)]
fn busy() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The time of day instead, where there is no such clock.
#[cfg(not(unix))]
fn busy() -> Duration {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}
