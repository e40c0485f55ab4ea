//! ONNX Runtime, opened at run time: the CPU, and everything that it has an execution provider for.
//!
//! * `loader` opens the library, once per process;
//! * `catalogue` has the execution providers' names, and says what to install where one is missing;
//! * `telemetry` keeps it off the network;
//! * `providers` asks for an execution provider;
//! * `make` makes sessions of both, `tuning` says what providers are told that nobody asked for;
//! * `session` is the engine, `raw` the one between raw samples; `bound` holds inputs and outputs where the device has memory of its
//!   own;
//! * `alone` lets WebGPU's engines go one by one, and `vulkan` says whether there is a GPU for them.

mod alone;
mod bound;
mod catalogue;
mod loader;
mod make;
mod providers;
mod raw;
mod session;
mod telemetry;
mod tuning;
#[cfg(target_os = "linux")]
mod vulkan;

pub(super) use raw::open_raw;
pub(super) use session::{identify, open};
pub(super) use telemetry::forbid as forbid_telemetry;

use super::{EngineOptions, Provider};

/// Whether ONNX Runtime is there and was built with `provider`.
pub(super) fn is_built_in(provider: Provider, options: &EngineOptions) -> bool {
    loader::load(options).is_ok() && providers::is_built_in(provider).unwrap_or(false)
}

/// What an error says, without the places in ONNX Runtime's source that it puts in front:
/// "...provider_bridge_ort.cc:2043 ... \[ONNXRuntimeError\] : 1 : FAIL : Failed to load library ...".
fn message<R>(error: &ort::Error<R>) -> &str {
    let text = error.message();
    let own =
        text.rsplit_once("[ONNXRuntimeError] : ").and_then(|(_, own)| own.splitn(3, " : ").nth(2));
    without_place(own.unwrap_or(text)).trim()
}

/// `text` without file and function: "/onnxruntime_src/a.cc:50 X ns::function(const Y&) Invalid preferred layout".
fn without_place(text: &str) -> &str {
    if !text.starts_with("/onnxruntime_src/") {
        return text;
    }
    let end = [") ", ")> "].into_iter().filter_map(|end| Some(text.find(end)? + end.len())).min();
    end.and_then(|end| text.get(end..)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_the_source_are_left_out() {
        for (text, expected) in [
            (
                "/onnxruntime_src/x/f.cc:50 a::B c::{anonymous}::P(const O&) Invalid layout: x",
                "Invalid layout: x",
            ),
            (
                "/onnxruntime_src/w.cc:136 a::I(const C&)::<lambda()> r == S was false. No (x) y",
                "r == S was false. No (x) y",
            ),
            ("Load model failed: (1) x", "Load model failed: (1) x"),
        ] {
            assert_eq!(without_place(text), expected);
        }
    }
}
