//! The end of a frame's way: downstream, and what is learned from it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;

use super::imp::KizunaSr;
use crate::elements::video::VideoPair;
use crate::session::{Finished, Notice, Setup, Stats};

impl KizunaSr {
    /// A frame that has come to its end; on the session's own thread, so that the next ones go on while downstream works.
    pub(super) fn deliver(&self, frame: Finished<VideoPair>) {
        self.warn(frame.notices);
        let one_less = |stale: usize| stale.checked_sub(1);
        if self.stale.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok() {
            return;
        }
        // Who is not linked now may be for the next frame, as where somebody chooses among streams.
        let is_open = self.flow.lock().is_none_or(|e| e == gst::FlowError::NotLinked);
        let flow = match frame.result {
            Ok(()) if is_open => {
                let buffer = frame.frames.into_written();
                self.note_progress(&frame.stats, &frame.setup, frame.latency, &buffer);
                Some(self.obj().src_pad().push(buffer))
            }
            Ok(()) => None,
            Err(e) => Some(Err(self.fail(&e))),
        };
        match flow {
            Some(Ok(_)) => *self.flow.lock() = None,
            Some(Err(e)) if is_open => *self.flow.lock() = Some(e),
            _ => {}
        }
    }

    /// What downstream said to the last frames has no next frame to be answered to: nobody else would hear of it.
    pub(super) fn report_flow(&self) {
        let flow = *self.flow.lock();
        let is_lasting = match flow {
            Some(gst::FlowError::NotLinked) => !self.obj().src_pad().is_linked(),
            flow => flow == Some(gst::FlowError::NotNegotiated),
        };
        if let (Some(flow), true) = (flow, is_lasting) {
            let text = "the last frames could not go downstream: link the source pad, or give it caps that it takes";
            gst::element_imp_error!(self, gst::StreamError::Failed, ("{text}"), ["{flow:?}"]);
        }
    }

    /// Keeps what properties show, and tells the bus once where work is slow or latency changed.
    fn note_progress(
        &self,
        stats: &Stats,
        setup: &Setup,
        latency: Duration,
        buffer: &gst::BufferRef,
    ) {
        let each = stats.busy / stats.frames.max(1) as u32;
        let (latency_changed, slow) = {
            let mut negotiated = self.negotiated.lock();
            negotiated.status.update(stats, setup);
            let end = buffer.pts().map(|pts| pts + buffer.duration().unwrap_or_default());
            negotiated.position = negotiated.segment.as_ref().and_then(|s| s.to_stream_time(end?));
            let slow = negotiated.pace.is_slow(each, stats.busy, buffer.duration());
            (negotiated.pace.note(latency), slow)
        };
        if latency_changed {
            let _ = self.post_message(gst::message::Latency::builder().src(&*self.obj()).build());
        }
        if slow {
            self.warn(vec![Notice(self.slow_message(each, buffer))]);
        }
    }

    fn slow_message(&self, per_frame: Duration, buffer: &gst::BufferRef) -> String {
        let mut text = format!("a frame takes {:.2} s", per_frame.as_secs_f64());
        let total = self.obj().sink_pad().peer_query_duration::<gst::ClockTime>();
        if let (Some(total), Some(at), Some(frame)) =
            (total, buffer.pts(), buffer.duration().filter(|d| !d.is_zero()))
        {
            let left = total.saturating_sub(at).nseconds() / frame.nseconds();
            text.push_str(&format!(
                "; about {} min left",
                (per_frame * left as u32).as_secs() / 60 + 1
            ));
        }
        text
    }
}
