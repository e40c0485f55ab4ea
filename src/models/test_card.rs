//! A picture to measure networks with: flat cells, gradients, thin dark lines and curves, as drawings have, and no two
//! places alike. The same picture everywhere, every time.

use half::f16;

use crate::engine::ValueRange;
use crate::upscale::{Element, Layout, Samples, Shape, Tensor};

/// Side of a cell in px; prime, so that it falls in step with no tile, stride or block.
const CELL: usize = 13;

/// A tensor that shows test picture number `seed` in the given form; each picture of a batch is another one.
pub fn test_picture(
    shape: Shape,
    layout: Layout,
    element: Element,
    range: ValueRange,
    seed: u32,
) -> Tensor {
    let mut tensor = Tensor::zeros(shape, layout, element);
    let (factor, offset) = range.from_unit();
    let value = |i: usize| {
        let (n, c, y, x) = place(i, shape, layout);
        sample(seed.wrapping_add(n as u32), c, y, x) * factor + offset
    };
    match &mut tensor.samples {
        Samples::F32(v) => v.iter_mut().enumerate().for_each(|(i, v)| *v = value(i)),
        Samples::F16(v) => v.iter_mut().enumerate().for_each(|(i, v)| *v = f16::from_f32(value(i))),
        Samples::U8(v) => v.iter_mut().enumerate().for_each(|(i, v)| *v = value(i).round() as u8),
    }
    tensor
}

/// Batch, channel, row and column of element `i`.
pub(super) fn place(i: usize, shape: Shape, layout: Layout) -> (usize, usize, usize, usize) {
    let [_, a, b, c] = shape.dims(layout);
    let (n, p, q, r) = (i / (a * b * c), i / (b * c) % a, i / c % b, i % c);
    match layout {
        Layout::Nchw => (n, p, q, r),
        Layout::Nhwc => (n, r, p, q),
    }
}

/// The sample of channel `c` at (`x`, `y`), 0..1.
pub fn sample(seed: u32, c: usize, y: usize, x: usize) -> f32 {
    let (cy, cx) = (y / CELL, x / CELL);
    let (dy, dx) = ((y % CELL) as f32, (x % CELL) as f32);
    let cell = hash(seed, cx as u32, cy as u32);
    let tone = |salt| (hash(cell, salt, c as u32) >> 8) as f32 / (1 << 24) as f32;
    let base = 0.1 + 0.8 * tone(0);
    // A line of ink through the cell, or part of a circle, one to two pixels wide.
    let ink = match cell % 4 {
        0 => (dx - dy).abs(),
        1 => (dx + 2.0 * dy - CELL as f32).abs() / 2.0,
        2 => (dx.hypot(dy) - 8.0).abs(),
        _ => f32::MAX,
    };
    let shade = match cell / 4 % 3 {
        0 => 0.0,
        1 => (tone(1) - 0.5) * dx / CELL as f32,
        _ => (tone(2) - 0.5) * dy / CELL as f32,
    };
    let grain = (hash(cell, x as u32, y as u32) % 17) as f32 / 1700.0;
    let paint = (base + shade + grain).clamp(0.0, 1.0);
    paint * (0.1 + 0.9 * (ink - 0.5).clamp(0.0, 1.0))
}

/// A well-mixed hash of three numbers (Murmur3's finaliser).
fn hash(a: u32, b: u32, c: u32) -> u32 {
    let mut h = a
        .wrapping_mul(0x9e37_79b1)
        .wrapping_add(b.wrapping_mul(0x85eb_ca77))
        .wrapping_add(c.wrapping_mul(0xc2b2_ae3d));
    for factor in [0x85eb_ca6b, 0xc2b2_ae35] {
        h = (h ^ (h >> 15)).wrapping_mul(factor);
    }
    h ^ (h >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_show_the_same_picture() {
        let shape = Shape { batch: 2, channels: 3, height: 5, width: 7 };
        let make = |layout| test_picture(shape, layout, Element::U8, ValueRange::Byte, 1);
        let (a, b) = (make(Layout::Nchw), make(Layout::Nhwc));
        let (Samples::U8(a), Samples::U8(b)) = (a.samples, b.samples) else { panic!() };
        for (i, &b) in b.iter().enumerate() {
            let (n, c, y, x) = place(i, shape, Layout::Nhwc);
            assert_eq!(b, a[((n * 3 + c) * 5 + y) * 7 + x]);
        }
    }

    #[test]
    fn pictures_differ_and_stay_in_range() {
        for i in 0..2000 {
            assert!((0.0..=1.0).contains(&sample(7, i % 3, i / 40, i % 40)));
        }
        let same =
            (0..900).filter(|i| sample(1, 0, i / 30, i % 30) == sample(2, 0, i / 30, i % 30));
        assert!(same.count() < 90);
    }
}
