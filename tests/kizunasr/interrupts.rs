//! In the middle of a heavy frame: letting go, and answering questions.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use gst::prelude::*;

use crate::support::{buffer, element, harness, init, stat, video};

/// Time to let go that is no bug on a busy machine; the aim is 100 ms.
const PATIENCE: Duration = Duration::from_millis(500);

/// A pipeline in the middle of its first heavy frame; `None` where the provider cannot run here.
fn at_work(provider: &str) -> Option<(gst::Pipeline, gst::Element)> {
    init();
    let weights = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/models/animevideov3-x2.onnx"));
    let model = if weights.exists() { "animevideov3-x2" } else { "anime4k-vl" };
    // The embedded engine cannot be stopped inside a tile: what is left behind ends soon where tiles are small.
    let tile = if provider == "embedded" { 128 } else { 0 };
    // A software adapter takes seconds for this.
    let (model, width, height, provider) = match provider {
        "webgpu" => ("anime4k-m", 96, 54, "webgpu provider-options=o,preferredLayout=NCHW"),
        _ => (model, 1920, 1080, provider),
    };
    let line = format!(
        "videotestsrc ! video/x-raw,format=I420,width={width},height={height} ! \
         kizunasr name=sr model={model} provider={provider} precision=fp32 tile-size={tile} ! fakesink"
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sr = pipeline.by_name("sr").unwrap();
    let (tell, told) = mpsc::channel();
    sr.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = tell.send(());
        gst::PadProbeReturn::Ok
    });
    if pipeline.set_state(gst::State::Playing).is_err() {
        let why = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
        assert_ne!(provider, "embedded", "{why:?}");
        skip!("{provider}: {why:?}");
        pipeline.set_state(gst::State::Null).unwrap();
        return None;
    }
    told.recv_timeout(Duration::from_secs(60)).unwrap();
    let runs = || !sr.property::<Option<String>>("active-provider").unwrap_or_default().is_empty();
    while provider.starts_with("webgpu") && !runs() {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(150));
    Some((pipeline, sr))
}

/// Lets go in the middle of a heavy frame, as often as it takes to be soon: others may have the machine for a while.
fn let_go(provider: &str, what: &str, act: impl Fn(&gst::Pipeline, &gst::Element)) -> Option<()> {
    let mut took: Vec<Option<Duration>> = Vec::new();
    while took.last().is_none_or(|last| last.is_none_or(|last| last >= PATIENCE)) {
        assert!(took.len() < 5, "{provider}: {what}: {took:.1?}");
        let (pipeline, sr) = at_work(provider)?;
        let begun = Instant::now();
        act(&pipeline, &sr);
        let elapsed = begun.elapsed();
        // Where the frame is done nobody was in the middle of it.
        took.push((stat::<u64>(&sr, "frames") == 0).then_some(elapsed));
        pipeline.set_state(gst::State::Null).unwrap();
        let error = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Error]);
        assert!(error.is_none(), "{error:?}");
    }
    println!("{provider}: {what}: {took:.1?}");
    Some(())
}

/// Asks all that can be asked.
fn ask(sr: &gst::Element) {
    let _ = sr.property::<Option<gst::Structure>>("model-info");
    let _ = sr.property::<Option<String>>("active-provider");
    sr.set_property("strength", 0.5);
    for pad in ["sink", "src"] {
        let pad = sr.static_pad(pad).unwrap();
        assert!(!pad.query_caps(None).is_empty());
        assert!(pad.query_accept_caps(&pad.current_caps().unwrap()));
    }
    assert!(sr.static_pad("src").unwrap().query(gst::query::Latency::new().query_mut()));
    let _ = sr.query_position::<gst::ClockTime>();
    let _ = sr.property::<gst::Structure>("stats");
}

pub fn check(provider: &str) {
    let checked = let_go(provider, "flush", |_, sr| {
        ask(sr);
        let sink = sr.static_pad("sink").unwrap();
        assert!(sink.send_event(gst::event::FlushStart::new()));
        assert!(sink.send_event(gst::event::FlushStop::new(true)));
    });
    if checked.is_some() {
        let_go(provider, "stop", |pipeline, _| {
            pipeline.set_state(gst::State::Null).unwrap();
        });
    }
}

#[test]
fn embedded_lets_go() {
    check("embedded");
}

#[test]
fn cpu_lets_go() {
    check("cpu");
}

#[test]
fn openvino_lets_go() {
    check("openvino");
}

#[test]
fn a_flush_while_caps_change_is_no_failure() {
    for provider in ["embedded", "openvino"] {
        let element = element();
        element.set_property_from_str("provider", provider);
        let mut h = harness(&element);
        let (bus, pad) = (gst::Bus::new(), h.srcpad().unwrap());
        element.set_bus(Some(&bus));
        for round in 0..8_u64 {
            let caps = video(&format!("I420,width={},height=18", 32 + 2 * round));
            h.set_src_caps(caps.clone());
            // The caps go with this frame, which the flush meets anywhere.
            let frame = buffer(&caps);
            let streaming = pad.clone();
            let pushed = std::thread::spawn(move || streaming.push(frame));
            std::thread::sleep(Duration::from_millis(3 * round));
            assert!(pad.push_event(gst::event::FlushStart::new()));
            let pushed = pushed.join().unwrap();
            assert!(
                matches!(pushed, Ok(_) | Err(gst::FlowError::Flushing)),
                "{provider}: {pushed:?}"
            );
            assert!(pad.push_event(gst::event::FlushStop::new(true)));
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            assert!(pad.push_event(gst::event::Segment::new(&segment)));
            if let Err(e) = pad.push(buffer(&caps)) {
                let why = bus.pop_filtered(&[gst::MessageType::Error]);
                skip!("{provider}: {why:?}");
                assert!(provider != "embedded", "{e}");
                break;
            }
        }
    }
}
