//! What a shader file says: passes, textures and parameters, each with the line it began at.

use std::sync::Arc;

use super::error::Place;
use super::graph::Static;
use super::rpn::Expression;

/// A shader file, parsed.
#[derive(Debug, Clone, PartialEq)]
pub struct ShaderFile {
    /// The name that messages use.
    pub name: String,
    /// Passes in the order in which they run at a stage.
    pub passes: Vec<HookPass>,
    /// Textures that come with the file.
    pub textures: Vec<FileTexture>,
    /// What a user can set.
    pub params: Vec<Param>,
}

/// A pass: GLSL that runs wherever a stage of its list fires.
#[derive(Debug, Clone, PartialEq)]
pub struct HookPass {
    /// Where its header begins.
    pub place: Place,
    /// `DESC`, else the name of what it saves.
    pub name: String,
    /// `HOOK`: stages at which it runs.
    pub hooks: Vec<String>,
    /// `BIND`: textures that it reads.
    pub binds: Vec<String>,
    /// `SAVE`: what its result is called; `None` replaces the hooked texture.
    pub save: Option<String>,
    /// `WIDTH` of its result; `None` is the hooked texture's.
    pub width: Option<Expression>,
    /// `HEIGHT` of its result; `None` is the hooked texture's.
    pub height: Option<Expression>,
    /// `WHEN`: it runs where this is not 0.
    pub when: Option<Expression>,
    /// `COMPONENTS` that are kept, 1 to 4; `None` is as many as the hooked texture has.
    pub components: Option<u8>,
    /// `OFFSET` that it introduces.
    pub offset: Offset,
    /// `COMPUTE`: it is a compute shader.
    pub compute: Option<Compute>,
    /// GLSL.
    pub body: Arc<str>,
    /// The line that the body begins at.
    pub body_line: usize,
}

/// By how much a pass moves the picture.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Offset {
    /// Not at all.
    #[default]
    None,
    /// By so many pixels of its result, right and down.
    By(f32, f32),
    /// It undoes the offset that the hooked texture has towards luma.
    Align,
}

/// How a compute shader divides its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compute {
    /// Columns and rows that a work group writes.
    pub block: (u32, u32),
    /// Invocations of a work group.
    pub threads: (u32, u32),
}

/// A texture whose samples are in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct FileTexture {
    /// Where its header begins.
    pub place: Place,
    /// The sampler's name.
    pub name: String,
    /// What it holds.
    pub content: Static,
}

/// Beyond a texture's edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Border {
    /// The nearest sample.
    #[default]
    Clamp,
    /// The texture again.
    Repeat,
    /// The texture's mirror image.
    Mirror,
}

/// How a texture's samples are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SampleFormat {
    /// 1, 2 or 4 (3 in a file is stored as 4).
    pub channels: u8,
    /// What a channel is.
    pub kind: SampleKind,
    /// What a channel is in a file's data: half floats are mostly given as floats of 32 bits.
    pub data: SampleKind,
    /// Channels in a file's data.
    pub data_channels: u8,
}

/// A sample's type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// 8 bits, 0..1.
    Unorm8,
    /// 16 bits, 0..1.
    Unorm16,
    /// Float of 16 bits.
    Half,
    /// Float of 32 bits.
    Float,
}

impl SampleKind {
    /// Bytes of a sample.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Unorm8 => 1,
            Self::Unorm16 | Self::Half => 2,
            Self::Float => 4,
        }
    }
}

impl SampleFormat {
    /// The format that libplacebo calls `name`: `r`, `rg`, `rgb` or `rgba`, then `8`, `16`, `16f` (given as 32-bit floats),
    /// `16hf` (given as half floats) or `32f`.
    pub fn from_name(name: &str) -> Option<Self> {
        let digit = name.find(|c: char| c.is_ascii_digit())?;
        let (channels, kind) = name.split_at(digit);
        let data_channels = match channels {
            "r" => 1,
            "rg" => 2,
            "rgb" => 3,
            "rgba" => 4,
            _ => return None,
        };
        let (kind, data) = match kind {
            "8" => (SampleKind::Unorm8, SampleKind::Unorm8),
            "16" => (SampleKind::Unorm16, SampleKind::Unorm16),
            "16f" => (SampleKind::Half, SampleKind::Float),
            "16hf" => (SampleKind::Half, SampleKind::Half),
            "32f" => (SampleKind::Float, SampleKind::Float),
            _ => return None,
        };
        let channels = if data_channels == 3 { 4 } else { data_channels };
        Some(Self { channels, kind, data, data_channels })
    }

    /// Bytes of a texel in a file's data.
    pub const fn bytes(self) -> usize {
        self.data.bytes() * self.data_channels as usize
    }
}

/// Something that a user can set.
#[derive(Debug, Clone, PartialEq)]
pub struct Param {
    /// Where its header begins.
    pub place: Place,
    /// Its name in GLSL and expressions.
    pub name: String,
    /// `DESC`.
    pub description: String,
    /// What GLSL sees.
    pub kind: ParamKind,
    /// Smallest value.
    pub minimum: Option<f64>,
    /// Largest value.
    pub maximum: Option<f64>,
    /// Its value until it is set.
    pub default: f64,
    /// Names of the values 0, 1, 2… of an enumeration; else empty.
    pub members: Vec<String>,
}

/// What a parameter is in GLSL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParamKind {
    /// A constant.
    Constant(Number),
    /// A uniform: may change with every frame.
    Dynamic(Number),
    /// A preprocessor macro.
    Define,
}

/// A number's type in GLSL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// `float`
    Float,
    /// `int`
    Int,
    /// `uint`
    Uint,
}

impl Param {
    /// `value` as this parameter can have it: within its range, and whole where it is no float.
    ///
    /// # Errors
    /// What it may be, in words that follow the parameter's name.
    pub fn check(&self, value: f64) -> Result<f64, String> {
        let (low, high) = (self.minimum.unwrap_or(f64::MIN), self.maximum.unwrap_or(f64::MAX));
        if !value.is_finite() || !(low..=high).contains(&value) {
            return Err(format!("must lie between {low} and {high}; {value} does not"));
        }
        let (least, most) = match self.number() {
            Number::Float => return Ok(value),
            Number::Int => (f64::from(i32::MIN), f64::from(i32::MAX)),
            Number::Uint => (0.0, f64::from(u32::MAX)),
        };
        if value.fract() == 0.0 && (least..=most).contains(&value) {
            Ok(value)
        } else {
            Err(format!("must be a whole number between {least} and {most}; {value} is not"))
        }
    }

    /// Its type in GLSL; a macro's is that of a whole number.
    pub const fn number(&self) -> Number {
        match self.kind {
            ParamKind::Constant(number) | ParamKind::Dynamic(number) => number,
            ParamKind::Define => Number::Int,
        }
    }
}
