//! The picture that the kept output was made from, and what has changed since.
//!
//! A [`Reference`] is a copy of that picture, as bytes. A new frame is compared with it in blocks of 8x8 pixels, in all planes
//! at once ([`Reference::compare`]), and the blocks that differ are copied into it ([`Reference::take`]). The network is then
//! given the *reference*, not the frame: whatever was kept of the output was made from exactly these samples, so errors never
//! add up, and the picture that is shown is what the network makes of one that nowhere differs from the frame by more than
//! the tolerance. At tolerance 0 it is the frame.
//!
//! For each frame: `compare` → [`super::cover::Cover::work`] → `take` → decode [`Reference::frame`] → infer. Where the work is the
//! whole frame, take all of it: what is inferred anew need not differ at all.

use rayon::prelude::*;

use super::change::ChangeMap;
use super::compare::{Share, compare_row};
use super::format::PixelFormat;
use super::frame::{FrameError, FrameView};
use super::geometry::Size;

/// The picture that the kept output was made from.
#[derive(Debug, Clone)]
pub struct Reference {
    format: PixelFormat,
    size: Size,
    /// Rows without padding; empty where there is no picture.
    planes: Vec<Vec<u8>>,
}

impl Reference {
    /// No picture yet, for frames of `size` pixels (at least 1x1).
    pub const fn new(format: PixelFormat, size: Size) -> Self {
        Self { format, size, planes: Vec::new() }
    }

    /// Forgets the picture: with a discontinuity, or when the output made from it is lost. Everything has changed then.
    pub fn reset(&mut self) {
        self.planes.clear();
    }

    /// The picture as a frame.
    ///
    /// # Errors
    /// [`FrameError::Planes`] where there is none.
    pub fn frame(&self) -> Result<FrameView<'_>, FrameError> {
        let planes: Vec<&[u8]> = self.planes.iter().map(Vec::as_slice).collect();
        let strides: Vec<_> =
            (0..planes.len()).map(|p| self.format.row_bytes(p, self.size)).collect();
        FrameView::new(self.format, self.size, &planes, &strides)
    }

    /// The blocks of `frame` in which a sample differs by more than `tolerance` codes of 255 (of 4 times as many in 10 bits,
    /// and so on). Everything where there is no picture or `frame` is of another kind.
    ///
    /// Samples that mean nothing (the x of RGBx, bits below the significant ones) are not compared.
    pub fn compare(&self, frame: &FrameView, tolerance: u8) -> ChangeMap {
        let mut map = ChangeMap::none(frame.size());
        match self.frame() {
            Ok(old) if self.is_of_kind(frame) => {
                let compare = match self.format.info().sample_bytes {
                    1 => compare_row::<u8>,
                    _ => compare_row::<u16>,
                };
                let rows = map.blocks.par_chunks_exact_mut(map.columns).enumerate();
                rows.for_each(|(y, changed)| compare(&old, frame, tolerance, y, changed));
            }
            _ => map.blocks.fill(true),
        }
        map
    }

    /// Copies the blocks of `map` from `frame`; all of them where there is no picture yet or `frame` is of another kind.
    pub fn take(&mut self, frame: &FrameView, map: &ChangeMap) {
        let everything;
        let mut map = map;
        if self.planes.is_empty() || !self.is_of_kind(frame) || map.frame() != frame.size() {
            (self.format, self.size) = (frame.format(), frame.size());
            everything = ChangeMap::all(self.size);
            map = &everything;
        }
        let (format, size) = (self.format, self.size);
        self.planes.resize_with(format.info().planes, Vec::new);
        for (plane, bytes) in self.planes.iter_mut().enumerate() {
            let (share, row_bytes) = (Share::new(format, plane), format.row_bytes(plane, size));
            bytes.resize(row_bytes * format.plane_size(plane, size).height, 0);
            bytes.par_chunks_mut(share.rows * row_bytes).enumerate().for_each(|(y, band)| {
                let changed = &map.blocks[y * map.columns..][..map.columns];
                for (i, row) in band.chunks_exact_mut(row_bytes).enumerate() {
                    copy_blocks(changed, share.bytes, frame.row(plane, y * share.rows + i), row);
                }
            });
        }
    }

    fn is_of_kind(&self, frame: &FrameView) -> bool {
        (self.format, self.size) == (frame.format(), frame.size())
    }
}

/// Copies the parts of `bytes` each that are marked in `changed` from one row to another.
fn copy_blocks(changed: &[bool], bytes: usize, from: &[u8], to: &mut [u8]) {
    let mut start = 0;
    for run in changed.chunk_by(|a, b| a == b) {
        let end = (start + run.len() * bytes).min(to.len());
        if run[0] {
            to[start..end].copy_from_slice(&from[start..end]);
        }
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upscale::change::BLOCK;
    use proptest::prelude::*;

    /// A frame that owns its planes, rows padded by 3 bytes.
    #[derive(Clone)]
    struct Frame {
        format: PixelFormat,
        size: Size,
        planes: Vec<Vec<u8>>,
    }

    impl Frame {
        fn random(format: PixelFormat, size: Size, seed: &mut u32) -> Self {
            let planes = (0..format.info().planes).map(|p| {
                let bytes = (format.row_bytes(p, size) + 3) * format.plane_size(p, size).height;
                (0..bytes).map(|_| random(seed) as u8).collect()
            });
            Self { format, size, planes: planes.collect() }
        }

        fn view(&self) -> FrameView<'_> {
            let planes: Vec<_> = self.planes.iter().map(Vec::as_slice).collect();
            let strides: Vec<_> =
                (0..planes.len()).map(|p| self.format.row_bytes(p, self.size) + 3).collect();
            FrameView::new(self.format, self.size, &planes, &strides).unwrap()
        }

        /// Changes about one byte in `rarity`, by at most `by`.
        fn disturb(&mut self, rarity: u32, by: u8, seed: &mut u32) {
            for v in self.planes.iter_mut().flatten() {
                if random(seed).is_multiple_of(rarity) {
                    *v = v
                        .wrapping_add((random(seed) % (2 * u32::from(by) + 1)) as u8)
                        .wrapping_sub(by);
                }
            }
        }
    }

    fn random(seed: &mut u32) -> u32 {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *seed >> 16
    }

    /// Every sample that means something: its block's column and row, and its code.
    fn samples(frame: &FrameView) -> Vec<(usize, usize, u16)> {
        let info = frame.format().info();
        let mut all = Vec::new();
        for (i, c) in info.components.iter().chain(&info.alpha).enumerate() {
            let size = info.component_size(i, frame.size());
            let (sx, sy) = if info.is_subsampled(i) { info.subsampling } else { (0, 0) };
            for y in 0..size.height {
                let row = frame.row(c.plane, y);
                for x in 0..size.width {
                    let at = (x * c.step + c.offset) * info.sample_bytes;
                    let high = if info.sample_bytes == 2 { row[at + 1] } else { 0 };
                    let code = u16::from_le_bytes([row[at], high]) >> info.shift;
                    all.push(((x << sx) / BLOCK, (y << sy) / BLOCK, code));
                }
            }
        }
        all
    }

    proptest! {
        #[test]
        fn comparing_is_its_naive_twin(
            format in prop::sample::select(PixelFormat::ALL), (w, h) in (1usize..50, 1usize..30),
            tolerance in prop_oneof![Just(0u8), 0u8..6], by in 1u8..8, rarity in 1u32..400, mut seed: u32,
        ) {
            let size = Size::new(w, h);
            let old = Frame::random(format, size, &mut seed);
            let mut new = old.clone();
            new.disturb(rarity, by, &mut seed);
            let mut reference = Reference::new(format, size);
            prop_assert_eq!(reference.compare(&old.view(), tolerance), ChangeMap::all(size));
            reference.take(&old.view(), &ChangeMap::none(size));
            let map = reference.compare(&new.view(), tolerance);

            let limit = u32::from(tolerance) << (format.info().depth - 8);
            let mut naive = ChangeMap::none(size);
            for ((x, y, a), (.., b)) in samples(&old.view()).into_iter().zip(samples(&new.view())) {
                naive.blocks[y * naive.columns + x] |= u32::from(a.abs_diff(b)) > limit;
            }
            prop_assert_eq!(&map, &naive);

            // What is composed has the new samples where they changed, and the old ones elsewhere.
            reference.take(&new.view(), &map);
            let composed = samples(&reference.frame().unwrap());
            let both = samples(&old.view()).into_iter().zip(samples(&new.view()));
            for ((x, y, got), ((.., a), (.., b))) in composed.into_iter().zip(both) {
                prop_assert_eq!(got, if map.blocks[y * map.columns + x] { b } else { a });
            }
        }

        #[test]
        fn errors_never_add_up(
            format in prop::sample::select(PixelFormat::ALL), tolerance in 0u8..4, mut seed: u32,
        ) {
            let size = Size::new(37, 21);
            let limit = u32::from(tolerance) << (format.info().depth - 8);
            let mut frame = Frame::random(format, size, &mut seed);
            let mut reference = Reference::new(format, size);
            for _ in 0..60 {
                // Small steps, that one by one would all be tolerated.
                frame.disturb(3, 1, &mut seed);
                let map = reference.compare(&frame.view(), tolerance);
                reference.take(&frame.view(), &map);
                let composed = samples(&reference.frame().unwrap());
                for ((.., a), (.., b)) in composed.into_iter().zip(samples(&frame.view())) {
                    prop_assert!(u32::from(a.abs_diff(b)) <= limit);
                }
            }
        }
    }

    #[test]
    fn frames_of_another_kind_are_taken_whole() {
        let (mut seed, size) = (1, Size::new(20, 10));
        let old = Frame::random(PixelFormat::I420, size, &mut seed);
        let new = Frame::random(PixelFormat::Y444, size, &mut seed);
        let mut reference = Reference::new(PixelFormat::I420, size);
        assert!(reference.frame().is_err());
        reference.take(&old.view(), &ChangeMap::none(size));
        assert!(reference.compare(&old.view(), 0).is_empty());
        assert_eq!(reference.compare(&new.view(), 255).count(), 6);
        reference.take(&new.view(), &ChangeMap::none(size));
        assert!(reference.compare(&new.view(), 0).is_empty());
        reference.reset();
        assert_eq!(reference.compare(&new.view(), 255), ChangeMap::all(size));
    }
}
