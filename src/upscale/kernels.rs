//! The loops of conversion that run over every sample of a row.
//!
//! They are plain Rust, compiled also for AVX2 and AVX-512, and the best that the machine has is chosen at run time. Every
//! version does the same operations in the same order (nothing is contracted to fused multiply-adds), so every machine gives
//! the same codes, and a sample does not depend on where in a row it stands.

use multiversion::multiversion;

use super::color::Code;

/// A sample as it lies in memory.
pub(super) trait Sample: Copy + Default {
    /// The code, `shift` unused bits below it.
    fn code(self, shift: u32) -> f32;
    /// A sample out of the low bits of `code`.
    fn new(code: u32, shift: u32) -> Self;
}

impl Sample for u8 {
    #[inline(always)]
    fn code(self, _shift: u32) -> f32 {
        f32::from(self)
    }

    #[inline(always)]
    fn new(code: u32, _shift: u32) -> Self {
        code as u8
    }
}

/// Two bytes, little endian.
impl Sample for [u8; 2] {
    #[inline(always)]
    fn code(self, shift: u32) -> f32 {
        f32::from(u16::from_le_bytes(self) >> shift)
    }

    #[inline(always)]
    fn new(code: u32, shift: u32) -> Self {
        ((code as u16) << shift).to_le_bytes()
    }
}

/// A code, and the codes that may come of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    code: Code,
    min: f32,
    max: f32,
}

impl Limits {
    /// The codes of 0..1, or every code.
    pub(crate) fn new(code: Code, nominal: bool) -> Self {
        let (min, max) = if nominal { (code.zero, code.zero + code.one) } else { (0.0, code.max) };
        Self { code, min, max }
    }

    /// The least and the largest code that may come of it.
    pub(crate) const fn bounds(self) -> (f32, f32) {
        (self.min, self.max)
    }

    /// The nearest code, in the low 16 bits; NaN gives the least.
    #[inline(always)]
    fn quantise(self, v: f32) -> u32 {
        /// Floats from here to its double are the whole numbers, so adding it rounds.
        const WHOLE: f32 = (1 << 23) as f32;
        let code = v * self.code.one + self.code.zero;
        // Comparisons as SIMD's minimum and maximum make them.
        let code = if code > self.min { code } else { self.min };
        let code = if code < self.max { code } else { self.max };
        (code + WHOLE).to_bits()
    }
}

/// Reads one component of a row whose pixels have `N` samples each: the one at `offset`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn load<T: Sample, const N: usize>(
    samples: &[T],
    offset: usize,
    shift: u32,
    code: Code,
    row: &mut [f32],
) {
    for (v, pixel) in row.iter_mut().zip(samples.as_chunks::<N>().0) {
        // A division, so that white is 1 exactly.
        *v = (pixel[offset].code(shift) - code.zero) / code.one;
    }
}

/// Writes a row of pixels of `N` samples, one out of each of `rows`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn store<T: Sample, const N: usize>(
    rows: [&[f32]; N],
    limits: [Limits; N],
    shift: u32,
    samples: &mut [T],
) {
    /// Pixels at a time: rounding and interleaving are vectorised each by itself.
    const CHUNK: usize = 128;
    if N == 1 {
        quantise(rows[0], limits[0], shift, &mut samples[..rows[0].len()]);
        return;
    }
    let pixels = &mut samples.as_chunks_mut::<N>().0[..rows[0].len()];
    let mut codes = [[T::default(); CHUNK]; N];
    for (i, pixels) in pixels.chunks_mut(CHUNK).enumerate() {
        for ((codes, row), limits) in codes.iter_mut().zip(rows).zip(limits) {
            quantise(&row[i * CHUNK..][..pixels.len()], limits, shift, codes);
        }
        for (j, pixel) in pixels.iter_mut().enumerate() {
            *pixel = std::array::from_fn(|k| codes[k][j]);
        }
    }
}

#[inline(always)]
fn quantise<T: Sample>(row: &[f32], limits: Limits, shift: u32, codes: &mut [T]) {
    for (code, &v) in codes.iter_mut().zip(row) {
        *code = T::new(limits.quantise(v), shift);
    }
}

/// `dst = w . src`, sample by sample; rows are as long as `dst` at least.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn weigh<const N: usize>(src: [&[f32]; N], w: [f32; N], dst: &mut [f32]) {
    let src = src.map(|row| &row[..dst.len()]);
    for (i, d) in dst.iter_mut().enumerate() {
        let mut sum = w[0] * src[0][i];
        for k in 1..N {
            sum += w[k] * src[k][i];
        }
        *d = sum;
    }
}

/// `dst = w * src`, a matrix times the components of each pixel, which are first clamped to 0..1 (NaN stays) with `CLAMP`.
///
/// All rows are as long as `dst[0]` at least.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn mix<const CLAMP: bool, const N: usize>(
    src: [&[f32]; 3],
    w: [[f32; 3]; N],
    dst: [&mut [f32]; N],
) {
    let len = dst[0].len();
    let src = src.map(|row| &row[..len]);
    let dst = dst.map(|row| &mut row[..len]);
    for i in 0..len {
        let [a, b, c] = src.map(|row| if CLAMP { clamped(row[i]) } else { row[i] });
        for k in 0..N {
            dst[k][i] = w[k][0] * a + w[k][1] * b + w[k][2] * c;
        }
    }
}

/// Within 0..1; the comparisons are SIMD's own minimum and maximum.
#[inline(always)]
fn clamped(v: f32) -> f32 {
    let v = if 0.0 > v { 0.0 } else { v };
    if 1.0 < v { 1.0 } else { v }
}

/// Writes pairs: `even` weighs the four samples from each one of `src` on, `odd` the four behind those' first.
///
/// `src` has four samples more than `dst` has pairs.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn double(src: &[f32], even: [f32; 4], odd: [f32; 4], dst: &mut [f32]) {
    let pairs = dst.as_chunks_mut::<2>().0;
    let src: [&[f32]; 5] = std::array::from_fn(|k| &src[k..][..pairs.len()]);
    for (i, pair) in pairs.iter_mut().enumerate() {
        let [a, b, c, d, e] = src.map(|row| row[i]);
        *pair = [
            even[0] * a + even[1] * b + even[2] * c + even[3] * d,
            odd[0] * b + odd[1] * c + odd[2] * d + odd[3] * e,
        ];
    }
}

/// Weighs the eight samples from every second one of `src` on; `src` has six samples more than twice as many as `dst`.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub(super) fn halve(src: &[f32], w: [f32; 8], dst: &mut [f32]) {
    let pairs: [&[[f32; 2]]; 4] =
        std::array::from_fn(|k| &src[2 * k..].as_chunks::<2>().0[..dst.len()]);
    for (i, d) in dst.iter_mut().enumerate() {
        let [a, b, e, f] = pairs.map(|pairs| pairs[i]);
        let left = (w[0] * a[0] + w[1] * a[1]) + (w[2] * b[0] + w[3] * b[1]);
        *d = left + ((w[4] * e[0] + w[5] * e[1]) + (w[6] * f[0] + w[7] * f[1]));
    }
}

/// Whether no sample is infinite or NaN.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
pub fn all_finite(samples: &[f32]) -> bool {
    // Without their sign, bits of floats are ordered as the floats are, with infinity and NaN on top.
    let largest = |part: &[f32]| part.iter().fold(0, |max, v| max.max(v.to_bits() << 1));
    samples.chunks(1 << 14).all(|part| largest(part) < f32::INFINITY.to_bits() << 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_is_found_wherever_it_is() {
        let mut samples = vec![-f32::MAX; 40_000];
        samples[7] = f32::MIN_POSITIVE / 2.0;
        assert!(all_finite(&samples) && all_finite(&[]));
        for at in [0, 1, 12_345, 39_999] {
            for bad in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let good = std::mem::replace(&mut samples[at], bad);
                assert!(!all_finite(&samples), "{bad} at {at}");
                samples[at] = good;
            }
        }
    }

    #[test]
    fn codes_are_the_nearest_and_within_limits() {
        let code = Code { zero: 64.0, one: 876.0, max: 1023.0 };
        let row = [-0.1, 0.0, 0.4 / 876.0, 0.6 / 876.0, 1.0, 1.1, f32::NAN, f32::INFINITY];
        for (nominal, codes) in [
            (true, [64, 64, 64, 65, 940, 940, 64, 940]),
            (false, [0, 64, 64, 65, 940, 1023, 0, 1023]),
        ] {
            let mut samples = [[0; 2]; 8];
            store::<[u8; 2], 1>([&row], [Limits::new(code, nominal)], 6, &mut samples);
            let seen = samples.map(|sample| u16::from_le_bytes(sample) >> 6);
            assert_eq!(seen, codes, "nominal: {nominal}");
        }
    }
}
