//! The middle stage: pictures through the networks, and what is done when one fails.

use std::sync::Arc;

use super::choose::{Loaded, engine_options};
use super::config::{Config, Notice, SessionError};
use super::fallback::{Choice, next_choice};
use super::{precision, tiles};
use crate::engine::{self, Cancel, EngineError, EngineInfo};
use crate::upscale::video::passes;
use crate::upscale::{Network, Plane, Prepared, Size, UpscaleError, VideoSpec};

/// What runs, for people to look at.
#[derive(Debug, Clone, PartialEq)]
pub struct Setup {
    /// The engine.
    pub info: EngineInfo,
    /// One line: what really runs, and why others do not.
    pub provider: String,
    /// The shape of all tiles of the first pass, in input pixels; 0x0 where frames are scaled plainly.
    pub tile: Size,
    /// Context around what a tile owns, in input pixels.
    pub halo: usize,
    /// Tiles of a frame, all passes together.
    pub tiles: usize,
    /// Tiles per run.
    pub batch: usize,
    /// Passes of the network over a frame.
    pub passes: usize,
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
        notices.extend(tiles::shortfall(config.memory_limit, &input, &output));
        let (precision, notice) = precision::choose(&loaded, &config, cancel)?;
        notices.extend(notice);
        let mut choice = Choice { provider: loaded.info.provider, precision, shrink: 0 };
        let job = Job { loaded, config, input, output };
        let networks = loop {
            match job.build(choice, cancel, notices) {
                Ok(networks) => break networks,
                Err(e) => {
                    let can_shrink = job.loaded.contract.input.size().is_none();
                    choice = next_choice(choice, e.into(), &job.config, can_shrink, notices)?;
                }
            }
        };
        let setup = Arc::new(job.describe(&networks));
        Ok(Self {
            job,
            choice,
            networks,
            setup,
            plain_from_here: false,
            between: Vec::new(),
            opaque: Plane::default(),
        })
    }

    /// What runs now.
    pub fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }

    /// Upscales one picture; where memory runs out or the result is not finite, falls back as configured and redoes it.
    /// `planes` gives the planes of an earlier result, to be used again. `None`: every network has failed, and the frame is
    /// to be scaled plainly.
    ///
    /// # Errors
    /// When no fallback is left; see [`SessionError::is_cancelled`] for flush and stop.
    pub fn run(
        &mut self,
        prepared: &Prepared,
        planes: &mut dyn FnMut() -> Vec<Plane>,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<Option<Vec<Plane>>, SessionError> {
        if self.networks.is_empty() && !self.plain_from_here {
            // A flush came while they were rebuilt.
            self.rebuild(cancel, notices)?;
        }
        while !self.plain_from_here {
            match self.run_networks(prepared, planes, cancel) {
                Ok(result) => return Ok(Some(result)),
                Err(error) => {
                    log::debug!("frame failed: {error}");
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
    ) -> Result<Vec<Plane>, UpscaleError> {
        let channels = self.job.loaded.contract.input.channels;
        let picture = prepared.channels(channels, &mut self.opaque);
        let Some((last, first)) = self.networks.split_last_mut() else {
            return Ok(Vec::new());
        };
        self.between.resize_with(first.len(), Vec::new);
        for (i, network) in first.iter_mut().enumerate() {
            let (before, stage) = self.between.split_at_mut(i);
            let src = before.last().map_or_else(|| picture.clone(), |p| p.iter().collect());
            let kept = std::mem::take(&mut stage[0]);
            stage[0] = network.run(&src, || kept, cancel)?;
        }
        let src = self.between.last().map_or(picture, |planes| planes.iter().collect());
        last.run(&src, planes, cancel)
    }

    /// Rebuilds with less.
    fn fall_back(
        &mut self,
        mut error: SessionError,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<(), SessionError> {
        loop {
            let can_shrink = self.networks.iter().all(|n| n.plan().can_shrink());
            match next_choice(self.choice, error, &self.job.config, can_shrink, notices) {
                Ok(choice) => self.choice = choice,
                Err(e) if self.job.config.fallback.resize && !e.is_cancelled() => {
                    notices.push(Notice(format!("frames are scaled plainly from here on: {e}")));
                    self.plain_from_here = true;
                    self.networks.clear();
                    self.setup = Arc::new(self.job.describe(&[]));
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
        self.networks.clear();
        self.networks = self.job.build(self.choice, cancel, notices)?;
        self.setup = Arc::new(self.job.describe(&self.networks));
        Ok(())
    }
}

impl Job {
    /// Plans tiles and opens engines.
    fn build(
        &self,
        choice: Choice,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<Vec<Network>, EngineError> {
        let (contract, config) = (&self.loaded.contract, &self.config);
        let budget = tiles::budget(config.memory_limit, &self.input, &self.output);
        let options = engine_options(config, choice.precision);
        let mut networks: Vec<Network> = Vec::new();
        let mut size = self.input.size;
        for _ in 0..passes(size, self.output.size, contract.scale) {
            let batch = contract.input.batch.or(config.batch_size).unwrap_or(1).max(1);
            let share = tiles::share(budget, choice.provider, contract, batch);
            let planned = tiles::plan(size, contract, config, share, choice.shrink, notices);
            // Tiles that do not exist are not inferred, unless the network insists.
            let batch = contract.input.batch.unwrap_or(batch.min(planned.plan.len()));
            let dims = Some(Network::input_dims(contract, &planned.plan, batch));
            let source = &self.loaded.source;
            let engine =
                engine::open_unless_cancelled(choice.provider, source, dims, &options, cancel)?;
            size = planned.plan.output_size();
            networks.push(Network::new(
                contract.clone(),
                planned.plan,
                batch,
                planned.fade,
                engine,
            ));
        }
        Ok(networks)
    }

    fn describe(&self, networks: &[Network]) -> Setup {
        let info = networks.first().map_or(&self.loaded.info, |n| n.engine().info()).clone();
        let first = networks.first().map(Network::plan);
        Setup {
            provider: self.loaded.describe_provider(&info),
            info,
            tile: first.map(|p| p.tile_size()).unwrap_or_default(),
            halo: first.map_or(0, |p| p.x.halo),
            tiles: networks.iter().map(|n| n.plan().len()).sum(),
            batch: networks.first().map_or(0, Network::batch),
            passes: networks.len(),
        }
    }
}
