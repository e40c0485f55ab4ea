//! The newest rows of all features. Layers write into two bands by turns; of each only the last rows, which the next band looks
//! at, are kept.

use std::ops::Range;

use super::super::aligned::Floats;
use super::chain::Chain;
use super::transform::TILE;
use crate::upscale::Size;

/// Rows at the end of a band that the next one looks at.
const BEHIND: usize = 2;

/// Memory for the rows of a picture, used again for the next one. Feature 0 is the input.
#[derive(Default)]
pub(super) struct Features {
    size: Size,
    /// Rows of a band.
    band: usize,
    /// Rows of the band that are not kept: of even features, and of odd ones.
    bands: [Floats; 2],
    /// By feature, the last rows of even bands, and those of odd ones.
    kept: Vec<[Floats; 2]>,
    /// What lies above and below the picture.
    zeros: Floats,
}

/// How rows lie in memory: each with a pixel of zeros on its left, and zeros on its right up to whole tiles and a pixel more.
#[derive(Clone, Copy)]
struct RowLayout {
    /// Floats of a pixel.
    step: usize,
    width: usize,
}

/// The newest rows of a feature, to be read.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    layout: RowLayout,
    /// Rows of the picture.
    height: usize,
    /// The first row of this band, and the first after it.
    made: (usize, usize),
    band: &'a [f32],
    /// The last rows of this band.
    kept: &'a [f32],
    /// The last rows of the band before.
    before: &'a [f32],
    zeros: &'a [f32],
}

/// The rows of a feature that a band is to make.
pub(super) struct Made<'a> {
    layout: RowLayout,
    pub rows: Range<usize>,
    /// Where they would begin if there were some above the picture: tiles lie at the same places in all bands.
    pub first: isize,
    band: &'a mut [f32],
    /// Place of the last ones.
    kept: &'a mut [f32],
}

impl Features {
    /// Makes room for a picture of `size` in bands of `band` rows.
    pub fn resize(&mut self, chain: &Chain, size: Size, band: usize) {
        (self.size, self.band) = (size, band);
        self.kept.resize_with(chain.layers.len() + 1, Default::default);
        let mut longest = 0;
        for feature in 0..self.kept.len() {
            let stride = self.layout(chain, feature).stride();
            self.kept[feature].iter_mut().for_each(|rows| rows.reserve(BEHIND * stride));
            longest = longest.max(stride);
        }
        self.bands.iter_mut().for_each(|rows| rows.reserve(band * longest));
        self.zeros.reserve(longest);
    }

    /// The rows of `feature` that band `index` makes.
    pub fn rows(&self, index: usize, feature: usize) -> Range<usize> {
        let at = |band: usize| (band * self.band).saturating_sub(feature).min(self.size.height);
        at(index)..at(index + 1)
    }

    /// The input's rows of band `index`.
    pub fn make_input(&mut self, chain: &Chain, index: usize) -> Made<'_> {
        Made {
            layout: self.layout(chain, 0),
            rows: self.rows(index, 0),
            first: (index * self.band) as isize,
            band: &mut self.bands[0],
            kept: &mut self.kept[0][index % 2],
        }
    }

    /// The feature before `feature`, which is not the input, and what band `index` is to make of `feature`.
    pub fn make(&mut self, chain: &Chain, index: usize, feature: usize) -> (Rows<'_>, Made<'_>) {
        let (layout, rows) = (self.layout(chain, feature), self.rows(index, feature));
        let first = (index * self.band) as isize - feature as isize;
        let before = (self.layout(chain, feature - 1), self.rows(index, feature - 1));
        let Self { size, bands: [even, odd], kept, zeros, .. } = self;
        let (from, to) = if feature.is_multiple_of(2) { (odd, even) } else { (even, odd) };
        let (earlier, kept) = kept.split_at_mut(feature);
        let kept = &mut kept[0][index % 2];
        let read = Rows::new(before, size.height, from, (&earlier[feature - 1], index), zeros);
        (read, Made { layout, rows, first, band: to, kept })
    }

    /// `feature` as it is after band `index`.
    pub fn read(&self, chain: &Chain, index: usize, feature: usize) -> Rows<'_> {
        let made = (self.layout(chain, feature), self.rows(index, feature));
        let kept = (&self.kept[feature], index);
        Rows::new(made, self.size.height, &self.bands[feature % 2], kept, &self.zeros)
    }

    fn layout(&self, chain: &Chain, feature: usize) -> RowLayout {
        RowLayout { step: chain.step(feature), width: self.size.width }
    }
}

impl<'a> Rows<'a> {
    fn new(
        (layout, made): (RowLayout, Range<usize>),
        height: usize,
        band: &'a [f32],
        (kept, index): (&'a [Floats; 2], usize),
        zeros: &'a [f32],
    ) -> Self {
        let (kept, before) = (&kept[index % 2], &kept[(index + 1) % 2]);
        Self { layout, height, made: (made.start, made.end), band, kept, before, zeros }
    }

    /// Row `y`, from the zeros on its left on; zeros above and below the picture.
    pub fn row(self, y: isize) -> &'a [f32] {
        let (first, end) = self.made;
        let (rows, i) = match usize::try_from(y) {
            Ok(y) if y < first => (self.before, y + BEHIND - first),
            Ok(y) if y + BEHIND < end => (self.band, y - first),
            Ok(y) if y < self.height => (self.kept, y + BEHIND - end),
            _ => (self.zeros, 0),
        };
        let stride = self.layout.stride();
        &rows[i * stride..][..stride]
    }

    /// The pixels of row `y` of the picture.
    pub fn pixels(self, y: usize) -> &'a [f32] {
        &self.row(y as isize)[self.layout.step..]
    }

    /// Floats of a pixel.
    pub fn step(self) -> usize {
        self.layout.step
    }
}

impl<'a> Made<'a> {
    /// All of them, in order, as pixels.
    pub fn pixels(self) -> impl Iterator<Item = &'a mut [f32]> {
        let (layout, stride, count) = (self.layout, self.layout.stride(), self.rows.len());
        let passing = self.band.chunks_exact_mut(stride).take(count.saturating_sub(BEHIND));
        let last =
            self.kept.chunks_exact_mut(stride).take(BEHIND).skip(BEHIND.saturating_sub(count));
        passing.chain(last).map(move |row| layout.framed(row))
    }

    /// Floats of a pixel.
    pub fn step(&self) -> usize {
        self.layout.step
    }

    /// Pixels of a row.
    pub fn width(&self) -> usize {
        self.layout.width
    }
}

impl RowLayout {
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
