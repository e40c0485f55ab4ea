//! A picture through all layers, a band of rows at a time.
//!
//! Every layer is a row behind the one before it, as it looks one row ahead: so when the input is given so many rows, each layer
//! can make as many, and needs no more than the last two of what it read before. All threads work on one layer of one band.

use std::array;

use parking_lot::Mutex;
use rayon::prelude::*;

use super::chain::Chain;
use super::features::{Features, Made};
use super::kernel::{HEIGHT, Kernels, Run, Scratch, Weights};
use super::tail::{self, Lines};
use super::transform::TILE;
use crate::engine::{Cancel, EngineError};
use crate::upscale::Size;

/// Bytes of transformed tiles that stay in a core's own cache, beside filters.
const WORKING_SET: usize = 384 << 10;

/// Jobs for each thread in a layer of a band, at least: threads wait for the last one.
const JOBS: usize = 16;

/// Memory that is used again for the next picture.
#[derive(Default)]
pub(super) struct Memory {
    features: Features,
    /// One for each thread at work.
    scratch: Mutex<Vec<Scratch>>,
}

/// Runs `chain` on `input`, its planes of `size`. `lines` are the places of the result, by row of the input.
///
/// # Errors
/// [`EngineError::Cancelled`].
pub(super) fn run(
    chain: &Chain,
    kernels: &Kernels,
    Memory { features, scratch }: &mut Memory,
    (input, size): (&[f32], Size),
    mut lines: Vec<Lines>,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    let band = band_height(chain, size);
    features.resize(chain, size, band);
    for index in 0..(size.height + chain.behind()).div_ceil(band) {
        fill(features.make_input(chain, index), chain.channels, (input, size));
        for (weights, feature) in chain.layers.iter().zip(1..) {
            if cancel.is_raised() {
                return Err(EngineError::Cancelled);
            }
            let (read, made) = features.make(chain, index, feature);
            let runs = cut(made, run_width(weights));
            runs.into_par_iter().for_each(|Cut { y, x, width, out }| {
                let rows = array::from_fn(|i| &read.row(y + i as isize - 1)[x * read.step()..]);
                let mut own = scratch.lock().pop().unwrap_or_default();
                kernels.convolve(&mut Run { weights, rows, out, width }, &mut own);
                scratch.lock().push(own);
            });
        }
        let rows = features.rows(index, chain.behind());
        let last = features.read(chain, index, chain.layers.len());
        let places = lines[rows.clone()].par_iter_mut().zip(rows);
        places.for_each_init(tail::Work::default, |work, (lines, y)| {
            tail::finish(chain, (input, size), last, y, lines, work)
        });
    }
    Ok(())
}

/// Rows of a band: of the same height, and no more than one where that is enough.
fn band_height(chain: &Chain, size: Size) -> usize {
    let widest = chain.layers.iter().max_by_key(|layer| layer.tile_step());
    let runs = widest.map_or(1, |layer| size.width.div_ceil(run_width(layer)));
    let most = (JOBS * rayon::current_num_threads()).div_ceil(runs) * TILE;
    let all = size.height + chain.behind();
    all.div_ceil(all.div_ceil(most)).next_multiple_of(TILE)
}

/// Puts the channels of `input`, planes of `size`, side by side.
fn fill(made: Made, channels: usize, (input, size): (&[f32], Size)) {
    let (rows, step) = (made.rows.clone(), made.step());
    for (y, row) in rows.zip(made.pixels()) {
        for c in 0..channels {
            let plane = &input[c * size.area() + y * size.width..][..size.width];
            let pixels = row.chunks_exact_mut(step);
            pixels.zip(plane).for_each(|(pixel, &sample)| pixel[c] = sample);
        }
    }
}

/// A run of tiles: where it lies and what it makes.
struct Cut<'a> {
    y: isize,
    x: usize,
    width: usize,
    out: [Option<&'a mut [f32]>; TILE],
}

/// Cuts the rows of a feature into runs of tiles of `width`.
fn cut(made: Made<'_>, width: usize) -> Vec<Cut<'_>> {
    let (first, rows) = (made.first, made.rows.clone());
    let (step, whole) = (made.step(), made.width());
    let mut lines = made.pixels();
    let mut runs = Vec::new();
    for y in (first..rows.end as isize).step_by(TILE) {
        let mut lines: [_; TILE] = array::from_fn(|i| {
            let is_made = usize::try_from(y + i as isize).is_ok_and(|row| rows.contains(&row));
            let line = if is_made { lines.next() } else { None };
            line.map(|line| line.chunks_mut(width * step))
        });
        if lines.iter().all(Option::is_none) {
            continue;
        }
        for x in (0..whole).step_by(width) {
            let out = lines.each_mut().map(|line| line.as_mut().and_then(Iterator::next));
            runs.push(Cut { y, x, width: width.min(whole - x), out });
        }
    }
    runs
}

/// Pixels of a run of tiles that a core's own cache holds.
fn run_width(layer: &Weights) -> usize {
    let tile = size_of::<f32>() * layer.tile_step();
    (WORKING_SET / tile).max(HEIGHT) / HEIGHT * HEIGHT * TILE
}
