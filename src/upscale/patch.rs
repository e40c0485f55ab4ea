//! A tile that may lie anywhere: its size out of a few, its place by the rules of [`super::tile`].

use super::geometry::{Rect, Size, align_up};
use super::tile::{Axis, Span, TilePlan, lcm};

/// One tile that is inferred anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patch {
    /// Its size in input pixels, context included.
    pub size: Size,
    /// Place on the horizontal axis of the padded frame.
    pub x: Span,
    /// Place on the vertical axis.
    pub y: Span,
}

/// Where a patch's result goes, in output pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    /// What it fills of the upscaled frame.
    pub rect: Rect,
    /// Columns of the upscaled patch that are left out on the left.
    pub left: usize,
    /// Rows that are left out at the top.
    pub top: usize,
}

impl Patch {
    /// What it covers of the padded frame: what is to be gathered.
    pub const fn rect(&self) -> Rect {
        Rect::new(self.x.start, self.y.start, self.size.width, self.size.height)
    }

    /// The same in a tile of `size`, no smaller on either axis, of which the padded frame of `plan` holds one.
    pub(super) fn grown(self, size: Size, plan: &TilePlan) -> Self {
        let moved = |span: Span, padded: usize, tile: usize| Span {
            start: span.start.min(padded - tile),
            ..span
        };
        let (x, y) =
            (moved(self.x, plan.x.padded, size.width), moved(self.y, plan.y.padded, size.height));
        Self { size, x, y }
    }

    /// What it fills of the upscaled frame of `plan`, the border cut off.
    pub fn target(&self, plan: &TilePlan) -> Target {
        let out = |px| plan.scale.of(px);
        let axis = |span: Span, frame: usize| {
            let begin = out(span.own_start).max(out(plan.border));
            let end = out(span.own_end).min(out(plan.border) + out(frame)).max(begin);
            (begin - out(plan.border), end - begin, begin - out(span.start))
        };
        let (x, width, left) = axis(self.x, plan.frame.width);
        let (y, height, top) = axis(self.y, plan.frame.height);
        Target { rect: Rect::new(x, y, width, height), left, top }
    }
}

/// One axis of the padded frame: how long patches may be, and where they lie.
#[derive(Debug, Clone)]
pub(super) struct Track {
    padded: usize,
    cell: usize,
    halo: usize,
    /// Patches begin at multiples of this.
    unit: usize,
    /// Ascending; the last is the plan's tile.
    sizes: Vec<usize>,
}

/// How many patches of which length own what is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Need {
    pub(super) size: usize,
    pub(super) count: usize,
}

impl Track {
    /// For tiles of `axis` with `halo` of context, in `steps` lengths from `smallest` owned pixels to the plan's tile.
    pub(super) fn new(
        axis: &Axis,
        (alignment, den, cell): (usize, usize, usize),
        halo: usize,
        smallest: usize,
        steps: usize,
    ) -> Self {
        let (unit, halo) = (lcm(alignment.max(1), den), align_up(halo, den));
        let shortest = align_up(smallest + 2 * halo, unit).max(axis.shortest).min(axis.tile);
        let last = steps.saturating_sub(1).max(1);
        // Closer together where they are small, so that what is wasted is a like share of each.
        let size = |i: usize| {
            let part = (i as f64 / last as f64).powf(1.5);
            align_up(shortest + (part * (axis.tile - shortest) as f64) as usize, unit)
        };
        let sizes = if steps < 2 { 0..0 } else { 0..last };
        let mut sizes: Vec<_> = sizes.map(size).filter(|&size| size < axis.tile).collect();
        sizes.push(axis.tile);
        sizes.dedup();
        Self { padded: axis.padded, cell, halo, unit, sizes }
    }

    /// The lengths that patches may have, ascending.
    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// What owning `cells` (first, and one past the last) takes; an estimate where one patch cannot.
    pub(super) fn need(&self, cells: (usize, usize)) -> Need {
        let (start, end) = self.context(cells);
        match self.sizes.iter().find(|&&size| size >= end - start) {
            Some(&size) => Need { size, count: 1 },
            None => {
                let size = self.sizes[self.sizes.len() - 1];
                let step = size.saturating_sub(2 * self.halo).max(1);
                Need { size, count: (end - start).div_ceil(step).max(2) }
            }
        }
    }

    /// The length and place of the patch that owns `cells`; `None` where they are too many for one.
    pub(super) fn place(&self, cells: (usize, usize)) -> Option<(usize, Span)> {
        let ((own_start, own_end), (start, end)) = (self.owned(cells), self.context(cells));
        let size = *self.sizes.iter().find(|&&size| size >= end - start)?;
        Some((size, Span { start: start.min(self.padded - size), own_start, own_end }))
    }

    fn owned(&self, cells: (usize, usize)) -> (usize, usize) {
        (cells.0 * self.cell, (cells.1 * self.cell).min(self.padded))
    }

    /// What is owned with its halo, from where a patch may begin.
    fn context(&self, cells: (usize, usize)) -> (usize, usize) {
        let (start, end) = self.owned(cells);
        let start = start.saturating_sub(self.halo) / self.unit * self.unit;
        (start, (end + self.halo).min(self.padded))
    }
}
