//! The kernels: one row of one layer, of the input, or of the output. Generic over the arithmetic; compiled once for each.
//!
//! All data of a run lie in one slice, the arena, and a job names places in it. A row of a plane may be read one sample before
//! its first column and is written past its last, up to whole vectors ([`OVERRUN`]).

use super::lanes::{Arithmetic, Vector};
use crate::engine::Precision;
use crate::smallnet::{Activation, Base, Form};

/// How many samples past the last of a row may be read and written.
pub(super) const OVERRUN: usize = 72;

/// Kernels for one kind of processor.
#[derive(Clone, Copy)]
pub(in super::super) struct Kernels {
    /// Short name, to be asked for by.
    pub nick: &'static str,
    /// The processor's instructions, as people call them.
    pub name: &'static str,
    /// What features are stored in.
    pub precision: Precision,
    /// See [`Arithmetic::IS_PAIRED`].
    pub is_paired: bool,
    /// See [`Vector::MANY_REGISTERS`].
    pub many_registers: bool,
    pub(super) convolve: unsafe fn(&mut [f32], &ConvolveRow),
    pub(super) keep: unsafe fn(&mut [f32], &KeepRow),
    pub(super) finish: unsafe fn(&[f32], &mut [f32], &FinishRow),
}

/// One row of a layer's feature.
pub(super) struct ConvolveRow<'a> {
    /// First column of every row that is read: by plane, then for the rows above, at and below.
    pub taps: &'a [usize],
    /// 1 or 3.
    pub side: usize,
    /// Cells as (block of outputs, tap, column, output of the block).
    pub weights: &'a [f32],
    /// How many outputs are computed together, and that again for the next; each 4, 8 or 12.
    pub blocks: &'a [usize],
    /// One for each output of all blocks.
    pub bias: &'a [f32],
    pub activation: &'a Activation,
    /// First pair of channels of what is added.
    pub add: Option<usize>,
    pub outputs: usize,
    /// Where the outputs go as they are read again: form and first column of the first pair.
    pub forms: &'a [(Form, usize)],
    /// Where the outputs go as plain floats, a plane each.
    pub raw: Option<usize>,
    /// Distance of planes.
    pub stride: usize,
    /// Number of columns.
    pub width: usize,
}

/// One row of the input, stored as layers read it.
pub(super) struct KeepRow<'a> {
    /// First column of the first plane of floats; planes are even in number.
    pub raw: usize,
    pub channels: usize,
    pub forms: &'a [(Form, usize)],
    pub stride: usize,
    pub width: usize,
}

/// Rows of the output: all that one row of the input becomes.
pub(super) struct FinishRow<'a> {
    /// First column of the last layer's first plane.
    pub last: usize,
    /// First columns of the input's first plane, in the rows above, at and below.
    pub input: [usize; 3],
    pub stride: usize,
    pub width: usize,
    pub factor: usize,
    pub subpixels: &'a [usize],
    pub base: Option<Base>,
    pub clip: Option<(f32, f32)>,
    /// Distance of output rows; they lie by channel, then by row.
    pub out_stride: usize,
}

impl Kernels {
    /// How far a row of a feature of so many channels reaches, in floats.
    fn stored(&self, channels: usize, stride: usize, width: usize) -> usize {
        let pairs = channels.div_ceil(2);
        let planes = if self.is_paired { pairs } else { 2 * pairs };
        (planes.max(1) - 1) * stride + width + OVERRUN
    }

    /// Computes a row of a feature.
    ///
    /// # Panics
    /// If the job names a place that is not in the arena.
    pub(super) fn convolve(&self, arena: &mut [f32], row: &ConvolveRow) {
        let end = row.width + OVERRUN;
        let cells: usize = row.blocks.iter().sum();
        let whole = self.stored(row.outputs, row.stride, row.width);
        let raw = (row.outputs.next_multiple_of(2).max(1) - 1) * row.stride + end;
        assert!(row.taps.iter().all(|&tap| tap > 0 && tap + end <= arena.len()));
        assert!(row.forms.iter().map(|f| f.1).chain(row.add).all(|at| at + whole <= arena.len()));
        assert!(row.raw.is_none_or(|at| at + raw <= arena.len()));
        assert!(
            row.weights.len() == row.taps.len() * row.side * cells && matches!(row.side, 1 | 3)
        );
        assert!(row.bias.len() == cells && row.outputs <= cells);
        // SAFETY: whoever made `self` saw that the processor has the instructions. All places were looked at above.
        unsafe { (self.convolve)(arena, row) }
    }

    /// Stores a row of the input.
    ///
    /// # Panics
    /// As [`Kernels::convolve`].
    pub(super) fn keep(&self, arena: &mut [f32], row: &KeepRow) {
        let whole = self.stored(row.channels, row.stride, row.width);
        let raw = (row.channels.next_multiple_of(2).max(1) - 1) * row.stride + row.width + OVERRUN;
        assert!(row.forms.iter().all(|&(_, at)| at + whole <= arena.len()));
        assert!(row.raw + raw <= arena.len());
        // SAFETY: as above.
        unsafe { (self.keep)(arena, row) }
    }

    /// Computes rows of the output.
    ///
    /// # Panics
    /// As [`Kernels::convolve`].
    pub(super) fn finish(&self, arena: &[f32], out: &mut [f32], row: &FinishRow) {
        let end = row.width + OVERRUN;
        let rows = row.subpixels.len() / row.factor;
        let channels = rows / row.factor;
        assert!(
            row.subpixels.iter().all(|plane| row.last + plane * row.stride + end <= arena.len())
        );
        assert!(
            row.input
                .iter()
                .all(|&at| at > 0 && at + channels * row.stride <= arena.len() && end < row.stride)
        );
        assert!(
            (row.width + OVERRUN / 2) * row.factor <= row.out_stride
                && rows * row.out_stride <= out.len()
        );
        // SAFETY: as above.
        unsafe { (self.finish)(arena, out, row) }
    }
}

/// Compiles the kernels with `features` of the processor, as `module::KERNELS`.
macro_rules! kernels {
    ($module:ident, $features:literal, $arithmetic:ty, $nick:literal, $name:literal, $precision:expr) => {
        pub(super) mod $module {
            #![allow(unused_imports, reason = "not every kind names its arithmetic by all of them")]
            use super::*;
            use crate::engine::Precision;
            use crate::engine::embedded::streaming::kernel::{
                self, ConvolveRow, FinishRow, KeepRow, Kernels,
            };
            use crate::engine::embedded::streaming::lanes::{Arithmetic, Vector};

            /// May be used where the processor has these features.
            pub(in crate::engine::embedded::streaming) const KERNELS: Kernels = Kernels {
                nick: $nick,
                name: $name,
                precision: $precision,
                is_paired: <$arithmetic>::IS_PAIRED,
                many_registers: <$arithmetic as Arithmetic>::Vector::MANY_REGISTERS,
                convolve,
                keep,
                finish,
            };

            #[target_feature(enable = $features)]
            fn convolve(arena: &mut [f32], row: &ConvolveRow) {
                // SAFETY: the instructions are there, as this function's features say; `Kernels` checked the places.
                unsafe { kernel::convolve::<$arithmetic>(arena.as_mut_ptr(), row) }
            }

            #[target_feature(enable = $features)]
            fn keep(arena: &mut [f32], row: &KeepRow) {
                // SAFETY: as above.
                unsafe { kernel::keep::<$arithmetic>(arena.as_mut_ptr(), row) }
            }

            #[target_feature(enable = $features)]
            fn finish(arena: &[f32], out: &mut [f32], row: &FinishRow) {
                // SAFETY: as above.
                unsafe {
                    super::super::finish::finish::<<$arithmetic as Arithmetic>::Vector>(
                        arena, out, row,
                    )
                }
            }
        }
    };
}
pub(super) use kernels;

/// # Safety
/// The processor must have the instructions of `A`, and the row's places must lie in the arena.
#[inline(always)]
pub(super) unsafe fn convolve<A: Arithmetic>(arena: *mut f32, row: &ConvolveRow) {
    let mut first = 0;
    for &block in row.blocks {
        // SAFETY: the caller's promise. As many sums as registers hold, with some left for what is multiplied.
        unsafe {
            match (A::Vector::MANY_REGISTERS, block, row.side) {
                (true, 12, 1) => strip::<A, 12, 2, 1>(arena, row, first),
                (true, 12, _) => strip::<A, 12, 2, 3>(arena, row, first),
                (true, 8, 1) => strip::<A, 8, 2, 1>(arena, row, first),
                (true, 8, _) => strip::<A, 8, 2, 3>(arena, row, first),
                (true, _, 1) => strip::<A, 4, 4, 1>(arena, row, first),
                (true, _, _) => strip::<A, 4, 4, 3>(arena, row, first),
                (false, _, 1) => strip::<A, 4, 2, 1>(arena, row, first),
                (false, _, _) => strip::<A, 4, 2, 3>(arena, row, first),
            }
        }
        first += block;
    }
}

/// Outputs `first..first + O` of the whole row: `V` vectors at a time, fewer at the end.
#[inline(always)]
unsafe fn strip<A: Arithmetic, const O: usize, const V: usize, const SIDE: usize>(
    arena: *mut f32,
    row: &ConvolveRow,
    first: usize,
) {
    let lanes = A::Vector::LANES;
    let mut x = 0;
    while x < row.width {
        let rest = (row.width - x).div_ceil(lanes);
        // SAFETY: the caller's promise; a vector past the end lies within the overrun.
        unsafe {
            match rest {
                _ if rest >= V => tile::<A, O, V, SIDE>(arena, row, first, x),
                1 => tile::<A, O, 1, SIDE>(arena, row, first, x),
                2 => tile::<A, O, 2, SIDE>(arena, row, first, x),
                _ => tile::<A, O, V, SIDE>(arena, row, first, x),
            }
        }
        x += lanes * rest.min(V);
    }
}

/// Repeats a block with constants, so that sums stay in registers whatever the compiler thinks of loops.
macro_rules! unroll {
    ($i:ident < $n:ident, $body:block) => {
        unroll!(@ $i $n $body 0 1 2 3 4 5 6 7 8 9 10 11)
    };
    (@ $i:ident $n:ident $body:block $($k:literal)*) => {{$({
        let $i: usize = $k;
        if $i < $n $body
    })*}};
}

/// `V` vectors of pixels by `O` outputs of sums in registers; weights are spread over vectors as they are needed.
#[inline(always)]
unsafe fn tile<A: Arithmetic, const O: usize, const V: usize, const SIDE: usize>(
    arena: *mut f32,
    row: &ConvolveRow,
    first: usize,
    x: usize,
) {
    let lanes = A::Vector::LANES;
    // SAFETY: the caller's promise, for all that follows. Weights of a block are as many as its outputs times its taps.
    unsafe {
        // Zeroed, as the compiler fills an array with anything else in a loop, and keeps it in memory for that.
        let mut sums: [[A::Vector; V]; O] = std::mem::zeroed();
        unroll!(o < O, {
            let bias = A::Vector::splat(*row.bias.as_ptr().add(first + o));
            unroll!(v < V, {
                sums[o][v] = bias;
            });
        });
        let mut weights = row.weights.as_ptr().add(first * row.taps.len() * SIDE);
        for &tap in row.taps {
            let left = arena.cast_const().add(tap + x - SIDE / 2);
            unroll!(column < SIDE, {
                let mut cells: [A::Cells; V] = std::mem::zeroed();
                unroll!(v < V, {
                    cells[v] = A::cells(left.add(column + v * lanes));
                });
                unroll!(o < O, {
                    let weight = A::weight(weights.add(column * O + o));
                    unroll!(v < V, {
                        sums[o][v] = A::accumulate(sums[o][v], cells[v], weight);
                    });
                });
            });
            weights = weights.add(SIDE * O);
        }
        write::<A, O, V>(arena, row, first, x, sums);
    }
}

/// Writes sums of outputs `first..first + O` from column `x` on. Decisions are made once for all of them.
#[inline(always)]
unsafe fn write<A: Arithmetic, const O: usize, const V: usize>(
    arena: *mut f32,
    row: &ConvolveRow,
    first: usize,
    x: usize,
    mut sums: [[A::Vector; V]; O],
) {
    let (stride, lanes) = (row.stride, A::Vector::LANES);
    // SAFETY: the caller's promise, for all that follows; only outputs that there are get written.
    unsafe {
        let zero = A::Vector::splat(0.0);
        match row.activation {
            Activation::None => {}
            Activation::Relu => unroll!(o < O, {
                unroll!(v < V, {
                    sums[o][v] = sums[o][v].at_least(zero);
                });
            }),
            Activation::Slopes(slopes) => unroll!(o < O, {
                let slope = A::Vector::splat(slopes.get(first + o).copied().unwrap_or(1.0));
                unroll!(v < V, {
                    let (above, below) = (sums[o][v].at_least(zero), sums[o][v].at_most(zero));
                    sums[o][v] = below.mul_add(slope, above);
                });
            }),
        }
        let place = |channel: usize| x + stride * if A::IS_PAIRED { channel / 2 } else { channel };
        if let Some(add) = row.add {
            unroll!(o < O, {
                let channel = first + o;
                if o.is_multiple_of(2) && channel < row.outputs {
                    let at = arena.add(add + place(channel));
                    unroll!(v < V, {
                        let [a, b] = A::load_pair(at.add(v * lanes), stride);
                        sums[o][v] = sums[o][v].plus(a);
                        sums[o + 1][v] = sums[o + 1][v].plus(b);
                    });
                }
            });
        }
        if let Some(raw) = row.raw {
            unroll!(o < O, {
                if first + o < row.outputs {
                    unroll!(v < V, {
                        sums[o][v].store(arena.add(raw + (first + o) * stride + x + v * lanes));
                    });
                }
            });
        }
        for &(form, at) in row.forms {
            unroll!(o < O, {
                let channel = first + o;
                if o.is_multiple_of(2) && channel < row.outputs {
                    let at = arena.add(at + place(channel));
                    unroll!(v < V, {
                        let pair = shaped(form, [sums[o][v], sums[o + 1][v]]);
                        A::store_pair(at.add(v * lanes), stride, pair);
                    });
                }
            });
        }
    }
}

/// Both channels in the form in which they are read.
#[inline(always)]
unsafe fn shaped<V: Vector>(form: Form, pair: [V; 2]) -> [V; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        let zero = V::splat(0.0);
        match form {
            Form::Plain => pair,
            Form::Rectified => pair.map(|v| v.at_least(zero)),
            Form::NegatedRectified => pair.map(|v| v.mul_add(V::splat(-1.0), zero).at_least(zero)),
        }
    }
}

/// # Safety
/// As [`convolve`].
#[inline(always)]
pub(super) unsafe fn keep<A: Arithmetic>(arena: *mut f32, row: &KeepRow) {
    for channel in (0..row.channels).step_by(2) {
        let planes = if A::IS_PAIRED { channel / 2 } else { channel };
        for x in (0..row.width).step_by(A::Vector::LANES) {
            // SAFETY: the caller's promise.
            unsafe {
                let at = arena.cast_const().add(row.raw + channel * row.stride + x);
                let pair = [A::Vector::load(at), A::Vector::load(at.add(row.stride))];
                let place = planes * row.stride + x;
                for &(form, at) in row.forms {
                    A::store_pair(arena.add(at + place), row.stride, shaped(form, pair));
                }
            }
        }
    }
}
