//! Passes of our own: planes together, colour, scaling, and planes apart again.

use super::super::error::ShaderError;
use super::super::file::{Border, SampleFormat, SampleKind};
use super::super::glsl::{Bound, BoundKind, Text};
use super::super::graph::{Pass, Sampler, Static, Texture, Work};
use super::kernel::{self, Kernel};
use super::picture::{Image, Picture, Sample, here};
use super::{Builder, Request};
use crate::upscale::color::{Code, Mix};
use crate::upscale::format::{Component, FormatInfo, Kind};
use crate::upscale::{ColorModel, Matrix, Siting, Size, VideoSpec};

/// A pass of our own.
pub struct Own<'a> {
    /// What statistics call it.
    pub name: &'a str,
    /// What it reads: its body knows them as `T0`, `T1`…
    pub images: &'a [Image],
    /// Of the result, in px.
    pub size: Size,
    /// Channels of the result.
    pub components: u8,
    /// Results.
    pub outputs: usize,
    /// With a function `hook()`.
    pub body: &'a str,
    /// The static that the body knows as `WEIGHTS`.
    pub weights: Option<usize>,
}

impl Builder<'_> {
    /// Components of the source's planes, by their numbers.
    pub fn source(&self, components: &[usize]) -> Picture {
        let info = self.request.input.format.info();
        let sample = |&index: &usize| Sample {
            image: self.plane(info.components[index].plane, index),
            channel: info.components[index].offset,
        };
        Picture { samples: components.iter().map(sample).collect() }
    }

    /// Alpha in output size, where both sides have it. Shaders for upscaling are not made for it, so it goes its own way.
    pub fn alpha(&mut self) -> Result<Option<Picture>, ShaderError> {
        let Request { input, output, .. } = self.request;
        let (Some(at), Some(_)) = (input.format.info().alpha, output.format.info().alpha) else {
            return Ok(None);
        };
        let sample = Sample { image: self.plane(at.plane, 0), channel: at.offset };
        let picture = Picture { samples: vec![sample] };
        self.resampled("alpha", picture, output.size, [0.0; 2], Kernel::CatmullRom).map(Some)
    }

    /// The plane that component `index` of the source lies in.
    fn plane(&self, plane: usize, index: usize) -> Image {
        let spec = &self.request.input;
        let info = spec.format.info();
        let offset = if info.is_subsampled(index) { siting_offset(spec) } else { [0.0; 2] };
        Image {
            texture: Texture::Source(plane),
            size: info.component_size(index, spec.size),
            components: info.components.iter().filter(|c| c.plane == plane).count() as u8,
            multiplier: multiplier(info),
            offset,
            shift: [0.0; 2],
        }
    }

    /// Adds a pass of our own whose result is a new image.
    pub fn add_own(&mut self, own: &Own) -> Result<Image, ShaderError> {
        self.add(self.own_pass(own), own.components)
    }

    fn own_pass(&self, own: &Own) -> Pass {
        let Own { name, images, size, components, outputs, body, weights } = *own;
        let picture = |(i, image): (usize, &Image)| Bound {
            names: vec![format!("T{i}")],
            kind: BoundKind::Picture {
                size: image.size,
                multiplier: image.multiplier,
                shift: image.shift,
            },
        };
        let mut binds: Vec<_> = images.iter().enumerate().map(picture).collect();
        let sampler = |image: &Image| Sampler {
            texture: image.texture,
            is_linear: image.size != size,
            border: Border::Clamp,
        };
        let mut reads: Vec<_> = images.iter().map(sampler).collect();
        if let Some(index) = weights {
            binds.push(Bound { names: vec!["WEIGHTS".into()], kind: BoundKind::Bare(2) });
            let texture = Texture::Static(index);
            reads.push(Sampler { texture, is_linear: false, border: Border::Clamp });
        }
        let text = Text {
            device: self.request.device,
            binds: &binds,
            params: &[],
            size,
            components,
            outputs,
            work: Work::Draw,
            threads: (1, 1),
            format: self.float_format(components, false),
            globals: [[0.0; 2]; 3],
            body: (body, 1),
        };
        Pass {
            name: name.into(),
            place: None,
            text: text.write(),
            reads,
            images: vec![],
            writes: vec![],
            size,
            work: Work::Draw,
            uniforms: text.uniforms(),
            is_timed: false,
        }
    }

    /// Chroma at luma's size and place.
    pub fn chroma_to(&mut self, luma: &Picture, chroma: Picture) -> Result<Picture, ShaderError> {
        let (to, from) = (luma.size(), chroma.size());
        let [x, y] = luma.offset();
        let [own_x, own_y] = chroma.offset();
        // Luma's offset in pixels of chroma.
        let x = own_x - x * from.width as f32 / to.width as f32;
        let y = own_y - y * from.height as f32 / to.height as f32;
        let made = self.resampled("chroma", chroma, to, [x, y], Kernel::CatmullRom)?;
        Ok(with_offset(made, luma.offset()))
    }

    /// The picture in output size, by the main scaler if it does not have it already.
    pub fn scale(&mut self, picture: Picture) -> Result<Picture, ShaderError> {
        let offset = picture.offset();
        let made =
            self.resampled("scaler", picture, self.request.output.size, offset, Kernel::Lanczos3)?;
        Ok(with_offset(made, [0.0; 2]))
    }

    /// `picture` in size `to`, read `offset` of its pixels to the right and below; rows first.
    fn resampled(
        &mut self,
        name: &str,
        picture: Picture,
        to: Size,
        offset: [f32; 2],
        kernel: Kernel,
    ) -> Result<Picture, ShaderError> {
        let rows = Size::new(picture.size().width, to.height);
        let picture = self.resampled_axis(name, picture, rows, offset[1], kernel, true)?;
        self.resampled_axis(name, picture, to, offset[0], kernel, false)
    }

    fn resampled_axis(
        &mut self,
        name: &str,
        picture: Picture,
        to: Size,
        offset: f32,
        kernel: Kernel,
        is_vertical: bool,
    ) -> Result<Picture, ShaderError> {
        let side = |size: Size| if is_vertical { size.height } else { size.width };
        let (from, to_side) = (side(picture.size()), side(to));
        if from == to_side && offset == 0.0 {
            return Ok(picture);
        }
        let (taps, table) = kernel::table(kernel, from, to_side, offset);
        let weights = self.statics.len();
        self.statics.push(Static {
            size: vec![taps as u32 + 1, to_side as u32],
            format: FLOAT,
            is_linear: false,
            border: Border::Clamp,
            is_storage: false,
            data: table.iter().flat_map(|weight| weight.to_le_bytes()).collect(),
        });
        let (images, mut channels) = picture.reads(|name, image| {
            format!("(texelFetch({name}_raw, at, 0) * {:?})", image.multiplier)
        });
        let components = channels.len() as u8;
        channels.resize(4, "1.0".into());
        let axis = if is_vertical { "y" } else { "x" };
        let body = format!(
            "#define AXIS {axis}\n#define TAPS {taps}\n#define READ(at) vec4({})\n{}",
            channels.join(", "),
            include_str!("resample.glsl"),
        );
        let direction = if is_vertical { "rows" } else { "columns" };
        let image = self.add_own(&Own {
            name: &format!("{name} {direction}"),
            images: &images,
            size: to,
            components,
            outputs: 1,
            body: &body,
            weights: Some(weights),
        })?;
        // What was not resampled yet stays where it was.
        let [x, y] = picture.offset();
        let offset = if is_vertical { [x, 0.0] } else { [0.0, y] };
        Ok(Picture::of(Image { offset, ..image }))
    }

    /// R'G'B' in 0..1 of what is coded as the source is.
    pub fn decoded(&mut self, native: Picture) -> Result<Picture, ShaderError> {
        let spec = self.request.input;
        let info = spec.format.info();
        let affine = Affine::decode(&spec);
        if affine.is_identity() && info.kind == Kind::Rgb {
            return Ok(native);
        }
        let (size, offset) = (native.size(), native.offset());
        let (images, mut channels) = native.colour().reads(here);
        if info.kind == Kind::Gray {
            channels = vec![channels[0].clone(); 3];
        }
        let body = format!(
            "vec4 hook() {{\n    vec3 c = vec3({});\n    return vec4({}, 1.0);\n}}\n",
            channels.join(", "),
            affine.glsl("c"),
        );
        let image = self.add_own(&Own {
            name: "to RGB",
            images: &images,
            size,
            components: 3,
            outputs: 1,
            body: &body,
            weights: None,
        })?;
        Ok(Picture::of(Image { offset, ..image }))
    }

    /// The last picture, R'G'B', written to the sink's planes.
    pub fn write_planes(&mut self, picture: Picture) -> Result<(), ShaderError> {
        let mut picture = picture.colour();
        if let Some(alpha) = self.alpha()? {
            picture = picture.beside(alpha);
        }
        let spec = self.request.output;
        let info = spec.format.info();
        let sizes = |plane: usize| spec.format.texels(plane, spec.size);
        // Planes of one size come out of one pass.
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for plane in 0..info.planes {
            let same = |group: &&mut Vec<usize>| {
                sizes(group[0]) == sizes(plane)
                    && is_chroma(info, group[0]) == is_chroma(info, plane)
            };
            match groups.iter_mut().find(same) {
                Some(group) => group.push(plane),
                None => groups.push(vec![plane]),
            }
        }
        for planes in groups {
            let size = sizes(planes[0]);
            let is_small = is_chroma(info, planes[0]) && info.subsampling != (0, 0);
            let taps = if is_small { chroma_taps(&spec) } else { vec![[0.0; 2]] };
            let (images, body) = planes_body(&picture, &spec, &planes, &taps);
            let pass = self.own_pass(&Own {
                name: "planes",
                images: &images,
                size,
                components: 4,
                outputs: planes.len(),
                body: &body,
                weights: None,
            });
            self.push(pass, planes.into_iter().map(Texture::Sink).collect())?;
        }
        Ok(())
    }
}

const FLOAT: SampleFormat = SampleFormat {
    channels: 1,
    kind: SampleKind::Float,
    data: SampleKind::Float,
    data_channels: 1,
};

fn with_offset(mut picture: Picture, offset: [f32; 2]) -> Picture {
    picture.samples.iter_mut().for_each(|sample| sample.image.offset = offset);
    picture
}

fn is_chroma(info: &FormatInfo, plane: usize) -> bool {
    info.kind == Kind::Yuv && plane > 0
}

/// What makes the samples of a texture be 0..1: the largest code is not the largest that its bytes can hold.
fn multiplier(info: &FormatInfo) -> f32 {
    if info.sample_bytes == 1 {
        return 1.0;
    }
    let largest = ((1_u32 << info.depth) - 1) << info.shift;
    (65535.0 / f64::from(largest)) as f32
}

/// By how many of its pixels chroma is to be read to the right and below, so that it lies where luma lies.
fn siting_offset(spec: &VideoSpec) -> [f32; 2] {
    let (x, y) = spec.format.info().subsampling;
    let site = spec.color.site;
    let offset = |siting, shift: u32| match siting {
        Siting::Cosited => 0.5 - 0.5 / (1_u32 << shift) as f32,
        Siting::Centre => 0.0,
    };
    [offset(site.horizontal, x), offset(site.vertical, y)]
}

/// Where chroma is read in the full-size picture, in its pixels beside the middle of those that the sample covers; linear
/// sampling takes the mean of the neighbours there.
fn chroma_taps(spec: &VideoSpec) -> Vec<[f32; 2]> {
    let (x, y) = spec.format.info().subsampling;
    let site = spec.color.site;
    // Cosited: 1 2 1 around the first of two samples, as two means of two.
    let taps = |siting, shift: u32| match (siting, shift) {
        (_, 0) | (Siting::Centre, _) => vec![0.0],
        (Siting::Cosited, _) => vec![-1.0, 0.0],
    };
    let (columns, rows) = (taps(site.horizontal, x), taps(site.vertical, y));
    rows.iter().flat_map(|&y| columns.iter().map(move |&x| [x, y])).collect()
}

/// Text that writes `planes` of `spec` out of an R'G'B' picture, as the mean of it at `taps`.
fn planes_body(
    picture: &Picture,
    spec: &VideoSpec,
    planes: &[usize],
    taps: &[[f32; 2]],
) -> (Vec<Image>, String) {
    let info = spec.format.info();
    let mut images = vec![];
    let mut body = String::from("vec4 hook() {\n    vec4 c = vec4(0.0);\n");
    for [x, y] in taps {
        let at = |name: &str, image: &Image| match [*x, *y] {
            [0.0, 0.0] => here(name, image),
            _ => format!("{name}_tex({name}_pos + vec2({x:?}, {y:?}) * {name}_pt)"),
        };
        let (read, mut channels) = picture.reads(at);
        images = read;
        if channels.len() == 3 {
            channels.push("1.0".into());
        }
        body += &format!("    c += vec4({});\n", channels.join(", "));
    }
    if taps.len() > 1 {
        body += &format!("    c *= {:?};\n", 1.0 / taps.len() as f32);
    }
    let affine = Affine::encode(spec);
    body += &format!("    vec3 codes = {};\n", affine.glsl("c.rgb"));
    let largest = ((1_u32 << info.depth) - 1) as f32;
    let unit = f64::from(1_u32 << info.shift) / f64::from((1_u32 << (8 * info.sample_bytes)) - 1);
    body += &format!(
        "    vec4 all = floor(clamp(vec4(codes, c.a * {largest:?}), 0.0, {largest:?}) + 0.5) * {unit:?};\n"
    );
    let mut results = planes.iter().map(|&plane| plane_channels(info, plane));
    let first = results.next().unwrap_or_default();
    for (i, channels) in results.enumerate() {
        body += &format!("    kz_out{} = vec4({channels});\n", i + 1);
    }
    body += &format!("    return vec4({first});\n}}\n");
    (images, body)
}

/// What the four channels of a plane's texture hold.
fn plane_channels(info: &FormatInfo, plane: usize) -> String {
    let mut channels = ["0.0", "0.0", "0.0", "1.0"];
    let letters = ["all.r", "all.g", "all.b"];
    let mut set = |at: &Component, value| {
        if at.plane == plane {
            channels[at.offset] = value;
        }
    };
    info.components.iter().zip(letters).for_each(|(at, letter)| set(at, letter));
    info.alpha.iter().for_each(|at| set(at, "all.a"));
    info.padding.iter().for_each(|at| set(at, "1.0"));
    channels.join(", ")
}

/// `matrix * c + offset`.
struct Affine {
    matrix: [[f64; 3]; 3],
    offset: [f64; 3],
}

impl Affine {
    /// From the source's samples as shaders see them (0..1 over all codes) to R'G'B'.
    fn decode(spec: &VideoSpec) -> Self {
        let info = spec.format.info();
        let largest = f64::from((1_u32 << info.depth) - 1);
        let codes = codes(spec);
        // nominal = sample * largest / one - zero / one
        let scale = codes.map(|code| largest / f64::from(code.one));
        let zero = codes.map(|code| f64::from(code.zero) / f64::from(code.one));
        let mix = match info.kind {
            Kind::Yuv => between(ColorModel::Yuv(spec.color.matrix), ColorModel::Rgb),
            Kind::Rgb | Kind::Gray => IDENTITY,
        };
        let matrix = std::array::from_fn(|i| std::array::from_fn(|j| mix[i][j] * scale[j]));
        let offset = std::array::from_fn(|i| -(0..3).map(|j| mix[i][j] * zero[j]).sum::<f64>());
        Self { matrix, offset }
    }

    /// From R'G'B' to the sink's codes.
    fn encode(spec: &VideoSpec) -> Self {
        let codes = codes(spec);
        let mix = match spec.format.info().kind {
            Kind::Rgb => IDENTITY,
            Kind::Yuv | Kind::Gray => between(ColorModel::Rgb, ColorModel::Yuv(spec.color.matrix)),
        };
        let one = |i: usize| f64::from(codes[i].one);
        Self {
            matrix: std::array::from_fn(|i| std::array::from_fn(|j| mix[i][j] * one(i))),
            offset: std::array::from_fn(|i| f64::from(codes[i].zero)),
        }
    }

    fn is_identity(&self) -> bool {
        self.matrix == IDENTITY && self.offset.iter().all(|&v| v == 0.0)
    }

    /// This of the `vec3` that `of` is.
    fn glsl(&self, of: &str) -> String {
        let column = |j: usize| {
            let [x, y, z] = std::array::from_fn(|i| self.matrix[i][j] as f32);
            format!("{x:?}, {y:?}, {z:?}")
        };
        let [x, y, z] = self.offset.map(|v| v as f32);
        format!(
            "mat3({}, {}, {}) * {of} + vec3({x:?}, {y:?}, {z:?})",
            column(0),
            column(1),
            column(2)
        )
    }
}

const IDENTITY: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Codes of the three components; gray has its one three times.
fn codes(spec: &VideoSpec) -> [Code; 3] {
    let info = spec.format.info();
    std::array::from_fn(|i| info.code(if info.kind == Kind::Gray { 0 } else { i }, &spec.color))
}

fn between(from: ColorModel, to: ColorModel) -> [[f64; 3]; 3] {
    let rows = Mix::between(from, to, Matrix::Bt709);
    std::array::from_fn(|i| match rows[i] {
        Mix::Zero => [0.0; 3],
        Mix::Copy(j) => IDENTITY[j],
        Mix::Sum(weights) => weights.map(f64::from),
    })
}
