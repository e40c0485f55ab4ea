//! Frame by frame, pauses, and what the application ends.

use gst::prelude::*;

use crate::scene::Scene;
use crate::table::{FRAME, FRAMES, elements, sources};

/// A step of so many pictures.
fn step(scene: &Scene, pictures: u64, flush: bool) {
    let amount = gst::format::Buffers::from_u64(pictures);
    let event = gst::event::Step::new(amount, 1.0, flush, false);
    assert!(scene.pipeline.send_event(event));
}

#[test]
fn steps_while_paused() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=true enable-last-sample=true");
        scene.state(gst::State::Paused);
        let mut wanted = scene.shown();
        for pictures in [1, 1, 1, 3, 1, 5, 1] {
            step(&scene, pictures, true);
            scene.message(gst::MessageType::StepDone);
            scene.settle();
            wanted += FRAME * pictures;
            assert_eq!(scene.shown(), wanted, "{line}: {pictures}");
        }
        scene.state(gst::State::Playing);
        scene.hurry_to_the_end();
        assert_eq!(scene.journal.counts(), (FRAMES, FRAMES), "{line}");
        scene.finish();
    }
}

#[test]
fn steps_after_a_seek() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=true enable-last-sample=true");
        scene.state(gst::State::Paused);
        for to in [800, 200].map(gst::ClockTime::from_mseconds) {
            scene.seek(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, to);
            scene.settle();
            step(&scene, 2, true);
            scene.message(gst::MessageType::StepDone);
            scene.settle();
            assert_eq!(scene.shown(), to + FRAME * 2, "{line}");
        }
        scene.finish();
    }
}

#[test]
fn steps_while_playing() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=true");
        let gate = scene.hold(10);
        scene.state(gst::State::Playing);
        scene.journal.wait(3);
        step(&scene, 20, true);
        gate.open();
        scene.message(gst::MessageType::StepDone);
        scene.hurry_to_the_end();
        assert_eq!(scene.journal.counts(), (FRAMES, FRAMES), "{line}");
        scene.finish();
    }
}

#[test]
fn pause_resume() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=true");
        for round in 1..=8 {
            scene.state(gst::State::Playing);
            scene.journal.wait(4 * round);
            scene.state(gst::State::Paused);
        }
        scene.state(gst::State::Playing);
        scene.hurry_to_the_end();
        assert_eq!(scene.journal.counts(), (FRAMES, FRAMES), "{line}");
        scene.finish();
    }
}

/// A film, a stream that has no duration and no end, and a camera.
#[test]
fn the_application_ends_it() {
    let [film, ..] = sources();
    let endless = "videotestsrc ! video/x-raw,width=160,height=90,framerate=25/1";
    let camera = "videotestsrc is-live=true ! video/x-raw,width=160,height=90,framerate=25/1";
    for line in elements() {
        for source in [&film, endless, camera] {
            let scene = Scene::new(source, line, "sync=true");
            scene.state(gst::State::Playing);
            scene.journal.wait(8);
            assert!(scene.pipeline.send_event(gst::event::Eos::new()));
            scene.to_the_end();
            let (came, left) = scene.journal.counts();
            assert!(came == left && came >= 8, "{line}: {came} and {left}");
            scene.finish();
        }
    }
}
