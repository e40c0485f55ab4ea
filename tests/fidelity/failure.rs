//! Networks that break their promises, and memory that is short.

use gstkizuna::engine::{
    Cancel, Engine, EngineError, EngineInfo, Precision, Provider,
    Provider::{Embedded, OpenVino},
};
use gstkizuna::session::{Config, Fallback, SessionError};
use gstkizuna::upscale::Finish;
use gstkizuna::upscale::{PixelFormat, Plane, Samples, Size, Tensor, UpscaleError};

use crate::common::{config, drawn, network, one_at_a_time, process, session, shipped, video};

/// An engine that does what a test wants.
struct Fake<F> {
    info: EngineInfo,
    answer: F,
}

fn fake<F: FnMut(&Tensor, &mut Tensor) -> Result<(), EngineError> + Send + 'static>(
    answer: F,
) -> Box<dyn Engine> {
    let info = EngineInfo {
        provider: Provider::Cpu,
        runtime: "fake".into(),
        device: "CPU".into(),
        precision: Precision::Fp32,
    };
    Box::new(Fake { info, answer })
}

impl<F: FnMut(&Tensor, &mut Tensor) -> Result<(), EngineError> + Send> Engine for Fake<F> {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(&mut self, src: &Tensor, dst: &mut Tensor, cancel: &Cancel) -> Result<(), EngineError> {
        if cancel.is_raised() {
            return Err(EngineError::Cancelled);
        }
        (self.answer)(src, dst)
    }
}

/// A frame of 40x30 through the contract of anime4k-m (x2) on `engine`, in tiles of 32 with a halo of 7.
fn run(engine: Box<dyn Engine>, cancel: &Cancel) -> Result<Vec<Plane>, UpscaleError> {
    let loaded = shipped(Embedded, "anime4k-m").unwrap();
    let size = Size::new(40, 30);
    let channels = loaded.contract.input.channels;
    let src = vec![Plane::filled(size, 0.5); channels];
    let mut network = network(&loaded, size, (Some(32), 7), Some(engine));
    assert_eq!(network.plan().len(), 4);
    let src: Vec<_> = src.iter().collect();
    network.run(&src, None, Vec::new, cancel).map(|inferred| inferred.planes)
}

fn fill(tensor: &mut Tensor, value: f32) {
    let Samples::F32(samples) = &mut tensor.samples else { panic!("floats are expected") };
    samples.fill(value);
}

#[test]
fn an_honest_engine_passes() {
    let engine = fake(|_, dst| {
        fill(dst, 0.25);
        Ok(())
    });
    let out = run(engine, &Cancel::new()).unwrap();
    assert!(out.iter().all(|p| p.samples().iter().all(|&v| v == 0.25)));
}

#[test]
fn what_is_not_finite_is_an_error_that_names_the_tile() {
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut runs = 0;
        let engine = fake(move |_, dst| {
            runs += 1;
            fill(dst, if runs == 2 { value } else { 0.5 });
            Ok(())
        });
        let error = run(engine, &Cancel::new()).unwrap_err();
        let UpscaleError::NotFinite { x, y } = error else { panic!("{error}") };
        assert!(x > 0 && y == 0, "the second tile of the first row: {x} {y}");
    }
}

#[test]
fn another_size_or_type_than_promised_is_an_error() {
    for grow in [0, 1, 2] {
        let engine = fake(move |_, dst| {
            match grow {
                0 => dst.shape.width += 2,
                1 => dst.shape.channels += 1,
                _ => dst.shape.batch = 0,
            }
            dst.samples = Samples::F32(vec![0.5; dst.shape.elements()]);
            Ok(())
        });
        let error = run(engine, &Cancel::new()).unwrap_err();
        assert!(matches!(error, UpscaleError::WrongOutput { .. }), "{error}");
    }
    let engine = fake(|_, dst| {
        dst.samples = Samples::U8(vec![1; dst.shape.elements()]);
        Ok(())
    });
    assert!(matches!(run(engine, &Cancel::new()), Err(UpscaleError::WrongOutput { .. })));
    let engine = fake(|_, dst| {
        dst.samples = Samples::F32(vec![0.5; dst.shape.elements() / 2]);
        Ok(())
    });
    assert!(matches!(run(engine, &Cancel::new()), Err(UpscaleError::WrongOutput { .. })));
}

#[test]
fn an_engines_error_and_a_raised_flag_end_the_frame() {
    let engine = fake(|_, _| Err(EngineError::OutOfMemory("bad_alloc".into())));
    let error = run(engine, &Cancel::new()).unwrap_err();
    assert!(matches!(error, UpscaleError::Engine(EngineError::OutOfMemory(_))), "{error}");
    let cancel = Cancel::new();
    cancel.raise();
    let error = run(fake(|_, _| panic!("it must not run")), &cancel).unwrap_err();
    assert!(matches!(error, UpscaleError::Engine(EngineError::Cancelled)), "{error}");
}

#[test]
fn a_frame_of_another_size_than_announced_is_an_error() {
    let _one = one_at_a_time();
    let loaded = shipped(Embedded, "anime4k-m").unwrap();
    let (size, to) = (Size::new(40, 30), video(PixelFormat::Rgb, Size::new(80, 60)));
    let specs = (video(PixelFormat::Rgb, size), to);
    let config = Config { fallback: Fallback::default(), ..config(Embedded, "anime4k-m") };
    let (mut session, _) = session(&loaded, config, specs, Finish::default());
    for wrong in [Size::new(39, 30), Size::new(40, 31)] {
        let src = drawn(PixelFormat::Rgb, wrong, 1);
        let error = session.try_process(&src, to).err().unwrap();
        assert!(matches!(error, SessionError::Frame(UpscaleError::Frame(_))), "{error}");
    }
    // It goes on as if nothing had been.
    process(&mut session, &drawn(PixelFormat::Rgb, size, 1), to);
}

/// That the process itself keeps to the limit is tested where the element runs; here, that the plan does.
#[test]
fn tiles_of_a_large_frame_keep_to_the_memory_limit() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(OpenVino, "animevideov3-x2") else { return };
    let (from, to) = (Size::new(3840, 2160), Size::new(7680, 4320));
    let specs = (video(PixelFormat::I420, from), video(PixelFormat::I420, to));
    // Pictures in float: the frame, what the network gives, and the result.
    let pictures = 12 * (from.area() + 2 * to.area());
    for (limit, batch) in [(2_usize << 30, 1), (2 << 30, 3), (1 << 30, 1)] {
        let config = Config {
            memory_limit: Some(limit as u64),
            batch_size: Some(batch),
            ..config(OpenVino, "animevideov3-x2")
        };
        let (session, _) = session(&loaded, config, specs, Finish::default());
        let setup = session.setup();
        let run = 2 * batch * setup.tile.area() * loaded.contract.bytes_per_px;
        let overhead = (setup.tiles * setup.tile.area()) as f64 / from.area() as f64;
        println!(
            "limit {} MiB, batch {batch}: {} tiles of {}, {} MiB a run and {} MiB of pictures, {:.2} times the frame",
            limit >> 20,
            setup.tiles,
            setup.tile,
            run >> 20,
            pictures >> 20,
            overhead
        );
        assert!(run + pictures <= limit, "{run} + {pictures} > {limit}");
        assert!(overhead < 1.6, "{overhead}");
    }
}
