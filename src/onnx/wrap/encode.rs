//! From what the network gives to samples.

use rten_onnx::onnx::DataType;

use super::super::RewriteError;
use super::super::build::{Builder, int, text};
use super::decode::{depth_to_space, share, weighted};
use super::filters::{self, Matrix};
use super::{PlanePort, Wrap, unfit};
use crate::upscale::color::{Mix, Range};
use crate::upscale::format::{Component, Kind};
use crate::upscale::kernels::Limits;
use crate::upscale::{ColorModel, Element};

/// What the samples are made of.
struct Source {
    /// Batch, channels, rows, columns: the components of a colour model.
    planes: String,
    channels: usize,
    mixes: [Mix; 3],
}

/// Adds what makes `ports` of the network's output and, beside a network of luma, `chroma` at the tile's size. Returns the
/// name of the number that is finite where the network's output is.
pub(super) fn encode(
    b: &mut Builder,
    how: &Wrap,
    chroma: Option<&str>,
    ports: &[PlanePort],
) -> Result<String, RewriteError> {
    let mut given = how.contract.output.name.clone();
    if how.contract.output.element == Element::F16 {
        given = b.cast(&given, DataType::FLOAT);
    }
    // Not the sum: where a provider makes fp16 of all of this, that of a large picture passes its largest number.
    let finite = b.mean(&given);
    let source = source(b, how, given, chroma)?;
    let info = how.output.format.info();
    let mut halved = None;
    for (index, port) in ports.iter().enumerate() {
        let mut own: Vec<(usize, &Component)> =
            info.components.iter().enumerate().filter(|(_, c)| c.plane == index).collect();
        own.sort_by_key(|(_, component)| component.offset);
        let order: Vec<usize> = own.iter().map(|(c, _)| *c).collect();
        let values = match order[..] {
            [c] if info.is_subsampled(c) => {
                let both = match &halved {
                    Some(both) => both,
                    None => &*halved.insert(source.halved(b, how, &[1, 2])),
                };
                let both = both.clone();
                b.channels(&both, &[c as i64 - 1])
            }
            [c, _] if info.is_subsampled(c) => source.halved(b, how, &order),
            _ => source.full(b, &order),
        };
        write(b, how, (index, &order), values, port);
    }
    Ok(finite)
}

/// The network's output in 0..1, and chroma scaled as far beside it.
fn source(
    b: &mut Builder,
    how: &Wrap,
    given: String,
    chroma: Option<&str>,
) -> Result<Source, RewriteError> {
    let (info, model) = (how.output.format.info(), how.model());
    let planar = match Wrap::is_nhwc(how.contract.output.layout) {
        true => b.transpose(&given, &[0, 3, 1, 2]),
        false => given,
    };
    let (factor, offset) = how.contract.range.to_unit();
    let scaled = b.with("Mul", &planar, factor);
    let mut planes = b.with("Add", &scaled, offset);
    let mut channels = how.contract.output.channels;
    if model == ColorModel::Rgb {
        planes = b.clip(&planes, 0.0, 1.0);
    } else if info.kind != Kind::Gray {
        let chroma = chroma.ok_or_else(|| {
            unfit(format!("a network of luma makes no {} of grey", how.output.format.name()))
        })?;
        let scale = how.contract.scale;
        if scale.den() != 1 {
            return Err(unfit(format!("chroma is not scaled by {scale}")));
        }
        let phases = b.conv(chroma, &filters::enlarging(scale.num()));
        let chroma =
            if scale.num() == 1 { phases } else { depth_to_space(b, &phases, scale.num()) };
        planes = b.concat(&[&planes, &chroma]);
        channels = 3;
    }
    let color = &how.output.color;
    let mixes = Mix::between(model, info.model(color), color.matrix);
    Ok(Source { planes, channels, mixes })
}

impl Source {
    /// The components `order` at full size.
    fn full(&self, b: &mut Builder, order: &[usize]) -> String {
        let copied: Option<Vec<i64>> = order
            .iter()
            .map(|&c| match self.mixes[c] {
                Mix::Copy(plane) => Some(plane as i64),
                _ => None,
            })
            .collect();
        match copied {
            Some(planes) if planes.iter().copied().eq(0..self.channels as i64) => {
                self.planes.clone()
            }
            Some(planes) => b.channels(&self.planes, &planes),
            None => {
                let parts: Vec<_> =
                    order.iter().map(|&c| weighted(b, &self.planes, &self.row(c))).collect();
                let parts: Vec<_> = parts.iter().map(String::as_str).collect();
                b.concat(&parts)
            }
        }
    }

    /// The components `order`, which are chroma, at their own size.
    fn halved(&self, b: &mut Builder, how: &Wrap, order: &[usize]) -> String {
        let matrix: Matrix = order.iter().map(|&c| self.row(c)).collect();
        let subsampling = how.output.format.info().subsampling;
        b.conv(&self.planes, &filters::halving(subsampling, how.output.color.site, &matrix))
    }

    fn row(&self, c: usize) -> Vec<f32> {
        (0..self.channels).map(|i| share(&self.mixes[c], i)).collect()
    }
}

/// Rounds `values`, the components `order`, to the codes of plane `index`.
fn write(
    b: &mut Builder,
    how: &Wrap,
    (index, order): (usize, &[usize]),
    values: String,
    port: &PlanePort,
) {
    let info = how.output.format.info();
    let first = order.first().copied().unwrap_or_default();
    // All that lies in a plane has the same codes.
    let code = info.code(first, &how.output.color);
    let (low, high) = Limits::new(code, info.kind != Kind::Yuv || first == 0).bounds();
    let scaled = b.with("Mul", &values, code.one);
    let mut codes = b.with("Add", &scaled, code.zero);
    codes = b.clip(&codes, low, high);
    codes = b.node("Round", &[&codes], vec![]);
    codes = b.with("Mul", &codes, (1u32 << info.shift) as f32);
    if let Some(padding) = info.padding {
        let (before, after) = if padding.offset == 0 { (1, 0) } else { (0, 1) };
        let pads = b.ints(&[0, before, 0, 0, 0, after, 0, 0]);
        let opaque = b.floats(&[], &[Range::Full.luma(info.depth).max]);
        codes = b.node("Pad", &[&codes, &pads, &opaque], vec![text("mode", "constant")]);
    }
    if info.step(index) > 1 {
        codes = b.transpose(&codes, &[0, 2, 3, 1]);
    }
    let kind = if port.sample_bytes == 1 { DataType::UINT8 } else { DataType::UINT16 };
    b.named("Cast", &[&codes], &port.name, vec![int("to", kind.0.into())]);
}
