//! What did not change keeps its output, and nobody sees it.

use gstkizuna::engine::Provider::{self, Cpu, Embedded, OpenVino};
use gstkizuna::session::Config;
use gstkizuna::upscale::{Finish, PixelFormat, Size};

use crate::common::{config, drawn, one_at_a_time, process, session, shipped, video};
use crate::support::frame::Frame;

/// A picture in which something moves, appears and goes, with frames that repeat, and a cut.
fn film(format: PixelFormat, size: Size) -> Vec<Frame> {
    let mut frames = vec![drawn(format, size, 5); 2];
    let components = format.info().components;
    for (i, (x, y, side)) in
        [(40, 30, 9), (43, 31, 9), (43, 31, 9), (0, 0, 5), (150, 80, 30), (90, 2, 1)]
            .into_iter()
            .enumerate()
    {
        let mut frame = frames[frames.len() - 1].clone();
        for (c, component) in components.iter().enumerate() {
            let (sx, sy) = if format.info().is_subsampled(c) { (1, 1) } else { (0, 0) };
            frame.map(component, |px, py, code| {
                let inside = |at: usize, first: usize, shift: usize| {
                    (first >> shift..(first + side) >> shift).contains(&at)
                };
                if inside(px, x, sx) && inside(py, y, sy) { 30 + 40 * i as u32 } else { code }
            });
        }
        frames.push(frame);
    }
    frames.extend(vec![drawn(format, size, 6); 2]);
    frames
}

/// All frames through a session; the results, and the share of pixels that was inferred.
fn through(
    provider: Provider,
    model: &str,
    tolerance: Option<u8>,
    frames: &[Frame],
    scale: usize,
) -> Option<(Vec<Frame>, f64)> {
    let loaded = shipped(provider, model)?;
    let src = &frames[0];
    let to = Size::new(src.size.width * scale, src.size.height * scale);
    let specs = (video(src.format, src.size), video(src.format, to));
    let config = Config { reuse_tolerance: tolerance, ..config(provider, model) };
    let (mut work, _) = session(&loaded, config, specs, Finish::default());
    let results = frames.iter().map(|frame| process(&mut work, frame, specs.1)).collect();
    let (inferred, total) = work.inferred();
    Some((results, inferred as f64 / total as f64))
}

#[test]
fn the_output_is_the_same_as_without_reuse() {
    let _one = one_at_a_time();
    let size = Size::new(213, 121);
    for (provider, model, scale) in [
        (Cpu, "animevideov3-x2", 2),
        (OpenVino, "animevideov3-x2", 2),
        (Embedded, "anime4k-vl", 2),
        (OpenVino, "anime4k-vl", 2),
        // Two passes.
        (Cpu, "anime4k-m", 4),
        // A halo that is not exact: only frames that repeat are kept.
        (OpenVino, "cunet-x2", 2),
    ] {
        for format in [PixelFormat::I420, PixelFormat::Rgb] {
            let frames = film(format, size);
            let Some((whole, all)) = through(provider, model, None, &frames, scale) else {
                continue;
            };
            let (kept, share) = through(provider, model, Some(0), &frames, scale).unwrap();
            println!("{model} {provider} {format:?}: {share:.3} of the pixels inferred");
            assert_eq!(all, 1.0);
            assert!(share < 0.85, "{model} {provider}: {share}");
            for (i, (a, b)) in whole.iter().zip(&kept).enumerate() {
                assert!(a.raw() == b.raw(), "{model} {provider} {format:?}: frame {i}");
            }
        }
    }
}

/// Winograd kernels round by place: a patch may differ from the whole in a few samples, by one code.
#[test]
fn the_output_of_winograd_kernels_is_the_same_within_a_code() {
    let _one = one_at_a_time();
    let frames = film(PixelFormat::I420, Size::new(213, 121));
    let model = "animevideov3-x2";
    let Some((whole, _)) = through(Embedded, model, None, &frames, 2) else { return };
    let (kept, share) = through(Embedded, model, Some(0), &frames, 2).unwrap();
    assert!(share < 0.85, "{share}");
    let (mut differing, mut all) = (0, 0);
    for (a, b) in whole.iter().zip(&kept) {
        for (a, b) in a.codes().into_iter().zip(b.codes()) {
            assert!(a.abs_diff(b) <= 1);
            (differing, all) = (differing + usize::from(a != b), all + 1);
        }
    }
    assert!(differing * 10_000 < all, "{differing} of {all}");
}

/// The output is what the network makes of a picture that differs by at most the tolerance: with a network as mild as this
/// one, the output differs by little more, however long the film is.
#[test]
fn tolerated_differences_never_add_up() {
    let _one = one_at_a_time();
    let size = Size::new(96, 64);
    let mut frames = vec![drawn(PixelFormat::Rgb, size, 8)];
    // It darkens by one code a frame: each step would be tolerated.
    for _ in 0..12 {
        let mut frame = frames[frames.len() - 1].clone();
        for component in PixelFormat::Rgb.info().components {
            frame.map(component, |_, _, code| code.saturating_sub(1));
        }
        frames.push(frame);
    }
    let (whole, _) = through(Embedded, "anime4k-m", None, &frames, 2).unwrap();
    let (kept, share) = through(Embedded, "anime4k-m", Some(2), &frames, 2).unwrap();
    assert!(share < 0.5, "{share}");
    for (a, b) in whole.iter().zip(&kept) {
        let worst = a.codes().into_iter().zip(b.codes()).map(|(a, b)| a.abs_diff(b)).max();
        assert!(worst.unwrap() <= 8, "{worst:?}");
    }
}
