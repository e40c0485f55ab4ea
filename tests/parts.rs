//! Frames that are decoded and encoded by parts, and the arithmetic of subsampled chroma.

mod support;

use std::ops::Range;

use gstkizuna::upscale::resize::{Window, resize_window};
use gstkizuna::upscale::{
    ChromaSite, ColorModel, ColorSpec, Decoder, Encoder, Filter, Matrix, PartRows, Picture,
    PixelFormat, Plane, Size, VideoSpec, decode,
};
use proptest::prelude::*;
use support::frame::Frame;

const SITES: [ChromaSite; 4] =
    [ChromaSite::LEFT, ChromaSite::CENTRE, ChromaSite::TOP_LEFT, ChromaSite::TOP];

/// Numbers that look random.
struct Draw(u32);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % n
    }

    /// `range` in pieces that begin at multiples of `step`.
    fn pieces(&mut self, range: Range<usize>, step: usize) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + step * (1 + self.below(12)));
            pieces.push(start..end);
            start = end;
        }
        pieces
    }

    fn frame(&mut self, format: PixelFormat, size: Size) -> Frame {
        let mut frame = Frame::new(format, size, 3);
        let info = format.info();
        for component in info.components.iter().chain(&info.alpha) {
            frame.fill(component, |_, _| self.below(1 << info.depth) as u32);
        }
        frame
    }

    /// Overshoot, and once in a while a NaN.
    fn picture(&mut self, model: ColorModel, size: Size) -> Picture {
        let mut picture = Picture::new(model, size);
        for v in picture.planes.iter_mut().flat_map(Plane::samples_mut) {
            let code = self.below(1400);
            *v = if code == 0 { f32::NAN } else { code as f32 / 1000.0 - 0.2 };
        }
        picture
    }
}

/// Nothing but what an encoder may look at.
struct Part<'a> {
    picture: &'a Picture,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl PartRows for Part<'_> {
    fn row(&self, plane: usize, y: usize) -> (usize, &[f32]) {
        assert!(self.rows.contains(&y));
        (self.columns.start, &self.picture.planes[plane].row(y)[self.columns.clone()])
    }
}

fn grown(range: &Range<usize>, by: usize, len: usize) -> Range<usize> {
    range.start.saturating_sub(by)..len.min(range.end + by)
}

fn any_spec() -> impl Strategy<Value = (Size, ColorSpec, ColorModel)> {
    let models = [ColorModel::Rgb, ColorModel::Yuv(Matrix::Bt709), ColorModel::Luma];
    let colour = (prop::sample::select(&SITES[..]), prop::bool::ANY).prop_map(|(site, full)| {
        let range = if full { gstkizuna::upscale::Range::Full } else { LIMITED };
        ColorSpec { matrix: Matrix::Bt709, range, site }
    });
    let size = (1usize..90, 1usize..40).prop_map(|(w, h)| Size::new(w, h));
    (size, colour, prop::sample::select(models.to_vec()))
}

const LIMITED: gstkizuna::upscale::Range = gstkizuna::upscale::Range::Limited;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn decoded_parts_are_the_whole((size, color, model) in any_spec(), seed: u32) {
        let draw = &mut Draw(seed);
        for &format in PixelFormat::ALL {
            let frame = draw.frame(format, size);
            let mut whole = Picture::new(model, Size::new(1, 1));
            decode(&frame.view(), &color, &mut whole);
            let decoder = Decoder::new(&VideoSpec { format, size, color }, model);
            let mut work = Default::default();
            for rows in draw.pieces(0..size.height, 1) {
                for columns in draw.pieces(0..size.width, 1) {
                    let mut out = vec![vec![9.0; rows.len() * columns.len()]; model.planes()];
                    let mut slices: Vec<_> = out.iter_mut().map(|p| &mut p[..]).collect();
                    let (y, x) = (rows.clone(), columns.clone());
                    decoder.part(&frame.view(), y, x, &mut work, &mut slices);
                    for (part, plane) in out.iter().zip(&whole.planes) {
                        let part = part.chunks(columns.len());
                        for (y, row) in rows.clone().zip(part) {
                            prop_assert_eq!(row, &plane.row(y)[columns.clone()], "{}", format.name());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn encoded_parts_are_the_whole((size, color, model) in any_spec(), seed: u32) {
        let draw = &mut Draw(seed);
        for &format in PixelFormat::ALL {
            let picture = draw.picture(model, size);
            let mut whole = Frame::new(format, size, 0);
            whole.encode(&picture, &color).unwrap();
            let encoder = Encoder::new(&VideoSpec { format, size, color }, model);
            let (mut work, reach) = (Default::default(), encoder.reach());
            let mut frame = Frame::new(format, size, 3);
            frame.write(|view| {
                for band in &mut view.bands(2 * (1 + draw.below(9))) {
                    for rows in draw.pieces(band.rows(), 2) {
                        for columns in draw.pieces(0..size.width, 2) {
                            let source = Part {
                                picture: &picture,
                                rows: grown(&rows, reach, size.height),
                                columns: grown(&columns, reach, size.width),
                            };
                            encoder.part(band, rows.clone(), columns, &source, &mut work);
                        }
                    }
                }
            });
            prop_assert_eq!(frame.rows(), whole.rows(), "{}", format.name());
        }
    }

    /// The twin is the resampler for any factor and any place.
    #[test]
    fn chroma_is_resampled_as_any_plane_is(
        w in 1usize..50, h in 1usize..50, site in prop::sample::select(&SITES[..]), seed: u32
    ) {
        let size = Size::new(w, h);
        let color = ColorSpec { matrix: Matrix::Bt709, range: LIMITED, site };
        let model = ColorModel::Yuv(Matrix::Bt709);
        for (format, halves) in [(PixelFormat::I420, 2), (PixelFormat::Y42b, 1)] {
            let small = Size::new(w.div_ceil(2), h.div_ceil(halves));
            let dx = if matches!(site, ChromaSite::LEFT | ChromaSite::TOP_LEFT) { 0.5 } else { 0.0 };
            let cosited = matches!(site, ChromaSite::TOP_LEFT | ChromaSite::TOP);
            let dy = if cosited && halves == 2 { 0.5 } else { 0.0 };

            let frame = Draw(seed).frame(format, size);
            let mut picture = Picture::new(model, size);
            decode(&frame.view(), &color, &mut picture);
            let mut chroma = Plane::new(small);
            let codes = (0..small.height).flat_map(|y| frame.view().row(1, y).to_vec());
            for (v, code) in chroma.samples_mut().iter_mut().zip(codes) {
                *v = (f32::from(code) - 128.0) / 224.0;
            }
            let (left, top) = (dx / 2.0, dy / halves as f64);
            let window =
                Window { left, top, width: w as f64 / 2.0, height: h as f64 / halves as f64 };
            let mut twin = Plane::new(size);
            resize_window(&chroma, window, &mut twin, Filter::CatmullRom);
            for (a, b) in picture.planes[1].samples().iter().zip(twin.samples()) {
                prop_assert!((a - b).abs() < 1e-5, "{a} {b}");
            }

            let mut back = Frame::new(format, size, 0);
            back.encode(&picture, &color).unwrap();
            let (width, height) = (2.0 * small.width as f64, (halves * small.height) as f64);
            let window = Window { left: -dx, top: -dy, width, height };
            let mut twin = Plane::new(small);
            resize_window(&picture.planes[1], window, &mut twin, Filter::CatmullRom);
            for y in 0..small.height {
                for (&code, v) in back.view().row(1, y).iter().zip(twin.row(y)) {
                    let exact = (v * 224.0 + 128.0).clamp(0.0, 255.0);
                    prop_assert!((f32::from(code) - exact).abs() < 0.501, "{code} {exact}");
                }
            }
        }
    }
}
