//! The zoo through sessions: every kind of network, on every engine, on frames of every size, means what it was built to mean.
//!
//! What a network means is worked out here in the plainest way, on the frame with its border, and then cut out.

use std::fs;

use gstkizuna::engine::Halo;
use gstkizuna::engine::Provider::{self, Cpu, Embedded, OpenVino};
use gstkizuna::session::{Config, Notice};
use gstkizuna::upscale::Finish;
use gstkizuna::upscale::geometry::{align_up, mirror};
use gstkizuna::upscale::{Element, PixelFormat, Plane, Size};
use rten_onnx::onnx::ModelProto;

use crate::common::{
    config, cropped, drawn, load, one_at_a_time, planes, process, session, upscale, video, worst,
};
use crate::zoo::{self, Case};

const PROVIDERS: [Provider; 3] = [Embedded, Cpu, OpenVino];
const SIZES: [Size; 4] = [Size::new(1, 1), Size::new(3, 5), Size::new(17, 9), Size::new(65, 33)];
const BORDER: usize = 4;

/// A picture of 8 bits with the zoo's number of channels, and the format that shows the result.
fn formats(case: &Case) -> (PixelFormat, PixelFormat) {
    match case.expect.channels {
        1 => (PixelFormat::Gray8, PixelFormat::Gray16le),
        3 => (PixelFormat::Rgb, PixelFormat::Rgba64le),
        _ => (PixelFormat::Rgba, PixelFormat::Rgba64le),
    }
}

fn scaled(case: &Case, size: Size) -> Size {
    let (num, den) = case.expect.scale;
    size.scaled(gstkizuna::upscale::Ratio::new(num, den).unwrap())
}

#[test]
fn every_network_means_what_it_was_built_to_mean() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    for case in zoo::all() {
        let path = zoo::write(&case, dir.path());
        let (from, to) = formats(&case);
        for provider in PROVIDERS {
            let config = config(provider, path.to_str().unwrap());
            let Some((loaded, _)) = load(&config) else { continue };
            assert_eq!(loaded.contract.halo, case.expect.halo, "{} {provider}", case.name);
            let mut most: f32 = 0.0;
            for (size, tile) in SIZES.map(|s| (s, None)).into_iter().chain([(SIZES[3], Some(32))]) {
                // Tiles of a network that looks at the whole frame are not the whole.
                if tile.is_some() && case.expect.halo == Halo::Open {
                    continue;
                }
                let src = drawn(from, size, 2);
                let config = Config { tile_size: tile, ..config.clone() };
                let output = upscale(&loaded, config, &src, video(to, scaled(&case, size)));
                let wanted = meaning(&case, &planes(&src));
                let change = worst(&planes(&output)[..wanted.len()], &wanted);
                assert!(
                    change <= tolerance(&case),
                    "{} {provider} {size} tile {tile:?}: {change} codes",
                    case.name
                );
                most = most.max(change);
            }
            println!("{} on {provider}: at most {most:.4} codes", case.name);
        }
    }
}

/// In codes of 255. Bytes are rounded by the network; half floats hold 11 bits.
fn tolerance(case: &Case) -> f32 {
    match case.expect.element {
        Element::F32 => 0.02,
        Element::F16 => 0.5,
        Element::U8 => 0.51,
    }
}

/// What the network makes of the frame, by arithmetic alone.
fn meaning(case: &Case, frame: &[Plane]) -> Vec<Plane> {
    let (num, den) = case.expect.scale;
    let step = if case.expect.alignment.is_multiple_of(den) { case.expect.alignment } else { den };
    frame
        .iter()
        .map(|plane| {
            let size = plane.size();
            let whole = |len: usize| align_up((len + 2 * BORDER).max(case.expect.min_size), step);
            let grown = bordered(plane, Size::new(whole(size.width), whole(size.height)));
            let result = filtered(case, &grown);
            assert_eq!(result.size(), scaled(case, grown.size()), "{}", case.name);
            cropped(&result, BORDER * num / den, BORDER * num / den, scaled(case, size))
        })
        .collect()
}

fn filtered(case: &Case, src: &Plane) -> Plane {
    match case.name {
        "identity" => src.clone(),
        "rgb-x1" => smooth(&smooth(src)),
        "unknown-op" => smooth(src),
        "linear-x1.5" => linear(src, 1.5),
        "nearest-x4" => smooth(&nearest(src, 4)),
        "reflect-7" => wide(src),
        "global-pooling" => {
            let n = src.samples().len() as f64;
            let mean = src.samples().iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let gate = (1.0 / (1.0 + (-mean).exp())) as f32;
            let mut gated = src.clone();
            gated.samples_mut().iter_mut().for_each(|v| *v *= gate);
            nearest(&smooth(&gated), 2)
        }
        name if name.starts_with("multiple-") => {
            let step = case.expect.alignment;
            let Size { width, height } = src.size();
            made(src.size(), |x, y| {
                let (x0, y0) = (x / step * step, y / step * step);
                assert!(x0 + step <= width && y0 + step <= height);
                let block = (y0..y0 + step).flat_map(|y| src.row(y)[x0..x0 + step].iter());
                let mean = block.sum::<f32>() / (step * step) as f32;
                0.5 * (mean + src.row(y)[x])
            })
        }
        _ => nearest(&smooth(src), case.expect.scale.0),
    }
}

fn made(size: Size, value: impl Fn(usize, usize) -> f32) -> Plane {
    let mut plane = Plane::new(size);
    for y in 0..size.height {
        plane.row_mut(y).iter_mut().enumerate().for_each(|(x, v)| *v = value(x, y));
    }
    plane
}

/// The frame on a larger plane of `size`, mirrored all around; `BORDER` pixels of that lie on the left and above.
fn bordered(plane: &Plane, size: Size) -> Plane {
    let at = |i: usize, n: usize| mirror(i as isize - BORDER as isize, n);
    made(size, |x, y| plane.row(at(y, plane.size().height))[at(x, plane.size().width)])
}

/// 3x3: 0.6 in the middle, 0.05 around it, nothing outside the plane.
fn smooth(src: &Plane) -> Plane {
    kernel(src, 1, 0.6, |i, n| usize::try_from(i).ok().filter(|&i| i < n))
}

/// 15x15: 0.3 in the middle, reflected at the edge without the edge itself.
fn wide(src: &Plane) -> Plane {
    kernel(src, 7, 0.3, |i, n| {
        let n = n as isize;
        let i = i.rem_euclid((2 * n - 2).max(1));
        Some(if i < n { i } else { 2 * n - 2 - i } as usize)
    })
}

fn kernel(
    src: &Plane,
    radius: isize,
    centre: f32,
    at: impl Fn(isize, usize) -> Option<usize>,
) -> Plane {
    let Size { width, height } = src.size();
    let around = (1.0 - centre) / ((2 * radius + 1).pow(2) - 1) as f32;
    made(src.size(), |x, y| {
        let mut sum = (centre - around) * src.row(y)[x];
        for dy in -radius..=radius {
            let Some(y) = at(y as isize + dy, height) else { continue };
            let row = src.row(y);
            let seen = (-radius..=radius).filter_map(|dx| at(x as isize + dx, width));
            sum += around * seen.map(|x| row[x]).sum::<f32>();
        }
        sum
    })
}

fn nearest(src: &Plane, factor: usize) -> Plane {
    let Size { width, height } = src.size();
    made(Size::new(width * factor, height * factor), |x, y| src.row(y / factor)[x / factor])
}

/// Half-pixel centres, the edge repeated.
fn linear(src: &Plane, factor: f32) -> Plane {
    let axis = |i: usize, n: usize| {
        let at = ((i as f32 + 0.5) / factor - 0.5).clamp(0.0, (n - 1) as f32);
        (at as usize, (at as usize + 1).min(n - 1), at.fract())
    };
    let Size { width, height } = src.size();
    let size = Size::new((width as f32 * factor) as usize, (height as f32 * factor) as usize);
    made(size, |x, y| {
        let ((x0, x1, fx), (y0, y1, fy)) = (axis(x, width), axis(y, height));
        let row = |y: usize| src.row(y)[x0] * (1.0 - fx) + src.row(y)[x1] * fx;
        row(y0) * (1.0 - fy) + row(y1) * fy
    })
}

#[test]
fn any_batch_gives_the_same_picture_and_a_fixed_one_wins_aloud() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let size = SIZES[3];
    for name in ["rgb-x2", "nhwc-x2", "f16-x2", "u8-x2", "batch-2", "fixed-64x48", "luma-x2"] {
        let case = zoo::case(name);
        let path = zoo::write(&case, dir.path());
        let (from, to) = formats(&case);
        for provider in PROVIDERS {
            let config = config(provider, path.to_str().unwrap());
            let src = drawn(from, size, 2);
            let mut first = None;
            for batch in 1..=4 {
                let specs = (video(from, size), video(to, scaled(&case, size)));
                let config =
                    Config { batch_size: Some(batch), tile_size: Some(24), ..config.clone() };
                let Some((loaded, said)) = load(&config) else { break };
                let said: Vec<_> = said.into_iter().map(|Notice(text)| text).collect();
                let (mut session, _) = session(&loaded, config, specs, Finish::default());
                let raw = process(&mut session, &src, specs.1).raw();
                assert!(*first.get_or_insert_with(|| raw.clone()) == raw, "{name} {provider}");
                let used = session.setup().batch;
                let is_said = said.iter().any(|s| s.contains("batch-size"));
                let tiles = session.setup().tiles;
                match case.expect.batch {
                    Some(fixed) => assert_eq!((used, is_said), (fixed, batch != fixed), "{said:?}"),
                    None => assert_eq!((used, is_said), (batch.min(tiles), false), "{said:?}"),
                }
            }
        }
    }
}

#[test]
fn one_fixed_side_alone_is_kept() {
    let _one = one_at_a_time();
    let dir = tempfile::tempdir().unwrap();
    let case = zoo::case("rgb-x2");
    let mut model = ModelProto::parse_buf(&case.bytes).unwrap();
    let input = &mut model.graph.as_mut().unwrap().input[0];
    let shape = input.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().shape.as_mut();
    let width = &mut shape.unwrap().dim[3];
    (width.dim_value, width.dim_param) = (Some(32), None);
    let path = dir.path().join("fixed-width.onnx");
    fs::write(&path, model.write_buf().unwrap()).unwrap();
    for provider in PROVIDERS {
        let config = config(provider, path.to_str().unwrap());
        let Some((loaded, _)) = load(&config) else { continue };
        for size in SIZES {
            let src = drawn(PixelFormat::Rgb, size, 2);
            let to = video(PixelFormat::Rgba64le, scaled(&case, size));
            let output = planes(&upscale(&loaded, config.clone(), &src, to));
            let change = worst(&output[..3], &meaning(&case, &planes(&src)));
            assert!(change < 0.02, "{provider} {size}: {change}");
        }
    }
}
