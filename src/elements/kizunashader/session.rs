//! A renderer in its context, and the frames that it is given.

use gst_gl::prelude::*;

use super::refusal::Refusal;
use super::settings::Config;
use crate::elements::{plugin_dir, video};
use crate::gl::{GlError, Planes, PlanesMut, ProgramCache, Renderer, Timing};
use crate::models;
use crate::shader::graph::Skipped;
use crate::shader::{self, Request, ShaderFile, presets};
use crate::smallnet;
use crate::upscale::change::ChangeMap;
use crate::upscale::reference::Reference;
use crate::upscale::{FrameView, FrameViewMut, VideoSpec};

/// A stream of frames: what they are, and where they lie.
#[derive(Debug, Clone)]
pub struct Side {
    /// Format, size, colour.
    pub info: gst_video::VideoInfo,
    /// Whether they are textures.
    pub is_gl: bool,
}

/// How a frame was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    /// By its passes.
    Anew,
    /// It is the one before once more.
    Again,
}

/// A renderer, and everything that it was prepared for.
#[derive(Debug)]
pub struct Session {
    context: gst_gl::GLContext,
    /// `None` only while it is dropped.
    renderer: Option<Renderer>,
    device: String,
    sides: (Side, Side),
    /// The settings that were last tried, or why there were none.
    tried: Result<Config, String>,
    /// Frames since the beginning, or the last gap.
    frame: u32,
    /// Whether these passes have run: drivers compile at the first use.
    is_warm: bool,
    /// The last frame that came in by memory.
    last: Reference,
    skipped: Vec<Skipped>,
    unknown_params: Vec<String>,
}

impl Session {
    /// A session in `context` for frames of `sides`, whose passes are those of `files`.
    ///
    /// # Errors
    /// [`GlError`].
    pub fn open(
        context: gst_gl::GLContext,
        sides: (Side, Side),
        config: Config,
        files: &[ShaderFile],
    ) -> Result<Self, GlError> {
        let cache = config.program_cache.as_deref().map(ProgramCache::at).unwrap_or_default();
        let (renderer, device) = on_thread(&context, || {
            let gl = crate::gl::open(&context).ok_or_else(lost)?;
            let renderer = Renderer::new(gl, cache)?;
            let device = renderer.description();
            Ok((renderer, device))
        })?;
        let (input, _) = specs(&sides.0, &sides.1)?;
        let mut session = Self {
            context,
            renderer: Some(renderer),
            device,
            sides,
            tried: Ok(config.clone()),
            frame: 0,
            is_warm: false,
            last: Reference::new(input.format, input.size),
            skipped: vec![],
            unknown_params: vec![],
        };
        session.prepare(&config, files)?;
        Ok(session)
    }

    /// Takes over other settings.
    ///
    /// # Errors
    /// [`GlError`]; the passes of before go on.
    pub fn prepare(&mut self, config: &Config, files: &[ShaderFile]) -> Result<(), GlError> {
        let Self { context, renderer: Some(renderer), sides: (from, to), .. } = self else {
            return Err(lost());
        };
        let (input, output) = specs(from, to)?;
        let request =
            Request { input, output, files, params: &config.params, device: renderer.device() };
        let graph = shader::build(&request)?;
        log::debug!("passes of a frame:\n{graph}");
        let (skipped, unknown) = (graph.skipped.clone(), graph.unknown_params.clone());
        on_thread(context, || renderer.prepare(graph, input, output))?;
        (self.skipped, self.unknown_params) = (skipped, unknown);
        self.last.reset();
        self.is_warm = false;
        Ok(())
    }

    /// Whether it is for these frames, in this context.
    pub fn suits(&self, context: &gst_gl::GLContext, sides: &(Side, Side)) -> bool {
        let alike = |a: &Side, b: &Side| a.is_gl == b.is_gl && a.info == b.info;
        self.context == *context && alike(&self.sides.0, &sides.0) && alike(&self.sides.1, &sides.1)
    }

    /// Whether settings are others than those that were last tried; they are the last ones from then on.
    pub fn is_news(&mut self, wanted: &Result<Config, String>) -> bool {
        let is_news = self.tried != *wanted;
        self.tried.clone_from(wanted);
        is_news
    }

    /// Passes that do not run.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// Parameters that were set and that no file has.
    pub fn unknown_params(&self) -> &[String] {
        &self.unknown_params
    }

    /// The driver's version and device.
    pub fn device(&self) -> &str {
        &self.device
    }

    /// What passes take.
    pub fn timings(&self) -> Vec<Timing> {
        self.renderer.as_ref().map(Renderer::timings).unwrap_or_default()
    }

    /// Whether the next frame takes as long as those after it: the first one waits for the driver to compile.
    pub fn is_warm(&self) -> bool {
        self.is_warm
    }

    /// Makes the next frame begin anew.
    pub fn forget(&mut self) {
        self.frame = 0;
        self.last.reset();
        if let Some(renderer) = &mut self.renderer {
            renderer.forget();
        }
    }

    /// `input` becomes `output`. A picture that comes again by memory is not worked out again, where no shader tells frames apart.
    ///
    /// # Errors
    /// [`GlError`].
    pub fn render(
        &mut self,
        input: &gst::BufferRef,
        output: &mut gst::BufferRef,
    ) -> Result<Made, GlError> {
        self.is_warm = true;
        let Self { context, renderer: Some(renderer), sides: (from, to), frame, last, .. } = self
        else {
            return Err(lost());
        };
        // mpv's first frame is number 1.
        *frame = frame.wrapping_add(1);
        let number = *frame;
        // Textures of a context that ours shares nothing with are read back by their own.
        let is_texture = from.is_gl && is_shared(input, context);
        match (is_texture, to.is_gl) {
            (true, _) => with_output(context, to, output, |context, sink| {
                if let Some(sync) = input.meta::<gst_gl::GLSyncMeta>() {
                    sync.wait(context);
                }
                let mapped = gst_gl::GLVideoFrameRef::from_buffer_ref_readable(input, &from.info);
                let mapped = mapped.map_err(|_| unmappable("textures"))?;
                renderer.render(&Planes::Textures(&textures(&mapped)?), sink, number)?;
                Ok(Made::Anew)
            }),
            (false, _) => {
                let mapped = gst_video::VideoFrameRef::from_buffer_ref_readable(input, &from.info);
                let mapped = mapped.map_err(|_| unmappable("planes"))?;
                let spec = video::spec(&from.info).ok_or_else(|| unmappable("format"))?;
                let strides = video::strides(&mapped);
                let planes = mapped.planes_data();
                let view =
                    FrameView::new(spec.format, spec.size, &planes[..strides.len()], &strides)
                        .map_err(|e| GlError::Frame(e.to_string()))?;
                let changed = renderer.can_repeat().then(|| last.compare(&view, 0));
                let is_held = changed.as_ref().is_some_and(ChangeMap::is_empty);
                let made = with_output(context, to, output, |_, sink| {
                    if is_held && renderer.render_again(sink)? {
                        return Ok(Made::Again);
                    }
                    renderer.render(&Planes::Frame(&view), sink, number)?;
                    Ok(Made::Anew)
                })?;
                if let Some(changed) = changed.filter(|_| !is_held) {
                    last.take(&view, &changed);
                }
                Ok(made)
            }
        }
    }
}

/// The shader files that `config` asks for: the user's, then those of our stages.
///
/// # Errors
/// [`Refusal`] for a file, or a model, that cannot be read.
pub fn files(config: &Config) -> Result<Vec<ShaderFile>, Refusal> {
    let mut files = Vec::new();
    for path in &config.shaders {
        files.push(shader::load(path)?);
    }
    let name = config.model.as_deref().or(config.own.network());
    let network = match name.filter(|_| config.own.upscale) {
        Some(name) => Some(network(name)?),
        None => None,
    };
    files.extend(presets::files(&config.own, network)?);
    Ok(files)
}

/// The network `name`, a card's name or a path, as passes.
fn network(name: &str) -> Result<ShaderFile, Refusal> {
    let dirs = models::data_dirs(plugin_dir().as_deref(), None);
    let found = models::resolve(Some(name), &dirs)?;
    let read = smallnet::read(&found.source.bytes);
    let file = read.and_then(|net| presets::network_file(&net, &found.source.name));
    file.map_err(|e| Refusal::Network { name: name.into(), reason: e.to_string() })
}

impl Drop for Session {
    fn drop(&mut self) {
        let renderer = self.renderer.take();
        // A context that is gone took its objects with it.
        let _ = on_thread(&self.context, || {
            renderer.into_iter().for_each(Renderer::delete);
            Ok(())
        });
    }
}

/// Gives `work` the frame to be written, on the context's thread.
fn with_output<T: Send>(
    context: &gst_gl::GLContext,
    side: &Side,
    output: &mut gst::BufferRef,
    work: impl FnOnce(&gst_gl::GLContext, &mut PlanesMut) -> Result<T, GlError> + Send,
) -> Result<T, GlError> {
    if side.is_gl {
        return on_thread(context, || {
            let made = {
                let mapped = gst_gl::GLVideoFrameRef::from_buffer_ref_writable(output, &side.info);
                let mapped = mapped.map_err(|_| unmappable("textures"))?;
                work(context, &mut PlanesMut::Textures(&textures(&mapped)?))?
            };
            // Without it whoever reads in another context might come too early.
            if let Some(sync) = output.meta::<gst_gl::GLSyncMeta>() {
                sync.set_sync_point(context);
            }
            Ok(made)
        });
    }
    let mapped = gst_video::VideoFrameRef::from_buffer_ref_writable(output, &side.info);
    let mut mapped = mapped.map_err(|_| unmappable("planes"))?;
    let spec = video::spec(&side.info).ok_or_else(|| unmappable("format"))?;
    let strides = video::strides(&mapped);
    let planes = mapped.planes_data_mut().into_iter().take(strides.len()).collect();
    let mut view = FrameViewMut::new(spec.format, spec.size, planes, &strides)
        .map_err(|e| GlError::Frame(e.to_string()))?;
    on_thread(context, || work(context, &mut PlanesMut::Frame(&mut view)))
}

/// Runs `work` on the context's thread, and waits for it.
fn on_thread<T: Send>(
    context: &gst_gl::GLContext,
    work: impl FnOnce() -> Result<T, GlError> + Send,
) -> Result<T, GlError> {
    let mut result = None;
    context.thread_add(|_| result = Some(work()));
    result.unwrap_or_else(|| Err(lost()))
}

fn lost() -> GlError {
    GlError::Unsupported { version: "no version".into(), reason: "the context does not run".into() }
}

fn unmappable(what: &str) -> GlError {
    GlError::Frame(format!("its {what} cannot be reached"))
}

fn specs(from: &Side, to: &Side) -> Result<(VideoSpec, VideoSpec), GlError> {
    let specs = video::spec(&from.info).zip(video::spec(&to.info));
    specs.ok_or_else(|| unmappable("format"))
}

/// Whether the buffer's textures are there in `context` too.
fn is_shared(buffer: &gst::BufferRef, context: &gst_gl::GLContext) -> bool {
    buffer.n_memory() > 0
        && buffer.peek_memory(0).downcast_memory_ref::<gst_gl::GLBaseMemory>().is_some_and(
            |memory| memory.context() == context || context.can_share(memory.context()),
        )
}

fn textures<T>(frame: &gst_gl::GLVideoFrameRef<T>) -> Result<Vec<u32>, GlError> {
    let planes = 0..frame.n_planes();
    let ids: Result<_, _> = planes.map(|plane| frame.texture_id(plane)).collect();
    ids.map_err(|e| GlError::Frame(e.to_string()))
}
