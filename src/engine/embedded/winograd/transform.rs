//! Winograd's F(4x4, 3x3): 4x4 outputs of a 3x3 convolution by 36 multiplications instead of 144, for each pair of channels.
//!
//! Source: A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", <https://arxiv.org/abs/1509.09308>. The six
//! points are 0, ±1/√2, ±√2 and infinity: closer to each other than the usual 0, ±1, ±2, so that less is lost to rounding
//! (B. Barabasz and others, <https://arxiv.org/abs/1803.10986>).

use super::super::simd::{Arithmetic, Vector};

/// Outputs of a tile on each axis.
pub(super) const TILE: usize = 4;
/// Samples that a tile looks at, on each axis.
pub(super) const WINDOW: usize = TILE + 2;
/// Samples of a transformed tile.
pub(super) const POINTS: usize = WINDOW * WINDOW;

/// The two points of which both signs are taken.
const A: f64 = std::f64::consts::FRAC_1_SQRT_2;
const B: f64 = std::f64::consts::SQRT_2;

/// A 3x3 filter at the 36 points, row by row.
pub(super) fn filter(taps: &[f32]) -> [f32; POINTS] {
    // Rows of the transformation in one dimension: powers of the point, by the product of its distances to the others.
    let scale = |p: f64, q: f64| 1.0 / (2.0 * p * p * (p * p - q * q));
    let row = |p: f64, scale: f64| [scale, scale * p, scale * p * p];
    let rows: [[f64; 3]; WINDOW] = [
        row(0.0, 1.0 / (A * A * B * B)),
        row(A, scale(A, B)),
        row(-A, scale(A, B)),
        row(B, scale(B, A)),
        row(-B, scale(B, A)),
        [0.0, 0.0, 1.0],
    ];
    std::array::from_fn(|point| {
        let (down, across) = (rows[point / WINDOW], rows[point % WINDOW]);
        let tap = |i: usize| f64::from(taps[i]) * down[i / 3] * across[i % 3];
        (0..9).map(tap).sum::<f64>() as f32
    })
}

// Loops and no closures from here on: those are not compiled for the processor's instructions.

/// A column or row of six samples at the points.
///
/// # Safety
/// The processor must have the instructions of `V`.
#[inline(always)]
unsafe fn forwards<V: Vector>(d: [V; WINDOW]) -> [V; WINDOW] {
    // Of each row of the transformation: all but one of the factors (x - point), multiplied out.
    const A2: f32 = (A * A) as f32;
    const B2: f32 = (B * B) as f32;
    // SAFETY: the caller's promise, that the processor has the instructions; so in this whole file.
    unsafe {
        let (even_a, odd_a) =
            (d[2].mul_add(V::splat(-B2), d[4]), d[1].mul_add(V::splat(-B2), d[3]));
        let (even_b, odd_b) =
            (d[2].mul_add(V::splat(-A2), d[4]), d[1].mul_add(V::splat(-A2), d[3]));
        let (first, last) =
            (d[2].mul_add(V::splat(-A2 - B2), d[4]), d[3].mul_add(V::splat(-A2 - B2), d[5]));
        [
            d[0].mul_add(V::splat(A2 * B2), first),
            odd_a.mul_add(V::splat(A as f32), even_a),
            odd_a.mul_add(V::splat(-A as f32), even_a),
            odd_b.mul_add(V::splat(B as f32), even_b),
            odd_b.mul_add(V::splat(-B as f32), even_b),
            d[1].mul_add(V::splat(A2 * B2), last),
        ]
    }
}

/// Four samples from their values at the points.
///
/// # Safety
/// The processor must have the instructions of `V`.
#[inline(always)]
unsafe fn backwards<V: Vector>(m: [V; WINDOW]) -> [V; TILE] {
    /// Powers of the points.
    const A1: [f32; 4] = [1.0, A as f32, (A * A) as f32, (A * A * A) as f32];
    const B1: [f32; 4] = [1.0, B as f32, (B * B) as f32, (B * B * B) as f32];
    // SAFETY: as above.
    unsafe {
        let minus = V::splat(-1.0);
        let (even_a, odd_a) = (m[1].plus(m[2]), m[2].mul_add(minus, m[1]));
        let (even_b, odd_b) = (m[3].plus(m[4]), m[4].mul_add(minus, m[3]));
        let zero = V::splat(0.0);
        [
            m[0].plus(even_a.plus(even_b)),
            odd_a.mul_add(V::splat(A1[1]), odd_b.mul_add(V::splat(B1[1]), zero)),
            even_a.mul_add(V::splat(A1[2]), even_b.mul_add(V::splat(B1[2]), zero)),
            odd_a.mul_add(V::splat(A1[3]), odd_b.mul_add(V::splat(B1[3]), m[5])),
        ]
    }
}

/// Transforms the window of one tile, a vector of channels.
///
/// # Safety
/// The processor must have the instructions of `A`. At each of `rows` lie the window's samples, `step` floats apart; the points
/// go to `to`, `distance` cells apart.
#[inline(always)]
pub(super) unsafe fn window<A: Arithmetic>(
    rows: [*const f32; WINDOW],
    step: usize,
    to: *mut f32,
    distance: usize,
) {
    // SAFETY: as above.
    unsafe {
        let mut columns = [[A::Vector::splat(0.0); WINDOW]; WINDOW];
        for x in 0..WINDOW {
            let mut column = [A::Vector::splat(0.0); WINDOW];
            for y in 0..WINDOW {
                column[y] = A::Vector::load(rows[y].add(x * step));
            }
            columns[x] = forwards(column);
        }
        for y in 0..WINDOW {
            let mut row = [A::Vector::splat(0.0); WINDOW];
            for x in 0..WINDOW {
                row[x] = columns[x][y];
            }
            let row = forwards(row);
            for x in 0..WINDOW {
                A::store_channels(to.add((y * WINDOW + x) * distance), row[x]);
            }
        }
    }
}

/// The 4x4 samples of one tile, a vector of channels, row by row.
///
/// # Safety
/// The processor must have the instructions of `V`. The points lie at `from`, `distance` floats apart.
#[inline(always)]
pub(super) unsafe fn tile<V: Vector>(from: *const f32, distance: usize) -> [[V; TILE]; TILE] {
    // SAFETY: as above.
    unsafe {
        let mut columns = [[V::splat(0.0); TILE]; WINDOW];
        for x in 0..WINDOW {
            let mut column = [V::splat(0.0); WINDOW];
            for y in 0..WINDOW {
                column[y] = V::load(from.add((y * WINDOW + x) * distance));
            }
            columns[x] = backwards(column);
        }
        let mut samples = [[V::splat(0.0); TILE]; TILE];
        for y in 0..TILE {
            let mut row = [V::splat(0.0); WINDOW];
            for x in 0..WINDOW {
                row[x] = columns[x][y];
            }
            samples[y] = backwards(row);
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::embedded::simd::{F32, Plain};

    #[test]
    fn a_tile_is_what_a_plain_convolution_gives() {
        let number = |i: usize| ((i * 7919 + 13) % 101) as f32 / 50.0 - 1.0;
        let taps: Vec<f32> = (0..9).map(number).collect();
        let samples: Vec<f32> = (0..36).map(|i| number(i + 40)).collect();
        let weights = filter(&taps);
        const LANES: usize = Plain::LANES;
        let input: Vec<f32> = samples.iter().flat_map(|&s| [s; LANES]).collect();
        let mut points = vec![0.0; POINTS * LANES];
        let rows = std::array::from_fn(|y| input[y * WINDOW * LANES..].as_ptr());
        // SAFETY: plain Rust; six rows of six samples are read, and 36 points are written and read.
        let given = unsafe {
            window::<F32<Plain>>(rows, LANES, points.as_mut_ptr(), LANES);
            for (point, weight) in points.chunks_mut(LANES).zip(weights) {
                point.iter_mut().for_each(|p| *p *= weight);
            }
            tile::<Plain>(points.as_ptr(), LANES)
        };
        for (y, x) in (0..TILE).flat_map(|y| (0..TILE).map(move |x| (y, x))) {
            let tap = |i: usize| taps[i] * samples[(y + i / 3) * WINDOW + x + i % 3];
            let expected: f32 = (0..9).map(tap).sum();
            let mut lanes = [0.0; LANES];
            // SAFETY: as many floats are there.
            unsafe { given[y][x].store(lanes.as_mut_ptr()) };
            assert!((lanes[0] - expected).abs() < 1e-5, "({x}, {y}): {} {expected}", lanes[0]);
        }
    }
}
