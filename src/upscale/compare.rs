//! Compares two frames, one row of blocks at a time.

use super::change::BLOCK;
use super::format::PixelFormat;
use super::frame::FrameView;
use super::geometry::Size;

/// A block's share of a plane.
pub(super) struct Share {
    pub(super) rows: usize,
    /// Samples of a row, interleaved components counted each.
    samples: usize,
    pub(super) bytes: usize,
}

impl Share {
    pub(super) fn new(format: PixelFormat, plane: usize) -> Self {
        // A frame of one block: its planes are a block's shares.
        let size = format.plane_size(plane, Size::new(BLOCK, BLOCK));
        let bytes = size.width * format.info().sample_bytes;
        Self { rows: size.height, samples: size.width, bytes }
    }
}

/// A sample as it lies in memory.
pub(super) trait Sample: Copy + Default + Ord + From<u8> {
    /// Of `bytes`, exactly as many as a sample has; little endian, `shift` unused bits below dropped.
    fn read(bytes: &[u8], shift: u32) -> Self;
    fn abs_diff(self, other: Self) -> Self;
    fn tolerance(tolerance: u8, depth: u32) -> Self;
}

impl Sample for u8 {
    fn read(bytes: &[u8], _shift: u32) -> Self {
        bytes[0]
    }

    fn abs_diff(self, other: Self) -> Self {
        self.abs_diff(other)
    }

    fn tolerance(tolerance: u8, _depth: u32) -> Self {
        tolerance
    }
}

impl Sample for u16 {
    fn read(bytes: &[u8], shift: u32) -> Self {
        Self::from_le_bytes([bytes[0], bytes[1]]) >> shift
    }

    fn abs_diff(self, other: Self) -> Self {
        self.abs_diff(other)
    }

    fn tolerance(tolerance: u8, depth: u32) -> Self {
        Self::from(tolerance) << (depth - 8)
    }
}

/// Marks in `changed` which blocks of row `y` differ by more than `tolerance`, in any plane.
pub(super) fn compare_row<T: Sample>(
    old: &FrameView,
    new: &FrameView,
    tolerance: u8,
    y: usize,
    changed: &mut [bool],
) {
    let (format, size) = (new.format(), new.size());
    let info = format.info();
    let tolerance = T::tolerance(tolerance, info.depth);
    for plane in 0..info.planes {
        let share = Share::new(format, plane);
        let samples = format.plane_size(plane, size);
        // The largest difference in each column of the row of blocks: one pass that vectorises.
        let mut largest = vec![T::default(); samples.width];
        let mut differs = false;
        for line in y * share.rows..((y + 1) * share.rows).min(samples.height) {
            let (a, b) = (old.row(plane, line), new.row(plane, line));
            if a != b {
                differs = true;
                widen(&mut largest, a, b, info.shift);
            }
        }
        if !differs {
            continue;
        }
        if let Some(padding) = info.padding.filter(|c| c.plane == plane) {
            largest
                .iter_mut()
                .skip(padding.offset)
                .step_by(padding.step)
                .for_each(|v| *v = T::default());
        }
        for (changed, block) in changed.iter_mut().zip(largest.chunks(share.samples)) {
            *changed |= block.iter().fold(T::default(), |a, &b| a.max(b)) > tolerance;
        }
    }
}

/// Raises each of `largest` to how much `a` and `b` differ there.
fn widen<T: Sample>(largest: &mut [T], a: &[u8], b: &[u8], shift: u32) {
    let bytes = size_of::<T>();
    for ((largest, a), b) in
        largest.iter_mut().zip(a.chunks_exact(bytes)).zip(b.chunks_exact(bytes))
    {
        *largest = (*largest).max(T::read(a, shift).abs_diff(T::read(b, shift)));
    }
}
