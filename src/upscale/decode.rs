//! Frame in, picture out.
//!
//! Row by row: codes become floats, chroma is brought to full size (Catmull-Rom, at its true position), and the components
//! are mixed into those that the picture wants. Any part of a frame can be decoded by itself, while it is in cache.

use std::ops::Range;

use rayon::prelude::*;

use super::chroma::{DOUBLING_REACH, Doubling, grown, mirror_edges};
use super::color::{Code, ColorSpec, Mix, Range as CodeRange};
use super::format::{Component, FormatInfo};
use super::frame::FrameView;
use super::geometry::{Size, mirror};
use super::kernels::{Sample, load, mix};
use super::picture::{ColorModel, Picture, Plane};
use super::video::VideoSpec;

/// Luma rows that a thread takes at a time: a multiple of every subsampling factor.
pub(super) const BAND: usize = 64;

/// Turns `frame` into a picture of the model that `into` asks for; its memory is used again.
///
/// Values are not clamped: what lies above white or below black in the frame stays there. Alpha is `None` where the format
/// has none or every sample is opaque. Luma of R'G'B' formats and [`ColorModel::Luma`] go by `spec.matrix`.
pub fn decode(frame: &FrameView, spec: &ColorSpec, into: &mut Picture) {
    let size = frame.size();
    into.planes.resize_with(into.model.planes(), Plane::default);
    for plane in &mut into.planes {
        plane.resize(size);
    }
    decode_alpha(frame, &mut into.alpha);

    let decoder =
        Decoder::new(&VideoSpec { format: frame.format(), size, color: *spec }, into.model);
    let mut bands: Vec<Vec<&mut [f32]>> = Vec::new();
    bands.resize_with(size.height.div_ceil(BAND), Vec::new);
    for plane in &mut into.planes {
        let parts = plane.samples_mut().chunks_mut(BAND * size.width);
        bands.iter_mut().zip(parts).for_each(|(band, part)| band.push(part));
    }
    bands.par_iter_mut().enumerate().for_each_init(Work::default, |work, (i, band)| {
        let rows = i * BAND..size.height.min((i + 1) * BAND);
        decoder.part(frame, rows, 0..size.width, work, band);
    });
}

/// How frames of one kind become pictures of one model, whole or by parts.
#[derive(Debug, Clone)]
pub struct Decoder {
    info: &'static FormatInfo,
    size: Size,
    codes: [Code; 3],
    mixes: [Mix; 3],
    /// Along rows and, if rows are missing too, along columns; `None` where chroma is at full size.
    chroma: Option<(Doubling, Option<Doubling>)>,
}

/// What a thread keeps from part to part.
#[derive(Debug, Default)]
pub struct Work {
    /// Cb and Cr of a part as they are in the frame, with what is needed around it.
    chroma: [Vec<f32>; 2],
    /// A row of chroma in the frame's columns.
    line: Vec<f32>,
    /// A row of each component at full size; the first sample may lie before the part.
    rows: [Vec<f32>; 3],
}

/// The chroma samples that a part needs.
struct Around {
    /// The first column, which may lie outside the plane.
    left: isize,
    width: usize,
    /// Rows, all of them inside the plane.
    rows: Range<usize>,
}

impl Decoder {
    /// For frames of `spec`; `model` is what the pictures are.
    pub fn new(spec: &VideoSpec, model: ColorModel) -> Self {
        let (info, color) = (spec.format.info(), &spec.color);
        let (sx, sy) = info.subsampling;
        let rows = (sy > 0).then(|| Doubling::new(color.site.vertical));
        Self {
            info,
            size: spec.size,
            codes: std::array::from_fn(|c| info.code(c, color)),
            mixes: Mix::between(info.model(color), model, color.matrix),
            chroma: (sx > 0).then(|| (Doubling::new(color.site.horizontal), rows)),
        }
    }

    /// Decodes the part of `frame` at `rows` and `columns` into `out`: a slice for each plane of the picture, which begins
    /// with the part's rows, each as long as the part is wide. Alpha is not looked at.
    ///
    /// Samples are bit for bit those of the whole picture, whatever the part. Panics where the frame is not of the size that
    /// was promised, the part is not inside it, or a slice is too short.
    pub fn part(
        &self,
        frame: &FrameView,
        rows: Range<usize>,
        columns: Range<usize>,
        work: &mut Work,
        out: &mut [&mut [f32]],
    ) {
        assert_eq!(frame.size(), self.size, "frames are of one size");
        let mixes = &self.mixes[..out.len().min(3)];
        let used =
            |c: usize| mixes.iter().any(|mix| matches!(mix, Mix::Sum(_)) || *mix == Mix::Copy(c));
        let components = self.info.components;
        let used: Vec<_> = (0..components.len()).filter(|&c| used(c)).collect();
        let around = self.around(&rows, &columns);
        for &c in used.iter().filter(|&&c| self.info.is_subsampled(c)) {
            self.load_chroma(frame, c, &around, &mut work.chroma[c - 1]);
        }
        let width = columns.len();
        for (i, y) in rows.enumerate() {
            for &c in &used {
                if self.info.is_subsampled(c) {
                    self.double_chroma(c, y, &around, &columns, work);
                } else {
                    work.rows[c].resize(width, 0.0);
                    let bytes = frame.row(components[c].plane, y);
                    self.load(c, bytes, columns.start, &mut work.rows[c]);
                }
            }
            let row = |c: usize| -> &[f32] {
                let odd = if self.info.is_subsampled(c) { columns.start % 2 } else { 0 };
                work.rows[c].get(odd..odd + width).unwrap_or_default()
            };
            let part = i * width..(i + 1) * width;
            if let ([Mix::Sum(u), Mix::Sum(v), Mix::Sum(w)], [x, y, z]) = (mixes, &mut *out) {
                let dst = [&mut x[part.clone()], &mut y[part.clone()], &mut z[part]];
                mix::<false, 3>([row(0), row(1), row(2)], [*u, *v, *w], dst);
                continue;
            }
            for (how, plane) in mixes.iter().zip(out.iter_mut()) {
                let dst = &mut plane[part.clone()];
                match *how {
                    Mix::Zero => dst.fill(0.0),
                    Mix::Copy(c) => dst.copy_from_slice(row(c)),
                    Mix::Sum(w) => mix::<false, 1>([row(0), row(1), row(2)], [w], [dst]),
                }
            }
        }
    }

    /// Component `c` of the pixels from column `first` of a row on.
    fn load(&self, c: usize, bytes: &[u8], first: usize, row: &mut [f32]) {
        load_row(self.info, &self.info.components[c], self.codes[c], bytes, first, row);
    }

    /// The chroma samples that a part needs.
    fn around(&self, rows: &Range<usize>, columns: &Range<usize>) -> Around {
        let reach = DOUBLING_REACH;
        let height = self.info.component_size(1, self.size).height;
        let rows = match self.chroma {
            Some((_, Some(_))) => grown(&(rows.start / 2..rows.end.div_ceil(2)), reach, height),
            _ => rows.clone(),
        };
        let (start, end) = (columns.start / 2, columns.end.div_ceil(2));
        let left = start as isize - reach as isize;
        Around { left, width: end - start + 2 * reach, rows }
    }

    /// Reads component `c` of `around` into `plane`.
    fn load_chroma(&self, frame: &FrameView, c: usize, around: &Around, plane: &mut Vec<f32>) {
        let whole = self.info.component_size(c, self.size).width;
        let skipped = (-around.left).max(0) as usize;
        let first = around.left.max(0) as usize;
        let count = (around.width - skipped).min(whole - first);
        plane.resize(around.width * around.rows.len(), 0.0);
        for (y, row) in around.rows.clone().zip(plane.chunks_exact_mut(around.width)) {
            let bytes = frame.row(self.info.components[c].plane, y);
            self.load(c, bytes, first, &mut row[skipped..][..count]);
            mirror_edges(row, around.left, whole);
        }
    }

    /// Brings row `y` of component `c` to full size, from the even column at or before the part's first.
    fn double_chroma(
        &self,
        c: usize,
        y: usize,
        around: &Around,
        columns: &Range<usize>,
        work: &mut Work,
    ) {
        let Some((across, down)) = &self.chroma else { return };
        let height = self.info.component_size(c, self.size).height;
        let plane = &work.chroma[c - 1];
        let row = |y: isize| {
            &plane[(mirror(y, height) - around.rows.start) * around.width..][..around.width]
        };
        work.line.resize(around.width, 0.0);
        let line = match down {
            Some(down) => down.column(y, row, &mut work.line),
            None => row(y as isize),
        };
        work.rows[c].resize(2 * (columns.end.div_ceil(2) - columns.start / 2), 0.0);
        across.row(line, &mut work.rows[c]);
    }
}

/// Reads alpha into `alpha`, or sets it to `None` where there is none to speak of.
fn decode_alpha(frame: &FrameView, alpha: &mut Option<Plane>) {
    let (info, size) = (frame.format().info(), frame.size());
    let code = CodeRange::Full.luma(info.depth);
    let Some(component) = info.alpha else {
        *alpha = None;
        return;
    };
    let plane = alpha.get_or_insert_default();
    plane.resize(size);
    let opaque = plane.samples_mut().par_chunks_mut(size.width).enumerate().map(|(y, row)| {
        load_row(info, &component, code, frame.row(component.plane, y), 0, row);
        row.iter().all(|&v| v >= 1.0)
    });
    if opaque.reduce(|| true, |a, b| a && b) {
        *alpha = None;
    }
}

/// Reads one component of the pixels from column `first` of a plane's row on.
fn load_row(
    info: &FormatInfo,
    component: &Component,
    code: Code,
    bytes: &[u8],
    first: usize,
    row: &mut [f32],
) {
    fn load_samples<T: Sample>(
        (shift, code): (u32, Code),
        &Component { step, offset, .. }: &Component,
        samples: &[T],
        row: &mut [f32],
    ) {
        match step {
            1 => load::<T, 1>(samples, offset, shift, code, row),
            2 => load::<T, 2>(samples, offset, shift, code, row),
            3 => load::<T, 3>(samples, offset, shift, code, row),
            _ => load::<T, 4>(samples, offset, shift, code, row),
        }
    }
    let bytes = &bytes[first * component.step * info.sample_bytes..];
    let how = (info.shift, code);
    match info.sample_bytes {
        1 => load_samples(how, component, bytes, row),
        _ => load_samples(how, component, bytes.as_chunks::<2>().0, row),
    }
}
