//! Models, sessions, pictures and numbers that all parts share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gstkizuna::engine::{
    Cancel, Contract, Engine, EngineError, EngineOptions, Precision, Provider, open,
};
use gstkizuna::models::test_card::sample;
use gstkizuna::session::{
    Config, Finished, Frames, Loaded, Notice, Opened, Session, SessionError, Setup, Stats,
    Treatment,
};
use gstkizuna::upscale::Finish;
use gstkizuna::upscale::tile::{TilePlan, TileRequest};
use gstkizuna::upscale::{
    ChromaSite, ColorSpec, FrameError, FrameView, FrameViewMut, Matrix, Network, PixelFormat,
    Plane, Range, Samples, Shape, Size, Tensor, VideoSpec,
};

use crate::support::frame::Frame;

/// Engines take every core: two tests at a time would only be in each other's way.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `cargo test` with `KIZUNA_TEST_FULL=1` runs whole matrices.
pub fn is_full() -> bool {
    std::env::var_os("KIZUNA_TEST_FULL").is_some()
}

pub fn models_dir() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("models")
}

/// fp32 on `provider` with one model, no fallback of any kind.
pub fn config(provider: Provider, model: &str) -> Config {
    let mut config = Config {
        model: Some(model.into()),
        search: vec![models_dir()],
        provider: Some(provider),
        precision: Precision::Fp32,
        ..Config::default()
    };
    config.fallback.cpu = false;
    config.fallback.tile = false;
    config
}

/// Opens the model of `config`; `None`, said aloud, where its runtime or its file is not installed.
pub fn load(config: &Config) -> Option<(Arc<Loaded>, Vec<Notice>)> {
    let name = config.model.as_deref().unwrap_or_default();
    if !name.ends_with(".onnx") && !models_dir().join(name).with_added_extension("onnx").is_file() {
        skip!("{name} is not installed (cargo xtask models)");
        return None;
    }
    match Loaded::open(config, &Cancel::new()) {
        Ok((loaded, notices)) => Some((Arc::new(loaded), notices)),
        Err(SessionError::Model(gstkizuna::models::ModelError::Probe { cause, .. }))
            if matches!(cause, EngineError::Library { .. }) =>
        {
            skip!("{name} on {:?}: {cause}", config.provider);
            None
        }
        Err(e) => panic!("{name} on {:?}: {e}", config.provider),
    }
}

/// A shipped model on `provider`, inspected once.
pub fn shipped(provider: Provider, model: &str) -> Option<Arc<Loaded>> {
    type Known = HashMap<(Provider, String), Option<Arc<Loaded>>>;
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    let known = KNOWN.get_or_init(Mutex::default);
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    known
        .entry((provider, model.into()))
        .or_insert_with(|| load(&config(provider, model)).map(|(loaded, _)| loaded))
        .clone()
}

pub fn video(format: PixelFormat, size: Size) -> VideoSpec {
    let color = ColorSpec { matrix: Matrix::Bt709, range: Range::Full, site: ChromaSite::LEFT };
    VideoSpec { format, size, color }
}

/// A session, and what is done to its frames.
pub struct Work {
    session: Session<Pair>,
    treatment: Treatment,
    delivered: Receiver<Finished<Pair>>,
    stats: Stats,
}

/// A frame and what it becomes.
pub struct Pair(Frame, Frame);

impl Frames for Pair {
    fn with(
        &mut self,
        work: &mut dyn FnMut(&FrameView, &mut FrameViewMut) -> Result<(), FrameError>,
    ) -> Result<(), FrameError> {
        let Self(src, dst) = self;
        dst.write(|dst| work(&src.view(), dst))
    }
}

impl Work {
    /// What was inferred so far, and what would have been without reuse, in input pixels.
    pub fn inferred(&self) -> (u64, u64) {
        (self.stats.pixels_inferred, self.stats.pixels_total)
    }

    pub fn setup(&self) -> &Setup {
        self.session.setup()
    }

    /// One frame, and what is said about it.
    pub fn try_process(
        &mut self,
        src: &Frame,
        to: VideoSpec,
    ) -> Result<(Frame, Vec<Notice>), SessionError> {
        let pair = Pair(src.clone(), Frame::new(to.format, to.size, 0));
        self.session.submit(pair, self.treatment, 1)?;
        let done = self.delivered.recv().unwrap();
        self.stats = done.stats;
        done.result.map(|()| (done.frames.1, done.notices))
    }
}

impl Work {
    /// How frames are treated from here on.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub fn treat(&mut self, treatment: Treatment) {
        self.treatment = treatment;
    }

    /// Frames that are all on their way at once, as they come out.
    #[allow(dead_code, reason = "each test file uses its own part")]
    pub fn process_all(
        &mut self,
        all: &[Frame],
        to: VideoSpec,
    ) -> Vec<Result<Frame, SessionError>> {
        for src in all {
            let pair = Pair(src.clone(), Frame::new(to.format, to.size, 0));
            self.session.submit(pair, self.treatment, all.len()).unwrap();
        }
        let done = all.iter().map(|_| self.delivered.recv().unwrap());
        done.map(|done| done.result.map(|()| done.frames.1)).collect()
    }
}

/// A session and what it said at its start.
pub fn session(
    loaded: &Arc<Loaded>,
    config: Config,
    (from, to): (VideoSpec, VideoSpec),
    finish: Finish,
) -> (Work, Vec<String>) {
    let (sender, delivered) = channel();
    let deliver = move |frame| sender.send(frame).unwrap();
    let (stats, cancel) = (Stats::default(), Cancel::new());
    let made = Opened::networks(loaded.clone(), config, (from, to), &cancel);
    let (opened, notices) = made.unwrap_or_else(|e| panic!("{}: {e}", loaded.source.name));
    let session = Session::start(opened, stats, cancel, deliver).unwrap();
    let treatment = Treatment { finish, plain: false };
    let stats = Stats::default();
    (Work { session, treatment, delivered, stats }, notices.into_iter().map(|n| n.0).collect())
}

/// One frame through `work`; nothing may be said about it.
pub fn process(work: &mut Work, src: &Frame, to: VideoSpec) -> Frame {
    let (frame, notices) = work.try_process(src, to).unwrap();
    assert!(notices.is_empty(), "{notices:?}");
    frame
}

/// The whole way: a new session, one frame.
pub fn upscale(loaded: &Arc<Loaded>, config: Config, src: &Frame, to: VideoSpec) -> Frame {
    let from = video(src.format, src.size);
    let (mut session, _) = session(loaded, config, (from, to), Finish::default());
    process(&mut session, src, to)
}

/// The drawn test picture as a frame of a format of 8 bits; alpha is a picture of its own.
pub fn drawn(format: PixelFormat, size: Size, seed: u32) -> Frame {
    let mut frame = Frame::new(format, size, 0);
    let info = format.info();
    for (c, component) in info.components.iter().chain(&info.alpha).enumerate() {
        frame.fill(component, |x, y| (sample(seed, c, y, x) * 255.0).round() as u32);
    }
    frame
}

/// The samples of a packed or grey frame as floats, a plane a channel, alpha last.
pub fn planes(frame: &Frame) -> Vec<Plane> {
    let info = frame.format.info();
    let (step, codes) = (info.components[0].step, frame.codes());
    let white = ((1u32 << info.depth) - 1) as f32;
    info.components
        .iter()
        .chain(&info.alpha)
        .map(|component| {
            let mut plane = Plane::new(frame.size);
            let codes = codes[component.offset..].iter().step_by(step);
            plane.samples_mut().iter_mut().zip(codes).for_each(|(v, &c)| *v = c as f32 / white);
            plane
        })
        .collect()
}

/// Largest difference in codes of 255; what lies outside 0..1 is clamped first, as output does.
pub fn worst(a: &[Plane], b: &[Plane]) -> f32 {
    assert_eq!(a.len(), b.len());
    let pairs = a.iter().zip(b).flat_map(|(a, b)| {
        assert_eq!(a.size(), b.size());
        a.samples().iter().zip(b.samples())
    });
    pairs.map(|(a, b)| (a.clamp(0.0, 1.0) - b.clamp(0.0, 1.0)).abs()).fold(0.0, f32::max) * 255.0
}

/// PSNR in dB.
pub fn psnr(a: &[Plane], b: &[Plane]) -> f64 {
    let pairs = || a.iter().zip(b).flat_map(|(a, b)| a.samples().iter().zip(b.samples()));
    let error: f64 = pairs().map(|(a, b)| f64::from(a.clamp(0.0, 1.0) - b).powi(2)).sum();
    -10.0 * (error.max(1e-20) / pairs().count() as f64).log10()
}

/// `plane` with `px` of its half-sample mirror image on each side.
pub fn mirrored(plane: &Plane, px: usize) -> Plane {
    let at = |i: usize, n: usize| gstkizuna::upscale::geometry::mirror(i as isize - px as isize, n);
    let Size { width, height } = plane.size();
    let mut grown = Plane::new(plane.size().grown(px));
    for y in 0..height + 2 * px {
        let row = plane.row(at(y, height));
        grown.row_mut(y).iter_mut().enumerate().for_each(|(x, v)| *v = row[at(x, width)]);
    }
    grown
}

/// The part of `size` at (`left`, `top`).
pub fn cropped(plane: &Plane, left: usize, top: usize, size: Size) -> Plane {
    let mut part = Plane::new(size);
    for y in 0..size.height {
        part.row_mut(y).copy_from_slice(&plane.row(top + y)[left..left + size.width]);
    }
    part
}

/// What a runtime itself makes of whole planes, with none of this crate's tiles, borders and pictures between.
pub fn direct(provider: Provider, loaded: &Loaded, planes: &[Plane]) -> Vec<Plane> {
    let Contract { input, output, .. } = &*loaded.contract;
    let size = planes[0].size();
    let shape =
        Shape { batch: 1, channels: input.channels, height: size.height, width: size.width };
    let samples: Vec<f32> = planes.iter().flat_map(|p| p.samples()).copied().collect();
    let tensor = Tensor { shape, layout: input.layout, samples: Samples::F32(samples) };
    let options = EngineOptions { search: vec![models_dir()], ..EngineOptions::default() };
    let mut engine = open(provider, &loaded.source, Some(tensor.dims()), &options).unwrap();
    let mut result = Tensor::zeros(shape, output.layout, output.element);
    engine.run(&tensor, &mut result, &Cancel::new()).unwrap();
    let Samples::F32(samples) = &result.samples else { panic!("floats are expected") };
    let size = Size::new(result.shape.width, result.shape.height);
    let plane = |samples: &[f32]| {
        let mut plane = Plane::new(size);
        plane.samples_mut().copy_from_slice(samples);
        plane
    };
    samples.chunks_exact(size.area()).map(plane).collect()
}

/// A network of `loaded`, tiled by hand, on `engine` or else the provider that `loaded` chose.
pub fn network(
    loaded: &Loaded,
    frame: Size,
    (tile, halo): (Option<usize>, usize),
    engine: Option<Box<dyn Engine>>,
) -> Network {
    let contract = &loaded.contract;
    let request = TileRequest {
        max_tile: tile.map(|side| Size::new(side, side)),
        halo,
        border: 4,
        alignment: contract.alignment,
        min_size: contract.min_size,
        fixed_width: None,
        fixed_height: None,
        scale: contract.scale,
    };
    let plan = TilePlan::new(frame, &request);
    let engine = engine.unwrap_or_else(|| {
        let dims = Network::input_dims(contract, &plan, 1);
        let options = EngineOptions { search: vec![models_dir()], ..EngineOptions::default() };
        open(loaded.info.provider, &loaded.source, Some(dims), &options).unwrap()
    });
    Network::new(contract.clone(), plan, 1, false, engine)
}

/// `planes` through `network`, before anything is rounded.
pub fn run_network(network: &mut Network, planes: &[Plane]) -> Vec<Plane> {
    let src: Vec<_> = planes.iter().collect();
    network.run(&src, None, Vec::new, &Cancel::new()).unwrap().planes
}
