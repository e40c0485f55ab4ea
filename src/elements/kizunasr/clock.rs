//! Time: what a frame takes, and which frames are late.

use std::time::Duration;

use parking_lot::Mutex;

use crate::session::Stats;

/// Latency is told anew when it changed by more than a quarter.
const CHANGE: f64 = 0.25;

/// Work after which a slow element says so, once.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// How long a frame takes.
#[derive(Debug, Default)]
pub struct Pace {
    told: Option<Duration>,
    said_slow: bool,
    /// Time that frames spent in the element, all together.
    latencies: Duration,
    frames: u32,
}

impl Pace {
    /// What the latency query adds: the time from a frame's arrival to its departure when it was last told; 0 before the
    /// first frame.
    pub fn latency(&self) -> gst::ClockTime {
        gst::ClockTime::try_from(self.told.unwrap_or_default()).unwrap_or(gst::ClockTime::ZERO)
    }

    /// Notes a frame that took `latency` and lasts `duration` in the film; returns whether the latency changed, and whether
    /// it is time to say that work is slow.
    pub fn note(
        &mut self,
        stats: &Stats,
        latency: Duration,
        duration: Option<gst::ClockTime>,
    ) -> (bool, bool) {
        self.latencies += latency;
        self.frames += 1;
        let mean = self.latencies / self.frames;
        let told = self.told.unwrap_or_default().as_secs_f64();
        let changed = (mean.as_secs_f64() - told).abs() > CHANGE * told;
        if changed {
            self.told = Some(mean);
        }
        let per_frame = stats.busy / stats.frames.max(1) as u32;
        let slower = duration.is_some_and(|d| per_frame > Duration::from(d));
        let slow = !self.said_slow && slower && stats.busy > SLOW_AFTER;
        self.said_slow |= slow;
        (changed, slow)
    }
}

/// Which frames are late, from QoS events.
#[derive(Debug, Default)]
pub struct LateFrames(Mutex<Late>);

#[derive(Debug, Default)]
struct Late {
    /// Running time before which frames come too late to be shown.
    earliest: Option<gst::ClockTime>,
    said: bool,
}

impl LateFrames {
    /// Takes over what a QoS event says: a frame of running time `timestamp` came `diff` ns too late (negative: early).
    pub fn note(&self, timestamp: Option<gst::ClockTime>, diff: i64) {
        let mut late = self.0.lock();
        late.earliest = timestamp.filter(|_| diff > 0).map(|t| {
            t.saturating_add(gst::ClockTime::from_nseconds(diff.unsigned_abs()).saturating_mul(2))
        });
    }

    /// Whether a frame of running time `time` comes too late.
    pub fn is_late(&self, time: Option<gst::ClockTime>) -> bool {
        time.zip(self.0.lock().earliest).is_some_and(|(time, earliest)| time < earliest)
    }

    /// Whether nobody asked this before.
    pub fn first(&self) -> bool {
        !std::mem::replace(&mut self.0.lock().said, true)
    }

    /// Forgets everything, after a flush.
    pub fn reset(&self) {
        self.0.lock().earliest = None;
    }
}
