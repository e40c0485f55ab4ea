//! Which frames are late.

use parking_lot::Mutex;

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
