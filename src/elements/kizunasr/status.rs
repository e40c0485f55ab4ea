//! The read-only properties.

use gst::glib;
use gst::prelude::*;

use crate::engine::EngineInfo;
use crate::session::{Loaded, Session, Stats};

/// What is shown while and after frames flow.
#[derive(Debug, Clone, Default)]
pub struct Status {
    stats: Stats,
    engine: Option<EngineInfo>,
    /// The engine, and why others do not run, in words.
    provider: Option<String>,
    tile: (u32, u32),
    halo: u32,
    tiles_per_frame: u32,
    passes: u32,
}

/// The read-only properties.
pub fn properties() -> [glib::ParamSpec; 3] {
    [
        glib::ParamSpecBoxed::builder::<gst::Structure>("stats")
            .nick("statistics")
            .blurb("Figures so far: frames, plain-frames, tiles, fallbacks, seconds, fps, provider, precision, tile-width, tile-height, halo, tiles-per-frame, passes")
            .read_only()
            .build(),
        glib::ParamSpecBoxed::builder::<gst::Structure>("model-info")
            .nick("model information")
            .blurb("What was found out about the model, and where from: scale, channels, layout, range, halo and more; known from PAUSED on")
            .read_only()
            .build(),
        glib::ParamSpecString::builder("active-provider")
            .nick("active provider")
            .blurb("Provider, runtime, device and precision that really run, and why others do not; known from PAUSED on")
            .read_only()
            .build(),
    ]
}

impl Status {
    /// Takes over what a session knows.
    pub fn update(&mut self, session: &Session) {
        self.stats.clone_from(session.stats());
        // The engine changes with a fallback alone; its description is not made for every frame.
        if self.engine.as_ref() != Some(session.engine_info()) {
            self.engine = Some(session.engine_info().clone());
            self.provider = Some(session.describe_provider());
        }
        let networks = session.networks();
        if let Some(plan) = networks.first().map(|n| n.plan()) {
            self.tile = (plan.x.tile as u32, plan.y.tile as u32);
            self.halo = plan.x.halo as u32;
        }
        self.tiles_per_frame = networks.iter().map(|n| n.plan().len() as u32).sum();
        self.passes = networks.len() as u32;
    }

    /// Figures so far.
    pub fn figures(&self) -> &Stats {
        &self.stats
    }

    /// The value of a read-only property.
    pub fn get(&self, name: &str, loaded: Option<&Loaded>) -> glib::Value {
        match name {
            "stats" => self.stats().to_value(),
            "model-info" => loaded.map(model_info).to_value(),
            _ => {
                let before_caps = || loaded.map(|l| l.describe_provider(&l.info));
                self.provider.clone().or_else(before_caps).to_value()
            }
        }
    }

    fn stats(&self) -> gst::Structure {
        let seconds = self.stats.busy.as_secs_f64();
        let fps = if seconds > 0.0 { self.stats.frames as f64 / seconds } else { 0.0 };
        gst::Structure::builder("kizunasr-stats")
            .field("frames", self.stats.frames)
            .field("plain-frames", self.stats.plain_frames)
            .field("tiles", self.stats.tiles)
            .field("fallbacks", self.stats.fallbacks)
            .field("seconds", seconds)
            .field("fps", fps)
            .field("provider", self.provider.as_deref().unwrap_or(""))
            .field("precision", self.engine.as_ref().map_or("", |e| e.precision.nick()))
            .field("tile-width", self.tile.0)
            .field("tile-height", self.tile.1)
            .field("halo", self.halo)
            .field("tiles-per-frame", self.tiles_per_frame)
            .field("passes", self.passes)
            .build()
    }
}

fn model_info(loaded: &Loaded) -> gst::Structure {
    let report = &loaded.report;
    let mut info = gst::Structure::builder("kizunasr-model")
        .field("name", report.model.as_str())
        .field_if_some("title", report.title.as_deref())
        .field_if_some("licence", report.licence.as_deref());
    for fact in &report.facts {
        info = info.field(fact.name.replace(' ', "-"), format!("{} [{}]", fact.value, fact.origin));
    }
    info.build()
}
