//! `kizunashader`: real-time upscaling by shaders.
//!
//! # SECTION:element-kizunashader
//!
//! Runs mpv user shaders on video with OpenGL, our own five stages among them: Normalize, Structural Reconstruction, Real-Time
//! Upscale, Perceptual Enhancement, Temporal Stabilization. It takes and gives plain memory and OpenGL memory, each pad by
//! itself, so it is its own upload and download, and stays on the device between other OpenGL elements. The output is twice as
//! large as the input, unless `scale` or the caps downstream ask for another size. It needs OpenGL 3.3 or OpenGL ES 3.0 and no
//! display.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mkv ! decodebin ! kizunashader ! glimagesink
//! gst-launch-1.0 videotestsrc num-buffers=10 ! kizunashader shaders=a.glsl:b.glsl stages=0 ! x264enc ! mp4mux ! filesink location=out.mp4
//! gst-launch-1.0 playbin3 uri=file:///in.mkv video-filter=kizunashader
//! ```
//!
//! ```text
//! GObject → GstObject → GstElement → GstBaseTransform → GstVideoFilter → KizunaShader; implements GstPreset
//! ```

use gst::glib;
use gst::prelude::*;

mod settings;

pub use settings::properties;

mod status;

mod caps;

pub use caps::template;

mod display;

mod refusal;
mod session;

mod imp;

glib::wrapper! {
    /// The element `kizunashader`.
    pub struct KizunaShader(ObjectSubclass<imp::KizunaShader>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object,
        @implements gst::Preset;
}

/// Registers the element and marks its enums as part of the plugin's API.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    for type_ in settings::types() {
        type_.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(
        Some(plugin),
        "kizunashader",
        gst::Rank::NONE,
        KizunaShader::static_type(),
    )
}
