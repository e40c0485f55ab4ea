//! Vectors of 32-bit floats, as this processor has them.

mod arithmetic;
mod level;
#[cfg(target_arch = "aarch64")]
pub(super) mod neon;
#[cfg(target_arch = "x86_64")]
pub(super) mod x86;

pub(super) use arithmetic::{Arithmetic, F32, paired};
pub(super) use level::Level;

/// A vector of 32-bit floats. All bits zero must be a value of it.
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

/// A hint that the cache line at `at` will be read soon; there need not be one.
#[inline(always)]
pub(super) fn will_load(at: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every processor of this kind has the instruction; any address is allowed.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// A hint that the cache line at `at` will be written soon; there need not be one.
#[inline(always)]
pub(super) fn will_store(at: *mut f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as above.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_ET0>(at.cast_const().cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
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
