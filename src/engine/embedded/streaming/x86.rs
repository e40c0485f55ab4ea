//! Kernels for AVX-512 (floats of 32 bits, and of 16 where the processor has `vdpbf16ps`) and AVX2.

use super::super::simd::F32;
use super::super::simd::x86::{Avx2, Avx512, Bf16};
use super::kernel::kernels;

kernels!(avx512, "avx512f", F32<Avx512>);
kernels!(avx512_bf16, "avx512f,avx512bw,avx512bf16", Bf16);
kernels!(avx2, "avx2,fma", F32<Avx2>);
