//! What elements say, in words for the viewer.

use gst::prelude::*;

/// An error with its details, and what to do where that is known.
pub fn error(error: &gst::message::Error) -> String {
    let from = error.src().map(|element| element.name()).unwrap_or_default();
    let said = with_details(&from, &error.error(), error.debug().as_deref());
    let element = error.src().and_then(|from| from.downcast_ref::<gst::Element>());
    let kind = element.and_then(|element| element.metadata("klass"));
    if kind.is_some_and(|kind| kind.contains("Sink/Video")) && !has_display() {
        return format!(
            "{said}\nThere is no display: set DISPLAY or WAYLAND_DISPLAY, or show nothing by '--sink \"fakesink sync=true\"' \
             (and GST_GL_WINDOW=egl-device GST_GL_PLATFORM=egl)"
        );
    }
    said
}

/// A message that the viewer should see though the film goes on.
pub fn remark(message: &gst::Message) -> Option<String> {
    match message.view() {
        gst::MessageView::Warning(w) => {
            let from = w.src().map(|element| element.name()).unwrap_or_default();
            Some(format!("warning: {}", with_details(&from, &w.error(), w.debug().as_deref())))
        }
        gst::MessageView::Element(e) if e.has_name("kizunaupscale-paused-frame") => {
            Some("the frame on pause is the network's".into())
        }
        gst::MessageView::Element(e) => {
            let missing = e.structure().filter(|s| s.name() == "missing-plugin")?;
            let name = missing.get::<String>("name").unwrap_or_else(|_| "an element".into());
            Some(format!(
                "GStreamer lacks {name}; Debian's gstreamer1.0-libav and gstreamer1.0-plugins-ugly decode most films"
            ))
        }
        _ => None,
    }
}

fn with_details(from: &str, error: &gst::glib::Error, debug: Option<&str>) -> String {
    match debug {
        Some(debug) => format!("{from}: {}\n  {}", error.message(), debug.replace('\n', "\n  ")),
        None => format!("{from}: {}", error.message()),
    }
}

fn has_display() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(any(windows, target_os = "macos")) || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}
