//! Thin GStreamer shells over the pure layers.

mod error;
mod kizunasr;
mod video;

pub use kizunasr::KizunaSr;

/// Registers every element of the plugin.
///
/// # Errors
/// If GStreamer refuses an element's name.
pub fn register(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    kizunasr::register(plugin)
}
