//! What becomes of a row of the last feature: sub-pixels over the enlarged input, made smaller where the network does so.
//!
//! Of an enlarged row every `factor`-th sample, a phase, lies together: a window that moves by whole pixels reads them in order.

use multiversion::multiversion;

use super::chain::Chain;
use super::features::Rows;
use crate::smallnet::{Base, Reduction};
use crate::upscale::Size;

/// The places of a row's result: for each channel its lines, one after the other.
pub(super) type Lines<'a> = Vec<&'a mut [f32]>;

/// Pixels whose channels are taken apart at a time, while they are in the nearest cache.
const BLOCK: usize = 32;

/// What a thread keeps from row to row.
#[derive(Default)]
pub(super) struct Work {
    phases: Vec<f32>,
    sums: Vec<f32>,
}

/// Makes row `y` of the input, of the planes `input`, into `lines`.
pub(super) fn finish(
    chain: &Chain,
    (input, size): (&[f32], Size),
    last: Rows,
    y: usize,
    lines: &mut Lines,
    work: &mut Work,
) {
    let (factor, tail) = (chain.tail.factor, &chain.tail);
    // Enlarged rows that are looked at, and how many of them lie above the pixel's own.
    let (count, before) = match &tail.reduction {
        Some(reduction) => (factor - reduction.stride + reduction.side, reduction.before),
        None => (factor, 0),
    };
    let stride = size.width + 2;
    work.phases.resize(count * factor * stride, 0.0);
    for (channel, lines) in lines.iter_mut().enumerate() {
        for (i, phases) in work.phases.chunks_exact_mut(factor * stride).enumerate() {
            let row = (y * factor + i).saturating_sub(before);
            let row = row.min(size.height * factor - 1);
            let subpixels = &tail.subpixels[(channel * factor + row % factor) * factor..][..factor];
            let pixels = last.pixels(row / factor);
            take_apart(pixels, last.step(), subpixels, size.width, phases);
            if tail.base == Some(Base::Nearest) {
                let base =
                    &input[channel * size.area() + row / factor * size.width..][..size.width];
                let own = phases.chunks_exact_mut(stride);
                own.for_each(|phase| add_scaled(&mut phase[1..=size.width], base, 1.0));
            }
            repeat_edges(phases, stride);
        }
        match &tail.reduction {
            Some(reduction) => reduce(reduction, channel, factor, size.width, lines, work),
            None => put_together(factor, size.width, &work.phases, lines),
        }
        if let Some((low, high)) = tail.clip {
            lines.iter_mut().for_each(|sample| *sample = sample.clamp(low, high));
        }
    }
}

/// Channels `subpixels` of a row of pixels as phases, from their second sample on.
fn take_apart(pixels: &[f32], step: usize, subpixels: &[usize], width: usize, phases: &mut [f32]) {
    for x in (0..width).step_by(BLOCK) {
        let end = (x + BLOCK).min(width);
        let block = &pixels[x * step..end * step];
        for (phase, &subpixel) in phases.chunks_exact_mut(width + 2).zip(subpixels) {
            let samples = phase[x + 1..=end].iter_mut().zip(block.chunks_exact(step));
            samples.for_each(|(sample, pixel)| *sample = pixel[subpixel]);
        }
    }
}

/// Puts the row's first and last sample where a window looks beyond it.
fn repeat_edges(phases: &mut [f32], stride: usize) {
    let (first, last) = (phases[1], phases[phases.len() - 2]);
    for phase in phases.chunks_exact_mut(stride) {
        (phase[0], phase[stride - 1]) = (first, last);
    }
}

/// Enlarged rows, sample by sample.
fn put_together(factor: usize, width: usize, phases: &[f32], lines: &mut [f32]) {
    let rows =
        lines.chunks_exact_mut(width * factor).zip(phases.chunks_exact(factor * (width + 2)));
    for (line, phases) in rows {
        for (i, phase) in phases.chunks_exact(width + 2).enumerate() {
            let samples = line[i..].iter_mut().step_by(factor);
            samples.zip(&phase[1..]).for_each(|(sample, &value)| *sample = value);
        }
    }
}

/// What the windows make of enlarged rows.
fn reduce(
    reduction: &Reduction,
    channel: usize,
    factor: usize,
    width: usize,
    lines: &mut [f32],
    work: &mut Work,
) {
    let Reduction { stride, up, side, before, weights } = reduction;
    let scale = factor / stride * up;
    let phase = |row: usize, column: isize| {
        // One more than it is, so that it is never negative.
        let column = (column + factor as isize) as usize;
        let first = (row * factor + column % factor) * (width + 2) + column / factor;
        &work.phases[first..][..width]
    };
    work.sums.resize(width, 0.0);
    for (i, line) in lines.chunks_exact_mut(width * scale).enumerate() {
        for j in 0..scale {
            work.sums.fill(0.0);
            let first = ((channel * up + i % up) * up + j % up) * side * side;
            for (tap, &weight) in weights[first..][..side * side].iter().enumerate() {
                let row = i / up * stride + tap / side;
                let column = (j / up * stride + tap % side) as isize - *before as isize;
                add_scaled(&mut work.sums, phase(row, column), weight);
            }
            let samples = line[j..].iter_mut().step_by(scale);
            samples.zip(&work.sums).for_each(|(sample, &sum)| *sample = sum);
        }
    }
}

/// `sums + weight * samples`, sample by sample.
#[multiversion(targets("x86_64+avx512f+avx512bw+avx512dq+avx512vl", "x86_64+avx2"))]
fn add_scaled(sums: &mut [f32], samples: &[f32], weight: f32) {
    sums.iter_mut().zip(samples).for_each(|(sum, sample)| *sum += weight * sample);
}
