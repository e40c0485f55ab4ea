//! A graph, prepared once and run for every frame.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::num::NonZeroU32;
use std::sync::Arc;

use glow::{NativeFramebuffer, NativeSampler, NativeTexture, NativeVertexArray};

use super::GlError;
use super::context::Gl;
use super::program::{Program, ProgramCache};
use super::texture::{Format, Texture};
use super::timer::Timer;
use super::transfer::{download, texels, upload};
use crate::shader::graph::{Graph, Pass, Sampler, Texture as Name, Work};
use crate::shader::{Border, Device};
use crate::upscale::{FrameView, FrameViewMut, VideoSpec};

/// Most programs that are kept, beside those of the graph.
const MAX_PROGRAMS: usize = 512;

/// A frame that comes in.
#[derive(Debug)]
pub enum Planes<'a> {
    /// In memory.
    Frame(&'a FrameView<'a>),
    /// In textures of the context, one for each plane.
    Textures(&'a [u32]),
}

/// A frame that goes out.
#[derive(Debug)]
pub enum PlanesMut<'a, 'b> {
    /// In memory.
    Frame(&'a mut FrameViewMut<'b>),
    /// In textures of the context, one for each plane.
    Textures(&'a [u32]),
}

/// What a pass takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// The pass.
    pub name: String,
    /// Mean time on the device in milliseconds; `None` where it is not known.
    pub milliseconds: Option<f64>,
}

/// Runs graphs in one context. Every method, and [`Renderer::delete`] at the end, is called on the context's thread.
#[derive(Debug)]
pub struct Renderer {
    gl: Gl,
    device: Device,
    cache: ProgramCache,
    vertices: NativeVertexArray,
    /// For textures that are not ours.
    framebuffer: NativeFramebuffer,
    samplers: HashMap<(bool, Border), NativeSampler>,
    /// By their texts; also those of graphs before.
    programs: HashMap<String, Arc<Program>>,
    /// One for each pass.
    timers: Vec<Timer>,
    scene: Scene,
}

/// What belongs to one graph.
#[derive(Debug, Default)]
struct Scene {
    graph: Option<(Graph, VideoSpec, VideoSpec)>,
    /// One for each pass.
    programs: Vec<Arc<Program>>,
    slots: Vec<Texture>,
    statics: Vec<Texture>,
    previous: Option<Texture>,
    has_previous: bool,
    /// For frames in memory; made when the first one comes.
    sources: Vec<Texture>,
    sinks: Vec<Texture>,
    framebuffers: HashMap<Vec<NativeTexture>, NativeFramebuffer>,
}

impl Renderer {
    /// A renderer in the context of `gl`; compiled programs are kept in `cache`.
    ///
    /// # Errors
    /// [`GlError::Unsupported`] for a context that is too old.
    pub fn new(gl: Gl, cache: ProgramCache) -> Result<Self, GlError> {
        // What others left is none of ours.
        let _ = gl.check("starting");
        let device = gl.device()?;
        let vertices = gl.create_vertex_array()?;
        let framebuffer = match gl.create_framebuffer() {
            Ok(framebuffer) => framebuffer,
            Err(e) => {
                gl.delete_vertex_array(vertices);
                return Err(e);
            }
        };
        Ok(Self {
            gl,
            device,
            cache,
            vertices,
            framebuffer,
            samplers: HashMap::new(),
            programs: HashMap::new(),
            timers: vec![],
            scene: Scene::default(),
        })
    }

    /// What the context can do.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The driver's version and device.
    pub fn description(&self) -> String {
        self.gl.description()
    }

    /// Compiles everything that `graph` needs, and makes its textures; in place of the graph before.
    ///
    /// # Errors
    /// [`GlError`]. The graph before stays where the driver refuses a text; nothing is prepared where memory runs out.
    pub fn prepare(
        &mut self,
        graph: Graph,
        input: VideoSpec,
        output: VideoSpec,
    ) -> Result<(), GlError> {
        for spec in [&input, &output] {
            let info = spec.format.info();
            if info.sample_bytes > 1 && !self.device.has_unorm16 {
                return Err(GlError::Unsupported {
                    version: self.gl.description(),
                    reason: format!("{} needs textures of 16 bits", info.name),
                });
            }
        }
        // What fails most fails while the graph before is still there.
        for pass in &graph.passes {
            if !self.programs.contains_key(&pass.text) {
                let program = Program::new(&self.gl, pass, &self.cache)?;
                self.programs.insert(pass.text.clone(), Arc::new(program));
            }
        }
        self.clear();
        self.forget_programs(&graph);
        let prepared = self.prepare_parts(&graph);
        self.reset_state();
        prepared?;
        self.scene.graph = Some((graph, input, output));
        Ok(())
    }

    /// Deletes programs that `graph` does not need, once there are many: caps and settings may change back.
    fn forget_programs(&mut self, graph: &Graph) {
        if self.programs.len() <= MAX_PROGRAMS {
            return;
        }
        let is_needed = |text: &String| graph.passes.iter().any(|pass| pass.text == *text);
        let Self { gl, programs, .. } = self;
        programs.retain(|text, program| {
            let keep = is_needed(text);
            if !keep {
                gl.delete_program(program.native);
            }
            keep
        });
    }

    fn prepare_parts(&mut self, graph: &Graph) -> Result<(), GlError> {
        let Self { gl, scene, samplers, timers, programs, .. } = self;
        for pass in &graph.passes {
            for Sampler { is_linear, border, .. } in &pass.reads {
                if let Entry::Vacant(entry) = samplers.entry((*is_linear, *border)) {
                    entry.insert(sampler(gl, *is_linear, *border)?);
                }
            }
            scene.programs.extend(programs.get(&pass.text).cloned());
            timers.push(Timer::new(gl));
        }
        for slot in &graph.slots {
            scene.slots.push(Texture::for_slot(gl, slot)?);
        }
        for known in &graph.statics {
            scene.statics.push(Texture::for_static(gl, known)?);
        }
        if let Some(kept) = graph.kept {
            scene.previous = Some(Texture::for_slot(gl, &graph.slots[kept])?);
        }
        gl.check("preparing passes")
    }

    /// Makes the next frame begin anew: there is no frame before it.
    pub fn forget(&mut self) {
        self.scene.has_previous = false;
    }

    /// Runs all passes: `source` becomes `sink`. `frame` counts frames and is what shaders see of time.
    ///
    /// # Errors
    /// [`GlError`] where the frames are not those that were prepared for, or the driver fails.
    pub fn render(
        &mut self,
        source: &Planes,
        sink: &mut PlanesMut,
        frame: u32,
    ) -> Result<(), GlError> {
        let Some((graph, input, output)) = self.scene.graph.take() else {
            return Err(GlError::Frame("no graph is prepared".into()));
        };
        let result = self.render_parts(&graph, (&input, &output), source, sink, frame);
        self.scene.graph = Some((graph, input, output));
        self.reset_state();
        result?;
        self.gl.check("running passes")
    }

    fn render_parts(
        &mut self,
        graph: &Graph,
        (input, output): (&VideoSpec, &VideoSpec),
        source: &Planes,
        sink: &mut PlanesMut,
        frame: u32,
    ) -> Result<(), GlError> {
        let sources = self.sources(input, source)?;
        let sinks = self.sinks(output, sink)?;
        self.gl.bind_vertex_array(Some(self.vertices));
        for capability in [glow::BLEND, glow::SCISSOR_TEST, glow::DEPTH_TEST, glow::CULL_FACE] {
            self.gl.disable(capability);
        }
        let random = random(frame);
        for (index, pass) in graph.passes.iter().enumerate() {
            self.run(graph, index, pass, (&sources, &sinks), (frame, random))?;
        }
        if let Some(kept) = graph.kept
            && let Some(previous) = &mut self.scene.previous
        {
            std::mem::swap(&mut self.scene.slots[kept], previous);
            self.scene.has_previous = true;
        }
        if let PlanesMut::Frame(frame) = sink {
            for (plane, &texture) in sinks.iter().enumerate() {
                let format = self.scene.sinks[plane].format;
                self.attach(&[texture])?;
                download(&self.gl, frame, plane, format);
            }
        }
        Ok(())
    }

    /// Textures of the frame that comes in.
    fn sources(
        &mut self,
        spec: &VideoSpec,
        source: &Planes,
    ) -> Result<Vec<NativeTexture>, GlError> {
        match source {
            Planes::Frame(frame) => {
                spec.check(frame.format(), frame.size())
                    .map_err(|e| GlError::Frame(e.to_string()))?;
                make_planes(&self.gl, spec, false, &mut self.scene.sources)?;
                for (plane, texture) in self.scene.sources.iter().enumerate() {
                    upload(&self.gl, frame, plane, texture);
                }
                Ok(self.scene.sources.iter().map(|texture| texture.native).collect())
            }
            Planes::Textures(ids) => foreign(spec, ids),
        }
    }

    /// Textures of the frame that goes out.
    fn sinks(&mut self, spec: &VideoSpec, sink: &PlanesMut) -> Result<Vec<NativeTexture>, GlError> {
        match sink {
            PlanesMut::Frame(frame) => {
                spec.check(frame.format(), frame.size())
                    .map_err(|e| GlError::Frame(e.to_string()))?;
                make_planes(&self.gl, spec, true, &mut self.scene.sinks)?;
                Ok(self.scene.sinks.iter().map(|texture| texture.native).collect())
            }
            PlanesMut::Textures(ids) => foreign(spec, ids),
        }
    }

    fn run(
        &mut self,
        graph: &Graph,
        index: usize,
        pass: &Pass,
        (sources, sinks): (&[NativeTexture], &[NativeTexture]),
        (frame, random): (u32, f32),
    ) -> Result<(), GlError> {
        let Scene { slots, statics, previous, has_previous, .. } = &self.scene;
        let find = |name: Name| {
            let ours = |texture: &Texture| (texture.native, texture.target);
            match name {
                Name::Source(plane) => (sources[plane], glow::TEXTURE_2D),
                Name::Sink(plane) => (sinks[plane], glow::TEXTURE_2D),
                Name::Slot(slot) => ours(&slots[slot]),
                Name::Static(index) => ours(&statics[index]),
                Name::Previous => match (previous, graph.kept) {
                    (Some(previous), _) if *has_previous => ours(previous),
                    // Without a frame before, it is what the pass itself hooks.
                    (_, _) => match pass.reads.iter().find(|r| r.texture != Name::Previous) {
                        Some(Sampler { texture: Name::Slot(slot), .. }) => ours(&slots[*slot]),
                        _ => (sources[0], glow::TEXTURE_2D),
                    },
                },
            }
        };
        let writes: Vec<_> = pass.writes.iter().map(|&name| find(name).0).collect();
        let gl = &self.gl;
        for (unit, read) in pass.reads.iter().enumerate() {
            let (texture, target) = find(read.texture);
            gl.active_texture(glow::TEXTURE0 + unit as u32);
            gl.bind_texture(target, Some(texture));
            gl.bind_sampler(
                unit as u32,
                self.samplers.get(&(read.is_linear, read.border)).copied(),
            );
        }
        for (unit, &name) in pass.images.iter().enumerate() {
            let Name::Static(index) = name else { continue };
            let (unit, texture) = (1 + unit as u32, &statics[index]);
            let is_layered = texture.target == glow::TEXTURE_3D;
            let internal = texture.format.internal;
            gl.bind_image_texture(
                unit,
                Some(texture.native),
                0,
                is_layered,
                0,
                glow::READ_WRITE,
                internal,
            );
        }
        let program = &self.scene.programs[index];
        gl.use_program(Some(program.native));
        program.set(gl, frame, random, pass);
        self.timers[index].begin(gl);
        match pass.work {
            Work::Draw => {
                self.attach(&writes)?;
                self.gl.viewport(0, 0, pass.size.width as i32, pass.size.height as i32);
                self.gl.draw_arrays(glow::TRIANGLES, 0, 3);
            }
            Work::Dispatch { groups } => {
                if let Name::Slot(slot) = pass.writes[0] {
                    let internal = slots[slot].format.internal;
                    gl.bind_image_texture(
                        0,
                        Some(writes[0]),
                        0,
                        false,
                        0,
                        glow::WRITE_ONLY,
                        internal,
                    );
                }
                gl.dispatch_compute(groups.0, groups.1, 1);
            }
        }
        let gl = &self.gl;
        if pass.work != Work::Draw || !pass.images.is_empty() {
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
    fn attach(&mut self, textures: &[NativeTexture]) -> Result<(), GlError> {
        let gl = &self.gl;
        let is_ours = |texture: &NativeTexture| {
            let Scene { slots, sinks, previous, .. } = &self.scene;
            slots.iter().chain(sinks).chain(previous).any(|t| t.native == *texture)
        };
        let known = self.scene.framebuffers.get(textures).copied();
        let framebuffer = match known {
            Some(framebuffer) => {
                gl.bind_framebuffer(glow::FRAMEBUFFER, Some(framebuffer));
                return Ok(());
            }
            None if textures.iter().all(is_ours) => {
                let framebuffer = gl.create_framebuffer()?;
                self.scene.framebuffers.insert(textures.to_vec(), framebuffer);
                framebuffer
            }
            None => self.framebuffer,
        };
        gl.bind_framebuffer(glow::FRAMEBUFFER, Some(framebuffer));
        let points: Vec<_> =
            (0..textures.len() as u32).map(|i| glow::COLOR_ATTACHMENT0 + i).collect();
        for (&point, &texture) in points.iter().zip(textures) {
            gl.framebuffer_texture_2d(glow::FRAMEBUFFER, point, glow::TEXTURE_2D, Some(texture), 0);
        }
        if framebuffer == self.framebuffer {
            // What an earlier pass drew into must not stay attached.
            for extra in textures.len() as u32..4 {
                let point = glow::COLOR_ATTACHMENT0 + extra;
                gl.framebuffer_texture_2d(glow::FRAMEBUFFER, point, glow::TEXTURE_2D, None, 0);
            }
        }
        gl.draw_buffers(&points);
        match gl.check_framebuffer_status(glow::FRAMEBUFFER) {
            glow::FRAMEBUFFER_COMPLETE => Ok(()),
            code => Err(GlError::Driver { code, doing: "attaching a texture to draw into" }),
        }
    }

    /// OpenGL's defaults, for whoever uses the context next.
    fn reset_state(&self) {
        let gl = &self.gl;
        let units = self.scene.graph.as_ref().map_or(self.device.max_samplers, |(graph, ..)| {
            graph.passes.iter().map(|pass| pass.reads.len()).max().unwrap_or(0)
        });
        for unit in (0..units as u32).rev() {
            gl.active_texture(glow::TEXTURE0 + unit);
            gl.bind_sampler(unit, None);
            for target in [glow::TEXTURE_2D, glow::TEXTURE_3D] {
                gl.bind_texture(target, None);
            }
        }
        gl.use_program(None);
        gl.bind_vertex_array(None);
        gl.bind_framebuffer(glow::FRAMEBUFFER, Some(self.framebuffer));
        for point in 0..4 {
            let point = glow::COLOR_ATTACHMENT0 + point;
            gl.framebuffer_texture_2d(glow::FRAMEBUFFER, point, glow::TEXTURE_2D, None, 0);
        }
        gl.bind_framebuffer(glow::FRAMEBUFFER, None);
    }

    /// Times of all passes, in their order.
    pub fn timings(&self) -> Vec<Timing> {
        let Some((graph, ..)) = &self.scene.graph else { return vec![] };
        let timing = |(pass, timer): (&Pass, &Timer)| Timing {
            name: pass.name.clone(),
            milliseconds: timer.milliseconds(),
        };
        graph.passes.iter().zip(&self.timers).map(timing).collect()
    }

    /// Gives back what belongs to the graph.
    fn clear(&mut self) {
        self.scene.clear(&self.gl);
        self.timers.drain(..).for_each(|timer| timer.delete(&self.gl));
    }

    /// Gives everything back.
    pub fn delete(mut self) {
        self.reset_state();
        self.clear();
        self.programs.values().for_each(|program| self.gl.delete_program(program.native));
        self.samplers.values().for_each(|&sampler| self.gl.delete_sampler(sampler));
        self.gl.delete_framebuffer(self.framebuffer);
        self.gl.delete_vertex_array(self.vertices);
    }
}

impl Scene {
    fn clear(&mut self, gl: &Gl) {
        let Self { slots, statics, previous, sources, sinks, framebuffers, .. } =
            std::mem::take(self);
        for texture in slots.into_iter().chain(statics).chain(previous).chain(sources).chain(sinks)
        {
            gl.delete_texture(texture.native);
        }
        framebuffers.into_values().for_each(|framebuffer| gl.delete_framebuffer(framebuffer));
    }
}

/// A number of 0..1 that looks like chance and is the same for the same frame.
fn random(frame: u32) -> f32 {
    let mixed = (frame ^ (frame >> 16)).wrapping_mul(0x7feb_352d);
    let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x846c_a68b);
    ((mixed ^ (mixed >> 16)) >> 8) as f32 / (1 << 24) as f32
}

fn sampler(gl: &Gl, is_linear: bool, border: Border) -> Result<NativeSampler, GlError> {
    let sampler = gl.create_sampler()?;
    let filter = if is_linear { glow::LINEAR } else { glow::NEAREST } as i32;
    let wrap = match border {
        Border::Clamp => glow::CLAMP_TO_EDGE,
        Border::Repeat => glow::REPEAT,
        Border::Mirror => glow::MIRRORED_REPEAT,
    } as i32;
    for (name, value) in [
        (glow::TEXTURE_MIN_FILTER, filter),
        (glow::TEXTURE_MAG_FILTER, filter),
        (glow::TEXTURE_WRAP_S, wrap),
        (glow::TEXTURE_WRAP_T, wrap),
        (glow::TEXTURE_WRAP_R, wrap),
    ] {
        gl.sampler_parameter_i32(sampler, name, value);
    }
    Ok(sampler)
}

/// Textures for the planes of frames in memory, unless they are there.
fn make_planes(
    gl: &Gl,
    spec: &VideoSpec,
    is_drawn: bool,
    planes: &mut Vec<Texture>,
) -> Result<(), GlError> {
    let info = spec.format.info();
    for plane in planes.len()..info.planes {
        let (size, step) = texels(spec.format, plane, spec.size);
        let format = Format::of_plane(step, info.sample_bytes, is_drawn);
        planes.push(Texture::new(gl, size, format)?);
    }
    Ok(())
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
