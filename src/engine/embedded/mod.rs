//! The engine that is always there: kernels of our own where the network is plain enough, rten for everything else.
//!
//! `streaming/` runs networks of few channels, `winograd/` chains of 3x3 convolutions of many; both read them from
//! [`crate::smallnet`], and are written over the vectors of `simd/`.

mod aligned;
mod rten;
#[allow(unsafe_code, reason = "vector instructions")]
mod simd;
mod streaming;
mod winograd;

use std::sync::Arc;

use super::signature::Signature;
use super::{
    Engine, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider, failure,
};
use crate::smallnet::{self, Net, NotSmall};
use streaming::{Streaming, TensorEngine};
use winograd::Winograd;

/// The provider option that names the kernels (`avx512`, `avx2`, `neon`, `plain`), or `rten` for none.
const OPTION: &str = "kernels";

/// Who runs a model.
enum Runner {
    Streaming(Box<Streaming>),
    Winograd(Net, winograd::Kernels),
}

/// Opens `model`; its shapes may change from run to run at no cost.
pub(super) fn open(
    model: &ModelSource,
    signature: &Signature,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    let engine = runner(model, options).and_then(|runner| -> Result<Box<dyn Engine>, NotSmall> {
        let input = signature.input.clone();
        Ok(match runner {
            Runner::Streaming(network) => Box::new(TensorEngine::new(Arc::new(*network), input)),
            Runner::Winograd(net, kernels) => Box::new(Winograd::new(net, kernels, input)?),
        })
    });
    match engine {
        Ok(engine) => {
            log::info!("model {} runs in {}", model.name, engine.info().runtime);
            Ok(engine)
        }
        Err(NotSmall(why)) => {
            log::info!("model {} runs in {}: {why}", model.name, rten::RUNTIME);
            failure::only_fp32(Provider::Embedded, options.precision)?;
            rten::open(model, signature)
        }
    }
}

/// What an engine for `model` says of itself, without making one.
pub(super) fn identify(model: &ModelSource, options: &EngineOptions) -> EngineInfo {
    match runner(model, options) {
        Ok(Runner::Streaming(network)) => network.info(),
        Ok(Runner::Winograd(_, kernels)) => winograd::info(&kernels),
        Err(_) => EngineInfo {
            provider: Provider::Embedded,
            runtime: rten::RUNTIME.into(),
            device: "CPU".into(),
            precision: Precision::Fp32,
        },
    }
}

/// Whether kernels of our own run `model`.
pub(super) fn has_kernels(model: &ModelSource, options: &EngineOptions) -> bool {
    runner(model, options).is_ok()
}

/// Whether kernels of our own run `model` that are written for this processor.
pub(super) fn has_fast_kernels(model: &ModelSource, options: &EngineOptions) -> bool {
    match runner(model, options) {
        Ok(Runner::Streaming(network)) => !network.is_plain(),
        Ok(Runner::Winograd(_, kernels)) => !kernels.is_plain(),
        Err(_) => false,
    }
}

/// bf16, where streaming kernels run `model` and the processor has it.
///
/// The others have it too, for those who ask: half as fast again, but at 50 dB, and more different from place to place than a
/// code, while their fp32 is as fast as the bf16 of others.
pub(super) fn native_reduced_precision(
    model: &ModelSource,
    options: &EngineOptions,
) -> Option<Precision> {
    let precision = Precision::Bf16;
    let options = EngineOptions { precision, ..options.clone() };
    matches!(runner(model, &options), Ok(Runner::Streaming(_))).then_some(precision)
}

/// Who runs `model` in kernels of our own, or why nobody does.
fn runner(model: &ModelSource, options: &EngineOptions) -> Result<Runner, NotSmall> {
    let precision = match options.precision {
        Precision::Auto => Precision::Fp32,
        precision => precision,
    };
    let asked = options.provider_options.iter().find(|(key, _)| key == OPTION);
    let name = asked.map(|(_, name)| name.as_str());
    let none = || match name {
        Some(name) => NotSmall(format!("{OPTION}={name} names no kernels for {precision}")),
        None => NotSmall(format!("this processor has no kernels for {precision}")),
    };
    let net = smallnet::read(&model.bytes)?;
    if winograd::check(&net).is_ok() && Streaming::check(&net).is_err() {
        let kernels = winograd::choose(precision, name);
        return Ok(Runner::Winograd(net, kernels.ok_or_else(none)?));
    }
    let kernels = streaming::choose(precision, name).ok_or_else(none)?;
    Ok(Runner::Streaming(Box::new(Streaming::new(net, kernels)?)))
}
