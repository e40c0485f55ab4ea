//! Kernels for AVX-512 (floats of 32 bits, and of 16 where the processor has `vdpbf16ps`) and AVX2.

use std::arch::x86_64::*;

use super::super::simd::x86::{Avx2, Avx512};
use super::kernel::kernels;
use super::lanes::{Arithmetic, F32};

kernels!(avx512, "avx512f", F32<Avx512>, "avx512", "AVX-512", Precision::Fp32);
kernels!(
    avx512_bf16,
    "avx512f,avx512bw,avx512bf16",
    Bf16,
    "avx512-bf16",
    "AVX-512 BF16",
    Precision::Bf16
);
kernels!(avx2, "avx2,fma", F32<Avx2>, "avx2", "AVX2", Precision::Fp32);

/// Features as bfloat16, two channels in a cell; sums in 32 bits.
struct Bf16;

impl Arithmetic for Bf16 {
    type Vector = Avx512;
    type Cells = __m512bh;
    const IS_PAIRED: bool = true;

    #[inline(always)]
    unsafe fn cells(at: *const f32) -> __m512bh {
        // SAFETY: the caller promises the instructions, and valid pointers where there are any; so in this whole file. Any bits
        // are cells.
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
