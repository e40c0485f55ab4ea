//! Kernels for NEON, which every 64-bit ARM processor has.

use super::super::simd::neon::Neon;
use super::kernel::kernels;
use super::lanes::F32;

kernels!(neon, "neon", F32<Neon>, "neon", "NEON", Precision::Fp32);
