//! The element's virtual functions.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::base_transform::{
    GenerateOutputSuccess, InputBuffer, PrepareOutputBufferSuccess,
};
use gst_base::subclass::prelude::*;
use gst_video::subclass::prelude::*;
use parking_lot::Mutex;

use super::late::LateFrames;
use super::loader::{Infos, Loader};
use super::loading::Running;
use super::settings::{self, Fallback, Settings};
use super::{caps, status};
use crate::elements::metas::{self, Fate};
use crate::elements::pace::{self, Pace};
use crate::elements::video::VideoPair;
use crate::elements::{error, fixate::fixate, plugin_dir, video};
use crate::engine::Cancel;
use crate::session::{Loaded, Notice, Opened, Session, SessionError, Treatment};

pub(super) static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "kizunasr",
        gst::DebugColorFlags::empty(),
        Some("Kizuna AI super-resolution"),
    )
});

/// Frames on their way where `queue-depth` leaves the choice to us: one in each stage.
const QUEUE_DEPTH: usize = 3;

/// Three locks with three purposes; none that a property or a query wants is held across inference.
#[derive(Default)]
pub struct KizunaSr {
    /// What was typed.
    pub(super) settings: Mutex<Settings>,
    /// What properties, queries and caps need to know; held for moments.
    pub(super) negotiated: Mutex<Negotiated>,
    /// The network at work; taken by the streaming thread alone.
    session: Mutex<Option<Session<VideoPair>>>,
    /// Raised by flush and stop.
    pub(in crate::elements) cancel: Cancel,
    /// From PAUSED→READY to the next start: the end of a flush must not lower the flag then.
    stopping: AtomicBool,
    /// What QoS events said.
    late: LateFrames,
    /// What downstream said to a frame, or that one failed: the next frame's answer.
    pub(super) flow: Mutex<Option<gst::FlowError>>,
    /// Frames on their way that were flushed by whoever was just given the one before them.
    pub(super) stale: AtomicUsize,
    /// Networks that are being loaded while frames flow.
    pub(super) loader: Loader,
}

/// Known between start and stop.
#[derive(Default)]
pub(super) struct Negotiated {
    /// The model, the provider and their settings.
    pub running: Option<Running>,
    /// Engines that are to take the place of those at work.
    pub ready: Option<(Infos, Opened)>,
    /// Whether frames are scaled plainly because engines are still being opened.
    pub is_waiting: bool,
    /// Whether the source is live: it waits for nobody.
    pub is_live: bool,
    /// Input and output.
    pub infos: Option<Infos>,
    /// What stats and active-provider show.
    pub status: status::Status,
    /// Time a frame takes, for the latency query.
    pub pace: Pace,
    /// The segment of the frames on their way.
    pub segment: Option<gst::FormattedSegment<gst::ClockTime>>,
    /// Where in the stream what went downstream last ends.
    pub position: Option<gst::ClockTime>,
}

impl Negotiated {
    /// Whether engines for the frames that were negotiated are there, but not at work yet.
    pub fn is_ready(&self) -> bool {
        self.ready
            .as_ref()
            .zip(self.infos.as_ref())
            .is_some_and(|((ready, _), infos)| ready == infos)
    }
}

impl KizunaSr {
    pub(super) fn warn(&self, notices: Vec<Notice>) {
        for Notice(text) in notices {
            gst::warning!(CAT, imp = self, "{text}");
            gst::element_imp_warning!(
                self,
                gst::LibraryError::Settings,
                ("{}", error::text(&text))
            );
        }
    }

    /// Factor from input to output size, as far as it is known.
    fn factor(&self) -> f64 {
        let typed = self.settings.lock().scale;
        let model = || {
            let negotiated = self.negotiated.lock();
            negotiated.running.as_ref().map_or(2.0, |r| r.loaded.contract.scale.as_f64())
        };
        if typed > 0.0 { typed } else { model() }
    }

    /// Says what went wrong, unless it is that somebody flushes or stops.
    pub(super) fn fail(&self, e: &SessionError) -> gst::FlowError {
        if e.is_cancelled() {
            return gst::FlowError::Flushing;
        }
        gst::error!(CAT, imp = self, "{e}");
        self.post_error_message(error::message(e));
        gst::FlowError::Error
    }

    /// How many frames may be on their way where `streams` are worked on at once.
    fn depth(&self, streams: usize) -> usize {
        match self.settings.lock().queue_depth() {
            // As many again wait while so many are worked on.
            0 => QUEUE_DEPTH + 2 * (streams - 1),
            depth => depth,
        }
    }

    /// Sends a frame on its way.
    fn submit(
        &self,
        slot: &mut Option<Session<VideoPair>>,
        src: gst::Buffer,
    ) -> Result<(), gst::FlowError> {
        let opened = match slot {
            Some(_) => self.swap_session(slot),
            None => self.open_session(slot),
        };
        opened.map_err(|e| self.fail(&e))?;
        let session = slot.as_mut().ok_or(gst::FlowError::NotNegotiated)?;
        if video::is_interlaced_frame(&src) {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{}", video::INTERLACED));
            return Err(gst::FlowError::Error);
        }
        let infos = self.negotiated.lock().infos.clone().ok_or(gst::FlowError::NotNegotiated)?;
        let finish = self.settings.lock().finish();
        let treatment = Treatment { finish, plain: self.is_late(&src) };
        let prepared = self.parent_prepare_output_buffer(InputBuffer::Readable(&src))?;
        let PrepareOutputBufferSuccess::Buffer(dst) = prepared else {
            return Err(gst::FlowError::Error);
        };
        let Some(pair) = VideoPair::map(src, dst, (&infos.0, &infos.1)) else {
            gst::element_imp_error!(
                self,
                gst::StreamError::Format,
                ("a frame's planes are smaller than its caps say")
            );
            return Err(gst::FlowError::Error);
        };
        let depth = self.depth(session.setup().streams);
        session.submit(pair, treatment, depth).map_err(|e| self.fail(&e))
    }

    /// Waits until all frames on their way have gone downstream, before something that must not overtake them; how many have not
    /// ([`Session::drain`]).
    fn drain(&self) -> usize {
        self.session.lock().as_ref().map_or(0, Session::drain)
    }

    /// Whether a frame is so late that `fallback=resize` scales it plainly.
    fn is_late(&self, buffer: &gst::BufferRef) -> bool {
        let is_live = self.negotiated.lock().is_live;
        if !self.settings.lock().fallback(is_live).contains(Fallback::RESIZE) {
            return false;
        }
        let segment = self.obj().segment();
        let time =
            segment.downcast_ref::<gst::ClockTime>().and_then(|s| s.to_running_time(buffer.pts()?));
        let late = self.late.is_late(time);
        if late && self.late.first() {
            self.warn(vec![Notice(
                "frames come too late and are scaled plainly (fallback=resize)".into(),
            )]);
        }
        late
    }
}

#[glib::object_subclass]
impl ObjectSubclass for KizunaSr {
    const NAME: &'static str = "GstKizunaSr";
    type Type = super::KizunaSr;
    type ParentType = gst_video::VideoFilter;
    type Interfaces = (gst::Preset,);
}

impl ObjectImpl for KizunaSr {
    fn properties() -> &'static [glib::ParamSpec] {
        static ALL: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            settings::properties().into_iter().chain(status::properties()).collect()
        });
        &ALL
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.settings.lock().set(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        if let Some(value) = self.settings.lock().field(pspec.name()) {
            return value;
        }
        let negotiated = self.negotiated.lock();
        let loaded = negotiated.running.as_ref().map(|running| &*running.loaded);
        let is_loading = self.loader.revision().is_some();
        negotiated.status.get(pspec.name(), loaded, is_loading)
    }

    fn constructed(&self) {
        self.parent_constructed();
        // GstVideoFilter drops late frames by itself; every frame counts here.
        self.obj().set_qos(false);
    }
}

impl GstObjectImpl for KizunaSr {}

impl PresetImpl for KizunaSr {}

impl ElementImpl for KizunaSr {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Kizuna AI super-resolution",
                "Filter/Effect/Converter/Video/Scaler",
                "Upscales anime by a neural network, tile by tile, on this machine alone",
                env!("CARGO_PKG_AUTHORS"),
            )
        });
        Some(&METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> =
            LazyLock::new(|| video::pad_templates(&caps::template()));
        &TEMPLATES
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        // The parent waits for the streaming thread, which may be in the middle of a frame.
        if transition == gst::StateChange::PausedToReady {
            self.stopping.store(true, Ordering::SeqCst);
            self.cancel.raise();
        }
        self.parent_change_state(transition)
    }
}

impl BaseTransformImpl for KizunaSr {
    const MODE: gst_base::subclass::BaseTransformMode =
        gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *self.flow.lock() = None;
        self.stale.store(0, Ordering::SeqCst);
        self.stopping.store(false, Ordering::SeqCst);
        self.cancel.clear();
        self.late.reset();
        let (revision, config) = {
            let settings = self.settings.lock();
            (settings.revision(), settings.config(plugin_dir().as_deref()))
        };
        let (loaded, notices) =
            Loaded::open(&config, &self.cancel).map_err(|e| error::message(&e))?;
        gst::info!(CAT, imp = self, "{}", loaded.describe_provider(&loaded.info));
        let running = Some(Running { revision, config, loaded: Arc::new(loaded) });
        *self.negotiated.lock() = Negotiated { running, ..Default::default() };
        self.warn(notices);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.session.lock() = None;
        self.loader.stop();
        // Figures and the provider stay readable until the next start.
        let mut negotiated = self.negotiated.lock();
        negotiated.running = None;
        negotiated.ready = None;
        Ok(())
    }

    fn transform_caps(
        &self,
        _direction: gst::PadDirection,
        caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        Some(caps::transform(caps, filter))
    }

    fn fixate_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        othercaps: gst::Caps,
    ) -> gst::Caps {
        match video::info(caps) {
            Some(info) if direction == gst::PadDirection::Sink => {
                fixate(&info, self.factor(), othercaps)
            }
            _ => self.parent_fixate_caps(direction, caps, othercaps),
        }
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        match (direction, query.view_mut()) {
            (gst::PadDirection::Sink, gst::QueryViewMut::Drain(_)) => {
                self.drain();
            }
            // The parent has seen no frame leave.
            (gst::PadDirection::Src, gst::QueryViewMut::Position(query)) => {
                let position = self.negotiated.lock().position;
                if let (gst::Format::Time, Some(position)) = (query.format(), position) {
                    query.set(position);
                    return true;
                }
            }
            _ => {}
        }
        let answered = BaseTransformImplExt::parent_query(self, direction, query);
        if answered {
            let own = self.negotiated.lock().pace.latency();
            pace::add_latency(query, own);
        }
        answered
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        match event.view() {
            gst::EventView::FlushStart(_) => self.cancel.raise(),
            gst::EventView::FlushStop(_) => {
                self.late.reset();
                // They end soon, as the flag is raised.
                let behind = self.drain();
                self.stale.store(behind, Ordering::SeqCst);
                *self.flow.lock() = None;
                self.negotiated.lock().position = None;
                self.cancel.clear();
                if self.stopping.load(Ordering::SeqCst) {
                    self.cancel.raise();
                }
            }
            // What follows the frames in the stream must not overtake them.
            _ if event.is_serialized() => {
                self.drain();
            }
            _ => {}
        }
        match event.view() {
            gst::EventView::Eos(_) => self.report_flow(),
            gst::EventView::Segment(segment) => {
                {
                    let mut negotiated = self.negotiated.lock();
                    negotiated.segment = segment.segment().downcast_ref().cloned();
                    negotiated.position = None;
                }
                // An end is none any more where something new begins.
                self.flow.lock().take_if(|e| *e == gst::FlowError::Eos);
            }
            _ => {}
        }
        self.parent_sink_event(event)
    }

    fn src_event(&self, event: gst::Event) -> bool {
        if let gst::EventView::Qos(qos) = event.view() {
            let (_, _, diff, timestamp) = qos.get();
            self.late.note(timestamp, diff);
        }
        self.parent_src_event(event)
    }

    fn transform_meta<'a>(
        &self,
        outbuf: &mut gst::BufferRef,
        meta: gst::MetaRef<'a, gst::Meta>,
        inbuf: &'a gst::BufferRef,
    ) -> bool {
        let Some((input, output)) = self.negotiated.lock().infos.clone() else { return false };
        match metas::carry(&meta, outbuf, &input, &output) {
            Fate::Copied => true,
            Fate::Settled => false,
            Fate::Unknown => self.parent_transform_meta(outbuf, meta, inbuf),
        }
    }

    fn submit_input_buffer(
        &self,
        is_discont: bool,
        buffer: gst::Buffer,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.follow_settings();
        self.parent_submit_input_buffer(is_discont, buffer)
    }

    // In place of transform_frame, which knows one frame at a time. What is generated goes out by `deliver`.
    fn generate_output(&self) -> Result<GenerateOutputSuccess, gst::FlowError> {
        if let Some(src) = self.take_queued_buffer() {
            let answer = {
                let mut flow = self.flow.lock();
                // Told once, and tried again.
                if *flow == Some(gst::FlowError::NotLinked) { flow.take() } else { *flow }
            };
            if let Some(e) = answer {
                return Err(e);
            }
            self.submit(&mut self.session.lock(), src)?;
        }
        Ok(GenerateOutputSuccess::NoOutput)
    }
}

impl VideoFilterImpl for KizunaSr {
    fn set_info(
        &self,
        incaps: &gst::Caps,
        _in_info: &gst_video::VideoInfo,
        outcaps: &gst::Caps,
        _out_info: &gst_video::VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        let (Some(in_info), Some(out_info)) = (video::info(incaps), video::info(outcaps)) else {
            return Err(gst::loggable_error!(CAT, "caps {incaps} cannot be parsed"));
        };
        if video::is_interlaced(&in_info) {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{}", video::INTERLACED));
            return Err(gst::loggable_error!(CAT, "interlaced caps {incaps}"));
        }
        if video::spec(&in_info).is_none() || video::spec(&out_info).is_none() {
            return Err(gst::loggable_error!(CAT, "caps {incaps} are not of our formats"));
        }
        if video::is_hdr(&in_info) {
            gst::element_imp_info!(self, gst::StreamError::Format, ("{HDR}"));
        }
        let is_live = video::is_live(self.obj().sink_pad());
        let mut session = self.session.lock();
        // Frames of the old kind leave before the new caps.
        if let Some(session) = &*session {
            session.drain();
        }
        {
            let mut negotiated = self.negotiated.lock();
            negotiated.infos = Some((in_info, out_info));
            negotiated.is_live = is_live;
        }
        match self.open_session(&mut session) {
            // Caps that are refused in the middle of a flush would be an error upstream: the next frame opens it.
            Err(e) if e.is_cancelled() => Ok(()),
            Err(e) => {
                let _ = self.fail(&e);
                Err(gst::loggable_error!(CAT, "{e}"))
            }
            Ok(()) => Ok(()),
        }
    }
}

const HDR: &str = "HDR video (PQ or HLG) is upscaled as it is coded, by a network that was trained on SDR; \
    tone-map it to SDR before this element if highlights look wrong";
