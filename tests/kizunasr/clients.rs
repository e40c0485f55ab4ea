//! Programs that people use, and elements that play for them.

use gst::prelude::*;

use crate::support::{QUICK, clip, element, init, play, play_pipeline, stat};

#[test]
fn decoder_to_encoder_without_videoconvert() {
    let dir = tempfile::tempdir().unwrap();
    let file = clip(dir.path(), 10);
    let out = dir.path().join("out.mp4");
    let said = play(&format!(
        "filesrc location={} ! decodebin ! {QUICK} ! x264enc speed-preset=ultrafast ! mp4mux ! filesink location={}",
        file.display(),
        out.display()
    ));
    assert!(said.errors.is_empty() && said.warnings.is_empty(), "{said:?}");
    assert_eq!(frames_of(&out), (10, (128, 96)));
}

/// Frames of a file, and their size.
fn frames_of(file: &std::path::Path) -> (u64, (u32, u32)) {
    let sr = element();
    let uri = gst::glib::filename_to_uri(file, None).unwrap();
    let size = std::sync::Arc::new(std::sync::Mutex::new((0, 0)));
    let noted = size.clone();
    sr.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        let info = crate::support::info(pad);
        *noted.lock().unwrap() = (info.width(), info.height());
        gst::PadProbeReturn::Ok
    });
    let said = play_pipeline(player(&uri, &sr));
    assert!(said.errors.is_empty(), "{said:?}");
    let size = *size.lock().unwrap();
    (stat(&sr, "frames"), size)
}

fn player(uri: &str, filter: &gst::Element) -> gst::Element {
    let sink = |name| gst::ElementFactory::make("fakesink").name(name).build().unwrap();
    gst::ElementFactory::make("playbin3")
        .property("uri", uri)
        .property("video-filter", filter)
        .property("video-sink", sink("video"))
        .property("audio-sink", sink("audio"))
        .build()
        .unwrap()
}

#[test]
fn playbin3_takes_it_as_a_filter() {
    let dir = tempfile::tempdir().unwrap();
    let file = clip(dir.path(), 12);
    let sr = element();
    let said = play_pipeline(player(&gst::glib::filename_to_uri(&file, None).unwrap(), &sr));
    assert!(said.errors.is_empty(), "{said:?}");
    assert_eq!(stat::<u64>(&sr, "frames"), 12);
    assert!(!sr.property::<bool>("qos"), "late frames would be dropped");
}

#[test]
fn transcoders_take_it_as_a_filter() {
    init();
    if gst::ElementFactory::find("uritranscodebin").is_none() {
        skip!("no uritranscodebin (gst-plugins-bad)");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let uri = gst::glib::filename_to_uri(clip(dir.path(), 10), None).unwrap();
    let out = dir.path().join("out.mp4");
    let bin =
        gst::parse::launch("uritranscodebin profile=video/quicktime,variant=iso:video/x-h264")
            .unwrap();
    let sr = element();
    bin.set_property("source-uri", &*uri);
    bin.set_property("dest-uri", &*gst::glib::filename_to_uri(&out, None).unwrap());
    bin.set_property("video-filter", &sr);
    let pipeline = gst::Pipeline::new();
    pipeline.add(&bin).unwrap();
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty(), "{said:?}");
    assert_eq!(stat::<u64>(&sr, "frames"), 10);
    assert_eq!(frames_of(&out), (10, (128, 96)));
}
