//! Convolutions, tile by tile: sums in registers, generic over the arithmetic.

use super::super::simd::{Arithmetic, Vector};
use super::kernel::{ConvolveRow, KeepRow};
use crate::smallnet::{Activation, Form};

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
///
/// # Safety
/// As [`convolve`].
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
///
/// # Safety
/// As [`convolve`].
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
///
/// # Safety
/// As [`convolve`].
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
///
/// # Safety
/// The processor must have the instructions of `V`.
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
