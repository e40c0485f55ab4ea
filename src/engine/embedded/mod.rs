//! The engine that is always there: kernels of our own where the network is small, rten for everything else.

mod rten;
mod streaming;

use std::sync::Arc;

use super::signature::Signature;
use super::{
    Engine, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider, failure,
};
use crate::smallnet::{self, NotSmall};
use streaming::{Streaming, TensorEngine};

/// The provider option that names the kernels (`avx512`, `avx2`, `neon`, `plain`), or `rten` for none.
const OPTION: &str = "kernels";

/// Opens `model`; its shapes may change from run to run at no cost.
pub(super) fn open(
    model: &ModelSource,
    signature: &Signature,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    match streaming(model, options) {
        Ok(network) => {
            let engine = TensorEngine::new(Arc::new(network), signature.input.clone());
            log::info!("model {} runs in {}", model.name, engine.info().runtime);
            Ok(Box::new(engine))
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
    let rten = |_| EngineInfo {
        provider: Provider::Embedded,
        runtime: rten::RUNTIME.into(),
        device: "CPU".into(),
        precision: Precision::Fp32,
    };
    streaming(model, options).map_or_else(rten, |network| network.info())
}

/// bf16, where the kernels run `model` and the processor has it.
pub(super) fn native_reduced_precision(
    model: &ModelSource,
    options: &EngineOptions,
) -> Option<Precision> {
    let precision = Precision::Bf16;
    let options = EngineOptions { precision, ..options.clone() };
    streaming(model, &options).is_ok().then_some(precision)
}

/// `model` in kernels of our own, or why not.
fn streaming(model: &ModelSource, options: &EngineOptions) -> Result<Streaming, NotSmall> {
    let precision = match options.precision {
        Precision::Auto => Precision::Fp32,
        precision => precision,
    };
    let asked = options.provider_options.iter().find(|(key, _)| key == OPTION);
    let kernels = streaming::choose(precision, asked.map(|(_, name)| name.as_str()));
    let kernels = kernels.ok_or_else(|| match asked {
        Some((_, name)) => NotSmall(format!("{OPTION}={name} names no kernels for {precision}")),
        None => NotSmall(format!("this processor has no kernels for {precision}")),
    })?;
    Streaming::new(smallnet::read(&model.bytes)?, kernels)
}
