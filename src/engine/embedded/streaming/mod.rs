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
use super::super::{Cancel, EngineError, Precision, failure};
use crate::smallnet::{Net, NotSmall};
use crate::upscale::{Rect, Size};
use flow::{Flow, Scratch};
use plan::Plan;

pub(super) use engine::TensorEngine;
pub(super) use kernel::Kernels;

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

/// The fastest kernels of this processor for `precision`, or those of the name given; `None` where it has none.
pub(super) fn choose(precision: Precision, name: Option<&str>) -> Option<Kernels> {
    let is_it = |k: &Kernels| k.precision == precision && name.is_none_or(|name| name == k.nick);
    available().into_iter().find(is_it)
}

/// All kernels that this processor can run, the fastest first.
fn available() -> Vec<Kernels> {
    let mut all = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let has_512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        if has_512 && is_x86_feature_detected!("avx512bf16") {
            all.push(x86::avx512_bf16::KERNELS);
        }
        if has_512 {
            all.push(x86::avx512::KERNELS);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            all.push(x86::avx2::KERNELS);
        }
    }
    #[cfg(target_arch = "aarch64")]
    all.push(neon::neon::KERNELS);
    all.push(plain::KERNELS);
    all
}

impl Streaming {
    /// Makes `net` ready for `kernels`.
    ///
    /// # Errors
    /// [`NotSmall`] where the kernels cannot run it after all.
    pub fn new(net: Net, kernels: Kernels) -> Result<Self, NotSmall> {
        Self::check(&net)?;
        let plan = Plan::new(net, &kernels)?;
        let margin = plan.features[0].margin;
        // Whole tiles of 64 pixels for the widest layer.
        let width = (WORKING_SET / (4 * plan.planes)).clamp(128, 2048) / 64 * 64;
        let panel = width.saturating_sub(2 * margin).max(64);
        Ok(Self { plan, kernels, panel, scratch: Mutex::new(Vec::new()) })
    }

    /// Whether `net` is small enough.
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
        Ok(())
    }

    /// Whether its kernels are for processors that have nothing better.
    pub fn is_plain(&self) -> bool {
        self.kernels.nick == "plain"
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
