//! The kernels of each kind of processor.

use super::super::simd::{Arithmetic, F32, Plain, Vector};
use super::kernel::{Kernels, Run, Scratch, channels, convolve};
use crate::engine::Precision;

/// Compiles the kernels with `features` of the processor.
macro_rules! kernels {
    ($constant:ident, $function:ident, $features:literal, $arithmetic:ty, $nick:literal, $name:literal, $precision:expr) => {
        #[target_feature(enable = $features)]
        fn $function(run: &mut Run, scratch: &mut Scratch) {
            // SAFETY: the instructions are there, as this function's features say; `Kernels` looked at the lengths.
            unsafe { convolve::<$arithmetic>(run, scratch) }
        }

        const $constant: Kernels = Kernels {
            nick: $nick,
            name: $name,
            precision: $precision,
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

    kernels!(AVX512_F32, avx512, "avx512f", F32<Avx512>, "avx512", "AVX-512", Precision::Fp32);
    kernels!(
        AVX512_BF16,
        avx512_bf16,
        "avx512f,avx512bw,avx512bf16",
        Bf16,
        "avx512-bf16",
        "AVX-512 BF16",
        Precision::Bf16
    );
    kernels!(AVX2_F32, avx2, "avx2,fma", F32<Avx2>, "avx2", "AVX2", Precision::Fp32);

    /// Those that this processor can run, the fastest first.
    pub fn available() -> Vec<Kernels> {
        let mut all = Vec::new();
        let has_512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
        if has_512 && is_x86_feature_detected!("avx512bf16") {
            all.push(AVX512_BF16);
        }
        if has_512 {
            all.push(AVX512_F32);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            all.push(AVX2_F32);
        }
        all
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::super::super::simd::neon::Neon;
    use super::*;

    kernels!(NEON_F32, neon, "neon", F32<Neon>, "neon", "NEON", Precision::Fp32);

    /// Those that every processor of this kind can run.
    pub fn available() -> Vec<Kernels> {
        vec![NEON_F32]
    }
}

const PLAIN: Kernels = Kernels {
    nick: "plain",
    name: "plain Rust",
    precision: Precision::Fp32,
    lanes: Plain::LANES,
    channels: channels::<F32<Plain>>(),
    // SAFETY: no special instructions; `Kernels` looked at the lengths.
    convolve: |run, scratch| unsafe { convolve::<F32<Plain>>(run, scratch) },
};

/// The fastest kernels of this processor for `precision`, or those of the name given; `None` where it has none.
pub(in super::super) fn choose(precision: Precision, name: Option<&str>) -> Option<Kernels> {
    #[cfg(target_arch = "x86_64")]
    let mut all = x86::available();
    #[cfg(target_arch = "aarch64")]
    let mut all = arm::available();
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let mut all = Vec::new();
    all.push(PLAIN);
    let is_it = |k: &Kernels| k.precision == precision && name.is_none_or(|name| name == k.nick);
    all.into_iter().find(is_it)
}
