//! What one core can do at most: multiply-adds of registers with registers.
#![allow(unsafe_code, reason = "vector instructions")]

use std::sync::OnceLock;

/// GFLOP/s of one core in fp32 and in bf16; 0 where it is not known.
pub fn all() -> [f64; 2] {
    static PEAK: OnceLock<[f64; 2]> = OnceLock::new();
    *PEAK.get_or_init(measure)
}

#[cfg(not(target_arch = "x86_64"))]
fn measure() -> [f64; 2] {
    [0.0; 2]
}

#[cfg(target_arch = "x86_64")]
fn measure() -> [f64; 2] {
    let best = |run: &dyn Fn(), flop: f64| {
        let times = (0..30).map(|_| {
            let begin = super::busy();
            run();
            (super::busy() - begin).as_secs_f64()
        });
        flop * 1e-9 / times.fold(f64::MAX, f64::min)
    };
    let all = (SUMS * ROUNDS) as f64;
    let mut peak = [0.0; 2];
    if is_x86_feature_detected!("avx512f") {
        // SAFETY: the processor has the instructions.
        peak[0] = best(&|| unsafe { avx512() }, all * 16.0 * 2.0);
    } else if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
        // SAFETY: as above.
        peak[0] = best(&|| unsafe { avx2() }, all * 8.0 * 2.0);
    }
    if is_x86_feature_detected!("avx512bf16") {
        // SAFETY: as above.
        peak[1] = best(&|| unsafe { bf16() }, all * 32.0 * 2.0);
    }
    peak
}

#[cfg(target_arch = "x86_64")]
const SUMS: usize = 12;
#[cfg(target_arch = "x86_64")]
const ROUNDS: usize = 1_000_000;

#[cfg(target_arch = "x86_64")]
macro_rules! peak {
    ($name:ident, $features:literal, $zero:expr, $factor:expr, $step:expr) => {
        #[target_feature(enable = $features)]
        fn $name() {
            let mut sums = [$zero; SUMS];
            let factor = std::hint::black_box($factor);
            for _ in 0..ROUNDS {
                for sum in &mut sums {
                    *sum = $step(*sum, factor);
                }
            }
            std::hint::black_box(sums);
        }
    };
}

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
#[cfg(target_arch = "x86_64")]
peak!(avx512, "avx512f", _mm512_setzero_ps(), _mm512_set1_ps(0.5), |s, f| _mm512_fmadd_ps(f, f, s));
#[cfg(target_arch = "x86_64")]
peak!(avx2, "avx2,fma", _mm256_setzero_ps(), _mm256_set1_ps(0.5), |s, f| _mm256_fmadd_ps(f, f, s));
#[cfg(target_arch = "x86_64")]
peak!(
    bf16,
    "avx512f,avx512bf16",
    _mm512_setzero_ps(),
    _mm512_cvtne2ps_pbh(_mm512_set1_ps(0.5), _mm512_set1_ps(0.5)),
    |s, f| _mm512_dpbf16_ps(s, f, f)
);
