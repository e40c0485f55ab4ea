//! The kernels of each kind of processor.

use super::super::simd::{Arithmetic, F32, Level, Plain, Vector};
use super::kernel::{Kernels, Run, Scratch, channels, convolve};

/// Compiles the kernels with `features` of the processor.
macro_rules! kernels {
    ($constant:ident, $function:ident, $features:literal, $arithmetic:ty) => {
        #[target_feature(enable = $features)]
        fn $function(run: &mut Run, scratch: &mut Scratch) {
            // SAFETY: the instructions are there, as this function's features say; `Kernels` looked at the lengths.
            unsafe { convolve::<$arithmetic>(run, scratch) }
        }

        pub const $constant: Kernels = Kernels {
            lanes: <$arithmetic as Arithmetic>::Vector::LANES,
            channels: channels::<$arithmetic>(),
            convolve: $function,
        };
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::super::simd::x86::{Avx2, Avx512, Bf16};
    use super::*;

    kernels!(AVX512_F32, avx512, "avx512f", F32<Avx512>);
    kernels!(AVX512_BF16, avx512_bf16, "avx512f,avx512bw,avx512bf16", Bf16);
    kernels!(AVX2_F32, avx2, "avx2,fma", F32<Avx2>);
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::super::super::simd::neon::Neon;
    use super::*;

    kernels!(NEON_F32, neon, "neon", F32<Neon>);
}

const PLAIN: Kernels = Kernels {
    lanes: Plain::LANES,
    channels: channels::<F32<Plain>>(),
    // SAFETY: no special instructions; `Kernels` looked at the lengths.
    convolve: |run, scratch| unsafe { convolve::<F32<Plain>>(run, scratch) },
};

impl Kernels {
    /// Those for `level`.
    ///
    /// # Panics
    /// If this processor does not have it.
    pub(super) fn of(level: Level) -> Self {
        assert!(level.is_here());
        match level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512Bf16 => x86::AVX512_BF16,
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => x86::AVX512_F32,
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => x86::AVX2_F32,
            #[cfg(target_arch = "aarch64")]
            Level::Neon => arm::NEON_F32,
            _ => PLAIN,
        }
    }
}
