//! Kernels of our own for chains of 3x3 convolutions of many channels, such as the compact networks of Real-ESRGAN: Winograd's
//! algorithm, with a quarter of the multiplications.
//!
//! ```text
//! mod.rs         Engine: tensors through a chain
//!   chain.rs     which networks are chains, and their weights
//!   flow.rs      a picture through all layers, a band of rows at a time, on all cores
//!   features.rs  the newest rows of each layer
//!   kernel.rs    a run of tiles of one layer; kinds.rs: for which processors
//!   transform.rs the algorithm's transformations
//!   tail.rs      a row of the output
//! ```
//!
//! A result may differ by rounding with the place of a tile: a tile's sixteen samples are made of thirty-six, most of which
//! cancel out again.

mod chain;
mod features;
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
use super::super::{Cancel, Engine, EngineError, EngineInfo};
use super::pictures::{self, Upscaling};
use super::simd::Level;
use crate::smallnet::{Net, NotSmall};
use crate::upscale::Tensor;
use chain::Chain;
use flow::Memory;
use kernel::Kernels;

pub(super) use chain::check;

/// An engine that takes planes of 32-bit floats, of any size.
pub(super) struct Winograd {
    chain: Chain,
    kernels: Kernels,
    input: Outlet,
    info: EngineInfo,
    memory: Memory,
}

impl Winograd {
    /// Makes `net` ready for a processor of `level`. `input` is what the graph says of its input.
    ///
    /// # Errors
    /// [`NotSmall`] where it is no chain.
    pub fn new(net: Net, level: Level, info: EngineInfo, input: Outlet) -> Result<Self, NotSmall> {
        let kernels = Kernels::of(level);
        let chain = Chain::new(net, &kernels)?;
        Ok(Self { chain, kernels, input, info, memory: Memory::default() })
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
        let Self { chain, kernels, memory, .. } = self;
        let Chain { channels, outputs, scale, .. } = *chain;
        let upscaling = Upscaling { channels, outputs, scale };
        pictures::run(upscaling, &self.input, input, output, |picture, size, result| {
            let mut planes: Vec<_> = result
                .chunks_exact_mut(size.area() * scale * scale)
                .map(|plane| plane.chunks_exact_mut(size.width * scale * scale))
                .collect();
            let line = |_| planes.iter_mut().filter_map(Iterator::next).collect();
            let lines = (0..size.height).map(line).collect();
            flow::run(chain, kernels, memory, (picture, size), lines, cancel)
        })
    }
}
