//! Another network while frames flow: loaded in the background, and no frame is lost, late in order, or of a wrong size.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::support::{init, leaves_nothing_behind, model, play, stat};

/// A watchdog, not an expectation.
const PATIENCE: Duration = Duration::from_secs(60);

/// What came out: PTS, and the size that the caps said.
type Seen = Arc<Mutex<Vec<(gst::ClockTime, u32)>>>;

/// Notes every frame that leaves `sr`, and looks whether it is as large as its caps say.
fn watch(sr: &gst::Element) -> Seen {
    let seen = Seen::default();
    let noted = seen.clone();
    sr.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let info = info.buffer().map(|b| {
            let video = gst_video::VideoInfo::from_caps(&pad.current_caps().unwrap()).unwrap();
            assert_eq!(b.size(), video.size(), "a frame of a wrong size");
            (b.pts().unwrap(), video.width())
        });
        noted.lock().unwrap().extend(info);
        gst::PadProbeReturn::Ok
    });
    seen
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{what} never comes");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn name(sr: &gst::Element) -> String {
    let info = sr.property::<Option<gst::Structure>>("model-info");
    info.and_then(|i| i.get::<String>("name").ok()).unwrap_or_default()
}

/// A pipeline that plays, its element and what comes out of it.
fn playing(line: &str) -> (gst::Pipeline, gst::Element, Seen) {
    init();
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sr = pipeline.by_name("sr").unwrap();
    let seen = watch(&sr);
    pipeline.set_state(gst::State::Playing).unwrap();
    until("the first frame", || !seen.lock().unwrap().is_empty());
    (pipeline, sr, seen)
}

fn swap(times: usize) {
    let (_guard, x3) = model("rgb-x3");
    let x3 = x3.to_str().unwrap().to_owned();
    let (pipeline, sr, seen) = playing(
        "videotestsrc ! video/x-raw,format=I420,width=32,height=18,framerate=25/1 \
         ! kizunasr name=sr model=anime4k-m ! fakesink sync=false",
    );
    let wishes = [
        ("anime4k-vl", "anime4k-vl", "embedded", 64),
        (x3.as_str(), x3.as_str(), "embedded", 96),
        ("anime4k-m", "anime4k-m", "embedded", 64),
        ("anime4k-vl", "anime4k-vl", "auto", 64),
        (x3.as_str(), x3.as_str(), "auto", 96),
    ];
    for (asked, found, provider, width) in wishes.into_iter().cycle().take(times) {
        sr.set_property("model", asked);
        sr.set_property_from_str("provider", provider);
        until(found, || {
            name(&sr) == found && seen.lock().unwrap().last().is_some_and(|(_, w)| *w == width)
        });
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let seen = seen.lock().unwrap();
    let frame = gst::ClockTime::from_mseconds(40);
    let gap = seen.windows(2).find(|pair| pair[1].0 - pair[0].0 != frame);
    assert_eq!(gap, None, "of {} frames", seen.len());
    let said =
        pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error, gst::MessageType::Warning]);
    assert!(said.is_none(), "{said:?}");
}

#[test]
fn a_model_swapped_a_hundred_times() {
    swap(100);
}

#[test]
fn swaps_leave_nothing_behind() {
    leaves_nothing_behind("swaps::swaps_leave_nothing_behind", || swap(10), || swap(60));
}

#[test]
fn what_cannot_be_loaded_leaves_what_works() {
    let (pipeline, sr, seen) = playing(
        "videotestsrc ! video/x-raw,format=I420,width=32,height=18,framerate=25/1 \
         ! kizunasr name=sr model=anime4k-m provider=embedded ! fakesink sync=false",
    );
    sr.set_property("model", "no-such-model");
    let bus = pipeline.bus().unwrap();
    let timeout = gst::ClockTime::from_seconds(60);
    let said = bus.timed_pop_filtered(timeout, &[gst::MessageType::Warning]).expect("a warning");
    let gst::MessageView::Warning(said) = said.view() else { unreachable!() };
    let text = said.error().message().to_owned();
    assert!(text.contains("no-such-model") && text.contains("goes on"), "{text}");
    assert_eq!(name(&sr), "anime4k-m");
    let so_far = seen.lock().unwrap().len();
    until("more frames", || seen.lock().unwrap().len() > so_far + 20);
    // Nobody tries what has failed again and again, and a good wish is still heard.
    sr.set_property("model", "anime4k-vl");
    until("another model", || name(&sr) == "anime4k-vl");
    pipeline.set_state(gst::State::Null).unwrap();
    let more = bus.pop_filtered(&[gst::MessageType::Warning, gst::MessageType::Error]);
    assert!(more.is_none(), "{more:?}");
}

/// Frames that were scaled plainly before the network was there.
fn begin_live() -> u64 {
    let (pipeline, sr, seen) = playing(
        "videotestsrc is-live=true ! video/x-raw,format=I420,width=32,height=18,framerate=25/1 \
         ! kizunasr name=sr model=anime4k-m provider=embedded ! fakesink",
    );
    let bus = pipeline.bus().unwrap();
    let timeout = gst::ClockTime::from_seconds(60);
    let warning = bus.timed_pop_filtered(timeout, &[gst::MessageType::Warning]).expect("a warning");
    let gst::MessageView::Warning(warning) = warning.view() else { unreachable!() };
    assert!(warning.error().message().contains("scaled plainly"), "{warning:?}");
    let info = bus.timed_pop_filtered(timeout, &[gst::MessageType::Info]).expect("an info");
    let gst::MessageView::Info(info) = info.view() else { unreachable!() };
    assert!(info.error().message().contains("upscaled by embedded"), "{info:?}");
    until("frames of the network", || stat::<u64>(&sr, "frames") > 3);
    assert!(!stat::<bool>(&sr, "loading"));
    let plain = stat::<u64>(&sr, "plain-frames");
    pipeline.set_state(gst::State::Null).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted() && seen.iter().all(|(_, width)| *width == 64));
    plain
}

/// The network may be there before the first frame, if the camera is kept waiting.
#[test]
fn a_live_source_does_not_wait_for_the_network() {
    assert!((0..10).any(|_| begin_live() > 0));
}

#[test]
fn a_file_gets_the_network_from_its_first_frame_on() {
    let said = play(
        "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=32,height=18 \
         ! kizunasr fallback=tile+cpu+resize ! fakesink",
    );
    assert!(said.errors.is_empty() && said.warnings.is_empty(), "{said:?}");
}
