//! Which part of the output a change reaches.
//!
//! A changed sample reaches, through chroma upsampling, decoded pixels beside it; these show again in the mirror image around the
//! frame; and each of them reaches the network's halo of output pixels around it. All of that happens on each axis by
//! itself, so it is tabulated by axis: block → cells of the padded frame. A region is then put together with a few ORs.

use super::change::{BLOCK, ChangeMap};
use super::geometry::mirror;
use super::tile::TilePlan;

/// A range of lines or bits: first, and one past the last.
pub(super) type Extent = (usize, usize);

/// Output pixels, as cells of the padded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Region {
    /// A line of bits per row of cells, a bit per column.
    pub(super) rows: Lines,
    /// The same transposed.
    pub(super) columns: Lines,
}

/// What each block of a frame reaches.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    /// A line per column of blocks, a bit per column of cells.
    x: Lines,
    /// A line per row of blocks, a bit per row of cells.
    y: Lines,
}

impl Reach {
    /// For the frame of `plan` in cells of `cell` pixels, a network that looks `halo` pixels far, and blocks whose samples reach
    /// `spread` pixels beside them before the network sees them.
    pub(super) fn new(plan: &TilePlan, cell: usize, halo: usize, spread: usize) -> Self {
        let axis = |frame, padded| axis(frame, padded, plan.border, cell, halo, spread);
        Self { x: axis(plan.frame.width, plan.x.padded), y: axis(plan.frame.height, plan.y.padded) }
    }

    /// The output that `changes`, of the plan's frame, can alter.
    pub(super) fn region(&self, changes: &ChangeMap) -> Region {
        let mut region = Region {
            rows: Lines::new(self.y.len, self.x.len),
            columns: Lines::new(self.x.len, self.y.len),
        };
        let mut seen = vec![0; self.x.words];
        for (y, row) in changes.rows().enumerate() {
            seen.fill(0);
            let changed = row.iter().enumerate().filter(|&(_, &changed)| changed);
            changed.for_each(|(x, _)| or(&mut seen, self.x.line(x)));
            if seen.iter().any(|&word| word != 0) {
                ones(self.y.line(y)).for_each(|line| or(region.rows.line_mut(line), &seen));
                ones(&seen).for_each(|line| or(region.columns.line_mut(line), self.y.line(y)));
            }
        }
        region
    }
}

/// One axis: for each block of a frame of `len` pixels, the cells of the `padded` frame that it reaches.
fn axis(
    len: usize,
    padded: usize,
    border: usize,
    cell: usize,
    halo: usize,
    spread: usize,
) -> Lines {
    let mut lines = Lines::new(len.div_ceil(BLOCK), padded.div_ceil(cell));
    // The mirror image beyond the frame's output is an input too.
    let shown = |x: usize| mirror(x as isize - border as isize, len);
    for block in 0..lines.count() {
        let (first, end) = ((block * BLOCK).saturating_sub(spread), (block + 1) * BLOCK + spread);
        for x in (0..padded).filter(|&x| (first..end).contains(&shown(x))) {
            // Pixels of the border alone are not shown.
            let (from, to) = (x.saturating_sub(halo).max(border), (x + halo).min(border + len - 1));
            if from <= to {
                (from / cell..=to / cell).for_each(|c| lines.set(block, c));
            }
        }
    }
    lines
}

/// Sets of numbers below `len`, each a line of bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) len: usize,
    words: usize,
    bits: Vec<u64>,
}

impl Lines {
    fn new(count: usize, len: usize) -> Self {
        let words = len.div_ceil(64);
        Self { len, words, bits: vec![0; count * words] }
    }

    pub(super) fn count(&self) -> usize {
        self.bits.len() / self.words
    }

    fn line(&self, i: usize) -> &[u64] {
        &self.bits[i * self.words..][..self.words]
    }

    fn line_mut(&mut self, i: usize) -> &mut [u64] {
        &mut self.bits[i * self.words..][..self.words]
    }

    fn set(&mut self, i: usize, bit: usize) {
        self.line_mut(i)[bit / 64] |= 1 << (bit % 64);
    }

    /// Where the first and the last of line `i` lie that are within `from..to`.
    pub(super) fn extent(&self, i: usize, (from, to): Extent) -> Option<Extent> {
        let line = self.line(i);
        let word = |w: usize| {
            let below =
                |end: usize| if end >= 64 * (w + 1) { u64::MAX } else { (1 << (end % 64)) - 1 };
            let above = if from <= 64 * w { u64::MAX } else { u64::MAX << (from % 64) };
            line[w] & above & below(to)
        };
        let mut words = from / 64..to.div_ceil(64);
        let first = words.clone().find(|&w| word(w) != 0)?;
        let last = words.rfind(|&w| word(w) != 0)?;
        let start = 64 * first + word(first).trailing_zeros() as usize;
        Some((start, 64 * (last + 1) - word(last).leading_zeros() as usize))
    }
}

fn or(line: &mut [u64], other: &[u64]) {
    line.iter_mut().zip(other).for_each(|(a, b)| *a |= b);
}

fn ones(line: &[u64]) -> impl Iterator<Item = usize> {
    (0..64 * line.len()).filter(|i| line[i / 64] >> (i % 64) & 1 == 1)
}
