//! What is done to the upscaled picture before it becomes a frame: strength and sharpness.

use rayon::prelude::*;

use super::geometry::mirror;
use super::picture::Plane;

/// What is done to the network's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// 1 is the network alone, 0 is Catmull-Rom alone.
    pub strength: f32,
    /// Below 0 softer, above 0 sharper; -1 to 1.
    pub sharpness: f32,
}

impl Default for Finish {
    fn default() -> Self {
        Self { strength: 1.0, sharpness: 0.0 }
    }
}

impl Finish {
    /// Whether the result is left as it is.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// Mixes `plane` with `base` (of the same size): `strength` 1 leaves it, 0 makes it the base.
pub fn mix(plane: &mut Plane, base: &Plane, strength: f32) {
    let base = base.samples();
    plane.samples_mut().par_chunks_mut(1 << 14).zip(base.par_chunks(1 << 14)).for_each(
        |(plane, base)| {
            for (p, b) in plane.iter_mut().zip(base) {
                *p = b + (*p - b) * strength;
            }
        },
    );
}

/// Sharpens (0 to 1) or softens (-1 to 0) a plane; 0 leaves it as it is. `scratch` is reused between calls.
///
/// Softening is a Gaussian of sigma `-sharpness / 2` px. Sharpening is an unsharp mask limited to what the 3x3
/// neighbourhood holds, so that lines get steeper but no halo appears.
pub fn sharpen(plane: &mut Plane, sharpness: f32, scratch: &mut Plane) {
    if sharpness == 0.0 {
        return;
    }
    scratch.resize(plane.size());
    if sharpness < 0.0 {
        let sigma = -0.5 * sharpness;
        let weight = |d: f32| (-d * d / (2.0 * sigma * sigma)).exp();
        let side = weight(1.0) / (1.0 + 2.0 * weight(1.0) + 2.0 * weight(2.0));
        let far = weight(2.0) / (1.0 + 2.0 * weight(1.0) + 2.0 * weight(2.0));
        blur(plane, [far, side, 1.0 - 2.0 * (side + far), side, far], scratch);
    } else {
        limited_unsharp(plane, sharpness, scratch);
        std::mem::swap(plane, scratch);
    }
}

/// Separable 5-tap filter, with mirrored edges.
fn blur(plane: &mut Plane, taps: [f32; 5], scratch: &mut Plane) {
    let size = plane.size();
    let src = &*plane;
    scratch.samples_mut().par_chunks_mut(size.width).enumerate().for_each(|(y, dst)| {
        let row = src.row(y);
        for (x, d) in dst.iter_mut().enumerate() {
            let at = |k: usize| row[mirror(x as isize + k as isize - 2, size.width)];
            *d = (0..5).map(|k| taps[k] * at(k)).sum();
        }
    });
    let src = &*scratch;
    plane.samples_mut().par_chunks_mut(size.width).enumerate().for_each(|(y, dst)| {
        let rows: [&[f32]; 5] =
            std::array::from_fn(|k| src.row(mirror(y as isize + k as isize - 2, size.height)));
        for (x, d) in dst.iter_mut().enumerate() {
            *d = (0..5).map(|k| taps[k] * rows[k][x]).sum();
        }
    });
}

/// `dst = clamp(v + 2 * amount * (v - blurred v), least of 3x3, greatest of 3x3)`.
fn limited_unsharp(src: &Plane, amount: f32, dst: &mut Plane) {
    let size = src.size();
    dst.samples_mut().par_chunks_mut(size.width).enumerate().for_each(|(y, dst)| {
        let rows: [&[f32]; 3] =
            std::array::from_fn(|k| src.row(mirror(y as isize + k as isize - 1, size.height)));
        for (x, d) in dst.iter_mut().enumerate() {
            let columns =
                [mirror(x as isize - 1, size.width), x, mirror(x as isize + 1, size.width)];
            let (mut low, mut high, mut blurred) = (f32::INFINITY, f32::NEG_INFINITY, 0.0);
            for (row, wy) in rows.iter().zip([0.25, 0.5, 0.25]) {
                for (&column, wx) in columns.iter().zip([0.25, 0.5, 0.25]) {
                    let v = row[column];
                    (low, high) = (low.min(v), high.max(v));
                    blurred += wy * wx * v;
                }
            }
            let v = rows[1][x];
            *d = (v + 2.0 * amount * (v - blurred)).clamp(low, high);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upscale::Size;

    fn edge() -> Plane {
        let mut plane = Plane::new(Size::new(16, 8));
        for y in 0..8 {
            let row = plane.row_mut(y);
            row[7] = 0.3;
            row[8] = 0.7;
            row[9..].fill(1.0);
        }
        plane
    }

    #[test]
    fn sharpening_steepens_without_overshoot() {
        let (mut plane, mut scratch) = (edge(), Plane::default());
        sharpen(&mut plane, 1.0, &mut scratch);
        let row = plane.row(3);
        assert!(row[8] - row[7] > 0.45, "{row:?}");
        assert!(row.iter().all(|v| (0.0..=1.0).contains(v)));
    }

    #[test]
    fn softening_keeps_the_mean_and_flattens() {
        let (mut plane, mut scratch) = (edge(), Plane::default());
        let sum: f32 = plane.samples().iter().sum();
        sharpen(&mut plane, -1.0, &mut scratch);
        assert!((plane.samples().iter().sum::<f32>() - sum).abs() < 1e-3);
        assert!(plane.row(3)[8] - plane.row(3)[7] < 0.4);
    }

    #[test]
    fn strength_mixes() {
        let (mut plane, base) = (edge(), Plane::new(Size::new(16, 8)));
        mix(&mut plane, &base, 0.25);
        assert_eq!(plane.row(0)[15], 0.25);
    }
}
