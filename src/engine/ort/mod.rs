//! ONNX Runtime, opened at run time: the CPU, and everything that it has an execution provider for.
//!
//! * `loader` opens the library, once per process;
//! * `providers` asks for an execution provider, and says what is missing where there is none;
//! * `session` is the engine, `raw` the one between raw samples; `bound` holds inputs and outputs where the device has memory of its
//!   own.

mod bound;
mod loader;
mod providers;
mod raw;
mod session;

pub(super) use raw::open_raw;
pub(super) use session::{identify, open};

/// What an error says, without the place in ONNX Runtime's source that it puts in front:
/// "...provider_bridge_ort.cc:2043 ... \[ONNXRuntimeError\] : 1 : FAIL : Failed to load library ...".
fn message<R>(error: &ort::Error<R>) -> &str {
    let text = error.message();
    let own =
        text.rsplit_once("[ONNXRuntimeError] : ").and_then(|(_, own)| own.splitn(3, " : ").nth(2));
    own.unwrap_or(text).trim()
}
