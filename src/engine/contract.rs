//! What a network asks for and gives. Pure.

use serde::{Deserialize, Serialize};

use crate::upscale::{Element, Layout, Ratio, Size};

/// A network's input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The tensor's name in the graph.
    pub name: String,
    /// Order of its dimensions.
    pub layout: Layout,
    /// Type of its elements.
    pub element: Element,
    /// 1, 3 or 4.
    pub channels: usize,
    /// Fixed batch, or `None` where the graph takes any.
    pub batch: Option<usize>,
    /// Fixed rows, or `None`.
    pub height: Option<usize>,
    /// Fixed columns, or `None`.
    pub width: Option<usize>,
}

impl Port {
    /// The size that the graph fixes on both axes.
    pub fn size(&self) -> Option<Size> {
        self.width.zip(self.height).map(|(width, height)| Size::new(width, height))
    }
}

/// What the number for white is, and for black.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueRange {
    /// Black 0, white 1.
    #[default]
    Unit,
    /// Black -1, white 1.
    Signed,
    /// Black 0, white 255.
    Byte,
}

impl ValueRange {
    /// Factor and offset that take a sample in 0..1 to this range: `v * factor + offset`.
    pub const fn from_unit(self) -> (f32, f32) {
        match self {
            Self::Unit => (1.0, 0.0),
            Self::Signed => (2.0, -1.0),
            Self::Byte => (255.0, 0.0),
        }
    }

    /// Factor and offset that take a sample of this range to 0..1: `v * factor + offset`.
    pub const fn to_unit(self) -> (f32, f32) {
        match self {
            Self::Unit => (1.0, 0.0),
            Self::Signed => (0.5, 0.5),
            Self::Byte => (1.0 / 255.0, 0.0),
        }
    }
}

/// How far an output pixel looks, in input pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Halo {
    /// Beyond this radius nothing counts (but kernels that round by place may change last bits).
    Exact(usize),
    /// Beyond this radius nothing changes by half a code of 255 (measured); the exact radius is larger.
    Measured(usize),
    /// It never closes: the network looks at the whole frame (global pooling, attention).
    Open,
}

impl Halo {
    /// Context to put around a tile: the radius, or 32 px where it never closes.
    pub const fn px(self) -> usize {
        match self {
            Self::Exact(px) | Self::Measured(px) => px,
            Self::Open => 32,
        }
    }

    /// Whether tiles with this much context agree with the whole frame: bit for bit, unless the engine's kernels round by
    /// place.
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Exact(_))
    }
}

/// Everything about a network that tiling and conversion depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Its one input.
    pub input: Port,
    /// Its one output.
    pub output: Port,
    /// Output pixels per input pixel, alike for both axes.
    pub scale: Ratio,
    /// Value range of input and output.
    pub range: ValueRange,
    /// Width and height must be multiples of this.
    pub alignment: usize,
    /// Smallest width and height.
    pub min_size: usize,
    /// Receptive radius.
    pub halo: Halo,
    /// Memory that a run needs at its peak, in bytes per input pixel (estimate from the graph).
    pub bytes_per_px: usize,
}

#[cfg(test)]
pub(crate) mod testing {
    use super::*;

    /// A plain network of three channels and an exact halo of 8 px; of a fixed size, if one is given.
    pub fn contract(fixed: Option<usize>) -> Contract {
        let port = Port {
            name: "x".into(),
            layout: Layout::Nchw,
            element: Element::F32,
            channels: 3,
            batch: None,
            height: fixed,
            width: fixed,
        };
        Contract {
            input: port.clone(),
            output: port,
            scale: Ratio::ONE,
            range: ValueRange::Unit,
            alignment: 1,
            min_size: 1,
            halo: Halo::Exact(8),
            bytes_per_px: 24,
        }
    }
}
