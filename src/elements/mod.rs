//! Thin GStreamer shells over the pure layers.

mod error;
mod fields;
mod fixate;
mod metas;
mod pace;
mod video;

mod kizunashader;
mod kizunasr;
mod kizunaupscale;

pub use kizunashader::KizunaShader;
pub use kizunasr::KizunaSr;
pub use kizunaupscale::KizunaUpscale;

use std::path::PathBuf;
use std::sync::LazyLock;

/// What the pure layers and the runtimes log.
static RUNTIME_LOG: LazyLock<gst::log::DebugCategoryLogger> = LazyLock::new(|| {
    gst::log::DebugCategoryLogger::new(gst::DebugCategory::new(
        "kizunaruntime",
        gst::DebugColorFlags::empty(),
        Some("Kizuna's engines and their runtimes"),
    ))
});

/// Registers every element of the plugin.
///
/// # Errors
/// If GStreamer refuses an element's name.
pub fn register(plugin: &gst::Plugin) -> Result<(), gst::glib::BoolError> {
    // A program that links us statically may have a logger of its own, which then has the messages.
    if log::set_logger(&*RUNTIME_LOG).is_ok() {
        log::set_max_level(log::LevelFilter::Debug);
    }
    crate::engine::forbid_telemetry();
    kizunasr::register(plugin)?;
    kizunashader::register(plugin)?;
    kizunaupscale::register(plugin)
}

/// Where the plugin's own file lies; in a program that links it statically, where the program lies.
fn plugin_dir() -> Option<PathBuf> {
    let plugin = gst::Registry::get().find_plugin("kizuna").and_then(|p| p.filename());
    plugin.or_else(|| std::env::current_exe().ok())?.parent().map(Into::into)
}
