//! Kernels for NEON, which every 64-bit ARM processor has.

use super::super::simd::F32;
use super::super::simd::neon::Neon;
use super::kernel::kernels;

kernels!(neon, "neon", F32<Neon>);
