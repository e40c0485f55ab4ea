//! How long frames take.

use std::time::Duration;

/// What is promised over what was seen, so that it need not be told anew for every frame that takes a little longer.
const MARGIN: f64 = 1.25;

/// Work after which a slow element says so, once.
const SLOW_AFTER: Duration = Duration::from_secs(5);

/// What an element knows of its own time.
#[derive(Debug, Default)]
pub struct Pace {
    promised: Duration,
    said_slow: bool,
}

impl Pace {
    /// What the latency query adds: no frame took longer from its arrival to its departure. 0 before the first frame.
    pub fn latency(&self) -> gst::ClockTime {
        gst::ClockTime::try_from(self.promised).unwrap_or(gst::ClockTime::ZERO)
    }

    /// Notes a frame that took `latency`; returns whether more than before must be promised.
    pub fn note(&mut self, latency: Duration) -> bool {
        let is_longer = latency > self.promised;
        if is_longer {
            self.promised = latency.mul_f64(MARGIN);
        }
        is_longer
    }

    /// Whether it is time to say that frames take longer, `each` at work, than they last: once, after `busy` in all.
    pub fn is_slow(
        &mut self,
        each: Duration,
        busy: Duration,
        frame: Option<gst::ClockTime>,
    ) -> bool {
        let is_slower = frame.is_some_and(|frame| each > Duration::from(frame));
        let is_slow = !self.said_slow && is_slower && busy > SLOW_AFTER;
        self.said_slow |= is_slow;
        is_slow
    }
}

/// Adds what is promised to the answer of a latency query.
pub fn add_latency(query: &mut gst::QueryRef, own: gst::ClockTime) {
    if let gst::QueryViewMut::Latency(latency) = query.view_mut() {
        let (live, min, max) = latency.result();
        latency.set(live, min + own, max.map(|max| max + own));
    }
}
