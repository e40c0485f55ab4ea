//! Frames as they lie in memory: borrowed planes of integer samples.

use std::ops::Range;

use super::format::PixelFormat;
use super::geometry::Size;

/// Most planes that a format has.
const MAX_PLANES: usize = 4;

/// Why planes do not make a frame.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// No pixels.
    #[error("a frame of {0} pixels is empty")]
    Empty(Size),
    /// Too few or too many planes or strides.
    #[error("format {format} has {wanted} planes; got {planes} planes and {strides} strides")]
    Planes {
        /// The format's name.
        format: &'static str,
        /// Planes that it has.
        wanted: usize,
        /// Planes given.
        planes: usize,
        /// Strides given.
        strides: usize,
    },
    /// A stride is smaller than a row.
    #[error("plane {plane}: a stride of {stride} bytes is less than a row of {row} bytes")]
    Stride {
        /// Which plane.
        plane: usize,
        /// Its stride in bytes.
        stride: usize,
        /// Its row in bytes.
        row: usize,
    },
    /// A plane's memory ends too early.
    #[error("plane {plane}: {len} bytes where {wanted} are needed")]
    Short {
        /// Which plane.
        plane: usize,
        /// Bytes given.
        len: usize,
        /// Bytes needed.
        wanted: usize,
    },
    /// A frame is not what was announced.
    #[error("a frame of {got_size} {got_format} came where {size} {format} was announced")]
    NotAnnounced {
        /// The format that was announced.
        format: &'static str,
        /// The size that was announced.
        size: Size,
        /// The frame's format.
        got_format: &'static str,
        /// The frame's size.
        got_size: Size,
    },
    /// A picture is not of the frame's size, or its planes differ in number or size.
    #[error("a picture of {picture} pixels does not fit a frame of {frame}")]
    Picture {
        /// The picture's size.
        picture: Size,
        /// The frame's size.
        frame: Size,
    },
}

/// A frame that is read.
#[derive(Debug, Clone)]
pub struct FrameView<'a> {
    format: PixelFormat,
    size: Size,
    planes: [&'a [u8]; MAX_PLANES],
    strides: [usize; MAX_PLANES],
}

impl<'a> FrameView<'a> {
    /// A frame of `size` pixels in `planes`, whose rows start every `strides` bytes.
    ///
    /// # Errors
    /// [`FrameError`] where the size is empty, or planes and strides do not fit format and size. The last row need not
    /// be as long as its stride.
    pub fn new(
        format: PixelFormat,
        size: Size,
        planes: &[&'a [u8]],
        strides: &[usize],
    ) -> Result<Self, FrameError> {
        let lens: Vec<_> = planes.iter().map(|p| p.len()).collect();
        let strides = check(format, size, &lens, strides)?;
        let mut all: [&[u8]; MAX_PLANES] = Default::default();
        all[..planes.len()].copy_from_slice(planes);
        Ok(Self { format, size, planes: all, strides })
    }

    /// Its format.
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// Its size in pixels.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// The bytes of plane `plane`, and how many there are from row to row. Panics if there is no such plane.
    pub fn plane(&self, plane: usize) -> (&'a [u8], usize) {
        (self.planes[plane], self.strides[plane])
    }

    /// Row `y` of plane `plane`, without the padding at its end. Panics outside the plane.
    pub fn row(&self, plane: usize, y: usize) -> &'a [u8] {
        &self.planes[plane][y * self.strides[plane]..][..self.format.row_bytes(plane, self.size)]
    }
}

/// A frame that is written.
#[derive(Debug)]
pub struct FrameViewMut<'a> {
    format: PixelFormat,
    size: Size,
    planes: [&'a mut [u8]; MAX_PLANES],
    strides: [usize; MAX_PLANES],
}

impl<'a> FrameViewMut<'a> {
    /// A frame of `size` pixels in `planes`, whose rows start every `strides` bytes.
    ///
    /// # Errors
    /// As [`FrameView::new`].
    pub fn new(
        format: PixelFormat,
        size: Size,
        planes: Vec<&'a mut [u8]>,
        strides: &[usize],
    ) -> Result<Self, FrameError> {
        let lens: Vec<_> = planes.iter().map(|p| p.len()).collect();
        let strides = check(format, size, &lens, strides)?;
        let mut all: [&mut [u8]; MAX_PLANES] = Default::default();
        for (slot, plane) in all.iter_mut().zip(planes) {
            *slot = plane;
        }
        Ok(Self { format, size, planes: all, strides })
    }

    /// Its format.
    pub const fn format(&self) -> PixelFormat {
        self.format
    }

    /// Its size in pixels.
    pub const fn size(&self) -> Size {
        self.size
    }

    /// The bytes of plane `plane`, and how many there are from row to row. Panics if there is no such plane.
    pub fn plane_mut(&mut self, plane: usize) -> (&mut [u8], usize) {
        (self.planes[plane], self.strides[plane])
    }

    /// Cuts the frame into bands of `height` luma rows (a multiple of every subsampling factor; the last may be lower).
    pub fn bands(&mut self, height: usize) -> Vec<BandMut<'_>> {
        let info = self.format.info();
        let count = self.size.height.div_ceil(height);
        let band = |index| BandMut {
            rows: index * height..self.size.height.min((index + 1) * height),
            planes: Default::default(),
            strides: self.strides,
        };
        let mut bands: Vec<_> = (0..count).map(band).collect();
        for (plane, bytes) in self.planes.iter_mut().enumerate().take(info.planes) {
            let chroma = info.is_subsampled(1) && plane > 0;
            let rows = if chroma { height >> info.subsampling.1 } else { height };
            for (band, part) in
                bands.iter_mut().zip(bytes.chunks_mut(rows.saturating_mul(self.strides[plane])))
            {
                band.planes[plane] = part;
            }
        }
        bands
    }
}

/// A frame with memory of its own.
#[derive(Debug, Clone)]
pub(super) struct OwnedFrame {
    format: PixelFormat,
    size: Size,
    planes: Vec<Vec<u8>>,
}

impl OwnedFrame {
    /// A frame of zeros.
    pub(super) fn new(format: PixelFormat, size: Size) -> Self {
        let bytes = |p| format.row_bytes(p, size) * format.plane_size(p, size).height;
        let planes = (0..format.info().planes).map(|p| vec![0; bytes(p)]).collect();
        Self { format, size, planes }
    }

    /// # Errors
    /// None, as its planes are what format and size ask for.
    pub(super) fn view_mut(&mut self) -> Result<FrameViewMut<'_>, FrameError> {
        let (format, size) = (self.format, self.size);
        let strides: Vec<_> = (0..self.planes.len()).map(|p| format.row_bytes(p, size)).collect();
        FrameViewMut::new(
            format,
            size,
            self.planes.iter_mut().map(|p| &mut p[..]).collect(),
            &strides,
        )
    }
}

/// Some rows of a frame that is written.
#[derive(Debug)]
pub struct BandMut<'a> {
    rows: Range<usize>,
    planes: [&'a mut [u8]; MAX_PLANES],
    strides: [usize; MAX_PLANES],
}

impl BandMut<'_> {
    /// Its rows of pixels.
    pub fn rows(&self) -> Range<usize> {
        self.rows.clone()
    }

    /// Copies a band of the same rows from a frame of the same `format` and `size`.
    pub(super) fn copy_from(&mut self, from: &BandMut, format: PixelFormat, size: Size) {
        let info = format.info();
        for plane in 0..info.planes {
            let is_chroma = info.is_subsampled(1) && plane > 0;
            let shift = if is_chroma { info.subsampling.1 } else { 0 };
            let bytes = format.row_bytes(plane, size);
            for y in 0..self.rows.len().div_ceil(1 << shift) {
                let src = &from.planes[plane][y * from.strides[plane]..][..bytes];
                self.row(plane, y)[..bytes].copy_from_slice(src);
            }
        }
    }

    /// Row `y` of the band in plane `plane`, which may be longer than the row is wide.
    pub(super) fn row(&mut self, plane: usize, y: usize) -> &mut [u8] {
        &mut self.planes[plane][y * self.strides[plane]..]
    }
}

/// Checks planes and strides against format and size; gives the strides back in a fixed array.
fn check(
    format: PixelFormat,
    size: Size,
    lens: &[usize],
    strides: &[usize],
) -> Result<[usize; MAX_PLANES], FrameError> {
    let info = format.info();
    if size.width == 0 || size.height == 0 {
        return Err(FrameError::Empty(size));
    }
    if lens.len() != info.planes || strides.len() != info.planes {
        let (planes, strides) = (lens.len(), strides.len());
        return Err(FrameError::Planes { format: info.name, wanted: info.planes, planes, strides });
    }
    let mut all = [0; MAX_PLANES];
    for (plane, (&len, &stride)) in lens.iter().zip(strides).enumerate() {
        let row = format.row_bytes(plane, size);
        if stride < row {
            return Err(FrameError::Stride { plane, stride, row });
        }
        let rows = format.plane_size(plane, size).height;
        // Saturates where no memory could hold the plane, and is then refused.
        let wanted = stride.saturating_mul(rows - 1).saturating_add(row);
        if len < wanted {
            return Err(FrameError::Short { plane, len, wanted });
        }
        all[plane] = stride;
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_planes_are_refused() {
        let new = |w, h, lens: &[usize], strides: &[usize]| {
            let bytes = [0; 64];
            let planes: Vec<_> = lens.iter().map(|&n| &bytes[..n]).collect();
            FrameView::new(PixelFormat::Nv12, Size::new(w, h), &planes, strides).err()
        };
        assert_eq!(new(3, 3, &[9, 8], &[3, 4]), None);
        assert_eq!(new(3, 3, &[15, 12], &[6, 8]), None, "the last row ends early");
        assert_eq!(new(0, 3, &[9, 8], &[3, 4]), Some(FrameError::Empty(Size::new(0, 3))));
        let short = FrameError::Short { plane: 1, len: 7, wanted: 8 };
        assert_eq!(new(3, 3, &[9, 7], &[3, 4]), Some(short));
        let narrow = FrameError::Stride { plane: 1, stride: 3, row: 4 };
        assert_eq!(new(3, 3, &[9, 8], &[3, 3]), Some(narrow));
        assert!(matches!(new(3, 3, &[9], &[3]), Some(FrameError::Planes { wanted: 2, .. })));
        let endless = new(3, 3, &[64, 8], &[usize::MAX, 4]);
        assert!(matches!(endless, Some(FrameError::Short { plane: 0, .. })));
    }
}
