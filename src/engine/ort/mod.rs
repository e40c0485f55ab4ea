//! ONNX Runtime, opened at run time: the CPU, and everything that it has an execution provider for.
//!
//! * `loader` opens the library, once per process;
//! * `providers` asks for an execution provider, and says what is missing where there is none;
//! * `session` is the engine.

mod loader;
mod providers;
mod session;

pub(super) use session::open;
