//! What a kernel needs of a processor: vectors of 32-bit floats, and how features are stored and multiplied.

use std::marker::PhantomData;

/// A vector of 32-bit floats, one pixel in each lane. All bits zero must be a value of it.
///
/// All functions are `unsafe` because each is compiled to instructions that the processor must have.
pub(super) trait Vector: Copy {
    /// Number of lanes.
    const LANES: usize;
    /// Whether the processor has 32 of these registers rather than 16.
    const MANY_REGISTERS: bool;

    /// # Safety
    /// The processor must have the instructions, and `LANES` floats must lie at `at`, aligned or not.
    unsafe fn load(at: *const f32) -> Self;
    /// # Safety
    /// As [`Vector::load`].
    unsafe fn store(self, at: *mut f32);
    /// # Safety
    /// The processor must have the instructions; so for all that follow.
    unsafe fn splat(value: f32) -> Self;
    /// `self * factor + sum`.
    /// # Safety
    /// See [`Vector::splat`].
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self;
    /// # Safety
    /// See [`Vector::splat`].
    unsafe fn plus(self, other: Self) -> Self;
    /// The greater of both; NaN where `self` is NaN.
    /// # Safety
    /// See [`Vector::splat`].
    unsafe fn at_least(self, least: Self) -> Self;
    /// The smaller of both; NaN where `self` is NaN.
    /// # Safety
    /// See [`Vector::splat`].
    unsafe fn at_most(self, greatest: Self) -> Self;
    /// Lanes of both by turns: `a0 b0 a1 b1 …`, first half and second half.
    /// # Safety
    /// See [`Vector::splat`].
    unsafe fn interleave(self, other: Self) -> (Self, Self);
}

/// How features are stored between layers, and what is multiplied with what.
///
/// Channels are stored in pairs: as two planes of 32-bit floats, or as one plane whose 32-bit cells hold two 16-bit floats.
/// A weight is a cell too.
pub(super) trait Arithmetic {
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
pub(super) struct F32<V>(PhantomData<V>);

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

/// Plain Rust, which the compiler makes vectors of as it can. `unsafe` for the pointers alone.
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 8]);

impl Plain {
    #[inline(always)]
    fn map2(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        Self(std::array::from_fn(|i| f(self.0[i], other.0[i])))
    }
}

impl Vector for Plain {
    const LANES: usize = 8;
    const MANY_REGISTERS: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller promises as many floats there.
        Self(unsafe { at.cast::<[f32; 8]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: the caller promises as many floats there.
        unsafe { at.cast::<[f32; 8]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        Self([value; 8])
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // Not `f32::mul_add`, which is a slow function where there is no instruction for it.
        self.map2(factor, |a, b| a * b).map2(sum, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        self.map2(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn at_least(self, least: Self) -> Self {
        self.map2(least, |a, least| if a < least { least } else { a })
    }

    #[inline(always)]
    unsafe fn at_most(self, greatest: Self) -> Self {
        self.map2(greatest, |a, greatest| if a > greatest { greatest } else { a })
    }

    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        let at = |i: usize| if i.is_multiple_of(2) { self.0[i / 2] } else { other.0[i / 2] };
        (Self(std::array::from_fn(at)), Self(std::array::from_fn(|i| at(i + 8))))
    }
}
