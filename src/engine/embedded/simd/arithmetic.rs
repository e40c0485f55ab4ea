//! How features are stored between layers, and multiplied: as 32-bit floats, or in pairs of 16-bit ones.

use std::marker::PhantomData;

use half::bf16;

use super::Vector;

/// How features are stored between layers, and what is multiplied with what.
///
/// Channels are stored in pairs: as two planes of 32-bit floats, or as one plane whose 32-bit cells hold two 16-bit floats.
/// A weight is a cell too.
pub(in super::super) trait Arithmetic {
    /// Sums are made in these.
    type Vector: Vector;
    /// Cells of as many pixels. All bits zero must be a value of it.
    type Cells: Copy;
    /// Whether a cell holds both channels of a pair.
    const IS_PAIRED: bool;

    /// # Safety
    /// As [`Vector::load`].
    unsafe fn cells(at: *const f32) -> Self::Cells;
    /// One weight for all pixels.
    /// # Safety
    /// As [`Vector::splat`]; a float must lie at `at`.
    unsafe fn weight(at: *const f32) -> Self::Cells;
    /// `sum + cells * weight`, for both channels where cells hold two.
    /// # Safety
    /// As [`Vector::splat`].
    unsafe fn accumulate(
        sum: Self::Vector,
        cells: Self::Cells,
        weight: Self::Cells,
    ) -> Self::Vector;
    /// Stores neighbouring channels of one pixel, as many as a vector has.
    /// # Safety
    /// As [`Vector::store`].
    unsafe fn store_channels(at: *mut f32, channels: Self::Vector);
    /// Stores two channels at `at`, the second `stride` floats on where they are two planes.
    /// # Safety
    /// As [`Vector::store`], for both places.
    unsafe fn store_pair(at: *mut f32, stride: usize, pair: [Self::Vector; 2]);
    /// What [`Arithmetic::store_pair`] stored.
    /// # Safety
    /// As [`Vector::load`], for both places.
    unsafe fn load_pair(at: *const f32, stride: usize) -> [Self::Vector; 2];
}

/// Features as 32-bit floats.
pub(in super::super) struct F32<V>(PhantomData<V>);

impl<V: Vector> Arithmetic for F32<V> {
    type Vector = V;
    type Cells = V;
    const IS_PAIRED: bool = false;

    #[inline(always)]
    unsafe fn cells(at: *const f32) -> V {
        // SAFETY: the caller's promise; so in this whole block.
        unsafe { V::load(at) }
    }

    #[inline(always)]
    unsafe fn weight(at: *const f32) -> V {
        // SAFETY: as above.
        unsafe { V::splat(*at) }
    }

    #[inline(always)]
    unsafe fn accumulate(sum: V, cells: V, weight: V) -> V {
        // SAFETY: as above.
        unsafe { cells.mul_add(weight, sum) }
    }

    #[inline(always)]
    unsafe fn store_channels(at: *mut f32, channels: V) {
        // SAFETY: as above.
        unsafe { channels.store(at) }
    }

    #[inline(always)]
    unsafe fn store_pair(at: *mut f32, stride: usize, [a, b]: [V; 2]) {
        // SAFETY: as above.
        unsafe {
            a.store(at);
            b.store(at.add(stride));
        }
    }

    #[inline(always)]
    unsafe fn load_pair(at: *const f32, stride: usize) -> [V; 2] {
        // SAFETY: as above.
        unsafe { [V::load(at), V::load(at.add(stride))] }
    }
}

/// A cell of two numbers as bfloat16, the first in the lower half.
pub(in super::super) fn paired([a, b]: [f32; 2]) -> f32 {
    let bits = |v: f32| u32::from(bf16::from_f32(v).to_bits());
    f32::from_bits(bits(a) | bits(b) << 16)
}
