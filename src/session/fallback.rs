//! What is tried when a frame fails or an engine cannot be opened.

use super::choose::Loaded;
use super::config::{Config, Notice, SessionError};
use super::precision;
use crate::engine::{Cancel, Precision, Provider};
use crate::upscale::UpscaleError;

/// What may be changed when resources run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Who does the arithmetic.
    pub provider: Provider,
    /// In what.
    pub precision: Precision,
    /// How often the tile was halved.
    pub shrink: u32,
}

/// What is tried first: the provider that runs the model, in the precision that passes; where not even fp32 runs, what comes after it.
///
/// # Errors
/// As [`next_choice`].
pub(super) fn first_choice(
    loaded: &Loaded,
    config: &Config,
    cancel: &Cancel,
    notices: &mut Vec<Notice>,
) -> Result<Choice, SessionError> {
    let choice = Choice { provider: loaded.info.provider, precision: Precision::Fp32, shrink: 0 };
    match precision::choose(loaded, config, cancel) {
        Ok((precision, notice)) => {
            notices.extend(notice);
            Ok(Choice { precision, ..choice })
        }
        // The picture for this is small already.
        Err(e) => next_choice(choice, e.into(), config, false, notices),
    }
}

/// What to try after `error`; `can_shrink` says whether smaller tiles would do.
///
/// # Errors
/// The error itself where nothing is left.
pub fn next_choice(
    choice: Choice,
    error: SessionError,
    config: &Config,
    can_shrink: bool,
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
        && can_shrink
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineError;
    use crate::session::Fallback;

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
        can_shrink: bool,
        make: fn() -> SessionError,
    ) -> (Vec<Choice>, Vec<Notice>) {
        let config = Config { fallback, ..Config::default() };
        let (mut tried, mut notices, mut choice) = (Vec::new(), Vec::new(), START);
        while let Ok(next) = next_choice(choice, make(), &config, can_shrink, &mut notices) {
            tried.push(next);
            choice = next;
        }
        assert_eq!(tried.len(), notices.len(), "each fallback is said");
        (tried, notices)
    }

    const BOTH: Fallback = Fallback { tile: true, cpu: true, resize: false };

    #[test]
    fn memory_runs_out_smaller_tiles_then_other_providers_then_the_error() {
        let (tried, notices) = tries(BOTH, true, no_memory);
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
        let (tried, _) = tries(Fallback { cpu: false, ..BOTH }, true, no_memory);
        assert!(tried.iter().all(|c| c.provider == START.provider) && !tried.is_empty());
        let (tried, _) = tries(Fallback { tile: false, ..BOTH }, true, no_memory);
        assert_eq!(tried.len(), 2, "cpu and embedded");
        let (tried, _) = tries(BOTH, false, no_memory);
        assert_eq!(tried.len(), 2, "a fixed size cannot be halved");
        let none = Fallback { tile: false, cpu: false, resize: false };
        assert_eq!(tries(none, true, no_memory).0, []);
    }

    #[test]
    fn nan_is_redone_in_fp32_and_then_an_error() {
        let (tried, notices) = tries(BOTH, true, not_finite);
        assert_eq!(tried, [Choice { precision: Precision::Fp32, ..START }]);
        assert!(notices[0].0.contains("NaN") && notices[0].0.contains("fp32"), "{notices:?}");
    }

    #[test]
    fn who_cancels_wants_nothing_else() {
        assert_eq!(tries(BOTH, true, || EngineError::Cancelled.into()).0, []);
        assert_eq!(tries(BOTH, true, || UpscaleError::from(EngineError::Cancelled).into()).0, []);
    }
}
