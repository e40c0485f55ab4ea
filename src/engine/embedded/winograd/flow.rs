//! A picture through all layers, a band of rows at a time.
//!
//! Every layer is a row behind the one before it, as it looks one row ahead: so when the input is given so many rows, each layer
//! can make as many, and needs no more than the last two of what it read before. All threads work on one layer of one band.

use std::array;
use std::ops::Range;

use parking_lot::Mutex;
use rayon::prelude::*;

use super::chain::Chain;
use super::kernel::{HEIGHT, Kernels, Out, Scratch, Weights};
use super::tail::{self, Lines};
use super::transform::{POINTS, TILE, WINDOW};
use crate::engine::{Cancel, EngineError};
use crate::upscale::Size;

/// Bytes of transformed tiles that stay in a core's own cache.
const WORKING_SET: usize = 768 << 10;

/// Jobs for each thread in a layer of a band, at least: threads wait for the last one.
const JOBS: usize = 8;

/// The last rows of all features of a picture; memory that is used again for the next one.
#[derive(Default)]
pub(super) struct Features {
    size: Size,
    band: usize,
    rings: Vec<Ring>,
    /// What lies above and below the picture.
    zeros: Vec<f32>,
    /// One for each thread at work.
    scratch: Mutex<Vec<Scratch>>,
}

/// The last rows of a feature, each with a pixel of zeros on its left and zeros on its right up to whole tiles.
#[derive(Default)]
pub(super) struct Ring {
    /// Floats of a pixel.
    pub step: usize,
    samples: Vec<f32>,
    height: usize,
    stride: usize,
}

impl Ring {
    fn resize(&mut self, step: usize, width: usize, height: usize) {
        let stride = (width.next_multiple_of(TILE) + 2) * step;
        (self.step, self.height, self.stride) = (step, height, stride);
        self.samples.resize(stride * height, 0.0);
        for row in self.samples.chunks_exact_mut(stride) {
            row[..step].fill(0.0);
            row[(width + 1) * step..].fill(0.0);
        }
    }

    /// Row `y`, from the zeros on its left on.
    fn row(&self, y: usize) -> &[f32] {
        &self.samples[y % self.height * self.stride..][..self.stride]
    }

    /// The pixels of row `y`.
    pub fn pixels(&self, y: usize) -> &[f32] {
        &self.row(y)[self.step..]
    }
}

/// A run of tiles: where it lies and what it makes.
struct Job<'a> {
    y: isize,
    x: usize,
    width: usize,
    out: Out<'a>,
}

impl Features {
    fn resize(&mut self, chain: &Chain, size: Size) {
        let widest = chain.layers.iter().max_by_key(|layer| layer.input_step + layer.output_step);
        let runs = widest.map_or(1, |layer| size.width.div_ceil(run_width(layer)));
        let groups = (JOBS * rayon::current_num_threads()).div_ceil(runs);
        let band = (groups * TILE).min(size.height.next_multiple_of(TILE));
        if (size, band) == (self.size, self.band) {
            return;
        }
        (self.size, self.band) = (size, band);
        self.rings.resize_with(chain.layers.len() + 1, Ring::default);
        for (feature, ring) in self.rings.iter_mut().enumerate() {
            ring.resize(chain.step(feature), size.width, band + 2);
        }
        let longest = self.rings.iter().map(|ring| ring.stride).max().unwrap_or(0);
        self.zeros.resize(longest, 0.0);
    }

    /// The rows of `feature` that band `index` makes.
    fn rows(&self, index: usize, feature: usize) -> Range<usize> {
        let at = |band: usize| (band * self.band).saturating_sub(feature).min(self.size.height);
        at(index)..at(index + 1)
    }
}

/// Runs `chain` on `input`, its planes of `size`. `lines` are the places of the result, by row of the input.
///
/// # Errors
/// [`EngineError::Cancelled`].
pub(super) fn run(
    chain: &Chain,
    kernels: &Kernels,
    features: &mut Features,
    (input, size): (&[f32], Size),
    mut lines: Vec<Lines>,
    cancel: &Cancel,
) -> Result<(), EngineError> {
    features.resize(chain, size);
    let behind = chain.layers.len() + chain.reach;
    for band in 0..(size.height + behind).div_ceil(features.band) {
        fill(features, band, chain.channels, input);
        for feature in 1..=chain.layers.len() {
            if cancel.is_raised() {
                return Err(EngineError::Cancelled);
            }
            convolve(features, band, feature, &chain.layers[feature - 1], kernels);
        }
        let (rows, last) = (features.rows(band, behind), &features.rings[chain.layers.len()]);
        lines[rows.clone()]
            .par_iter_mut()
            .zip(rows)
            .for_each_init(tail::Work::default, |work, (lines, y)| {
                tail::finish(chain, (input, size), last, y, lines, work)
            });
    }
    Ok(())
}

/// Puts the input's channels side by side.
fn fill(features: &mut Features, band: usize, channels: usize, input: &[f32]) {
    let (rows, size) = (features.rows(band, 0), features.size);
    let ring = &mut features.rings[0];
    for y in rows {
        let row = &mut ring.samples[y % ring.height * ring.stride..][..ring.stride];
        for c in 0..channels {
            let plane = &input[c * size.area() + y * size.width..][..size.width];
            let pixels = row[ring.step..].chunks_exact_mut(ring.step);
            pixels.zip(plane).for_each(|(pixel, &sample)| pixel[c] = sample);
        }
    }
}

/// Makes the rows of `feature` that are due in `band`.
fn convolve(
    features: &mut Features,
    band: usize,
    feature: usize,
    layer: &Weights,
    kernels: &Kernels,
) {
    let rows = features.rows(band, feature);
    if rows.is_empty() {
        return;
    }
    // Tiles lie at the same places in all bands: where the rows of a band would begin if there were some above the picture.
    let first = (band * features.band) as isize - feature as isize;
    let Features { size, rings, zeros, scratch, .. } = features;
    let (read, made) = rings.split_at_mut(feature);
    let (read, made) = (&read[feature - 1], &mut made[0]);
    let jobs = jobs(made, rows, first, size.width, run_width(layer));
    jobs.into_par_iter().for_each(|Job { y, x, width, mut out }| {
        let rows: [&[f32]; WINDOW] = array::from_fn(|i| {
            let y = usize::try_from(y + i as isize - 1).ok().filter(|y| *y < size.height);
            &y.map_or(&zeros[..], |y| read.row(y))[x * read.step..]
        });
        let mut own = scratch.lock().pop().unwrap_or_default();
        kernels.convolve(&mut own, layer, rows, &mut out, width);
        scratch.lock().push(own);
    });
}

/// Cuts `rows` of a feature into runs of tiles, which begin at row `first`.
fn jobs(
    ring: &mut Ring,
    rows: Range<usize>,
    first: isize,
    width: usize,
    run: usize,
) -> Vec<Job<'_>> {
    let Ring { step, samples, height, stride } = ring;
    let mut slots: Vec<_> = samples.chunks_exact_mut(*stride).map(Some).collect();
    let mut jobs = Vec::new();
    let last = rows.end as isize;
    for y in (first..last).step_by(TILE) {
        let mut lines: [_; TILE] = array::from_fn(|i| {
            let row = usize::try_from(y + i as isize).ok().filter(|row| rows.contains(row))?;
            let pixels = &mut slots[row % *height].take()?[*step..][..width * *step];
            Some(pixels.chunks_mut(run * *step))
        });
        for x in (0..width).step_by(run) {
            let out = lines.each_mut().map(|line| line.as_mut().and_then(Iterator::next));
            jobs.push(Job { y, x, width: run.min(width - x), out });
        }
    }
    jobs
}

/// Pixels of a run of tiles that a core's own cache holds.
fn run_width(layer: &Weights) -> usize {
    let tile = 4 * POINTS * (layer.input_step + layer.output_step);
    (WORKING_SET / tile).max(HEIGHT) / HEIGHT * HEIGHT * TILE
}
