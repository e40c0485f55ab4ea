//! How far `Resize` and `Upsample` look.

use super::ops::{Call, Effect, spatial};
use super::trace::Value;
use crate::upscale::Ratio;

/// How output positions are turned into input positions, and how those are read.
struct Sampling {
    /// Whether sample centres lie at half pixels, rather than at whole ones.
    is_centred: bool,
    mode: Mode,
    antialias: bool,
}

#[derive(Clone, Copy)]
enum Mode {
    /// Rounded down, up or to the nearest.
    Nearest(Rounding),
    Linear,
    Cubic,
}

#[derive(Clone, Copy)]
enum Rounding {
    Down,
    Up,
    Near,
}

/// What `Resize` or `Upsample` gives; `None` where sizes are computed while it runs, or positions depend on the size.
pub(super) fn apply(call: &Call) -> Option<Effect> {
    let (value, grid) = call.picture()?;
    let sampling = Sampling::of(call)?;
    let scales = scales(call)?;
    let [y, x] = spatial(grid.layout).map(|place| scales.get(place).copied().and_then(ratio));
    let ratios = [y?, x?];
    // Resized channels or batches are no picture.
    let rest = (0..4).filter(|i| !spatial(grid.layout).contains(i));
    if rest.into_iter().any(|i| scales.get(i) != Some(&1.0)) {
        return None;
    }
    let steps = [inverse(ratios[0])?, inverse(ratios[1])?];
    let grid = grid.map(|i, axis| {
        let (from, to) = sampling.extent(ratios[i]);
        axis.read(steps[i], from, to)
    });
    Some(Value { grid: Some(grid), ..value.clone() }.into())
}

impl Sampling {
    fn of(call: &Call) -> Option<Self> {
        let attrs = call.attrs();
        // Before operator set 11 there was no choice: whole positions, rounded down.
        let is_old = call.opset < 11;
        let is_centred = match attrs.text("coordinate_transformation_mode", "half_pixel") {
            _ if is_old => false,
            "half_pixel" | "pytorch_half_pixel" => true,
            "asymmetric" => false,
            _ => return None,
        };
        let rounding = match attrs.text("nearest_mode", "round_prefer_floor") {
            _ if is_old => Rounding::Down,
            "floor" => Rounding::Down,
            "ceil" => Rounding::Up,
            _ => Rounding::Near,
        };
        let mode = match attrs.text("mode", "nearest") {
            "nearest" => Mode::Nearest(rounding),
            "linear" | "bilinear" => Mode::Linear,
            "cubic" => Mode::Cubic,
            _ => return None,
        };
        Some(Self { is_centred, mode, antialias: attrs.int("antialias", 0) != 0 })
    }

    /// First and last sample read by output 0, relative to it; the other outputs lie `1 / ratio` apart.
    fn extent(&self, ratio: Ratio) -> (f64, f64) {
        if ratio == Ratio::ONE {
            return (0.0, 0.0);
        }
        let r = ratio.as_f64();
        let origin = if self.is_centred { 0.5 / r - 0.5 } else { 0.0 };
        // Positions fall on a raster, so rounding down loses less than a whole sample.
        let raster = ratio.num() as f64 * if self.is_centred { 2.0 } else { 1.0 };
        let part = 1.0 - 1.0 / raster;
        let wide = if self.antialias && r < 1.0 { 1.0 / r } else { 1.0 };
        let (before, after) = match self.mode {
            Mode::Nearest(Rounding::Down) => (part, 0.0),
            Mode::Nearest(Rounding::Up) => (0.0, part),
            Mode::Nearest(Rounding::Near) => (0.5, 0.5),
            Mode::Linear if wide > 1.0 => (wide, wide),
            Mode::Linear => (part, part),
            Mode::Cubic if wide > 1.0 => (2.0 * wide, 2.0 * wide),
            Mode::Cubic => (1.0 + part, 1.0 + part),
        };
        (origin - before, origin + after)
    }
}

/// The factor of each of the four dimensions.
fn scales(call: &Call) -> Option<Vec<f64>> {
    let attrs = call.attrs();
    let place =
        if call.node.op_type.as_deref() == Some("Upsample") || call.opset < 11 { 1 } else { 2 };
    let numbers = call.constant(place).and_then(|c| c.values.clone());
    let scales = numbers.filter(|v| !v.is_empty()).or_else(|| attrs.floats("scales"))?;
    let Some(axes) = attrs.ints("axes").filter(|axes| !axes.is_empty()) else {
        return Some(scales);
    };
    let mut all = vec![1.0; 4];
    for (&axis, scale) in axes.iter().zip(scales) {
        let axis = if axis < 0 { axis + 4 } else { axis };
        *all.get_mut(usize::try_from(axis).ok()?)? = scale;
    }
    Some(all)
}

/// The fraction that a factor stands for: files hold 1.3333334 for 4/3.
fn ratio(factor: f64) -> Option<Ratio> {
    let den = (1..=64).find(|&den| {
        let num = factor * den as f64;
        (num - num.round()).abs() < 1e-5 * num.abs()
    })?;
    let num = (factor * den as f64).round();
    if (1.0..=4096.0).contains(&num) { Ratio::new(num as usize, den) } else { None }
}

fn inverse(ratio: Ratio) -> Option<Ratio> {
    Ratio::new(ratio.den(), ratio.num())
}
