//! Sizes, rectangles and scale factors, in pixels.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Width and height in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// A size of `width` by `height` pixels.
    pub const fn new(width: usize, height: usize) -> Self {
        Self { width, height }
    }

    /// Number of pixels.
    pub const fn area(self) -> usize {
        self.width * self.height
    }

    /// This size grown by `px` on each of its four sides.
    pub const fn grown(self, px: usize) -> Self {
        Self::new(self.width + 2 * px, self.height + 2 * px)
    }

    /// This size times `ratio`, rounded to the nearest pixel, at least 1x1.
    pub fn scaled(self, ratio: Ratio) -> Self {
        Self::new(ratio.of(self.width).max(1), ratio.of(self.height).max(1))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// A rectangle in pixels; `x` and `y` are its left and top edges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rect {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Rect {
    /// A rectangle of `width` by `height` pixels at (`x`, `y`).
    pub const fn new(x: usize, y: usize, width: usize, height: usize) -> Self {
        Self { x, y, width, height }
    }
}

/// A positive scale factor as a reduced fraction, so that 3/2 of an even number is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "(usize, usize)", try_from = "(usize, usize)")]
pub struct Ratio {
    num: usize,
    den: usize,
}

impl From<Ratio> for (usize, usize) {
    fn from(ratio: Ratio) -> Self {
        (ratio.num, ratio.den)
    }
}

impl TryFrom<(usize, usize)> for Ratio {
    type Error = &'static str;

    fn try_from((num, den): (usize, usize)) -> Result<Self, Self::Error> {
        Self::new(num, den).ok_or("a factor has no 0 in it")
    }
}

impl Ratio {
    /// The factor 1.
    pub const ONE: Self = Self { num: 1, den: 1 };

    /// `num / den`, reduced; `None` if either is 0.
    pub fn new(num: usize, den: usize) -> Option<Self> {
        if num == 0 || den == 0 {
            return None;
        }
        let (mut a, mut b) = (num, den);
        while b != 0 {
            (a, b) = (b, a % b);
        }
        Some(Self { num: num / a, den: den / a })
    }

    /// The whole factor `n`; `None` if 0.
    pub fn whole(n: usize) -> Option<Self> {
        Self::new(n, 1)
    }

    /// Numerator.
    pub const fn num(self) -> usize {
        self.num
    }

    /// Denominator.
    pub const fn den(self) -> usize {
        self.den
    }

    /// The product of two factors, reduced.
    pub fn times(self, other: Self) -> Self {
        // Both are non-zero, so the product is too.
        Self::new(self.num * other.num, self.den * other.den).unwrap_or(Self::ONE)
    }

    /// `px` times this factor, rounded to the nearest whole number.
    pub const fn of(self, px: usize) -> usize {
        (px * self.num + self.den / 2) / self.den
    }

    /// `px` times this factor if that is a whole number.
    pub const fn exactly(self, px: usize) -> Option<usize> {
        if (px * self.num).is_multiple_of(self.den) { Some(px * self.num / self.den) } else { None }
    }

    /// As a floating-point number.
    pub fn as_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.den == 1 {
            write!(f, "{}", self.num)
        } else {
            write!(f, "{}/{}", self.num, self.den)
        }
    }
}

/// `n` rounded up to a multiple of `multiple` (which is at least 1).
pub const fn align_up(n: usize, multiple: usize) -> usize {
    n.div_ceil(multiple) * multiple
}

/// The index that a half-sample symmetric mirror (`cba|abcd|dcb`, the edge sample repeated) shows at `i`.
///
/// `i` may lie any distance outside `0..len`; `len` is at least 1.
pub fn mirror(i: isize, len: usize) -> usize {
    let period = 2 * len as isize;
    let i = i.rem_euclid(period);
    (if i < len as isize { i } else { period - 1 - i }) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mirror_repeats_the_edge_sample() {
        let seen: Vec<_> = (-5..9).map(|i| mirror(i, 4)).collect();
        assert_eq!(seen, [3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0, 0]);
    }

    #[test]
    fn ratios_are_reduced() {
        let r = Ratio::new(6, 4).unwrap();
        assert_eq!((r.num(), r.den()), (3, 2));
        assert_eq!(r.exactly(64), Some(96));
        assert_eq!(r.exactly(65), None);
        assert_eq!(r.to_string(), "3/2");
        assert_eq!(Ratio::new(0, 1), None);
    }
}
