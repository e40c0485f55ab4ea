//! Frames in are frames out.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;

use crate::support::{
    QUICK, buffer, clip, element, harness, init, play_pipeline, play_to_the_end, stat, video,
};

const SMALL: &str = "I420,width=32,height=18";

#[test]
fn times_offsets_and_flags_are_kept() {
    let element = element();
    let mut h = harness(&element);
    let caps = video(SMALL);
    h.set_src_caps(caps.clone());
    let flags = [
        gst::BufferFlags::DISCONT,
        gst::BufferFlags::DELTA_UNIT,
        gst::BufferFlags::MARKER | gst::BufferFlags::CORRUPTED,
        gst::BufferFlags::DECODE_ONLY,
        gst::BufferFlags::empty(),
    ];
    let mut sent = Vec::new();
    for (n, flags) in (0_u64..).zip(flags) {
        let mut frame = buffer(&caps);
        let b = frame.get_mut().unwrap();
        b.set_pts(gst::ClockTime::from_mseconds(40 * n + 3));
        b.set_dts(gst::ClockTime::from_mseconds(40 * n));
        b.set_duration(gst::ClockTime::from_mseconds(40));
        b.set_offset(n + 7);
        b.set_offset_end(n + 8);
        b.set_flags(flags);
        sent.push(facts(&frame));
        h.push(frame).unwrap();
    }
    assert!(h.push_event(gst::event::Eos::new()));
    let got: Vec<_> = std::iter::from_fn(|| h.try_pull()).map(|b| facts(&b)).collect();
    assert_eq!(got, sent);
    let events: Vec<_> = std::iter::from_fn(|| h.try_pull_event()).map(|e| e.type_()).collect();
    assert_eq!(events.last(), Some(&gst::EventType::Eos), "{events:?}");
}

fn facts(b: &gst::Buffer) -> impl PartialEq + std::fmt::Debug + use<> {
    let flags = b.flags() - gst::BufferFlags::TAG_MEMORY;
    (b.pts(), b.dts(), b.duration(), b.offset(), b.offset_end(), flags)
}

#[test]
fn seeks_at_any_moment_lose_nothing() {
    init();
    let dir = tempfile::tempdir().unwrap();
    let frames = 50;
    let file = clip(dir.path(), frames);
    let line = format!(
        "filesrc location={} ! decodebin ! {QUICK} ! fakesink name=sink sync=false",
        file.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = pipeline.by_name("sink").unwrap();
    let noted = Arc::clone(&seen);
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH;
    sink.static_pad("sink").unwrap().add_probe(mask, move |_, info| {
        let mut noted = noted.lock().unwrap();
        match &info.data {
            Some(gst::PadProbeData::Buffer(b)) => noted.push(b.pts()),
            Some(gst::PadProbeData::Event(e)) if e.type_() == gst::EventType::FlushStop => {
                noted.clear();
            }
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    let bus = pipeline.bus().unwrap();
    pipeline.set_state(gst::State::Playing).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
    let flush = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    let mut random = 12_345_u64;
    for _ in 0..30 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        std::thread::sleep(Duration::from_millis((random >> 40) % 25));
        let to = gst::ClockTime::from_mseconds((random >> 50) % 1800);
        pipeline.seek_simple(flush, to).unwrap();
    }
    pipeline.seek_simple(flush, gst::ClockTime::ZERO).unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    // The end of an earlier round may be on the bus still.
    loop {
        let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(20), &ends).expect("no end");
        assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
        if seen.lock().unwrap().len() == frames {
            break;
        }
    }
    pipeline.set_state(gst::State::Null).unwrap();
    let seen = seen.lock().unwrap();
    assert!(seen.is_sorted());
}

#[test]
fn two_hundred_state_changes() {
    init();
    let line = format!("videotestsrc ! video/x-raw,width=32,height=18 ! {QUICK} ! fakesink");
    let pipeline = gst::parse::launch(&line).unwrap();
    let begun = std::time::Instant::now();
    for round in 0..100 {
        pipeline.set_state(gst::State::Playing).unwrap();
        // Every second time the stream is caught while it starts.
        if round % 2 == 0 {
            pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
        }
        pipeline.set_state(gst::State::Null).unwrap();
    }
    println!("200 state changes in {:.2?}", begun.elapsed());
    let errors = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(errors.is_none(), "{errors:?}");
}

#[test]
fn latency_is_what_a_frame_takes_at_most() {
    let element = element();
    let mut h = harness(&element);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let caps = video("I420,width=160,height=90");
    h.set_src_caps(caps.clone());
    h.set_upstream_latency(gst::ClockTime::from_mseconds(5));
    assert_eq!(h.query_latency(), Some(gst::ClockTime::from_mseconds(5)));
    for _ in 0..3 {
        h.push_and_pull(buffer(&caps)).unwrap();
    }
    let per_frame = stat::<f64>(&element, "seconds") / 3.0;
    let told = h.query_latency().unwrap() - gst::ClockTime::from_mseconds(5);
    let told = told.nseconds() as f64 * 1e-9;
    assert!(told >= per_frame && told < 100.0 * per_frame, "told {told} s, took {per_frame} s");
    assert!(bus.pop_filtered(&[gst::MessageType::Latency]).is_some());
}

#[test]
fn late_frames_are_scaled_plainly_only_where_that_is_allowed() {
    for (fallback, plain) in [("tile+cpu+resize", 2_u64), ("tile+cpu", 0)] {
        let element = element();
        element.set_property_from_str("fallback", fallback);
        let mut h = harness(&element);
        let bus = gst::Bus::new();
        element.set_bus(Some(&bus));
        let caps = video(SMALL);
        h.set_src_caps(caps.clone());
        let mut push = |ms| {
            let mut frame = buffer(&caps);
            frame.get_mut().unwrap().set_pts(gst::ClockTime::from_mseconds(ms));
            h.push(frame).unwrap();
            let _ = h.pull().unwrap();
            if ms == 0 {
                let late = gst::event::Qos::new(
                    gst::QOSType::Underflow,
                    2.0,
                    40_000_000,
                    gst::ClockTime::from_mseconds(20),
                );
                h.push_upstream_event(late);
            }
        };
        // Late by 40 ms at 20 ms: all before 100 ms would be late too.
        [0, 40, 80, 120].into_iter().for_each(&mut push);
        assert_eq!(stat::<u64>(&element, "plain-frames"), plain, "{fallback}");
        assert_eq!(stat::<u64>(&element, "frames"), 4 - plain, "{fallback}");
        let warnings =
            std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning])).count();
        assert_eq!(warnings, usize::from(plain > 0), "{fallback}");
        assert!(!element.property::<bool>("qos"));
    }
}

/// Who cannot answer by himself, as a file's sink, asks upstream.
#[test]
fn the_position_moves_with_the_frames() {
    init();
    let line = format!(
        "videotestsrc num-buffers=20 ! video/x-raw,format={SMALL},framerate=25/1 ! {QUICK} ! fakesink sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let said = play_to_the_end(pipeline.upcast_ref());
    assert!(said.errors.is_empty(), "{said:?}");
    let pad = pipeline.by_name("sr").unwrap().static_pad("src").unwrap();
    assert_eq!(pad.query_position(), Some(gst::ClockTime::from_mseconds(800)));
    pipeline.set_state(gst::State::Null).unwrap();
}

/// Frames leave on a thread of their own: what downstream says to the last one has to be said by us.
#[test]
fn a_frame_that_leads_nowhere_is_an_error() {
    init();
    for count in [1, 20] {
        let line =
            format!("videotestsrc num-buffers={count} ! video/x-raw,format={SMALL} ! {QUICK}");
        let pipeline = gst::parse::launch(&line).unwrap();
        let bus = pipeline.bus().unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let timeout = gst::ClockTime::from_seconds(60);
        let error = bus.timed_pop_filtered(timeout, &[gst::MessageType::Error]);
        assert!(error.is_some(), "{count}");
        pipeline.set_state(gst::State::Null).unwrap();
    }
}

/// What downstream takes is not ours to promise.
#[test]
fn a_sink_that_holds_frames_does_not_count_as_latency() {
    let element = element();
    let mut h = harness(&element);
    let caps = video(SMALL);
    h.set_src_caps(caps.clone());
    let holds = Duration::from_secs(2);
    let held = std::sync::atomic::AtomicBool::new(false);
    element.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if !held.swap(true, std::sync::atomic::Ordering::SeqCst) {
            std::thread::sleep(holds);
        }
        gst::PadProbeReturn::Ok
    });
    for _ in 0..3 {
        h.push(buffer(&caps)).unwrap();
    }
    assert!(h.push_event(gst::event::Eos::new()));
    let mut query = gst::query::Latency::new();
    assert!(element.static_pad("src").unwrap().query(&mut query));
    let promised = Duration::from(query.result().1);
    assert!(!promised.is_zero() && promised < holds, "{promised:?}");
}

/// In the middle of a delivery, as appsink's callbacks do.
#[test]
fn whoever_is_given_a_frame_may_seek() {
    init();
    let line = format!(
        "videotestsrc num-buffers=50 ! video/x-raw,format={SMALL},framerate=25/1 ! {QUICK} ! fakesink name=sink sync=false"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let (seen, weak) = (Arc::new(Mutex::new(Vec::new())), pipeline.downgrade());
    let noted = seen.clone();
    let pad = pipeline.by_name("sr").unwrap().static_pad("src").unwrap();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let count = {
            let mut noted = noted.lock().unwrap();
            noted.push(info.buffer().unwrap().pts().unwrap());
            noted.len()
        };
        if let (10, Some(pipeline)) = (count, weak.upgrade()) {
            let to = gst::ClockTime::from_mseconds(400);
            pipeline.seek_simple(gst::SeekFlags::FLUSH, to).unwrap();
            return gst::PadProbeReturn::Drop;
        }
        gst::PadProbeReturn::Ok
    });
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty(), "{said:?}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen[10], gst::ClockTime::from_mseconds(400), "{seen:?}");
    assert!(seen[10..].is_sorted(), "{seen:?}");
}
