//! The picture on the screen, and what followed its frame once more.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use gst::prelude::*;
use gst::subclass::prelude::*;

use super::journal::Item;
use super::{LOOK, Shared, State};

impl Shared {
    /// Puts `picture` on the screen in place of the frame at `at`, if that is still there.
    pub(super) fn show(self: &Arc<Self>, at: gst::ClockTime, picture: gst::Buffer) {
        if self.shown_on_pause() != Some(at) {
            return;
        }
        let number = {
            let mut state = self.state.lock();
            let is_wanted = state.is_paused && !state.is_flushing && !state.is_over();
            if !is_wanted || !state.journal.rewind(picture) {
                return;
            }
            (state.done, state.is_replaying) = (Some(at), true);
            state.replays += 1;
            state.replays
        };
        let replay = self.replay.lock().take();
        self.flush(replay);
        let shared = self.clone();
        let send = move || shared.replay(number);
        match Builder::new().name("kizuna-replay".into()).spawn(send) {
            Ok(thread) => *self.replay.lock() = Some(thread),
            Err(_) => self.state.lock().end_replay(number, Err(gst::FlowError::Error)),
        }
        if let Some(element) = self.element.upgrade() {
            element.imp().note_paused_frame(at);
        }
    }

    /// Takes from downstream what it has, and out of it whoever it holds. As short as can be: a seek that comes meanwhile is
    /// refused by whatever is flushing.
    pub(super) fn flush(&self, replay: Option<JoinHandle<()>>) {
        self.src.push_event(gst::event::FlushStart::new());
        if let Some(replay) = replay {
            let _ = replay.join();
        }
        let mut state = self.state.lock();
        while state.is_sending {
            self.changed.wait_for(&mut state, LOOK);
        }
        let is_upstreams = state.is_flushing;
        drop(state);
        if !is_upstreams {
            self.src.push_event(gst::event::FlushStop::new(false));
        }
    }

    /// Sends what was sent before, and what has come since, on a thread of its own: a paused sink holds who sends.
    fn replay(&self, number: u64) {
        loop {
            let item = {
                let mut state = self.state.lock();
                let item = if state.replays == number { state.journal.next() } else { None };
                let Some(item) = item else {
                    state.end_replay(number, Ok(gst::FlowSuccess::Ok));
                    break;
                };
                item
            };
            match item {
                Item::Frame(frame) => {
                    let flow = self.src.push(frame.output);
                    if flow.is_err() {
                        self.state.lock().end_replay(number, flow);
                        break;
                    }
                }
                Item::Event(event) => {
                    self.src.push_event(event);
                }
            }
        }
        self.changed.notify_all();
    }
}

impl State {
    fn end_replay(&mut self, number: u64, flow: Result<gst::FlowSuccess, gst::FlowError>) {
        if self.replays == number {
            self.is_replaying = false;
            // A flush is no failure, whoever flushed.
            self.flow = flow.err().filter(|e| *e != gst::FlowError::Flushing);
        }
    }
}
