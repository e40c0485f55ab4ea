//! Chroma's kernels and the matrices of colour, as weights of convolutions.

use super::super::build::Conv;
use crate::upscale::chroma::{DOUBLING_REACH, Doubling, HALVING_REACH, Halving};
use crate::upscale::raw::ENLARGING_REACH;
use crate::upscale::{ChromaSite, Siting};

/// Weights by output and input channel.
pub(super) type Matrix = Vec<Vec<f32>>;

/// Kernels of one axis: as many as a sample becomes, each over `radius` samples before and behind.
struct Axis {
    phases: Vec<Vec<f32>>,
    radius: usize,
}

impl Axis {
    fn as_it_is() -> Self {
        Self { phases: vec![vec![1.0]], radius: 0 }
    }

    fn doubling(siting: Siting) -> Self {
        let [even, odd] = Doubling::new(siting).weights();
        let even = [&even[..], &[0.0]].concat();
        let odd = [&[0.0], &odd[..]].concat();
        Self { phases: vec![even, odd], radius: DOUBLING_REACH }
    }

    /// Catmull-Rom by a whole factor.
    fn enlarging(factor: usize) -> Self {
        if factor == 1 {
            return Self::as_it_is();
        }
        let radius = ENLARGING_REACH as i32;
        let phase = |i: usize| {
            let place = (i as f32 + 0.5) / factor as f32 - 0.5;
            (-radius..=radius).map(|tap| catmull_rom(tap as f32 - place)).collect()
        };
        Self { phases: (0..factor).map(phase).collect(), radius: ENLARGING_REACH }
    }
}

fn catmull_rom(x: f32) -> f32 {
    match x.abs() {
        x if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
        x if x < 2.0 => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
        _ => 0.0,
    }
}

/// From chroma to full size, and through `matrix`. Outputs are the phases of each channel, row by row; the picture must have
/// [`DOUBLING_REACH`] samples more on each side of an axis that is doubled.
pub(super) fn doubling(subsampling: (u32, u32), site: ChromaSite, matrix: &Matrix) -> Conv {
    let axis = |is_halved: bool, siting| {
        if is_halved { Axis::doubling(siting) } else { Axis::as_it_is() }
    };
    let rows = axis(subsampling.1 > 0, site.vertical);
    let columns = axis(subsampling.0 > 0, site.horizontal);
    let (weights, outputs) = phases(&rows, &columns, matrix);
    Conv {
        kernel: [2 * rows.radius + 1, 2 * columns.radius + 1],
        strides: [1, 1],
        pads: [0; 4],
        weights,
        bias: vec![0.0; outputs],
    }
}

/// Two channels enlarged by `factor`; outputs are the phases of each, row by row.
pub(super) fn enlarging(factor: usize) -> Conv {
    let axis = Axis::enlarging(factor);
    let (weights, outputs) = phases(&axis, &axis, &identity(2));
    Conv {
        kernel: [2 * axis.radius + 1; 2],
        strides: [1, 1],
        pads: [axis.radius; 4],
        weights,
        bias: vec![0.0; outputs],
    }
}

fn phases(rows: &Axis, columns: &Axis, matrix: &Matrix) -> (Vec<f32>, usize) {
    let mut weights = Vec::new();
    for channel in matrix {
        for (row, column) in
            rows.phases.iter().flat_map(|row| columns.phases.iter().map(move |c| (row, c)))
        {
            for factor in channel {
                weights.extend(row.iter().flat_map(|y| column.iter().map(move |x| factor * y * x)));
            }
        }
    }
    (weights, matrix.len() * rows.phases.len() * columns.phases.len())
}

/// Through `matrix`, and from full size to chroma. Beyond the picture's edge chroma is neutral.
pub(super) fn halving(subsampling: (u32, u32), site: ChromaSite, matrix: &Matrix) -> Conv {
    let axis = |is_halved: bool, siting| match is_halved {
        true => (Halving::new(siting).weights().to_vec(), 2, HALVING_REACH),
        false => (vec![1.0], 1, 0),
    };
    let (rows, down, above) = axis(subsampling.1 > 0, site.vertical);
    let (columns, across, left) = axis(subsampling.0 > 0, site.horizontal);
    let mut weights = Vec::new();
    for factor in matrix.iter().flatten() {
        weights.extend(rows.iter().flat_map(|y| columns.iter().map(move |x| factor * y * x)));
    }
    Conv {
        kernel: [rows.len(), columns.len()],
        strides: [down, across],
        pads: [above, left, above, left],
        weights,
        bias: vec![0.0; matrix.len()],
    }
}

/// A matrix alone.
pub(super) fn mixing(matrix: &Matrix) -> Conv {
    Conv {
        kernel: [1, 1],
        strides: [1, 1],
        pads: [0; 4],
        weights: matrix.concat(),
        bias: vec![0.0; matrix.len()],
    }
}

pub(super) fn identity(n: usize) -> Matrix {
    (0..n).map(|i| (0..n).map(|j| f32::from(u8::from(i == j))).collect()).collect()
}
