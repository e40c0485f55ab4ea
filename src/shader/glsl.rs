//! The text around a pass's body: what mpv and libplacebo define for user shaders. Sizes are uniforms, so that frames of another
//! size need no other programs.

use std::fmt::Write as _;

use super::device::Device;
use super::file::{Number, Param, ParamKind, SampleFormat, SampleKind};
use super::graph::{Value, Work};
use super::{arrays, loops};
use crate::upscale::Size;

/// A texture under the names that a body knows it by.
#[derive(Debug, Clone)]
pub struct Bound {
    /// Prefix of its macros; several where a texture has several names.
    pub names: Vec<String>,
    /// What it is.
    pub kind: BoundKind,
}

/// What a bound texture is.
#[derive(Debug, Clone)]
pub enum BoundKind {
    /// A picture: with macros `NAME_pos`, `NAME_tex`…
    Picture {
        /// In px.
        size: Size,
        /// What makes samples of it be 0..1.
        multiplier: f32,
        /// By how many of its pixels it is read to the right and below.
        shift: [f32; 2],
    },
    /// A texture of the file: a bare sampler of so many dimensions.
    Bare(usize),
    /// A texture of the file that may be written.
    Storage(SampleFormat, usize),
}

/// Everything that a pass's text is made of.
#[derive(Debug)]
pub struct Text<'a> {
    /// What runs it.
    pub device: &'a Device,
    /// What it reads.
    pub binds: &'a [Bound],
    /// Parameters and their values.
    pub params: &'a [(&'a Param, f64)],
    /// Size of the result.
    pub size: Size,
    /// Channels of the result that are kept.
    pub components: u8,
    /// Results; `hook()` gives the first, and assigns the others to `kz_out1`, `kz_out2`… itself.
    pub outputs: usize,
    /// What runs it; in invocations per group where that is a compute shader.
    pub work: Work,
    /// Invocations of a group.
    pub threads: (u32, u32),
    /// What a compute shader's result is stored as.
    pub format: SampleFormat,
    /// `input_size`, `target_size` and `tex_offset`.
    pub globals: [[f32; 2]; 3],
    /// The body, and the line of the file that it begins at.
    pub body: (&'a str, usize),
}

/// Most `#extension` lines that are moved to the front; drivers take long over very many.
const MAX_EXTENSIONS: usize = 64;

/// What is around a body has lines from here on, in drivers' logs: more than any file has.
pub const OWN_LINES: usize = 100_000_000;

/// Names that every text has, with the places that driver logs and bodies know.
const COMMON: &str = "\
#define tex1D texture
#define tex2D texture
#define tex3D texture
#define LUT_POS(x, lut_size) mix(0.5 / (lut_size), 1.0 - 0.5 / (lut_size), (x))
uniform int frame;
uniform float random;
uniform vec2 input_size;
uniform vec2 target_size;
uniform vec2 tex_offset;
uniform vec2 kz_pt;
#define kz_map(id) ((vec2(id) + vec2(0.5)) * kz_pt)
";

/// sRGB's curve, as libplacebo's `linearize` and `delinearize` for SDR (IEC 61966-2-1).
const CURVES: &str = "\
vec4 linearize(vec4 c) {
    vec3 v = max(c.rgb, vec3(0.0));
    return vec4(mix(v / 12.92, pow((v + 0.055) / 1.055, vec3(2.4)), step(vec3(0.04045), v)), c.a);
}
vec4 delinearize(vec4 c) {
    vec3 v = max(c.rgb, vec3(0.0));
    return vec4(mix(v * 12.92, 1.055 * pow(v, vec3(1.0 / 2.4)) - 0.055, step(vec3(0.0031308), v)), c.a);
}
";

impl Text<'_> {
    /// The whole text.
    pub fn write(&self) -> String {
        let (extensions, body) = hoisted(self.body.0);
        let mut text = self.device.version();
        let _ = writeln!(text, "#line {OWN_LINES} 2");
        text += &extensions;
        text += &self.device.precision();
        self.outputs(&mut text);
        text += COMMON;
        for (name, function) in
            [("linearize", CURVES), ("kz_turn", loops::COUNTER), ("kz_at", arrays::GUARD)]
        {
            if body.contains(name) {
                text += function;
            }
        }
        self.params.iter().for_each(|&(param, value)| declare(param, value, &mut text));
        self.textures(&mut text);
        let _ = writeln!(text, "#line {} 1", self.body.1);
        text += &body;
        let _ = writeln!(text, "\n#line {OWN_LINES} 2");
        text += &self.main();
        text
    }

    fn is_compute(&self) -> bool {
        matches!(self.work, Work::Dispatch { .. })
    }

    /// Where the result goes.
    fn outputs(&self, text: &mut String) {
        let _ = if self.is_compute() {
            let (width, height) = self.threads;
            let format = layout(self.format);
            writeln!(
                text,
                "layout(local_size_x = {width}, local_size_y = {height}) in;\n\
                 layout({format}, binding = 0) writeonly uniform image2D out_image;"
            )
        } else {
            writeln!(text, "layout(location = 0) out vec4 kz_out;")
        };
        for output in 1..self.outputs {
            let _ = writeln!(text, "layout(location = {output}) out vec4 kz_out{output};");
        }
    }

    fn textures(&self, text: &mut String) {
        let position = match self.is_compute() {
            true => "kz_map(gl_GlobalInvocationID)",
            false => "(gl_FragCoord.xy * kz_pt)",
        };
        let (mut samplers, mut images) = (0, 0);
        for bound in self.binds {
            match &bound.kind {
                BoundKind::Picture { multiplier, shift, .. } => {
                    let unit = samplers;
                    samplers += 1;
                    let _ = writeln!(
                        text,
                        "uniform sampler2D kz_texture{unit};\n\
                         uniform vec2 kz_size{unit};\n\
                         uniform vec2 kz_pt{unit};"
                    );
                    for name in &bound.names {
                        self.picture_macros(name, unit, position, *multiplier, *shift, text);
                    }
                }
                BoundKind::Bare(dimensions) => {
                    let sampler = format!("kz_texture{samplers}");
                    samplers += 1;
                    let _ = writeln!(text, "uniform sampler{dimensions}D {sampler};");
                    for name in &bound.names {
                        let _ = writeln!(text, "#define {name} {sampler}");
                    }
                }
                BoundKind::Storage(format, dimensions) => {
                    let image = format!("kz_image{images}");
                    images += 1;
                    // The result is image 0.
                    let format = layout(*format);
                    let _ = writeln!(
                        text,
                        "layout({format}, binding = {images}) uniform image{dimensions}D {image};"
                    );
                    for name in &bound.names {
                        let _ = writeln!(text, "#define {name} {image}");
                    }
                }
            }
        }
    }

    fn picture_macros(
        &self,
        name: &str,
        unit: usize,
        position: &str,
        multiplier: f32,
        shift: [f32; 2],
        text: &mut String,
    ) {
        let sampler = format!("kz_texture{unit}");
        let [x, y] = shift;
        let at = |position: &str| match shift {
            [0.0, 0.0] => position.to_owned(),
            _ => format!("({position} + vec2({x:?}, {y:?}) * kz_pt{unit})"),
        };
        let factor = if multiplier == 1.0 { String::new() } else { format!("{multiplier:?} * ") };
        let _ = writeln!(
            text,
            "#define {name}_raw {sampler}\n\
             #define {name}_pos {position}\n\
             #define {name}_map(id) {map}\n\
             #define {name}_size kz_size{unit}\n\
             #define {name}_pt kz_pt{unit}\n\
             #define {name}_off vec2({x:?}, {y:?})\n\
             #define {name}_rot mat2(1.0, 0.0, 0.0, 1.0)\n\
             #define {name}_mul {multiplier:?}\n\
             #define {name}_tex(pos) ({factor}textureLod({sampler}, pos, 0.0))\n\
             #define {name}_texOff(off) {name}_tex({name}_pos + {name}_pt * vec2(off))",
            position = at(position),
            map = at("kz_map(id)"),
        );
        if self.device.has_gather {
            let _ = writeln!(
                text,
                "#define {name}_gather(pos, c) ({factor}textureGather({sampler}, pos, c))"
            );
        }
    }

    /// Values of the uniforms that the text has beside its parameters.
    pub fn uniforms(&self) -> Vec<(String, Value)> {
        let pt = |size: Size| Value::Pair([1.0 / size.width as f32, 1.0 / size.height as f32]);
        let names = ["input_size", "target_size", "tex_offset"].into_iter();
        let mut uniforms: Vec<_> =
            names.zip(self.globals).map(|(name, pair)| (name.into(), Value::Pair(pair))).collect();
        uniforms.push(("kz_pt".into(), pt(self.size)));
        let sampled = self.binds.iter().filter(|b| !matches!(b.kind, BoundKind::Storage(..)));
        for (unit, bound) in sampled.enumerate() {
            if let BoundKind::Picture { size, .. } = bound.kind {
                let pixels = Value::Pair([size.width as f32, size.height as f32]);
                uniforms.push((format!("kz_size{unit}"), pixels));
                uniforms.push((format!("kz_pt{unit}"), pt(size)));
            }
        }
        uniforms
    }

    fn main(&self) -> String {
        if self.is_compute() {
            return "void main() { hook(); }\n".into();
        }
        // What is not kept is what a texture without those channels would show.
        let result = match self.components {
            1 => "vec4(hook().r, 0.0, 0.0, 1.0)",
            2 => "vec4(hook().rg, 0.0, 1.0)",
            3 => "vec4(hook().rgb, 1.0)",
            _ => "hook()",
        };
        format!("void main() {{ kz_out = {result}; }}\n")
    }
}

/// A parameter as GLSL sees it.
fn declare(param: &Param, value: f64, text: &mut String) {
    let name = &param.name;
    let literal = |number| match number {
        Number::Float => format!("{:?}", value as f32),
        Number::Int => format!("{}", value as i32),
        Number::Uint => format!("{}u", value as u32),
    };
    let _ = match param.kind {
        ParamKind::Constant(number) => {
            writeln!(text, "const {} {name} = {};", type_name(number), literal(number))
        }
        ParamKind::Dynamic(number) => writeln!(text, "uniform {} {name};", type_name(number)),
        ParamKind::Define => writeln!(text, "#define {name} {}", literal(Number::Int)),
    };
    for (value, member) in param.members.iter().enumerate() {
        let _ = writeln!(text, "#define {member} {value}");
    }
}

const fn type_name(number: Number) -> &'static str {
    match number {
        Number::Float => "float",
        Number::Int => "int",
        Number::Uint => "uint",
    }
}

/// GLSL's name of an image format.
fn layout(format: SampleFormat) -> String {
    let channels = match format.channels {
        1 => "r",
        2 => "rg",
        _ => "rgba",
    };
    let kind = match format.kind {
        SampleKind::Unorm8 => "8",
        SampleKind::Unorm16 => "16",
        SampleKind::Half => "16f",
        SampleKind::Float => "32f",
    };
    format!("{channels}{kind}")
}

/// `#extension` lines, which some drivers accept before everything else only, and the body without them.
fn hoisted(body: &str) -> (String, String) {
    let mut extensions = String::new();
    let mut rest = String::with_capacity(body.len());
    let mut count = 0;
    for line in body.lines() {
        let directive = line.trim_start().strip_prefix('#').map(str::trim_start);
        if count < MAX_EXTENSIONS && directive.is_some_and(|d| d.starts_with("extension")) {
            count += 1;
            extensions += line.trim();
            extensions.push('\n');
        } else {
            rest += line;
        }
        rest.push('\n');
    }
    (extensions, rest)
}
