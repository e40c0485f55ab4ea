//! The read-only properties.

use gst::glib;
use gst::prelude::*;

use crate::gl::Timing;
use crate::shader::graph::Skipped;

/// What `stats` shows.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Frames that went out.
    pub frames: u64,
    /// Those of them that were the ones before once more.
    pub reused: u64,
    /// Time in the element, all frames together.
    pub busy: std::time::Duration,
    /// The driver's version and device.
    pub device: String,
    /// Passes that run, and what they take.
    pub passes: Vec<Timing>,
    /// Passes that do not.
    pub skipped: Vec<Skipped>,
}

/// The read-only properties.
pub fn properties() -> [glib::ParamSpec; 1] {
    [glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
        .nick("statistics")
        .blurb("Figures so far: frames, reused (those whose picture had just come in by memory: the last output once more), seconds (at work), fps, device, passes (an array of name and milliseconds on the device, -1 where not known yet) and skipped (an array of name, place and reason). May be read at any time.")
        .read_only()
        .build()]
}

impl Status {
    /// The value of `stats`.
    pub fn stats(&self) -> gst::Structure {
        let seconds = self.busy.as_secs_f64();
        let fps = if seconds > 0.0 { self.frames as f64 / seconds } else { 0.0 };
        let passes = self.passes.iter().map(|timing| {
            gst::Structure::builder("pass")
                .field("name", timing.name.as_str())
                .field("milliseconds", timing.milliseconds.unwrap_or(-1.0))
                .build()
                .to_send_value()
        });
        let skipped = self.skipped.iter().map(|skipped| {
            let place = format!("{}:{}", skipped.place.file, skipped.place.line);
            gst::Structure::builder("skipped")
                .field("name", skipped.name.as_str())
                .field("place", place)
                .field("reason", skipped.reason.as_str())
                .build()
                .to_send_value()
        });
        gst::Structure::builder("kizunashader-stats")
            .field("frames", self.frames)
            .field("reused", self.reused)
            .field("seconds", seconds)
            .field("fps", fps)
            .field("device", self.device.as_str())
            .field("passes", gst::Array::from_values(passes))
            .field("skipped", gst::Array::from_values(skipped))
            .build()
    }
}
