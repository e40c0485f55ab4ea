//! Which network runs: opened before the first frame, or in the background while frames flow, and swapped between two of them.

use std::sync::Arc;

use gst::prelude::*;
use gst::subclass::prelude::*;
use gst_base::prelude::*;

use super::caps;
use super::imp::{CAT, KizunaSr};
use super::loader::{Infos, Network, Order, Output};
use super::settings::Fallback;
use crate::elements::video::VideoPair;
use crate::elements::{fixate::fixate, plugin_dir, video};
use crate::engine::EngineError;
use crate::session::{Config, Loaded, Notice, Opened, Session, SessionError};

/// The session's place.
type Slot = Option<Session<VideoPair>>;

/// The network at work, and the settings that it came with.
#[derive(Clone)]
pub struct Running {
    /// Which settings were looked at last; the network's own unless they failed.
    pub revision: u64,
    /// The network's settings.
    pub config: Config,
    /// The model and its provider.
    pub loaded: Arc<Loaded>,
}

const WAITING: &str =
    "the network is being loaded in the background; frames are scaled plainly until it is there";

impl KizunaSr {
    /// Whether frames are scaled plainly while something is loaded: where a clock is running that waits for nobody.
    fn loads_in_background(&self) -> bool {
        let is_live = self.negotiated.lock().is_live;
        let may_scale_plainly = self.settings.lock().fallback(is_live).contains(Fallback::RESIZE);
        let is_playing = || {
            video::is_in_pipeline(&*self.obj()) && self.obj().current_state() == gst::State::Playing
        };
        may_scale_plainly && (is_live || is_playing())
    }

    /// Before the caps of a frame are settled: takes what was loaded, and orders what the settings ask for.
    pub(super) fn follow_settings(&self) {
        match self.loader.take() {
            Some(Ok(network)) => self.take_over(network),
            Some(Err(e)) => self.stay(&e),
            None => {}
        }
        let wanted = self.settings.lock().revision();
        let at_work = self.negotiated.lock().running.as_ref().map(|r| r.revision);
        if at_work != Some(wanted) && self.loader.revision() != Some(wanted) {
            let config = self.settings.lock().config(plugin_dir().as_deref());
            let output = self.output_to_be();
            self.order(Order { revision: wanted, config, loaded: None, output });
        }
    }

    fn order(&self, order: Order) {
        if let Err(e) = self.loader.order(order) {
            self.stay(&e);
        }
    }

    /// What frames will be when the network's factor is known: what negotiation would come to.
    fn output_to_be(&self) -> Output {
        let scale = self.settings.lock().scale;
        let input = self.negotiated.lock().infos.as_ref().map(|(input, _)| input.clone());
        let element = self.obj();
        let possible = element.sink_pad().current_caps().map(|caps| {
            let possible = caps::transform(&caps, None);
            element.src_pad().peer_query_caps(Some(&possible))
        });
        Box::new(move |factor| {
            let (input, possible) = input.zip(possible)?;
            let factor = if scale > 0.0 { scale } else { factor };
            let output = video::info(&fixate(&input, factor, possible))?;
            Some((input, output))
        })
    }

    fn take_over(&self, network: Network) {
        let Network { revision, config, loaded, ready, notices } = network;
        self.warn(notices);
        let mut negotiated = self.negotiated.lock();
        negotiated.running = Some(Running { revision, config, loaded });
        let other_size = match (&ready, &negotiated.infos) {
            (Some((ready, _)), Some(infos)) => ready != infos,
            _ => false,
        };
        negotiated.ready = ready;
        drop(negotiated);
        if other_size {
            self.obj().reconfigure_src();
        }
    }

    /// What was loaded cannot be used: what works goes on, or nothing does.
    fn stay(&self, error: &SessionError) {
        if error.is_cancelled() {
            return;
        }
        let revision = self.settings.lock().revision();
        let works = {
            let mut negotiated = self.negotiated.lock();
            let works = !negotiated.is_waiting;
            if let Some(running) = &mut negotiated.running {
                running.revision = revision;
            }
            works
        };
        if works {
            self.warn(vec![Notice(format!("{error}; the network before goes on"))]);
        } else {
            *self.flow.lock() = Some(self.fail(error));
        }
    }

    /// Before a frame whose caps are settled: lets the network that was loaded take the place of the one in `slot`, if it is
    /// for such frames.
    pub(super) fn swap_session(&self, slot: &mut Slot) -> Result<(), SessionError> {
        let (ready, infos, running) = {
            let mut negotiated = self.negotiated.lock();
            let Some(ready) = negotiated.ready.take() else { return Ok(()) };
            (ready, negotiated.infos.clone(), negotiated.running.clone())
        };
        let (Some(infos), Some(running)) = (infos, running) else { return Ok(()) };
        if ready.0 == infos {
            return self.put_to_work(slot, ready.1);
        }
        // Downstream wants something else than it said.
        self.loader.close(ready);
        self.order_engines(running, infos);
        Ok(())
    }

    fn order_engines(&self, running: Running, infos: Infos) {
        let Running { revision, config, loaded } = running;
        let output: Output = Box::new(move |_| Some(infos));
        self.order(Order { revision, config, loaded: Some(loaded), output });
    }

    fn put_to_work(&self, slot: &mut Slot, opened: Opened) -> Result<(), SessionError> {
        if let Some(old) = slot.take() {
            old.drain();
            self.loader.close(old);
        }
        let provider = opened.setup().provider.clone();
        self.start_session(slot, opened)?;
        self.negotiated.lock().is_waiting = false;
        gst::element_imp_info!(
            self,
            gst::LibraryError::Settings,
            ("frames from here on are upscaled by {provider}")
        );
        Ok(())
    }

    /// Opens a session for the frames that were negotiated, in place of the one in `slot`.
    pub(super) fn open_session(&self, slot: &mut Slot) -> Result<(), SessionError> {
        if self.negotiated.lock().is_ready() {
            return self.swap_session(slot);
        }
        let (running, infos) = {
            let negotiated = self.negotiated.lock();
            (negotiated.running.clone(), negotiated.infos.clone())
        };
        let (Some(running), Some(infos)) = (running, infos) else {
            return Err(EngineError::Run("the element is not started".into()).into());
        };
        let specs = video::spec(&infos.0).zip(video::spec(&infos.1));
        let specs =
            specs.ok_or_else(|| EngineError::Run("the video's format is not ours".into()))?;
        if self.loads_in_background() {
            self.start_session(slot, Opened::plain(specs, WAITING))?;
            let was_waiting = std::mem::replace(&mut self.negotiated.lock().is_waiting, true);
            if !was_waiting {
                self.warn(vec![Notice(WAITING.into())]);
            }
            self.order_engines(running, infos);
            return Ok(());
        }
        // The old engines' memory is given back first.
        *slot = None;
        let (opened, notices) =
            Opened::networks(running.loaded, running.config, specs, &self.cancel)?;
        self.start_session(slot, opened)?;
        self.negotiated.lock().is_waiting = false;
        self.warn(notices);
        Ok(())
    }

    fn start_session(&self, slot: &mut Slot, opened: Opened) -> Result<(), SessionError> {
        *slot = None;
        let stats = {
            let mut negotiated = self.negotiated.lock();
            let stats = negotiated.status.figures().clone();
            negotiated.status.update(&stats, opened.setup());
            stats
        };
        let weak = self.ref_counted().downgrade();
        let deliver = move |frame| {
            if let Some(element) = weak.upgrade() {
                element.deliver(frame);
            }
        };
        gst::debug!(CAT, imp = self, "{}", opened.setup().provider);
        *slot = Some(Session::start(opened, stats, self.cancel.clone(), deliver)?);
        Ok(())
    }
}
