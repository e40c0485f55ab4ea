//! Tensors in the network's own layout and element type.

use half::f16;

/// Logical shape of a picture tensor, whatever its layout in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Tiles in the batch.
    pub batch: usize,
    /// 1 (luma), 3 (RGB) or 4 (RGBA).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// Number of elements.
    pub const fn elements(self) -> usize {
        self.batch * self.channels * self.height * self.width
    }

    /// The four dimensions in the order of `layout`.
    pub const fn dims(self, layout: Layout) -> [usize; 4] {
        match layout {
            Layout::Nchw => [self.batch, self.channels, self.height, self.width],
            Layout::Nhwc => [self.batch, self.height, self.width, self.channels],
        }
    }

    /// The shape whose dimensions in the order of `layout` are `dims`.
    pub const fn from_dims(dims: [usize; 4], layout: Layout) -> Self {
        let [batch, a, b, c] = dims;
        match layout {
            Layout::Nchw => Self { batch, channels: a, height: b, width: c },
            Layout::Nhwc => Self { batch, channels: c, height: a, width: b },
        }
    }
}

/// Order of a tensor's dimensions in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// Batch, channels, rows, columns.
    #[default]
    Nchw,
    /// Batch, rows, columns, channels.
    Nhwc,
}

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Element {
    /// 32-bit float.
    #[default]
    F32,
    /// 16-bit float.
    F16,
    /// Unsigned byte.
    U8,
}

impl Element {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
            Self::U8 => 1,
        }
    }
}

/// A tensor's elements.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// 32-bit floats.
    F32(Vec<f32>),
    /// 16-bit floats.
    F16(Vec<f16>),
    /// Unsigned bytes.
    U8(Vec<u8>),
}

/// A dense tensor of pictures, in the layout and element type that a network asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    /// Logical shape.
    pub shape: Shape,
    /// Order in memory.
    pub layout: Layout,
    /// `shape.elements()` values in that order.
    pub samples: Samples,
}

impl Tensor {
    /// A tensor of zeros.
    pub fn zeros(shape: Shape, layout: Layout, element: Element) -> Self {
        let n = shape.elements();
        let samples = match element {
            Element::F32 => Samples::F32(vec![0.0; n]),
            Element::F16 => Samples::F16(vec![f16::ZERO; n]),
            Element::U8 => Samples::U8(vec![0; n]),
        };
        Self { shape, layout, samples }
    }

    /// The type of its elements.
    pub const fn element(&self) -> Element {
        match self.samples {
            Samples::F32(_) => Element::F32,
            Samples::F16(_) => Element::F16,
            Samples::U8(_) => Element::U8,
        }
    }

    /// Whether it has as many elements as its shape says.
    pub fn is_whole(&self) -> bool {
        let len = match &self.samples {
            Samples::F32(s) => s.len(),
            Samples::F16(s) => s.len(),
            Samples::U8(s) => s.len(),
        };
        len == self.shape.elements()
    }

    /// Its dimensions in memory order.
    pub const fn dims(&self) -> [usize; 4] {
        self.shape.dims(self.layout)
    }
}
