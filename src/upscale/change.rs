//! Which blocks of a frame changed.

use std::ops::Range;

use super::format::PixelFormat;
use super::geometry::{Rect, Size};

/// Side of a block in pixels; a multiple of every subsampling factor. Codecs' deblocking leaks a few pixels into the next
/// block, so larger ones change more often.
pub const BLOCK: usize = 8;

/// How many pixels beside its block a sample of `format` reaches when it is decoded: subsampled chroma is interpolated from two
/// samples on each side, which is 3 pixels; one more keeps clear of rounding.
pub fn spread(format: PixelFormat) -> usize {
    if format.info().is_subsampled(1) { 4 } else { 0 }
}

/// Which blocks of a frame changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeMap {
    frame: Size,
    /// Blocks of a row.
    pub(super) columns: usize,
    /// Row by row.
    pub(super) blocks: Vec<bool>,
}

impl ChangeMap {
    /// Nothing changed in a `frame` (at least 1x1).
    pub fn none(frame: Size) -> Self {
        let (columns, rows) = (frame.width.div_ceil(BLOCK), frame.height.div_ceil(BLOCK));
        Self { frame, columns, blocks: vec![false; columns * rows] }
    }

    /// Everything changed.
    pub fn all(frame: Size) -> Self {
        let mut map = Self::none(frame);
        map.blocks.fill(true);
        map
    }

    /// Adds every block that `rect`, in pixels of the frame, touches; what lies outside the frame is left out.
    pub fn mark(&mut self, rect: Rect) {
        let (columns, rows) = self.touched(rect);
        for row in self.blocks.chunks_exact_mut(self.columns).take(rows.end).skip(rows.start) {
            row[columns.clone()].fill(true);
        }
    }

    /// Whether a block changed that `rect`, in pixels of the frame, touches.
    pub(super) fn touches(&self, rect: Rect) -> bool {
        let (columns, rows) = self.touched(rect);
        self.rows().take(rows.end).skip(rows.start).any(|row| row[columns.clone()].contains(&true))
    }

    /// Columns and rows of the blocks that `rect` touches.
    fn touched(&self, rect: Rect) -> (Range<usize>, Range<usize>) {
        let blocks = |start: usize, len: usize, all: usize| {
            let end = (start + len).div_ceil(BLOCK).min(all);
            (start / BLOCK).min(end)..end
        };
        let rows = self.blocks.len() / self.columns;
        (blocks(rect.x, rect.width, self.columns), blocks(rect.y, rect.height, rows))
    }

    /// The frame's size in pixels.
    pub const fn frame(&self) -> Size {
        self.frame
    }

    /// Rows of blocks from top to bottom, each from left to right.
    pub fn rows(&self) -> impl Iterator<Item = &[bool]> {
        self.blocks.chunks_exact(self.columns)
    }

    /// Whether nothing changed.
    pub fn is_empty(&self) -> bool {
        !self.blocks.contains(&true)
    }

    /// Number of blocks that changed.
    pub fn count(&self) -> usize {
        self.blocks.iter().filter(|&&changed| changed).count()
    }

    /// Number of blocks.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upscale::{
        ChromaSite, ColorModel, ColorSpec, FrameView, Matrix, Picture, Range, Siting, decode,
    };
    use proptest::prelude::*;

    fn spec(x: bool, y: bool) -> ColorSpec {
        let siting = |cosited| if cosited { Siting::Cosited } else { Siting::Centre };
        let site = ChromaSite { horizontal: siting(x), vertical: siting(y) };
        ColorSpec { matrix: Matrix::Bt709, range: Range::Limited, site }
    }

    proptest! {
        #[test]
        fn a_block_reaches_no_decoded_pixel_beyond_its_spread(
            format in prop::sample::select(vec![PixelFormat::I420, PixelFormat::Y42b, PixelFormat::Y444]),
            (w, h) in (1usize..60, 1usize..60), at in any::<(u16, u16)>(), site in any::<(bool, bool)>(),
        ) {
            let size = Size::new(w, h);
            let blocks = (w.div_ceil(BLOCK), h.div_ceil(BLOCK));
            let (bx, by) = (usize::from(at.0) % blocks.0, usize::from(at.1) % blocks.1);
            let share = format.plane_size(1, Size::new(BLOCK, BLOCK));
            let decoded = |value: u8| {
                let planes: Vec<Vec<u8>> = (0..3).map(|p| {
                    let plane = format.plane_size(p, size);
                    let share = if p == 0 { Size::new(BLOCK, BLOCK) } else { share };
                    let inside = |i: usize| i % plane.width / share.width == bx && i / plane.width / share.height == by;
                    (0..plane.area()).map(|i| if inside(i) { value } else { 100 }).collect()
                }).collect();
                let strides: Vec<_> = (0..3).map(|p| format.row_bytes(p, size)).collect();
                let planes: Vec<_> = planes.iter().map(Vec::as_slice).collect();
                let frame = FrameView::new(format, size, &planes, &strides).unwrap();
                let mut picture = Picture::new(ColorModel::Rgb, size);
                decode(&frame, &spec(site.0, site.1), &mut picture);
                picture
            };
            let (before, after) = (decoded(100), decoded(200));
            let reaches = |block: usize, x: usize| {
                x + spread(format) >= block * BLOCK && x < (block + 1) * BLOCK + spread(format)
            };
            for (a, b) in before.planes.iter().zip(&after.planes) {
                for (i, (a, b)) in a.samples().iter().zip(b.samples()).enumerate() {
                    let (x, y) = (i % w, i / w);
                    prop_assert!(a == b || reaches(bx, x) && reaches(by, y), "block {bx},{by} reaches {x},{y}");
                }
            }
        }

        #[test]
        fn marking_adds_the_blocks_that_a_rectangle_touches(
            (w, h) in (1usize..90, 1usize..90), (x, y) in (0usize..100, 0usize..100), (rw, rh) in (1usize..50, 1usize..50),
        ) {
            let mut map = ChangeMap::none(Size::new(w, h));
            map.mark(Rect::new(x, y, rw, rh));
            let touches = |b: usize, start: usize, len: usize| b * BLOCK < start + len && (b + 1) * BLOCK > start;
            for (by, row) in map.rows().enumerate() {
                for (bx, &marked) in row.iter().enumerate() {
                    prop_assert_eq!(marked, touches(bx, x, rw) && touches(by, y, rh));
                }
            }
        }
    }
}
