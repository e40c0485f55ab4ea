//! The planes of a frame that is written: which samples lie there, and how they are made.

use super::color::{ColorSpec, Range};
use super::format::{FormatInfo, Kind};
use super::kernels::{Limits, Sample, store};

/// A plane of the frame: what its samples are, in the order in which they lie there.
#[derive(Debug, Clone)]
pub(super) struct PlaneLayout {
    pub(super) index: usize,
    pub(super) subsampled: bool,
    info: &'static FormatInfo,
    samples: Vec<(Content, Limits)>,
}

/// What a sample is made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Content {
    Component(usize),
    Alpha,
    /// What means nothing is written as if it were opaque.
    Padding,
}

impl PlaneLayout {
    pub(super) fn new(index: usize, info: &'static FormatInfo, color: &ColorSpec) -> Self {
        let full = Limits::new(Range::Full.luma(info.depth), true);
        let component = |c: usize| {
            let nominal = info.kind != Kind::Yuv || c == 0;
            (Content::Component(c), Limits::new(info.code(c, color), nominal))
        };
        let components = info.components.iter().enumerate().map(|(c, at)| (at, component(c)));
        let alpha = info.alpha.iter().map(|at| (at, (Content::Alpha, full)));
        let padding = info.padding.iter().map(|at| (at, (Content::Padding, full)));
        let mut samples: Vec<_> =
            components.chain(alpha).chain(padding).filter(|(at, _)| at.plane == index).collect();
        samples.sort_by_key(|(at, _)| at.offset);
        let samples: Vec<_> = samples.into_iter().map(|(_, sample)| sample).collect();
        // A plane holds chroma alone or none.
        let subsampled =
            samples.iter().any(|s| matches!(s.0, Content::Component(c) if info.is_subsampled(c)));
        Self { index, subsampled, info, samples }
    }

    /// Writes a row of the plane from column `first` on; `row` gives what its samples are made of.
    pub(super) fn store<'a>(
        &self,
        row: impl Fn(Content) -> &'a [f32],
        first: usize,
        bytes: &mut [u8],
    ) {
        let samples = &self.samples[..];
        let rows = std::array::from_fn(|k| samples.get(k).map_or(&[][..], |s| row(s.0)));
        let bytes = &mut bytes[first * samples.len() * self.info.sample_bytes..];
        match self.info.sample_bytes {
            1 => store_samples(samples, self.info.shift, rows, bytes),
            _ => store_samples(samples, self.info.shift, rows, bytes.as_chunks_mut::<2>().0),
        }
    }
}

/// Writes pixels that consist of `parts`, out of as many of `rows`.
fn store_samples<T: Sample>(
    parts: &[(Content, Limits)],
    shift: u32,
    rows: [&[f32]; 4],
    samples: &mut [T],
) {
    fn all<T: Sample, const N: usize>(
        parts: &[(Content, Limits)],
        shift: u32,
        rows: [&[f32]; 4],
        samples: &mut [T],
    ) {
        let limits = std::array::from_fn(|k| parts[k].1);
        store::<T, N>(std::array::from_fn(|k| rows[k]), limits, shift, samples);
    }
    match parts.len() {
        1 => all::<T, 1>(parts, shift, rows, samples),
        2 => all::<T, 2>(parts, shift, rows, samples),
        3 => all::<T, 3>(parts, shift, rows, samples),
        _ => all::<T, 4>(parts, shift, rows, samples),
    }
}
