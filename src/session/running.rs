//! Frames through the networks, and what is done when one fails.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::choose::{Loaded, engine_options};
use super::config::{Config, Notice, SessionError};
use super::{precision, tiles};
use crate::engine::{self, Cancel, Contract, EngineError, EngineInfo, Precision, Provider};
use crate::upscale::upscaler::{Finish, Upscaler, passes};
use crate::upscale::{FrameView, FrameViewMut, Network, UpscaleError, VideoSpec};

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
    loaded: Arc<Loaded>,
    config: Config,
    input: VideoSpec,
    output: VideoSpec,
    choice: Choice,
    upscaler: Upscaler,
    stats: Stats,
    finish: Finish,
}

/// What may be changed when resources run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Choice {
    provider: Provider,
    precision: Precision,
    /// How often the tile was halved.
    shrink: u32,
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
        let mut notices = Vec::new();
        if let (Some(fixed), Some(asked)) = (loaded.contract.input.batch, config.batch_size)
            && fixed != asked
        {
            let text = format!("batch-size {asked} is not used: the network fixes it to {fixed}");
            notices.push(Notice(text));
        }
        notices.extend(tiles::shortfall(config.memory_limit, &input, &output));
        let provider = loaded.info.provider;
        let (precision, notice) = precision::choose(&loaded, provider, &config, cancel)?;
        notices.extend(notice);
        let mut choice = Choice { provider, precision, shrink: 0 };
        let upscaler = loop {
            match build(&loaded, &config, &input, &output, choice, finish, &mut notices) {
                Ok(upscaler) => break upscaler,
                Err(e) => {
                    let contract = &loaded.contract;
                    choice = next_choice(choice, e.into(), &config, contract, &[], &mut notices)?;
                }
            }
        };
        let session = Self {
            loaded,
            config,
            input,
            output,
            choice,
            upscaler,
            stats: Stats::default(),
            finish,
        };
        Ok((session, notices))
    }

    /// What really runs.
    pub fn engine_info(&self) -> &EngineInfo {
        self.upscaler.networks()[0].engine().info()
    }

    /// One line: what really runs, and why others do not.
    pub fn describe_provider(&self) -> String {
        self.loaded.describe_provider(self.engine_info())
    }

    /// The networks, in the order in which they run: their plans tell about tiles.
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
        self.finish = finish;
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
        while let Err(error) = self.upscaler.process(src, dst, cancel) {
            log::debug!("frame failed: {error}");
            match self.fall_back(error.into(), notices) {
                Ok(true) => {}
                Ok(false) => return self.scale_plainly(src, dst),
                Err(e) => return Err(e),
            }
        }
        self.stats.frames += 1;
        self.stats.tiles += self.networks().iter().map(|n| n.plan().len() as u64).sum::<u64>();
        self.stats.last = begun.elapsed();
        self.stats.busy += self.stats.last;
        Ok(())
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

    /// Rebuilds with less; `false` where plain scaling is all that is left.
    fn fall_back(
        &mut self,
        mut error: SessionError,
        notices: &mut Vec<Notice>,
    ) -> Result<bool, SessionError> {
        loop {
            let said = notices.len();
            let (config, contract) = (&self.config, &self.loaded.contract);
            let next = next_choice(self.choice, error, config, contract, self.networks(), notices);
            self.stats.fallbacks += (notices.len() - said) as u64;
            match next {
                Ok(choice) => self.choice = choice,
                Err(e) if self.config.fallback.resize && !e.is_cancelled() => {
                    notices.push(Notice(format!("a frame is scaled plainly: {e}")));
                    self.stats.fallbacks += 1;
                    return Ok(false);
                }
                Err(e) => return Err(e),
            }
            let (input, output) = (&self.input, &self.output);
            match build(
                &self.loaded,
                &self.config,
                input,
                output,
                self.choice,
                self.finish,
                notices,
            ) {
                Ok(upscaler) => {
                    self.upscaler = upscaler;
                    return Ok(true);
                }
                Err(e) => error = e.into(),
            }
        }
    }
}

/// What to try after `error`; the error itself where nothing is left.
fn next_choice(
    choice: Choice,
    error: SessionError,
    config: &Config,
    contract: &Contract,
    networks: &[Network],
    notices: &mut Vec<Notice>,
) -> Result<Choice, SessionError> {
    let mut take = |choice, what: String| {
        notices.push(Notice(format!("{error}; {what}")));
        Ok(choice)
    };
    if error.is_cancelled() {
        return Err(error);
    }
    if matches!(error, SessionError::Frame(UpscaleError::NotFinite { .. }))
        && choice.precision != Precision::Fp32
    {
        return take(Choice { precision: Precision::Fp32, ..choice }, "going on in fp32".into());
    }
    if error.is_out_of_memory()
        && config.fallback.tile
        && choice.shrink < MOST_HALVINGS
        && contract.input.width.and(contract.input.height).is_none()
        && networks.iter().all(can_shrink)
    {
        return take(
            Choice { shrink: choice.shrink + 1, ..choice },
            "going on with half the tile".into(),
        );
    }
    // NaN in fp32, a wrong size, a frame of another kind: that is not the provider's doing.
    let is_engines = error.engine().is_some();
    if is_engines && config.fallback.cpu && choice.provider != Provider::Embedded {
        let provider =
            if choice.provider == Provider::Cpu { Provider::Embedded } else { Provider::Cpu };
        return take(
            Choice { provider, precision: Precision::Fp32, shrink: 0 },
            format!("going on with provider {provider}"),
        );
    }
    Err(error)
}

/// Halvings after which a tile is as small as any network takes.
const MOST_HALVINGS: u32 = 16;

/// Whether smaller tiles would do.
fn can_shrink(network: &Network) -> bool {
    let plan = network.plan();
    plan.x.tile > plan.x.shortest || plan.y.tile > plan.y.shortest
}

/// Opens engines and plans tiles.
fn build(
    loaded: &Loaded,
    config: &Config,
    input: &VideoSpec,
    output: &VideoSpec,
    choice: Choice,
    finish: Finish,
    notices: &mut Vec<Notice>,
) -> Result<Upscaler, EngineError> {
    let contract = &loaded.contract;
    let budget = tiles::budget(config.memory_limit, input, output);
    let mut networks = Vec::new();
    let mut size = input.size;
    for _ in 0..passes(input.size, output.size, contract.scale) {
        let batch = contract.input.batch.or(config.batch_size).unwrap_or(1).max(1);
        let share = budget / batch as u64;
        let planned = tiles::plan(size, contract, config, share, choice.shrink, notices);
        // Tiles that do not exist are not inferred, unless the network insists.
        let batch = contract.input.batch.unwrap_or(batch.min(planned.plan.len()));
        let dims = Network::input_dims(contract, &planned.plan, batch);
        let engine = engine::open(
            choice.provider,
            &loaded.source,
            Some(dims),
            &engine_options(config, choice.precision),
        )?;
        size = planned.plan.output_size();
        networks.push(Network::new(contract.clone(), planned.plan, batch, planned.fade, engine));
    }
    Ok(Upscaler::new(*input, *output, networks, contract.output.channels, finish))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::Fallback;
    use crate::session::testing::contract;

    const START: Choice =
        Choice { provider: Provider::OpenVino, precision: Precision::Bf16, shrink: 0 };

    fn no_memory() -> SessionError {
        EngineError::OutOfMemory("bad_alloc".into()).into()
    }

    fn not_finite() -> SessionError {
        UpscaleError::NotFinite { x: 0, y: 0 }.into()
    }

    /// Everything that is tried while each try ends in an error of `make`, and what is said.
    fn tries(
        fallback: Fallback,
        fixed: Option<usize>,
        make: fn() -> SessionError,
    ) -> (Vec<Choice>, Vec<Notice>) {
        let config = Config { fallback, ..Config::default() };
        let (mut tried, mut notices, mut choice) = (Vec::new(), Vec::new(), START);
        while let Ok(next) =
            next_choice(choice, make(), &config, &contract(fixed), &[], &mut notices)
        {
            tried.push(next);
            choice = next;
        }
        assert_eq!(tried.len(), notices.len(), "each fallback is said");
        (tried, notices)
    }

    const BOTH: Fallback = Fallback { tile: true, cpu: true, resize: false };

    #[test]
    fn memory_runs_out_smaller_tiles_then_other_providers_then_the_error() {
        let (tried, notices) = tries(BOTH, None, no_memory);
        assert_eq!(tried[0], Choice { shrink: 1, ..START });
        let most = MOST_HALVINGS as usize;
        assert_eq!(tried[most - 1].shrink, MOST_HALVINGS);
        let on = |provider| Choice { provider, precision: Precision::Fp32, shrink: 0 };
        assert_eq!(tried[most], on(Provider::Cpu));
        assert_eq!(tried[2 * most + 1], on(Provider::Embedded));
        assert_eq!(tried.len(), 3 * most + 2);
        assert!(notices[0].0.contains("out of memory") && notices[0].0.contains("half the tile"));
        assert!(notices[most].0.contains("provider cpu"), "{:?}", notices[most]);
    }

    #[test]
    fn only_what_is_allowed_is_done() {
        let (tried, _) = tries(Fallback { cpu: false, ..BOTH }, None, no_memory);
        assert!(tried.iter().all(|c| c.provider == START.provider) && !tried.is_empty());
        let (tried, _) = tries(Fallback { tile: false, ..BOTH }, None, no_memory);
        assert_eq!(tried.len(), 2, "cpu and embedded");
        let (tried, _) = tries(BOTH, Some(64), no_memory);
        assert_eq!(tried.len(), 2, "a fixed size cannot be halved");
        let none = Fallback { tile: false, cpu: false, resize: false };
        assert_eq!(tries(none, None, no_memory).0, []);
    }

    #[test]
    fn nan_is_redone_in_fp32_and_then_an_error() {
        let (tried, notices) = tries(BOTH, None, not_finite);
        assert_eq!(tried, [Choice { precision: Precision::Fp32, ..START }]);
        assert!(notices[0].0.contains("NaN") && notices[0].0.contains("fp32"), "{notices:?}");
    }

    #[test]
    fn who_cancels_wants_nothing_else() {
        assert_eq!(tries(BOTH, None, || EngineError::Cancelled.into()).0, []);
        assert_eq!(tries(BOTH, None, || UpscaleError::from(EngineError::Cancelled).into()).0, []);
    }
}
