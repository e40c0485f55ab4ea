//! A graph with everything that was made for it, and a frame's way through its passes.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

use glow::{NativeFramebuffer, NativeTexture};

use super::GlError;
use super::context::Gl;
use super::program::Program;
use super::renderer::{Planes, PlanesMut, Timing};
use super::texture::{Format, Texture};
use super::timer::Timer;
use super::tools::{Tools, framebuffer};
use super::transfer::{download, upload};
use crate::shader::graph::{Graph, Pass, Sampler, Texture as Name, Work};
use crate::upscale::{PixelFormat, Size, VideoSpec};

/// What belongs to one graph.
#[derive(Debug)]
pub struct Scene {
    graph: Graph,
    input: VideoSpec,
    output: VideoSpec,
    /// One for each pass, as are timers.
    programs: Vec<Arc<Program>>,
    timers: Vec<Timer>,
    slots: Vec<Texture>,
    statics: Vec<Texture>,
    previous: Option<Texture>,
    /// Whether there is a frame before the next one.
    has_last: bool,
    /// For frames in memory; made when the first one comes.
    sources: Vec<Texture>,
    sinks: Vec<Texture>,
    framebuffers: HashMap<Vec<NativeTexture>, NativeFramebuffer>,
}

/// The textures of a frame that comes in and of one that goes out.
type Ends<'a> = (&'a [NativeTexture], &'a [NativeTexture]);

impl Scene {
    /// Everything for `graph`, whose passes run `programs`.
    pub fn new(
        tools: &mut Tools,
        graph: Graph,
        (input, output): (VideoSpec, VideoSpec),
        programs: Vec<Arc<Program>>,
    ) -> Result<Self, GlError> {
        let mut scene = Self {
            graph,
            input,
            output,
            programs,
            timers: vec![],
            slots: vec![],
            statics: vec![],
            previous: None,
            has_last: false,
            sources: vec![],
            sinks: vec![],
            framebuffers: HashMap::new(),
        };
        match scene.fill(tools) {
            Ok(()) => Ok(scene),
            Err(e) => {
                scene.delete(&tools.gl);
                Err(e)
            }
        }
    }

    fn fill(&mut self, tools: &mut Tools) -> Result<(), GlError> {
        let Graph { passes, slots, statics, kept, .. } = &self.graph;
        for pass in passes {
            pass.reads.iter().try_for_each(|read| tools.prepare(read))?;
        }
        let gl = &tools.gl;
        self.timers.extend(passes.iter().map(|_| Timer::new(gl)));
        for slot in slots {
            self.slots.push(Texture::for_slot(gl, slot)?);
        }
        for known in statics {
            self.statics.push(Texture::for_static(gl, known)?);
        }
        if let Some(kept) = *kept {
            self.previous = Some(Texture::for_slot(gl, &slots[kept])?);
        }
        gl.check("preparing passes")
    }

    /// Most textures that a pass reads.
    pub fn units(&self) -> usize {
        self.graph.passes.iter().map(|pass| pass.reads.len()).max().unwrap_or(0)
    }

    /// Whether the same picture gives the same frame, so that [`Scene::render_again`] may be asked for it.
    pub fn can_repeat(&self) -> bool {
        self.graph.last_passes().is_some()
    }

    /// Makes the next frame begin anew: there is no frame before it.
    pub fn forget(&mut self) {
        self.has_last = false;
    }

    /// Runs all passes.
    pub fn render(
        &mut self,
        tools: &Tools,
        source: &Planes,
        sink: &mut PlanesMut,
        frame: u32,
    ) -> Result<(), GlError> {
        let sources = self.sources(&tools.gl, source)?;
        let sinks = self.sinks(&tools.gl, sink)?;
        let all = 0..self.graph.passes.len();
        self.run(tools, all, (&sources, &sinks), frame)?;
        self.swap_kept();
        self.has_last = true;
        self.download(tools, sink)
    }

    /// Gives the last frame once more; `false` where it would not be the same, or there was none.
    pub fn render_again(&mut self, tools: &Tools, sink: &mut PlanesMut) -> Result<bool, GlError> {
        let Some(passes) = self.graph.last_passes().filter(|_| self.has_last) else {
            return Ok(false);
        };
        // In memory it is still there as it went out.
        if let PlanesMut::Textures(_) = sink {
            let sources: Vec<_> = self.sources.iter().map(|texture| texture.native).collect();
            if sources.is_empty() {
                return Ok(false);
            }
            let sinks = self.sinks(&tools.gl, sink)?;
            self.swap_kept();
            let result = self.run(tools, passes, (&sources, &sinks), 0);
            self.swap_kept();
            result?;
        }
        self.download(tools, sink).map(|()| true)
    }

    /// The last picture becomes the one before, or the other way round.
    fn swap_kept(&mut self) {
        if let (Some(kept), Some(previous)) = (self.graph.kept, &mut self.previous) {
            std::mem::swap(&mut self.slots[kept], previous);
        }
    }

    fn download(&mut self, tools: &Tools, sink: &mut PlanesMut) -> Result<(), GlError> {
        let PlanesMut::Frame(frame) = sink else { return Ok(()) };
        for plane in 0..self.sinks.len() {
            let Texture { native, format, .. } = self.sinks[plane];
            self.attach(tools, &[native])?;
            download(&tools.gl, frame, plane, format);
        }
        Ok(())
    }

    /// Textures of the frame that comes in.
    fn sources(&mut self, gl: &Gl, source: &Planes) -> Result<Vec<NativeTexture>, GlError> {
        let spec = &self.input;
        let frame = match source {
            Planes::Frame(frame) => frame,
            Planes::Textures(ids) => return foreign(spec, ids),
        };
        let made = planes(gl, spec, (frame.format(), frame.size()), false, &mut self.sources)?;
        for (plane, texture) in self.sources.iter().enumerate() {
            upload(gl, frame, plane, texture);
        }
        Ok(made)
    }

    /// Textures of the frame that goes out.
    fn sinks(&mut self, gl: &Gl, sink: &PlanesMut) -> Result<Vec<NativeTexture>, GlError> {
        let spec = &self.output;
        let frame = match sink {
            PlanesMut::Frame(frame) => frame,
            PlanesMut::Textures(ids) => return foreign(spec, ids),
        };
        planes(gl, spec, (frame.format(), frame.size()), true, &mut self.sinks)
    }

    fn run(
        &mut self,
        tools: &Tools,
        passes: Range<usize>,
        ends: Ends,
        frame: u32,
    ) -> Result<(), GlError> {
        tools.set_state();
        let random = random(frame);
        for index in passes {
            let program = &self.programs[index];
            tools.gl.use_program(Some(program.native));
            program.set(&tools.gl, frame, random, &self.graph.passes[index]);
            self.bind(tools, index, ends);
            self.work(tools, index, ends)?;
        }
        Ok(())
    }

    /// Makes what a pass reads and stores into be there for its program.
    fn bind(&self, tools: &Tools, index: usize, ends: Ends) {
        let pass = &self.graph.passes[index];
        for (unit, read) in (0..).zip(&pass.reads) {
            tools.bind(unit, read, self.find(read.texture, pass, ends));
        }
        // Image 0 is a compute shader's result.
        if let (Work::Dispatch { .. }, Name::Slot(slot)) = (pass.work, pass.writes[0]) {
            bind_image(&tools.gl, 0, &self.slots[slot], glow::WRITE_ONLY);
        }
        for (unit, &name) in (1..).zip(&pass.images) {
            if let Name::Static(index) = name {
                bind_image(&tools.gl, unit, &self.statics[index], glow::READ_WRITE);
            }
        }
    }

    /// The texture that `name` stands for in `pass`, and its target.
    fn find(&self, name: Name, pass: &Pass, (sources, sinks): Ends) -> (NativeTexture, u32) {
        let ours = |texture: &Texture| (texture.native, texture.target);
        match name {
            Name::Source(plane) => (sources[plane], glow::TEXTURE_2D),
            Name::Sink(plane) => (sinks[plane], glow::TEXTURE_2D),
            Name::Slot(slot) => ours(&self.slots[slot]),
            Name::Static(index) => ours(&self.statics[index]),
            Name::Previous => match &self.previous {
                Some(previous) if self.has_last => ours(previous),
                // Without a frame before, it is what the pass itself hooks.
                _ => match pass.reads.iter().find(|read| read.texture != Name::Previous) {
                    Some(Sampler { texture: Name::Slot(slot), .. }) => ours(&self.slots[*slot]),
                    _ => (sources[0], glow::TEXTURE_2D),
                },
            },
        }
    }

    /// Runs the program in use.
    fn work(&mut self, tools: &Tools, index: usize, ends: Ends) -> Result<(), GlError> {
        let gl = &tools.gl;
        let pass = &self.graph.passes[index];
        let (work, size, has_images) = (pass.work, pass.size, !pass.images.is_empty());
        if work == Work::Draw {
            let writes = pass.writes.iter().map(|&name| self.find(name, pass, ends).0);
            let writes: Vec<_> = writes.collect();
            self.attach(tools, &writes)?;
        }
        self.timers[index].begin(gl);
        match work {
            Work::Draw => {
                gl.viewport(0, 0, size.width as i32, size.height as i32);
                gl.draw_arrays(glow::TRIANGLES, 0, 3);
            }
            Work::Dispatch { groups } => gl.dispatch_compute(groups.0, groups.1, 1),
        }
        if work != Work::Draw || has_images {
            gl.memory_barrier(
                glow::TEXTURE_FETCH_BARRIER_BIT
                    | glow::SHADER_IMAGE_ACCESS_BARRIER_BIT
                    | glow::FRAMEBUFFER_BARRIER_BIT,
            );
        }
        self.timers[index].end(gl);
        Ok(())
    }

    /// Makes passes draw into `textures`, which are also what is read back.
    fn attach(&mut self, tools: &Tools, textures: &[NativeTexture]) -> Result<(), GlError> {
        if let Some(known) = self.framebuffers.get(textures) {
            tools.gl.bind_framebuffer(glow::FRAMEBUFFER, Some(*known));
            return Ok(());
        }
        let ours = || self.slots.iter().chain(&self.sinks).chain(&self.previous);
        if !textures.iter().all(|texture| ours().any(|t| t.native == *texture)) {
            return tools.attach_foreign(textures);
        }
        self.framebuffers.insert(textures.to_vec(), framebuffer(&tools.gl, textures)?);
        Ok(())
    }

    /// Times of all passes, in their order.
    pub fn timings(&self) -> Vec<Timing> {
        let timing = |(pass, timer): (&Pass, &Timer)| Timing {
            name: pass.name.clone(),
            milliseconds: timer.milliseconds(),
        };
        self.graph.passes.iter().zip(&self.timers).map(timing).collect()
    }

    /// Gives everything back.
    pub fn delete(self, gl: &Gl) {
        let Self { timers, slots, statics, previous, sources, sinks, framebuffers, .. } = self;
        for texture in slots.into_iter().chain(statics).chain(previous).chain(sources).chain(sinks)
        {
            gl.delete_texture(texture.native);
        }
        framebuffers.into_values().for_each(|framebuffer| gl.delete_framebuffer(framebuffer));
        timers.into_iter().for_each(|timer| timer.delete(gl));
    }
}

fn bind_image(gl: &Gl, unit: u32, texture: &Texture, access: u32) {
    let is_layered = texture.target == glow::TEXTURE_3D;
    let internal = texture.format.internal;
    gl.bind_image_texture(unit, Some(texture.native), 0, is_layered, 0, access, internal);
}

/// A number of 0..1 that looks like chance and is the same for the same frame.
fn random(frame: u32) -> f32 {
    let mixed = (frame ^ (frame >> 16)).wrapping_mul(0x7feb_352d);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x846c_a68b);
    ((mixed ^ (mixed >> 16)) >> 8) as f32 / (1 << 24) as f32
}

/// Textures for the planes of a frame in memory, which is as `spec` says; made unless they are there.
fn planes(
    gl: &Gl,
    spec: &VideoSpec,
    (format, size): (PixelFormat, Size),
    is_drawn: bool,
    planes: &mut Vec<Texture>,
) -> Result<Vec<NativeTexture>, GlError> {
    spec.check(format, size).map_err(|e| GlError::Frame(e.to_string()))?;
    let info = spec.format.info();
    for plane in planes.len()..info.planes {
        let format = Format::of_plane(info.step(plane), info.sample_bytes, is_drawn);
        planes.push(Texture::new(gl, spec.format.texels(plane, spec.size), format)?);
    }
    Ok(planes.iter().map(|texture| texture.native).collect())
}

/// Textures that others made.
fn foreign(spec: &VideoSpec, ids: &[u32]) -> Result<Vec<NativeTexture>, GlError> {
    let info = spec.format.info();
    let textures: Option<Vec<_>> =
        ids.iter().map(|&id| NonZeroU32::new(id).map(glow::NativeTexture)).collect();
    textures.filter(|textures| textures.len() == info.planes).ok_or_else(|| {
        GlError::Frame(format!("{} textures where {} has {}", ids.len(), info.name, info.planes))
    })
}
