//! The middle stage: pictures through the networks, and what is done when one fails.

use std::sync::Arc;

use super::choose::{Loaded, engine_options};
use super::config::{Config, Notice, SessionError};
use super::direct;
use super::fallback::{Choice, first_choice, next_choice};
use super::running::Frames;
use super::tiles::{self, Ask, Budget, Room};
use crate::engine::{self, Cancel, EngineError, EngineInfo, EngineOptions, Provider, ValueRange};
use crate::upscale::change::{ChangeMap, spread};
use crate::upscale::direct::{Direct, Shares};
use crate::upscale::slot::Pool;
use crate::upscale::stream::Stream;
use crate::upscale::video::passes;
use crate::upscale::{Network, Plane, Prepared, Size, UpscaleError, VideoSpec};

/// What runs, for people to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The engine; none where no network is open.
    pub info: Option<EngineInfo>,
    /// One line: what really runs, and why others do not.
    pub provider: String,
    /// The shape of all tiles of the first pass, in input pixels; 0x0 where frames are scaled plainly.
    pub tile: Size,
    /// Context around what a tile owns, in input pixels.
    pub halo: usize,
    /// Tiles of a frame, all passes together.
    pub tiles: usize,
    /// Input pixels of a frame that are inferred without reuse, context included, all passes together.
    pub pixels: usize,
    /// Tiles per run.
    pub batch: usize,
    /// Passes of the network over a frame.
    pub passes: usize,
    /// Frames that are worked on at once.
    pub streams: usize,
    /// Whether frames take a short way, [`Stream`] or [`Direct`], unless something is done to the network's result.
    pub is_streamed: bool,
}

impl Setup {
    /// No network; `why` says why.
    pub(super) fn plain(why: &str) -> Self {
        Self {
            info: None,
            provider: why.into(),
            tile: Size::default(),
            halo: 0,
            tiles: 0,
            pixels: 0,
            batch: 0,
            passes: 0,
            streams: 1,
            is_streamed: false,
        }
    }
}

/// What the networks made of a frame.
pub(super) struct Outcome {
    /// The last one's result.
    pub planes: Vec<Plane>,
    /// Tiles inferred.
    pub tiles: usize,
    /// Input pixels inferred, context included, all passes together.
    pub pixels: usize,
}

/// A way from frame to frame that makes no pictures.
enum Short {
    /// Row by row, by the one network's engine.
    Rows(Box<Stream>),
    /// As raw samples, several frames at once. No network is open beside it: the first frame to go by way of pictures opens them and ends it.
    Direct(Vec<Direct>),
}

/// The networks at work on frames of one kind.
pub(super) struct Inference {
    job: Job,
    choice: Choice,
    networks: Vec<Network>,
    setup: Arc<Setup>,
    /// Every fallback but plain scaling is used up.
    plain_from_here: bool,
    /// What all networks but the last gave.
    between: Vec<Vec<Plane>>,
    /// The short way, where there is one.
    short: Option<Short>,
    /// Whether frames go by way of pictures whatever else there would be.
    by_pictures: bool,
    /// Whether the last results were made of the frame before, so that what did not change can be kept.
    current: bool,
    /// Alpha for a network that wants it, where frames have none.
    opaque: Plane,
}

/// What is to be done.
struct Job {
    loaded: Arc<Loaded>,
    config: Config,
    input: VideoSpec,
    output: VideoSpec,
}

impl Inference {
    /// Plans tiles and opens engines for frames of `input` that become frames of `output`.
    ///
    /// # Errors
    /// What the engines say; nothing is left open then.
    pub fn new(
        loaded: Arc<Loaded>,
        config: Config,
        input: VideoSpec,
        output: VideoSpec,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<Self, SessionError> {
        tiles::check_pictures(&input, &output)?;
        let mut choice = first_choice(&loaded, &config, cancel, notices)?;
        let job = Job { loaded, config, input, output };
        notices.extend(job.shortfall(choice));
        let (networks, short) = loop {
            match job.open(choice, false, cancel, notices) {
                Ok(ways) => break ways,
                Err(e) => {
                    choice = next_choice(choice, e.into(), &job.config, job.can_shrink(), notices)?;
                }
            }
        };
        let setup = Arc::new(job.describe(&networks, short.as_ref()));
        Ok(Self {
            job,
            choice,
            networks,
            setup,
            plain_from_here: false,
            between: Vec::new(),
            current: false,
            short,
            by_pictures: false,
            opaque: Plane::default(),
        })
    }

    /// What runs now.
    pub fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }

    /// A frame was left out: the next one has nothing to keep.
    pub fn skip(&mut self) {
        self.current = false;
    }

    /// Takes a frame the short way. Returns how many tiles and pixels of it were inferred; `None` where there is no such way (any
    /// more): it must be read and go through [`Self::run`].
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn stream<F: Frames>(
        &mut self,
        frames: &mut F,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<Shares>, SessionError> {
        let width = self.job.input.size.width;
        while let Some(short) = &mut self.short {
            let mut streamed = Ok(Shares { tiles: 0, pixels: 0 });
            let seen = frames.with(&mut |src, dst| {
                streamed = match short {
                    Short::Rows(stream) => stream
                        .run(src, dst, cancel)
                        .map(|rows| Shares { tiles: 1, pixels: rows * width }),
                    Short::Direct(directs) => match directs.first_mut() {
                        Some(direct) => direct.run(src, dst, cancel),
                        None => Err(EngineError::Run("nothing is open".into()).into()),
                    },
                };
                Ok(())
            });
            match seen.map_err(UpscaleError::from).and(streamed) {
                Ok(shares) => return Ok(Some(shares)),
                Err(error) => {
                    log::debug!("frame failed: {error}");
                    self.fall_back(error.into(), cancel, notices)?;
                }
            }
        }
        Ok(None)
    }

    /// How many frames [`Self::stream_together`] takes.
    pub fn streams(&self) -> usize {
        self.setup.streams
    }

    /// Takes frames the direct way, each on a thread of its own. What fails is left for [`Self::stream`], which knows what to do
    /// then: `None` in its place.
    pub fn stream_together<F: Frames>(
        &mut self,
        frames: Vec<&mut F>,
        cancel: &Cancel,
    ) -> Vec<Option<Shares>> {
        let Some(Short::Direct(directs)) = &mut self.short else {
            return frames.iter().map(|_| None).collect();
        };
        let run = |direct: &mut Direct, frames: &mut F| {
            let mut shares = None;
            let seen = frames.with(&mut |src, dst| {
                let ran = direct.run(src, dst, cancel);
                shares = ran.inspect_err(|e| log::debug!("frame failed: {e}")).ok();
                Ok(())
            });
            shares.filter(|_| seen.is_ok())
        };
        std::thread::scope(|scope| {
            let pairs = directs.iter_mut().zip(frames);
            let threads: Vec<_> =
                pairs.map(|(direct, frames)| scope.spawn(move || run(direct, frames))).collect();
            threads.into_iter().map(|thread| thread.join().ok().flatten()).collect()
        })
    }

    /// Upscales one picture; where memory runs out or the result is not finite, falls back as configured and redoes it.
    /// `planes` gives the planes of the last result, to be kept where nothing changed. `None`: every network has failed, and the
    /// frame is to be scaled plainly.
    ///
    /// # Errors
    /// When no fallback is left; see [`SessionError::is_cancelled`] for flush and stop.
    pub fn run(
        &mut self,
        prepared: &Prepared,
        planes: &mut dyn FnMut() -> Vec<Plane>,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<Outcome>, SessionError> {
        // This frame goes by way of pictures, and so do those after it: both ways open would take twice the memory.
        self.by_pictures = true;
        while !self.plain_from_here {
            let is_open = !self.networks.is_empty();
            let opened = if is_open { Ok(()) } else { self.rebuild(cancel, notices) };
            let opened = opened.map_err(UpscaleError::from);
            match opened.and_then(|()| self.run_networks(prepared, planes, cancel)) {
                Ok(outcome) => {
                    self.current = true;
                    return Ok(Some(outcome));
                }
                Err(error) => {
                    log::debug!("frame failed: {error}");
                    self.current = false;
                    self.fall_back(error.into(), cancel, notices)?;
                }
            }
        }
        Ok(None)
    }

    fn run_networks(
        &mut self,
        prepared: &Prepared,
        planes: &mut dyn FnMut() -> Vec<Plane>,
        cancel: &Cancel,
    ) -> Result<Outcome, UpscaleError> {
        let channels = self.job.loaded.contract.input.channels;
        let picture = prepared.channels(channels, &mut self.opaque);
        let (mut tiles, mut pixels) = (0, 0);
        let mut changes = prepared.changes.clone().filter(|_| self.current);
        let last = self.networks.len() - 1;
        self.between.resize_with(last, Vec::new);
        for (i, network) in self.networks.iter_mut().enumerate() {
            let (before, rest) = self.between.split_at_mut(i);
            let src = before.last().map_or_else(|| picture.clone(), |p| p.iter().collect());
            let mut kept = rest.first_mut().map(std::mem::take);
            let planes = || kept.take().unwrap_or_else(&mut *planes);
            let inferred = network.run(&src, changes.as_ref(), planes, cancel)?;
            (tiles, pixels) = (tiles + inferred.tiles, pixels + inferred.pixels);
            if i == last {
                return Ok(Outcome { planes: inferred.planes, tiles, pixels });
            }
            changes = inferred.fresh.map(|fresh| {
                let mut map = ChangeMap::none(network.plan().output_size());
                fresh.into_iter().for_each(|rect| map.mark(rect));
                map
            });
            rest[0] = inferred.planes;
        }
        Ok(Outcome { planes: Vec::new(), tiles, pixels })
    }

    /// Rebuilds with less.
    fn fall_back(
        &mut self,
        mut error: SessionError,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<(), SessionError> {
        if matches!(error, SessionError::Frame(UpscaleError::Frame(_))) {
            // Its own fault: the next one may be well.
            return Err(error);
        }
        let direct = match &self.short {
            Some(Short::Direct(directs)) => {
                Some(directs.iter().all(|direct| direct.plan().can_shrink()))
            }
            _ => None,
        };
        if direct.is_some() && !error.is_cancelled() && !error.is_out_of_memory() {
            notices.push(Notice(format!("{error}; going on by way of pictures")));
            self.by_pictures = true;
            match self.rebuild(cancel, notices) {
                Ok(()) => return Ok(()),
                Err(e) => error = e.into(),
            }
        }
        loop {
            let can_shrink = self.job.can_shrink()
                && direct.unwrap_or(true)
                && self.networks.iter().all(|n| n.plan().can_shrink());
            match next_choice(self.choice, error, &self.job.config, can_shrink, notices) {
                Ok(choice) => self.choice = choice,
                Err(e) if self.job.config.fallback.resize && !e.is_cancelled() => {
                    notices.push(Notice(format!("frames are scaled plainly from here on: {e}")));
                    self.plain_from_here = true;
                    self.release();
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
            match self.rebuild(cancel, notices) {
                Ok(()) => return Ok(()),
                Err(e) => error = e.into(),
            }
        }
    }

    fn rebuild(&mut self, cancel: &Cancel, notices: &mut Vec<Notice>) -> Result<(), EngineError> {
        // The old engines' memory is given back first.
        self.release();
        (self.networks, self.short) =
            self.job.open(self.choice, self.by_pictures, cancel, notices)?;
        self.setup = Arc::new(self.job.describe(&self.networks, self.short.as_ref()));
        Ok(())
    }

    fn release(&mut self) {
        self.current = false;
        self.short = None;
        self.networks.clear();
        self.setup = Arc::new(self.job.describe(&[], None));
    }
}

impl Job {
    /// What the user must hear of a limit that cannot be kept.
    fn shortfall(&self, choice: Choice) -> Option<Notice> {
        let room = Room::of(choice.provider, &engine_options(&self.config, choice.precision));
        tiles::shortfall(room, self.config.memory_limit, &self.input, &self.output)
    }

    /// Whether tiles may be of another size at all.
    fn can_shrink(&self) -> bool {
        self.loaded.contract.input.size().is_none()
    }

    /// What runs frames: networks, and the short way where there is one.
    fn open(
        &self,
        choice: Choice,
        by_pictures: bool,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<(Vec<Network>, Option<Short>), EngineError> {
        if !by_pictures {
            let specs = (self.input, self.output);
            let direct = direct::open(&self.loaded, &self.config, specs, choice, cancel, notices)?;
            if let Some(directs) = direct {
                return Ok((Vec::new(), Some(Short::Direct(directs))));
            }
        }
        let networks = self.build(choice, cancel, notices)?;
        let short = self.stream(&networks).map(|stream| Short::Rows(Box::new(stream)));
        Ok((networks, short))
    }

    /// Plans tiles and opens engines.
    fn build(
        &self,
        choice: Choice,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<Vec<Network>, EngineError> {
        let (contract, config) = (&self.loaded.contract, &self.config);
        let mut options = engine_options(config, choice.precision);
        let room = Room::of(choice.provider, &options);
        let budget = Budget::new(room, config.memory_limit, &self.input, &self.output);
        let mut networks: Vec<Network> = Vec::new();
        let mut size = self.input.size;
        let passes = passes(size, self.output.size, contract.scale);
        options.device_memory = config.memory_limit.map(|limit| limit / passes.max(1) as u64);
        for _ in 0..passes {
            let batch = contract.input.batch.or(config.batch_size).unwrap_or(1).max(1);
            let can_be_stopped =
                engine::can_be_stopped(choice.provider, &self.loaded.source, &options);
            let budget = budget.share(can_be_stopped, batch);
            let ask = Ask { budget, raw: None, shrink: choice.shrink };
            let planned = tiles::plan(size, contract, config, ask, notices);
            // Tiles that do not exist are not inferred, unless the network insists.
            let batch = contract.input.batch.unwrap_or(batch.min(planned.plan.len()));
            let dims = Some(Network::input_dims(contract, &planned.plan, batch));
            let source = &self.loaded.source;
            let engine =
                engine::open_unless_cancelled(choice.provider, source, dims, &options, cancel)?;
            size = planned.plan.output_size();
            let mut network =
                Network::new(contract.clone(), planned.plan, batch, planned.fade, engine);
            // Only the first pass sees what chroma spreads.
            let spread = if networks.is_empty() { spread(self.input.format) } else { 0 };
            if config.reuse_tolerance.is_some() && contract.input.size().is_none() {
                let pool = self.patch_engines(choice, options.clone());
                network.reuse_unchanged(spread, patch_steps(choice.provider), pool);
            }
            networks.push(network);
        }
        Ok(networks)
    }

    /// Engines for patches.
    fn patch_engines(&self, choice: Choice, options: EngineOptions) -> Pool {
        let source = self.loaded.source.clone();
        let open = Box::new(move |dims, cancel: &Cancel| {
            log::debug!("{}: opening an engine for patches of {dims:?}", choice.provider);
            engine::open_unless_cancelled(choice.provider, &source, dims, &options, cancel)
        });
        Pool::new(takes_any_shape(choice.provider), open)
    }

    /// The short way, where the engine knows one and nobody asked for tiles.
    fn stream(&self, networks: &[Network]) -> Option<Stream> {
        let (contract, config) = (&self.loaded.contract, &self.config);
        let [network] = networks else { return None };
        let asked = config.tile_size.or(config.overlap).or(config.batch_size);
        if asked.is_some() || contract.range != ValueRange::Unit {
            return None;
        }
        let rows = network.engine().rows()?;
        let border = network.plan().border;
        Stream::new(rows, border, self.input, self.output, config.reuse_tolerance)
    }

    fn describe(&self, networks: &[Network], short: Option<&Short>) -> Setup {
        let direct = match short {
            Some(Short::Direct(directs)) => directs.first(),
            _ => None,
        };
        let first = networks.first();
        let info = first.map(|n| n.engine().info()).or(direct.map(Direct::info));
        let info = info.unwrap_or(&self.loaded.info).clone();
        let plans: Vec<_> =
            networks.iter().map(Network::plan).chain(direct.map(Direct::plan)).collect();
        let first = plans.first();
        Setup {
            provider: self.loaded.describe_provider(&info),
            info: Some(info),
            tile: first.map(|p| p.tile_size()).unwrap_or_default(),
            halo: first.map_or(0, |p| p.x.halo),
            tiles: plans.iter().map(|plan| plan.len()).sum(),
            pixels: match short {
                Some(Short::Rows(_)) => self.input.size.area(),
                _ => plans.iter().map(|plan| plan.len() * plan.tile_size().area()).sum(),
            },
            streams: match short {
                Some(Short::Direct(directs)) => directs.len(),
                _ => 1,
            },
            is_streamed: short.is_some(),
            batch: networks.first().map_or(plans.len(), Network::batch),
            passes: plans.len(),
        }
    }
}

/// Whether one engine runs any shape without being compiled for it.
const fn takes_any_shape(provider: Provider) -> bool {
    matches!(provider, Provider::Embedded | Provider::Cpu)
}

/// In how many lengths patches come on each axis: as many as are worth it where each shape is compiled.
const fn patch_steps(provider: Provider) -> usize {
    if takes_any_shape(provider) { 64 } else { 9 }
}
