//! The kernels: one row of one layer, of the input, or of the output. Generic over the arithmetic; compiled once for each.
//!
//! All data of a run lie in one slice, the arena, and a job names places in it. A row of a plane may be read one sample before
//! its first column and is written past its last, up to whole vectors ([`OVERRUN`]).

use crate::smallnet::{Activation, Base, Form};

/// How many samples past the last of a row may be read and written.
pub(super) const OVERRUN: usize = 72;

/// Kernels for one kind of processor.
#[derive(Clone, Copy)]
pub(super) struct Kernels {
    /// See [`crate::engine::embedded::simd::Arithmetic::IS_PAIRED`].
    pub is_paired: bool,
    /// See [`crate::engine::embedded::simd::Vector::MANY_REGISTERS`].
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
    ($module:ident, $features:literal, $arithmetic:ty) => {
        pub(super) mod $module {
            #![allow(unused_imports, reason = "not every kind names its arithmetic by all of them")]
            use super::*;
            use crate::engine::embedded::simd::{Arithmetic, Vector};
            use crate::engine::embedded::streaming::kernel::{
                ConvolveRow, FinishRow, KeepRow, Kernels,
            };
            use crate::engine::embedded::streaming::{finish, tile};

            /// May be used where the processor has these features.
            pub(in crate::engine::embedded::streaming) const KERNELS: Kernels = Kernels {
                is_paired: <$arithmetic>::IS_PAIRED,
                many_registers: <$arithmetic as Arithmetic>::Vector::MANY_REGISTERS,
                convolve,
                keep,
                finish,
            };

            #[target_feature(enable = $features)]
            fn convolve(arena: &mut [f32], row: &ConvolveRow) {
                // SAFETY: the instructions are there, as this function's features say; `Kernels` checked the places.
                unsafe { tile::convolve::<$arithmetic>(arena.as_mut_ptr(), row) }
            }

            #[target_feature(enable = $features)]
            fn keep(arena: &mut [f32], row: &KeepRow) {
                // SAFETY: as above.
                unsafe { tile::keep::<$arithmetic>(arena.as_mut_ptr(), row) }
            }

            #[target_feature(enable = $features)]
            fn finish(arena: &[f32], out: &mut [f32], row: &FinishRow) {
                // SAFETY: as above.
                unsafe { finish::finish::<<$arithmetic as Arithmetic>::Vector>(arena, out, row) }
            }
        }
    };
}
pub(super) use kernels;
