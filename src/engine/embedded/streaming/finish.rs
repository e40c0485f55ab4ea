//! The last step of a row: sub-pixels side by side, on top of the enlarged input, which stays in 32 bits.

use super::super::simd::Vector;
use super::kernel::FinishRow;
use crate::smallnet::Base;

/// # Safety
/// The processor must have the instructions of `V`, and the row's places must lie in `arena` and `out`.
#[inline(always)]
pub(super) unsafe fn finish<V: Vector>(arena: &[f32], out: &mut [f32], row: &FinishRow) {
    for (line, out) in
        out.chunks_mut(row.out_stride).take(row.subpixels.len() / row.factor).enumerate()
    {
        let channel = line / row.factor;
        let input = row.input.map(|at| at + channel * row.stride);
        let phase = line % row.factor;
        if row.factor == 2 {
            // SAFETY: the caller's promise.
            unsafe { double::<V>(arena.as_ptr(), out.as_mut_ptr(), row, line, input) }
        } else {
            enlarge(arena, out, row, line, phase, input);
        }
    }
}

/// Rows of two sub-pixels a pixel, in vectors.
///
/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn double<V: Vector>(
    arena: *const f32,
    out: *mut f32,
    row: &FinishRow,
    line: usize,
    input: [usize; 3],
) {
    let [even, odd] = [0, 1].map(|i| row.last + row.subpixels[2 * line + i] * row.stride);
    let near = input[1];
    let far = if line.is_multiple_of(2) { input[0] } else { input[2] };
    for x in (0..row.width).step_by(V::LANES) {
        // SAFETY: the caller's promise.
        unsafe {
            let mut pair = [even, odd].map(|plane| V::load(arena.add(plane + x)));
            match row.base {
                None => {}
                Some(Base::Nearest) => {
                    let base = V::load(arena.add(near + x));
                    pair = pair.map(|v| v.plus(base));
                }
                Some(Base::Bilinear) => {
                    let (quarter, rest) = (V::splat(0.25), V::splat(0.75));
                    let zero = V::splat(0.0);
                    let column = |x: usize| {
                        let [near, far] = [near, far].map(|at| V::load(arena.add(at + x - 1)));
                        near.mul_add(rest, far.mul_add(quarter, zero))
                    };
                    let [left, middle, right] = [column(x), column(x + 1), column(x + 2)];
                    pair[0] = pair[0].plus(middle.mul_add(rest, left.mul_add(quarter, zero)));
                    pair[1] = pair[1].plus(middle.mul_add(rest, right.mul_add(quarter, zero)));
                }
            }
            if let Some((low, high)) = row.clip {
                let (low, high) = (V::splat(low), V::splat(high));
                pair = pair.map(|v| v.at_least(low).at_most(high));
            }
            let (first, second) = pair[0].interleave(pair[1]);
            first.store(out.add(2 * x));
            second.store(out.add(2 * x + V::LANES));
        }
    }
}

/// A row of any factor, in plain loops.
#[inline(always)]
fn enlarge(
    arena: &[f32],
    out: &mut [f32],
    row: &FinishRow,
    line: usize,
    phase: usize,
    input: [usize; 3],
) {
    let r = row.factor;
    // How far sub-pixel `i` lies from its pixel's centre, and the neighbour on that side.
    let place = |i: usize| {
        let at = (i as f32 + 0.5) / r as f32 - 0.5;
        (at.abs(), if at < 0.0 { 0 } else { 2 })
    };
    let (down, other) = place(phase);
    let (near, far) = (input[1], input[other]);
    let column = |x: usize| arena[near + x - 1] * (1.0 - down) + arena[far + x - 1] * down;
    for i in 0..r {
        let (aside, other) = place(i);
        let plane = row.last + row.subpixels[line * r + i] * row.stride;
        for x in 0..row.width {
            let base = match row.base {
                None => 0.0,
                Some(Base::Nearest) => arena[near + x],
                Some(Base::Bilinear) => column(x + 1) * (1.0 - aside) + column(x + other) * aside,
            };
            let sum = arena[plane + x] + base;
            out[r * x + i] = match row.clip {
                Some((low, high)) if sum < low || sum > high => sum.clamp(low, high),
                _ => sum,
            };
        }
    }
}
