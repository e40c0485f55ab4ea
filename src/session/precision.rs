//! Reduced precision is used only where it was shown to give the same picture.

use super::choose::{Loaded, engine_options};
use super::config::{Config, Notice};
use super::memory::Validated;
use crate::cache::Cache;
use crate::engine::{self, Cancel, Contract, EngineError, EngineOptions, Precision};
use crate::models::test_card::test_picture;
use crate::upscale::geometry::align_up;
use crate::upscale::{Samples, Shape, Tensor};

/// Least agreement of a reduced precision with fp32, in dB of PSNR.
const LEAST_DB: f64 = 50.0;

/// The precision to use on the loaded model's provider, and what to say of it the first time.
///
/// # Errors
/// See [`validate`].
pub fn choose(
    loaded: &Loaded,
    config: &Config,
    cancel: &Cancel,
) -> Result<(Precision, Option<Notice>), EngineError> {
    if let Some(&known) = loaded.validated.lock().get(&config.precision) {
        return Ok((known, None));
    }
    let (precision, notice) = validate(loaded, config, cancel)?;
    loaded.validated.lock().insert(config.precision, precision);
    Ok((precision, notice))
}

/// The precision that was asked for if it passes validation, else fp32 with a notice.
///
/// Validated on a drawn test picture, not on the first frame: the choice must not depend on where playback begins.
///
/// # Errors
/// [`EngineError::Cancelled`]; what fp32 itself says.
fn validate(
    loaded: &Loaded,
    config: &Config,
    cancel: &Cancel,
) -> Result<(Precision, Option<Notice>), EngineError> {
    let provider = loaded.info.provider;
    let options = engine_options(config, Precision::Fp32);
    let asked = match config.precision {
        Precision::Fp32 => return Ok((Precision::Fp32, None)),
        Precision::Auto => {
            match engine::native_reduced_precision(provider, &loaded.source, &options) {
                Some(precision) => precision,
                None => return Ok((Precision::Fp32, None)),
            }
        }
        asked => asked,
    };
    let validated = match loaded.memory.validated(asked) {
        Some(validated) => validated,
        None => try_out(loaded, config, asked, cancel)?,
    };
    let notice = validated
        .refused
        .map(|why| Notice(format!("precision {asked} is not used, fp32 runs instead: {why}")));
    Ok((validated.precision, notice))
}

/// Runs the network in fp32 and in `asked`, at the same time, and compares.
fn try_out(
    loaded: &Loaded,
    config: &Config,
    asked: Precision,
    cancel: &Cancel,
) -> Result<Validated, EngineError> {
    let provider = loaded.info.provider;
    let input = trial_picture(&loaded.contract);
    let run = |precision| -> Result<(Tensor, Precision), EngineError> {
        // Nobody needs engines of this size again.
        let options =
            EngineOptions { cache: Cache::default(), ..engine_options(config, precision) };
        let dims = Some(input.dims());
        let mut engine =
            engine::open_unless_cancelled(provider, &loaded.source, dims, &options, cancel)?;
        let mut output = Tensor::zeros(input.shape, input.layout, input.element());
        engine.run(&input, &mut output, cancel)?;
        Ok((output, engine.info().precision))
    };
    let (reference, reduced) = std::thread::scope(|scope| {
        let reference = scope.spawn(|| run(Precision::Fp32));
        let reduced = run(asked);
        let ended = |_| Err(EngineError::Run("the run in fp32 ended early".into()));
        (reference.join().unwrap_or_else(ended), reduced)
    });
    let reference = reference?.0;
    let fp32 = |why| Validated { precision: Precision::Fp32, refused: Some(why) };
    let refused = match reduced {
        Err(EngineError::Cancelled) => return Err(EngineError::Cancelled),
        // It may do another time.
        Err(e) => return Ok(fp32(e.to_string())),
        Ok((_, used)) if used != asked => Some(format!("{provider} runs it in {used}")),
        Ok((output, _)) => match psnr(&reference, &output, peak(loaded)) {
            Some(db) if db >= LEAST_DB => {
                log::debug!("{asked} agrees with fp32 to {db:.1} dB on {provider}");
                None
            }
            Some(db) => {
                Some(format!("it agrees with fp32 to {db:.1} dB only; {LEAST_DB} dB are asked for"))
            }
            None => Some("it gives NaN or infinity".into()),
        },
    };
    let validated = refused.map_or(Validated { precision: asked, refused: None }, fp32);
    loaded.memory.keep_validated(asked, &validated);
    Ok(validated)
}

/// Side of the picture that precisions are compared on, in px.
const SIDE: usize = 64;

/// A picture that the network takes.
fn trial_picture(contract: &Contract) -> Tensor {
    let input = &contract.input;
    let side = align_up(SIDE.max(contract.min_size), contract.alignment);
    let shape = Shape {
        batch: input.batch.unwrap_or(1),
        channels: input.channels,
        height: input.height.unwrap_or(side),
        width: input.width.unwrap_or(side),
    };
    test_picture(shape, input.layout, input.element, contract.range, 7)
}

/// Distance from black to white in the network's values.
fn peak(loaded: &Loaded) -> f64 {
    f64::from(loaded.contract.range.from_unit().0)
}

/// PSNR in dB of `b` against `a`; `None` where `b` is not finite or of another size.
fn psnr(a: &Tensor, b: &Tensor, peak: f64) -> Option<f64> {
    let (a, b) = (floats(a), floats(b));
    if a.len() != b.len() || b.iter().any(|v| !v.is_finite()) {
        return None;
    }
    let error: f64 = a.iter().zip(&b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    Some(10.0 * (peak * peak * a.len() as f64 / error.max(1e-30)).log10())
}

fn floats(tensor: &Tensor) -> Vec<f32> {
    match &tensor.samples {
        Samples::F32(s) => s.clone(),
        Samples::F16(s) => s.iter().map(|v| v.to_f32()).collect(),
        Samples::U8(s) => s.iter().map(|&v| f32::from(v)).collect(),
    }
}
