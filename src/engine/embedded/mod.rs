//! The engine that is always there: kernels of our own where the network is plain enough, rten for everything else.
//!
//! `streaming/` runs networks of few channels, `winograd/` chains of 3x3 convolutions of many; both read them from
//! [`crate::smallnet`], and are written over the vectors of `simd/`.

mod aligned;
mod pictures;
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
use simd::Level;
use streaming::{Streaming, TensorEngine};
use winograd::Winograd;

/// The provider option that names the kernels (`avx512`, `avx2`, `neon`, `plain`), or `rten` for none.
const OPTION: &str = "kernels";

/// What runs a model.
struct Runner {
    net: Net,
    kind: Kind,
    level: Level,
}

/// Kernels of our own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Streaming,
    Winograd,
}

impl Runner {
    /// Finds it, or says why there is none.
    fn of(model: &ModelSource, options: &EngineOptions) -> Result<Self, NotSmall> {
        let net = smallnet::read(&model.bytes)?;
        let kind = match Streaming::check(&net) {
            Ok(()) => Kind::Streaming,
            Err(_) if winograd::check(&net).is_ok() => Kind::Winograd,
            Err(why) => return Err(why),
        };
        let precision = match options.precision {
            Precision::Auto => Precision::Fp32,
            precision => precision,
        };
        let asked = options.provider_options.iter().find(|(key, _)| key == OPTION);
        let name = asked.map(|(_, name)| name.as_str());
        let level = Level::choose(precision, name).ok_or_else(|| match name {
            Some(name) => NotSmall(format!("{OPTION}={name} names no kernels for {precision}")),
            None => NotSmall(format!("this processor has no kernels for {precision}")),
        })?;
        Ok(Self { net, kind, level })
    }

    fn info(&self) -> EngineInfo {
        let kind = match self.kind {
            Kind::Streaming => "streaming",
            Kind::Winograd => "Winograd",
        };
        EngineInfo {
            provider: Provider::Embedded,
            runtime: format!("Kizuna {kind} kernels ({})", self.level.name()),
            device: "CPU".into(),
            precision: self.level.precision(),
        }
    }

    fn open(self, signature: &Signature) -> Result<Box<dyn Engine>, NotSmall> {
        let (info, input) = (self.info(), signature.input.clone());
        Ok(match self.kind {
            Kind::Streaming => {
                let network = Streaming::new(self.net, self.level)?;
                Box::new(TensorEngine::new(Arc::new(network), info, input))
            }
            Kind::Winograd => Box::new(Winograd::new(self.net, self.level, info, input)?),
        })
    }
}

/// Opens `model`; its shapes may change from run to run at no cost.
pub(super) fn open(
    model: &ModelSource,
    signature: &Signature,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    match Runner::of(model, options).and_then(|runner| runner.open(signature)) {
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
    Runner::of(model, options).map_or_else(|_| rten::info(), |runner| runner.info())
}

/// Whether kernels of our own run `model`.
pub(super) fn has_kernels(model: &ModelSource, options: &EngineOptions) -> bool {
    Runner::of(model, options).is_ok()
}

/// Whether kernels of our own run `model` that are written for this processor.
pub(super) fn has_fast_kernels(model: &ModelSource, options: &EngineOptions) -> bool {
    Runner::of(model, options).is_ok_and(|runner| runner.level != Level::Plain)
}

/// bf16, where streaming kernels run `model` and the processor has it.
///
/// The others have it too, for those who ask: half as fast again, but at 50 dB, and more different from place to place than a
/// code, while their fp32 is faster than the bf16 of others.
pub(super) fn native_reduced_precision(
    model: &ModelSource,
    options: &EngineOptions,
) -> Option<Precision> {
    let precision = Precision::Bf16;
    let options = EngineOptions { precision, ..options.clone() };
    let runner = Runner::of(model, &options).ok()?;
    (runner.kind == Kind::Streaming).then_some(precision)
}
