//! Resampling of planes: `fast_image_resize` does the arithmetic, this file the edges, the sub-pixel windows and the threads.
//!
//! Beyond its edges a plane goes on as its own mirror image, the edge sample repeated, as in zimg (the library itself cuts
//! the kernel off there and normalises the rest). For that, each band of rows is copied into a block with a margin.

use std::ops::Range;

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use fir::pixels::F32;
use rayon::prelude::*;

use super::geometry::{Size, mirror};
use super::picture::{Picture, Plane};

/// A resampling kernel; widened by the factor where a plane is made smaller, so that nothing aliases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Triangle, 2 taps.
    Bilinear,
    /// Cubic with B = 0, C = 0.5 (a = -0.5), 4 taps; zimg's `bicubic` at these parameters.
    CatmullRom,
    /// Cubic with B = C = 1/3, 4 taps.
    Mitchell,
    /// Sinc windowed by its own main lobe, 6 taps.
    Lanczos3,
}

impl Filter {
    /// Its radius in samples.
    const fn radius(self) -> f64 {
        match self {
            Self::Bilinear => 1.0,
            Self::CatmullRom | Self::Mitchell => 2.0,
            Self::Lanczos3 => 3.0,
        }
    }

    const fn kernel(self) -> fir::FilterType {
        match self {
            Self::Bilinear => fir::FilterType::Bilinear,
            Self::CatmullRom => fir::FilterType::CatmullRom,
            Self::Mitchell => fir::FilterType::Mitchell,
            Self::Lanczos3 => fir::FilterType::Lanczos3,
        }
    }
}

/// The part of a plane that is resampled, in source samples: the first sample covers 0..1, its centre is 0.5.
///
/// It may reach outside the plane, where the mirror image is seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Window {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Columns.
    pub width: f64,
    /// Rows.
    pub height: f64,
}

impl Window {
    /// A whole plane of `size`.
    pub const fn whole(size: Size) -> Self {
        Self { left: 0.0, top: 0.0, width: size.width as f64, height: size.height as f64 }
    }
}

/// `src` at `size`.
pub fn resize(src: &Plane, size: Size, filter: Filter) -> Plane {
    let mut dst = Plane::new(size);
    resize_window(src, Window::whole(src.size()), &mut dst, filter);
    dst
}

/// Fills `dst`, whatever its size, with what `window` shows of `src`. Nothing happens where one of them is empty.
pub fn resize_window(src: &Plane, window: Window, dst: &mut Plane, filter: Filter) {
    let size = dst.size();
    if src.size().area() == 0 || size.area() == 0 {
        return;
    }
    let resampler = Resampler::new(src.size(), window, size, filter);
    // The same bands on every machine, so the same result; few, as each computes its coefficients anew.
    let band = size.height.div_ceil(16).max(32);
    dst.samples_mut().par_chunks_mut(band * size.width).enumerate().for_each_init(
        Scratch::default,
        |scratch, (i, part)| {
            let first = i * band;
            let rows = first..first + part.len() / size.width;
            resampler.run(scratch, rows, |y, row| row.copy_from_slice(src.row(y)), part);
        },
    );
}

/// `picture` at `size`, alpha included. Alpha is straight, and every plane is resampled by itself.
pub fn resize_picture(picture: &Picture, size: Size, filter: Filter) -> Picture {
    Picture {
        model: picture.model,
        planes: picture.planes.iter().map(|p| resize(p, size, filter)).collect(),
        alpha: picture.alpha.as_ref().map(|p| resize(p, size, filter)),
    }
}

/// A resampling of whole planes that is done band by band, from rows that a callback supplies.
#[derive(Debug, Clone)]
struct Resampler {
    src: Size,
    dst: Size,
    window: Window,
    filter: Filter,
    /// Source samples per destination sample.
    step: (f64, f64),
}

/// What a thread keeps from band to band.
#[derive(Default)]
struct Scratch {
    /// Source rows with their margins.
    block: Vec<f32>,
    /// The same at the final width.
    middle: Vec<f32>,
    resizer: fir::Resizer,
}

impl Resampler {
    /// From planes of `src` to planes of `dst`, neither of them empty.
    fn new(src: Size, window: Window, dst: Size, filter: Filter) -> Self {
        let step = (window.width / dst.width as f64, window.height / dst.height as f64);
        Self { src, dst, window, filter, step }
    }

    /// Rows of the result `rows`, into `dst`, which holds just these; `source` writes a row of the source plane.
    fn run(
        &self,
        scratch: &mut Scratch,
        rows: Range<usize>,
        mut source: impl FnMut(usize, &mut [f32]),
        dst: &mut [f32],
    ) {
        let top = self.window.top + rows.start as f64 * self.step.1;
        let height = rows.len() as f64 * self.step.1;
        let (x0, x1) = self.reach(self.window.left, self.window.width, self.step.0);
        // Rows are had whole or not at all.
        let (x0, x1) = (x0.min(0), x1.max(self.src.width as isize));
        let (y0, y1) = self.reach(top, height, self.step.1);
        let (width, count) = ((x1 - x0) as usize, (y1 - y0) as usize);

        let Scratch { block, middle, resizer } = scratch;
        block.resize(width * count, 0.0);
        let (left, inner) = (-x0 as usize, self.src.width);
        for (i, row) in block.chunks_exact_mut(width).enumerate() {
            source(mirror(y0 + i as isize, self.src.height), &mut row[left..left + inner]);
            for x in (0..left).chain(left + inner..width) {
                row[x] = row[left + mirror(x as isize - left as isize, inner)];
            }
        }

        // One axis at a time: done together, fast_image_resize 6.1 takes it that no row needs an earlier source row than
        // the first, and overruns its buffer where the first falls exactly on a sample (cosited chroma).
        let wide = Size::new(self.dst.width, count);
        middle.resize(wide.area(), 0.0);
        let columns = (self.window.left - x0 as f64, 0.0, self.window.width, count as f64);
        convolve(resizer, self.filter, (block, Size::new(width, count)), columns, (middle, wide));
        let lines = (0.0, top - y0 as f64, wide.width as f64, height);
        let out = (dst, Size::new(wide.width, rows.len()));
        convolve(resizer, self.filter, (middle, wide), lines, out);
    }

    /// First sample, and one past the last, that the kernel touches for a window along one axis.
    fn reach(&self, start: f64, length: f64, step: f64) -> (isize, isize) {
        // One sample more, so that rounding never cuts one off.
        let radius = self.filter.radius() * step.max(1.0) + 1.0;
        ((start - radius).floor() as isize, (start + length + radius).ceil() as isize)
    }
}

/// Resamples `crop` (left, top, width, height) of `src`, which lies inside it, to the whole of `dst`.
fn convolve(
    resizer: &mut fir::Resizer,
    filter: Filter,
    (src, src_size): (&[f32], Size),
    (left, top, width, height): (f64, f64, f64, f64),
    (dst, dst_size): (&mut [f32], Size),
) {
    let options = fir::ResizeOptions::new()
        .resize_alg(fir::ResizeAlg::Convolution(filter.kernel()))
        .use_alpha(false)
        .crop(left, top, width, height);
    let src: &[F32] = bytemuck::cast_slice(src);
    let dst: &mut [F32] = bytemuck::cast_slice_mut(dst);
    let src = TypedImageRef::new(src_size.width as u32, src_size.height as u32, src);
    let dst = TypedImage::from_pixels_slice(dst_size.width as u32, dst_size.height as u32, dst);
    let done = src.ok().zip(dst.ok());
    let done = done.map(|(src, mut dst)| resizer.resize_typed(&src, &mut dst, &options));
    debug_assert!(matches!(done, Some(Ok(()))), "sizes and crop fit: {done:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(width: usize, height: usize, f: impl Fn(usize, usize) -> f32) -> Plane {
        let mut plane = Plane::new(Size::new(width, height));
        for y in 0..height {
            plane.row_mut(y).iter_mut().enumerate().for_each(|(x, v)| *v = f(x, y));
        }
        plane
    }

    /// The same in the plainest way: every tap of every sample, edges mirrored.
    fn naive(src: &Plane, window: Window, size: Size, kernel: fn(f64) -> f64) -> Plane {
        let axis = |start: f64, length: f64, n: usize, i: usize| {
            let step = length / n as f64;
            let (centre, wide) = (start + (i as f64 + 0.5) * step, step.max(1.0));
            let reach = (3.0 * wide).ceil() as isize + 1;
            let taps: Vec<_> = (centre as isize - reach..centre as isize + reach)
                .map(|x| (x, kernel((x as f64 + 0.5 - centre) / wide)))
                .collect();
            let sum: f64 = taps.iter().map(|t| t.1).sum();
            taps.into_iter().map(move |(x, w)| (x, w / sum)).collect::<Vec<_>>()
        };
        plane(size.width, size.height, |x, y| {
            let mut v = 0.0;
            for &(j, wy) in &axis(window.top, window.height, size.height, y) {
                for &(i, wx) in &axis(window.left, window.width, size.width, x) {
                    let row = src.row(mirror(j, src.size().height));
                    v += wx * wy * f64::from(row[mirror(i, row.len())]);
                }
            }
            v as f32
        })
    }

    fn catmull_rom(x: f64) -> f64 {
        match x.abs() {
            x if x < 1.0 => 1.5 * x * x * x - 2.5 * x * x + 1.0,
            x if x < 2.0 => -0.5 * x * x * x + 2.5 * x * x - 4.0 * x + 2.0,
            _ => 0.0,
        }
    }

    #[test]
    fn positions_and_edges_are_those_of_the_naive_twin() {
        let src = plane(13, 75, |x, y| ((x * 7 + y * 13) % 11) as f32);
        let whole = Window::whole(src.size());
        let windows = [
            whole,
            Window { left: 0.25, top: 0.25, ..whole },
            Window { left: -0.5, top: -0.5, ..whole },
            Window { left: 3.5, top: 40.25, width: 5.0, height: 9.5 },
        ];
        for window in windows {
            for size in [Size::new(26, 150), Size::new(7, 38), Size::new(39, 225), Size::new(1, 1)]
            {
                let mut dst = Plane::new(size);
                resize_window(&src, window, &mut dst, Filter::CatmullRom);
                let twin = naive(&src, window, size, catmull_rom);
                for (a, b) in dst.samples().iter().zip(twin.samples()) {
                    assert!((a - b).abs() < 1e-5, "{window:?} {size} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn every_filter_keeps_flat_planes_flat() {
        let src = plane(5, 3, |_, _| 0.25);
        for filter in [Filter::Bilinear, Filter::CatmullRom, Filter::Mitchell, Filter::Lanczos3] {
            for size in [Size::new(1, 1), Size::new(5, 3), Size::new(40, 2), Size::new(3, 90)] {
                let flat = resize(&src, size, filter);
                assert!(flat.samples().iter().all(|v| (v - 0.25).abs() < 1e-6), "{filter:?}");
            }
        }
    }

    #[test]
    fn empty_planes_do_nothing() {
        assert_eq!(
            resize(&Plane::default(), Size::new(2, 2), Filter::Lanczos3).samples(),
            [0.0; 4]
        );
        let gone = resize(&Plane::new(Size::new(2, 2)), Size::default(), Filter::Lanczos3);
        assert!(gone.samples().is_empty());
    }
}
