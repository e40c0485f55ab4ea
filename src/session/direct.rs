//! The direct way: whether frames go through the network as raw samples, and what opens it.

use super::choose::{Loaded, engine_options};
use super::config::{Config, Notice};
use super::fallback::Choice;
use super::tiles::{self, Ask, Budget, Room};
use crate::engine::{self, Cancel, EngineError, Precision, Provider};
use crate::onnx::{Endpoint, Wrap};
use crate::upscale::direct::Direct;
use crate::upscale::raw::RawTiles;
use crate::upscale::video::passes;
use crate::upscale::{PixelFormat, VideoSpec};

/// The entry of `provider-options` that turns it on or off: ours, not the provider's.
const OPTION: &str = "wrapped";

/// The entry of `provider-options` that says how many frames go to the device at once.
const STREAMS: &str = "streams";

/// What of `provider-options` is ours.
pub(super) const OPTIONS: [&str; 2] = [OPTION, STREAMS];

/// Most frames at once: each has a session, and its memory, of its own.
const MOST_STREAMS: usize = 4;

/// The direct way from `input` to `output`, as often as frames go to the device at once; `None` where it was not asked for, or only pictures can do what is asked.
///
/// # Errors
/// [`EngineError::Cancelled`], and [`EngineError::OutOfMemory`], where smaller tiles may do. Whatever else fails is a notice, as the way
/// by pictures is open.
pub(super) fn open(
    loaded: &Loaded,
    config: &Config,
    (input, output): (VideoSpec, VideoSpec),
    choice: Choice,
    cancel: &Cancel,
    notices: &mut Vec<Notice>,
) -> Result<Option<Vec<Direct>>, EngineError> {
    let contract = &loaded.contract;
    let scaled = input.size.scaled(contract.scale);
    let has_alpha = |format: PixelFormat| format.info().alpha.is_some();
    let only_pictures = has_alpha(input.format)
        || has_alpha(output.format)
        || scaled != output.size
        || passes(input.size, output.size, contract.scale) != 1
        || contract.input.batch.or(config.batch_size).is_some_and(|batch| batch > 1)
        || rounds_conversion(choice, [input.format, output.format]);
    if !is_wanted(config, choice.provider) || only_pictures {
        return Ok(None);
    }
    let mut options = engine_options(config, choice.precision);
    let streams = streams(config, choice.provider);
    options.device_memory = config.memory_limit.map(|limit| limit / streams as u64);
    let room = Room::of(choice.provider, &options);
    let budget = Budget::new(room, config.memory_limit, &input, &output).share(true, streams);
    let raw = Some((input.format, output.format));
    let ask = Ask { budget, raw, shrink: choice.shrink };
    // Said only where this plan is the one that runs: the way by pictures makes its own.
    let mut said = Vec::new();
    let planned = tiles::plan(input.size, contract, config, ask, &mut said);
    let channels = contract.input.channels;
    let Some(tiles) = RawTiles::new(planned.plan, channels, input.format, output.format) else {
        return Ok(None);
    };
    if planned.fade {
        // Neighbours that are to be faded into each other must be floats.
        return Ok(None);
    }
    let end = |spec: VideoSpec| Endpoint { format: spec.format, color: spec.color };
    let how = Wrap {
        contract: contract.clone(),
        input: end(input),
        output: end(output),
        batch: 1,
        tile: tiles.plan().tile_size(),
    };
    let open = |_| {
        let source = &loaded.source;
        let network = engine::open_raw(choice.provider, source, &how, &options, cancel)?;
        Ok(Direct::new(network, tiles.clone(), input, output, config.reuse_tolerance))
    };
    match (0..streams).map(open).collect::<Result<Vec<_>, _>>() {
        Ok(directs) => {
            notices.append(&mut said);
            Ok(Some(directs))
        }
        Err(e @ (EngineError::Cancelled | EngineError::OutOfMemory(_))) => Err(e),
        Err(e) => {
            notices
                .push(Notice(format!("{OPTION} is not used, frames go by way of pictures: {e}")));
            Ok(None)
        }
    }
}

/// Whether frames go this way on `provider`: where they do not have to, it is for the user to say.
fn is_wanted(config: &Config, provider: Provider) -> bool {
    let asked = asked(config, OPTION).map(|value| value != "0");
    match provider {
        // A processor is faster by rows and tiles; and WebGPU casts no bytes.
        Provider::Embedded | Provider::OpenVino | Provider::WebGpu => false,
        // Floats of a 4K frame are 100 MB to be brought back.
        Provider::Cuda | Provider::TensorRt => asked.unwrap_or(true),
        Provider::Cpu | Provider::DirectMl | Provider::CoreMl | Provider::MiGraphX => {
            asked.unwrap_or(false)
        }
    }
}

/// Whether numbers of `choice`'s precision are too coarse for samples of `formats`, and conversion is in it too: some providers make all of a
/// graph reduced, however it is typed.
fn rounds_conversion(choice: Choice, formats: [PixelFormat; 2]) -> bool {
    match choice.precision {
        _ if engine::runs_as_typed(choice.provider) => false,
        Precision::Auto | Precision::Fp32 => false,
        // 11 bits.
        Precision::Fp16 => formats.iter().any(|format| format.info().depth > 8),
        // 8 bits.
        Precision::Bf16 => true,
    }
}

/// How many frames go to `provider`'s device at once: while one is computed, another one goes up or comes down.
fn streams(config: &Config, provider: Provider) -> usize {
    let asked = asked(config, STREAMS).and_then(|value| value.parse().ok());
    let own = if matches!(provider, Provider::Cuda | Provider::TensorRt) { 2 } else { 1 };
    asked.unwrap_or(own).clamp(1, MOST_STREAMS)
}

fn asked<'a>(config: &'a Config, option: &str) -> Option<&'a str> {
    let mut options = config.engine.provider_options.iter();
    options.find(|(key, _)| key == option).map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_sample_is_rounded_by_a_precision_that_is_coarser() {
        use PixelFormat::{I420, I420_10le, Rgb};
        for (provider, precision, formats, rounds) in [
            (Provider::TensorRt, Precision::Fp32, [I420_10le; 2], false),
            (Provider::TensorRt, Precision::Fp16, [I420, Rgb], false),
            (Provider::TensorRt, Precision::Fp16, [I420, I420_10le], true),
            (Provider::TensorRt, Precision::Bf16, [I420, Rgb], true),
            (Provider::MiGraphX, Precision::Fp16, [I420_10le, I420], true),
            // It computes as the graph is typed, and conversion is in fp32.
            (Provider::Cuda, Precision::Fp16, [I420_10le; 2], false),
        ] {
            let choice = Choice { provider, precision, shrink: 0 };
            assert_eq!(rounds_conversion(choice, formats), rounds, "{choice:?} {formats:?}");
        }
    }
}
