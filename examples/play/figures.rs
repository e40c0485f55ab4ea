//! Figures: how fast it is, and what the stages take.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::filter::Filter;
use crate::state::{QUALITIES, STAGES, State};

/// What passes of the five stages are called before the colon; what remains is conversion, scaling and shaders of the user.
const TITLES: [&[&str]; STAGES.len()] = [
    &["Normalize"],
    &["Structural Reconstruction"],
    &["Real-Time Upscale", "Upscale"],
    &["Perceptual Enhancement"],
    &["Temporal Stabilization"],
];

/// The least time that rates are taken over.
const LEAST: Duration = Duration::from_millis(500);

/// How fast it is now.
pub struct Figures {
    at: Instant,
    counted: Counted,
    frames_in: f64,
    frames_out: f64,
    /// In the element, of one frame.
    milliseconds: f64,
}

/// What only grows.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    frames_in: u64,
    frames_out: u64,
    /// Frames that the element made, and its time for them.
    made: u64,
    seconds: f64,
}

impl Figures {
    /// None so far.
    pub fn new() -> Self {
        let (at, counted) = (Instant::now(), Counted::default());
        Self { at, counted, frames_in: 0.0, frames_out: 0.0, milliseconds: 0.0 }
    }

    /// Two lines for all, and one for each stage.
    pub fn lines(&mut self, filter: &Filter, state: &State) -> Vec<String> {
        let stats = filter.shader.property::<Option<gst::Structure>>("stats");
        // A key asks for lines too, and too little time makes no rate.
        if self.at.elapsed() >= LEAST {
            self.renew(counted(filter, stats.as_deref()));
        }
        let passes = stats.map(|stats| passes(&stats)).unwrap_or_default();
        let (stages, other) = by_stage(&passes);

        let size = |(width, height)| format!("{width}x{height}");
        let sizes = filter.sizes().map(|[from, to]| format!("{} to {}, ", size(from), size(to)));
        let split = if state.is_split { ", before | after" } else { "" };
        let network = if state.profile() == "hybrid" { ", network on pause" } else { "" };
        let quality = QUALITIES[state.quality];
        let mut lines = vec![
            format!("{}{quality}{split}{network}", sizes.unwrap_or_default()),
            format!(
                "{:.1} frames/s in, {:.1} out, {:.1} ms each; on the device {:.1} ms",
                self.frames_in,
                self.frames_out,
                self.milliseconds,
                passes.iter().fold(0.0, |sum, pass| sum + pass.1),
            ),
        ];
        for (i, (name, time)) in STAGES.iter().zip(stages).enumerate() {
            let time = if state.on[i] { time.map_or("-".into(), shown) } else { "off".into() };
            lines.push(format!("{} {name:<10}{time:>9}", i + 1));
        }
        lines.push(format!("  {:<10}{:>9}", "other", shown(other)));
        lines
    }

    fn renew(&mut self, now: Counted) {
        let elapsed = std::mem::replace(&mut self.at, Instant::now()).elapsed().as_secs_f64();
        let before = std::mem::replace(&mut self.counted, now);
        let grown = |now: u64, before: u64| now.saturating_sub(before) as f64;
        self.frames_in = grown(now.frames_in, before.frames_in) / elapsed;
        self.frames_out = grown(now.frames_out, before.frames_out) / elapsed;
        let busy = 1000.0 * (now.seconds - before.seconds).max(0.0);
        self.milliseconds = busy / grown(now.made, before.made).max(1.0);
    }
}

fn counted(filter: &Filter, stats: Option<&gst::StructureRef>) -> Counted {
    let count = |which: usize| filter.counts[which].load(Ordering::Relaxed);
    Counted {
        frames_in: count(0),
        frames_out: count(1),
        made: stats.and_then(|stats| stats.get("frames").ok()).unwrap_or_default(),
        seconds: stats.and_then(|stats| stats.get("seconds").ok()).unwrap_or_default(),
    }
}

/// Names of passes, and milliseconds, as far as these are known yet.
fn passes(stats: &gst::StructureRef) -> Vec<(String, f64)> {
    let array = stats.get::<gst::ArrayRef>("passes");
    let pass = |value: &gst::glib::SendValue| {
        let pass = value.get::<gst::Structure>().ok()?;
        Some((pass.get("name").ok()?, pass.get("milliseconds").ok()?))
    };
    let known = |(_, time): &(String, f64)| *time >= 0.0;
    array.map(|all| all.iter().filter_map(pass).filter(known).collect()).unwrap_or_default()
}

/// Milliseconds of each stage, none where it has no passes, and of everything else.
fn by_stage(passes: &[(String, f64)]) -> ([Option<f64>; STAGES.len()], f64) {
    let mut stages = [None; STAGES.len()];
    let mut other = 0.0;
    for (name, time) in passes {
        let title = name.split(':').next().unwrap_or_default();
        match TITLES.iter().position(|titles| titles.contains(&title)) {
            Some(stage) => *stages[stage].get_or_insert(0.0) += time,
            None => other += time,
        }
    }
    (stages, other)
}

fn shown(time: f64) -> String {
    format!("{time:.2} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_are_counted_for_their_stages() {
        let passes = [
            ("Normalize: deband", 1.0),
            ("Normalize: chroma from luma", 2.0),
            ("Upscale: layer 1", 4.0),
            ("Upscale: layer 2", 0.5),
            ("planes", 8.0),
            ("Split: side by side", 16.0),
        ];
        let passes = passes.map(|(name, time)| (name.to_owned(), time));
        assert_eq!(by_stage(&passes), ([Some(3.0), None, Some(4.5), None, None], 24.0));
    }
}
