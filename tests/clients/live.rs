//! Live chains: over RTP, and on time.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gst_base::prelude::*;

use crate::journal::Journal;
use crate::scene::{Scene, Stopped};
use crate::table::{alone_with, elements, tool};

const CAMERA: &str = "videotestsrc is-live=true pattern=ball name=camera ! video/x-raw,format=I420,width=160,height=90";

#[test]
fn a_camera_is_paused_and_goes_on() {
    for line in elements() {
        let scene = Scene::new(&format!("{CAMERA},framerate=25/1"), line, "sync=true");
        for round in 1..=3 {
            scene.state(gst::State::Playing);
            scene.journal.wait(5 * round);
            scene.state(gst::State::Paused);
        }
        scene.finish();
    }
}

/// Encoded, in packets and through a jitter buffer, and raw.
#[test]
fn over_rtp_in_one_pipeline() {
    let h264 = "x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! rtph264pay ! \
                rtpjitterbuffer latency=40 ! rtph264depay ! h264parse ! avdec_h264";
    let raw = "rtpvrawpay ! rtpjitterbuffer latency=40 ! rtpvrawdepay";
    for line in elements() {
        for way in [h264, raw] {
            let source = format!("{CAMERA},framerate=25/1 ! {way}");
            let scene = Scene::new(&source, line, "sync=true");
            scene.state(gst::State::Playing);
            scene.journal.wait(15);
            assert!(scene.pipeline.send_event(gst::event::Eos::new()));
            scene.to_the_end();
            scene.finish();
        }
    }
}

/// From one pipeline to another over the loopback device.
#[test]
fn over_udp() {
    let caps = "application/x-rtp,media=video,clock-rate=90000,encoding-name=H264,payload=96";
    for line in elements() {
        let source = format!(
            "udpsrc address=127.0.0.1 port=0 name=in caps={caps} ! rtpjitterbuffer latency=40 ! \
             rtph264depay ! h264parse ! avdec_h264"
        );
        let scene = Scene::new(&source, line, "sync=true");
        // It says its port once it is open, and nothing more comes before somebody sends.
        scene.pipeline.set_state(gst::State::Playing).unwrap();
        let port: i32 = scene.pipeline.by_name("in").unwrap().property("port");
        let sender = Stopped::launch(&format!(
            "{CAMERA},framerate=25/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! \
             rtph264pay config-interval=-1 ! udpsink host=127.0.0.1 port={port}"
        ));
        sender.set_state(gst::State::Playing).unwrap();
        scene.journal.wait(20);
        sender.set_state(gst::State::Null).unwrap();
        assert!(scene.pipeline.send_event(gst::event::Eos::new()));
        scene.to_the_end();
        scene.finish();
    }
}

/// A camera on the network, as shops sell them.
const RTSP_SERVER: &str = "\
import sys, gi
gi.require_version('GstRtspServer', '1.0')
from gi.repository import Gst, GstRtspServer, GLib
Gst.init(None)
server = GstRtspServer.RTSPServer(address='127.0.0.1', service='0')
factory = GstRtspServer.RTSPMediaFactory(launch=sys.argv[1], shared=True)
server.get_mount_points().add_factory('/camera', factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
";

/// A program that is ended with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// From an RTSP server, by each of the two ways that it offers.
#[test]
fn over_rtsp() {
    let camera = format!(
        "( {CAMERA},framerate=25/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! \
         rtph264pay name=pay0 pt=96 )"
    );
    let mut server = tool("/usr/bin/python3");
    server.env_remove("G_DEBUG").args(["-c", RTSP_SERVER, &camera]).stdout(Stdio::piped());
    let mut server = Ended(server.spawn().unwrap());
    let mut port = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    if port.is_empty() {
        return skip!("no RTSP server for Python");
    }
    for line in elements() {
        for protocol in ["udp", "tcp"] {
            let source = format!(
                "rtspsrc location=rtsp://127.0.0.1:{}/camera protocols={protocol} latency=40 ! \
                 rtph264depay ! h264parse ! avdec_h264",
                port.trim()
            );
            let scene = Scene::new(&source, line, "sync=true");
            scene.state(gst::State::Playing);
            scene.journal.wait(20);
            assert!(scene.pipeline.send_event(gst::event::Eos::new()));
            scene.to_the_end();
            scene.finish();
        }
    }
}

/// What a live chain did after its first second.
#[derive(Debug, Default, Clone)]
struct Live {
    /// Frames that came to the sink later than the pipeline's latency at that moment: (running time, late by).
    late: Vec<(gst::ClockTime, gst::ClockTime)>,
    /// Frames that came to the sink.
    frames: usize,
    /// What the sink dropped.
    dropped: u64,
    /// The latency that was told last; the sink's own processing deadline is in it.
    told: gst::ClockTime,
}

/// What a scheduler may take on a busy machine; a frame of these films lasts 100 ms.
const MARGIN: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// A camera of ten pictures a second before a sink that drops what comes too late, as sinks for the screen do.
fn watch(line: &'static str, queue: bool) -> Live {
    let _alone = alone_with(line);
    let queue = if queue { "queue !" } else { "" };
    let text = format!(
        "{CAMERA},framerate=10/1 ! {line} name=up ! {queue} fakesink name=end sync=true max-lateness={}",
        MARGIN.nseconds()
    );
    let pipeline = Stopped::launch(&text);
    // Its frames say when they were made: a camera that is kept waiting is late from then on.
    pipeline.by_name("camera").unwrap().set_property("do-timestamp", !queue.is_empty());
    let journal = Journal::of(&pipeline.by_name("up").unwrap(), line);
    let sink = pipeline.by_name("end").unwrap();
    let live = Arc::new(Mutex::new(Live::default()));
    let (noted, weak) = (Arc::clone(&live), pipeline.downgrade());
    sink.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let (Some(pipeline), Some(buffer)) = (weak.upgrade(), info.buffer()) else {
            return gst::PadProbeReturn::Ok;
        };
        let segment = pad.sticky_event::<gst::event::Segment>(0).unwrap().segment().clone();
        let segment = segment.downcast::<gst::ClockTime>().unwrap();
        let due = segment.to_running_time(buffer.pts()).unwrap();
        let now = pipeline.current_running_time().unwrap();
        // The pipeline's answer to a latency query, as it was handed out to the sinks.
        let told =
            pad.parent_element().unwrap().downcast::<gst_base::BaseSink>().unwrap().latency();
        let mut live = noted.lock().unwrap();
        live.told = told;
        if due > gst::ClockTime::SECOND {
            live.frames += 1;
            let late = now.saturating_sub(due + told);
            if !late.is_zero() {
                live.late.push((due, late));
            }
        }
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).unwrap();
    let bus = pipeline.bus().unwrap();
    let mut before = 0;
    let drops = || sink.property::<gst::Structure>("stats").get::<u64>("dropped").unwrap();
    let mut has_ended = false;
    loop {
        let message = bus.timed_pop(gst::ClockTime::from_mseconds(20));
        match message.as_ref().map(|m| m.view()) {
            Some(gst::MessageView::Latency(_)) => pipeline.recalculate_latency().unwrap(),
            Some(gst::MessageView::Error(e)) => panic!("{line}: {e:?}"),
            Some(gst::MessageView::Eos(_)) => break,
            _ => {}
        }
        let frames = live.lock().unwrap().frames;
        if frames == 0 {
            before = drops();
        }
        if frames >= 10 && !has_ended {
            has_ended = true;
            assert!(pipeline.send_event(gst::event::Eos::new()));
        }
    }
    let mut live = live.lock().unwrap().clone();
    live.dropped = drops() - before;
    pipeline.set_state(gst::State::Null).unwrap();
    journal.check(line, false);
    let (came, left) = journal.counts();
    assert_eq!(came, left, "{line}");
    live
}

/// The only tests that look at a clock, because a promise about time is what they are about. Their frames take a tenth of the time
/// that they last, there are margins of 40 ms, and a machine that is busy with something else gets more chances: a promise that
/// is wrong is broken each time.
fn assert_promise_is_kept(queue: bool) {
    for line in elements() {
        let is_kept = |live: &Live| {
            let on_time = live.late.iter().all(|(_, late)| *late <= MARGIN);
            on_time && live.dropped == 0
        };
        let mut tries = Vec::new();
        while !tries.last().is_some_and(is_kept) {
            assert!(tries.len() < 5, "{line}: {tries:?}");
            tries.push(watch(line, queue));
        }
        println!("{line}: {tries:?}");
    }
}

/// With a queue before the sink, so that what waits there keeps nobody from working.
#[test]
fn a_live_chain_keeps_its_latency_promise() {
    assert_promise_is_kept(true);
}

/// Without one the sink's waiting is the camera's too, where an element has no thread of its own.
#[test]
fn a_live_chain_without_a_queue_keeps_its_latency_promise() {
    assert_promise_is_kept(false);
}
