//! The kernels: a run of tiles of one layer, from the rows that it reads to the rows that it makes. Compiled once for each kind of
//! processor.
//!
//! Channels of a pixel lie side by side, so that a vector holds channels: transformations are the same for all of them, and a
//! product is a matrix of tiles and channels by a matrix of channels and outputs, one for each of the 36 points.

use super::super::simd::{Plain, Vector};
use super::transform::{self, POINTS, TILE, WINDOW};

/// Kernels for one kind of processor.
#[derive(Clone, Copy)]
pub(in super::super) struct Kernels {
    /// Short name, to be asked for by.
    pub nick: &'static str,
    /// The processor's instructions, as people call them.
    pub name: &'static str,
    /// Channels are stored in multiples of this.
    pub lanes: usize,
    convolve: unsafe fn(&mut Scratch, &Weights, [&[f32]; WINDOW], &mut Out, usize),
}

/// A layer's weights, as the kernels read them.
pub(super) struct Weights {
    /// Channels that are read.
    pub inputs: usize,
    /// Floats of a pixel that is read: `inputs`, up to whole vectors.
    pub input_step: usize,
    /// Floats of a pixel that is made.
    pub output_step: usize,
    /// As (point, input, output).
    pub filters: Vec<f32>,
    /// By output.
    pub bias: Vec<f32>,
    /// What negative sums are multiplied with, by output.
    pub slopes: Vec<f32>,
}

/// The four rows of a run of tiles; those that lie beyond the picture are not made.
pub(super) type Out<'a> = [Option<&'a mut [f32]>; TILE];

/// Tiles that are multiplied at a time: with two vectors of outputs, or four, as many sums as registers hold.
pub(super) const HEIGHT: usize = 6;

/// Tiles on their way: transformed, then multiplied, as (point, tile, channel).
#[derive(Default)]
pub(super) struct Scratch {
    points: Vec<f32>,
    products: Vec<f32>,
}

impl Kernels {
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
        let Weights { inputs, input_step, output_step, filters, bias, slopes } = weights;
        let tiles = width.div_ceil(TILE);
        let needed = (tiles * TILE + 2) * input_step;
        assert!(rows.iter().all(|row| row.len() >= needed));
        assert!(out.iter().flatten().all(|row| row.len() >= width * output_step));
        assert!(input_step.is_multiple_of(self.lanes) && output_step.is_multiple_of(self.lanes));
        assert!(inputs <= input_step && filters.len() == POINTS * inputs * output_step);
        assert!(bias.len() == *output_step && slopes.len() == *output_step);
        let held = POINTS * tiles.next_multiple_of(HEIGHT);
        if scratch.points.len() < held * input_step {
            scratch.points.resize(held * input_step, 0.0);
        }
        if scratch.products.len() < held * output_step {
            scratch.products.resize(held * output_step, 0.0);
        }
        // SAFETY: whoever made `self` saw that the processor has the instructions. All lengths were looked at above.
        unsafe { (self.convolve)(scratch, weights, rows, out, width) }
    }
}

/// # Safety
/// The processor must have the instructions of `V`, and lengths be as [`Kernels::convolve`] looks at them.
#[inline(always)]
unsafe fn convolve<V: Vector>(
    scratch: &mut Scratch,
    weights: &Weights,
    rows: [&[f32]; WINDOW],
    out: &mut Out,
    width: usize,
) {
    let Weights { inputs, input_step, output_step, filters, bias, slopes } = weights;
    let tiles = width.div_ceil(TILE);
    let held = tiles.next_multiple_of(HEIGHT);
    let (points, products) = (scratch.points.as_mut_ptr(), scratch.products.as_mut_ptr());
    for t in 0..tiles {
        for c in (0..*input_step).step_by(V::LANES) {
            // SAFETY: the caller's promise; so in this whole file.
            unsafe {
                let mut at = [std::ptr::null(); WINDOW];
                for i in 0..WINDOW {
                    at[i] = rows[i].as_ptr().add(t * TILE * input_step + c);
                }
                let to = points.add(t * input_step + c);
                transform::window::<V>(at, *input_step, to, held * input_step);
            }
        }
    }
    for point in 0..POINTS {
        let filters = &filters[point * inputs * output_step..][..inputs * output_step];
        // SAFETY: as above.
        unsafe {
            let points = points.add(point * held * input_step);
            let products = products.add(point * held * output_step);
            for t in (0..tiles).step_by(HEIGHT) {
                let from = points.add(t * input_step);
                multiply::<V>(from, weights, filters, products.add(t * output_step));
            }
        }
    }
    for t in 0..tiles {
        let columns = TILE.min(width - t * TILE);
        for c in (0..*output_step).step_by(V::LANES) {
            // SAFETY: as above.
            unsafe {
                let from = products.add(t * output_step + c);
                let sums = transform::tile::<V>(from, held * output_step);
                let (bias, slope) =
                    (V::load(bias.as_ptr().add(c)), V::load(slopes.as_ptr().add(c)));
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

/// Products of [`HEIGHT`] tiles with the filters of one point.
#[inline(always)]
unsafe fn multiply<V: Vector>(from: *const f32, weights: &Weights, filters: &[f32], to: *mut f32) {
    let mut first = 0;
    while first < weights.output_step {
        let left = (weights.output_step - first) / V::LANES;
        // SAFETY: as above.
        unsafe {
            let (filters, to) = (filters.as_ptr().add(first), to.add(first));
            let across = match (V::MANY_REGISTERS, left) {
                (true, 4..) => block::<V, 4>(from, weights, filters, to),
                (true, 3) => block::<V, 3>(from, weights, filters, to),
                (_, 2..) => block::<V, 2>(from, weights, filters, to),
                _ => block::<V, 1>(from, weights, filters, to),
            };
            first += across * V::LANES;
        }
    }
}

/// Products of [`HEIGHT`] tiles with `ACROSS` vectors of outputs, which are given back.
#[inline(always)]
unsafe fn block<V: Vector, const ACROSS: usize>(
    from: *const f32,
    weights: &Weights,
    filters: *const f32,
    to: *mut f32,
) -> usize {
    // SAFETY: as above.
    unsafe {
        let mut sums = [[V::splat(0.0); ACROSS]; HEIGHT];
        for k in 0..weights.inputs {
            let at = filters.add(k * weights.output_step);
            let mut outputs = [V::splat(0.0); ACROSS];
            for i in 0..ACROSS {
                outputs[i] = V::load(at.add(i * V::LANES));
            }
            for t in 0..HEIGHT {
                let point = V::splat(*from.add(t * weights.input_step + k));
                for i in 0..ACROSS {
                    sums[t][i] = point.mul_add(outputs[i], sums[t][i]);
                }
            }
        }
        for t in 0..HEIGHT {
            for i in 0..ACROSS {
                sums[t][i].store(to.add(t * weights.output_step + i * V::LANES));
            }
        }
    }
    ACROSS
}

/// Compiles the kernels with `features` of the processor.
macro_rules! kernels {
    ($constant:ident, $function:ident, $features:literal, $vector:ty, $nick:literal, $name:literal) => {
        #[target_feature(enable = $features)]
        fn $function(
            scratch: &mut Scratch,
            weights: &Weights,
            rows: [&[f32]; WINDOW],
            out: &mut Out,
            width: usize,
        ) {
            // SAFETY: the instructions are there, as this function's features say; `Kernels` looked at the lengths.
            unsafe { convolve::<$vector>(scratch, weights, rows, out, width) }
        }

        const $constant: Kernels =
            Kernels { nick: $nick, name: $name, lanes: <$vector>::LANES, convolve: $function };
    };
}

#[cfg(target_arch = "x86_64")]
kernels!(AVX512, avx512, "avx512f", super::super::simd::x86::Avx512, "avx512", "AVX-512");
#[cfg(target_arch = "x86_64")]
kernels!(AVX2, avx2, "avx2,fma", super::super::simd::x86::Avx2, "avx2", "AVX2");
#[cfg(target_arch = "aarch64")]
kernels!(NEON, neon, "neon", super::super::simd::neon::Neon, "neon", "NEON");

const PLAIN: Kernels = Kernels {
    nick: "plain",
    name: "plain Rust",
    lanes: Plain::LANES,
    // SAFETY: no special instructions; `Kernels` looked at the lengths.
    convolve: |scratch, weights, rows, out, width| unsafe {
        convolve::<Plain>(scratch, weights, rows, out, width);
    },
};

/// The fastest kernels of this processor, or those of the name given; `None` where it has none.
pub(in super::super) fn choose(name: Option<&str>) -> Option<Kernels> {
    available().into_iter().find(|kernels| name.is_none_or(|name| name == kernels.nick))
}

/// All kernels that this processor can run, the fastest first.
fn available() -> Vec<Kernels> {
    let mut all = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            all.push(AVX512);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            all.push(AVX2);
        }
    }
    #[cfg(target_arch = "aarch64")]
    all.push(NEON);
    all.push(PLAIN);
    all
}
