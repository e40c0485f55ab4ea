//! Kizuna (絆): anime super-resolution for GStreamer.
//!
//! Two elements and a bin: `kizunasr`, AI upscaling by tiles, for export, batch work and paused frames; `kizunashader`, the real-time
//! path, which runs mpv user shaders in OpenGL, our own five stages among them; and `kizunaupscale` over both.
//!
//! A frame's way through the tree, in `kizunasr`:
//!
//! ```text
//! elements/kizunasr/caps.rs   what sizes and formats are possible
//! elements/video.rs           GStreamer frame          → upscale::FrameView
//! session/running.rs          frames on their way, a thread for each stage
//! upscale/read.rs             FrameView                → Picture (planes of f32), and what changed
//! upscale/tile.rs             where tiles lie, and who owns which pixel
//! upscale/gather.rs           Picture                  → tensor in the network's own layout
//! engine/                     tensor                   → tensor
//! upscale/blend.rs            tensor                   → Picture, without seams
//! upscale/write.rs            Picture                  → FrameViewMut
//! ```
//!
//! Networks whose rows flow through all layers at once take a shorter way: `upscale/stream.rs`.
//!
//! In `kizunashader`:
//!
//! ```text
//! shader/parse.rs        shader files          → passes                  ┐
//! shader/build/          passes, two formats   → graph of what runs      │ once, and when caps or settings change
//! gl/program.rs          graph                 → programs and textures   ┘
//! gl/transfer.rs         planes                → textures
//! gl/renderer.rs         textures              → textures, pass by pass
//! gl/transfer.rs         textures              → planes
//! ```
//!
//! `upscale`, `models`, `onnx`, `shader` and the traits of `engine` are pure: no GStreamer, no inference runtime. `cargo pure` proves it.

pub mod cache;

pub mod upscale;

pub mod engine;

pub mod smallnet;

pub mod shader;

pub mod models;

pub mod onnx;

pub mod session;

#[cfg(feature = "gl")]
pub mod gl;

#[cfg(feature = "plugin")]
pub mod elements;

#[cfg(feature = "plugin")]
pub use plugin::plugin_register_static;

#[cfg(feature = "plugin")]
#[allow(missing_docs, reason = "what the macro makes has no docs")]
mod plugin {
    use crate::elements::register;

    gst::plugin_define!(
        kizuna,
        env!("CARGO_PKG_DESCRIPTION"),
        register,
        concat!(env!("CARGO_PKG_VERSION"), "-", env!("COMMIT_ID")),
        "MIT/X11",
        env!("CARGO_PKG_NAME"),
        "Kizuna, anime super-resolution",
        // The project has no address yet; these are GStreamer's own words for that.
        "Unknown package origin",
        env!("BUILD_REL_DATE")
    );
}
