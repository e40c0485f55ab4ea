//! The kernels: a run of tiles of one layer, from the rows that it reads to the rows that it makes. Compiled once for each kind of
//! processor.
//!
//! Channels of a pixel lie side by side, so that a vector holds channels: transformations are the same for all of them, and a
//! product is a matrix of tiles and channels by a matrix of channels and outputs, one for each of the 36 points.

use super::super::aligned::Floats;
use super::super::simd::{Arithmetic, Vector, will_load, will_store};
use super::transform::{self, POINTS, TILE, WINDOW};

/// Kernels for one kind of processor.
#[derive(Clone, Copy)]
pub(super) struct Kernels {
    /// Channels are stored in multiples of this.
    pub lanes: usize,
    /// Channels of a cell of transformed tiles and filters: 1, or 2 that are multiplied at once.
    pub channels: usize,
    pub(super) convolve: unsafe fn(&mut Run, &mut Scratch),
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
    pub filters: Floats,
    /// By output.
    pub bias: Floats,
    /// What negative sums are multiplied with, by output.
    pub slopes: Floats,
}

impl Weights {
    /// Floats of a tile's point, before and after it is multiplied.
    fn point_step(&self) -> usize {
        self.input_step.max(self.output_step)
    }

    /// Floats of a tile's points.
    pub fn tile_step(&self) -> usize {
        POINTS * self.point_step()
    }
}

/// A run of tiles of one layer.
pub(super) struct Run<'a> {
    pub weights: &'a Weights,
    /// The rows that the tiles look at, from one pixel left of the first tile on.
    pub rows: [&'a [f32]; WINDOW],
    /// The rows that are made; those that lie beyond the picture are not.
    pub out: [Option<&'a mut [f32]>; TILE],
    /// Pixels of each.
    pub width: usize,
}

/// Tiles that are multiplied at a time, at most: with two vectors of outputs, or four, as many sums as registers hold.
pub(super) const HEIGHT: usize = 6;

/// Memory of a thread.
#[derive(Default)]
pub(super) struct Scratch {
    /// Tiles as (tile, point, cell), then, in the same place, their products as (tile, point, channel).
    points: Floats,
    /// The tiles that are multiplied, where their products do not come all at once.
    block: Floats,
}

impl Kernels {
    /// Convolves a run of tiles.
    ///
    /// # Panics
    /// If a slice is too short.
    pub(super) fn convolve(&self, run: &mut Run, scratch: &mut Scratch) {
        let Weights { cells, input_step, output_step, filters, bias, slopes } = run.weights;
        let tiles = run.width.div_ceil(TILE);
        let needed = (tiles * TILE + 2) * input_step;
        assert!(run.rows.iter().all(|row| row.len() >= needed));
        assert!(run.out.iter().flatten().all(|row| row.len() >= run.width * output_step));
        assert!(input_step.is_multiple_of(self.lanes) && output_step.is_multiple_of(self.lanes));
        assert!(cells * self.channels <= *input_step);
        assert!(filters.len() == POINTS * cells * output_step);
        assert!(bias.len() == *output_step && slopes.len() == *output_step);
        scratch.points.reserve(tiles * run.weights.tile_step());
        scratch.block.reserve(HEIGHT * run.weights.point_step());
        // SAFETY: whoever made `self` saw that the processor has the instructions. All lengths were looked at above.
        unsafe { (self.convolve)(run, scratch) }
    }
}

/// # Safety
/// The processor must have the instructions of `A`, and lengths be as [`Kernels::convolve`] looks at them; so for all that
/// follow.
#[inline(always)]
pub(super) unsafe fn convolve<A: Arithmetic>(run: &mut Run, scratch: &mut Scratch) {
    let tiles = run.width.div_ceil(TILE);
    let points = scratch.points.as_mut_ptr();
    // SAFETY: the caller's promise; so in this whole file.
    unsafe {
        for tile in 0..tiles {
            transform_tile::<A>(run, tile, points.add(tile * run.weights.tile_step()));
        }
        for point in 0..POINTS {
            multiply_point::<A>(run.weights, point, tiles, scratch);
        }
        for tile in 0..tiles {
            finish_tile::<A>(run, tile, points.add(tile * run.weights.tile_step()));
        }
    }
}

/// Puts what tile number `tile` looks at, transformed, into `points`.
///
/// # Safety
/// See [`convolve`].
#[inline(always)]
unsafe fn transform_tile<A: Arithmetic>(run: &Run, tile: usize, points: *mut f32) {
    let Weights { input_step, .. } = *run.weights;
    let is_last = (tile + 1) * TILE >= run.width;
    for c in (0..input_step).step_by(A::Vector::LANES) {
        // SAFETY: as above.
        unsafe {
            let mut rows = [std::ptr::null(); WINDOW];
            for y in 0..WINDOW {
                rows[y] = run.rows[y].as_ptr().add(tile * TILE * input_step + c);
            }
            // The next tile's columns come from afar: they were made by another layer's pass over the whole band.
            for x in WINDOW..WINDOW + TILE {
                for y in 0..WINDOW {
                    if !is_last {
                        will_load(rows[y].add(x * input_step));
                    }
                }
            }
            let to = points.add(c / channels::<A>());
            transform::window::<A>(rows, input_step, to, run.weights.point_step());
        }
    }
}

/// Multiplies one point of all tiles with its filters.
///
/// # Safety
/// See [`convolve`].
#[inline(always)]
unsafe fn multiply_point<A: Arithmetic>(
    weights: &Weights,
    point: usize,
    tiles: usize,
    scratch: &mut Scratch,
) {
    let length = weights.cells * weights.output_step;
    let filters = &weights.filters[point * length..][..length];
    let (tile_step, point_step) = (weights.tile_step(), weights.point_step());
    let mut tile = 0;
    while tile < tiles {
        // Of about the same height, so that none is left with a single tile.
        let left = tiles - tile;
        let height = left.div_ceil(left.div_ceil(HEIGHT));
        // SAFETY: as above.
        unsafe {
            let to = scratch.points.as_mut_ptr().add(tile * tile_step + point * point_step);
            let mut from = (to.cast_const(), tile_step);
            if weights.output_step > widest::<A>() {
                let block = scratch.block.as_mut_ptr();
                for i in 0..height {
                    let (tile, copy) = (to.add(i * tile_step), block.add(i * point_step));
                    std::ptr::copy_nonoverlapping(tile, copy, point_step);
                }
                from = (block, point_step);
            }
            match height {
                6 => multiply::<A, 6>(from, weights, filters, to),
                5 => multiply::<A, 5>(from, weights, filters, to),
                4 => multiply::<A, 4>(from, weights, filters, to),
                3 => multiply::<A, 3>(from, weights, filters, to),
                2 => multiply::<A, 2>(from, weights, filters, to),
                _ => multiply::<A, 1>(from, weights, filters, to),
            }
        }
        tile += height;
    }
}

/// Makes the output of tile number `tile` from its products.
///
/// # Safety
/// See [`convolve`].
#[inline(always)]
unsafe fn finish_tile<A: Arithmetic>(run: &mut Run, tile: usize, products: *const f32) {
    let Weights { output_step, bias, slopes, .. } = run.weights;
    let columns = TILE.min(run.width - tile * TILE);
    for c in (0..*output_step).step_by(A::Vector::LANES) {
        // SAFETY: as above.
        unsafe {
            let sums = transform::tile::<A::Vector>(products.add(c), run.weights.point_step());
            let bias = A::Vector::load(bias.as_ptr().add(c));
            let slope = A::Vector::load(slopes.as_ptr().add(c));
            for y in 0..TILE {
                let Some(row) = &mut run.out[y] else { continue };
                let to = row.as_mut_ptr().add(tile * TILE * output_step + c);
                for x in 0..TILE {
                    // Rows are long out of the cache when they are made again.
                    will_store(to.wrapping_add((TILE + x) * output_step));
                    if x < columns {
                        activate(sums[y][x].plus(bias), slope).store(to.add(x * output_step));
                    }
                }
            }
        }
    }
}

/// `x` where positive, else `x` times `slope`.
///
/// # Safety
/// See [`convolve`].
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

/// Outputs whose products are made at once.
const fn widest<A: Arithmetic>() -> usize {
    let across = if A::Vector::MANY_REGISTERS { 4 } else { 2 };
    across * A::Vector::LANES
}

/// Products of `TILES` tiles, which lie as far apart as `from` says, with the filters of one point.
///
/// # Safety
/// See [`convolve`].
#[inline(always)]
unsafe fn multiply<A: Arithmetic, const TILES: usize>(
    from: (*const f32, usize),
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
///
/// # Safety
/// See [`convolve`].
#[inline(always)]
unsafe fn block<A: Arithmetic, const TILES: usize, const ACROSS: usize>(
    (from, step): (*const f32, usize),
    weights: &Weights,
    filters: *const f32,
    to: *mut f32,
) -> usize {
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
                let point = A::weight(from.add(t * step + cell));
                for i in 0..ACROSS {
                    sums[t][i] = A::accumulate(sums[t][i], outputs[i], point);
                }
            }
        }
        for t in 0..TILES {
            for i in 0..ACROSS {
                sums[t][i].store(to.add(t * weights.tile_step() + i * A::Vector::LANES));
            }
        }
    }
    ACROSS
}
