//! The kernels: a run of tiles of one layer, from the rows that it reads to the rows that it makes. Compiled once for each kind of
//! processor.
//!
//! Channels of a pixel lie side by side, so that a vector holds channels: transformations are the same for all of them, and a
//! product is a matrix of tiles and channels by a matrix of channels and outputs, one for each of the 36 points.

use super::super::simd::{Arithmetic, Vector};
use super::transform::{self, POINTS, TILE, WINDOW};
use crate::engine::Precision;

/// Kernels for one kind of processor.
#[derive(Clone, Copy)]
pub(in super::super) struct Kernels {
    /// Short name, to be asked for by.
    pub nick: &'static str,
    /// The processor's instructions, as people call them.
    pub name: &'static str,
    /// What is multiplied.
    pub precision: Precision,
    /// Channels are stored in multiples of this.
    pub lanes: usize,
    /// Channels of a cell of transformed tiles and filters: 1, or 2 that are multiplied at once.
    pub channels: usize,
    pub(super) convolve: unsafe fn(&mut Scratch, &Weights, [&[f32]; WINDOW], &mut Out, usize),
}

/// A layer's weights, as the kernels read them.
pub(super) struct Weights {
    /// Cells of a pixel that is read.
    pub cells: usize,
    /// Floats of a pixel that is read: its channels, up to whole vectors.
    pub input_step: usize,
    /// Floats of a pixel that is made.
    pub output_step: usize,
    /// Cells as (point, inputs of a cell, output).
    pub filters: Vec<f32>,
    /// By output.
    pub bias: Vec<f32>,
    /// What negative sums are multiplied with, by output.
    pub slopes: Vec<f32>,
}

/// The four rows of a run of tiles; those that lie beyond the picture are not made.
pub(super) type Out<'a> = [Option<&'a mut [f32]>; TILE];

/// Tiles that are multiplied at a time, at most: with two vectors of outputs, or four, as many sums as registers hold.
pub(super) const HEIGHT: usize = 6;

/// Tiles on their way: transformed, as (point, tile, cell), then multiplied, as (point, tile, channel).
#[derive(Default)]
pub(super) struct Scratch {
    points: Vec<f32>,
    products: Vec<f32>,
}

impl Kernels {
    /// Whether they are for processors that have nothing better.
    pub fn is_plain(&self) -> bool {
        self.nick == "plain"
    }

    /// Convolves a run of tiles. `rows` are the six rows that they look at, from one pixel left of the first tile on; `out` are
    /// the rows that are made, `width` pixels each.
    ///
    /// # Panics
    /// If a slice is too short.
    pub(super) fn convolve(
        &self,
        scratch: &mut Scratch,
        weights: &Weights,
        rows: [&[f32]; WINDOW],
        out: &mut Out,
        width: usize,
    ) {
        let Weights { cells, input_step, output_step, filters, bias, slopes } = weights;
        let tiles = width.div_ceil(TILE);
        let needed = (tiles * TILE + 2) * input_step;
        assert!(rows.iter().all(|row| row.len() >= needed));
        assert!(out.iter().flatten().all(|row| row.len() >= width * output_step));
        assert!(input_step.is_multiple_of(self.lanes) && output_step.is_multiple_of(self.lanes));
        assert!(cells * self.channels <= *input_step);
        assert!(filters.len() == POINTS * cells * output_step);
        assert!(bias.len() == *output_step && slopes.len() == *output_step);
        let points = POINTS * tiles * input_step;
        let products = POINTS * tiles * output_step;
        scratch.points.resize(scratch.points.len().max(points), 0.0);
        scratch.products.resize(scratch.products.len().max(products), 0.0);
        // SAFETY: whoever made `self` saw that the processor has the instructions. All lengths were looked at above.
        unsafe { (self.convolve)(scratch, weights, rows, out, width) }
    }
}

/// # Safety
/// The processor must have the instructions of `A`, and lengths be as [`Kernels::convolve`] looks at them.
#[inline(always)]
pub(super) unsafe fn convolve<A: Arithmetic>(
    scratch: &mut Scratch,
    weights: &Weights,
    rows: [&[f32]; WINDOW],
    out: &mut Out,
    width: usize,
) {
    let Weights { cells, input_step, output_step, filters, bias, slopes } = weights;
    let tiles = width.div_ceil(TILE);
    let per_cell = channels::<A>();
    let point_step = input_step / per_cell;
    let (point_distance, product_distance) = (tiles * point_step, tiles * output_step);
    let (points, products) = (scratch.points.as_mut_ptr(), scratch.products.as_mut_ptr());
    for t in 0..tiles {
        for c in (0..*input_step).step_by(A::Vector::LANES) {
            // SAFETY: the caller's promise; so in this whole file.
            unsafe {
                let mut at = [std::ptr::null(); WINDOW];
                for i in 0..WINDOW {
                    at[i] = rows[i].as_ptr().add(t * TILE * input_step + c);
                }
                let to = points.add(t * point_step + c / per_cell);
                transform::window::<A>(at, *input_step, to, point_distance);
            }
        }
    }
    for point in 0..POINTS {
        let filters = &filters[point * cells * output_step..][..cells * output_step];
        // SAFETY: as above.
        unsafe {
            let points = points.add(point * point_distance);
            let products = products.add(point * product_distance);
            let mut t = 0;
            while t < tiles {
                // Of about the same height, so that none is left with a single tile.
                let left = tiles - t;
                let height = left.div_ceil(left.div_ceil(HEIGHT));
                let (from, to) = (points.add(t * point_step), products.add(t * output_step));
                match height {
                    6 => multiply::<A, 6>(from, weights, filters, to),
                    5 => multiply::<A, 5>(from, weights, filters, to),
                    4 => multiply::<A, 4>(from, weights, filters, to),
                    3 => multiply::<A, 3>(from, weights, filters, to),
                    2 => multiply::<A, 2>(from, weights, filters, to),
                    _ => multiply::<A, 1>(from, weights, filters, to),
                }
                t += height;
            }
        }
    }
    for t in 0..tiles {
        let columns = TILE.min(width - t * TILE);
        for c in (0..*output_step).step_by(A::Vector::LANES) {
            // SAFETY: as above.
            unsafe {
                let from = products.add(t * output_step + c);
                let sums = transform::tile::<A::Vector>(from, product_distance);
                let (bias, slope) = (
                    A::Vector::load(bias.as_ptr().add(c)),
                    A::Vector::load(slopes.as_ptr().add(c)),
                );
                for y in 0..TILE {
                    let Some(row) = &mut out[y] else { continue };
                    for x in 0..TILE {
                        if x < columns {
                            let at = row.as_mut_ptr().add((t * TILE + x) * output_step + c);
                            activate(sums[y][x].plus(bias), slope).store(at);
                        }
                    }
                }
            }
        }
    }
}

/// `x` where positive, else `x` times `slope`.
#[inline(always)]
unsafe fn activate<V: Vector>(x: V, slope: V) -> V {
    // SAFETY: as above.
    unsafe {
        let zero = V::splat(0.0);
        x.at_most(zero).mul_add(slope, x.at_least(zero))
    }
}

/// Channels of a cell.
pub(super) const fn channels<A: Arithmetic>() -> usize {
    if A::IS_PAIRED { 2 } else { 1 }
}

/// Products of `TILES` tiles with the filters of one point.
#[inline(always)]
unsafe fn multiply<A: Arithmetic, const TILES: usize>(
    from: *const f32,
    weights: &Weights,
    filters: &[f32],
    to: *mut f32,
) {
    let mut first = 0;
    while first < weights.output_step {
        let left = (weights.output_step - first) / A::Vector::LANES;
        // SAFETY: as above.
        unsafe {
            let (filters, to) = (filters.as_ptr().add(first), to.add(first));
            let across = match (A::Vector::MANY_REGISTERS, left) {
                (true, 4..) => block::<A, TILES, 4>(from, weights, filters, to),
                (true, 3) => block::<A, TILES, 3>(from, weights, filters, to),
                (_, 2..) => block::<A, TILES, 2>(from, weights, filters, to),
                _ => block::<A, TILES, 1>(from, weights, filters, to),
            };
            first += across * A::Vector::LANES;
        }
    }
}

/// Products of `TILES` tiles with `ACROSS` vectors of outputs, which are given back.
#[inline(always)]
unsafe fn block<A: Arithmetic, const TILES: usize, const ACROSS: usize>(
    from: *const f32,
    weights: &Weights,
    filters: *const f32,
    to: *mut f32,
) -> usize {
    let point_step = weights.input_step / channels::<A>();
    // SAFETY: as above.
    unsafe {
        let mut sums = [[A::Vector::splat(0.0); ACROSS]; TILES];
        for cell in 0..weights.cells {
            let at = filters.add(cell * weights.output_step);
            let mut outputs = [A::cells(at); ACROSS];
            for i in 1..ACROSS {
                outputs[i] = A::cells(at.add(i * A::Vector::LANES));
            }
            for t in 0..TILES {
                let point = A::weight(from.add(t * point_step + cell));
                for i in 0..ACROSS {
                    sums[t][i] = A::accumulate(sums[t][i], outputs[i], point);
                }
            }
        }
        for t in 0..TILES {
            for i in 0..ACROSS {
                sums[t][i].store(to.add(t * weights.output_step + i * A::Vector::LANES));
            }
        }
    }
    ACROSS
}
