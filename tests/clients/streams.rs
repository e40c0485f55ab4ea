//! Streams that change, have holes, or come too late.

use std::sync::{Arc, Mutex};

use gst::prelude::*;

use crate::journal::Item;
use crate::scene::{Scene, Stopped, harnessed};
use crate::table::{FILMS, FRAME, SIZE, elements, may_drop, sources};

#[test]
fn caps_change_between_two_frames() {
    let kinds = [
        "format=I420,width=160,height=90,framerate=25/1",
        // Size, format, frame rate, pixel aspect, colour: one at a time, then all.
        "format=I420,width=96,height=64,framerate=25/1",
        "format=NV12,width=96,height=64,framerate=25/1",
        "format=NV12,width=96,height=64,framerate=50/1",
        "format=NV12,width=96,height=64,framerate=50/1,pixel-aspect-ratio=4/3",
        "format=NV12,width=96,height=64,framerate=50/1,colorimetry=bt601",
        "format=RGBA,width=50,height=38,framerate=30/1",
        "format=I420_10LE,width=160,height=90,framerate=25/1",
    ];
    let parts = kinds.map(|caps| format!("videotestsrc num-buffers=5 ! video/x-raw,{caps} ! c. "));
    for line in elements() {
        let source = format!("{} concat name=c ! queue", parts.concat());
        let scene = Scene::new(&source, line, "sync=false");
        scene.state(gst::State::Playing);
        scene.to_the_end();
        assert_eq!(scene.journal.counts(), (40, 40), "{line}");
        scene.finish();
    }
}

/// A raw H.264 stream whose parameter sets change in its middle.
#[test]
fn the_film_changes_its_size() {
    let source = format!("filesrc location={} ! h264parse ! avdec_h264", FILMS.h264.display());
    for line in elements() {
        let scene = Scene::new(&source, line, "sync=false");
        scene.state(gst::State::Playing);
        scene.to_the_end();
        let count = |wanted: (u32, u32)| {
            let is_wanted = |i: &&Item| matches!(i, Item::Frame { size, .. } if *size == wanted);
            scene.journal.left().iter().filter(is_wanted).count()
        };
        assert_eq!((count(SIZE), count((96, 64))), (25, 25), "{line}");
        scene.finish();
    }
}

/// Somebody enlarges the window: what is downstream wants another size.
#[test]
fn downstream_changes_its_mind() {
    let endless = "videotestsrc ! video/x-raw,format=I420,width=160,height=90,framerate=25/1";
    for line in elements() {
        let text = format!("{endless} ! {line} name=up ! capsfilter name=want ! fakesink name=end");
        let _alone = crate::table::alone_with(line);
        let pipeline = Stopped::launch(&text);
        let sizes = Arc::new(Mutex::new(Vec::new()));
        let (tell, told) = std::sync::mpsc::channel();
        let noted = Arc::clone(&sizes);
        let pad = pipeline.by_name("end").unwrap().static_pad("sink").unwrap();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
            let info = crate::table::info(pad);
            noted.lock().unwrap().push((info.width(), info.height()));
            let _ = tell.send((info.width(), info.height()));
            gst::PadProbeReturn::Ok
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        for (width, height) in [(480, 270), (240, 134), (320, 180)] {
            let caps = format!("video/x-raw,width={width},height={height}");
            pipeline.by_name("want").unwrap().set_property_from_str("caps", &caps);
            loop {
                let came = told.recv_timeout(std::time::Duration::from_secs(60));
                if came.unwrap_or_else(|e| panic!("{line}: {e}: {caps}")) == (width, height) {
                    break;
                }
            }
        }
        pipeline.set_state(gst::State::Null).unwrap();
        let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
        assert!(error.is_none(), "{line}: {error:?}");
    }
}

/// Every third picture of a film is a gap, as in streams with slides.
#[test]
fn gaps_in_a_film() {
    for line in elements() {
        let [source, ..] = sources();
        let scene = Scene::new(&format!("{source} ! identity name=holes"), line, "sync=false");
        let holes = scene.pipeline.by_name("holes").unwrap().static_pad("src").unwrap();
        let count = Mutex::new(0);
        holes.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let mut count = count.lock().unwrap();
            *count += 1;
            let Some(buffer) = info.buffer().filter(|_| *count % 3 == 0) else {
                return gst::PadProbeReturn::Ok;
            };
            let gap = gst::event::Gap::builder(buffer.pts().unwrap()).duration(FRAME).build();
            pad.push_event(gap);
            gst::PadProbeReturn::Drop
        });
        scene.state(gst::State::Playing);
        scene.to_the_end();
        let left = scene.journal.left();
        let gaps = left.iter().filter(|i| matches!(i, Item::Gap(_))).count();
        assert_eq!((gaps, scene.journal.counts()), (16, (34, 34)), "{line}");
        scene.finish();
    }
}

/// Gaps alone, and gaps before the first picture.
#[test]
fn gaps_before_the_first_picture() {
    for line in elements() {
        let (mut harness, journal, _alone) = harnessed(line);
        let caps = crate::table::video("I420,width=32,height=18");
        harness.set_src_caps(caps.clone());
        for ms in [0, 40, 80] {
            let gap = gst::event::Gap::builder(gst::ClockTime::from_mseconds(ms)).build();
            assert!(harness.push_event(gap), "{line}");
        }
        harness.push(crate::table::buffer(&caps)).unwrap();
        assert!(harness.push_event(gst::event::Eos::new()));
        journal.wait(1);
        assert_eq!(journal.counts(), (1, 1), "{line}");
        journal.check(line, false);
    }
}

/// A sink that cannot follow and says so: who drops frames tells how many, who is told not to drop drops none.
#[test]
fn a_sink_that_is_too_slow() {
    let source = "videotestsrc num-buffers=40 ! video/x-raw,width=160,height=90,framerate=100/1";
    for line in elements() {
        for qos in [true, false] {
            let slow = "identity sleep-time=30000 ! fakesink";
            let sink = "sync=true qos=true max-lateness=5000000 throttle-time=20000000";
            let text = format!("{line} name=up ! {slow} name=end {sink}");
            let _alone = crate::table::alone_with(line);
            let pipeline = Stopped::launch(&format!("{source} ! {text}"));
            let element = pipeline.by_name("up").unwrap();
            if !qos && element.find_property("qos").is_none() {
                continue;
            }
            if !qos {
                element.set_property("qos", false);
            }
            let journal = crate::journal::Journal::of(&element, line);
            let dropped = play_noting_drops(&pipeline, &element);
            let (came, left) = journal.counts();
            assert_eq!(came, 40, "{line}");
            assert_eq!(left + dropped, came, "{line}: {dropped} were said to be dropped");
            assert!(dropped == 0 || may_drop(&element), "{line}: {dropped}");
            journal.check(line, may_drop(&element));
        }
    }
}

/// Plays to the end; how many frames `element`, or what is in it, said to have dropped.
fn play_noting_drops(pipeline: &gst::Pipeline, element: &gst::Element) -> usize {
    let bus = pipeline.bus().unwrap();
    let mut dropped = std::collections::HashMap::new();
    pipeline.set_state(gst::State::Playing).unwrap();
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_seconds(60)).expect("nothing happens");
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => panic!("{e:?}"),
            gst::MessageView::Qos(qos) => {
                let src = message.src().unwrap();
                if src == element || src.has_ancestor(element) {
                    let (_, count) = qos.stats();
                    dropped.insert(src.name(), count.value() as usize);
                }
            }
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    dropped.into_values().sum()
}
