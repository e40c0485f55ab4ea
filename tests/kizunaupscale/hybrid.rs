//! The frame on pause.

use gst::prelude::*;

use crate::support::{
    alone, at, clip, leaves_nothing_behind, pipeline, psnr, reference, shown, stat, times, until,
    until_seen,
};

pub const NETWORK: &str = "model=anime4k-vl provider=embedded";

/// Elements that do alone what the bin does while playing, and on pause.
pub const SHADER: &str = "kizunashader";

pub fn wait(pipeline: &gst::Pipeline, state: gst::State) {
    let _ = pipeline.set_state(state);
    let (changed, ..) = pipeline.state(gst::ClockTime::from_seconds(60));
    let why = || pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
    assert!(changed.is_ok(), "{changed:?}: {:?}", why());
}

/// No seek leaves the bin, so sources that have none do as well.
fn never_sought(upscale: &gst::Element) {
    let pad = upscale.static_pad("sink").unwrap();
    pad.add_probe(gst::PadProbeType::EVENT_UPSTREAM, |_, info| {
        assert!(info.event().is_none_or(|e| e.type_() != gst::EventType::Seek));
        gst::PadProbeReturn::Ok
    });
}

fn no_errors(pipeline: &gst::Pipeline) {
    let said = [gst::MessageType::Warning, gst::MessageType::Error];
    let said = pipeline.bus().unwrap().pop_filtered(&said);
    assert!(said.is_none(), "{said:?}");
}

/// The frame on pause is the network's, the frames of a film that plays are the shaders': against both alone.
#[test]
fn the_frame_on_pause_is_the_networks() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let film = clip(dir.path(), 250);
    let by_shader = reference(&film, SHADER);
    let by_network = reference(&film, &format!("kizunaupscale profile=export {NETWORK}"));
    for between in ["", "! queue max-size-buffers=5 ! videoconvert"] {
        let (pipeline, upscale) = pipeline(&format!(
            "filesrc location={} ! decodebin ! kizunaupscale name=u profile=hybrid {NETWORK} {between} \
             ! video/x-raw,format=I420 ! fakesink name=sink sync=true",
            film.display()
        ));
        let sink = pipeline.by_name("sink").unwrap();
        never_sought(&upscale);
        wait(&pipeline, gst::State::Playing);
        until("some frames", || shown(&sink).is_some_and(|(t, _)| t.mseconds() > 200));
        wait(&pipeline, gst::State::Paused);
        until("the network's frame", || stat::<u64>(&upscale, "paused-frames") == 1);
        let mut seen = None;
        until("it on the screen", || {
            let Some((time, picture)) = shown(&sink) else { return false };
            let is = psnr(&picture, at(&by_network, time));
            let is_not = psnr(&picture, at(&by_shader, time));
            seen = Some((time, is, is_not));
            is > 50.0
        });
        let (time, is, is_not) = seen.unwrap();
        println!(
            "{between}: at {time}: {is:.1} dB from the network's, {is_not:.1} from the shaders'"
        );
        assert!(is > is_not + 6.0);
        wait(&pipeline, gst::State::Playing);
        until("the end of it", || shown(&sink).is_some_and(|(t, _)| t > time));
        let (time, picture) = shown(&sink).unwrap();
        let is = psnr(&picture, at(&by_shader, time));
        // The stabilizer's history is another one.
        assert!(is > psnr(&picture, at(&by_network, time)), "at {time}: {is:.1} dB");
        no_errors(&pipeline);
        wait(&pipeline, gst::State::Null);
    }
}

/// A stream that began long ago: a flush takes its segment from the sink, which must get it again.
#[test]
fn hybrid_may_be_chosen_in_the_middle_of_a_film() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let film = clip(dir.path(), 250);
    for before in ["realtime", "export"] {
        let (pipeline, upscale) = pipeline(&format!(
            "filesrc location={} ! decodebin ! kizunaupscale name=u profile={before} {NETWORK} ! fakesink name=sink sync=true",
            film.display()
        ));
        let sink = pipeline.by_name("sink").unwrap();
        wait(&pipeline, gst::State::Paused);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        pipeline.seek_simple(flags, gst::ClockTime::from_seconds(2)).unwrap();
        wait(&pipeline, gst::State::Playing);
        upscale.set_property_from_str("profile", "hybrid");
        until("shaders", || {
            stat::<gst::Array>(&upscale, "children").len() == 1 && shown(&sink).is_some()
        });
        // Frames that went out before are not known.
        let soon = shown(&sink).unwrap().0 + gst::ClockTime::from_mseconds(500);
        until("frames of the shaders", || shown(&sink).is_some_and(|(t, _)| t > soon));
        wait(&pipeline, gst::State::Paused);
        until("the network's frame", || stat::<u64>(&upscale, "paused-frames") == 1);
        let at = shown(&sink).unwrap().0;
        let position = pipeline.query_position::<gst::ClockTime>();
        assert!(position.is_some_and(|p| p.seconds() >= 2), "{before}: {position:?}");
        wait(&pipeline, gst::State::Playing);
        until("more frames", || shown(&sink).is_some_and(|(t, _)| t > at));
        let segment = sink.static_pad("sink").unwrap().sticky_event::<gst::event::Segment>(0);
        let segment = segment.expect("no segment").segment().clone();
        let segment = segment.downcast::<gst::ClockTime>().unwrap();
        assert_eq!(segment.time(), Some(gst::ClockTime::from_seconds(2)), "{before}");
        no_errors(&pipeline);
        wait(&pipeline, gst::State::Null);
    }
}

#[test]
fn fifty_pauses_lose_nothing() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let film = clip(dir.path(), 250);
    let (pipeline, upscale) = pipeline(&format!(
        "filesrc location={} ! decodebin ! kizunaupscale name=u profile=hybrid {NETWORK} \
         ! queue max-size-buffers=3 ! fakesink name=sink sync=true",
        film.display()
    ));
    let came = times(&upscale.static_pad("sink").unwrap());
    let went = crate::support::Times::default();
    let noted = went.clone();
    // What is sent again counts once.
    let sink = pipeline.by_name("sink").unwrap();
    sink.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let time = info.buffer().unwrap().pts().unwrap();
        let mut noted = noted.lock().unwrap();
        if let Some(at) = noted.iter().position(|t| *t == time) {
            noted.truncate(at);
        }
        noted.push(time);
        gst::PadProbeReturn::Ok
    });
    wait(&pipeline, gst::State::Playing);
    let mut by_network = 0;
    for round in 0..50_u64 {
        std::thread::sleep(std::time::Duration::from_millis(40 + 7 * (round % 10)));
        wait(&pipeline, gst::State::Paused);
        // Now and then the network has no time to finish.
        if round % 3 == 0 {
            let before = stat::<u64>(&upscale, "paused-frames");
            until("the network's frame", || stat::<u64>(&upscale, "paused-frames") > before);
            by_network += 1;
        } else {
            std::thread::sleep(std::time::Duration::from_millis(9 * (round % 13)));
        }
        pipeline.set_state(gst::State::Playing).unwrap();
    }
    let bus = pipeline.bus().unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).expect("no end");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    assert!(stat::<u64>(&upscale, "paused-frames") >= by_network);
    no_errors(&pipeline);
    wait(&pipeline, gst::State::Null);
    assert_eq!(came.lock().unwrap().len(), 250);
    assert_eq!(*came.lock().unwrap(), *went.lock().unwrap());
}

#[test]
fn pauses_leave_nothing_behind() {
    leaves_nothing_behind("hybrid::pauses_leave_nothing_behind", || pauses(5), || pauses(50));
}

fn pauses(times: u64) {
    let (pipeline, upscale) = pipeline(&format!(
        "videotestsrc ! video/x-raw,format=I420,width=96,height=54,framerate=25/1 \
         ! kizunaupscale name=u profile=hybrid {NETWORK} ! fakesink sync=true"
    ));
    for round in 0..times {
        wait(&pipeline, gst::State::Playing);
        std::thread::sleep(std::time::Duration::from_millis(10 + round % 30));
        wait(&pipeline, gst::State::Paused);
        let before = stat::<u64>(&upscale, "paused-frames");
        if round % 2 == 0 {
            until("the network's frame", || stat::<u64>(&upscale, "paused-frames") > before);
        }
    }
    no_errors(&pipeline);
    wait(&pipeline, gst::State::Null);
}

#[test]
fn fifty_seeks_while_paused() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let film = clip(dir.path(), 100);
    let by_network = reference(&film, &format!("kizunaupscale profile=export {NETWORK}"));
    let (pipeline, upscale) = pipeline(&format!(
        "filesrc location={} ! decodebin ! kizunaupscale name=u profile=hybrid {NETWORK} \
         ! queue max-size-buffers=3 ! video/x-raw,format=I420 ! fakesink name=sink sync=true",
        film.display()
    ));
    let sink = pipeline.by_name("sink").unwrap();
    wait(&pipeline, gst::State::Paused);
    let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
    for round in 0..50_u64 {
        let to = gst::ClockTime::from_mseconds(40 * (round * 37 % 95));
        // A sink that is just being given the network's picture refuses it.
        until("a seek", || pipeline.seek_simple(flags, to).is_ok());
        if round % 5 == 0 {
            until_seen("the network's frame on the screen", || {
                let (time, picture) = shown(&sink).ok_or("nothing is shown")?;
                let quality = psnr(&picture, at(&by_network, time));
                let is_there = time.nseconds().abs_diff(to.nseconds()) < 20_000_000;
                let said = || pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Warning]);
                if is_there && quality > 45.0 {
                    return Ok(());
                }
                let frames = stat::<u64>(&upscale, "paused-frames");
                Err(format!(
                    "{time} for {to}, {quality:.1} dB, {frames} paused frames; {:?}",
                    said()
                ))
            });
        } else {
            std::thread::sleep(std::time::Duration::from_millis(17 * (round % 7)));
        }
    }
    assert!(stat::<u64>(&upscale, "paused-frames") >= 10);
    until("a seek", || pipeline.seek_simple(flags, gst::ClockTime::ZERO).is_ok());
    let went = times(&sink.static_pad("sink").unwrap());
    wait(&pipeline, gst::State::Playing);
    let bus = pipeline.bus().unwrap();
    let ends = [gst::MessageType::Eos, gst::MessageType::Error];
    let end = bus.timed_pop_filtered(gst::ClockTime::from_seconds(60), &ends).expect("no end");
    assert_eq!(end.type_(), gst::MessageType::Eos, "{end:?}");
    no_errors(&pipeline);
    wait(&pipeline, gst::State::Null);
    let went = went.lock().unwrap();
    assert!(went.is_sorted() && went.len() >= 95, "{} frames", went.len());
}

#[test]
fn a_step_is_seen_and_a_stop_in_the_middle_is_well() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let film = clip(dir.path(), 50);
    let (pipeline, upscale) = pipeline(&format!(
        "filesrc location={} ! decodebin ! kizunaupscale name=u profile=hybrid {NETWORK} ! fakesink name=sink sync=true",
        film.display()
    ));
    wait(&pipeline, gst::State::Paused);
    for steps in 1..6 {
        until("the network's frame", || stat::<u64>(&upscale, "paused-frames") == steps);
        let step = gst::event::Step::new(gst::format::Buffers::ONE, 1.0, true, false);
        assert!(pipeline.send_event(step));
    }
    wait(&pipeline, gst::State::Null);
    // A file's pipeline made by a launch line plays once.
    let (pipeline, _) = crate::support::pipeline(&format!(
        "videotestsrc ! video/x-raw,width=96,height=54 ! kizunaupscale name=u profile=hybrid {NETWORK} ! fakesink"
    ));
    for round in 0..10 {
        wait(&pipeline, gst::State::Paused);
        std::thread::sleep(std::time::Duration::from_millis(20 * round));
        wait(&pipeline, gst::State::Null);
    }
    no_errors(&pipeline);
}
