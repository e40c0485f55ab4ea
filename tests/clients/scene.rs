//! A pipeline with an element of the table in its middle, and what an application does to it.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use gst::prelude::*;

use crate::journal::Journal;
use crate::table::{alone_with, element};

/// No test waits that long, unless something hangs.
const PATIENCE: gst::ClockTime = gst::ClockTime::from_seconds(60);

/// A pipeline that is stopped when it goes, after a failure too.
pub struct Stopped(pub gst::Pipeline);

impl Stopped {
    /// A launch line's pipeline.
    pub fn launch(line: &str) -> Self {
        let pipeline = gst::parse::launch(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        Self(pipeline.downcast().unwrap())
    }
}

impl std::ops::Deref for Stopped {
    type Target = gst::Pipeline;

    fn deref(&self) -> &gst::Pipeline {
        &self.0
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.set_state(gst::State::Null);
    }
}

/// What the stream waits for.
#[derive(Clone, Default)]
pub struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn wait(&self) {
        let is_shut = |is_open: &mut bool| !*is_open;
        let patience = PATIENCE.into();
        drop(self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), patience, is_shut).unwrap());
    }
}

pub struct Scene {
    pub pipeline: Stopped,
    pub sink: gst::Element,
    pub journal: Journal,
    /// The number of the last seek, and of all that follows from it.
    sought: Cell<Option<gst::Seqnum>>,
    what: String,
    _alone: Option<MutexGuard<'static, ()>>,
}

impl Scene {
    /// `source ! element ! fakesink`, where the sink has further properties.
    pub fn new(source: &str, line: &'static str, sink: &str) -> Self {
        let alone = alone_with(line);
        let text = format!("{source} ! {line} name=up ! fakesink name=end {sink}");
        let pipeline = Stopped::launch(&text);
        let journal = Journal::of(&pipeline.by_name("up").unwrap(), line);
        let sink = pipeline.by_name("end").unwrap();
        Self { pipeline, sink, journal, sought: Cell::new(None), what: text, _alone: alone }
    }

    /// Changes state and waits until that is done.
    pub fn state(&self, state: gst::State) {
        self.pipeline.set_state(state).unwrap_or_else(|_| self.fail());
        self.settle();
    }

    /// Waits for the end of a change of state, or of a flushing seek.
    pub fn settle(&self) {
        let (result, state, pending) = self.pipeline.state(PATIENCE);
        match result {
            Ok(gst::StateChangeSuccess::Async) => panic!("{}: {state:?}, {pending:?}", self.what),
            Ok(_) => {}
            Err(_) => self.fail(),
        }
    }

    fn fail(&self) -> ! {
        let error = self.bus().pop_filtered(&[gst::MessageType::Error]);
        panic!("{}: {error:?}", self.what)
    }

    fn bus(&self) -> gst::Bus {
        self.pipeline.bus().unwrap()
    }

    /// The next message of `kind`; what was latency is told anew meanwhile, as applications do.
    pub fn message(&self, kind: gst::MessageType) -> gst::Message {
        let kinds = [kind, gst::MessageType::Error, gst::MessageType::Latency];
        loop {
            let message = self.bus().timed_pop_filtered(PATIENCE, &kinds);
            let message = message.unwrap_or_else(|| {
                panic!("{}: no {kind:?} message: {:?}", self.what, self.journal.left())
            });
            match message.type_() {
                gst::MessageType::Error => panic!("{}: {message:?}", self.what),
                gst::MessageType::Latency if kind != gst::MessageType::Latency => {
                    self.pipeline.recalculate_latency().unwrap();
                }
                _ if self.is_stale(&message) => {}
                _ => return message,
            }
        }
    }

    pub fn to_the_end(&self) {
        self.message(gst::MessageType::Eos);
    }

    /// The same, where nothing more depends on the clock.
    pub fn hurry_to_the_end(&self) {
        self.sink.set_property("sync", false);
        self.to_the_end();
    }

    /// Holds the film before its picture `number`, counted from now: what is done meanwhile is done in its middle, however slow
    /// the machine is.
    pub fn hold(&self, number: usize) -> Gate {
        let gate = Gate::default();
        let (held, came) = (gate.clone(), AtomicUsize::new(1));
        self.entrance().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            if came.fetch_add(1, Ordering::SeqCst) == number {
                held.wait();
            }
            gst::PadProbeReturn::Ok
        });
        gate
    }

    /// The element's sink pad.
    pub fn entrance(&self) -> gst::Pad {
        self.pipeline.by_name("up").unwrap().static_pad("sink").unwrap()
    }

    /// A seek at rate 1.
    pub fn seek(&self, flags: gst::SeekFlags, to: gst::ClockTime) {
        self.range(1.0, flags, (to, None));
    }

    /// A seek at `rate` between two times. A paused sink that is just being given the network's picture refuses it, for a moment.
    pub fn range(
        &self,
        rate: f64,
        flags: gst::SeekFlags,
        range: (gst::ClockTime, Option<gst::ClockTime>),
    ) {
        let set = gst::SeekType::Set;
        let seek = gst::event::Seek::new(rate, flags, set, range.0, set, range.1);
        // An end that was reached before is none any more: whose end it is, its number says.
        self.sought.set(Some(seek.seqnum()));
        let begun = std::time::Instant::now();
        while !self.pipeline.send_event(seek.clone()) {
            let may_be_refused = self.what.contains("hybrid") && begun.elapsed() < PATIENCE.into();
            assert!(may_be_refused, "{}: no seek to {range:?}", self.what);
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    }

    /// Whether a message is an end that was reached before the last seek.
    fn is_stale(&self, message: &gst::Message) -> bool {
        let is_end =
            matches!(message.type_(), gst::MessageType::Eos | gst::MessageType::SegmentDone);
        is_end && self.sought.get().is_some_and(|sought| sought != message.seqnum())
    }

    /// Where in the film the picture on show is.
    pub fn shown(&self) -> gst::ClockTime {
        let sample = self.sink.property::<Option<gst::Sample>>("last-sample").expect("no picture");
        let segment = sample.segment().unwrap().downcast_ref::<gst::ClockTime>().unwrap().clone();
        segment.to_stream_time(sample.buffer().unwrap().pts()).unwrap()
    }

    /// Ends the scene: nothing was lost, nothing failed.
    pub fn finish(self) {
        self.pipeline.set_state(gst::State::Null).unwrap();
        let error = self.bus().pop_filtered(&[gst::MessageType::Error]);
        assert!(error.is_none(), "{}: {error:?}", self.what);
        // Sinks here ask for no quality of service, so nobody drops.
        self.journal.check(&self.what, false);
    }
}

/// A bare element of the table in a harness, and its journal.
pub fn harnessed(
    line: &'static str,
) -> (gst_check::Harness, Journal, Option<MutexGuard<'static, ()>>) {
    let alone = alone_with(line);
    let element = element(line);
    let journal = Journal::of(&element, line);
    (crate::pipelines::harness(&element), journal, alone)
}
