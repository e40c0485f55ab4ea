//! Tiled equals untiled, and halos are what they are said to be.

use gstkizuna::engine::Halo;
use gstkizuna::engine::Provider::{self, Cpu, OpenVino};
use gstkizuna::session::{Border, Loaded};
use gstkizuna::upscale::Finish;
use gstkizuna::upscale::{PixelFormat, Plane, Size};

use crate::common::{
    config, drawn, network, one_at_a_time, planes, process, run_network, session, shipped, video,
    worst,
};

const EXACT: [&str; 7] = [
    "anime4k-m",
    "anime4k-vl",
    "upconv7-x2",
    "upconv7-x2-denoise1",
    "animevideov3-x2",
    "animevideov3-x3",
    "animevideov3-x4",
];
const OPEN: [&str; 2] = ["realcugan-se-x2-conservative", "cunet-x2"];

/// The drawn picture in as many planes as the network takes.
fn picture(loaded: &Loaded, size: Size) -> Vec<Plane> {
    let format = match loaded.contract.input.channels {
        1 => PixelFormat::Gray8,
        _ => PixelFormat::Rgb,
    };
    planes(&drawn(format, size, 5))
}

/// The largest difference between tiles and the whole, in floats as they leave the network.
fn seams(loaded: &Loaded, size: Size, tile: usize, halo: usize) -> f32 {
    let src = picture(loaded, size);
    let run = |tile| run_network(&mut network(loaded, size, (tile, halo), None), &src);
    let (whole, tiled) = (run(None), run(Some(tile)));
    let pairs = whole.iter().zip(&tiled).flat_map(|(a, b)| a.samples().iter().zip(b.samples()));
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn tiles_of_an_exact_halo_are_the_whole_bit_for_bit() {
    let _one = one_at_a_time();
    for name in EXACT {
        for provider in [Cpu, OpenVino] {
            let Some(loaded) = shipped(provider, name) else { continue };
            let Halo::Exact(halo) = loaded.contract.halo else {
                panic!("{name} on {provider}: {:?}", loaded.contract.halo)
            };
            for (size, tile) in [(Size::new(131, 67), 64), (Size::new(97, 101), 75)] {
                let change = seams(&loaded, size, tile, halo);
                println!("{name} {provider} {size} tile {tile} halo {halo}: {change:e}");
                assert_eq!(change, 0.0, "{name} {provider} {size} tile {tile}");
            }
        }
    }
}

#[test]
fn halos_are_what_was_measured_by_hand() {
    let _one = one_at_a_time();
    for name in EXACT {
        let Some(loaded) = shipped(OpenVino, name).or_else(|| shipped(Cpu, name)) else { continue };
        let Halo::Exact(halo) = loaded.contract.halo else { panic!("{name}: no exact halo") };
        let expected = if name.starts_with("animevideov3") { 18..=20 } else { 7..=8 };
        assert!(expected.contains(&halo), "{name}: {halo} px");

        // Two tiles a side that share exactly twice the halo: all of it is needed, and it is enough.
        let size = Size::new(88, 88);
        let tile = |halo| size.grown(4).width / 2 + halo;
        assert_eq!(seams(&loaded, size, tile(halo), halo), 0.0, "{name}: {halo} px are enough");
        let less = seams(&loaded, size, tile(halo - 2), halo - 2);
        println!("{name}: halo {halo}; with {} px {less:e} changes", halo - 2);
        assert!(less > 0.0, "{name}: {} px would do", halo - 2);
    }
    for name in OPEN {
        let Some(loaded) = shipped(OpenVino, name) else { continue };
        assert_eq!(loaded.contract.halo, Halo::Open, "{name}");
    }
}

/// 6 blocks of 3 dense blocks at 64 channels: by far the slowest model, so one small frame on the faster engine.
#[test]
fn x4plus_anime_is_the_whole_within_a_code() {
    let _one = one_at_a_time();
    let Some(loaded) = shipped(OpenVino, "x4plus-anime") else { return };
    let Halo::Measured(halo) = loaded.contract.halo else { panic!("{:?}", loaded.contract.halo) };
    let change = seams(&loaded, Size::new(133, 37), 120, halo) * 255.0;
    println!("x4plus-anime: halo {halo} px, measured; tiles differ by {change:.4} codes");
    assert!(change <= 1.0, "{change}");
}

#[test]
fn a_network_that_never_closes_runs_whole_or_says_so() {
    let _one = one_at_a_time();
    for name in OPEN {
        let Some(loaded) = shipped(OpenVino, name) else { continue };
        let size = Size::new(75, 53);
        let specs = (
            video(PixelFormat::Rgb, size),
            video(PixelFormat::Rgb, size.scaled(loaded.contract.scale)),
        );
        let (whole, said) = session(&loaded, config(OpenVino, name), specs, Finish::default());
        assert_eq!(whole.setup().tiles, 1, "{name}");
        assert_eq!(said, [""; 0], "{name}");
        let tiled = gstkizuna::session::Config { tile_size: Some(72), ..config(OpenVino, name) };
        let (tiled, said) = session(&loaded, tiled, specs, Finish::default());
        assert!(tiled.setup().tiles > 1, "{name}");
        assert!(said.iter().any(|s| s.contains("looks at the whole frame")), "{name}: {said:?}");
    }
}

#[test]
fn two_runs_and_two_sessions_give_the_same_bytes() {
    let _one = one_at_a_time();
    let size = Size::new(131, 67);
    let src = drawn(PixelFormat::Rgb, size, 3);
    let specs = (video(src.format, size), video(PixelFormat::Rgba64le, Size::new(262, 134)));
    for provider in [Cpu, OpenVino, Provider::Embedded] {
        for (name, overlap) in [("animevideov3-x2", None), ("anime4k-vl", Some(3))] {
            let Some(loaded) = shipped(provider, name) else { continue };
            let mut config = config(provider, name);
            (config.tile_size, config.overlap) = (Some(64), overlap);
            let mut first = None;
            // The second session runs three tiles at a time: a tile's neighbours in the batch change nothing.
            for batch in [1, 3] {
                config.batch_size = Some(batch);
                let (mut session, _) = session(&loaded, config.clone(), specs, Finish::default());
                for _ in 0..2 {
                    let raw = process(&mut session, &src, specs.1).raw();
                    assert!(*first.get_or_insert_with(|| raw.clone()) == raw, "{name} {provider}");
                }
            }
        }
    }
}

/// Half the halo leaves seams; fading them leaves less than cutting.
#[test]
fn feathering_hides_what_a_short_overlap_leaves() {
    let _one = one_at_a_time();
    use gstkizuna::upscale::blend::Blend::{Crop, Feather};
    let size = Size::new(200, 120);
    let src = drawn(PixelFormat::Rgb, size, 3);
    let to = video(PixelFormat::Rgba64le, Size::new(400, 240));
    let Some(loaded) = shipped(OpenVino, "animevideov3-x2") else { return };
    let run = |tile, blend| {
        let mut config = config(OpenVino, "animevideov3-x2");
        (config.tile_size, config.overlap, config.blend) = (tile, Some(6), blend);
        config.border = Border::Model;
        planes(&crate::common::upscale(&loaded, config, &src, to))
    };
    let whole = run(None, Crop);
    let [feather, crop] = [Feather, Crop].map(|blend| {
        let tiled = run(Some(64), blend);
        (worst(&whole, &tiled), crate::common::psnr(&whole, &tiled))
    });
    println!("overlap 6 px of 18: feather {feather:?}, crop {crop:?} (worst code, dB)");
    assert!(feather.1 > crop.1 && crop.1 > 50.0);
}
