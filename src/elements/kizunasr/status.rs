//! The read-only properties.

use gst::glib;
use gst::prelude::*;

use crate::elements::error;
use crate::session::{Loaded, Setup, Stats};

/// What is shown while and after frames flow.
#[derive(Debug, Clone, Default)]
pub struct Status {
    stats: Stats,
    setup: Option<Setup>,
}

/// The read-only properties.
pub fn properties() -> [glib::ParamSpec; 3] {
    [
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("statistics")
            .blurb("Figures so far: frames, plain-frames, tiles, pixels-inferred and pixels-total (with and without reuse), fallbacks, loading (whether a network is being loaded in the background), seconds (at work), fps, read-seconds, infer-seconds and write-seconds (stages, which overlap), provider, precision, tile-width, tile-height, halo, tiles-per-frame, passes. May be read at any time.")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("model-info")
            .nick("model information")
            .blurb("What was found out about the model, and where from: scale, channels, layout, range, halo and more; known from PAUSED on. May be read at any time.")
            .read_only()
            .build(),
        glib::ParamSpecString::builder("active-provider")
            .nick("active provider")
            .blurb("Provider, runtime, device and precision that really run, and why others do not; known from PAUSED on. May be read at any time.")
            .read_only()
            .build(),
    ]
}

impl Status {
    /// Takes over what a session knows.
    pub fn update(&mut self, stats: &Stats, setup: &Setup) {
        self.stats.clone_from(stats);
        // It changes with a fallback alone.
        if self.setup.as_ref() != Some(setup) {
            self.setup = Some(setup.clone());
        }
    }

    /// Figures so far.
    pub fn figures(&self) -> &Stats {
        &self.stats
    }

    /// The value of a read-only property.
    pub fn get(&self, name: &str, loaded: Option<&Loaded>, is_loading: bool) -> glib::Value {
        match name {
            "stats" => self.stats(is_loading).to_value(),
            "model-info" => loaded.map(model_info).to_value(),
            _ => {
                let before_caps = || loaded.map(|l| l.describe_provider(&l.info));
                self.setup.as_ref().map(|s| s.provider.clone()).or_else(before_caps).to_value()
            }
        }
    }

    fn stats(&self, is_loading: bool) -> gst::Structure {
        let Stats { busy, stages, .. } = &self.stats;
        let seconds = busy.as_secs_f64();
        let fps = if seconds > 0.0 { self.stats.frames as f64 / seconds } else { 0.0 };
        let setup = self.setup.as_ref();
        let number = |of: fn(&Setup) -> usize| setup.map_or(0, of) as u32;
        gst::Structure::builder("kizunasr-stats")
            .field("frames", self.stats.frames)
            .field("plain-frames", self.stats.plain_frames)
            .field("tiles", self.stats.tiles)
            .field("pixels-inferred", self.stats.pixels_inferred)
            .field("pixels-total", self.stats.pixels_total)
            .field("fallbacks", self.stats.fallbacks)
            .field("loading", is_loading)
            .field("seconds", seconds)
            .field("fps", fps)
            .field("read-seconds", stages.read.as_secs_f64())
            .field("infer-seconds", stages.infer.as_secs_f64())
            .field("write-seconds", stages.write.as_secs_f64())
            .field("provider", setup.map_or("", |s| s.provider.as_str()))
            .field(
                "precision",
                setup.and_then(|s| s.info.as_ref()).map_or("", |i| i.precision.nick()),
            )
            .field("tile-width", number(|s| s.tile.width))
            .field("tile-height", number(|s| s.tile.height))
            .field("halo", number(|s| s.halo))
            .field("tiles-per-frame", number(|s| s.tiles))
            .field("passes", number(|s| s.passes))
            .build()
    }
}

fn model_info(loaded: &Loaded) -> gst::Structure {
    let report = &loaded.report;
    let mut info = gst::Structure::builder("kizunasr-model")
        .field("name", error::text(&report.model))
        .field_if_some("title", report.title.as_deref())
        .field_if_some("licence", report.licence.as_deref());
    for fact in &report.facts {
        let value = format!("{} [{}]", fact.value, fact.origin);
        info = info.field(fact.name.replace(' ', "-"), error::text(&value));
    }
    info.build()
}
