//! A real window: what is seen on the screen of an X server while playing and on pause.

use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::hybrid::{NETWORK, SHADER, wait};
use crate::screen::Screen;
use crate::support::{alone, at, clip, pipeline, psnr, reference_of, shown, stat, until};

/// Plays on; the frame that was on show, and when the next one was.
fn resume(pipeline: &gst::Pipeline, sink: &gst::Element) -> (gst::ClockTime, Duration) {
    let (time, _) = shown(sink).unwrap();
    let begun = Instant::now();
    pipeline.set_state(gst::State::Playing).unwrap();
    until("the next frame", || shown(sink).is_some_and(|(t, _)| t > time));
    (time, begun.elapsed())
}

/// The fourth byte of a screen's pixel means nothing.
fn colours(bgrx: &[u8]) -> Vec<u8> {
    bgrx.chunks_exact(4).flat_map(|pixel| pixel[..3].to_vec()).collect()
}

#[test]
fn the_screen_shows_the_network_on_pause_and_the_shaders_in_play() {
    let _alone = alone();
    let Some(screen) = Screen::open() else { return skip!("no Xvfb here") };
    let dir = tempfile::tempdir().unwrap();
    let film = clip(dir.path(), 160);
    let format = "videoconvert ! video/x-raw,format=BGRx";
    let by_shader = reference_of(&film, SHADER, format);
    let by_network =
        reference_of(&film, &format!("kizunaupscale profile=export {NETWORK}"), format);
    let (pipeline, upscale) = pipeline(&format!(
        "filesrc location={} ! decodebin ! kizunaupscale name=u profile=hybrid {NETWORK} ! {format} \
         ! ximagesink name=sink display={} force-aspect-ratio=false",
        film.display(),
        screen.name
    ));
    let sink = pipeline.by_name("sink").unwrap();
    let compare = |time| {
        let seen = colours(&screen.grab((192, 108)));
        let from = |frames: &[_]| psnr(&seen, &colours(at(frames, time)));
        (from(&by_network), from(&by_shader))
    };
    wait(&pipeline, gst::State::Playing);
    let flush = gst::SeekFlags::FLUSH;
    for _ in 0..3 {
        // From the beginning each time, so that the film does not end on a busy machine.
        until("a seek", || pipeline.seek_simple(flush, gst::ClockTime::ZERO).is_ok());
        until("half a second", || {
            shown(&sink).is_some_and(|(t, _)| (500..2000).contains(&t.mseconds()))
        });
        let before = stat::<u64>(&upscale, "paused-frames");
        let begun = Instant::now();
        wait(&pipeline, gst::State::Paused);
        // Before the network is done the shaders' picture stays; it may be done already.
        until("the network's frame", || stat::<u64>(&upscale, "paused-frames") > before);
        let took = begun.elapsed();
        let (mut network, mut shaders) = (0.0, 0.0);
        until("it on the screen", || {
            let Some((time, _)) = shown(&sink) else { return false };
            (network, shaders) = compare(time);
            network > 50.0
        });
        let (time, next) = resume(&pipeline, &sink);
        println!(
            "on pause at {time}: {network:.1} dB from the network's, {shaders:.1} from the shaders'; \
             there after {took:.1?}, the next frame after {next:.1?}"
        );
        assert!(network > shaders + 6.0);
    }
    // How soon a frame comes where nothing is done on pause, to compare with: on a busy machine no figure says much by itself.
    upscale.set_property_from_str("profile", "realtime");
    for _ in 0..3 {
        until("a seek", || pipeline.seek_simple(flush, gst::ClockTime::ZERO).is_ok());
        std::thread::sleep(Duration::from_millis(300));
        wait(&pipeline, gst::State::Paused);
        std::thread::sleep(Duration::from_millis(100));
        let (_, next) = resume(&pipeline, &sink);
        println!("profile=realtime: the next frame after {next:.1?}");
    }
    // In play the picture moves on while it is compared: any frame of the shaders' is right.
    let seen = colours(&screen.grab((192, 108)));
    let nearest = |frames: &[(gst::ClockTime, Vec<u8>)]| {
        frames.iter().map(|(_, f)| psnr(&seen, &colours(f))).fold(0.0, f64::max)
    };
    let (network, shaders) = (nearest(&by_network), nearest(&by_shader));
    println!("in play: {network:.1} dB from the network's, {shaders:.1} from the shaders'");
    assert!(shaders > network);
    wait(&pipeline, gst::State::Null);
}
