//! `profile=hybrid`: the frame on show while paused is upscaled once more, by the network.
//!
//! ```text
//! screen.rs    which frame the sink shows
//! journal.rs   what came in and went out since that frame
//! network.rs   before ! ai ! after, beside the stream
//! replay.rs    a flush of the sink, and a thread that sends the picture and what followed its frame again
//! mod.rs       a thread that watches
//! ```
//!
//! Nothing upstream hears of it, so it works with sources that cannot seek: the sink is flushed from here, gets the network's
//! picture of the same frame, and then what it had been sent before, so that no frame is lost. The pipeline stays prerolled but
//! for the moment between flush and frame: playing goes on at once, however far the network has got.

mod journal;
mod network;
mod replay;
mod screen;

use std::ops::ControlFlow;
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

/// How long nothing is begun after a seek: another one may follow, and would be refused where it meets our own flush.
const REST: Duration = Duration::from_millis(200);

/// Looks after which an unknown frame on show is given up.
const PATIENCE: u32 = 30;

/// The work on paused frames.
pub struct Paused {
    shared: Arc<Shared>,
    watch: Mutex<Option<JoinHandle<()>>>,
}

/// What the stream, the application and the threads here share.
struct Shared {
    element: glib::WeakRef<super::KizunaUpscale>,
    parts: Arc<Parts>,
    sink: gst::GhostPad,
    src: gst::GhostPad,
    state: Mutex<State>,
    changed: Condvar,
    /// Open while the network can be used.
    network: Mutex<Option<Arc<Network>>>,
    /// The thread that sends again, or has.
    replay: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    journal: Journal,
    is_paused: bool,
    /// No frame is upscaled any more, but what is being sent is sent.
    is_retired: bool,
    /// Everybody lets go.
    is_ending: bool,
    /// Between a flush that comes from upstream and its end.
    is_flushing: bool,
    /// When upstream flushed last, and how often it has.
    flushed: Option<Instant>,
    flushes: u64,
    /// Whether the stream's thread has sent something downstream, which may hold it.
    is_sending: bool,
    /// Whether what was sent is being sent again: what comes meanwhile waits for its turn.
    is_replaying: bool,
    /// Which time that is; a thread of an earlier one has nothing to say any more.
    replays: u64,
    /// What came of it, for the stream.
    flow: Option<gst::FlowError>,
    /// The frame that is on its way through the shaders.
    input: Option<(gst::Buffer, gst::Caps)>,
    /// The frame on show that was done, or cannot be.
    done: Option<gst::ClockTime>,
    /// Looks at a frame on show that never went out from here, as far as is known.
    unknown: u32,
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
            state: Mutex::default(),
            changed: Condvar::new(),
            network: Mutex::new(None),
            replay: Mutex::new(None),
        });
        shared.begin();
        let watched = shared.clone();
        let watch = Builder::new().name("kizuna-paused".into()).spawn(move || watched.watch());
        Some(Self { shared, watch: Mutex::new(Some(watch.ok()?)) })
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
        let sent = if forward() { Ok(gst::FlowSuccess::Ok) } else { Err(gst::FlowError::Flushing) };
        shared.leave(sent).is_ok()
    }

    /// What comes out of the shaders, on its way downstream.
    pub fn note(&self, pad: &gst::Pad, info: &gst::PadProbeInfo) -> gst::PadProbeReturn {
        let mut state = self.shared.state.lock();
        let item = match (info.buffer(), info.event()) {
            (Some(output), _) => {
                let (input, output) = (state.input.take(), output.clone());
                input.zip(pad.current_caps()).map(|((input, caps), output_caps)| {
                    Item::Frame(Frame { input, caps, output, output_caps })
                })
            }
            (_, Some(event)) => event.is_serialized().then(|| Item::Event(event.clone())),
            _ => None,
        };
        let Some(item) = item else { return gst::PadProbeReturn::Ok };
        let is_replaying = state.is_replaying;
        state.is_sending = !is_replaying;
        state.journal.push(item, !is_replaying);
        if is_replaying { gst::PadProbeReturn::Drop } else { gst::PadProbeReturn::Ok }
    }

    /// Upstream flushes: everything here lets go.
    pub fn flush_start(&self) {
        {
            let mut state = self.shared.state.lock();
            state.is_flushing = true;
            state.flushes += 1;
        }
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
                shared.src.push_event(gst::event::FlushStart::new());
            });
            shared.changed.wait_for(&mut state, LOOK);
        }
        (state.is_flushing, state.flushed) = (false, Some(Instant::now()));
        (state.done, state.flow, state.input) = (None, None, None);
        state.unknown = 0;
        state.journal.flush();
    }

    /// Gives the network and its children back. Whether what was sent has been sent again: until then the stream has to come by
    /// here.
    pub fn retire(&self) -> bool {
        self.shared.state.lock().is_retired = true;
        self.stop_watching();
        !self.shared.state.lock().is_replaying
    }

    /// Ends all threads, and takes from downstream what they are sending.
    pub fn end(&self) {
        self.shared.state.lock().is_ending = true;
        self.stop_watching();
        let replay = self.shared.replay.lock().take();
        if let Some(replay) = replay {
            if replay.is_finished() {
                let _ = replay.join();
            } else {
                // Whoever stops us alone leaves a sink that still holds the frame.
                self.shared.flush(Some(replay));
            }
        }
    }

    fn stop_watching(&self) {
        self.shared.changed.notify_all();
        self.shared.cancel();
        if let Some(watch) = self.watch.lock().take() {
            self.shared.parts.join(watch);
        }
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        self.end();
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
    /// Takes over what holds in the stream, which may have begun long ago: a flush takes it from downstream.
    fn begin(&self) {
        let Some(pad) = self.parts.shader.static_pad("src") else { return };
        let mut state = self.state.lock();
        pad.sticky_events_foreach(|event| {
            state.journal.hold(event.clone());
            ControlFlow::Continue(gst::EventForeachAction::Keep)
        });
    }

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
        Ok(())
    }

    /// What a flush of our own refused is sent again: for upstream it went well.
    fn leave(
        &self,
        flow: Result<gst::FlowSuccess, gst::FlowError>,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        let mut state = self.state.lock();
        (state.is_sending, state.input) = (false, None);
        self.changed.notify_all();
        let is_ours = state.is_replaying && !state.is_flushing && !state.is_ending;
        match flow {
            Err(gst::FlowError::Flushing) if is_ours => {
                drop(state);
                self.enter()?;
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

    /// The same, once nothing else is on its way to the screen.
    fn shown_on_pause(&self) -> Option<gst::ClockTime> {
        let sink = screen::sink_behind(self.src.upcast_ref())?;
        if screen::stands(&sink) { screen::shown(&sink) } else { None }
    }

    fn forget_what_was_shown(&self) {
        if let Some(shown) = self.shown() {
            self.state.lock().journal.forget_before(shown);
        }
    }

    /// Loads the network; where it cannot be used, says so.
    fn open_network(&self) -> Option<Network> {
        let element = self.element.upgrade()?;
        let imp = element.imp();
        let opened = imp.load(&self.parts.ai).and_then(|()| {
            let network = Network::open(self.parts.clone(), (&self.sink, &self.src));
            let why = || imp.failure.lock().take();
            network.ok_or_else(|| why().unwrap_or_else(|| "it cannot be linked".into()))
        });
        if let Err(why) = &opened
            && !self.state.lock().is_over()
        {
            imp.do_without(why.clone());
        }
        opened.ok()
    }

    fn watch(self: Arc<Self>) {
        let network = self.open_network().map(Arc::new);
        *self.network.lock() = network.clone();
        let mut last = None;
        while let Some(is_paused) = self.next_look() {
            let shown = if is_paused { self.shown_on_pause() } else { None };
            // The same twice in a row: the screen stands still.
            let stands = shown.is_some() && shown == last;
            last = shown;
            let (Some(at), true, Some(network)) = (shown, stands, &network) else { continue };
            let is_wanted = {
                let state = self.state.lock();
                state.done != Some(at) && state.flushed.is_none_or(|t| t.elapsed() > REST)
            };
            if is_wanted && let Some(picture) = self.upscale(network, at) {
                self.show(at, picture);
            }
        }
        *self.network.lock() = None;
    }

    /// Waits for the next look at the screen; whether it is paused, `None` at the end.
    fn next_look(&self) -> Option<bool> {
        let mut state = self.state.lock();
        if !state.is_paused && !state.is_over() {
            self.changed.wait(&mut state);
        } else if !state.is_over() {
            self.changed.wait_for(&mut state, LOOK);
        }
        (!state.is_over()).then_some(state.is_paused)
    }

    /// The network's picture of the frame on show.
    fn upscale(&self, network: &Network, at: gst::ClockTime) -> Option<gst::Buffer> {
        let (frame, flushes) = {
            let mut state = self.state.lock();
            if state.is_flushing {
                return None;
            }
            state.journal.forget_before(at);
            (state.journal.frame(at).cloned(), state.flushes)
        };
        let Some(frame) = frame else {
            self.miss(at);
            return None;
        };
        let begun = Instant::now();
        let is_wanted = || {
            let state = self.state.lock();
            state.is_paused && state.flushes == flushes && !state.is_over()
        };
        let Some(mut picture) = network.upscale(&frame, is_wanted) else {
            if is_wanted() {
                let imp = self.element.upgrade();
                let why = imp.and_then(|element| element.imp().failure.lock().take());
                let why = why.map_or(String::new(), |why| format!(" ({why})"));
                self.give_up(at, &format!("the network gave no picture{why}; the shaders' stays"));
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

    /// A frame on show is unknown: for a moment after a flush, as long as the sink has still the old one; else for good.
    fn miss(&self, at: gst::ClockTime) {
        let mut state = self.state.lock();
        state.unknown += 1;
        let is_lasting = state.unknown > PATIENCE;
        drop(state);
        if is_lasting {
            self.give_up(at, "the frame on show is not known any more; the shaders' stays");
        }
    }

    fn give_up(&self, at: gst::ClockTime, why: &str) {
        let mut state = self.state.lock();
        (state.done, state.unknown) = (Some(at), 0);
        drop(state);
        if let Some(element) = self.element.upgrade() {
            element.imp().warn(why);
        }
    }
}

impl State {
    /// Whether nothing new is to be begun.
    fn is_over(&self) -> bool {
        self.is_retired || self.is_ending
    }
}
