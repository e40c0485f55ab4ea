//! Every pixel format in and out: exact where it can be, and close where chroma is resampled.

mod support;

use gstkizuna::upscale::color::Mix;
use gstkizuna::upscale::format::Kind;
use gstkizuna::upscale::{
    ChromaSite, ColorModel, ColorSpec, FrameError, Matrix, Picture, PixelFormat, Range, Size,
    decode,
};
use proptest::prelude::*;
use support::frame::Frame;

const SPEC: ColorSpec =
    ColorSpec { matrix: Matrix::Bt709, range: Range::Limited, site: ChromaSite::LEFT };

const SIZES: [Size; 4] = [Size::new(1, 1), Size::new(2, 3), Size::new(17, 9), Size::new(64, 48)];

/// The model in which a format's components are kept as they are.
fn natural(format: PixelFormat, spec: &ColorSpec) -> ColorModel {
    format.info().model(spec)
}

fn decoded(frame: &Frame, spec: &ColorSpec, model: ColorModel) -> Picture {
    let mut picture = Picture::new(model, Size::new(1, 1));
    decode(&frame.view(), spec, &mut picture);
    picture
}

/// A frame of legal codes; chroma is flat where it is subsampled, so that no kernel can change it.
fn legal(format: PixelFormat, size: Size, spec: &ColorSpec, mut seed: u32) -> Frame {
    let mut frame = Frame::new(format, size, 5);
    let info = format.info();
    for (c, component) in info.components.iter().chain(&info.alpha).enumerate() {
        let is_alpha = c >= info.components.len();
        let range = if is_alpha { Range::Full } else { spec.range };
        let spec = ColorSpec { range, ..*spec };
        let code = info.code(c, &spec);
        let chroma = info.kind == Kind::Yuv && matches!(c, 1 | 2);
        let low = if chroma { (code.zero - code.one / 2.0).max(0.0) } else { code.zero } as u32;
        let flat = info.is_subsampled(c);
        let mut draw = || {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            low + (seed >> 8) % (code.one as u32 + 1).min(code.max as u32 + 1 - low)
        };
        let constant = draw();
        frame.fill(component, |_, _| if flat { constant } else { draw() });
    }
    if let Some(padding) = &info.padding {
        frame.fill(padding, |_, _| 255);
    }
    frame
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn every_format_round_trips_into_itself(seed: u32, full: bool, w in 1usize..40, h in 1usize..80) {
        let range = if full { Range::Full } else { Range::Limited };
        let spec = ColorSpec { range, ..SPEC };
        for &format in PixelFormat::ALL {
            let frame = legal(format, Size::new(w, h), &spec, seed);
            let picture = decoded(&frame, &spec, natural(format, &spec));
            let mut back = Frame::new(format, Size::new(w, h), 0);
            back.encode(&picture, &spec).unwrap();
            prop_assert_eq!(frame.rows(), back.rows(), "{}", format.name());
        }
    }

    #[test]
    fn rgb_survives_yuv_in_float(seed: u32, w in 1usize..40, h in 1usize..20) {
        for format in [PixelFormat::Gbr12le, PixelFormat::Rgb, PixelFormat::Rgba64le] {
            let spec = ColorSpec { range: Range::Full, ..SPEC };
            let frame = legal(format, Size::new(w, h), &spec, seed);
            let yuv = decoded(&frame, &spec, ColorModel::Yuv(Matrix::Bt2020));
            let mut back = Frame::new(format, Size::new(w, h), 3);
            back.encode(&yuv, &spec).unwrap();
            prop_assert_eq!(frame.rows(), back.rows(), "{}", format.name());
        }
    }
}

#[test]
fn a_ten_bit_ramp_keeps_every_level() {
    use PixelFormat::{I420_10le, P010_10le, Y444_10le};
    for range in [Range::Limited, Range::Full] {
        let spec = ColorSpec { range, ..SPEC };
        let (low, high) = if range == Range::Limited { (64, 940) } else { (0, 1023) };
        for format in [I420_10le, P010_10le, Y444_10le] {
            let size = Size::new(high - low + 1, 2);
            let mut ramp = Frame::new(format, size, 0);
            for (c, component) in format.info().components.iter().enumerate() {
                ramp.fill(component, |x, _| if c == 0 { (low + x) as u32 } else { 512 });
            }
            for model in [ColorModel::Rgb, ColorModel::Yuv(Matrix::Bt709)] {
                let mut back = Frame::new(format, size, 0);
                back.encode(&decoded(&ramp, &spec, model), &spec).unwrap();
                assert_eq!(ramp.rows(), back.rows(), "{} {model:?} {range:?}", format.name());
            }
        }
    }
}

/// A smooth picture whose chroma survives being halved.
fn soft(size: Size) -> Picture {
    let mut picture = Picture::new(ColorModel::Rgb, size);
    for (c, plane) in picture.planes.iter_mut().enumerate() {
        for y in 0..size.height {
            for (x, v) in plane.row_mut(y).iter_mut().enumerate() {
                let phase = (x * (c + 1) + y * (3 - c)) as f32 / 60.0;
                *v = 0.5 + 0.3 * phase.sin();
            }
        }
    }
    picture
}

#[test]
fn every_format_converts_to_and_from_the_common_ones() {
    let common = [PixelFormat::Rgb, PixelFormat::I420, PixelFormat::P010_10le];
    for size in SIZES {
        for &a in PixelFormat::ALL {
            for b in common {
                for (from, to) in [(a, b), (b, a)] {
                    let mut src = Frame::new(from, size, 7);
                    src.encode(&soft(size), &SPEC).unwrap();
                    let picture = decoded(&src, &SPEC, ColorModel::Rgb);
                    assert_eq!(picture.size(), size);
                    assert!(picture.alpha.is_none(), "{}: opaque", from.name());
                    let mut dst = Frame::new(to, size, 2);
                    dst.encode(&picture, &SPEC).unwrap();
                    let seen = decoded(&dst, &SPEC, ColorModel::Luma);
                    let wanted = luma(&soft(size));
                    for (a, b) in seen.planes[0].samples().iter().zip(wanted) {
                        // Two roundings at 8 bits, each of up to half a code in every component.
                        let names = (from.name(), to.name());
                        assert!((a - b).abs() < 0.015, "{names:?} {size}: {a} {b}");
                    }
                }
            }
        }
    }
}

fn luma(rgb: &Picture) -> Vec<f32> {
    let [Mix::Sum([r, g, b]), ..] = Mix::between(ColorModel::Rgb, ColorModel::Luma, SPEC.matrix)
    else {
        panic!("luma is a weighted sum")
    };
    let [red, green, blue] = [0, 1, 2].map(|c| rgb.planes[c].samples());
    red.iter().zip(green).zip(blue).map(|((x, y), z)| r * x + g * y + b * z).collect()
}

#[test]
fn what_lies_outside_the_range_is_kept_until_encoded() {
    let mut frame = Frame::new(PixelFormat::Gray8, Size::new(2, 1), 0);
    frame.fill(&PixelFormat::Gray8.info().components[0], |x, _| [0, 255][x]);
    let picture = decoded(&frame, &SPEC, ColorModel::Rgb);
    let seen = picture.planes[2].samples();
    assert!((seen[0] + 16.0 / 219.0).abs() < 1e-6 && (seen[1] - 239.0 / 219.0).abs() < 1e-6);
    let mut back = Frame::new(PixelFormat::Rgbx, Size::new(2, 1), 0);
    back.encode(&picture, &SPEC).unwrap();
    assert_eq!(back.rows(), [vec![16, 16, 16, 255, 235, 235, 235, 255]]);
}

#[test]
fn alpha_is_written_and_gray_has_neutral_chroma() {
    let mut picture = Picture::new(ColorModel::Luma, Size::new(3, 3));
    let mut argb = Frame::new(PixelFormat::Argb, Size::new(3, 3), 0);
    argb.encode(&picture, &SPEC).unwrap();
    assert_eq!(argb.rows()[0][..4], [255, 16, 16, 16]);
    let mut alpha = picture.planes[0].clone();
    alpha.samples_mut().fill(0.5);
    picture.alpha = Some(alpha);
    argb.encode(&picture, &SPEC).unwrap();
    assert_eq!(argb.rows()[0][..4], [128, 16, 16, 16]);
    assert!(decoded(&argb, &SPEC, ColorModel::Rgb).alpha.is_some());
    let mut nv12 = Frame::new(PixelFormat::Nv12, Size::new(3, 3), 0);
    nv12.encode(&picture, &SPEC).unwrap();
    assert_eq!(nv12.rows()[3..], [vec![128; 4], vec![128; 4]]);
}

#[test]
fn bad_pictures_are_refused() {
    let mut frame = Frame::new(PixelFormat::I420, Size::new(4, 4), 0);
    let error = frame.encode(&Picture::new(ColorModel::Rgb, Size::new(4, 5)), &SPEC);
    assert!(matches!(error, Err(FrameError::Picture { .. })));
    let mut broken = Picture::new(ColorModel::Rgb, Size::new(4, 4));
    broken.planes.pop();
    assert!(frame.encode(&broken, &SPEC).is_err());
    broken.planes.clear();
    assert!(frame.encode(&broken, &SPEC).is_err());
    let mut nan = Picture::new(ColorModel::Rgb, Size::new(4, 4));
    nan.planes[0].samples_mut().fill(f32::NAN);
    nan.planes[1].samples_mut().fill(f32::INFINITY);
    frame.encode(&nan, &SPEC).unwrap();
}
