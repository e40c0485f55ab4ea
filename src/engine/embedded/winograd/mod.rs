//! Kernels of our own for chains of 3x3 convolutions of many channels, such as the compact networks of Real-ESRGAN: Winograd's
//! algorithm, with a quarter of the multiplications.
//!
//! ```text
//! mod.rs         Engine: tensors through a chain
//!   chain.rs     which networks are chains, and their weights
//!   flow.rs      a picture through all layers, a band of rows at a time, on all cores
//!   kernel.rs    a run of tiles of one layer; kinds.rs: for which processors
//!   transform.rs the algorithm's transformations
//!   tail.rs      a row of the output
//! ```
//!
//! A result may differ by rounding with the place of a tile: a tile's sixteen samples are made of thirty-six, most of which
//! cancel out again.

mod chain;
mod flow;
#[allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "vector instructions, in small loops of one form"
)]
mod kernel;
#[allow(unsafe_code, reason = "vector instructions")]
mod kinds;
mod tail;
#[allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "vector instructions, in small loops of one form"
)]
mod transform;

use super::super::signature::Outlet;
use super::super::{Cancel, Engine, EngineError, EngineInfo, Provider, failure};
use crate::smallnet::{Net, NotSmall};
use crate::upscale::{Element, Layout, Samples, Shape, Size, Tensor};
use chain::Chain;
use flow::Features;

pub(super) use chain::check;
pub(super) use kernel::Kernels;
pub(super) use kinds::choose;

/// An engine that takes planes of 32-bit floats, of any size.
pub(super) struct Winograd {
    chain: Chain,
    kernels: Kernels,
    input: Outlet,
    info: EngineInfo,
    features: Features,
}

/// What an engine with these kernels says of itself.
pub(super) fn info(kernels: &Kernels) -> EngineInfo {
    EngineInfo {
        provider: Provider::Embedded,
        runtime: format!("Kizuna Winograd kernels ({})", kernels.name),
        device: "CPU".into(),
        precision: kernels.precision,
    }
}

impl Winograd {
    /// Makes `net` ready. `input` is what the graph says of its input.
    ///
    /// # Errors
    /// [`NotSmall`] where it is no chain.
    pub fn new(net: Net, kernels: Kernels, input: Outlet) -> Result<Self, NotSmall> {
        let chain = Chain::new(net, &kernels)?;
        let info = info(&kernels);
        Ok(Self { chain, kernels, input, info, features: Features::default() })
    }
}

impl Engine for Winograd {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let Shape { channels, height, width, .. } = input.shape;
        let (Samples::F32(samples), Layout::Nchw) = (&input.samples, input.layout) else {
            return Err(failure::run("the network takes planes of 32-bit floats"));
        };
        let Self { chain, kernels, features, .. } = self;
        self.input.check(input.dims()).map_err(failure::run)?;
        if channels != chain.channels || !input.is_whole() || samples.is_empty() {
            return Err(failure::run(format!("the network does not take {:?}", input.shape)));
        }
        let (small, scale) = (Size::new(width, height), chain.scale);
        let large = Size::new(width * scale, height * scale);
        let (channels, height, width) = (chain.outputs, large.height, large.width);
        output.shape = Shape { channels, height, width, ..input.shape };
        if output.element() != Element::F32 {
            output.samples = Samples::F32(Vec::new());
        }
        let Samples::F32(results) = &mut output.samples else {
            return Err(failure::run("the output is not of 32-bit floats"));
        };
        results.resize(output.shape.elements(), 0.0);
        let pictures = samples.chunks_exact(chain.channels * small.area());
        for (picture, result) in pictures.zip(results.chunks_exact_mut(channels * large.area())) {
            let mut planes: Vec<_> = result
                .chunks_exact_mut(large.area())
                .map(|plane| plane.chunks_exact_mut(large.width * scale))
                .collect();
            let line = |_| planes.iter_mut().filter_map(Iterator::next).collect();
            let lines = (0..small.height).map(line).collect();
            flow::run(chain, kernels, features, (picture, small), lines, cancel)?;
        }
        Ok(())
    }
}
