//! Cubic reduction by a fixed ratio, as a convolution.
//!
//! A `Resize` of mode cubic would say the same, but rten takes it for a linear one, and coordinates computed in floats make its
//! result depend on where a tile lies. The phases of a fixed ratio are constants: the same bits everywhere.

use anyhow::{Result, ensure};

use crate::models::onnx::{ConvShape, Graph, PadMode};

/// The cubic's free parameter, as ncnn and PyTorch have it.
const A: f64 = -0.75;

/// Shrinks three channels to `up / down` of their size, which must be a multiple of `down`; edges are repeated.
///
/// # Errors
/// If the ratio does not shrink.
pub fn resize(graph: &mut Graph, x: &str, up: usize, down: usize) -> Result<String> {
    ensure!(0 < up && up < down, "a cubic resize to {up}/{down} is not a reduction");
    let phases = phases(up, down);
    let kernel = phases[0].len();
    let plane: Vec<f32> = phases
        .iter()
        .flat_map(|rows| phases.iter().map(move |columns| (rows, columns)))
        .flat_map(|(rows, columns)| {
            rows.iter().flat_map(move |r| columns.iter().map(move |c| (r * c) as f32))
        })
        .collect();
    let weights = plane.repeat(3);
    let padded = graph.pad(x, PadMode::Edge, 1, kernel - down - 1);
    let shape = ConvShape { kernel, stride: down, pad: 0, group: 3 };
    let result = graph.conv(&padded, shape, &weights, &vec![0.0; 3 * up * up]);
    Ok(if up == 1 { result } else { graph.depth_to_space(&result, up) })
}

/// Weights of each of `up` output samples over the `down` input samples below them, one before, and those after.
fn phases(up: usize, down: usize) -> Vec<Vec<f64>> {
    let centre = |phase: usize| (phase as f64 + 0.5) * down as f64 / up as f64 - 0.5;
    let kernel = centre(up - 1).floor() as usize + 4;
    (0..up)
        .map(|phase| {
            let (first, t) = (centre(phase).floor() as usize, centre(phase).fract());
            let mut weights = vec![0.0; kernel];
            weights[first..first + 4].copy_from_slice(&[
                near(t + 1.0),
                near(t),
                near(1.0 - t),
                near(2.0 - t),
            ]);
            weights
        })
        .collect()
}

/// The cubic convolution kernel at distance `x` in 0..=2.
fn near(x: f64) -> f64 {
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        ((A * x - 5.0 * A) * x + 8.0 * A) * x - 4.0 * A
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_of_every_phase_sum_to_one() {
        for (up, down, kernel) in [(1, 2, 4), (3, 4, 6)] {
            let phases = phases(up, down);
            assert_eq!(phases.len(), up);
            for weights in phases {
                assert_eq!(weights.len(), kernel);
                assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn half_is_symmetric() {
        assert_eq!(phases(1, 2), [[-0.09375, 0.59375, 0.59375, -0.09375]]);
    }
}
