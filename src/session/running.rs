//! Frames through the networks, and what is done when one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::choose::{Loaded, engine_options};
use super::config::{Config, Notice, SessionError};
use super::fallback::{Choice, next_choice};
use super::{precision, tiles};
use crate::engine::{self, Cancel, EngineError, EngineInfo};
use crate::upscale::upscaler::{Finish, Upscaler, passes};
use crate::upscale::{FrameView, FrameViewMut, Network, VideoSpec};

/// Figures so far.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Frames upscaled by the network.
    pub frames: u64,
    /// Frames scaled plainly, by `fallback=resize`.
    pub plain_frames: u64,
    /// Tiles inferred.
    pub tiles: u64,
    /// Times that something else was done than asked for.
    pub fallbacks: u64,
    /// Time spent on frames.
    pub busy: Duration,
    /// Time spent on the last frame.
    pub last: Duration,
}

/// A network at work on frames of one kind.
pub struct Session {
    job: Job,
    choice: Choice,
    upscaler: Upscaler,
    info: EngineInfo,
    /// Every fallback but plain scaling is used up.
    plain_from_here: bool,
    stats: Stats,
}

/// What is to be done.
struct Job {
    loaded: Arc<Loaded>,
    config: Config,
    input: VideoSpec,
    output: VideoSpec,
    finish: Finish,
}

impl Session {
    /// Plans tiles and opens engines for frames of `input` that become frames of `output`.
    ///
    /// # Errors
    /// What the engines say; nothing is left open then.
    pub fn new(
        loaded: Arc<Loaded>,
        config: Config,
        input: VideoSpec,
        output: VideoSpec,
        finish: Finish,
        cancel: &Cancel,
    ) -> Result<(Self, Vec<Notice>), SessionError> {
        tiles::check_pictures(&input, &output)?;
        let mut notices = Vec::new();
        notices.extend(tiles::shortfall(config.memory_limit, &input, &output));
        let (precision, notice) = precision::choose(&loaded, &config, cancel)?;
        notices.extend(notice);
        let mut choice = Choice { provider: loaded.info.provider, precision, shrink: 0 };
        let job = Job { loaded, config, input, output, finish };
        let (upscaler, info) = loop {
            match job.build(choice, cancel, &mut notices) {
                Ok(built) => break built,
                Err(e) => {
                    let can_shrink = job.loaded.contract.input.size().is_none();
                    choice = next_choice(choice, e.into(), &job.config, can_shrink, &mut notices)?;
                }
            }
        };
        let stats = Stats::default();
        Ok((Self { job, choice, upscaler, info, plain_from_here: false, stats }, notices))
    }

    /// What really runs.
    pub fn engine_info(&self) -> &EngineInfo {
        &self.info
    }

    /// One line: what really runs, and why others do not.
    pub fn describe_provider(&self) -> String {
        self.job.loaded.describe_provider(&self.info)
    }

    /// The networks, in the order in which they run: their plans tell about tiles. Empty where frames are scaled plainly.
    pub fn networks(&self) -> &[Network] {
        self.upscaler.networks()
    }

    /// Figures so far.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Takes over the figures of the session before, when caps change.
    pub fn set_stats(&mut self, stats: Stats) {
        self.stats = stats;
    }

    /// Changes strength and sharpness from the next frame on.
    pub fn set_finish(&mut self, finish: Finish) {
        self.job.finish = finish;
        self.upscaler.set_finish(finish);
    }

    /// Upscales one frame; where memory runs out or the result is not finite, falls back as configured and redoes it.
    ///
    /// # Errors
    /// When no fallback is left; see [`SessionError::is_cancelled`] for flush and stop.
    pub fn process(
        &mut self,
        src: &FrameView,
        dst: &mut FrameViewMut,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<(), SessionError> {
        let begun = Instant::now();
        if self.networks().is_empty() && !self.plain_from_here {
            // A flush came while it was rebuilt.
            (self.upscaler, self.info) = self.job.build(self.choice, cancel, notices)?;
        }
        while !self.plain_from_here {
            let Err(error) = self.upscaler.process(src, dst, cancel) else {
                self.stats.frames += 1;
                self.stats.tiles +=
                    self.networks().iter().map(|n| n.plan().len() as u64).sum::<u64>();
                self.stats.last = begun.elapsed();
                self.stats.busy += self.stats.last;
                return Ok(());
            };
            log::debug!("frame failed: {error}");
            let said = notices.len();
            let fallen_back = self.fall_back(error.into(), cancel, notices);
            self.stats.fallbacks += (notices.len() - said) as u64;
            fallen_back?;
        }
        self.scale_plainly(src, dst)
    }

    /// Scales one frame plainly, because it is late or nothing else is left.
    ///
    /// # Errors
    /// For frames of another kind than announced.
    pub fn scale_plainly(
        &mut self,
        src: &FrameView,
        dst: &mut FrameViewMut,
    ) -> Result<(), SessionError> {
        self.upscaler.scale_plainly(src, dst)?;
        self.stats.plain_frames += 1;
        Ok(())
    }

    /// Rebuilds with less.
    fn fall_back(
        &mut self,
        mut error: SessionError,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<(), SessionError> {
        loop {
            let can_shrink = self.networks().iter().all(|n| n.plan().can_shrink());
            match next_choice(self.choice, error, &self.job.config, can_shrink, notices) {
                Ok(choice) => self.choice = choice,
                Err(e) if self.job.config.fallback.resize && !e.is_cancelled() => {
                    notices.push(Notice(format!("frames are scaled plainly from here on: {e}")));
                    self.plain_from_here = true;
                    self.upscaler.release_networks();
                    return Ok(());
                }
                Err(e) => return Err(e),
            }
            // The old engines' memory is given back first.
            self.upscaler.release_networks();
            match self.job.build(self.choice, cancel, notices) {
                Ok((upscaler, info)) => {
                    (self.upscaler, self.info) = (upscaler, info);
                    return Ok(());
                }
                Err(e) => error = e.into(),
            }
        }
    }
}

impl Job {
    /// Plans tiles and opens engines.
    fn build(
        &self,
        choice: Choice,
        cancel: &Cancel,
        notices: &mut Vec<Notice>,
    ) -> Result<(Upscaler, EngineInfo), EngineError> {
        let (contract, config) = (&self.loaded.contract, &self.config);
        let budget = tiles::budget(config.memory_limit, &self.input, &self.output);
        let options = engine_options(config, choice.precision);
        let mut networks = Vec::new();
        let mut size = self.input.size;
        let mut info = self.loaded.info.clone();
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
            info.clone_from(engine.info());
            size = planned.plan.output_size();
            networks.push(Network::new(
                contract.clone(),
                planned.plan,
                batch,
                planned.fade,
                engine,
            ));
        }
        let channels = contract.output.channels;
        Ok((Upscaler::new(self.input, self.output, networks, channels, self.finish), info))
    }
}
