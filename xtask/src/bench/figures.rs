//! What a run took.

use serde::{Deserialize, Serialize};

/// What a run took.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
pub struct Figures {
    /// Frames.
    pub frames: usize,
    /// Frames that come at once: as many as are worked on at the same time.
    #[serde(default = "one")]
    pub together: usize,
    /// Seconds from READY (of an engine alone: from opening it) to the first frame.
    pub first: f64,
    /// Seconds from the last of the first frames that come at once to the last frame.
    pub steady: f64,
    /// Seconds of processor time in `steady`.
    pub cpu: f64,
    /// The most memory at once, bytes.
    pub peak: u64,
    /// Ours: what `stats` says.
    #[serde(default)]
    pub stats: toml::Table,
}

impl Figures {
    /// Frames a second, without the first.
    pub fn fps(&self) -> f64 {
        self.counted() / self.steady
    }

    /// Seconds of processor time for a frame, without the first.
    pub fn cpu_per_frame(&self) -> f64 {
        self.cpu / self.counted()
    }

    fn counted(&self) -> f64 {
        self.frames as f64 - self.together as f64
    }

    /// Inferred pixels out of all, where `stats` says.
    pub fn inferred(&self) -> Option<f64> {
        let field = |name| self.stats.get(name).and_then(toml::Value::as_float);
        Some(field("pixels-inferred")? / field("pixels-total")?).filter(|share| share.is_finite())
    }
}

fn one() -> usize {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_our_program_prints_is_read() {
        let text = "frames = 5\nfirst = 0.5\nsteady = 2.0\ncpu = 4.0\npeak = 1000\n\
                    [stats]\npixels-inferred = 25.0\npixels-total = 100.0\nprovider = \"x\"\n";
        let figures: Figures = toml::from_str(text).unwrap();
        assert_eq!((figures.fps(), figures.cpu_per_frame()), (2.0, 1.0));
        assert_eq!(figures.inferred(), Some(0.25));
    }

    #[test]
    fn what_peers_write_has_no_stats() {
        let figures: Figures =
            toml::from_str("frames = 2\nfirst = 1.5\nsteady = 1.0\ncpu = 1\npeak = 0\n").unwrap();
        assert_eq!(figures.inferred(), None);
    }
}
