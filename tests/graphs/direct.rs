//! Sessions whose frames go through the network as raw samples.

use std::sync::Arc;

use gstkizuna::engine::Provider::Cpu;
use gstkizuna::session::{Config, Loaded, Treatment};
use gstkizuna::upscale::{Finish, PixelFormat, Size, VideoSpec};
use rten_onnx::onnx::DataType;

use crate::common::{Work, config, drawn, load, one_at_a_time, process, session, shipped, video};
use crate::models::{Net, same};
use crate::support::frame::Frame;

const MODEL: &str = "anime4k-m";

fn wrapped(tile_size: Option<usize>, reuse_tolerance: Option<u8>) -> Config {
    let mut config = Config { tile_size, reuse_tolerance, ..config(Cpu, MODEL) };
    config.engine.provider_options = vec![("wrapped".into(), "1".into())];
    config
}

fn open(loaded: &Arc<Loaded>, config: Config, specs: (VideoSpec, VideoSpec)) -> Work {
    let (work, said) = session(loaded, config, specs, Finish::default());
    assert_eq!(said, [""; 0]);
    work
}

fn worst(a: &Frame, b: &Frame) -> i32 {
    let codes = a.codes().into_iter().zip(b.codes());
    codes.map(|(a, b)| (a - b).abs()).max().unwrap()
}

#[test]
fn frames_are_what_they_are_by_way_of_pictures() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(Cpu, MODEL) else { return };
    for (format, edge) in
        [(PixelFormat::Rgb, 1), (PixelFormat::Nv12, 8), (PixelFormat::P010_10le, 32 << 6)]
    {
        let size = Size::new(150, 90);
        let specs = (video(format, size), video(format, Size::new(300, 180)));
        let src = drawn(format, size, 5);
        let by_pictures = {
            let mut work =
                open(&loaded, Config { reuse_tolerance: None, ..config(Cpu, MODEL) }, specs);
            assert!(!work.setup().is_streamed);
            process(&mut work, &src, specs.1)
        };
        // Handed over, and bound as on a GPU.
        for (tile, bind) in [(None, "0"), (Some(64), "0"), (None, "1"), (Some(64), "1")] {
            let mut config = wrapped(tile, None);
            config.engine.provider_options.push(("bind".into(), bind.into()));
            let mut work = open(&loaded, config, specs);
            let setup = work.setup();
            assert!(setup.is_streamed && (setup.tiles > 1) == tile.is_some(), "{setup:?}");
            let frame = process(&mut work, &src, specs.1);
            let worst = worst(&by_pictures, &frame);
            println!("{}, tiles of {tile:?}, bind={bind}: {worst}", format.name());
            assert!(worst <= edge);
        }
    }
}

#[test]
fn tiles_that_did_not_change_keep_their_output() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(Cpu, MODEL) else { return };
    let size = Size::new(250, 150);
    let format = PixelFormat::I420;
    let specs = (video(format, size), video(format, Size::new(500, 300)));
    let mut work = open(&loaded, wrapped(Some(80), Some(0)), specs);
    let mut fresh = open(&loaded, wrapped(Some(80), None), specs);
    let mut src = drawn(format, size, 5);
    let mut before = 0;
    let whole = work.setup().pixels as u64;
    // All, nothing, a dot in a corner, in the middle and at the opposite end, all again, and nothing.
    let dots = [None, None, Some((2, 1)), Some((120, 80)), Some((249, 149)), Some((0, 149))];
    for (i, dot) in dots.into_iter().enumerate() {
        if let Some(dot) = dot {
            let luma = format.info().components[0];
            src.map(&luma, |x, y, code| if (x, y) == dot { 255 - code } else { code });
        }
        let frame = process(&mut work, &src, specs.1);
        assert_eq!(frame.rows(), process(&mut fresh, &src, specs.1).rows(), "frame {i}");
        let (inferred, _) = work.inferred();
        let share = inferred - before;
        before = inferred;
        match (i, dot) {
            (0, _) => assert_eq!(share, whole),
            (_, None) => assert_eq!(share, 0),
            (_, Some(_)) => {
                assert!(share > 0 && share < whole / 2, "frame {i}: {share} of {whole}")
            }
        }
    }
    let other = drawn(format, size, 6);
    let frame = process(&mut work, &other, specs.1);
    assert_eq!(frame.rows(), process(&mut fresh, &other, specs.1).rows());
    assert_eq!(work.inferred().0 - before, whole);

    // A film that moves for long, and stands still again.
    for seed in 7..17 {
        process(&mut work, &drawn(format, size, seed), specs.1);
    }
    let still = drawn(format, size, 17);
    let shares = [(); 3].map(|()| {
        let (before, _) = work.inferred();
        let frame = process(&mut work, &still, specs.1);
        assert_eq!(frame.rows(), process(&mut fresh, &still, specs.1).rows());
        work.inferred().0 - before
    });
    assert_eq!(shares, [whole, whole, 0], "the second one is copied, the third one kept");
}

#[test]
fn what_only_pictures_can_do_goes_their_way() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(Cpu, MODEL) else { return };
    let size = Size::new(60, 40);
    for (from, to, out) in [
        (PixelFormat::Rgba, PixelFormat::Rgba, Size::new(120, 80)),
        (PixelFormat::I420, PixelFormat::I420, Size::new(130, 80)),
        (PixelFormat::I420, PixelFormat::I420, Size::new(240, 160)),
    ] {
        let specs = (video(from, size), video(to, out));
        let work = open(&loaded, wrapped(None, None), specs);
        assert!(!work.setup().is_streamed, "{out}");
    }
    // No border: nothing to take chroma's context from.
    let specs = (video(PixelFormat::I420, size), video(PixelFormat::I420, Size::new(120, 80)));
    let mut config = wrapped(None, None);
    config.border = gstkizuna::session::Border::Model;
    assert!(!open(&loaded, config, specs).setup().is_streamed);
}

/// A session whose network makes NaN of a black picture: it divides by the brightest sample. With what its frames are.
fn not_for_black(n: &str, reuse: Option<u8>) -> Option<(Work, Size, VideoSpec)> {
    let net = Net::default()
        .node("ReduceMax", &["in"], "white", &[])
        .node("Div", &["in", "white"], "bright", &[])
        .nearest(2.0, "bright", "out");
    let [input, output] = same(DataType::FLOAT, "3");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("nan.onnx");
    std::fs::write(&path, net.source(input, output).bytes).unwrap();
    let model = path.to_str().unwrap().to_owned();
    let (loaded, _) = load(&config(Cpu, &model))?;
    let size = Size::new(40, 30);
    let specs = (video(PixelFormat::Rgb, size), video(PixelFormat::Rgb, Size::new(80, 60)));
    let config = streams(Config { model: Some(model), ..wrapped(None, reuse) }, n);
    Some((open(&loaded, config, specs), size, specs.1))
}

#[test]
fn what_fails_goes_on_by_way_of_pictures_and_that_is_said() {
    let _one = one_at_a_time();
    let Some((mut work, size, to)) = not_for_black("1", None) else { return };
    let src = drawn(PixelFormat::Rgb, size, 5);
    let bright = process(&mut work, &src, to);
    let black = Frame::new(PixelFormat::Rgb, size, 0);
    let failed = work.try_process(&black, to).map(|_| ()).unwrap_err().to_string();
    assert!(failed.contains("NaN"), "{failed}");
    let (frame, said) = work.try_process(&src, to).unwrap();
    assert_eq!(frame.rows(), bright.rows(), "the next one is well: {said:?}");
}

fn streams(config: Config, n: &str) -> Config {
    let mut config = config;
    config.engine.provider_options.push(("streams".into(), n.into()));
    config
}

#[test]
fn frames_that_go_together_are_the_same_and_keep_their_order() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(Cpu, MODEL) else { return };
    let (format, size) = (PixelFormat::I420, Size::new(90, 70));
    let specs = (video(format, size), video(format, Size::new(180, 140)));
    // Some are held, some come back.
    let films = [1, 1, 2, 3, 3, 3, 1, 4, 5, 1, 1].map(|seed| drawn(format, size, seed));
    for reuse in [None, Some(0)] {
        let mut one = open(&loaded, wrapped(Some(60), reuse), specs);
        let expected: Vec<_> =
            films.iter().map(|src| process(&mut one, src, specs.1).rows().to_vec()).collect();
        for n in ["2", "3"] {
            let mut work = open(&loaded, streams(wrapped(Some(60), reuse), n), specs);
            assert_eq!(work.setup().streams.to_string(), n);
            for (i, frame) in work.process_all(&films, specs.1).into_iter().enumerate() {
                assert!(frame.unwrap().rows() == expected[i], "frame {i} of {n} streams");
            }
        }
    }
}

#[test]
fn one_that_fails_takes_no_other_with_it() {
    let _one = one_at_a_time();
    for reuse in [None, Some(0)] {
        let Some((mut work, size, to)) = not_for_black("2", reuse) else { return };
        let black = Frame::new(PixelFormat::Rgb, size, 0);
        let bright = drawn(PixelFormat::Rgb, size, 5);
        let films = [&bright, &bright, &black, &bright, &black, &bright].map(Frame::clone);
        let results = work.process_all(&films, to);
        let first = results[0].as_ref().unwrap().rows().to_vec();
        for (i, result) in results.into_iter().enumerate() {
            match result {
                Ok(frame) => {
                    assert!([0, 1, 3, 5].contains(&i) && frame.rows() == first, "frame {i}")
                }
                Err(e) => {
                    assert!([2, 4].contains(&i) && e.to_string().contains("NaN"), "frame {i}: {e}")
                }
            }
        }
    }
}

/// Frames that were on their way when the direct way ended are read where they are inferred: the next one is compared with another.
#[test]
fn nothing_is_kept_of_a_frame_that_was_read_elsewhere() {
    let _one = one_at_a_time();
    let Some((mut work, size, to)) = not_for_black("1", Some(0)) else { return };
    let [src, other] = [5, 6].map(|seed| drawn(PixelFormat::Rgb, size, seed));
    let expected = process(&mut work, &src, to);
    // It is late: read and compared, and not inferred.
    work.treat(Treatment { plain: true, ..Treatment::default() });
    process(&mut work, &src, to);
    work.treat(Treatment::default());
    let black = Frame::new(PixelFormat::Rgb, size, 0);
    let results = work.process_all(&[black, other], to);
    assert!(results[0].is_err() && results[1].is_ok());
    let (frame, _) = work.try_process(&src, to).unwrap();
    assert!(frame.rows() == expected.rows());
}

/// One frame needs pictures; from there on all go their way, and what did not change is kept there.
#[test]
fn reuse_goes_on_by_way_of_pictures() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(Cpu, MODEL) else { return };
    let (format, size) = (PixelFormat::I420, Size::new(90, 70));
    let specs = (video(format, size), video(format, Size::new(180, 140)));
    let films = [5, 5, 6, 6, 6].map(|seed| drawn(format, size, seed));
    let pictures = Config { reuse_tolerance: Some(0), ..config(Cpu, MODEL) };
    let mut by_pictures = open(&loaded, pictures, specs);
    let mut work = open(&loaded, wrapped(None, Some(0)), specs);
    process(&mut work, &films[0], specs.1);
    let finish = Finish { strength: 0.5, ..Finish::default() };
    work.treat(Treatment { finish, plain: false });
    process(&mut work, &films[0], specs.1);
    work.treat(Treatment::default());
    let (mut before, _) = work.inferred();
    for (i, src) in films.iter().enumerate() {
        let frame = process(&mut work, src, specs.1);
        assert!(frame.rows() == process(&mut by_pictures, src, specs.1).rows(), "frame {i}");
        let (inferred, _) = work.inferred();
        assert_eq!(inferred > before, i == 2, "frame {i}");
        before = inferred;
    }
}
