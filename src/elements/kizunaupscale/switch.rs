//! From one way through the children to another, while frames flow.
//!
//! The new children are made ready on a thread of their own; then the stream's thread lets every frame leave the old ones, and
//! links the new ones in their place.

use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use gst::prelude::*;
use gst::subclass::prelude::*;
use parking_lot::{Condvar, Mutex};

use super::imp::{CAT, KizunaUpscale};
use super::parts::{Parts, Route};

/// How often a thread that waits for frames looks whether it should stop.
const LOOK: Duration = Duration::from_millis(30);

/// The way that frames take, and the one that they will.
#[derive(Default)]
pub struct Switch {
    state: Mutex<State>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Held while children are linked, which a flush must not see half done.
    pub linking: Mutex<()>,
}

#[derive(Default)]
struct State {
    /// None where nothing is linked.
    route: Option<Route>,
    /// Children that are ready.
    ready: Option<Route>,
    /// Whether the stream is about to take the way that was ready.
    is_switching: bool,
    /// Changes of what is wanted, counted.
    orders: u64,
    /// Whether a thread is there for them.
    is_preparing: bool,
    is_ending: bool,
}

impl Switch {
    /// The way that frames take.
    pub fn route(&self) -> Option<Route> {
        self.state.lock().route
    }

    fn end_thread(&self, parts: &Parts) {
        self.state.lock().is_ending = true;
        self.changed.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            parts.join(thread);
        }
        let mut state = self.state.lock();
        (state.is_ending, state.is_preparing, state.ready) = (false, false, None);
    }
}

impl KizunaUpscale {
    /// The way that frames are to take.
    fn wanted(&self) -> Route {
        let without = self.status.lock().without_network.is_some();
        if without { Route::Shader } else { Route::of(self.profile()) }
    }

    /// Before any frame: links what the profile says, or the shaders alone where the network cannot be loaded.
    pub(super) fn settle(&self) -> Result<(), gst::ErrorMessage> {
        self.status.lock().without_network = None;
        for route in [self.wanted(), Route::Shader] {
            if self.switch.route() == Some(route) {
                return Ok(());
            }
            if self.make_ready(route) {
                return self.link(route);
            }
        }
        Err(gst::error_msg!(gst::CoreError::StateChange, ("the shaders cannot be started")))
    }

    /// Brings the children on `route` to the bin's state, those that take longest first. Where the network cannot be loaded, says
    /// so, and remembers it.
    fn make_ready(&self, route: Route) -> bool {
        let Some((parts, ..)) = self.inside() else { return false };
        let children = parts.on(route);
        if children.contains(&&parts.ai)
            && let Err(why) = self.load(&parts.ai)
        {
            if !self.switch.state.lock().is_ending {
                self.do_without(why);
            }
            return false;
        }
        if let Err(e) = parts.enter(&children) {
            self.warn(&format!("children cannot be had: {e}"));
            return false;
        }
        let are_ready = children.iter().rev().all(|child| {
            child.set_locked_state(false);
            child.sync_state_with_parent().is_ok()
        });
        if !are_ready && let Some(why) = self.failure.lock().take() {
            self.warn(&format!("shaders and network cannot be started together: {why}"));
        }
        are_ready
    }

    /// Loads the network, which may take long, outside of the bin: nobody who changes the bin's state waits for that.
    ///
    /// # Errors
    /// What the network said.
    pub(super) fn load(&self, ai: &gst::Element) -> Result<(), String> {
        if ai.current_state() >= gst::State::Paused {
            return Ok(());
        }
        let bus = gst::Bus::new();
        ai.set_bus(Some(&bus));
        let loaded = ai.set_state(gst::State::Paused);
        ai.set_bus(None);
        let mut said = None;
        for message in bus.iter() {
            match message.view() {
                gst::MessageView::Error(e) => said = said.or(Some(e.error().message().to_owned())),
                // Nobody listens to what it could say to the bin.
                gst::MessageView::Warning(_) | gst::MessageView::Info(_) => {
                    let _ = self.post_message(message);
                }
                _ => {}
            }
        }
        loaded.map(|_| ()).map_err(|_| {
            // It goes down from any state.
            let _ = ai.set_state(gst::State::Null);
            said.unwrap_or_else(|| "the network cannot be loaded".into())
        })
    }

    /// From now on shaders run alone; `why` is what the network said.
    pub(super) fn do_without(&self, why: String) {
        self.warn(&format!("shaders run alone, without the network: {why}"));
        self.status.lock().without_network = Some(why);
    }

    fn link(&self, route: Route) -> Result<(), gst::ErrorMessage> {
        let failed = |e| gst::error_msg!(gst::CoreError::Pad, ("children cannot be linked: {e}"));
        let Some((parts, sink, src)) = self.inside() else { return Ok(()) };
        let _linking = self.switch.linking.lock();
        self.has_proven.store(false, Ordering::SeqCst);
        *self.failure.lock() = None;
        let old = self.switch.route();
        // Without a target a pad has nothing to let go of.
        let _ = (sink.set_target(None::<&gst::Pad>), src.set_target(None::<&gst::Pad>));
        if let Some(old) = old {
            parts.unlink(old);
        }
        let (first, last) = parts.link(route).map_err(failed)?;
        src.set_target(Some(&last)).map_err(failed)?;
        sink.set_target(Some(&first)).map_err(failed)?;
        gst::debug!(CAT, imp = self, "frames go through {route:?}");
        let mut state = self.switch.state.lock();
        (state.route, state.ready) = (Some(route), None);
        drop(state);
        self.switch.changed.notify_all();
        Ok(())
    }

    /// Takes everything apart.
    pub(super) fn take_apart(&self) {
        let Some((parts, sink, src)) = self.inside() else { return };
        // From here on nobody starts another thread.
        let route = self.switch.state.lock().route.take();
        self.switch.end_thread(&parts);
        let _ = (sink.set_target(None::<&gst::Pad>), src.set_target(None::<&gst::Pad>));
        if let Some(route) = route {
            parts.unlink(route);
        }
        parts.shut(&parts.all());
    }

    /// The profile or the model was changed while frames flow: makes ready what is wanted now.
    pub(super) fn prepare(&self) {
        let mut state = self.switch.state.lock();
        state.orders += 1;
        self.switch.changed.notify_all();
        if state.is_preparing || state.route.is_none() {
            return;
        }
        let weak = self.ref_counted().downgrade();
        let prepare = move || {
            if let Some(imp) = weak.upgrade() {
                imp.fill_orders();
            }
        };
        match Builder::new().name("kizuna-switch".into()).spawn(prepare) {
            Ok(started) => {
                state.is_preparing = true;
                *self.switch.thread.lock() = Some(started);
            }
            Err(e) => {
                drop(state);
                self.warn(&format!("no thread can be started, the profile stays: {e}"));
            }
        }
    }

    /// One thing after the other, until nothing new is wanted.
    fn fill_orders(&self) {
        loop {
            let order = self.switch.state.lock().orders;
            // Its children may be wanted in the stream.
            let has_filled = self.retire_paused_frames();
            if has_filled {
                self.fill(order);
            }
            let mut state = self.switch.state.lock();
            if state.is_ending || (state.orders == order && has_filled) {
                state.is_preparing = false;
                return;
            }
            if !has_filled {
                self.switch.changed.wait_for(&mut state, LOOK);
            }
        }
    }

    fn fill(&self, order: u64) {
        for route in [self.wanted(), Route::Shader] {
            let is_ending = self.switch.state.lock().is_ending;
            if is_ending || self.switch.route() == Some(route) {
                break;
            }
            if self.make_ready(route) {
                self.wait_for_switch(route, order);
                break;
            }
        }
        let (route, is_ending) = {
            let mut state = self.switch.state.lock();
            state.ready = None;
            (state.route, state.is_ending)
        };
        if !is_ending {
            self.shut_all_but(route);
            self.follow_profile();
        }
    }

    /// Until a frame has come by, or something else is wanted.
    fn wait_for_switch(&self, route: Route, order: u64) {
        let mut state = self.switch.state.lock();
        state.ready = Some(route);
        let waits =
            |state: &State| state.ready.is_some() && !state.is_ending && state.orders == order;
        while waits(&state) || state.is_switching {
            self.switch.changed.wait_for(&mut state, LOOK);
        }
    }

    fn shut_all_but(&self, route: Option<Route>) {
        let (Some((parts, ..)), Some(route)) = (self.inside(), route) else { return };
        let used = parts.on(route);
        let unused: Vec<_> =
            parts.all().into_iter().filter(|child| !used.contains(child)).collect();
        parts.shut(&unused);
    }

    /// In the stream, before a frame: takes the new way, if it is ready, when all frames have left the old one.
    pub(super) fn switch_if_ready(&self) {
        let route = {
            let mut state = self.switch.state.lock();
            let Some(route) = state.ready.take() else { return };
            state.is_switching = true;
            route
        };
        self.drain();
        self.switch_to(route);
        self.switch.state.lock().is_switching = false;
        self.switch.changed.notify_all();
    }

    fn drain(&self) {
        let Some((_, sink, _)) = self.inside() else { return };
        if let Some(inner) = sink.target() {
            inner.query(gst::query::Drain::new().query_mut());
        }
    }

    /// In the stream: takes the way of the shaders alone at once.
    pub(super) fn fall_back(&self, why: String) -> bool {
        self.do_without(why);
        let switched = self.make_ready(Route::Shader) && self.switch_to(Route::Shader);
        self.shut_all_but(self.switch.route());
        switched
    }

    fn switch_to(&self, route: Route) -> bool {
        if let Err(message) = self.link(route) {
            self.post_error_message(message);
            return false;
        }
        self.status.lock().switches += 1;
        let _ = self.post_message(gst::message::Latency::builder().src(&*self.obj()).build());
        true
    }
}
