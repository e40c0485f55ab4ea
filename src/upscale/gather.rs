//! Cuts a tile out of a picture and writes it as the network wants it.

use half::f16;
use rayon::prelude::*;

use super::geometry::{Rect, mirror};
use super::picture::Plane;
use super::tensor::{Layout, Samples, Tensor};
use crate::engine::ValueRange;

/// Writes the part `rect` of the padded frame into batch slot `slot` of `tensor`, a channel a plane.
///
/// `rect` is in pixels of the padded frame, which begins `border` pixels left of and above the picture; what lies outside the
/// picture is its half-sample mirror image. `planes` are as many as `tensor` has channels, all of one size; `rect` has the
/// tensor's width and height.
pub fn gather(
    planes: &[&Plane],
    border: usize,
    rect: Rect,
    range: ValueRange,
    tensor: &mut Tensor,
    slot: usize,
) {
    let (factor, offset) = range.from_unit();
    let scaled = |v: f32| v * factor + offset;
    let (shape, layout) = (tensor.shape, tensor.layout);
    let slot_len = shape.channels * shape.height * shape.width;
    let slot = slot * slot_len..(slot + 1) * slot_len;
    let rows = Rows::new(planes, border, rect);
    match &mut tensor.samples {
        Samples::F32(s) => rows.write(&mut s[slot], layout, scaled),
        Samples::F16(s) => rows.write(&mut s[slot], layout, |v| f16::from_f32(scaled(v))),
        // `as` saturates: what lies outside the range is clamped.
        Samples::U8(s) => rows.write(&mut s[slot], layout, |v| scaled(v).round() as u8),
    }
}

/// Rows of the padded frame.
struct Rows<'a> {
    planes: &'a [&'a Plane],
    rect: Rect,
    border: isize,
    /// Column of the picture that is seen at each column of the tile.
    columns: Vec<usize>,
}

impl<'a> Rows<'a> {
    fn new(planes: &'a [&'a Plane], border: usize, rect: Rect) -> Self {
        let (border, width) = (border as isize, planes[0].size().width);
        let columns =
            (0..rect.width).map(|i| mirror((rect.x + i) as isize - border, width)).collect();
        Self { planes, rect, border, columns }
    }

    /// Row `y` of the tile in channel `c`.
    fn row(&self, c: usize, y: usize) -> &'a [f32] {
        let plane = self.planes[c];
        plane.row(mirror((self.rect.y + y) as isize - self.border, plane.size().height))
    }

    fn write<T: Copy + Send>(
        &self,
        dst: &mut [T],
        layout: Layout,
        convert: impl Fn(f32) -> T + Sync,
    ) {
        let (channels, width, height) = (self.planes.len(), self.rect.width, self.rect.height);
        match layout {
            Layout::Nchw => dst.par_chunks_exact_mut(width).enumerate().for_each(|(i, dst)| {
                let src = self.row(i / height, i % height);
                for (d, &x) in dst.iter_mut().zip(&self.columns) {
                    *d = convert(src[x]);
                }
            }),
            Layout::Nhwc => {
                dst.par_chunks_exact_mut(width * channels).enumerate().for_each(|(y, dst)| {
                    for c in 0..channels {
                        let src = self.row(c, y);
                        for (d, &x) in dst[c..].iter_mut().step_by(channels).zip(&self.columns) {
                            *d = convert(src[x]);
                        }
                    }
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upscale::{Element, Shape, Size};

    fn ramp(size: Size) -> Plane {
        let mut plane = Plane::new(size);
        for (i, s) in plane.samples_mut().iter_mut().enumerate() {
            *s = i as f32 / 255.0;
        }
        plane
    }

    fn tile(layout: Layout, element: Element) -> Tensor {
        Tensor::zeros(Shape { batch: 2, channels: 2, height: 3, width: 4 }, layout, element)
    }

    #[test]
    fn outside_the_picture_is_its_mirror_image() {
        let plane = ramp(Size::new(3, 2));
        let mut tensor = tile(Layout::Nchw, Element::U8);
        gather(&[&plane, &plane], 1, Rect::new(0, 0, 4, 3), ValueRange::Byte, &mut tensor, 1);
        let Samples::U8(samples) = &tensor.samples else { unreachable!() };
        assert_eq!(samples[..24], [0; 24], "the other slot is untouched");
        assert_eq!(samples[24..36], [0, 0, 1, 2, 0, 0, 1, 2, 3, 3, 4, 5]);
    }

    #[test]
    fn nhwc_interleaves_channels_and_ranges_are_applied() {
        let (a, b) = (ramp(Size::new(4, 3)), Plane::new(Size::new(4, 3)));
        let mut tensor = tile(Layout::Nhwc, Element::F32);
        gather(&[&a, &b], 0, Rect::new(0, 0, 4, 3), ValueRange::Signed, &mut tensor, 0);
        let Samples::F32(samples) = &tensor.samples else { unreachable!() };
        assert_eq!(samples[..4], [-1.0, -1.0, 2.0 / 255.0 - 1.0, -1.0]);
    }
}
