//! The direct way: whether frames go through the network as raw samples, and what opens it.

use super::choose::{Loaded, engine_options};
use super::config::{Config, Notice};
use super::fallback::Choice;
use super::tiles::{self, Ask, Budget, Room};
use crate::engine::{self, Cancel, EngineError, Provider};
use crate::onnx::{Endpoint, Wrap};
use crate::upscale::direct::Direct;
use crate::upscale::raw::RawTiles;
use crate::upscale::video::passes;
use crate::upscale::{PixelFormat, VideoSpec};

/// The entry of `provider-options` that turns it on: ours, not the provider's.
pub(super) const OPTION: &str = "wrapped";

/// The direct way from `input` to `output`; `None` where it was not asked for, or only pictures can do what is asked.
///
/// # Errors
/// [`EngineError::Cancelled`]. Whatever else fails is a notice, as the way by pictures is open.
pub(super) fn open(
    loaded: &Loaded,
    config: &Config,
    (input, output): (VideoSpec, VideoSpec),
    choice: Choice,
    cancel: &Cancel,
    notices: &mut Vec<Notice>,
) -> Result<Option<Direct>, EngineError> {
    let contract = &loaded.contract;
    let scaled = input.size.scaled(contract.scale);
    let has_alpha = |format: PixelFormat| format.info().alpha.is_some();
    let only_pictures = has_alpha(input.format)
        || has_alpha(output.format)
        || scaled != output.size
        || passes(input.size, output.size, contract.scale) != 1
        || contract.input.batch.or(config.batch_size).is_some_and(|batch| batch > 1);
    if !is_asked_for(config) || !runs_graphs(choice.provider) || only_pictures {
        return Ok(None);
    }
    let mut options = engine_options(config, choice.precision);
    options.device_memory = config.memory_limit;
    let room = Room::of(choice.provider, &options);
    let budget = Budget::new(room, config.memory_limit, &input, &output);
    let raw = Some((input.format, output.format));
    let ask = Ask { budget, raw, shrink: choice.shrink };
    let planned = tiles::plan(input.size, contract, config, ask, notices);
    let Some(tiles) = RawTiles::new(planned.plan, input.format, output.format) else {
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
    match engine::open_raw(choice.provider, &loaded.source, &how, &options, cancel) {
        Ok(network) => Ok(Some(Direct::new(network, tiles, input, output, config.reuse_tolerance))),
        Err(EngineError::Cancelled) => Err(EngineError::Cancelled),
        Err(e) => {
            notices
                .push(Notice(format!("{OPTION} is not used, frames go by way of pictures: {e}")));
            Ok(None)
        }
    }
}

fn is_asked_for(config: &Config) -> bool {
    let mut options = config.engine.provider_options.iter();
    options.any(|(key, value)| key == OPTION && value != "0")
}

/// Whether `provider` is one of ONNX Runtime's.
const fn runs_graphs(provider: Provider) -> bool {
    !matches!(provider, Provider::Embedded | Provider::OpenVino)
}
