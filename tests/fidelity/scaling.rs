//! Sizes that are not the network's own, strength, alpha, and luma.

use gstkizuna::engine::Provider::{self, Cpu, Embedded};
use gstkizuna::session::Config;
use gstkizuna::upscale::Finish;
use gstkizuna::upscale::{
    Filter, Matrix, Picture, PixelFormat, Plane, Size, decode, encode, resize, resize_picture,
};

use crate::common::{
    config, direct, drawn, load, mirrored, one_at_a_time, planes, process, psnr, session, shipped,
    upscale, video, worst,
};
use crate::support::frame::Frame;
use crate::zoo;

const RGB: PixelFormat = PixelFormat::Rgb;
const DEEP: PixelFormat = PixelFormat::Rgba64le;

/// Flat tones and lines of ink on a sheet of 60x44, at `factor` pixels each; edges are one pixel wide at any factor.
fn drawing(factor: usize) -> Vec<Plane> {
    let size = Size::new(60 * factor, 44 * factor);
    let at = |i: usize| (i as f32 + 0.5) / factor as f32;
    let paint = |c: usize, x: f32, y: f32| {
        let inside = |distance: f32| (0.5 - distance * factor as f32).clamp(0.0, 1.0);
        let sky = 0.9 - 0.1 * c as f32;
        let hair = inside(40.0 - 0.7 * x - 0.7 * y) * (0.5 - 0.2 * c as f32);
        let ring = inside(((x - 24.0).hypot(y - 20.0) - 12.0).abs() - 1.1);
        let line = inside((0.6 * x - 0.8 * y - 7.0).abs() - 0.9);
        (sky - hair) * (1.0 - 0.9 * ring.max(line))
    };
    let channel = |c: usize| {
        let mut plane = Plane::new(size);
        for y in 0..size.height {
            let row = plane.row_mut(y).iter_mut().enumerate();
            row.for_each(|(x, v)| *v = paint(c, at(x), at(y)));
        }
        plane
    };
    (0..3).map(channel).collect()
}

/// A small frame, and the same in four times the size.
fn truth() -> (Frame, Vec<Plane>) {
    let (size, truth) = (Size::new(60, 44), drawing(4));
    let mut picture = Picture::new(gstkizuna::upscale::ColorModel::Rgb, size);
    picture.planes = truth.iter().map(|p| resize(p, size, Filter::Bilinear)).collect();
    let mut frame = Frame::new(RGB, size, 0);
    frame.encode(&picture, &video(RGB, size).color).unwrap();
    (frame, truth)
}

#[test]
fn any_size_comes_out_as_asked_and_near_the_truth() {
    let _one = one_at_a_time();
    let (src, truth) = truth();
    let dir = tempfile::tempdir().unwrap();
    let x1 = zoo::write(&zoo::case("identity"), dir.path());
    let x15 = zoo::write(&zoo::case("linear-x1.5"), dir.path());
    let (x1, x15) = (x1.to_str().unwrap(), x15.to_str().unwrap());
    let times = |f: f64| Size::new((60.0 * f) as usize, (44.0 * f) as usize);
    for (model, to, passes) in [
        ("animevideov3-x4", times(2.0), 1),
        ("animevideov3-x2", times(2.0), 1),
        ("animevideov3-x2", times(4.0), 2),
        ("animevideov3-x2", times(3.0), 2),
        ("animevideov3-x2", times(1.5), 1),
        ("animevideov3-x2", times(1.0), 1),
        ("animevideov3-x3", times(2.0), 1),
        ("animevideov3-x2", Size::new(97, 111), 1),
        ("animevideov3-x2", Size::new(240, 88), 2),
        ("anime4k-m", times(8.0), 3),
        (x1, times(2.0), 1),
        (x1, times(0.5), 1),
        (x15, times(2.0), 2),
        (x15, times(1.5), 1),
    ] {
        let Some((loaded, _)) = load(&config(Cpu, model)) else { continue };
        let specs = (video(RGB, src.size), video(DEEP, to));
        let (mut session, _) = session(&loaded, config(Cpu, model), specs, Finish::default());
        assert_eq!(session.setup().passes, passes, "{model} to {to}");
        let output = process(&mut session, &src, specs.1);
        assert_eq!(output.size, to);
        let output = &planes(&output)[..3];
        let wanted: Vec<_> = truth.iter().map(|p| resize(p, to, Filter::Lanczos3)).collect();
        let plain: Vec<_> =
            planes(&src).iter().map(|p| resize(p, to, Filter::CatmullRom)).collect();
        let (db, of_plain) = (psnr(&wanted, output), psnr(&wanted, &plain));
        println!(
            "{} to {to}: {db:.1} dB from the truth (Catmull-Rom {of_plain:.1}), {:.1} dB from it",
            loaded.source.name,
            psnr(&plain, output)
        );
        // A picture that is shifted by half a pixel loses several dB.
        // Linear interpolation, done twice, blurs.
        let gain = if model == x1 || model == x15 { -3.0 } else { 1.0 };
        assert!(db > of_plain + gain, "{model} to {to}: {db} against {of_plain}");
    }
}

#[test]
fn another_ratio_is_the_networks_picture_by_lanczos() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(Cpu, "animevideov3-x4") else { return };
    let src = drawn(RGB, Size::new(37, 29), 4);
    let run = |to| planes(&upscale(&loaded, config(Cpu, "animevideov3-x4"), &src, video(DEEP, to)));
    let whole = run(Size::new(148, 116));
    for to in [Size::new(74, 58), Size::new(111, 58), Size::new(100, 90)] {
        let wanted: Vec<_> = whole.iter().map(|p| resize(p, to, Filter::Lanczos3)).collect();
        // The whole was clamped and rounded to 16 bits first.
        let db = psnr(&wanted, &run(to));
        assert!(db > 50.0, "{to}: {db}");
    }
}

#[test]
fn strength_goes_from_catmull_rom_to_the_network() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let rgba = zoo::write(&zoo::case("rgba-x2"), dir.path());
    for (model, format) in [
        ("anime4k-vl", RGB),
        ("anime4k-vl", PixelFormat::Rgba),
        ("animevideov3-x2", RGB),
        (rgba.to_str().unwrap(), PixelFormat::Rgba),
    ] {
        let Some((loaded, _)) = load(&config(Cpu, model)) else { continue };
        let src = drawn(format, Size::new(41, 31), 4);
        let specs = (video(format, src.size), video(DEEP, Size::new(82, 62)));
        let run = |strength| {
            let finish = Finish { strength, sharpness: 0.0 };
            let (mut session, _) = session(&loaded, config(Cpu, model), specs, finish);
            planes(&process(&mut session, &src, specs.1))
        };
        let (none, half, all) = (run(0.0), run(0.5), run(1.0));
        let plain = plainly(&src, specs.1.size);
        let change = worst(&none, &plain);
        assert!(change < 0.01, "{model} {format:?}: {change} codes from Catmull-Rom");
        let mean: Vec<_> = none.iter().zip(&all).map(|(a, b)| mean(a, b)).collect();
        // Both ends were clamped before they are averaged here.
        assert!(psnr(&half, &mean) > 45.0, "{model} {format:?}");
        let default = planes(&upscale(&loaded, config(Cpu, model), &src, specs.1));
        assert_eq!(worst(&all, &default), 0.0);
        assert!(worst(&all, &none) > 1.0, "{model}: the network does something");
    }
}

/// Catmull-Rom alone, as frame of 16 bits.
fn plainly(src: &Frame, to: Size) -> Vec<Plane> {
    let color = video(RGB, to).color;
    let mut picture = Picture::new(gstkizuna::upscale::ColorModel::Rgb, src.size);
    decode(&src.view(), &color, &mut picture);
    let picture = resize_picture(&picture, to, Filter::CatmullRom);
    let mut frame = Frame::new(DEEP, to, 0);
    frame.write(|view| encode(&picture, &color, view)).unwrap();
    planes(&frame)
}

fn mean(a: &Plane, b: &Plane) -> Plane {
    let mut mean = a.clone();
    mean.samples_mut().iter_mut().zip(b.samples()).for_each(|(m, b)| *m = 0.5 * (*m + b));
    mean
}

#[test]
fn alpha_is_kept_and_a_network_of_four_channels_uses_it() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let (three, four) = (zoo::case("rgb-x2"), zoo::case("rgba-x2"));
    let size = Size::new(33, 21);
    let src = drawn(PixelFormat::Rgba, size, 6);
    let alpha = &planes(&src)[3];
    let to = video(DEEP, Size::new(66, 42));
    for provider in [Embedded, Cpu] {
        let run = |case: &zoo::Case, src: &Frame| {
            let path = zoo::write(case, dir.path());
            let config = config(provider, path.to_str().unwrap());
            load(&config).map(|(loaded, _)| planes(&upscale(&loaded, config, src, to)))
        };
        let (Some(with_three), Some(with_four)) = (run(&three, &src), run(&four, &src)) else {
            continue;
        };
        let plain = resize(alpha, to.size, Filter::CatmullRom);
        let by_network =
            |plane: &Plane| worst(std::slice::from_ref(plane), std::slice::from_ref(&plain));
        assert!(by_network(&with_three[3]) < 0.01, "{provider}: alpha is resampled");
        assert!(by_network(&with_four[3]) > 1.0, "{provider}: alpha goes through the network");
        assert_eq!(worst(&with_three[..3], &with_four[..3]), 0.0, "{provider}: colours alike");
        // Opaque stays opaque, whatever the network.
        let opaque = drawn(RGB, size, 6);
        for case in [&three, &four] {
            let Some(out) = run(case, &opaque) else { continue };
            assert!(out[3].samples().iter().all(|&v| v == 1.0), "{provider} {}", case.name);
        }
    }
}

#[test]
fn a_luma_network_leaves_colour_to_catmull_rom() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let path = zoo::write(&zoo::case("luma-x2"), dir.path());
    let config = config(Embedded, path.to_str().unwrap());
    let Some((loaded, _)) = load(&config) else { return };
    let size = Size::new(34, 22);
    let to = Size::new(68, 44);
    // Grey as luma is, in every format, comes out alike.
    let gray = drawn(PixelFormat::Gray8, size, 8);
    let wanted = planes(&upscale(&loaded, config.clone(), &gray, video(PixelFormat::Gray16le, to)));
    let shade = planes(&gray).remove(0);
    let code = |x: usize, y: usize| (shade.row(y)[x] * 255.0).round() as u32;
    for format in [PixelFormat::I420, RGB, PixelFormat::Y444] {
        let mut src = Frame::new(format, size, 3);
        for (c, component) in format.info().components.iter().enumerate() {
            let is_luma = c == 0 || format == RGB;
            src.fill(component, |x, y| if is_luma { code(x, y) } else { 128 });
        }
        let output = upscale(&loaded, config.clone(), &src, video(PixelFormat::Gray16le, to));
        let change = worst(&planes(&output), &wanted);
        assert!(change < 0.01, "{format:?}: {change}");
        // And what was grey stays grey.
        let output = planes(&upscale(&loaded, config.clone(), &src, video(DEEP, to)));
        assert!(worst(&output[..1], &wanted) < 0.02, "{format:?}");
        assert!(worst(&output[..1], &output[1..2]) < 0.02, "{format:?}");
    }
    // In a colourful picture luma is the network's, colour is not.
    let src = drawn(RGB, size, 8);
    let output = planes(&upscale(&loaded, config.clone(), &src, video(DEEP, to)));
    let (kr, kb) = Matrix::Bt709.weights();
    let luma = |p: &[Plane]| {
        let mut plane = p[1].clone();
        for (i, v) in plane.samples_mut().iter_mut().enumerate() {
            let [r, g, b] = [0, 1, 2].map(|c| p[c].samples()[i]);
            *v = kr as f32 * r + (1.0 - kr - kb) as f32 * g + kb as f32 * b;
        }
        plane
    };
    let grown = mirrored(&luma(&planes(&src)), 4);
    let wanted = direct(Embedded, &loaded, &[grown]).remove(0);
    let wanted = crate::common::cropped(&wanted, 8, 8, to);
    // Colours that leave the cube are clamped; a few pixels are.
    let db = psnr(&[luma(&output)], &[wanted]);
    assert!(db > 35.0, "{db}");
}

#[test]
fn gray_goes_through_a_network_of_three_channels() {
    let _one = one_at_a_time();
    for provider in [Provider::OpenVino, Cpu] {
        let Some(loaded) = shipped(provider, "animevideov3-x2") else { continue };
        let config: Config = config(provider, "animevideov3-x2");
        let src = drawn(PixelFormat::Gray8, Size::new(40, 30), 8);
        let to = Size::new(80, 60);
        let output = planes(&upscale(&loaded, config, &src, video(PixelFormat::Gray16le, to)));
        let grown = mirrored(&planes(&src)[0], 4);
        let rgb = direct(provider, &loaded, &[grown.clone(), grown.clone(), grown]);
        let (kr, kb) = Matrix::Bt709.weights();
        let mut luma = Plane::new(rgb[0].size());
        for (i, v) in luma.samples_mut().iter_mut().enumerate() {
            let [r, g, b] = [0, 1, 2].map(|c| rgb[c].samples()[i].clamp(0.0, 1.0));
            *v = kr as f32 * r + (1.0 - kr - kb) as f32 * g + kb as f32 * b;
        }
        let wanted = crate::common::cropped(&luma, 8, 8, to);
        let change = worst(&output, &[wanted]);
        assert!(change < 0.05, "{provider}: {change}");
    }
}
