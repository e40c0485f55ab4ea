//! Tensors as pictures, one after the other.

use crate::engine::signature::Outlet;
use crate::engine::{EngineError, failure};
use crate::upscale::{Element, Layout, Samples, Shape, Size, Tensor};

/// What kernels make of a picture.
#[derive(Clone, Copy)]
pub(super) struct Upscaling {
    /// Channels of the input.
    pub channels: usize,
    /// Channels of the output.
    pub outputs: usize,
    /// Output pixels per input pixel on each axis.
    pub scale: usize,
}

/// Runs `each` on every picture of `input`: its planes, its size, and the place of its result. `outlet` is what the graph says of
/// the input.
///
/// # Errors
/// [`EngineError::Run`] where the tensor is not what the network takes, and those of `each`.
pub(super) fn run(
    Upscaling { channels, outputs, scale }: Upscaling,
    outlet: &Outlet,
    input: &Tensor,
    output: &mut Tensor,
    mut each: impl FnMut(&[f32], Size, &mut [f32]) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let (Samples::F32(samples), Layout::Nchw) = (&input.samples, input.layout) else {
        return Err(failure::run("the network takes planes of 32-bit floats"));
    };
    outlet.check(input.dims()).map_err(failure::run)?;
    if channels != input.shape.channels || !input.is_whole() || samples.is_empty() {
        return Err(failure::run(format!("the network does not take {:?}", input.shape)));
    }
    let small = Size::new(input.shape.width, input.shape.height);
    let large = Size::new(small.width * scale, small.height * scale);
    let batch = input.shape.batch;
    output.shape = Shape { batch, channels: outputs, height: large.height, width: large.width };
    if output.element() != Element::F32 {
        output.samples = Samples::F32(Vec::new());
    }
    let Samples::F32(results) = &mut output.samples else {
        return Err(failure::run("the output is not of 32-bit floats"));
    };
    results.resize(output.shape.elements(), 0.0);
    let pictures = samples.chunks_exact(channels * small.area());
    let mut results = results.chunks_exact_mut(outputs * large.area());
    pictures.zip(&mut results).try_for_each(|(picture, result)| each(picture, small, result))
}
