//! Thin GStreamer shells over the pure layers.

/// Registers every element of the plugin.
///
/// # Errors
/// If GStreamer refuses an element's name.
pub fn register(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    let _ = plugin;
    Ok(())
}
