//! Puts tiles together again; here the seams vanish.
//!
//! Where a tile's context covers the network's receptive radius, neighbours agree on what they share, and each tile's owned
//! pixels are simply copied. Where it does not, neighbours are cross-faded: a half-sine ramp over the middle half of what two
//! tiles share, as chaiNNer does, with the quarter next to each tile's edge (the worst part) thrown away. The ramps of two
//! neighbours add up to one.

use std::f32::consts::PI;
use std::ops::Range;

use rayon::prelude::*;

use super::patch::Target;
use super::picture::Plane;
use super::tensor::{Layout, Samples, Tensor};
use super::tile::{Axis, Tile, TilePlan};
use crate::engine::ValueRange;

/// How tiles are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Blend {
    /// Cross-fade where the halo is not exact; crop where it is.
    #[default]
    Feather,
    /// Crop at the middle of the overlap.
    Crop,
}

/// How much each tile gives to each pixel of the upscaled frame, by axis.
#[derive(Debug, Clone)]
pub struct Blender {
    x: Vec<Window>,
    y: Vec<Window>,
    faded: bool,
}

/// A tile's part of one axis of the upscaled frame.
#[derive(Debug, Clone, PartialEq)]
struct Window {
    /// Pixels of the upscaled frame.
    frame: Range<usize>,
    /// Pixel of the upscaled tile that falls on `frame.start`.
    offset: usize,
    /// Weight of each of these pixels.
    weights: Vec<f32>,
}

impl Blender {
    /// Windows for `plan`; `fade` where neighbours differ in what they share.
    pub fn new(plan: &TilePlan, fade: bool) -> Self {
        let windows = |axis: &Axis, len| windows(axis, plan, plan.scale.of(len), fade);
        Self {
            x: windows(&plan.x, plan.frame.width),
            y: windows(&plan.y, plan.frame.height),
            faded: fade,
        }
    }

    /// Prepares planes of the upscaled frame's size for a new frame.
    pub fn begin(&self, planes: &mut [Plane]) {
        if self.faded {
            planes.iter_mut().for_each(|p| p.samples_mut().fill(0.0));
        }
    }

    /// Adds batch slot `slot` of `tensor`, the network's result for `tile`, to `planes`, one a channel.
    ///
    /// Returns whether every sample was finite; what is not finite is written all the same.
    pub fn add(
        &self,
        tile: &Tile,
        tensor: &Tensor,
        slot: usize,
        range: ValueRange,
        planes: &mut [Plane],
    ) -> bool {
        let (wx, wy) = (&self.x[tile.column], &self.y[tile.row]);
        write(wx, wy, self.faded, tensor, slot, range, planes)
    }
}

/// Copies `tensor`, the network's result for a patch alone, to its `target` in `planes`, one a channel.
///
/// Returns whether every sample was finite.
pub fn place(target: &Target, tensor: &Tensor, range: ValueRange, planes: &mut [Plane]) -> bool {
    let Target { rect, left, top } = *target;
    let window = |start, len, offset| Window { frame: start..start + len, offset, weights: vec![] };
    let (wx, wy) = (window(rect.x, rect.width, left), window(rect.y, rect.height, top));
    write(&wx, &wy, false, tensor, 0, range, planes)
}

fn write(
    wx: &Window,
    wy: &Window,
    faded: bool,
    tensor: &Tensor,
    slot: usize,
    range: ValueRange,
    planes: &mut [Plane],
) -> bool {
    let (factor, offset) = range.to_unit();
    let len = tensor.shape.elements() / tensor.shape.batch;
    let slot = slot * len..(slot + 1) * len;
    let to = (wx, wy, faded);
    match &tensor.samples {
        Samples::F32(s) => write_samples(to, &s[slot], tensor, planes, |v| v * factor + offset),
        Samples::F16(s) => {
            write_samples(to, &s[slot], tensor, planes, |v| v.to_f32() * factor + offset)
        }
        Samples::U8(s) => {
            write_samples(to, &s[slot], tensor, planes, |v| f32::from(v) * factor + offset)
        }
    }
}

fn write_samples<T: Copy + Sync>(
    (wx, wy, faded): (&Window, &Window, bool),
    src: &[T],
    tensor: &Tensor,
    planes: &mut [Plane],
    convert: impl Fn(T) -> f32 + Sync,
) -> bool {
    let shape = tensor.shape;
    let (step, channel_step) = match tensor.layout {
        Layout::Nchw => (1, shape.height * shape.width),
        Layout::Nhwc => (shape.channels, 1),
    };
    planes.iter_mut().enumerate().all(|(c, plane)| {
        let width = plane.size().width;
        let rows = &mut plane.samples_mut()[wy.frame.start * width..wy.frame.end * width];
        rows.par_chunks_exact_mut(width)
            .enumerate()
            .map(|(i, row)| {
                let first = c * channel_step + ((wy.offset + i) * shape.width + wx.offset) * step;
                let src = src[first..].iter().step_by(step).map(|&v| convert(v));
                let dst = row[wx.frame.clone()].iter_mut();
                if faded {
                    let weight = wy.weights[i];
                    dst.zip(src).zip(&wx.weights).fold(true, |ok, ((d, v), w)| {
                        *d += v * (weight * w);
                        ok & v.is_finite()
                    })
                } else {
                    dst.zip(src).fold(true, |ok, (d, v)| {
                        *d = v;
                        ok & v.is_finite()
                    })
                }
            })
            .reduce(|| true, |a, b| a & b)
    })
}

/// The windows of one axis; `frame_len` is the upscaled frame's length.
fn windows(axis: &Axis, plan: &TilePlan, frame_len: usize, fade: bool) -> Vec<Window> {
    let out = |px: usize| plan.scale.of(px);
    let border = out(plan.border);
    // Half the width of the ramp around the cut before tile i, in output pixels. Two ramps of one tile must not meet.
    let owned = axis.spans.iter().map(|s| out(s.own_end) - out(s.own_start)).min().unwrap_or(0);
    let ramp = |i: usize| {
        let (before, after) = (axis.spans[i - 1].start + axis.tile, axis.spans[i]);
        let context = (after.own_start - after.start).min(before - after.own_start);
        if fade { (out(context) / 2).min(owned / 2) } else { 0 }
    };
    let count = axis.spans.len();
    axis.spans
        .iter()
        .enumerate()
        .map(|(i, span)| {
            let left = if i == 0 { 0 } else { ramp(i) };
            let right = if i + 1 == count { 0 } else { ramp(i + 1) };
            let (cut_left, cut_right) = (out(span.own_start), out(span.own_end));
            // From the padded frame to the frame proper; a tile that lies in the border alone gives nothing.
            let begin = (cut_left - left).max(border);
            let end = (cut_right + right).min(border + frame_len);
            if begin >= end {
                return Window { frame: 0..0, offset: 0, weights: Vec::new() };
            }
            let weights = (begin..end)
                .map(|x| rise(x, cut_left, left) * (1.0 - rise(x, cut_right, right)))
                .collect();
            Window { frame: begin - border..end - border, offset: begin - out(span.start), weights }
        })
        .collect()
}

/// Half-sine ramp from 0 to 1 over `half` pixels on both sides of `cut`, at the centre of pixel `x`.
fn rise(x: usize, cut: usize, half: usize) -> f32 {
    if x + half < cut {
        0.0
    } else if x >= cut + half {
        1.0
    } else {
        let t = (x + half - cut) as f32 + 0.5;
        0.5 - 0.5 * (PI * t / (2 * half) as f32).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upscale::gather::gather;
    use crate::upscale::tile::TileRequest;
    use crate::upscale::{Element, Ratio, Shape, Size};
    use proptest::prelude::*;

    fn plan(frame: Size, tile: usize, halo: usize, scale: Ratio, alignment: usize) -> TilePlan {
        let max_tile = Some(Size::new(tile, tile));
        TilePlan::new(
            frame,
            &TileRequest {
                max_tile,
                halo,
                border: 4,
                alignment,
                min_size: 1,
                fixed_width: None,
                fixed_height: None,
                scale,
            },
        )
    }

    /// Nearest-neighbour upscaling by 2, tile by tile.
    fn tiled_nearest(plan: &TilePlan, src: &Plane, fade: bool) -> Plane {
        let (size, layout) = (plan.tile_size(), Layout::Nchw);
        let shape = |s: Size| Shape { batch: 1, channels: 1, height: s.height, width: s.width };
        let mut input = Tensor::zeros(shape(size), layout, Element::F32);
        let mut output = Tensor::zeros(shape(size.scaled(plan.scale)), layout, Element::F32);
        let blender = Blender::new(plan, fade);
        let mut dst = Plane::new(plan.output_size());
        blender.begin(std::slice::from_mut(&mut dst));
        for tile in plan.tiles() {
            gather(&[src], plan.border, plan.rect(&tile), ValueRange::Unit, &mut input, 0);
            let (Samples::F32(i), Samples::F32(o)) = (&input.samples, &mut output.samples) else {
                unreachable!()
            };
            let width = size.width * 2;
            for (k, v) in o.iter_mut().enumerate() {
                *v = i[k / width / 2 * size.width + k % width / 2];
            }
            assert!(blender.add(
                &tile,
                &output,
                0,
                ValueRange::Unit,
                std::slice::from_mut(&mut dst)
            ));
        }
        dst
    }

    proptest! {
        #[test]
        fn weights_add_up_to_one(
            w in 1usize..200, tile in 1usize..120, halo in 0usize..33,
            scale in prop::sample::select(vec![(1, 1), (2, 1), (3, 2), (4, 1)]),
        ) {
            let plan = plan(Size::new(w, 1), tile, halo, Ratio::new(scale.0, scale.1).unwrap(), 1);
            for fade in [false, true] {
                let len = plan.output_size().width;
                let mut sum = vec![0.0f32; len];
                for window in Blender::new(&plan, fade).x {
                    for (x, w) in window.frame.zip(window.weights) {
                        sum[x] += w;
                    }
                }
                prop_assert!(sum.iter().all(|s| (s - 1.0).abs() < 1e-6), "{:?}", sum);
            }
        }

        #[test]
        fn tiles_of_a_local_filter_make_the_whole(w in 1usize..60, h in 1usize..60, tile in 1usize..40, halo in 0usize..20) {
            let mut src = Plane::new(Size::new(w, h));
            for (i, s) in src.samples_mut().iter_mut().enumerate() {
                *s = (i * 2654435761 % 1024) as f32;
            }
            let plan = plan(src.size(), tile, halo, Ratio::whole(2).unwrap(), 1);
            for fade in [false, true] {
                let dst = tiled_nearest(&plan, &src, fade);
                for y in 0..2 * h {
                    for x in 0..2 * w {
                        let want = src.row(y / 2)[x / 2];
                        prop_assert!((dst.row(y)[x] - want).abs() <= want * 1e-6);
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_is_reported() {
        let plan = plan(Size::new(2, 2), 64, 0, Ratio::ONE, 1);
        let size = plan.tile_size();
        let shape = Shape { batch: 1, channels: 1, height: size.height, width: size.width };
        let mut tensor = Tensor::zeros(shape, Layout::Nchw, Element::F32);
        let blender = Blender::new(&plan, false);
        let mut dst = Plane::new(Size::new(2, 2));
        let tile = plan.tiles().next().unwrap();
        assert!(blender.add(&tile, &tensor, 0, ValueRange::Unit, std::slice::from_mut(&mut dst)));
        let Samples::F32(s) = &mut tensor.samples else { unreachable!() };
        s[5 * size.width + 5] = f32::NAN;
        assert!(!blender.add(&tile, &tensor, 0, ValueRange::Unit, std::slice::from_mut(&mut dst)));
    }
}
