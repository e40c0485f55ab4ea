//! Runs a [`Graph`](crate::shader::Graph) in an OpenGL context. The only home of `unsafe` beside the SIMD kernels.
//!
//! ```text
//! context.rs   Gl: the functions of OpenGL that are used, each a safe one-liner; what the context can do
//! program.rs   a pass's text → a program; the driver's log → file and line; programs kept on disk
//! texture.rs   textures: results, samples of files, planes of frames
//! transfer.rs  planes in memory ↔ textures
//! timer.rs     how long passes take
//! renderer.rs  graphs, one after the other: prepared, and run frame by frame
//! scene.rs     one graph with everything that was made for it, and a frame's way through its passes
//! tools.rs     what all graphs of a context use, and the context's state around a frame
//! gst.rs       from GStreamer's context to ours
//! ```
//!
//! A context belongs to a thread. Everything here must be called on it, and dropped there; GStreamer's `thread_add` brings us
//! there, once a frame. The context is shared with every other GL element, so after each frame the state is put back to
//! OpenGL's defaults. What differs between versions is settled in [`Device`](crate::shader::Device) before any text is made; here only formats do:
//! ES can draw into float textures by an extension alone, and reads back few formats.

#![allow(
    unsafe_code,
    reason = "OpenGL's functions are unsafe; context.rs says why these calls are not"
)]

mod context;
#[cfg(feature = "plugin")]
mod gst;
mod program;
mod renderer;
mod scene;
mod texture;
mod timer;
mod tools;
mod transfer;

pub use context::{Gl, live_objects};
#[cfg(feature = "plugin")]
pub use gst::open;
pub use program::ProgramCache;
pub use renderer::{Planes, PlanesMut, Renderer, Timing};

use crate::shader::ShaderError;

/// Why a graph cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GlError {
    /// The driver refuses a shader file's text.
    #[error("{0}")]
    Shader(#[from] ShaderError),
    /// The driver refuses a text of ours.
    #[error("the driver refuses our pass '{name}': {log}")]
    Own {
        /// The pass.
        name: String,
        /// What the driver says.
        log: String,
    },
    /// The context cannot do what is needed.
    #[error("this OpenGL ({version}) cannot be used: {reason}")]
    Unsupported {
        /// The context's version, as it says itself.
        version: String,
        /// What is missing.
        reason: String,
    },
    /// Memory of the device has run out.
    #[error("the graphics device has no memory left for {0}")]
    OutOfMemory(String),
    /// The driver reported an error, or the context is lost.
    #[error("OpenGL reports error {code:#x} while {doing}")]
    Driver {
        /// What `glGetError` gave.
        code: u32,
        /// What was being done.
        doing: &'static str,
    },
    /// A frame is not what the graph was prepared for.
    #[error("a frame's planes do not fit: {0}")]
    Frame(String),
}
