//! A context's graphs, one after the other: each prepared once and run for every frame.

use std::collections::HashMap;
use std::sync::Arc;

use super::GlError;
use super::context::Gl;
use super::program::{Program, ProgramCache};
use super::scene::Scene;
use super::tools::Tools;
use crate::shader::Device;
use crate::shader::graph::Graph;
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
    tools: Tools,
    device: Device,
    cache: ProgramCache,
    /// By their texts; also those of graphs before.
    programs: HashMap<String, Arc<Program>>,
    scene: Option<Scene>,
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
        let tools = Tools::new(gl)?;
        Ok(Self { tools, device, cache, programs: HashMap::new(), scene: None })
    }

    /// What the context can do.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The driver's version and device.
    pub fn description(&self) -> String {
        self.tools.gl.description()
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
                    version: self.description(),
                    reason: format!("{} needs textures of 16 bits", info.name),
                });
            }
        }
        // What fails most fails while the graph before is still there.
        let mut programs = Vec::new();
        for pass in &graph.passes {
            if !self.programs.contains_key(&pass.text) {
                let program = Program::new(&self.tools.gl, pass, &self.cache)?;
                self.programs.insert(pass.text.clone(), Arc::new(program));
            }
            programs.extend(self.programs.get(&pass.text).cloned());
        }
        self.clear();
        self.forget_programs(&graph);
        let scene = Scene::new(&mut self.tools, graph, (input, output), programs);
        self.tools.reset_state(1);
        self.scene = Some(scene?);
        Ok(())
    }

    /// Deletes programs that `graph` does not need, once there are many: caps and settings may change back.
    fn forget_programs(&mut self, graph: &Graph) {
        if self.programs.len() <= MAX_PROGRAMS {
            return;
        }
        let is_needed = |text: &String| graph.passes.iter().any(|pass| pass.text == *text);
        let Self { tools, programs, .. } = self;
        programs.retain(|text, program| {
            let keep = is_needed(text);
            if !keep {
                tools.gl.delete_program(program.native);
            }
            keep
        });
    }

    /// Makes the next frame begin anew: there is no frame before it.
    pub fn forget(&mut self) {
        self.scene.iter_mut().for_each(Scene::forget);
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
        self.work(|scene, tools| scene.render(tools, source, sink, frame))
    }

    /// Whether the same picture gives the same frame: else there is no use in looking for one that came twice.
    pub fn can_repeat(&self) -> bool {
        self.scene.as_ref().is_some_and(Scene::can_repeat)
    }

    /// Makes `sink` the frame that went out last, for a picture that came in twice; `false` where a shader counts frames or
    /// draws lots, so that the same picture need not give the same again, or where no frame in memory came before.
    ///
    /// # Errors
    /// As of [`Renderer::render`].
    pub fn render_again(&mut self, sink: &mut PlanesMut) -> Result<bool, GlError> {
        self.work(|scene, tools| scene.render_again(tools, sink))
    }

    fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Scene, &Tools) -> Result<T, GlError>,
    ) -> Result<T, GlError> {
        let Self { scene: Some(scene), tools, .. } = self else {
            return Err(GlError::Frame("no graph is prepared".into()));
        };
        let result = work(scene, tools);
        tools.reset_state(scene.units());
        let result = result?;
        tools.gl.check("running passes").map(|()| result)
    }

    /// Times of all passes, in their order.
    pub fn timings(&self) -> Vec<Timing> {
        self.scene.as_ref().map(Scene::timings).unwrap_or_default()
    }

    /// Gives back what belongs to the graph.
    fn clear(&mut self) {
        if let Some(scene) = self.scene.take() {
            scene.delete(&self.tools.gl);
        }
    }

    /// Gives everything back.
    pub fn delete(mut self) {
        self.tools.reset_state(self.device.max_samplers);
        self.clear();
        self.programs.values().for_each(|program| self.tools.gl.delete_program(program.native));
        self.tools.delete();
    }
}
