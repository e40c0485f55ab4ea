//! Colour against zimg, by FFmpeg's `zscale`: nobody here wrote it.
//!
//! R'G'B' of limited range is left to `colour.rs`: zscale gives full range whatever it is asked for.

#[path = "support/skip.rs"]
#[macro_use]
mod skip;

mod support;

use std::process::Command;

use gstkizuna::upscale::{
    ChromaSite, ColorModel, ColorSpec, Matrix, Picture, PixelFormat, Range, Size, decode,
};
use support::frame::Frame;

const SIZE: Size = Size::new(96, 64);

/// FFmpeg's name of a format.
fn pix_fmt(format: PixelFormat) -> &'static str {
    match format {
        PixelFormat::I420 => "yuv420p",
        PixelFormat::Y42b => "yuv422p",
        PixelFormat::Y444 => "yuv444p",
        PixelFormat::I420_10le => "yuv420p10le",
        PixelFormat::Y444_10le => "yuv444p10le",
        PixelFormat::Gbr => "gbrp",
        PixelFormat::Gbr10le => "gbrp10le",
        other => panic!("{} is not compared", other.name()),
    }
}

/// zscale's options for one side; `i` is "in" for the input.
fn options(format: PixelFormat, spec: &ColorSpec, i: &str) -> String {
    let matrix = match spec.matrix {
        _ if pix_fmt(format).starts_with("gbr") => "gbr",
        Matrix::Bt601 => "170m",
        Matrix::Bt709 => "709",
        Matrix::Bt2020 => "2020_ncl",
        Matrix::Smpte240m => "240m",
        Matrix::Fcc => "fcc",
    };
    let range = if spec.range == Range::Full { "full" } else { "limited" };
    let site = match spec.site {
        ChromaSite::CENTRE => "center",
        ChromaSite::TOP_LEFT => "topleft",
        ChromaSite::TOP => "top",
        _ => "left",
    };
    format!("matrix{i}={matrix}:range{i}={range}:chromal{i}={site}")
}

/// What zimg makes of `src`; `None`, and said so, where there is no ffmpeg.
fn zscale(
    src: &Frame,
    src_spec: &ColorSpec,
    to: PixelFormat,
    to_spec: &ColorSpec,
) -> Option<Frame> {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.raw"), folder.path().join("out.raw"));
    std::fs::write(&input, src.raw()).unwrap();
    let filter = format!(
        "zscale=filter=bicubic:param_a=0:param_b=0.5:dither=none:{}:{},format={}",
        options(src.format, src_spec, "in"),
        options(to, to_spec, ""),
        pix_fmt(to),
    );
    let run = Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y", "-f", "rawvideo"])
        .args(["-pix_fmt", pix_fmt(src.format), "-s", &src.size.to_string(), "-i"])
        .arg(&input)
        .args(["-vf", &filter, "-f", "rawvideo"])
        .arg(&output)
        .output();
    let run = match run {
        Ok(run) => run,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            skip!("ffmpeg not found");
            return None;
        }
        Err(e) => panic!("ffmpeg: {e}"),
    };
    assert!(run.status.success(), "{filter}: {}", String::from_utf8_lossy(&run.stderr));
    Some(Frame::from_raw(to, src.size, &std::fs::read(&output).unwrap()))
}

/// What this project makes of it.
fn ours(src: &Frame, src_spec: &ColorSpec, to: PixelFormat, to_spec: &ColorSpec) -> Frame {
    let mut picture = Picture::new(ColorModel::Rgb, Size::new(1, 1));
    decode(&src.view(), src_spec, &mut picture);
    let mut dst = Frame::new(to, src.size, 0);
    dst.encode(&picture, to_spec).unwrap();
    dst
}

/// A drawing's colours: flat fields with hard edges, gradients, all inside the gamut of every matrix.
fn drawing(format: PixelFormat, spec: &ColorSpec) -> Frame {
    let mut picture = Picture::new(ColorModel::Rgb, SIZE);
    for (c, plane) in picture.planes.iter_mut().enumerate() {
        for y in 0..SIZE.height {
            for (x, v) in plane.row_mut(y).iter_mut().enumerate() {
                let field = ((x / 13 * 5 + y / 11 * 3 + c * 2) % 7) as f32 / 7.0;
                *v = 0.3 + 0.3 * field + 0.1 * (x + y) as f32 / 160.0;
            }
        }
    }
    let mut frame = Frame::new(format, SIZE, 0);
    frame.encode(&picture, spec).unwrap();
    frame
}

/// Compares both conversions; gives false where ffmpeg is missing.
fn agree(src: &Frame, src_spec: &ColorSpec, to: PixelFormat, to_spec: &ColorSpec) -> bool {
    let Some(zimg) = zscale(src, src_spec, to, to_spec) else { return false };
    let (ours, zimg) = (ours(src, src_spec, to, to_spec).codes(), zimg.codes());
    let worst = ours.iter().zip(&zimg).map(|(a, b)| (a - b).abs()).max().unwrap_or(0);
    let differ = ours.iter().zip(&zimg).filter(|(a, b)| a != b).count();
    let names = (src.format.name(), to.name());
    println!("{names:?} {src_spec:?} {to_spec:?}: at most {worst}, {differ} of {}", ours.len());
    assert!(worst <= 1, "{names:?} {src_spec:?} {to_spec:?}: {worst} codes apart");
    true
}

fn every_spec() -> impl Iterator<Item = ColorSpec> {
    [Matrix::Bt601, Matrix::Bt709, Matrix::Bt2020].into_iter().flat_map(|matrix| {
        [Range::Limited, Range::Full].map(|range| ColorSpec {
            matrix,
            range,
            site: ChromaSite::LEFT,
        })
    })
}

#[test]
fn matrices_and_ranges_agree() {
    use PixelFormat::{Gbr, Gbr10le, I420, I420_10le, Y444, Y444_10le};
    let pairs =
        [(Y444, Gbr), (I420, Gbr), (Y444_10le, Gbr10le), (I420_10le, Gbr10le), (I420, Gbr10le)];
    for spec in every_spec() {
        let rgb_spec = ColorSpec { range: Range::Full, ..spec };
        for (yuv, rgb) in pairs {
            let there = agree(&drawing(yuv, &spec), &spec, rgb, &rgb_spec);
            let back = there && agree(&drawing(rgb, &rgb_spec), &rgb_spec, yuv, &spec);
            if !back {
                return;
            }
        }
    }
}

#[test]
fn chroma_lies_where_zimg_puts_it() {
    let sites = [ChromaSite::LEFT, ChromaSite::CENTRE, ChromaSite::TOP_LEFT, ChromaSite::TOP];
    for site in sites {
        let spec = ColorSpec { matrix: Matrix::Bt709, range: Range::Limited, site };
        let rgb_spec = ColorSpec { range: Range::Full, ..spec };
        for yuv in [PixelFormat::I420, PixelFormat::Y42b] {
            // A chroma edge in each direction, luma flat: a shift shows in every channel.
            let mut edge = Frame::new(yuv, SIZE, 0);
            for (c, component) in yuv.info().components.iter().enumerate() {
                edge.fill(component, |x, y| match c {
                    0 => 126,
                    1 => {
                        if x < 21 {
                            110
                        } else {
                            150
                        }
                    }
                    _ => {
                        if y < 13 {
                            140
                        } else {
                            112
                        }
                    }
                });
            }
            let there = agree(&edge, &spec, PixelFormat::Gbr, &rgb_spec);
            if !there {
                return;
            }
            agree(&drawing(PixelFormat::Gbr, &rgb_spec), &rgb_spec, yuv, &spec);
        }
    }
}
