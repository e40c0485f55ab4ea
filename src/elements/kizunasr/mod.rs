//! `kizunasr`: AI super-resolution by tiles.
//!
//! ```text
//! GObject → GstObject → GstElement → GstBaseTransform → GstVideoFilter → KizunaSr
//! ```

use gst::glib;
use gst::prelude::*;

mod settings;

mod status;

mod caps;

mod clock;

mod imp;

glib::wrapper! {
    /// The element `kizunasr`.
    pub struct KizunaSr(ObjectSubclass<imp::KizunaSr>)
        @extends gst_video::VideoFilter, gst_base::BaseTransform, gst::Element, gst::Object;
}

/// Registers the element and marks its enums as part of the plugin's API.
pub fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    for type_ in settings::types() {
        type_.mark_as_plugin_api(gst::PluginAPIFlags::empty());
    }
    gst::Element::register(Some(plugin), "kizunasr", gst::Rank::NONE, KizunaSr::static_type())
}
