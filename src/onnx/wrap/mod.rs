//! Networks between raw samples of video formats.
//!
//! The inputs of a wrapped network are a tile's samples as they lie in a frame, a tensor a plane, of `uint8` or (little
//! endian) `uint16`; its outputs are those of the upscaled tile. So a frame goes to a device and comes back as the bytes that
//! it is, and all arithmetic between is the device's. Planes are inputs of their own because each is then a rectangle of the
//! frame's own memory: rows are copied, nothing is interleaved or packed.
//!
//! The arithmetic is that of [`Decoder`](crate::upscale::Decoder) and [`Encoder`](crate::upscale::Encoder): same kernels, same
//! siting, same clamping, rounding to even. It is in fp32 around a network of any precision, as 16-bit floats hold no more than
//! 11 bits. Chroma's resampling and its matrix are one convolution each way. Luma is not: a CUDA device rounds what it
//! convolves to 10 bits (TF32, unless the option `use_tf32` is 0), and in luma that would be seen.
//!
//! What tiles must be, beside what the network asks for, is [`RawTiles`](crate::upscale::raw::RawTiles)'s to know:
//! * chroma of half as many columns (or rows) begins two samples before the tile's own, and ends two behind; so the network's
//!   picture is exact to its edge, and the halo is the network's own;
//! * tiles begin at even pixels, before and after scaling;
//! * the outermost two chroma samples of the outputs are not exact: three output pixels more of context are needed.
//!
//! CUDA has kernels for all of it; `Cast` of WebGPU takes neither `uint8` nor `uint16`, so there the first and last step would
//! run on the processor (ONNX Runtime 1.31).

mod decode;
mod encode;
mod filters;

use std::sync::Arc;

use rten_onnx::onnx::{DataType, GraphProto};

use super::build::{Builder, Names, port};
use super::{RewriteError, read, write};
use crate::engine::Contract;
use crate::upscale::raw::{self, RawPlane};
use crate::upscale::video::network_model;
use crate::upscale::{ColorModel, ColorSpec, Element, Layout, PixelFormat, Size, VideoSpec};

/// The oldest operator set that the new nodes are described in.
const LEAST_OPSET: i64 = 11;

/// What is at one end of a wrapped network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Endpoint {
    /// The format of its samples.
    pub format: PixelFormat,
    /// What they mean.
    pub color: ColorSpec,
}

/// What a network is to be wrapped for.
#[derive(Debug, Clone)]
pub struct Wrap {
    /// What the network asks for and gives.
    pub contract: Arc<Contract>,
    /// Frames that come in.
    pub input: Endpoint,
    /// Frames that go out.
    pub output: Endpoint,
    /// Tiles at a time.
    pub batch: usize,
    /// The tile that the network itself is given.
    pub tile: Size,
}

/// An input or output of a wrapped network: one plane of a tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanePort {
    /// The tensor's name.
    pub name: String,
    /// Its dimensions: batch, 1, rows, columns; or batch, rows, columns, samples that lie side by side.
    pub dims: [usize; 4],
    /// Bytes of a sample: 1 is `uint8`, 2 is `uint16`.
    pub sample_bytes: usize,
}

/// A network between raw samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrapped {
    /// The ONNX file.
    pub bytes: Arc<[u8]>,
    /// Planes that come in.
    pub inputs: Vec<PlanePort>,
    /// Planes that go out.
    pub outputs: Vec<PlanePort>,
    /// One more output: a single `float`, which is finite where all that the network gave is.
    pub finite: String,
}

/// Wraps the network of `bytes`, an ONNX file in fp32 or fp16.
///
/// # Errors
/// [`RewriteError`]; [`RewriteError::Unfit`] where alpha, bytes as floats or sizes are asked for that only pictures can have.
pub fn wrap(bytes: &[u8], how: &Wrap) -> Result<Wrapped, RewriteError> {
    how.check()?;
    let (model, mut graph, opset) = read(bytes, LEAST_OPSET)?;
    let mut builder = Builder::new(Names::of(&graph), opset, "kizuna");
    let inputs = how.ports(&mut builder, "in", how.input.format, raw::input_planes, how.tile);
    let decoded = decode::decode(&mut builder, how, &inputs);
    let given = how.contract.input.name.clone();
    builder.named("Identity", &[&decoded.network], &given, vec![]);
    let before = std::mem::take(&mut builder.nodes);

    let outputs =
        how.ports(&mut builder, "out", how.output.format, raw::output_planes, how.scaled()?);
    let finite = encode::encode(&mut builder, how, decoded.chroma.as_deref(), &outputs)?;

    let has = |ports: &[rten_onnx::onnx::ValueInfoProto], name: &str| {
        ports.iter().any(|port| port.name.as_deref() == Some(name))
    };
    let GraphProto { node, input, output, initializer, .. } = &mut graph;
    if !has(input, &given) || !has(output, &how.contract.output.name) {
        return Err(unfit("the contract is another network's: it names other inputs and outputs"));
    }
    input.retain(|port| port.name.as_deref() != Some(&given));
    let typed = |plane: &PlanePort| {
        let kind = if plane.sample_bytes == 1 { DataType::UINT8 } else { DataType::UINT16 };
        port(&plane.name, kind, &plane.dims)
    };
    input.splice(0..0, inputs.iter().map(typed));
    *output = outputs.iter().map(typed).collect();
    output.push(port(&finite, DataType::FLOAT, &[1; 4]));
    node.splice(0..0, before);
    node.append(&mut builder.nodes);
    initializer.append(&mut builder.constants);
    Ok(Wrapped { bytes: write(model, graph)?, inputs, outputs, finite })
}

fn unfit(cause: impl Into<String>) -> RewriteError {
    RewriteError::Unfit(cause.into())
}

impl Wrap {
    fn check(&self) -> Result<(), RewriteError> {
        let Contract { input, output, .. } = &*self.contract;
        for format in [self.input.format, self.output.format] {
            if format.info().alpha.is_some() {
                return Err(unfit(format!("{} has alpha, which is scaled apart", format.name())));
            }
        }
        if [input.element, output.element].contains(&Element::U8) {
            return Err(unfit("the network computes with bytes"));
        }
        if input.channels != output.channels || !matches!(input.channels, 1 | 3) {
            return Err(unfit(format!(
                "the network takes {} channels and gives {}; luma and RGB are wrapped",
                input.channels, output.channels
            )));
        }
        let Size { width, height } = self.tile;
        let fits = |fixed: Option<usize>, n: usize| n > 0 && fixed.is_none_or(|fixed| fixed == n);
        if !fits(input.width, width)
            || !fits(input.height, height)
            || !fits(input.batch, self.batch)
        {
            return Err(unfit(format!(
                "the network does not take {} tiles of {}",
                self.batch, self.tile
            )));
        }
        for (size, format) in [(self.tile, self.input.format), (self.scaled()?, self.output.format)]
        {
            let (x, y) = format.info().subsampling;
            if !size.width.is_multiple_of(1 << x) || !size.height.is_multiple_of(1 << y) {
                return Err(unfit(format!("{} has no tiles of {size}", format.name())));
            }
        }
        Ok(())
    }

    /// The upscaled tile.
    fn scaled(&self) -> Result<Size, RewriteError> {
        let scale = self.contract.scale;
        let (width, height) = (scale.exactly(self.tile.width), scale.exactly(self.tile.height));
        let size = width.zip(height).map(|(width, height)| Size::new(width, height));
        size.ok_or_else(|| unfit(format!("{} pixels scaled by {scale} are not whole", self.tile)))
    }

    /// What the network's channels are, with those that it does not see.
    fn model(&self) -> ColorModel {
        let Endpoint { format, color } = self.input;
        network_model(self.contract.input.channels, &VideoSpec { format, size: self.tile, color })
    }

    fn ports(
        &self,
        builder: &mut Builder,
        title: &str,
        format: PixelFormat,
        planes: impl FnOnce(PixelFormat, Size) -> Vec<RawPlane>,
        size: Size,
    ) -> Vec<PlanePort> {
        let port = |(i, plane): (usize, RawPlane)| {
            let Size { width, height } = plane.size;
            let dims = match plane.step {
                1 => [self.batch, 1, height, width],
                step => [self.batch, height, width, step],
            };
            let name = builder.fresh(&format!("{title}{i}"));
            PlanePort { name, dims, sample_bytes: plane.sample_bytes }
        };
        planes(format, size).into_iter().enumerate().map(port).collect()
    }

    const fn is_nhwc(layout: Layout) -> bool {
        matches!(layout, Layout::Nhwc)
    }
}
