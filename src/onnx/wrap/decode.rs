//! From samples to what the network is given.

use rten_onnx::onnx::DataType;

use super::super::build::{Builder, int, text};
use super::filters::{self, Matrix};
use super::{PlanePort, Wrap};
use crate::upscale::color::Mix;
use crate::upscale::format::{FormatInfo, Kind};
use crate::upscale::{ColorModel, Element};

/// What comes of a tile.
pub(super) struct Decoded {
    /// The network's input, as it wants it.
    pub network: String,
    /// Cb and Cr at full size, beside a network of luma.
    pub chroma: Option<String>,
}

pub(super) fn decode(b: &mut Builder, how: &Wrap, ports: &[PlanePort]) -> Decoded {
    let model = how.model();
    let info = how.input.format.info();
    let planes: Vec<_> =
        ports.iter().enumerate().map(|(i, port)| samples(b, i, port, info)).collect();
    let mixes = Mix::between(info.model(&how.input.color), model, how.input.color.matrix);
    let (picture, chroma) = match info.kind {
        Kind::Yuv => from_yuv(b, how, &planes, model, &mixes),
        Kind::Rgb => from_rgb(b, how, &planes, model, &mixes),
        Kind::Gray => {
            let luma = normal(b, how, 0, &planes[0]);
            let picture =
                if model == ColorModel::Rgb { b.concat(&[luma.as_str(); 3]) } else { luma };
            (picture, None)
        }
    };
    Decoded { network: present(b, how, picture), chroma }
}

/// The codes of a plane, as floats: batch, samples side by side, rows, columns.
fn samples(b: &mut Builder, plane: usize, port: &PlanePort, info: &FormatInfo) -> String {
    let mut codes = b.cast(&port.name, DataType::FLOAT);
    if info.step(plane) > 1 {
        codes = b.transpose(&codes, &[0, 3, 1, 2]);
    }
    if info.shift == 0 {
        return codes;
    }
    let shifted = b.with("Mul", &codes, 1.0 / (1u32 << info.shift) as f32);
    b.node("Floor", &[&shifted], vec![])
}

/// Codes of component `c` (and of those that have the same) in their nominal range.
fn normal(b: &mut Builder, how: &Wrap, c: usize, codes: &str) -> String {
    let code = how.input.format.info().code(c, &how.input.color);
    let centred = b.with("Sub", codes, code.zero);
    b.with("Div", &centred, code.one)
}

fn from_yuv(
    b: &mut Builder,
    how: &Wrap,
    planes: &[String],
    model: ColorModel,
    mixes: &[Mix; 3],
) -> (String, Option<String>) {
    let info = how.input.format.info();
    let [_, cb, cr] = info.components else { return (planes[0].clone(), None) };
    let luma = normal(b, how, 0, &planes[0]);
    // Where both lie in one plane, they are taken in the order in which they lie there.
    let is_swapped = cb.plane == cr.plane && cb.offset > cr.offset;
    let codes = match cb.plane == cr.plane {
        true => planes[cb.plane].clone(),
        false => b.concat(&[&planes[cb.plane], &planes[cr.plane]]),
    };
    let chroma = normal(b, how, 1, &codes);
    let ordered = |[cb, cr]: [f32; 2]| if is_swapped { vec![cr, cb] } else { vec![cb, cr] };
    let matrix: Matrix = match model {
        ColorModel::Rgb => {
            mixes.iter().map(|mix| ordered([share(mix, 1), share(mix, 2)])).collect()
        }
        _ => vec![ordered([1.0, 0.0]), ordered([0.0, 1.0])],
    };
    let conv = filters::doubling(info.subsampling, how.input.color.site, &matrix);
    let phases = b.conv(&chroma, &conv);
    let full = unfold(b, how, &phases, info.subsampling, matrix.len());
    match model {
        // Luma weighs 1 in R', G' and B'.
        ColorModel::Rgb => (b.node("Add", &[&full, &luma], vec![]), None),
        _ => (luma, Some(full)),
    }
}

/// Puts the phases of each channel in place.
fn unfold(
    b: &mut Builder,
    how: &Wrap,
    phases: &str,
    subsampling: (u32, u32),
    channels: usize,
) -> String {
    match subsampling {
        (0, 0) => phases.into(),
        (1, 1) => depth_to_space(b, phases, 2),
        (x, y) => {
            let (nx, ny) = (1 << x, 1 << y);
            let (width, height) = (how.tile.width, how.tile.height);
            let shape = [how.batch, channels, ny, nx, height / ny, width / nx];
            let split = b.reshape(phases, &shape);
            let woven = b.transpose(&split, &[0, 1, 4, 2, 5, 3]);
            b.reshape(&woven, &[how.batch, channels, height, width])
        }
    }
}

/// Channels to pixels: those of a channel lie next to each other, row by row.
pub(super) fn depth_to_space(b: &mut Builder, x: &str, block: usize) -> String {
    b.node("DepthToSpace", &[x], vec![int("blocksize", block as i64), text("mode", "CRD")])
}

fn from_rgb(
    b: &mut Builder,
    how: &Wrap,
    planes: &[String],
    model: ColorModel,
    mixes: &[Mix; 3],
) -> (String, Option<String>) {
    let components = how.input.format.info().components;
    let codes = if planes.len() == 1 {
        let offsets: Vec<_> = components.iter().map(|c| c.offset as i64).collect();
        let is_rgb = offsets == [0, 1, 2] && how.input.format.info().step(0) == 3;
        if is_rgb { planes[0].clone() } else { b.channels(&planes[0], &offsets) }
    } else {
        let planes: Vec<_> = components.iter().map(|c| planes[c.plane].as_str()).collect();
        b.concat(&planes)
    };
    let rgb = normal(b, how, 0, &codes);
    if model == ColorModel::Rgb {
        return (rgb, None);
    }
    let rows: Matrix = mixes.iter().map(|mix| (0..3).map(|i| share(mix, i)).collect()).collect();
    let luma = weighted(b, &rgb, &rows[0]);
    let chroma = b.conv(&rgb, &filters::mixing(&rows[1..].to_vec()));
    (luma, Some(chroma))
}

/// What component `i` weighs in `mix`.
pub(super) fn share(mix: &Mix, i: usize) -> f32 {
    match *mix {
        Mix::Zero => 0.0,
        Mix::Copy(c) => f32::from(u8::from(c == i)),
        Mix::Sum(weights) => weights[i],
    }
}

/// The weighted sum of the channels of `x`, which no device rounds as it rounds convolutions.
pub(super) fn weighted(b: &mut Builder, x: &str, weights: &[f32]) -> String {
    let weights = b.floats(&[1, weights.len(), 1, 1], weights);
    let parts = b.node("Mul", &[x, &weights], vec![]);
    b.sum(&parts)
}

/// `picture`, of planes in 0..1, in the network's own range, type and layout.
fn present(b: &mut Builder, how: &Wrap, picture: String) -> String {
    let (factor, offset) = how.contract.range.from_unit();
    let scaled = b.with("Mul", &picture, factor);
    let mut given = b.with("Add", &scaled, offset);
    if how.contract.input.element == Element::F16 {
        given = b.cast(&given, DataType::FLOAT16);
    }
    match Wrap::is_nhwc(how.contract.input.layout) {
        true => b.transpose(&given, &[0, 2, 3, 1]),
        false => given,
    }
}
