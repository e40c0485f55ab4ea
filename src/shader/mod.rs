//! mpv's user shaders: from text to the passes of a frame. Pure.
//!
//! ```text
//! parse.rs     text → ShaderFile: passes, textures, parameters (file.rs; sizes and conditions in rpn.rs)
//! build/       files and two video formats → Graph: what runs, at which size, on which textures
//!   own.rs     passes of our own between the stages: planes, colour, scaling
//! network.rs   a small network → text; presets/ our five stages
//! glsl.rs      a pass's body → the text that a driver compiles
//! liveness.rs  textures used again within a frame
//! loops.rs     a stranger's loops end; arrays.rs their arrays are kept within bounds; texels.rs which textures need no filter
//! ```
//!
//! `gl/` runs a [`Graph`]. The format is described in mpv's manual (`--glsl-shaders`) and libplacebo's
//! `docs/custom-shaders.md`.

mod arrays;
mod build;
mod device;
mod error;
mod file;
mod glsl;
pub mod graph;
mod liveness;
mod loops;
mod network;
mod parse;
pub mod presets;
mod rpn;
mod stage;
mod texels;
mod words;

pub use build::{Request, build};
pub use device::Device;
pub use error::{Place, ShaderError};
pub use file::{
    Border, Compute, FileTexture, HookPass, Number, Offset, Param, ParamKind, SampleFormat,
    SampleKind, ShaderFile,
};
pub use glsl::OWN_LINES;
pub use graph::Graph;
pub use network::write as write_network;
pub use parse::{MAX_BYTES, load, parse};
pub use rpn::{Axis, Expression, Names, NoValue};
pub use stage::Stage;
