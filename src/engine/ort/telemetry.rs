//! ONNX Runtime does not call home from here.
//!
//! Since 1.29 its published builds for Linux and macOS report to their maker from the moment that an environment is made. The API against it
//! wants that environment first; only a variable speaks before (microsoft/onnxruntime#27379), and it is read once.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    reason = "the environment can only be written unsafely, and nothing else keeps the library off the network"
)]

use std::env;
use std::sync::Once;

const VARIABLE: &str = "ORT_DISABLE_TELEMETRY";

/// Sees to it that ONNX Runtime, once it is opened, sends nothing; the first call counts. What the user has set stays.
pub fn forbid() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if env::var_os(VARIABLE).is_none() {
            // SAFETY: Rust's readers and writers of the environment are locked against each other. C code that reads it on another
            // thread at this moment is not: so it happens once, when the plugin is loaded and no element of ours has begun a thread.
            unsafe { env::set_var(VARIABLE, "1") }
        }
    });
}
