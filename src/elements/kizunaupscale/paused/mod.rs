//! `profile=hybrid`: the frame on show while paused is upscaled once more, by the network.
//!
//! ```text
//! screen.rs    which frame the sink shows
//! journal.rs   what came in and went out since that frame
//! network.rs   before ! ai ! after, beside the stream
//! mod.rs       a thread that watches, and one that sends the frame and what followed it again
//! ```
//!
//! Nothing upstream hears of it, so it works with sources that cannot seek: the sink is flushed from here, gets the network's
//! picture of the same frame, and then what it had been sent before, so that no frame is lost. The pipeline stays prerolled but
//! for the moment between flush and frame: playing goes on at once, however far the network has got.

mod journal;
mod network;
mod screen;

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use parking_lot::{Condvar, Mutex};

use self::journal::{Frame, Item, Journal};
use self::network::Network;
use super::imp::{CAT, KizunaUpscale};
use super::parts::Parts;

/// How often the frame on show is looked at while paused.
const LOOK: Duration = Duration::from_millis(30);

/// The work on paused frames.
pub struct Paused {
    shared: Arc<Shared>,
    watch: Option<JoinHandle<()>>,
}

/// What the stream, the application and the threads here share.
struct Shared {
    element: glib::WeakRef<super::KizunaUpscale>,
    parts: Arc<Parts>,
    sink: gst::GhostPad,
    src: gst::GhostPad,
    journal: Mutex<Journal>,
    state: Mutex<State>,
    changed: Condvar,
    /// Open while the network can be used.
    network: Mutex<Option<Arc<Network>>>,
}

#[derive(Default)]
struct State {
    is_paused: bool,
    is_ending: bool,
    /// Between a flush that comes from upstream and its end.
    is_flushing: bool,
    /// Whether the stream's thread is below us.
    is_in_stream: bool,
    /// Whether what was sent is being sent again: the stream waits.
    is_replaying: bool,
    /// Which time that is; a thread of an earlier one has nothing to say any more.
    replays: u64,
    /// What came of it, for the stream.
    flow: Option<gst::FlowError>,
    /// The frame that is on its way through the shaders.
    input: Option<(gst::Buffer, gst::Caps)>,
    /// The frame on show that was done, or cannot be.
    done: Option<gst::ClockTime>,
}

impl Paused {
    /// Begins to watch. The model is loaded on the thread that does.
    pub fn new(element: &super::KizunaUpscale, imp: &KizunaUpscale) -> Option<Self> {
        let (parts, sink, src) = imp.inside()?;
        let shared = Arc::new(Shared {
            element: element.downgrade(),
            parts,
            sink,
            src,
            journal: Mutex::default(),
            state: Mutex::default(),
            changed: Condvar::new(),
            network: Mutex::new(None),
        });
        let watched = shared.clone();
        let watch = Builder::new().name("kizuna-paused".into()).spawn(move || watched.watch());
        Some(Self { shared, watch: Some(watch.ok()?) })
    }

    /// The pipeline pauses or plays.
    pub fn set_paused(&self, is_paused: bool) {
        let mut state = self.shared.state.lock();
        state.is_paused = is_paused;
        state.done = None;
        drop(state);
        if !is_paused {
            self.shared.cancel();
        }
        self.shared.changed.notify_all();
    }

    /// A frame of the stream, which `forward` sends through the shaders.
    pub fn chain(
        &self,
        buffer: gst::Buffer,
        caps: Option<gst::Caps>,
        forward: impl FnOnce(gst::Buffer) -> Result<gst::FlowSuccess, gst::FlowError>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let shared = &self.shared;
        shared.enter()?;
        if let Some(caps) = caps {
            shared.state.lock().input = Some((kept(&buffer, &caps), caps));
        }
        shared.forget_what_was_shown();
        let flow = forward(buffer);
        shared.leave(flow)
    }

    /// A serialized event of the stream, which `forward` sends on.
    pub fn event(&self, forward: impl FnOnce() -> bool) -> bool {
        let shared = &self.shared;
        if shared.enter().is_err() {
            return false;
        }
        let sent = forward();
        match shared.leave(if sent {
            Ok(gst::FlowSuccess::Ok)
        } else {
            Err(gst::FlowError::Flushing)
        }) {
            Ok(_) => true,
            Err(_) => sent,
        }
    }

    /// What comes out of the shaders.
    pub fn note(&self, info: &gst::PadProbeInfo) {
        if let Some(output) = info.buffer() {
            let input = self.shared.state.lock().input.take();
            if let Some((input, caps)) = input {
                let frame = Frame { input, caps, output: output.clone() };
                self.shared.journal.lock().push(Item::Frame(frame));
            }
        } else if let Some(event) = info.event()
            && event.is_serialized()
            && event.type_() != gst::EventType::FlushStop
        {
            self.shared.journal.lock().push(Item::Event(event.clone()));
        }
    }

    /// Upstream flushes: everything here lets go.
    pub fn flush_start(&self) {
        self.shared.state.lock().is_flushing = true;
        self.shared.changed.notify_all();
        self.shared.cancel();
    }

    /// Upstream has flushed. To be called when downstream is still flushing, so that nothing old gets there.
    pub fn flush_stop(&self) {
        let shared = &self.shared;
        let mut state = shared.state.lock();
        while state.is_replaying {
            // Our own flush may have ended in the middle of this one.
            parking_lot::MutexGuard::unlocked(&mut state, || {
                shared.src.push_event(gst::event::FlushStart::new())
            });
            shared.changed.wait_for(&mut state, LOOK);
        }
        state.is_flushing = false;
        (state.done, state.flow, state.input) = (None, None, None);
        drop(state);
        shared.journal.lock().flush();
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.shared.state.lock().is_ending = true;
        self.shared.changed.notify_all();
        self.shared.cancel();
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
    }
}

/// A frame that can be kept: a decoder's own memory may be scarce.
fn kept(buffer: &gst::Buffer, caps: &gst::Caps) -> gst::Buffer {
    if !super::formats::is_plain(caps) {
        return buffer.clone();
    }
    buffer.copy_deep().unwrap_or_else(|_| buffer.clone())
}

impl Shared {
    /// Waits until nothing is being sent again.
    fn enter(&self) -> Result<(), gst::FlowError> {
        let mut state = self.state.lock();
        while state.is_replaying {
            if state.is_flushing || state.is_ending {
                return Err(gst::FlowError::Flushing);
            }
            self.changed.wait(&mut state);
        }
        if let Some(e) = state.flow {
            return Err(e);
        }
        state.is_in_stream = true;
        Ok(())
    }

    /// What a flush of our own refused is sent again: for upstream it went well.
    fn leave(
        &self,
        flow: Result<gst::FlowSuccess, gst::FlowError>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.state.lock();
        state.is_in_stream = false;
        state.input = None;
        self.changed.notify_all();
        let is_ours = state.is_replaying && !state.is_flushing && !state.is_ending;
        match flow {
            Err(gst::FlowError::Flushing) if is_ours => {
                drop(state);
                self.enter()?;
                self.state.lock().is_in_stream = false;
                Ok(gst::FlowSuccess::Ok)
            }
            flow => flow,
        }
    }

    fn cancel(&self) {
        let network = self.network.lock().clone();
        if let Some(network) = network {
            network.cancel();
        }
    }

    /// The frame on show; `None` where no sink can be found, or shows none of ours.
    fn shown(&self) -> Option<gst::ClockTime> {
        screen::shown(&screen::sink_behind(self.src.upcast_ref())?)
    }

    fn forget_what_was_shown(&self) {
        if let Some(shown) = self.shown() {
            self.journal.lock().forget_before(shown);
        }
    }

    fn watch(self: Arc<Self>) {
        let network = Network::open(self.parts.clone(), (&self.sink, &self.src)).map(Arc::new);
        *self.network.lock() = network.clone();
        if let (None, Some(element)) = (&network, self.element.upgrade()) {
            element.imp().do_without_on_pause();
        }
        let mut replay: Option<JoinHandle<()>> = None;
        let mut last = None;
        while let Some(is_paused) = self.next_look() {
            let shown = if is_paused { self.shown() } else { None };
            // The same twice in a row: the screen stands still.
            let stands = shown.is_some() && shown == last;
            last = shown;
            let (Some(at), true, Some(network)) = (shown, stands, &network) else { continue };
            if self.state.lock().done == Some(at) {
                continue;
            }
            if let Some(picture) = self.upscale(network, at) {
                self.show(at, picture, &mut replay);
            }
        }
        if let Some(replay) = replay {
            self.end_replay(replay);
        }
        *self.network.lock() = None;
    }

    /// Waits for the next look at the screen; whether it is paused, `None` at the end.
    fn next_look(&self) -> Option<bool> {
        let mut state = self.state.lock();
        if !state.is_paused && !state.is_ending {
            self.changed.wait(&mut state);
        } else if !state.is_ending {
            self.changed.wait_for(&mut state, LOOK);
        }
        (!state.is_ending).then_some(state.is_paused)
    }

    /// The network's picture of the frame on show.
    fn upscale(&self, network: &Network, at: gst::ClockTime) -> Option<gst::Buffer> {
        let frame = {
            let mut journal = self.journal.lock();
            journal.forget_before(at);
            journal.frame(at).cloned()
        };
        let Some(frame) = frame else {
            self.give_up(at, "the frame on show is not known any more; the shaders' stays");
            return None;
        };
        let begun = Instant::now();
        let Some(mut picture) = network.upscale(&frame) else {
            let is_cancelled = {
                let state = self.state.lock();
                !state.is_paused || state.is_flushing || state.is_ending
            };
            if !is_cancelled {
                self.give_up(at, "the network gave no picture; the shaders' stays");
            }
            return None;
        };
        let new = picture.make_mut();
        new.set_pts(frame.output.pts());
        new.set_dts(frame.output.dts());
        new.set_duration(frame.output.duration());
        new.set_flags(frame.output.flags());
        if let Some(element) = self.element.upgrade() {
            gst::debug!(CAT, obj = element, "frame {at} by the network in {:.1?}", begun.elapsed());
        }
        Some(picture)
    }

    fn give_up(&self, at: gst::ClockTime, why: &str) {
        self.state.lock().done = Some(at);
        if let Some(element) = self.element.upgrade() {
            element.imp().warn(why);
        }
    }

    /// Puts `picture` on the screen in place of the frame at `at`, if that is still there.
    fn show(
        self: &Arc<Self>,
        at: gst::ClockTime,
        picture: gst::Buffer,
        replay: &mut Option<JoinHandle<()>>,
    ) {
        if self.shown() != Some(at) {
            return;
        }
        {
            let mut state = self.state.lock();
            if !state.is_paused || state.is_flushing || state.is_ending {
                return;
            }
            state.done = Some(at);
            state.is_replaying = true;
            state.replays += 1;
        }
        self.src.push_event(gst::event::FlushStart::new());
        if let Some(replay) = replay.take() {
            let _ = replay.join();
        }
        let mut state = self.state.lock();
        while state.is_in_stream {
            self.changed.wait_for(&mut state, LOOK);
        }
        let number = state.replays;
        let is_upstreams = state.is_flushing || state.is_ending;
        drop(state);
        if is_upstreams {
            return self.replayed(number, Ok(gst::FlowSuccess::Ok));
        }
        let items = self.journal.lock().replay(picture);
        self.src.push_event(gst::event::FlushStop::new(false));
        let shared = self.clone();
        let sender = Builder::new().name("kizuna-replay".into()).spawn(move || {
            let flow = shared.send(items);
            shared.replayed(number, flow);
        });
        match sender {
            Ok(thread) => *replay = Some(thread),
            Err(_) => self.replayed(number, Err(gst::FlowError::Error)),
        }
        if let Some(element) = self.element.upgrade() {
            element.imp().note_paused_frame(at);
        }
    }

    /// Sends what was sent before, on a thread of its own: a paused sink holds who sends.
    fn send(&self, items: Vec<Item>) -> Result<gst::FlowSuccess, gst::FlowError> {
        for item in items {
            match item {
                Item::Frame(frame) => {
                    self.src.push(frame.output)?;
                }
                Item::Event(event) => {
                    self.src.push_event(event);
                }
            }
        }
        Ok(gst::FlowSuccess::Ok)
    }

    fn replayed(&self, number: u64, flow: Result<gst::FlowSuccess, gst::FlowError>) {
        let mut state = self.state.lock();
        if state.replays != number {
            return;
        }
        state.is_replaying = false;
        // A flush is no failure, whoever flushed.
        state.flow = flow.err().filter(|e| *e != gst::FlowError::Flushing);
        self.changed.notify_all();
    }

    fn end_replay(&self, replay: JoinHandle<()>) {
        if !replay.is_finished() {
            // Whoever stops us alone leaves a sink that still holds the frame.
            self.src.push_event(gst::event::FlushStart::new());
            let _ = replay.join();
            self.src.push_event(gst::event::FlushStop::new(false));
            return;
        }
        let _ = replay.join();
    }
}
