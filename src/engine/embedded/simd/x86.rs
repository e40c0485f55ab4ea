//! AVX-512 (floats of 32 bits, and of 16 where the processor has `vdpbf16ps`) and AVX2.

use std::arch::x86_64::*;

use super::{Arithmetic, Vector};

/// Sixteen floats.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx512(__m512);

impl Vector for Avx512 {
    const LANES: usize = 16;
    const MANY_REGISTERS: bool = true;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: the caller promises the instructions, and valid pointers where there are any; so in this whole file.
        Self(unsafe { _mm512_loadu_ps(at) })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(at, self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn at_least(self, least: Self) -> Self {
        // SAFETY: as above. The instruction gives its second operand where one is NaN.
        Self(unsafe { _mm512_max_ps(least.0, self.0) })
    }

    #[inline(always)]
    unsafe fn at_most(self, greatest: Self) -> Self {
        // SAFETY: as above. The instruction gives its second operand where one is NaN.
        Self(unsafe { _mm512_min_ps(greatest.0, self.0) })
    }

    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        // SAFETY: as above. Indices from 16 on are of the second operand.
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            (
                Self(_mm512_permutex2var_ps(self.0, low, other.0)),
                Self(_mm512_permutex2var_ps(self.0, high, other.0)),
            )
        }
    }
}

/// Features as bfloat16, two channels in a cell; sums in 32 bits.
pub(in super::super) struct Bf16;

impl Arithmetic for Bf16 {
    type Vector = Avx512;
    type Cells = __m512bh;
    const IS_PAIRED: bool = true;

    #[inline(always)]
    unsafe fn cells(at: *const f32) -> __m512bh {
        // SAFETY: as above; any bits are cells.
        unsafe { std::mem::transmute::<__m512, __m512bh>(_mm512_loadu_ps(at)) }
    }

    #[inline(always)]
    unsafe fn weight(at: *const f32) -> __m512bh {
        // SAFETY: as above; any bits are cells.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(*at.cast::<i32>())) }
    }

    #[inline(always)]
    unsafe fn accumulate(sum: Avx512, cells: __m512bh, weight: __m512bh) -> Avx512 {
        // SAFETY: as above.
        Avx512(unsafe { _mm512_dpbf16_ps(sum.0, cells, weight) })
    }

    #[inline(always)]
    unsafe fn store_channels(at: *mut f32, channels: Avx512) {
        // SAFETY: as above; any bits are cells.
        unsafe {
            let narrow = std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(channels.0));
            _mm256_storeu_si256(at.cast(), narrow);
        }
    }

    #[inline(always)]
    unsafe fn store_pair(at: *mut f32, _: usize, [a, b]: [Avx512; 2]) {
        // SAFETY: as above; any bits are cells. The conversion puts all of `a` before all of `b`.
        unsafe {
            let by_turns = {
                let low = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
                let high = _mm512_slli_epi32::<16>(_mm512_add_epi32(low, _mm512_set1_epi32(16)));
                _mm512_or_si512(low, high)
            };
            let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(b.0, a.0));
            _mm512_storeu_si512(at.cast(), _mm512_permutexvar_epi16(by_turns, both));
        }
    }

    #[inline(always)]
    unsafe fn load_pair(at: *const f32, _: usize) -> [Avx512; 2] {
        // SAFETY: as above. A bfloat16 is the upper half of a float.
        unsafe {
            let both = _mm512_loadu_si512(at.cast());
            let upper = _mm512_and_si512(both, _mm512_set1_epi32(0xffff_0000_u32 as i32));
            [_mm512_slli_epi32::<16>(both), upper].map(|half| Avx512(_mm512_castsi512_ps(half)))
        }
    }
}

/// Eight floats.
#[derive(Clone, Copy)]
pub(in super::super) struct Avx2(__m256);

impl Vector for Avx2 {
    const LANES: usize = 8;
    const MANY_REGISTERS: bool = false;

    #[inline(always)]
    unsafe fn load(at: *const f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_loadu_ps(at) })
    }

    #[inline(always)]
    unsafe fn store(self, at: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(at, self.0) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_set1_ps(value) })
    }

    #[inline(always)]
    unsafe fn mul_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_fmadd_ps(self.0, factor.0, sum.0) })
    }

    #[inline(always)]
    unsafe fn plus(self, other: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_add_ps(self.0, other.0) })
    }

    #[inline(always)]
    unsafe fn at_least(self, least: Self) -> Self {
        // SAFETY: as above. The instruction gives its second operand where one is NaN.
        Self(unsafe { _mm256_max_ps(least.0, self.0) })
    }

    #[inline(always)]
    unsafe fn at_most(self, greatest: Self) -> Self {
        // SAFETY: as above. The instruction gives its second operand where one is NaN.
        Self(unsafe { _mm256_min_ps(greatest.0, self.0) })
    }

    #[inline(always)]
    unsafe fn interleave(self, other: Self) -> (Self, Self) {
        // SAFETY: as above. Unpacking works within halves of 128 bits, which are then put in order.
        unsafe {
            let low = _mm256_unpacklo_ps(self.0, other.0);
            let high = _mm256_unpackhi_ps(self.0, other.0);
            (
                Self(_mm256_permute2f128_ps::<0x20>(low, high)),
                Self(_mm256_permute2f128_ps::<0x31>(low, high)),
            )
        }
    }
}
