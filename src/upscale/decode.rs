//! Frame in, picture out.
//!
//! Band by band: codes become floats, chroma is brought to full size (Catmull-Rom, at its true position), and the components
//! are mixed into those that the picture wants. A band stays in cache from first to last.

use rayon::prelude::*;

use super::color::{Code, ColorSpec, Mix};
use super::format::{Component, FormatInfo};
use super::frame::FrameView;
use super::geometry::Size;
use super::picture::{Picture, Plane};
use super::resize::{Filter, Resampler, Scratch, Window};

/// Luma rows of a band: a multiple of every subsampling factor.
pub(super) const BAND: usize = 64;

/// Turns `frame` into a picture of the model that `into` asks for; its memory is used again.
///
/// Values are not clamped: what lies above white or below black in the frame stays there. Alpha is `None` where the format
/// has none or every sample is opaque. Luma of R'G'B' formats and [`super::ColorModel::Luma`] go by `spec.matrix`.
pub fn decode(frame: &FrameView, spec: &ColorSpec, into: &mut Picture) {
    let size = frame.size();
    into.planes.resize_with(into.model.planes(), Plane::default);
    for plane in &mut into.planes {
        plane.resize(size);
    }
    decode_alpha(frame, &mut into.alpha);

    let source = Source::new(frame, spec);
    let mixes = Mix::between(source.info.model(spec), into.model, spec.matrix);
    let mut bands: Vec<[&mut [f32]; 3]> = Vec::new();
    bands.resize_with(size.height.div_ceil(BAND), Default::default);
    for (i, plane) in into.planes.iter_mut().enumerate() {
        for (band, part) in bands.iter_mut().zip(plane.samples_mut().chunks_mut(BAND * size.width))
        {
            band[i] = part;
        }
    }
    bands.par_iter_mut().enumerate().for_each_init(Work::default, |work, (i, band)| {
        source.read_band(i * BAND, &mixes, work, band);
    });
}

/// A frame, and how its samples are read.
struct Source<'a> {
    frame: &'a FrameView<'a>,
    info: &'static FormatInfo,
    codes: [Code; 3],
    /// Brings chroma to full size.
    chroma: Resampler,
}

/// What a thread keeps from band to band.
#[derive(Default)]
struct Work {
    scratch: Scratch,
    /// One band of each component.
    components: [Vec<f32>; 3],
}

impl<'a> Source<'a> {
    fn new(frame: &'a FrameView<'a>, spec: &ColorSpec) -> Self {
        let (info, size) = (frame.format().info(), frame.size());
        let codes = std::array::from_fn(|c| info.code(c, spec));
        let chroma = upsampler(info, spec, size);
        Self { frame, info, codes, chroma }
    }

    /// Decodes the rows from `first` on into `band`, a slice of whole rows for each of the picture's planes.
    fn read_band(&self, first: usize, mixes: &[Mix; 3], work: &mut Work, band: &mut [&mut [f32]]) {
        let width = self.frame.size().width;
        let rows = first..first + band[0].len() / width;
        let used = |c| mixes.iter().any(|mix| matches!(mix, Mix::Sum(_)) || *mix == Mix::Copy(c));
        for (c, component) in self.info.components.iter().enumerate().filter(|&(c, _)| used(c)) {
            let part = &mut work.components[c];
            part.resize(rows.len() * width, 0.0);
            let read = |y: usize, row: &mut [f32]| {
                let bytes = self.frame.row(component.plane, y);
                read_row(self.info, component, self.codes[c], bytes, row);
            };
            if self.info.is_subsampled(c) {
                self.chroma.run(&mut work.scratch, rows.clone(), read, part);
            } else {
                rows.clone().zip(part.chunks_exact_mut(width)).for_each(|(y, row)| read(y, row));
            }
        }
        for i in 0..rows.len() {
            // Components that the format lacks are not mixed in; any row stands for them.
            let row = |c: usize| {
                let part = &work.components[c];
                part.get(i * width..(i + 1) * width).unwrap_or(&work.components[0][i * width..])
            };
            let components = [row(0), row(1), row(2)];
            for (mix, out) in mixes.iter().zip(band.iter_mut().filter(|part| !part.is_empty())) {
                mix.apply(components, &mut out[i * width..][..width], |v| v);
            }
        }
    }
}

/// From a chroma plane of a frame of `size` to full size.
fn upsampler(info: &FormatInfo, spec: &ColorSpec, size: Size) -> Resampler {
    let (sx, sy) = info.subsampling;
    let (fx, fy) = (f64::from(1 << sx), f64::from(1 << sy));
    // Chroma that lies further left shows, at any luma position, what is further right in its plane.
    let (dx, dy) = info.chroma_shift(spec.site);
    let window = Window {
        left: dx / fx,
        top: dy / fy,
        width: size.width as f64 / fx,
        height: size.height as f64 / fy,
    };
    Resampler::new(info.component_size(1, size), window, size, Filter::CatmullRom)
}

/// Reads alpha into `alpha`, or sets it to `None` where there is none to speak of.
fn decode_alpha(frame: &FrameView, alpha: &mut Option<Plane>) {
    let (info, size) = (frame.format().info(), frame.size());
    let code = super::color::Range::Full.luma(info.depth);
    let Some(component) = info.alpha else {
        *alpha = None;
        return;
    };
    let plane = alpha.get_or_insert_default();
    plane.resize(size);
    let opaque = plane.samples_mut().par_chunks_mut(size.width).enumerate().map(|(y, row)| {
        read_row(info, &component, code, frame.row(component.plane, y), row);
        row.iter().all(|&v| v >= 1.0)
    });
    if opaque.reduce(|| true, |a, b| a && b) {
        *alpha = None;
    }
}

/// Reads one component out of a plane's row.
fn read_row(info: &FormatInfo, component: &Component, code: Code, bytes: &[u8], row: &mut [f32]) {
    let read = match (info.sample_bytes, component.step) {
        (1, 1) => read_bytes::<1>,
        (1, 2) => read_bytes::<2>,
        (1, 3) => read_bytes::<3>,
        (1, _) => read_bytes::<4>,
        (_, 1) => read_words::<2>,
        (_, 2) => read_words::<4>,
        (_, _) => read_words::<8>,
    };
    read(component.offset, info.shift, code, bytes, row);
}

/// Samples of one byte, the first of every `STEP` bytes from `offset` on.
fn read_bytes<const STEP: usize>(
    offset: usize,
    _shift: u32,
    code: Code,
    bytes: &[u8],
    row: &mut [f32],
) {
    for (v, pixel) in row.iter_mut().zip(bytes.chunks_exact(STEP)) {
        // A division, so that white is 1 exactly.
        *v = (f32::from(pixel[offset]) - code.zero) / code.one;
    }
}

/// Samples of two bytes, little endian, one in every `BYTES` bytes.
fn read_words<const BYTES: usize>(
    offset: usize,
    shift: u32,
    code: Code,
    bytes: &[u8],
    row: &mut [f32],
) {
    for (v, pixel) in row.iter_mut().zip(bytes.chunks_exact(BYTES)) {
        let word = u16::from_le_bytes([pixel[2 * offset], pixel[2 * offset + 1]]) >> shift;
        *v = (f32::from(word) - code.zero) / code.one;
    }
}
