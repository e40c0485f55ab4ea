//! `kizunaupscale`: shaders and the network together.
//!
//! # SECTION:element-kizunaupscale
//!
//! A bin over `kizunashader` and `kizunasr`. With `profile=realtime` the shaders do it all. With `export` the first two stages run
//! before the network and the last two after it; `batch` is the same with queues between, so that a whole film takes less time.
//! With `hybrid` the shaders run while the film plays, and whenever it is paused the frame on show is upscaled again by the
//! network. Where the model cannot be loaded, shaders run alone, and a warning says so.
//!
//! The children are `shader` (all stages), `before`, `ai` and `after`; `gst-launch-1.0 ... ! kizunaupscale ai::tile-size=256`
//! sets their properties, and the common ones are the bin's own too.
//!
//! ```text
//! gst-launch-1.0 filesrc location=in.mkv ! decodebin ! kizunaupscale profile=export ! x264enc ! mp4mux ! filesink location=out.mp4
//! gst-launch-1.0 playbin3 uri=file:///in.mkv video-filter="kizunaupscale profile=hybrid"
//! ```
//!
//! ```text
//! GObject → GstObject → GstElement → GstBin → KizunaUpscale; implements GstChildProxy and GstPreset
//! ```

use gst::glib;
use gst::prelude::*;

mod settings;

mod parts;

mod formats;

mod status;

mod switch;

mod paused;

mod imp;

glib::wrapper! {
    /// The element `kizunaupscale`.
    pub struct KizunaUpscale(ObjectSubclass<imp::KizunaUpscale>)
        @extends gst::Bin, gst::Element, gst::Object,
        @implements gst::ChildProxy, gst::Preset;
}

/// Registers the element and marks its enum as part of the plugin's API.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    settings::Profile::static_type().mark_as_plugin_api(gst::PluginAPIFlags::empty());
    gst::Element::register(
        Some(plugin),
        "kizunaupscale",
        gst::Rank::NONE,
        KizunaUpscale::static_type(),
    )
}
