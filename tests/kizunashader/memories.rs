//! Every format and memory, by itself and between other OpenGL elements.

use std::slice::from_ref;

use gst::prelude::*;
use gstkizuna::upscale::PixelFormat;

use crate::support::*;

const SMALL: &str =
    "videotestsrc num-buffers=3 pattern=ball ! video/x-raw,width=64,height=36,framerate=25/1";

/// Frames that reach the end of `line`, whose last element is a sink called `end`, and its caps.
fn frames(line: &str) -> (usize, gst::Caps) {
    init();
    let pipeline = gst::parse::launch(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let end = pipeline.by_name("end").unwrap();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let pad = end.static_pad("sink").unwrap();
    let counted = count.clone();
    let caps = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = caps.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, _| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        *seen.lock().unwrap() = pad.current_caps();
        gst::PadProbeReturn::Ok
    });
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty(), "{line}: {said:?}");
    let caps = caps.lock().unwrap().take().unwrap_or_else(|| panic!("{line}: no frame"));
    (count.load(std::sync::atomic::Ordering::SeqCst), caps)
}

#[test]
fn every_format_of_plain_memory_comes_and_goes() {
    let _alone = alone();
    for format in PixelFormat::ALL {
        let name = format.name();
        let (count, caps) = frames(&format!(
            "{SMALL},format={name} ! kizunashader ! video/x-raw,format={name} ! fakesink name=end"
        ));
        assert_eq!(count, 3, "{name}");
        let structure = caps.structure(0).unwrap();
        assert_eq!(structure.get::<i32>("width"), Ok(128), "{name}");
        assert_eq!(structure.get::<&str>("format"), Ok(name));
    }
}

/// A strength of 0 makes a stage an exact copy; without any stage and with the size unchanged R'G'B' is one too.
#[test]
fn nothing_to_do_is_an_exact_copy() {
    let _alone = alone();
    let rgba = rgba(48, 32);
    for format in ["RGBA", "I420", "NV12", "Y444", "GRAY8", "RGB", "P010_10LE"] {
        let caps = format!("video/x-raw,format={format},width=48,height=32,framerate=25/1");
        let frame = run(&[("stages", "0")], from_ref(&rgba), RGBA, &caps).remove(0);
        let plain = run(&[("stages", "0")], from_ref(&frame), &caps, &caps).remove(0);
        let none = ["deband", "line-strength", "sharpness", "stability"].map(|name| (name, "0"));
        let stages = run(&none, from_ref(&frame), &caps, &caps).remove(0);
        assert!(stages == plain, "{format}");
        if format.starts_with("RGB") {
            assert!(plain == frame, "{format}");
        }
    }
    assert!(run(&[("stages", "0")], from_ref(&rgba), RGBA, RGBA).remove(0) == rgba);
}

const RGBA: &str = "video/x-raw,format=RGBA,width=48,height=32,framerate=25/1";

#[test]
fn opengl_memory_stays_where_it_is_understood() {
    let _alone = alone();
    let is_gl = |caps: &gst::Caps| caps.features(0).unwrap().contains("memory:GLMemory");
    for (line, wanted) in [
        ("kizunashader ! fakesink name=end", false),
        ("kizunashader ! queue ! fakesink name=end", false),
        ("glupload ! kizunashader ! gldownload ! video/x-raw ! fakesink name=end", false),
        ("glupload ! kizunashader ! video/x-raw(memory:GLMemory) ! fakesink name=end", true),
        (
            "glupload ! glcolorconvert ! kizunashader ! gleffects effect=identity ! fakesink name=end",
            true,
        ),
        (
            "kizunashader ! gleffects effect=identity ! gldownload ! video/x-raw ! fakesink name=end",
            false,
        ),
        ("kizunashader ! kizunashader scale=1 ! fakesink name=end", false),
        (
            "glupload ! kizunashader ! queue ! kizunashader scale=1 ! gldownload ! video/x-raw,format=I420 ! fakesink name=end",
            false,
        ),
    ] {
        for format in ["I420", "NV12", "RGBA"] {
            let (count, caps) = frames(&format!("{SMALL},format={format} ! {line}"));
            assert_eq!(count, 3, "{line}");
            assert_eq!(is_gl(&caps), wanted, "{line}: {caps}");
        }
    }
}

/// Between two of ours textures are passed on, and nothing changes by that.
#[test]
fn textures_give_the_same_picture_as_planes() {
    let _alone = alone();
    for format in ["I420", "NV12", "P010_10LE", "RGBA", "GRAY8"] {
        for size in ["64x36", "37x21"] {
            let (width, height) = size.split_once('x').unwrap();
            let caps =
                format!("video/x-raw,format={format},width={width},height={height},framerate=25/1");
            let through = |middle: &str| {
                init();
                let line = format!(
                    "videotestsrc num-buffers=2 pattern=smpte ! {caps} ! {middle} ! video/x-raw,format={format} ! appsink name=end sync=false"
                );
                let pipeline =
                    gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
                let end = pipeline.by_name("end").unwrap();
                pipeline.set_state(gst::State::Playing).unwrap();
                let mut frames = Vec::new();
                loop {
                    let sample: Option<gst::Sample> = end.emit_by_name("pull-sample", &[]);
                    let Some(sample) = sample else { break };
                    let info = gst_video::VideoInfo::from_caps(sample.caps().unwrap()).unwrap();
                    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(
                        sample.buffer().unwrap(),
                        &info,
                    )
                    .unwrap();
                    frames.push(visible_of(&frame, &info));
                }
                pipeline.set_state(gst::State::Null).unwrap();
                frames
            };
            let plain = through("kizunashader");
            assert_eq!(plain.len(), 2, "{caps}");
            for middle in [
                "glupload ! kizunashader ! gldownload",
                "kizunashader ! gldownload",
                "glupload ! kizunashader",
            ] {
                assert!(through(middle) == plain, "{caps}: {middle}");
            }
        }
    }
}
