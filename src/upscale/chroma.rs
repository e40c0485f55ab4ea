//! Chroma of half as many columns, and half as many rows or all of them: doubled and halved by Catmull-Rom.
//!
//! Halving is by the same kernel at twice its width, so that nothing aliases. Either is separable, and as chroma lies in one
//! of two places among luma, its weights are few and exact in binary. Beyond its edges a plane goes on as its mirror image.

use std::ops::Range;

use super::color::Siting;
use super::geometry::mirror;
use super::kernels::{double, halve, weigh};

/// Chroma samples beyond those that cover a part that [`Doubling`] looks at, on each side.
pub(crate) const DOUBLING_REACH: usize = 2;

/// Full-size samples beyond a part that [`Halving`] looks at, on each side.
pub(crate) const HALVING_REACH: usize = 3;

/// From chroma to full size along one axis.
///
/// Samples `2 * i` and `2 * i + 1` weigh the chroma samples `i - 2..i + 2` and `i - 1..i + 3`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Doubling {
    weights: [[f32; 4]; 2],
}

impl Doubling {
    pub(crate) fn new(siting: Siting) -> Self {
        let weights = match siting {
            Siting::Centre => [
                [-0.0234375, 0.2265625, 0.8671875, -0.0703125],
                [-0.0703125, 0.8671875, 0.2265625, -0.0234375],
            ],
            Siting::Cosited => [[0.0, 0.0, 1.0, 0.0], [-0.0625, 0.5625, 0.5625, -0.0625]],
        };
        Self { weights }
    }

    /// Of even and of odd samples.
    pub(crate) const fn weights(&self) -> [[f32; 4]; 2] {
        self.weights
    }

    /// Doubles a row: `dst` begins at an even sample, `src` [`DOUBLING_REACH`] samples before the one below it.
    pub(super) fn row(&self, src: &[f32], dst: &mut [f32]) {
        double(src, self.weights[0], self.weights[1], dst);
    }

    /// Row `y` of the full size out of `rows`, which gives rows from `y / 2 - 2` to `y / 2 + 2`.
    pub(super) fn column<'a>(
        &self,
        y: usize,
        rows: impl Fn(isize) -> &'a [f32],
        dst: &'a mut [f32],
    ) -> &'a [f32] {
        let (i, phase) = ((y / 2) as isize, y % 2);
        let weights = self.weights[phase];
        if weights[2] == 1.0 {
            return rows(i);
        }
        let first = i - 2 + phase as isize;
        weigh(std::array::from_fn(|k| rows(first + k as isize)), weights, dst);
        dst
    }
}

/// From full size to chroma along one axis.
///
/// Chroma sample `i` weighs the samples `2 * i - 3..2 * i + 5`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Halving {
    weights: [f32; 8],
}

impl Halving {
    pub(crate) fn new(siting: Siting) -> Self {
        let weights = match siting {
            Siting::Centre => {
                let half = [-0.01171875, -0.03515625, 0.11328125, 0.43359375];
                let [a, b, c, d] = half;
                [a, b, c, d, d, c, b, a]
            }
            Siting::Cosited => [-0.03125, 0.0, 0.28125, 0.5, 0.28125, 0.0, -0.03125, 0.0],
        };
        Self { weights }
    }

    /// Of the eight samples.
    pub(crate) const fn weights(&self) -> [f32; 8] {
        self.weights
    }

    /// Halves a row: `src` begins [`HALVING_REACH`] samples before the first that `dst` covers.
    pub(super) fn row(&self, src: &[f32], dst: &mut [f32]) {
        halve(src, self.weights, dst);
    }

    /// Row `y` of chroma out of `rows`, which gives rows from `2 * y - 3` to `2 * y + 4`.
    pub(super) fn column<'a>(&self, y: usize, rows: impl Fn(isize) -> &'a [f32], dst: &mut [f32]) {
        let first = 2 * y as isize - 3;
        let row = |k: usize| rows(first + k as isize);
        if self.weights[1] == 0.0 {
            let taps = [0, 2, 3, 4, 6];
            weigh(taps.map(row), taps.map(|k| self.weights[k]), dst);
        } else {
            weigh(std::array::from_fn::<_, 8, _>(row), self.weights, dst);
        }
    }
}

/// `range` grown by `by` on both sides, as far as `0..len` goes.
pub(super) fn grown(range: &Range<usize>, by: usize, len: usize) -> Range<usize> {
    range.start.saturating_sub(by)..(range.end + by).min(len)
}

/// Fills what lies outside a plane of `width` columns in a row that begins at column `first`.
pub(super) fn mirror_edges(row: &mut [f32], first: isize, width: usize) {
    let inside = |column: isize| (0..width as isize).contains(&column);
    let left = (-first).clamp(0, row.len() as isize) as usize;
    let right = (width as isize - first).clamp(0, row.len() as isize) as usize;
    for i in (0..left).chain(right..row.len()) {
        let seen = mirror(first + i as isize, width) as isize - first;
        debug_assert!(inside(first + seen), "a row holds what is mirrored");
        row[i] = row[seen as usize];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catmull_rom(x: f32) -> f32 {
        match x.abs() {
            x if x < 1.0 => 1.5 * x * x * x - 2.5 * x * x + 1.0,
            x if x < 2.0 => -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0,
            _ => 0.0,
        }
    }

    #[test]
    fn weights_are_the_kernel_s() {
        for (siting, centre) in [(Siting::Centre, 0.5), (Siting::Cosited, 0.0)] {
            // Chroma sample i lies at luma position 2 * i + centre.
            let doubling = Doubling::new(siting).weights;
            for (phase, weights) in doubling.iter().enumerate() {
                for (k, &w) in weights.iter().enumerate() {
                    let tap = 2.0 * (k as f32 - 2.0 + phase as f32) + centre;
                    assert_eq!(w, catmull_rom((phase as f32 - tap) / 2.0), "{siting:?}");
                }
            }
            for (k, &w) in Halving::new(siting).weights.iter().enumerate() {
                assert_eq!(w, catmull_rom((k as f32 - 3.0 - centre) / 2.0) / 2.0, "{siting:?}");
            }
        }
    }

    #[test]
    fn edges_are_mirrored() {
        let mut row = [0.0, 0.0, 0.0, 1.0, 2.0, 0.0, 0.0, 0.0];
        mirror_edges(&mut row, -3, 2);
        assert_eq!(row, [2.0, 2.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0]);
        let mut row = [7.0, 8.0, 9.0, 0.0];
        mirror_edges(&mut row, 4, 7);
        assert_eq!(row, [7.0, 8.0, 9.0, 9.0]);
    }
}
