//! `kizunasr`: AI super-resolution by tiles.
//!
//! # SECTION:element-kizunasr
//!
//! Upscales video by a neural network in the ONNX format: the embedded one, one of the model cards, or any file of the
//! user's own that takes one picture and gives one. Every frame is upscaled, so it suits export, batch work and paused
//! frames. It takes and gives the formats that decoders and encoders speak; no `videoconvert` is needed on either side. The
//! output is as large as the network makes it, unless `scale` or the caps downstream ask for another size.
//!
//! ```text
//! gst-launch-1.0 videotestsrc num-buffers=10 ! video/x-raw,width=320,height=180 ! kizunasr ! x264enc ! mp4mux ! filesink location=out.mp4
//! gst-launch-1.0 filesrc location=in.mkv ! decodebin ! kizunasr model=animevideov3-x2 ! x264enc ! mp4mux ! filesink location=out.mp4
//! ```
//!
//! ```text
//! GObject → GstObject → GstElement → GstBaseTransform → GstVideoFilter → KizunaSr; implements GstPreset
//! ```

use gst::glib;
use gst::prelude::*;

mod settings;

pub use settings::properties;

mod status;

mod caps;

mod late;

mod loader;

mod loading;

mod delivery;

mod imp;

glib::wrapper! {
    /// The element `kizunasr`.
    pub struct KizunaSr(ObjectSubclass<imp::KizunaSr>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object,
        @implements gst::Preset;
}

/// Registers the element and marks its enums as part of the plugin's API.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    for type_ in settings::types() {
        type_.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(Some(plugin), "kizunasr", gst::Rank::NONE, KizunaSr::static_type())
}
