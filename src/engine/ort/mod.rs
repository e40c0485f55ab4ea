//! ONNX Runtime, opened at run time: the CPU, and everything that it has an execution provider for.
//!
//! * `loader` opens the library, once per process;
//! * `catalogue` has the execution providers' names, and says what to install where one is missing;
//! * `providers` asks for an execution provider;
//! * `session` is the engine.

mod catalogue;
mod loader;
mod providers;
mod session;

pub(super) use session::{identify, open};

use super::{EngineOptions, Provider};

/// Whether ONNX Runtime is there and was built with `provider`.
pub(super) fn is_built_in(provider: Provider, options: &EngineOptions) -> bool {
    loader::load(options).is_ok() && providers::is_built_in(provider).unwrap_or(false)
}

/// What an error says, without the place in ONNX Runtime's source that it puts in front:
/// "...provider_bridge_ort.cc:2043 ... \[ONNXRuntimeError\] : 1 : FAIL : Failed to load library ...".
fn message<R>(error: &ort::Error<R>) -> &str {
    let text = error.message();
    let own =
        text.rsplit_once("[ONNXRuntimeError] : ").and_then(|(_, own)| own.splitn(3, " : ").nth(2));
    own.unwrap_or(text).trim()
}
