//! The element's virtual functions.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;
use parking_lot::Mutex;

use super::formats::{self, Wanted};
use super::parts::{Parts, Route};
use super::paused::Paused;
use super::settings::{self, Profile};
use super::status::{self, Status};
use super::switch::Switch;
use crate::elements::{error, kizunashader, video};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "kizunaupscale",
        gst::DebugColorFlags::empty(),
        Some("Kizuna shaders and network together"),
    )
});

/// How often a frame that waits for the network looks whether it should stop.
const LOOK: Duration = Duration::from_millis(5);

/// The bin.
#[derive(Default)]
pub struct KizunaUpscale {
    profile: Mutex<Profile>,
    /// The children and the bin's pads; made once.
    inside: OnceLock<(Arc<Parts>, gst::GhostPad, gst::GhostPad)>,
    /// What the video that comes in asks of the children.
    wanted: Arc<Wanted>,
    /// The way that frames take.
    pub(super) switch: Switch,
    /// The frame on pause, with `profile=hybrid`.
    pub(super) paused: Mutex<Option<Arc<Paused>>>,
    /// What `stats` shows.
    pub(super) status: Mutex<Status>,
    /// Whether the pipeline is paused.
    is_paused: AtomicBool,
    /// Frames that have come out of `ai`.
    came_out: AtomicU64,
    /// Whether the network made one of those since frames go through it.
    pub(super) has_proven: AtomicBool,
    /// Why the network, or a child beside the stream, failed: what shaders can do without is kept from the bus.
    pub(super) failure: Mutex<Option<String>>,
}

impl KizunaUpscale {
    pub(super) fn profile(&self) -> Profile {
        *self.profile.lock()
    }

    /// The children, and the pads that frames come in and go out by; none where GStreamer lacks what it needs.
    pub(super) fn inside(&self) -> Option<(Arc<Parts>, gst::GhostPad, gst::GhostPad)> {
        self.inside.get().cloned()
    }

    pub(super) fn warn(&self, text: &str) {
        gst::warning!(CAT, imp = self, "{text}");
        gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{}", error::text(&text)));
    }

    pub(super) fn note_paused_frame(&self, at: gst::ClockTime) {
        self.status.lock().paused_frames += 1;
        let said = gst::Structure::builder("kizunaupscale-paused-frame").field("pts", at).build();
        let message = gst::message::Element::builder(said).src(&*self.obj()).build();
        let _ = self.post_message(message);
    }

    fn build(&self) -> Result<(), glib::BoolError> {
        let obj = self.obj();
        let parts = Arc::new(Parts::new(obj.upcast_ref())?);
        let template =
            |name| obj.pad_template(name).ok_or_else(|| glib::bool_error!("no template"));
        let sink = gst::GhostPad::builder_from_template(&template("sink")?)
            .chain_function(|pad, parent, buffer| {
                let failed = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, failed, |imp| imp.chain(pad, buffer))
            })
            .chain_list_function(|pad, parent, list| {
                let failed = || Err(gst::FlowError::Error);
                Self::catch_panic_pad_function(parent, failed, |imp| {
                    list.iter_owned().try_fold(gst::FlowSuccess::Ok, |_, b| imp.chain(pad, b))
                })
            })
            .event_function(|pad, parent, event| {
                Self::catch_panic_pad_function(parent, || false, |imp| imp.event(pad, event))
            })
            .build();
        let src = gst::GhostPad::from_template(&template("src")?);
        obj.add_pad(&sink)?;
        obj.add_pad(&src)?;
        let inner = src.internal().ok_or_else(|| glib::bool_error!("a pad without an inside"))?;
        formats::arrange(&parts, inner.upcast_ref(), &self.wanted);
        self.watch_shader(&parts);
        self.watch_network(&parts);
        let _ = self.inside.set((parts, sink, src));
        Ok(())
    }

    fn watch_shader(&self, parts: &Parts) {
        let Some(pad) = parts.shader.static_pad("src") else { return };
        let weak = self.ref_counted().downgrade();
        let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        pad.add_probe(mask, move |pad, info| {
            let paused = weak.upgrade().and_then(|imp| imp.paused.lock().clone());
            paused.map_or(gst::PadProbeReturn::Ok, |paused| paused.note(pad, info))
        });
    }

    fn watch_network(&self, parts: &Parts) {
        let Some(pad) = parts.ai.static_pad("src") else { return };
        let (weak, ai) = (self.ref_counted().downgrade(), parts.ai.downgrade());
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let (Some(imp), Some(ai)) = (weak.upgrade(), ai.upgrade()) else {
                return gst::PadProbeReturn::Ok;
            };
            if !imp.has_proven.load(Ordering::SeqCst) {
                // In live streams frames are scaled plainly until the network is there.
                let frames = ai.property::<gst::Structure>("stats").get::<u64>("frames");
                imp.has_proven.store(frames.is_ok_and(|frames| frames > 0), Ordering::SeqCst);
            }
            imp.came_out.fetch_add(1, Ordering::SeqCst);
            gst::PadProbeReturn::Ok
        });
    }

    fn chain(
        &self,
        pad: &gst::GhostPad,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.switch_if_ready();
        let paused = self.paused.lock().clone();
        let forward = |buffer| gst::ProxyPad::chain_default(pad, Some(&*self.obj()), buffer);
        match (paused, self.switch.route()) {
            (Some(paused), Some(Route::Shader)) => {
                paused.chain(buffer, pad.current_caps(), forward)
            }
            (None, Some(Route::Shader)) => forward(buffer),
            _ if self.has_proven.load(Ordering::SeqCst) => forward(buffer),
            _ => {
                let before = self.came_out.load(Ordering::SeqCst);
                let flow = forward(buffer.clone());
                let is_over = || flow.is_err() || pad.pad_flags().contains(gst::PadFlags::FLUSHING);
                match self.failure_of_frame(before, is_over) {
                    Some(why) => {
                        if self.fall_back(why) {
                            forward(buffer)
                        } else {
                            flow
                        }
                    }
                    None => flow,
                }
            }
        }
    }

    /// Waits until a frame that went to the network has come out; why it does not. Then it and all that follow go through the
    /// shaders, and no frame is lost.
    fn failure_of_frame(&self, before: u64, is_over: impl Fn() -> bool) -> Option<String> {
        loop {
            let is_out = self.came_out.load(Ordering::SeqCst) > before;
            let failure = self.failure.lock().take();
            if failure.is_some() || is_out || is_over() {
                return failure;
            }
            std::thread::sleep(LOOK);
        }
    }

    fn event(&self, pad: &gst::GhostPad, event: gst::Event) -> bool {
        let forward = |event| gst::Pad::event_default(pad, Some(&*self.obj()), event);
        let paused = self.paused.lock().clone();
        match event.view() {
            gst::EventView::FlushStart(_) => {
                if let Some(paused) = &paused {
                    paused.flush_start();
                }
                let _linking = self.switch.linking.lock();
                forward(event)
            }
            gst::EventView::FlushStop(_) => {
                if let Some(paused) = &paused {
                    paused.flush_stop();
                }
                let _linking = self.switch.linking.lock();
                forward(event)
            }
            gst::EventView::Caps(caps) => {
                self.wanted.follow(&caps.caps_owned());
                self.send(paused, event, forward)
            }
            _ => self.send(paused, event, forward),
        }
    }

    fn send(
        &self,
        paused: Option<Arc<Paused>>,
        event: gst::Event,
        forward: impl FnOnce(gst::Event) -> bool,
    ) -> bool {
        match paused {
            Some(paused) if event.is_serialized() => paused.event(|| forward(event)),
            _ => forward(event),
        }
    }

    /// Begins or ends to look after paused frames, as the profile has it. Its children must be no part of the stream then.
    pub(super) fn follow_profile(&self) {
        let wanted = self.profile() == Profile::Hybrid
            && self.switch.route() == Some(Route::Shader)
            && self.status.lock().without_network.is_none();
        if !wanted {
            return self.leave_paused_frames();
        }
        let mut paused = self.paused.lock();
        if paused.is_none() {
            *paused = Paused::new(&self.obj(), self).map(Arc::new);
        }
        if let Some(paused) = &*paused {
            paused.set_paused(self.is_paused.load(Ordering::SeqCst));
        }
    }

    /// Ends what is done for paused frames, at once.
    fn leave_paused_frames(&self) {
        let paused = self.paused.lock().take();
        // Without the lock: its threads want it. The stream may have a share still.
        if let Some(paused) = paused {
            paused.end();
        }
    }

    /// The same while the stream goes on; whether its children are free and nothing is being sent again.
    pub(super) fn retire_paused_frames(&self) -> bool {
        let paused = self.paused.lock().clone();
        let is_done = paused.is_none_or(|paused| paused.retire());
        if is_done {
            *self.paused.lock() = None;
        }
        is_done
    }

    fn set_paused(&self, is_paused: bool) {
        self.is_paused.store(is_paused, Ordering::SeqCst);
        if let Some(paused) = &*self.paused.lock() {
            paused.set_paused(is_paused);
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for KizunaUpscale {
    const NAME: &'static str = "GstKizunaUpscale";
    type Type = super::KizunaUpscale;
    type ParentType = gst::Bin;
    type Interfaces = (gst::Preset, gst::ChildProxy);
}

impl ObjectImpl for KizunaUpscale {
    fn properties() -> &'static [glib::ParamSpec] {
        static ALL: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            settings::properties().into_iter().chain(status::properties()).collect()
        });
        &ALL
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let Some((parts, ..)) = self.inside() else { return };
        if pspec.name() == "profile"
            && let Ok(profile) = value.get()
        {
            *self.profile.lock() = profile;
        }
        let children = settings::children(&parts, pspec.name());
        for child in &children {
            child.set_property_from_value(pspec.name(), value);
        }
        let is_networks = children.first() == Some(&&parts.ai);
        if self.switch.route().is_some() && (is_networks || pspec.name() == "profile") {
            // Another model may be one that can be loaded.
            let failed = self.status.lock().without_network.take().is_some();
            if pspec.name() == "profile" || failed {
                self.prepare();
            }
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let Some((parts, ..)) = self.inside() else { return pspec.default_value().to_owned() };
        match pspec.name() {
            "profile" => self.profile().to_value(),
            "stats" => {
                let (profile, route) = (self.profile(), self.switch.route().unwrap_or_default());
                self.status.lock().clone().stats(profile, route, &parts).to_value()
            }
            name @ ("model-info" | "active-provider") => parts.ai.property_value(name),
            name => match settings::children(&parts, name).first() {
                Some(child) => child.property_value(name),
                None => pspec.default_value().to_owned(),
            },
        }
    }

    fn constructed(&self) {
        self.parent_constructed();
        if let Err(e) = self.build() {
            gst::error!(CAT, imp = self, "{e}");
        }
    }
}

impl GstObjectImpl for KizunaUpscale {}

impl PresetImpl for KizunaUpscale {}

impl ElementImpl for KizunaUpscale {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Kizuna shaders and network together",
                "Filter/Effect/Converter/Video/Scaler",
                "Upscales anime by shaders, by a neural network between shaders, or by the one while playing and the other on pause",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| video::pad_templates(&kizunashader::template()));
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        use gst::StateChange;
        if self.inside().is_none() {
            gst::element_imp_error!(
                self,
                gst::CoreError::MissingPlugin,
                ("GStreamer has no element 'queue'; install its core elements")
            );
            return Err(gst::StateChangeError);
        }
        match transition {
            StateChange::ReadyToPaused => {
                *self.status.lock() = Status::default();
                self.settle().map_err(|message| {
                    self.post_error_message(message);
                    gst::StateChangeError
                })?;
            }
            StateChange::PausedToPlaying => self.set_paused(false),
            StateChange::PausedToReady => self.leave_paused_frames(),
            _ => {}
        }
        let changed = self.parent_change_state(transition)?;
        match transition {
            StateChange::ReadyToPaused => {
                self.follow_profile();
                self.set_paused(true);
            }
            StateChange::PlayingToPaused => self.set_paused(true),
            StateChange::PausedToReady | StateChange::ReadyToNull => self.take_apart(),
            _ => {}
        }
        Ok(changed)
    }
}

/// All children, whether frames go through them or not.
impl ChildProxyImpl for KizunaUpscale {
    fn child_by_name(&self, name: &str) -> Option<glib::Object> {
        let (parts, ..) = self.inside()?;
        parts
            .all()
            .into_iter()
            .find(|child| child.name() == name)
            .map(|child| child.clone().upcast())
    }

    fn child_by_index(&self, index: u32) -> Option<glib::Object> {
        let (parts, ..) = self.inside()?;
        parts.all().get(index as usize).map(|child| (*child).clone().upcast())
    }

    fn children_count(&self) -> u32 {
        self.inside().map_or(0, |(parts, ..)| parts.all().len() as u32)
    }
}

impl BinImpl for KizunaUpscale {
    fn handle_message(&self, message: gst::Message) {
        if let gst::MessageView::Error(e) = message.view()
            && e.src().is_some_and(|child| self.can_do_without(child))
        {
            self.failure.lock().get_or_insert_with(|| e.error().message().to_owned());
            return;
        }
        self.parent_handle_message(message);
    }
}

impl KizunaUpscale {
    /// Whether shaders can take a child's place: beside the stream, and while no frame has come out of the network.
    fn can_do_without(&self, child: &gst::Object) -> bool {
        let Some((parts, ..)) = self.inside() else { return false };
        let is = |part: &gst::Element| child == part.upcast_ref::<gst::Object>();
        match self.switch.route() {
            Some(Route::Network | Route::Queued) => {
                is(&parts.ai) && !self.has_proven.load(Ordering::SeqCst)
            }
            Some(Route::Shader) | None => parts.on(Route::Network).into_iter().any(is),
        }
    }
}
