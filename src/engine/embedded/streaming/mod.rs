//! Kernels of our own for small networks: rows flow through all layers while they are in cache.
//!
//! ```text
//! mod.rs     Streaming: a network, the kernels chosen for this processor, and memory to run in
//!   plan.rs    weights and rings of rows, laid out for the kernels
//!   flow.rs    which row of which layer is due
//!   kernel.rs  jobs of one row, looked at before they are done
//!   tile.rs    a row of a layer: the kernel proper
//!   finish.rs  a row of the output
//!   x86.rs, neon.rs, plain.rs  for which processors they are compiled
//!   engine.rs  the same for tensors, on all cores
//! ```
//!
//! These files are the one place with `unsafe`: vector instructions and unchecked pointers, within bounds that
//! `kernel.rs` looks at once per row.

mod engine;
#[allow(unsafe_code, reason = "vector instructions")]
mod finish;
mod flow;
#[allow(unsafe_code, reason = "vector instructions")]
mod kernel;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "vector instructions")]
mod neon;
#[allow(unsafe_code, reason = "its pointers are those of the other kernels")]
mod plain;
mod plan;
#[allow(unsafe_code, reason = "vector instructions")]
mod tile;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "vector instructions")]
mod x86;

use parking_lot::Mutex;

use super::super::rows::{RowNetwork, Sink, Source};
use super::super::{Cancel, EngineError, failure};
use super::simd::Level;
use crate::smallnet::{Net, NotSmall};
use crate::upscale::{Rect, Size};
use flow::{Flow, Scratch};
use kernel::Kernels;
use plan::Plan;

pub(super) use engine::TensorEngine;

/// Most channels of a feature that is read again.
const MAX_HIDDEN: usize = 16;

/// Most channels of the last layer: x4 of RGB has 48.
const MAX_LAST: usize = 64;

/// Bytes of features that a core's own cache holds beside everything else.
const WORKING_SET: usize = 1 << 20;

/// A small network, ready to run.
pub(super) struct Streaming {
    plan: Plan,
    kernels: Kernels,
    panel: usize,
    scratch: Mutex<Vec<Scratch>>,
}

impl Kernels {
    /// Those for `level`.
    ///
    /// # Panics
    /// If this processor does not have it.
    fn of(level: Level) -> Self {
        assert!(level.is_here());
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Bf16 => x86::avx512_bf16::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::avx512::KERNELS,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::avx2::KERNELS,
            #[cfg(target_arch = "aarch64")]
            Level::Neon => neon::neon::KERNELS,
            _ => plain::KERNELS,
        }
    }
}

impl Streaming {
    /// Makes `net` ready for a processor of `level`.
    ///
    /// # Errors
    /// [`NotSmall`] as [`Streaming::check`].
    pub fn new(net: Net, level: Level) -> Result<Self, NotSmall> {
        Self::check(&net)?;
        let kernels = Kernels::of(level);
        let plan = Plan::new(net, &kernels)?;
        let margin = plan.features[0].margin;
        // Whole tiles of 64 pixels for the widest layer.
        let width = (WORKING_SET / (4 * plan.planes)).clamp(128, 2048) / 64 * 64;
        let panel = width.saturating_sub(2 * margin).max(64);
        Ok(Self { plan, kernels, panel, scratch: Mutex::new(Vec::new()) })
    }

    /// Whether `net` is small enough, and pads as rows can.
    ///
    /// # Errors
    /// [`NotSmall`] says why it is not.
    pub fn check(net: &Net) -> Result<(), NotSmall> {
        let (hidden, last) = net.layers.split_at(net.layers.len().saturating_sub(1));
        if let Some(layer) = hidden.iter().find(|layer| layer.outputs > MAX_HIDDEN) {
            let channels = layer.outputs;
            return Err(NotSmall(format!(
                "it has a layer of {channels} channels, more than {MAX_HIDDEN}"
            )));
        }
        if last.iter().any(|layer| layer.outputs > MAX_LAST) || net.tail.reduction.is_some() {
            return Err(NotSmall("its last layer is too wide, or made smaller afterwards".into()));
        }
        (0..=net.layers.len()).try_for_each(|feature| plan::edge(net, feature).map(drop))
    }

    /// Channels of the output, which may differ from those of the input.
    pub fn outputs(&self) -> usize {
        self.plan.net.outputs()
    }
}

impl RowNetwork for Streaming {
    fn run(
        &self,
        size: Size,
        part: Rect,
        source: &mut Source,
        sink: &mut Sink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let fits = |at: usize, length: usize, all: usize| {
            length > 0 && at.checked_add(length).is_some_and(|end| end <= all)
        };
        if !fits(part.x, part.width, size.width) || !fits(part.y, part.height, size.height) {
            return Err(failure::run(format!("{part:?} does not lie in a picture of {size}")));
        }
        let mut scratch = self.scratch.lock().pop().unwrap_or_default();
        let result = Flow::new(&self.plan, &self.kernels, size, part, &mut scratch)
            .run(source, sink, cancel);
        self.scratch.lock().push(scratch);
        result
    }

    fn panel_width(&self) -> usize {
        self.panel
    }

    fn halo(&self) -> usize {
        self.plan.features[0].margin
    }

    fn scale(&self) -> usize {
        self.plan.net.tail.factor
    }

    fn channels(&self) -> usize {
        self.plan.net.channels
    }
}
