//! Rows on their way through the layers: each layer is ahead of the next by as many rows as that one looks down.

use super::super::aligned::Floats;
use super::kernel::{ConvolveRow, FinishRow, KeepRow, Kernels, OVERRUN};
use super::plan::{Feature, Plan};
use crate::engine::rows::{Sink, Source};
use crate::engine::{Cancel, EngineError};
use crate::smallnet::Edge;
use crate::upscale::{Rect, Size};

/// Floats of a cache line.
const LINE: usize = 16;

/// Memory of a run, used again by the next.
#[derive(Default)]
pub(super) struct Scratch {
    arena: Floats,
    out: Floats,
}

/// One run over one part of a picture.
pub(super) struct Flow<'a> {
    plan: &'a Plan,
    kernels: &'a Kernels,
    size: Size,
    part: Rect,
    /// Distance of planes in the arena.
    stride: usize,
    out_stride: usize,
    scratch: &'a mut Scratch,
}

impl<'a> Flow<'a> {
    pub fn new(
        plan: &'a Plan,
        kernels: &'a Kernels,
        size: Size,
        part: Rect,
        scratch: &'a mut Scratch,
    ) -> Self {
        let margin = plan.features[0].margin;
        // An odd number of cache lines, so that planes do not compete for the same places of the cache.
        let lines = (LINE + part.width + 2 * margin + OVERRUN + 1).div_ceil(LINE) | 1;
        let (stride, factor) = (lines * LINE, plan.net.tail.factor);
        let out_stride = (part.width + OVERRUN).next_multiple_of(LINE) * factor;
        scratch.arena.reserve(plan.planes * stride);
        scratch.out.reserve(plan.net.outputs() * factor * out_stride);
        scratch.arena[..stride].fill(0.0);
        Self { plan, kernels, size, part, stride, out_stride, scratch }
    }

    /// Runs all rows of the part.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`].
    pub fn run(
        mut self,
        source: &mut Source,
        sink: &mut Sink,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let end = (self.part.y + self.part.height) as isize;
        let lead = 2 * self.plan.features[0].margin as isize;
        for y in self.part.y as isize - lead..end {
            if cancel.is_raised() {
                return Err(EngineError::Cancelled);
            }
            for feature in 0..self.plan.features.len() {
                let Some(y) = self.due(feature, y) else { continue };
                match feature {
                    0 => self.take(y, source),
                    _ => self.layer(feature, y),
                }
            }
            if let Some(y) = usize::try_from(y).ok().filter(|&y| y >= self.part.y) {
                self.give(y, sink);
            }
        }
        Ok(())
    }

    /// The row of `feature` that is made when the output is at row `y`, if any.
    fn due(&self, feature: usize, y: isize) -> Option<usize> {
        let margin = self.plan.features[feature].margin;
        let row = usize::try_from(y + margin as isize).ok()?;
        let first = self.part.y.saturating_sub(margin);
        let end = (self.part.y + self.part.height + margin).min(self.size.height);
        (first..end).contains(&row).then_some(row)
    }

    /// Columns of the picture in which `feature` is made.
    fn columns(&self, feature: usize) -> std::ops::Range<usize> {
        let margin = self.plan.features[feature].margin;
        let end = (self.part.x + self.part.width + margin).min(self.size.width);
        self.part.x.saturating_sub(margin)..end
    }

    /// The place of column `x` in `plane`.
    fn place(&self, plane: usize, x: usize) -> usize {
        let margin = self.plan.features[0].margin;
        plane * self.stride + LINE + x + margin - self.part.x
    }

    /// Where the forms of row `y` of `feature` begin.
    fn forms(&self, feature: usize, y: usize) -> Vec<(crate::smallnet::Form, usize)> {
        let x = self.columns(feature).start;
        let feature = &self.plan.features[feature];
        let row = feature.ring.row(y);
        let place = |(i, form)| (form, self.place(row + i * feature.planes, x));
        feature.forms.iter().copied().enumerate().map(place).collect()
    }

    /// Takes row `y` of the input.
    fn take(&mut self, y: usize, source: &mut Source) {
        let (plan, columns) = (self.plan, self.columns(0));
        let row = plan.input.row(y);
        let raw = self.place(row, columns.start);
        let rows = self.scratch.arena[raw..].chunks_mut(self.stride);
        let rows = rows.take(plan.net.channels).map(|row| &mut row[..columns.len()]);
        source(y, columns.clone(), &mut rows.collect::<Vec<_>>());
        self.beyond(row, plan.input.planes, columns.clone(), Edge::Clamp);
        let forms = self.forms(0, y);
        let (channels, stride, width) = (plan.net.channels, self.stride, columns.len());
        let job = KeepRow { raw, channels, forms: &forms, stride, width };
        self.kernels.keep(&mut self.scratch.arena, &job);
        self.feature_beyond(0, y);
    }

    /// Makes row `y` of `feature`.
    fn layer(&mut self, feature: usize, y: usize) {
        let plan = self.plan;
        let (layer, weights) = (&plan.net.layers[feature - 1], &plan.layers[feature - 1]);
        let columns = self.columns(feature);
        // From the cache line's beginning on: a few columns more that nobody reads, for stores that do not cross lines.
        let lead = self.place(0, columns.start) % LINE;
        let place = |plane: usize| self.place(plane, columns.start) - lead;
        let mut taps = Vec::with_capacity(weights.planes.len() * layer.side);
        for &(read, plane) in &weights.planes {
            let read = &plan.features[read];
            for above in 0..layer.side {
                let row = (y + above).checked_sub(layer.side / 2);
                let row = match (row.filter(|&row| row < self.size.height), read.edge) {
                    (Some(row), _) => read.ring.row(row) + plane,
                    (None, Edge::Clamp) => read.ring.row(y) + plane,
                    (None, Edge::Zero) => 0,
                };
                taps.push(place(row));
            }
        }
        let add = layer.add.map(|add| {
            let read = &plan.features[add.feature];
            let form = read.forms.iter().position(|form| *form == add.form).unwrap_or(0);
            place(read.ring.row(y) + form * read.planes)
        });
        let is_last = feature == plan.layers.len();
        let mut forms = self.forms(feature, y);
        forms.iter_mut().for_each(|(_, at)| *at -= lead);
        let row = ConvolveRow {
            taps: &taps,
            side: layer.side,
            weights: &weights.cells,
            blocks: &weights.blocks,
            bias: &weights.bias,
            activation: &layer.activation,
            add,
            outputs: layer.outputs,
            forms: &forms,
            raw: is_last.then(|| place(plan.last)),
            stride: self.stride,
            width: columns.len() + lead,
        };
        self.kernels.convolve(&mut self.scratch.arena, &row);
        self.feature_beyond(feature, y);
    }

    /// Hands out what row `y` of the part becomes.
    fn give(&mut self, y: usize, sink: &mut Sink) {
        let (plan, tail) = (self.plan, &self.plan.net.tail);
        let x = self.part.x;
        let row = |y: usize| self.place(plan.input.row(y.min(self.size.height - 1)), x);
        let input = match tail.base {
            None => [row(y); 3],
            Some(_) => [row(y.saturating_sub(1)), row(y), row(y + 1)],
        };
        let row = FinishRow {
            last: self.place(plan.last, x),
            input,
            stride: self.stride,
            width: self.part.width,
            factor: tail.factor,
            subpixels: &tail.subpixels,
            base: tail.base,
            clip: tail.clip,
            out_stride: self.out_stride,
        };
        self.kernels.finish(&self.scratch.arena, &mut self.scratch.out, &row);
        let width = self.part.width * tail.factor;
        for phase in 0..tail.factor {
            let lines = self.scratch.out.chunks(self.out_stride).skip(phase).step_by(tail.factor);
            let planes: Vec<_> =
                lines.take(plan.net.outputs()).map(|line| &line[..width]).collect();
            sink(y * tail.factor + phase, &planes);
        }
    }

    fn feature_beyond(&mut self, feature: usize, y: usize) {
        let Feature { edge, forms, planes, ring, .. } = &self.plan.features[feature];
        self.beyond(ring.row(y), forms.len() * planes, self.columns(feature), *edge);
    }

    /// Fills the samples beside `planes` planes from `plane` on, where `columns` end at the picture's edge.
    fn beyond(&mut self, plane: usize, planes: usize, columns: std::ops::Range<usize>, edge: Edge) {
        let first = self.place(plane, columns.start);
        let ends = [
            (columns.start == 0).then_some((first, first - 1)),
            (columns.end == self.size.width)
                .then(|| first + columns.len())
                .map(|end| (end - 1, end)),
        ];
        for (inside, outside) in ends.into_iter().flatten() {
            for plane in (0..planes).map(|i| i * self.stride) {
                let arena = &mut self.scratch.arena;
                arena[outside + plane] = match edge {
                    Edge::Clamp => arena[inside + plane],
                    Edge::Zero => 0.0,
                };
            }
        }
    }
}
