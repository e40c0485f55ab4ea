//! Seeks of all kinds. Names are those of gst-validate's scenarios where there is one that does the same.

use std::sync::{Arc, Mutex};

use gst::SeekFlags;
use gst::prelude::*;

use crate::journal::Item;
use crate::scene::Scene;
use crate::table::{FILMS, FRAME, FRAMES, elements, sources};

const FLUSH: SeekFlags = SeekFlags::FLUSH;

fn ms(ms: u64) -> gst::ClockTime {
    gst::ClockTime::from_mseconds(ms)
}

#[test]
fn play_to_the_end_and_once_more() {
    for line in elements() {
        for source in sources() {
            let scene = Scene::new(&source, line, "sync=false");
            scene.state(gst::State::Playing);
            scene.to_the_end();
            assert_eq!(scene.journal.counts(), (FRAMES, FRAMES), "{line}: {source}");
            scene.seek(FLUSH, ms(0));
            scene.to_the_end();
            assert_eq!(scene.journal.counts(), (FRAMES, FRAMES), "{line}: {source}");
            scene.finish();
        }
    }
}

#[test]
fn change_state_intensive() {
    use gst::State::{Null, Paused, Playing, Ready};
    for line in elements() {
        // Without a demuxer, whose new pads would have to be linked again.
        let source = format!("filesrc location={} ! h264parse ! avdec_h264", FILMS.h264.display());
        let scene = Scene::new(&source, line, "sync=true");
        for round in 0..3 {
            for state in [Paused, Playing, Paused, Ready, Paused, Playing, Null] {
                // What is half done is stopped too.
                if round == 1 {
                    scene.pipeline.set_state(state).unwrap();
                } else {
                    scene.state(state);
                }
                if state <= Ready {
                    scene.journal.cut();
                }
            }
        }
        scene.finish();
    }
}

#[test]
fn scrub_forward_and_backward_while_paused() {
    for line in elements() {
        for source in &sources()[..2] {
            let scene = Scene::new(source, line, "sync=true enable-last-sample=true");
            scene.state(gst::State::Paused);
            for to in [400, 440, 1200, 1960, 1000, 40, 0].map(ms) {
                scene.seek(FLUSH | SeekFlags::ACCURATE, to);
                scene.settle();
                let shown = scene.shown();
                assert!(shown <= to && to < shown + FRAME, "{line}: {shown} instead of {to}");
                assert_eq!(scene.pipeline.query_position::<gst::ClockTime>(), Some(to));
            }
            for to in [1900, 500, 1500].map(ms) {
                scene.seek(FLUSH | SeekFlags::KEY_UNIT | SeekFlags::SNAP_BEFORE, to);
                scene.settle();
                let key = 400 * (to.mseconds() / 400);
                let shown = scene.shown();
                // Matroska's times are whole milliseconds, and the decoder's first picture may be one frame off the container's.
                assert!(
                    shown >= ms(key) && shown <= ms(key) + 2 * FRAME,
                    "{line}: {shown} for {to}"
                );
            }
            scene.seek(FLUSH | SeekFlags::ACCURATE, ms(1000));
            scene.state(gst::State::Playing);
            scene.hurry_to_the_end();
            assert_eq!(scene.journal.counts(), (25, 25), "{line}");
            scene.finish();
        }
    }
}

#[test]
fn seeks_while_playing() {
    for line in elements() {
        for source in &sources()[1..3] {
            let scene = Scene::new(source, line, "sync=false");
            scene.state(gst::State::Playing);
            for (round, to) in [1200, 100, 1700, 0, 800, 1960].into_iter().enumerate() {
                let kind = [SeekFlags::ACCURATE, SeekFlags::KEY_UNIT][round % 2];
                scene.seek(FLUSH | kind, ms(to));
                // Some meet a pipeline that is busy with the seek before.
                if round % 3 != 0 {
                    scene.journal.wait(1);
                }
            }
            scene.seek(FLUSH | SeekFlags::ACCURATE, ms(400));
            scene.settle();
            scene.to_the_end();
            assert_eq!(scene.journal.counts(), (40, 40), "{line}: {source}");
            scene.finish();
        }
    }
}

#[test]
fn seek_with_stop() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=false");
        scene.state(gst::State::Paused);
        scene.range(1.0, FLUSH | SeekFlags::ACCURATE, (ms(400), Some(ms(800))));
        scene.state(gst::State::Playing);
        scene.to_the_end();
        assert_eq!(scene.journal.counts(), (10, 10), "{line}");
        scene.finish();
    }
}

/// Segments that are played one behind the other without a flush: loops of editors and games.
#[test]
fn segments_in_a_loop() {
    for line in elements() {
        for source in &sources()[..2] {
            let scene = Scene::new(source, line, "sync=false");
            scene.state(gst::State::Paused);
            let range = (ms(400), Some(ms(800)));
            scene.range(1.0, FLUSH | SeekFlags::ACCURATE | SeekFlags::SEGMENT, range);
            scene.state(gst::State::Playing);
            for _ in 0..3 {
                scene.message(gst::MessageType::SegmentDone);
                scene.range(1.0, SeekFlags::ACCURATE | SeekFlags::SEGMENT, range);
            }
            scene.message(gst::MessageType::SegmentDone);
            scene.range(1.0, SeekFlags::ACCURATE, range);
            scene.to_the_end();
            assert_eq!(scene.journal.counts(), (50, 50), "{line}: {source}");
            scene.finish();
        }
    }
}

#[test]
fn seeks_without_a_flush_while_playing() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=true");
        let gate = scene.hold(10);
        scene.state(gst::State::Playing);
        scene.journal.wait(5);
        // The demuxer waits for its stream before it seeks.
        scene.entrance().add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
            if info.event().is_some_and(|e| e.type_() == gst::EventType::Seek) {
                gate.open();
            }
            gst::PadProbeReturn::Ok
        });
        scene.seek(SeekFlags::ACCURATE, ms(1600));
        scene.hurry_to_the_end();
        let left = scene.journal.left();
        let segments = left.iter().filter(|i| matches!(i, Item::Segment { .. })).count();
        assert_eq!(segments, 2, "{line}: {left:?}");
        scene.finish();
    }
}

#[test]
fn reverse_playback() {
    for line in elements() {
        for source in &sources()[..2] {
            let scene = Scene::new(source, line, "sync=false");
            scene.state(gst::State::Paused);
            scene.range(-1.0, FLUSH | SeekFlags::ACCURATE, (ms(0), Some(ms(2000))));
            scene.state(gst::State::Playing);
            scene.to_the_end();
            let times = scene.journal.times();
            assert!(
                times.len() >= FRAMES - 10 && times.first() > times.last(),
                "{line}: {times:?}"
            );
            scene.finish();
        }
    }
}

#[test]
fn fast_forward_and_trick_modes() {
    let modes = [
        SeekFlags::empty(),
        SeekFlags::SKIP,
        SeekFlags::TRICKMODE_KEY_UNITS,
        SeekFlags::TRICKMODE_FORWARD_PREDICTED,
        SeekFlags::TRICKMODE_KEY_UNITS | SeekFlags::TRICKMODE_NO_AUDIO,
    ];
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=false");
        scene.state(gst::State::Paused);
        for (mode, rate) in modes.into_iter().zip([4.0, 8.0, 4.0, 4.0, -4.0]) {
            scene.range(rate, FLUSH | mode, (ms(0), Some(ms(2000))));
            scene.state(gst::State::Playing);
            scene.to_the_end();
            let (came, left) = scene.journal.counts();
            assert!(came == left && left > 0, "{line}: {mode:?}: {came} and {left}");
        }
        scene.finish();
    }
}

/// What instant rate changes go through the element's pad; decoders send them again before each frame.
fn rates(scene: &Scene, pad: &str) -> Arc<Mutex<Vec<f64>>> {
    let rates = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&rates);
    let pad = scene.pipeline.by_name("up").unwrap().static_pad(pad).unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(gst::EventView::InstantRateChange(e)) = info.event().map(|e| e.view()) {
            let mut noted = noted.lock().unwrap();
            noted.push(e.multiplier());
            noted.dedup();
        }
        gst::PadProbeReturn::Ok
    });
    rates
}

#[test]
fn instant_rate_changes() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&source, line, "sync=true");
        let (came, left) = (rates(&scene, "sink"), rates(&scene, "src"));
        let gate = scene.hold(20);
        scene.state(gst::State::Playing);
        for (round, rate) in [2.0, 0.5, 4.0].into_iter().enumerate() {
            scene.journal.wait(5 * (round + 1));
            let flags = SeekFlags::INSTANT_RATE_CHANGE;
            let none = gst::ClockTime::NONE;
            let keep = gst::SeekType::None;
            scene.pipeline.seek(rate, flags, keep, none, keep, none).unwrap();
        }
        gate.open();
        scene.hurry_to_the_end();
        let (came, left) = (came.lock().unwrap().clone(), left.lock().unwrap().clone());
        assert_eq!(came, left, "{line}");
        assert_eq!(left.first(), Some(&2.0), "{line}: {left:?}");
        assert_eq!(scene.journal.counts(), (FRAMES, FRAMES), "{line}");
        scene.finish();
    }
}
