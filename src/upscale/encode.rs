//! Picture in, frame out.
//!
//! Band by band, as in [`super::decode`](mod@super::decode): each component is mixed from the picture's planes, chroma is
//! brought down to its size and place (Catmull-Rom widened by the factor, so that nothing aliases), and floats become codes.

use rayon::prelude::*;

use super::color::{Code, ColorSpec, Mix, Range};
use super::decode::BAND;
use super::format::{Component, FormatInfo, Kind};
use super::frame::{BandMut, FrameError, FrameViewMut};
use super::geometry::Size;
use super::picture::{ColorModel, Picture};
use super::resize::{Filter, Resampler, Scratch, Window};

/// Writes `picture` into `frame`, whatever its model and the frame's format; both have one size.
///
/// R'G'B' and Y' are clamped to 0..1, also before they become Y'CbCr; codes are rounded to the nearest. Alpha that is `None`
/// is written as opaque, so is the padding of formats like RGBx; chroma of [`ColorModel::Luma`] is neutral. NaN becomes the
/// lowest code.
///
/// # Errors
/// [`FrameError::Picture`] where the sizes differ or the picture lacks planes.
pub fn encode(
    picture: &Picture,
    spec: &ColorSpec,
    frame: &mut FrameViewMut,
) -> Result<(), FrameError> {
    let size = frame.size();
    let fits = picture.planes.len() == picture.model.planes()
        && picture.planes.iter().chain(&picture.alpha).all(|p| p.size() == size);
    if !fits {
        let picture = picture.planes.first().map(|p| p.size()).unwrap_or_default();
        return Err(FrameError::Picture { picture, frame: size });
    }
    let sink = Sink::new(picture, spec, frame.format().info(), size);
    let mut bands = frame.bands(BAND);
    bands.par_iter_mut().for_each_init(Work::default, |work, band| sink.write_band(band, work));
    Ok(())
}

/// A picture, and how it becomes samples.
struct Sink<'a> {
    picture: &'a Picture,
    info: &'static FormatInfo,
    mixes: [Mix; 3],
    codes: [Code; 3],
    size: Size,
    /// Brings chroma down.
    chroma: Resampler,
}

/// What a thread keeps from band to band.
#[derive(Default)]
struct Work {
    scratch: Scratch,
    samples: Vec<f32>,
}

impl<'a> Sink<'a> {
    fn new(picture: &'a Picture, spec: &ColorSpec, info: &'static FormatInfo, size: Size) -> Self {
        Self {
            picture,
            info,
            mixes: Mix::between(picture.model, info.model(spec), spec.matrix),
            codes: std::array::from_fn(|c| info.code(c, spec)),
            size,
            chroma: downsampler(info, spec, size),
        }
    }

    fn write_band(&self, band: &mut BandMut, work: &mut Work) {
        for (c, component) in self.info.components.iter().enumerate() {
            if self.info.is_subsampled(c) {
                self.write_chroma(c, component, band, work);
            } else {
                work.samples.resize(self.size.width, 0.0);
                for y in 0..band.rows {
                    self.mix(c, band.first + y, &mut work.samples);
                    let bytes = band.row(component.plane, y);
                    self.write(component, self.clamped(c), &work.samples, bytes);
                }
            }
        }
        let code = Range::Full.luma(self.info.depth);
        let opaque = vec![1.0; self.size.width];
        for component in self.info.alpha.iter().chain(&self.info.padding) {
            let alpha = self.picture.alpha.as_ref().filter(|_| self.info.alpha.is_some());
            for y in 0..band.rows {
                let row = alpha.map_or(&opaque[..], |alpha| alpha.row(band.first + y));
                self.write(component, Limits::new(code, true), row, band.row(component.plane, y));
            }
        }
    }

    fn write_chroma(&self, c: usize, component: &Component, band: &mut BandMut, work: &mut Work) {
        let width = self.info.component_size(c, self.size).width;
        let first = band.first >> self.info.subsampling.1;
        let rows = band.rows.div_ceil(1 << self.info.subsampling.1);
        work.samples.resize(width * rows, 0.0);
        let source = |y: usize, row: &mut [f32]| self.mix(c, y, row);
        self.chroma.run(&mut work.scratch, first..first + rows, source, &mut work.samples);
        for (y, row) in work.samples.chunks_exact(width).enumerate() {
            self.write(component, self.clamped(c), row, band.row(component.plane, y));
        }
    }

    /// Component `c` of row `y`, at full size.
    fn mix(&self, c: usize, y: usize, row: &mut [f32]) {
        let planes = &self.picture.planes;
        let of = |i: usize| planes.get(i).unwrap_or(&planes[0]).row(y);
        let src = [of(0), of(1), of(2)];
        if self.picture.model == ColorModel::Rgb {
            self.mixes[c].apply(src, row, |v| v.clamp(0.0, 1.0));
        } else {
            self.mixes[c].apply(src, row, |v| v);
        }
    }

    /// How component `c` is quantised.
    fn clamped(&self, c: usize) -> Limits {
        Limits::new(self.codes[c], self.info.kind != Kind::Yuv || c == 0)
    }

    fn write(&self, component: &Component, limits: Limits, row: &[f32], bytes: &mut [u8]) {
        let write = match (self.info.sample_bytes, component.step) {
            (1, 1) => write_bytes::<1>,
            (1, 2) => write_bytes::<2>,
            (1, 3) => write_bytes::<3>,
            (1, _) => write_bytes::<4>,
            (_, 1) => write_words::<2>,
            (_, 2) => write_words::<4>,
            (_, _) => write_words::<8>,
        };
        write(component.offset, self.info.shift, limits, row, bytes);
    }
}

/// From a chroma plane at full `size` to that of the format.
fn downsampler(info: &FormatInfo, spec: &ColorSpec, size: Size) -> Resampler {
    let (sx, sy) = info.subsampling;
    let small = info.component_size(1, size);
    let (dx, dy) = info.chroma_shift(spec.site);
    let window = Window {
        left: -dx,
        top: -dy,
        width: (small.width << sx) as f64,
        height: (small.height << sy) as f64,
    };
    Resampler::new(size, window, small, Filter::CatmullRom)
}

/// A code, and the codes that may come of it.
#[derive(Debug, Clone, Copy)]
struct Limits {
    code: Code,
    min: f32,
    max: f32,
}

impl Limits {
    /// The codes of 0..1, or every code.
    fn new(code: Code, nominal: bool) -> Self {
        let (min, max) = if nominal { (code.zero, code.zero + code.one) } else { (0.0, code.max) };
        Self { code, min, max }
    }

    /// The nearest code.
    fn quantise(self, v: f32) -> u32 {
        // In this order a NaN becomes `min`.
        let code = (v * self.code.one + self.code.zero).max(self.min).min(self.max);
        // By way of i32, which every SIMD set converts to.
        (code + 0.5) as i32 as u32
    }
}

/// Samples of one byte, the first of every `STEP` bytes from `offset` on.
fn write_bytes<const STEP: usize>(
    offset: usize,
    _shift: u32,
    limits: Limits,
    row: &[f32],
    bytes: &mut [u8],
) {
    for (&v, pixel) in row.iter().zip(bytes.chunks_exact_mut(STEP)) {
        pixel[offset] = limits.quantise(v) as u8;
    }
}

/// Samples of two bytes, little endian, one in every `BYTES` bytes.
fn write_words<const BYTES: usize>(
    offset: usize,
    shift: u32,
    limits: Limits,
    row: &[f32],
    bytes: &mut [u8],
) {
    for (&v, pixel) in row.iter().zip(bytes.chunks_exact_mut(BYTES)) {
        let word = (limits.quantise(v) << shift) as u16;
        pixel[2 * offset..][..2].copy_from_slice(&word.to_le_bytes());
    }
}
