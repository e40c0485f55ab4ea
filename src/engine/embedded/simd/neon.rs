//! NEON, which every 64-bit ARM processor has.

use std::arch::aarch64::*;

use super::Vector;

/// Four floats.
#[derive(Clone, Copy)]
pub(in super::super) struct Neon(float32x4_t);

impl Vector for Neon {
    const LANES: usize = 4;
    const MANY_REGISTERS: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller promises the instructions, and valid pointers where there are any; so in this whole file.
        Self(unsafe { vld1q_f32(at) })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above.
        unsafe { vst1q_f32(at, self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { vdupq_n_f32(value) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vfmaq_f32(sum.0, self.0, factor.0) })
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vaddq_f32(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn at_least(self, least: Self) -> Self {
        // SAFETY: as above. NaN wins.
        Self(unsafe { vmaxq_f32(self.0, least.0) })
    }

    #[inline(always)]
    unsafe fn at_most(self, greatest: Self) -> Self {
        // SAFETY: as above. NaN wins.
        Self(unsafe { vminq_f32(self.0, greatest.0) })
    }

    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        // SAFETY: as above.
        unsafe { (Self(vzip1q_f32(self.0, other.0)), Self(vzip2q_f32(self.0, other.0))) }
    }
}
