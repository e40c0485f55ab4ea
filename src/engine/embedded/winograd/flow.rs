//! A picture through all layers, a band of rows at a time.
//!
//! Every layer is a row behind the one before it, as it looks one row ahead: so when the input is given so many rows, each layer
//! can make as many, and needs no more than the last two of what it read before. All threads work on one layer of one band.
//! Layers write into two bands by turns; only the last rows of each, which the next band looks at, are kept.

use std::array;
use std::ops::Range;

use parking_lot::Mutex;
use rayon::prelude::*;

use super::super::aligned::Floats;
use super::chain::Chain;
use super::kernel::{HEIGHT, Kernels, Run, Scratch, Weights};
use super::tail::{self, Lines};
use super::transform::TILE;
use crate::engine::{Cancel, EngineError};
use crate::upscale::Size;

/// Bytes of transformed tiles that stay in a core's own cache, beside filters.
const WORKING_SET: usize = 384 << 10;

/// Jobs for each thread in a layer of a band, at least: threads wait for the last one.
const JOBS: usize = 16;

/// Rows at the end of a band that the next one looks at.
const BEHIND: usize = 2;

/// The newest rows of all features of a picture; memory that is used again for the next one.
#[derive(Default)]
pub(super) struct Features {
    size: Size,
    band: usize,
    /// Rows of the band that are not kept: of even features, and of odd ones.
    bands: [Floats; 2],
    /// By feature, the last rows of even bands, and those of odd ones.
    kept: Vec<[Floats; 2]>,
    /// What lies above and below the picture.
    zeros: Floats,
    /// One for each thread at work.
    scratch: Mutex<Vec<Scratch>>,
}

/// How rows of a feature lie in memory: each with a pixel of zeros on its left and zeros on its right up to whole tiles.
#[derive(Clone, Copy)]
struct Form {
    /// Floats of a pixel.
    step: usize,
    width: usize,
}

impl Form {
    /// Floats of a row.
    fn stride(self) -> usize {
        (self.width.next_multiple_of(TILE) + 2) * self.step
    }

    /// The pixels of `row`, with zeros around them from now on.
    fn framed(self, row: &mut [f32]) -> &mut [f32] {
        let (left, rest) = row.split_at_mut(self.step);
        let (pixels, right) = rest.split_at_mut(self.width * self.step);
        left.fill(0.0);
        right.fill(0.0);
        pixels
    }
}

/// The newest rows of a feature, to be read.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    form: Form,
    /// The first row of this band, and the first after it.
    made: (usize, usize),
    band: &'a [f32],
    /// The last rows of this band.
    kept: &'a [f32],
    /// The last rows of the band before.
    before: &'a [f32],
}

impl<'a> Rows<'a> {
    /// Row `y`, from the zeros on its left on.
    fn row(self, y: usize) -> &'a [f32] {
        let (first, end) = self.made;
        let (rows, i) = if y < first {
            (self.before, y + BEHIND - first)
        } else if y + BEHIND < end {
            (self.band, y - first)
        } else {
            (self.kept, y + BEHIND - end)
        };
        let stride = self.form.stride();
        &rows[i * stride..][..stride]
    }

    /// The pixels of row `y`.
    pub fn pixels(self, y: usize) -> &'a [f32] {
        &self.row(y)[self.form.step..]
    }

    /// Floats of a pixel.
    pub fn step(self) -> usize {
        self.form.step
    }
}

/// The rows of a feature that a band makes.
struct Made<'a> {
    form: Form,
    rows: Range<usize>,
    band: &'a mut [f32],
    /// Place of the last ones.
    kept: &'a mut [f32],
}

impl<'a> Made<'a> {
    /// All of them, in order, as pixels.
    fn pixels(self) -> impl Iterator<Item = &'a mut [f32]> {
        let (form, stride, count) = (self.form, self.form.stride(), self.rows.len());
        let passing = self.band.chunks_exact_mut(stride).take(count.saturating_sub(BEHIND));
        let last =
            self.kept.chunks_exact_mut(stride).take(BEHIND).skip(BEHIND.saturating_sub(count));
        passing.chain(last).map(move |row| form.framed(row))
    }
}

impl Features {
    fn resize(&mut self, chain: &Chain, size: Size) {
        let widest = chain.layers.iter().max_by_key(|layer| layer.tile_step());
        let runs = widest.map_or(1, |layer| size.width.div_ceil(run_width(layer)));
        let groups = (JOBS * rayon::current_num_threads()).div_ceil(runs);
        // Bands of the same height, and no more than one where that is enough.
        let all = size.height + chain.behind();
        self.band = all.div_ceil(all.div_ceil(groups * TILE)).next_multiple_of(TILE);
        self.size = size;
        self.kept.resize_with(chain.layers.len() + 1, Default::default);
        let mut longest = 0;
        for (feature, kept) in self.kept.iter_mut().enumerate() {
            let stride = Form { step: chain.step(feature), width: size.width }.stride();
            kept.iter_mut().for_each(|rows| rows.reserve(BEHIND * stride));
            longest = longest.max(stride);
        }
        self.bands.iter_mut().for_each(|band| band.reserve(self.band * longest));
        self.zeros.reserve(longest);
    }

    /// The rows of `feature` that band `index` makes.
    fn rows(&self, index: usize, feature: usize) -> Range<usize> {
        let at = |band: usize| (band * self.band).saturating_sub(feature).min(self.size.height);
        at(index)..at(index + 1)
    }

    fn form(&self, chain: &Chain, feature: usize) -> Form {
        Form { step: chain.step(feature), width: self.size.width }
    }

    /// `feature` as it is after band `index`.
    fn read(&self, chain: &Chain, index: usize, feature: usize) -> Rows<'_> {
        rows(
            self.form(chain, feature),
            self.rows(index, feature),
            &self.bands[feature % 2],
            (&self.kept[feature], index),
        )
    }

    /// The feature before `feature`, and what band `index` is to make of `feature`.
    fn make(&mut self, chain: &Chain, index: usize, feature: usize) -> (Rows<'_>, Made<'_>) {
        let (form, made) = (self.form(chain, feature), self.rows(index, feature));
        let before = (self.form(chain, feature - 1), self.rows(index, feature - 1));
        let [even, odd] = &mut self.bands;
        let (from, to) = if feature.is_multiple_of(2) { (odd, even) } else { (even, odd) };
        let (first, rest) = self.kept.split_at_mut(feature);
        let read = rows(before.0, before.1, from, (&first[feature - 1], index));
        (read, Made { form, rows: made, band: to, kept: &mut rest[0][index % 2] })
    }
}

/// Rows of a feature as they are after band `index`, which made the rows `made`.
fn rows<'a>(
    form: Form,
    made: Range<usize>,
    band: &'a [f32],
    (kept, index): (&'a [Floats; 2], usize),
) -> Rows<'a> {
    let (kept, before) = (&kept[index % 2], &kept[(index + 1) % 2]);
    Rows { form, made: (made.start, made.end), band, kept, before }
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
    let behind = chain.behind();
    for band in 0..(size.height + behind).div_ceil(features.band) {
        fill(features, chain, band, input);
        for feature in 1..=chain.layers.len() {
            if cancel.is_raised() {
                return Err(EngineError::Cancelled);
            }
            convolve(features, chain, band, feature, kernels);
        }
        let rows = features.rows(band, behind);
        let last = features.read(chain, band, chain.layers.len());
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
fn fill(features: &mut Features, chain: &Chain, band: usize, input: &[f32]) {
    let (size, form) = (features.size, features.form(chain, 0));
    let rows = features.rows(band, 0);
    let (to, kept) = (&mut features.bands[0], &mut features.kept[0][band % 2]);
    let made = Made { form, rows: rows.clone(), band: to, kept };
    for (y, row) in rows.zip(made.pixels()) {
        for c in 0..chain.channels {
            let plane = &input[c * size.area() + y * size.width..][..size.width];
            let pixels = row.chunks_exact_mut(form.step);
            pixels.zip(plane).for_each(|(pixel, &sample)| pixel[c] = sample);
        }
    }
}

/// Makes the rows of `feature` that are due in `band`.
fn convolve(
    features: &mut Features,
    chain: &Chain,
    band: usize,
    feature: usize,
    kernels: &Kernels,
) {
    // Tiles lie at the same places in all bands: where the rows of a band would begin if there were some above the picture.
    let first = (band * features.band) as isize - feature as isize;
    let (weights, size) = (&chain.layers[feature - 1], features.size);
    let zeros = std::mem::take(&mut features.zeros);
    let scratch = std::mem::take(&mut features.scratch);
    let (read, made) = features.make(chain, band, feature);
    let runs = cut(made, first, run_width(weights));
    runs.into_par_iter().for_each(|Cut { y, x, width, out }| {
        let rows = array::from_fn(|i| {
            let y = usize::try_from(y + i as isize - 1).ok().filter(|y| *y < size.height);
            &y.map_or(&zeros[..], |y| read.row(y))[x * read.step()..]
        });
        let mut own = scratch.lock().pop().unwrap_or_default();
        kernels.convolve(&mut Run { weights, rows, out, width }, &mut own);
        scratch.lock().push(own);
    });
    (features.zeros, features.scratch) = (zeros, scratch);
}

/// A run of tiles: where it lies and what it makes.
struct Cut<'a> {
    y: isize,
    x: usize,
    width: usize,
    out: [Option<&'a mut [f32]>; TILE],
}

/// Cuts the rows of a feature into runs of tiles of `width`, which begin at row `first`.
fn cut(made: Made<'_>, first: isize, width: usize) -> Vec<Cut<'_>> {
    let (rows, form) = (made.rows.clone(), made.form);
    let mut lines = made.pixels();
    let mut runs = Vec::new();
    for y in (first..rows.end as isize).step_by(TILE) {
        let mut lines: [_; TILE] = array::from_fn(|i| {
            let is_made = usize::try_from(y + i as isize).is_ok_and(|row| rows.contains(&row));
            let line = if is_made { lines.next() } else { None };
            line.map(|line| line.chunks_mut(width * form.step))
        });
        if lines.iter().all(Option::is_none) {
            continue;
        }
        for x in (0..form.width).step_by(width) {
            let out = lines.each_mut().map(|line| line.as_mut().and_then(Iterator::next));
            runs.push(Cut { y, x, width: width.min(form.width - x), out });
        }
    }
    runs
}

/// Pixels of a run of tiles that a core's own cache holds.
fn run_width(layer: &Weights) -> usize {
    let tile = size_of::<f32>() * layer.tile_step();
    (WORKING_SET / tile).max(HEIGHT) / HEIGHT * HEIGHT * TILE
}
