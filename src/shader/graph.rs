//! A frame's passes, resolved: every size, name and condition is settled, and every text is ready to be compiled.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::error::Place;
use super::file::{Border, SampleFormat};
use crate::upscale::Size;

/// What is done for each frame of one kind.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    /// In the order in which they run.
    pub passes: Vec<Pass>,
    /// Textures that passes write, each used again as soon as nobody needs what is in it.
    pub slots: Vec<Slot>,
    /// Textures whose samples are known.
    pub statics: Vec<Static>,
    /// The slot whose content is [`Texture::Previous`] in the next frame.
    pub kept: Option<usize>,
    /// Passes that do not run, and why.
    pub skipped: Vec<Skipped>,
    /// Names of parameters that were set and that no file has.
    pub unknown_params: Vec<String>,
}

/// A texture that a pass reads or writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Texture {
    /// A plane of the frame that came in.
    Source(usize),
    /// A plane of the frame that goes out.
    Sink(usize),
    /// One of [`Graph::slots`].
    Slot(usize),
    /// One of [`Graph::statics`].
    Static(usize),
    /// The last picture of the frame before; at the first frame this frame's own.
    Previous,
}

/// A texture of floats, for passes to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// In px.
    pub size: Size,
    /// Half or 32-bit floats.
    pub format: SampleFormat,
}

impl Slot {
    /// Bytes of device memory.
    pub const fn bytes(&self) -> usize {
        self.size.area() * self.format.channels as usize * self.format.kind.bytes()
    }
}

/// A texture with known samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Static {
    /// Columns, rows, layers; 1 to 3 of them.
    pub size: Vec<u32>,
    /// How samples are stored, and what they are in `data`.
    pub format: SampleFormat,
    /// Whether it is sampled linearly.
    pub is_linear: bool,
    /// What lies beyond its edges.
    pub border: Border,
    /// Whether passes may write to it; what they wrote stays for the next frame.
    pub is_storage: bool,
    /// Samples, little endian, as [`SampleFormat::bytes`] says.
    pub data: Arc<[u8]>,
}

/// One program, run once over its result.
#[derive(Debug, Clone, PartialEq)]
pub struct Pass {
    /// What statistics call it.
    pub name: String,
    /// The shader file that it is from; `None` for our own work.
    pub place: Option<Place>,
    /// GLSL of the fragment or compute shader. Its samplers are `kz_texture0`, `kz_texture1`…, its images `kz_image0`…
    pub text: String,
    /// What it samples, by number.
    pub reads: Vec<Sampler>,
    /// Images that it reads and writes beside its result, by number.
    pub images: Vec<Texture>,
    /// Its result; several textures of one size where it has several outputs.
    pub writes: Vec<Texture>,
    /// Size of the result in px.
    pub size: Size,
    /// What runs it.
    pub work: Work,
    /// Uniforms beside `frame` and `random`.
    pub uniforms: Vec<(String, Value)>,
    /// Whether the same picture may give another result: by `frame`, by `random`, or by what was stored before.
    pub is_timed: bool,
}

/// A texture as a pass samples it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Sampler {
    /// Which one.
    pub texture: Texture,
    /// Whether neighbours are mixed; else the nearest sample is taken.
    pub is_linear: bool,
    /// What lies beyond its edges.
    pub border: Border,
}

/// What runs a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// A fragment shader, once a pixel.
    Draw,
    /// A compute shader, in so many groups.
    Dispatch {
        /// Columns and rows of work groups.
        groups: (u32, u32),
    },
}

/// A uniform's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// `float`
    Float(f32),
    /// `int`
    Int(i32),
    /// `uint`
    Uint(u32),
    /// `vec2`
    Pair([f32; 2]),
}

/// A pass that does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What statistics call it.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Why it does not run.
    pub reason: String,
}

impl Graph {
    /// Bytes of device memory that its own textures take.
    pub fn bytes(&self) -> usize {
        let statics = self.statics.iter().map(|s| s.data.len());
        let kept = self.kept.map_or(0, |slot| self.slots[slot].bytes());
        self.slots.iter().map(Slot::bytes).chain(statics).sum::<usize>() + kept
    }

    /// The last passes, which alone are to be run again to give the last frame once more; `None` where it would not be the same.
    pub fn last_passes(&self) -> Option<Range<usize>> {
        let is_sink = |texture: &Texture| matches!(texture, Texture::Sink(_));
        let first = self.passes.iter().position(|pass| pass.writes.iter().all(is_sink))?;
        let is_still = self.passes.iter().all(|pass| !pass.is_timed)
            && self.passes[first..].iter().all(|pass| pass.writes.iter().all(is_sink));
        is_still.then_some(first..self.passes.len())
    }

    /// The pass of a shader file with the largest result.
    pub(super) fn largest(&self) -> Option<&Pass> {
        let passes = self.passes.iter().filter(|pass| pass.place.is_some());
        passes.max_by_key(|pass| pass.size.area())
    }
}

/// A line for each pass, texture and pass that does not run; texts and samples are left out.
impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for pass in &self.passes {
            let by = match pass.work {
                Work::Draw => String::new(),
                Work::Dispatch { groups: (x, y) } => format!(" in {x}x{y} groups"),
            };
            let list = |textures: &mut dyn Iterator<Item = Texture>| {
                textures.map(|texture| texture.to_string()).collect::<Vec<_>>().join(" ")
            };
            let reads =
                list(&mut pass.reads.iter().map(|r| r.texture).chain(pass.images.iter().copied()));
            let writes = list(&mut pass.writes.iter().copied());
            writeln!(f, "{}: {reads} -> {writes}, {}{by}", pass.name, pass.size)?;
        }
        for (i, Slot { size, format }) in self.slots.iter().enumerate() {
            let kept = if self.kept == Some(i) { ", kept" } else { "" };
            let (channels, kind) = (format.channels, format.kind);
            writeln!(f, "slot{i}: {size}, {channels} x {kind:?}{kept}")?;
        }
        for Skipped { name, place, reason } in &self.skipped {
            writeln!(f, "skipped: {name} ({}:{}): {reason}", place.file, place.line)?;
        }
        Ok(())
    }
}

impl fmt::Display for Texture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(plane) => write!(f, "source{plane}"),
            Self::Sink(plane) => write!(f, "sink{plane}"),
            Self::Slot(slot) => write!(f, "slot{slot}"),
            Self::Static(index) => write!(f, "static{index}"),
            Self::Previous => f.write_str("previous"),
        }
    }
}
