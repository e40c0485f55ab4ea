//! The element's virtual functions.

use std::sync::LazyLock;
use std::time::Instant;

use gst::glib;
use gst::subclass::prelude::*;
use gst_base::prelude::*;
use gst_base::subclass::prelude::*;
use gst_video::subclass::prelude::*;
use parking_lot::Mutex;

use super::display::{Shared, Sharing};
use super::refusal::Refusal;
use super::session::{Made, Session, Side};
use super::settings::{self, Config, Settings};
use super::status::{self, Status};
use super::{caps, session};
use crate::elements::metas::{self, Fate};
use crate::elements::pace::{self, Pace};
use crate::elements::{error, fixate::fixate, video};
use crate::gl::GlError;
use crate::shader::ShaderFile;

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new(
        "kizunashader",
        gst::DebugColorFlags::empty(),
        Some("Kizuna real-time shaders"),
    )
});

/// Locks with one purpose each; none that a property, a query or `set_context` wants is held while OpenGL works.
#[derive(Default)]
pub struct KizunaShader {
    /// What was typed.
    settings: Mutex<Settings>,
    /// Displays and contexts.
    sharing: Sharing,
    /// Input and output.
    negotiated: Mutex<Option<(Side, Side)>>,
    /// What `stats` shows.
    status: Mutex<Status>,
    /// The passes; taken by the streaming thread, and where that has ended.
    session: Mutex<Option<Session>>,
    /// Time a frame takes, where the source is live.
    pace: Mutex<Option<Pace>>,
}

impl KizunaShader {
    fn element(&self) -> gst::Element {
        self.obj().clone().upcast()
    }

    /// Settings, and the files that they ask for.
    fn config(&self) -> Result<(Config, Vec<ShaderFile>), Refusal> {
        let config = self.settings.lock().config().map_err(Refusal::Settings)?;
        let files = session::files(&config)?;
        Ok((config, files))
    }

    /// Opens a session for what was negotiated, unless the one there is suits.
    fn open_session(&self, context: gst_gl::GLContext) -> Result<(), gst::ErrorMessage> {
        let sides = self.negotiated.lock().clone();
        let sides =
            sides.ok_or_else(|| gst::error_msg!(gst::CoreError::Negotiation, ("no caps")))?;
        let mut slot = self.session.lock();
        if slot.as_ref().is_some_and(|session| session.suits(&context, &sides)) {
            return Ok(());
        }
        let (config, files) = self.config().map_err(|e| e.message())?;
        // The old textures' memory is given back first.
        *slot = None;
        let opened = Session::open(context, sides, config, &files);
        let session = opened.map_err(|e| error::gl(&e))?;
        gst::info!(CAT, imp = self, "runs on {}", session.device());
        self.status.lock().device = session.device().into();
        self.note_passes(&session);
        *slot = Some(session);
        Ok(())
    }

    /// Takes over settings that were changed while frames flow; what is wrong with them is a warning, and the old ones stay.
    fn follow_settings(&self, session: &mut Session) {
        let wanted = self.settings.lock().config();
        if !session.is_news(&wanted) {
            return;
        }
        let changed =
            self.config().and_then(|(config, files)| Ok(session.prepare(&config, &files)?));
        match changed {
            Ok(()) => self.note_passes(session),
            Err(e) => self.warn(&format!("{e}; what ran before goes on")),
        }
    }

    fn warn(&self, text: &str) {
        gst::warning!(CAT, imp = self, "{text}");
        gst::element_imp_warning!(self, gst::ResourceError::Settings, ("{}", error::text(&text)));
    }

    fn note_passes(&self, session: &Session) {
        for skipped in session.skipped() {
            gst::info!(CAT, imp = self, "pass '{}' does not run: {}", skipped.name, skipped.reason);
        }
        for name in session.unknown_params() {
            self.warn(&format!("shader-params: no shader has a parameter '{name}'"));
        }
        let mut status = self.status.lock();
        status.skipped = session.skipped().to_vec();
        status.passes = session.timings();
    }

    /// The frame `input` as `output`.
    fn render(&self, input: &gst::BufferRef, output: &mut gst::BufferRef) -> Result<(), GlError> {
        let begun = Instant::now();
        let mut slot = self.session.lock();
        let session =
            slot.as_mut().ok_or_else(|| GlError::Frame("nothing was negotiated".into()))?;
        self.follow_settings(session);
        if input.flags().contains(gst::BufferFlags::DISCONT) {
            session.forget();
        }
        let was_warm = session.is_warm();
        let rendering = Instant::now();
        let made = session.render(input, output)?;
        let timings = session.timings();
        drop(slot);
        if was_warm {
            self.note_pace(rendering.elapsed());
        }
        let mut status = self.status.lock();
        status.frames += 1;
        status.reused += u64::from(made == Made::Again);
        status.busy += begun.elapsed();
        status.passes = timings;
        Ok(())
    }

    /// A live pipeline is told once frames take longer than it knows.
    fn note_pace(&self, took: std::time::Duration) {
        let is_longer = self.pace.lock().as_mut().is_some_and(|pace| pace.note(took));
        if is_longer {
            let _ = self.post_message(gst::message::Latency::builder().src(&*self.obj()).build());
        }
    }
}

#[glib::object_subclass]
impl ObjectSubclass for KizunaShader {
    const NAME: &'static str = "GstKizunaShader";
    type Type = super::KizunaShader;
    type ParentType = gst_video::VideoFilter;
    type Interfaces = (gst::Preset,);
}

impl ObjectImpl for KizunaShader {
    fn properties() -> &'static [glib::ParamSpec] {
        static ALL: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(|| {
            settings::properties().into_iter().chain(status::properties()).collect()
        });
        &ALL
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        self.settings.lock().set_field(pspec.name(), value);
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        let typed = self.settings.lock().field(pspec.name());
        typed.unwrap_or_else(|| self.status.lock().stats().to_value())
    }

    fn constructed(&self) {
        self.parent_constructed();
        // Else downstream's own wish comes first, and with it plain memory between two of us.
        self.obj().set_prefer_passthrough(false);
    }
}

impl GstObjectImpl for KizunaShader {}

impl PresetImpl for KizunaShader {}

impl ElementImpl for KizunaShader {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Kizuna real-time shaders",
                "Filter/Effect/Converter/Video/Scaler",
                "Upscales anime in real time by OpenGL shaders: five stages of our own, and any mpv user shader",
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

    fn set_context(&self, context: &gst::Context) {
        if self.sharing.set(&self.element(), context) {
            // Our context belongs to another display now: allocation finds one of the new one.
            self.obj().src_pad().mark_reconfigure();
        }
        self.parent_set_context(context);
    }

    fn change_state(
        &self,
        transition: gst::StateChange,
    ) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        if transition == gst::StateChange::NullToReady {
            self.sharing.find_display(&self.element());
        }
        let changed = self.parent_change_state(transition)?;
        if transition == gst::StateChange::ReadyToNull {
            self.sharing.forget();
        }
        Ok(changed)
    }
}

impl BaseTransformImpl for KizunaShader {
    const MODE: gst_base::subclass::BaseTransformMode =
        gst_base::subclass::BaseTransformMode::NeverInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        *self.status.lock() = Status::default();
        // What is wrong with files is said before any frame comes.
        self.config().map(|_| ()).map_err(|e| e.message())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        *self.session.lock() = None;
        *self.pace.lock() = None;
        self.sharing.forget_context();
        *self.negotiated.lock() = None;
        Ok(())
    }

    fn query(&self, direction: gst::PadDirection, query: &mut gst::QueryRef) -> bool {
        if let gst::QueryViewMut::Context(query) = query.view_mut() {
            let Shared { display, application, context } = self.sharing.shared();
            if gst_gl::functions::gl_handle_context_query(
                &*self.obj(),
                query,
                display.as_ref(),
                context.as_ref(),
                application.as_ref(),
            ) {
                return true;
            }
        }
        let answered = BaseTransformImplExt::parent_query(self, direction, query);
        if let (true, Some(pace)) = (answered, &*self.pace.lock()) {
            pace::add_latency(query, pace.latency());
        }
        answered
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        if let gst::EventView::FlushStop(_) = event.view()
            && let Some(session) = &mut *self.session.lock()
        {
            session.forget();
        }
        self.parent_sink_event(event)
    }

    fn transform_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        filter: Option<&gst::Caps>,
    ) -> Option<gst::Caps> {
        Some(caps::transform(caps, direction == gst::PadDirection::Sink, filter))
    }

    fn fixate_caps(
        &self,
        direction: gst::PadDirection,
        caps: &gst::Caps,
        othercaps: gst::Caps,
    ) -> gst::Caps {
        match video::info(caps) {
            Some(info) if direction == gst::PadDirection::Sink => {
                let gl_first = caps::has_display_behind(self.obj().src_pad());
                let factor = self.settings.lock().factor();
                fixate(&info, factor, caps::preferring(&othercaps, gl_first))
            }
            _ => self.parent_fixate_caps(direction, caps, othercaps),
        }
    }

    fn propose_allocation(
        &self,
        decided: Option<&gst::query::Allocation>,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        if decided.is_some()
            && let (Some(caps), needs_pool) = query.get_owned()
            && caps::is_gl(&caps)
        {
            let context = self.sharing.find_context(&self.element());
            let context = context.map_err(|e| gst::loggable_error!(CAT, "{e}"))?;
            if needs_pool {
                let (pool, size) = pool(&context, &caps)?;
                query.add_allocation_pool(Some(&pool), size, 0, 0);
            }
            query.add_allocation_meta::<gst_gl::GLSyncMeta>(None);
        }
        self.parent_propose_allocation(decided, query)
    }

    fn decide_allocation(
        &self,
        query: &mut gst::query::Allocation,
    ) -> Result<(), gst::LoggableError> {
        let failed = |message: gst::ErrorMessage| {
            let error = gst::loggable_error!(CAT, "{message}");
            self.post_error_message(message);
            error
        };
        let context = self.sharing.find_context(&self.element()).map_err(|e| {
            failed(gst::error_msg!(
                gst::ResourceError::NotFound,
                ("no OpenGL context can be made: {e}")
            ))
        })?;
        self.open_session(context.clone()).map_err(failed)?;
        if let (Some(caps), _) = query.get_owned()
            && caps::is_gl(&caps)
        {
            // Allocators and pools of others may belong to contexts that ours shares nothing with.
            while query.allocation_params().next().is_some() {
                query.remove_nth_allocation_param(0);
            }
            let asked =
                query.allocation_pools().next().map_or((0, 0), |(_, _, min, max)| (min, max));
            while query.allocation_pools().next().is_some() {
                query.remove_nth_allocation_pool(0);
            }
            let (pool, size) = pool(&context, &caps)?;
            query.add_allocation_pool(Some(&pool), size, asked.0, asked.1);
        }
        self.parent_decide_allocation(query)
    }

    // In place of GstVideoFilter's, which would map textures to memory.
    fn transform(
        &self,
        input: &gst::Buffer,
        output: &mut gst::BufferRef,
    ) -> Result<gst::FlowSuccess, gst::FlowError> {
        if video::is_interlaced_frame(input) {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{}", video::INTERLACED));
            return Err(gst::FlowError::Error);
        }
        match self.render(input, output) {
            Ok(()) => Ok(gst::FlowSuccess::Ok),
            Err(e) => {
                gst::error!(CAT, imp = self, "{e}");
                self.post_error_message(error::gl(&e));
                Err(gst::FlowError::Error)
            }
        }
    }

    fn transform_meta<'a>(
        &self,
        outbuf: &mut gst::BufferRef,
        meta: gst::MetaRef<'a, gst::Meta>,
        inbuf: &'a gst::BufferRef,
    ) -> bool {
        // It is about the input's textures, but has no tag that says so.
        if meta.api() == gst_gl::GLSyncMeta::meta_api() {
            return false;
        }
        let infos = self.negotiated.lock().as_ref().map(|(i, o)| (i.info.clone(), o.info.clone()));
        let Some((input, output)) = infos else { return false };
        match metas::carry(&meta, outbuf, &input, &output) {
            Fate::Copied => true,
            Fate::Settled => false,
            Fate::Unknown => self.parent_transform_meta(outbuf, meta, inbuf),
        }
    }
}

impl VideoFilterImpl for KizunaShader {
    fn set_info(
        &self,
        incaps: &gst::Caps,
        _in_info: &gst_video::VideoInfo,
        outcaps: &gst::Caps,
        _out_info: &gst_video::VideoInfo,
    ) -> Result<(), gst::LoggableError> {
        let (Some(from), Some(to)) = (video::info(incaps), video::info(outcaps)) else {
            return Err(gst::loggable_error!(CAT, "caps {incaps} cannot be parsed"));
        };
        if video::is_interlaced(&from) {
            gst::element_imp_error!(self, gst::StreamError::Format, ("{}", video::INTERLACED));
            return Err(gst::loggable_error!(CAT, "interlaced caps {incaps}"));
        }
        if video::is_hdr(&from) {
            gst::element_imp_info!(self, gst::StreamError::Format, ("{HDR}"));
        }
        if video::is_live(self.obj().sink_pad()) {
            self.pace.lock().get_or_insert_default();
        }
        let side = |info, caps: &gst::Caps| Side { info, is_gl: caps::is_gl(caps) };
        *self.negotiated.lock() = Some((side(from, incaps), side(to, outcaps)));
        Ok(())
    }
}

/// A pool of textures of `caps`, and how many bytes a frame has.
fn pool(
    context: &gst_gl::GLContext,
    caps: &gst::Caps,
) -> Result<(gst_gl::GLBufferPool, u32), gst::LoggableError> {
    let info = gst_video::VideoInfo::from_caps(caps)
        .map_err(|_| gst::loggable_error!(CAT, "caps {caps} cannot be parsed"))?;
    let pool = gst_gl::GLBufferPool::new(context);
    let size = info.size() as u32;
    let mut config = pool.config();
    config.set_params(Some(caps), size, 0, 0);
    config.add_option("GstBufferPoolOptionVideoMeta");
    config.add_option("GstBufferPoolOptionGLSyncMeta");
    pool.set_config(config)
        .map_err(|_| gst::loggable_error!(CAT, "no pool of textures for {caps}"))?;
    Ok((pool, size))
}

const HDR: &str = "HDR video (PQ or HLG) is upscaled as it is coded, by shaders that were made for SDR; \
    tone-map it to SDR before this element if highlights look wrong";
