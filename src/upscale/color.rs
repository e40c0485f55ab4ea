//! Colour: matrices, ranges, chroma siting.
//!
//! Arithmetic is in float from the first sample to the last: coefficients are made in f64, samples are f32. Nothing is ever
//! rounded to 8 bits on the way. Numbers are those of ITU-R BT.601, BT.709, BT.2020 and H.273.

use super::picture::ColorModel;

/// Luma weights of Y'CbCr.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// ITU-R BT.601.
    Bt601,
    /// ITU-R BT.709.
    Bt709,
    /// ITU-R BT.2020, non-constant luminance.
    Bt2020,
    /// SMPTE 240M.
    Smpte240m,
    /// FCC.
    Fcc,
}

impl Matrix {
    /// Every matrix.
    pub const ALL: [Self; 5] = [Self::Bt601, Self::Bt709, Self::Bt2020, Self::Smpte240m, Self::Fcc];

    /// Weights Kr and Kb of red and blue in Y' (H.273, table 4).
    pub const fn weights(self) -> (f64, f64) {
        match self {
            Self::Bt601 => (0.299, 0.114),
            Self::Bt709 => (0.2126, 0.0722),
            Self::Bt2020 => (0.2627, 0.0593),
            Self::Smpte240m => (0.212, 0.087),
            Self::Fcc => (0.30, 0.11),
        }
    }

    /// R'G'B' to Y'CbCr.
    fn rgb_to_yuv(self) -> Mat3 {
        let (kr, kb) = self.weights();
        let kg = 1.0 - kr - kb;
        let (u, v) = (2.0 * (1.0 - kb), 2.0 * (1.0 - kr));
        [[kr, kg, kb], [-kr / u, -kg / u, 0.5], [0.5, -kg / v, -kb / v]]
    }

    /// Y'CbCr to R'G'B'.
    fn yuv_to_rgb(self) -> Mat3 {
        let (kr, kb) = self.weights();
        let kg = 1.0 - kr - kb;
        let (u, v) = (2.0 * (1.0 - kb), 2.0 * (1.0 - kr));
        [[1.0, 0.0, v], [1.0, -kb * u / kg, -kr * v / kg], [1.0, u, 0.0]]
    }
}

/// Which codes mean black and white.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Range {
    /// At 8 bits: luma and RGB 16..235, chroma 16..240.
    Limited,
    /// Every code.
    Full,
}

impl Range {
    /// Codes of Y', R', G' and B' at `depth` bits (8 to 16).
    pub fn luma(self, depth: u32) -> Code {
        let max = top(depth);
        match self {
            Self::Limited => {
                Code { zero: from_8_bits(16, depth), one: from_8_bits(219, depth), max }
            }
            Self::Full => Code { zero: 0.0, one: max, max },
        }
    }

    /// Codes of Cb and Cr at `depth` bits (8 to 16).
    pub fn chroma(self, depth: u32) -> Code {
        let (zero, max) = (from_8_bits(128, depth), top(depth));
        match self {
            Self::Limited => Code { zero, one: from_8_bits(224, depth), max },
            Self::Full => Code { zero, one: max, max },
        }
    }
}

/// The largest code of `depth` bits.
fn top(depth: u32) -> f32 {
    ((1u32 << depth) - 1) as f32
}

/// A code of 8 bits, at `depth` bits.
fn from_8_bits(code: u32, depth: u32) -> f32 {
    (code << (depth - 8)) as f32
}

/// How a sample in its nominal range becomes an integer code: `v * one + zero`, rounded, within `0..=max`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Code {
    /// The code of 0.
    pub zero: f32,
    /// Codes between 0 and 1.
    pub one: f32,
    /// The largest code.
    pub max: f32,
}

/// Where chroma samples lie along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Siting {
    /// On the first of the luma samples that they cover (left, or top).
    Cosited,
    /// In the middle between them.
    Centre,
}

/// Where chroma samples lie among luma samples; an axis that is not subsampled pays no heed to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChromaSite {
    /// Along a row.
    pub horizontal: Siting,
    /// Along a column.
    pub vertical: Siting,
}

impl ChromaSite {
    /// H.264's, HEVC's and MPEG-2's default ("left", `mpeg2`).
    pub const LEFT: Self = Self { horizontal: Siting::Cosited, vertical: Siting::Centre };
    /// JPEG's and MPEG-1's ("center", `jpeg`).
    pub const CENTRE: Self = Self { horizontal: Siting::Centre, vertical: Siting::Centre };
    /// BT.2020 UHD's ("top-left", `cosited`).
    pub const TOP_LEFT: Self = Self { horizontal: Siting::Cosited, vertical: Siting::Cosited };
    /// Cosited along columns alone ("top", `v-cosited`).
    pub const TOP: Self = Self { horizontal: Siting::Centre, vertical: Siting::Cosited };
}

/// How a frame's codes are to be read as colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ColorSpec {
    /// Luma weights of Y'CbCr formats, and of the luma that is taken from R'G'B'.
    pub matrix: Matrix,
    /// Range of luma, chroma, R'G'B' and gray; alpha always has its full range.
    pub range: Range,
    /// Siting of subsampled chroma.
    pub site: ChromaSite,
}

type Mat3 = [[f64; 3]; 3];

fn product(a: &Mat3, b: &Mat3) -> Mat3 {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// One component of a colour model, as a function of the components of another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Mix {
    /// Always 0.
    Zero,
    /// That component as it is.
    Copy(usize),
    /// A weighted sum of all three.
    Sum([f32; 3]),
}

impl Mix {
    /// The components of `to` out of those of `from`; `luma` is the matrix by which [`ColorModel::Luma`] was or will be made.
    ///
    /// Luma alone is gray: R' = G' = B' = Y', chroma 0. Components that `to` does not have are [`Mix::Zero`].
    pub fn between(from: ColorModel, to: ColorModel, luma: Matrix) -> [Self; 3] {
        use ColorModel::{Luma, Rgb, Yuv};
        let sums = |m: Mat3| m.map(|row| Self::Sum(row.map(|v| v as f32)));
        let same = [Self::Copy(0), Self::Copy(1), Self::Copy(2)];
        let first = |[y, _, _]: [Self; 3]| [y, Self::Zero, Self::Zero];
        match (from, to) {
            (Rgb, Rgb) => same,
            (Rgb, Yuv(m)) => sums(m.rgb_to_yuv()),
            (Yuv(m), Rgb) => sums(m.yuv_to_rgb()),
            (Yuv(m), Yuv(n)) if m == n => same,
            (Yuv(m), Yuv(n)) => sums(product(&n.rgb_to_yuv(), &m.yuv_to_rgb())),
            (Rgb | Yuv(_), Luma) => first(Self::between(from, Yuv(luma), luma)),
            (Luma, Rgb) => [Self::Copy(0); 3],
            (Luma, Yuv(_) | Luma) => first(same),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_invert_each_other() {
        for m in Matrix::ALL {
            let id = product(&m.rgb_to_yuv(), &m.yuv_to_rgb());
            for (i, row) in id.iter().enumerate() {
                for (j, v) in row.iter().enumerate() {
                    assert!((v - f64::from(u8::from(i == j))).abs() < 1e-12, "{m:?} {id:?}");
                }
            }
        }
    }

    #[test]
    fn codes_of_black_and_white() {
        assert_eq!(Range::Limited.luma(8), Code { zero: 16.0, one: 219.0, max: 255.0 });
        assert_eq!(Range::Limited.luma(10), Code { zero: 64.0, one: 876.0, max: 1023.0 });
        assert_eq!(Range::Limited.chroma(12), Code { zero: 2048.0, one: 3584.0, max: 4095.0 });
        assert_eq!(Range::Full.luma(16), Code { zero: 0.0, one: 65535.0, max: 65535.0 });
        assert_eq!(Range::Full.chroma(8), Code { zero: 128.0, one: 255.0, max: 255.0 });
    }

    #[test]
    fn gray_is_gray_in_every_matrix() {
        for m in Matrix::ALL {
            for mix in Mix::between(ColorModel::Rgb, ColorModel::Yuv(m), m).into_iter().skip(1) {
                let Mix::Sum(weights) = mix else { panic!("chroma is a sum") };
                assert!(weights.iter().sum::<f32>().abs() < 1e-7, "{m:?}");
            }
        }
    }
}
