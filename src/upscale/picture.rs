//! Planes of 32-bit float: what frames are turned into, and what networks and filters work on.

use super::color::Matrix;
use super::geometry::Size;

/// One plane of samples, dense, row after row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Plane {
    size: Size,
    samples: Vec<f32>,
}

impl Plane {
    /// A plane of zeros.
    pub fn new(size: Size) -> Self {
        Self { size, samples: vec![0.0; size.area()] }
    }

    /// A plane of `value` everywhere.
    pub fn filled(size: Size, value: f32) -> Self {
        Self { size, samples: vec![value; size.area()] }
    }

    /// Its size in pixels.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// All samples, row after row.
    pub fn samples(&self) -> &[f32] {
        &self.samples
    }

    /// All samples, row after row.
    pub fn samples_mut(&mut self) -> &mut [f32] {
        &mut self.samples
    }

    /// Row `y`. Panics outside the plane.
    pub fn row(&self, y: usize) -> &[f32] {
        &self.samples[y * self.size.width..][..self.size.width]
    }

    /// Row `y`. Panics outside the plane.
    pub fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.samples[y * self.size.width..][..self.size.width]
    }

    /// Takes a new size; samples are kept only where nothing changes. No allocation where the plane shrinks or stays.
    pub fn resize(&mut self, size: Size) {
        if size != self.size {
            self.size = size;
            self.samples.clear();
            self.samples.resize(size.area(), 0.0);
        }
    }
}

/// What a picture's planes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColorModel {
    /// R', G', B': 0 is black, 1 is white.
    Rgb,
    /// Y' in 0..1, Cb and Cr in -0.5..0.5, by this matrix.
    Yuv(Matrix),
    /// Y' alone, 0..1.
    Luma,
}

impl ColorModel {
    /// Number of planes, alpha not counted.
    pub const fn planes(self) -> usize {
        match self {
            Self::Rgb | Self::Yuv(_) => 3,
            Self::Luma => 1,
        }
    }
}

/// A picture of float planes, all of one size. Values may lie outside their nominal range.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// What the planes are.
    pub model: ColorModel,
    /// `model.planes()` planes of one size.
    pub planes: Vec<Plane>,
    /// Straight alpha, 0..1, of the same size; `None` is opaque.
    pub alpha: Option<Plane>,
}

impl Picture {
    /// A picture of zeros without alpha.
    pub fn new(model: ColorModel, size: Size) -> Self {
        Self { model, planes: vec![Plane::new(size); model.planes()], alpha: None }
    }

    /// Its size in pixels.
    pub fn size(&self) -> Size {
        self.planes[0].size()
    }
}
