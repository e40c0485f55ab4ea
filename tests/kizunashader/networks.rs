//! The same network by every way: `kizunasr`, passes written from ONNX, and as its authors wrote it.

use gst::prelude::*;

use crate::support::*;

const FROM: &str = "video/x-raw,format=RGBA,width=96,height=54,framerate=25/1";
const TO: &str = "video/x-raw,format=RGBA,width=192,height=108,framerate=25/1";

fn by_kizunasr(model: &str) -> Vec<u8> {
    init();
    let element = gst::ElementFactory::make("kizunasr")
        .property("model", model)
        .property_from_str("provider", "embedded")
        .property_from_str("precision", "fp32")
        // Shaders see the edge repeated, as the network's own padding does.
        .property_from_str("border", "model")
        .build()
        .unwrap();
    let mut harness = harness(&element);
    harness.set_caps(FROM.parse().unwrap(), TO.parse().unwrap());
    harness.push(gst::Buffer::from_slice(rgba(96, 54))).unwrap();
    harness.push_event(gst::event::Eos::new());
    let made = harness.pull().unwrap();
    made.map_readable().unwrap().to_vec()
}

fn by_shader(properties: &[(&str, &str)]) -> Vec<u8> {
    run(properties, &[rgba(96, 54)], FROM, TO).remove(0)
}

/// The passes of `network` out of the shader that its authors published, if set-up brought it.
fn authors(network: &str) -> Option<String> {
    let wheels =
        concat!(env!("CARGO_MANIFEST_DIR"), "/target/reference/shaders/Anime4K_ModeA.glsl");
    let text = std::fs::read_to_string(wheels).ok()?;
    let marked = text.replace("//!DESC", "\u{0}//!DESC");
    let is_wanted = |block: &&str| block.lines().next().is_some_and(|l| l.contains(network));
    Some(marked.split('\u{0}').filter(is_wanted).collect())
}

#[test]
fn networks_give_the_same_picture_by_every_way() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    for (quality, model, name) in [
        ("balanced", "anime4k-m", "Upscale-CNN-x2-(M)"),
        ("high", "anime4k-vl", "Upscale-CNN-x2-(VL)"),
    ] {
        let passes = by_shader(&[("stages", "upscale"), ("quality", quality)]);
        let (most, _) = difference(&passes, &by_kizunasr(model));
        assert!(most <= 2, "{model}: {most} codes from kizunasr");
        let by_name = by_shader(&[("stages", "upscale"), ("quality", "fast"), ("model", model)]);
        assert_eq!(difference(&passes, &by_name).0, 0, "{model} by name");

        let Some(text) = authors(name) else {
            skip!("there is no text of {name}");
            continue;
        };
        let path = folder.path().join("authors.glsl");
        std::fs::write(&path, text).unwrap();
        let own = by_shader(&[("stages", "0"), ("shaders", path.to_str().unwrap())]);
        let (most, _) = difference(&passes, &own);
        assert!(most <= 2, "{model}: {most} codes from the authors' shader");
    }
}

#[test]
fn a_network_that_is_too_large_is_refused_with_the_reason() {
    let _alone = alone();
    let element = element(&[("model", "animevideov3-x2")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let started = element.set_state(gst::State::Paused);
    element.set_state(gst::State::Null).unwrap();
    let message = bus.pop_filtered(&[gst::MessageType::Error]);
    let message = message.map(|m| format!("{:?}", m.view())).unwrap_or_default();
    if message.contains("no model") || message.contains("not found") {
        skip!("animevideov3-x2 is not here");
        return;
    }
    assert!(started.is_err());
    assert!(message.contains("cannot be run by shaders"), "{message}");
}
