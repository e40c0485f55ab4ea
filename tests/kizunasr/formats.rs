//! Every format in and out, against `videoconvert ! videoscale`.

use gst_check::Harness;
use gst_video::prelude::*;

use crate::support::{init, model, play};

const COMMON: [&str; 3] = ["RGB", "I420", "P010_10LE"];

/// Names of all formats, from the pad template.
fn formats() -> Vec<String> {
    init();
    let factory = gst::ElementFactory::find("kizunasr").unwrap();
    let caps = factory.static_pad_templates().iter().next().unwrap().caps();
    let list = caps.structure(0).unwrap().get::<gst::List>("format").unwrap();
    list.iter().map(|v| v.get::<String>().unwrap()).collect()
}

#[test]
fn all_of_the_design_are_there() {
    let expected = "I420 YV12 NV12 NV21 Y42B Y444 I420_10LE I422_10LE Y444_10LE P010_10LE I420_12LE Y444_12LE Y444_16LE \
        GRAY8 GRAY16_LE RGB BGR RGBx BGRx xRGB xBGR RGBA BGRA ARGB ABGR GBR GBR_10LE GBR_12LE GBRA RGBA64_LE";
    assert_eq!(formats().join(" "), expected);
}

#[test]
fn a_flat_colour_stays_from_every_format() {
    for format in formats() {
        COMMON.iter().for_each(|out| check(&format, out));
    }
}

#[test]
fn a_flat_colour_stays_to_every_format() {
    for format in formats() {
        COMMON.iter().for_each(|from| check(from, &format));
    }
}

/// An odd frame of `from` to `to`, ours beside GStreamer's own.
fn check(from: &str, to: &str) {
    let (_dir, model) = model("rgb-x2");
    let source = format!(
        "videotestsrc num-buffers=2 pattern=solid-color foreground-color=0xffc86432 ! video/x-raw,format={from},width=17,height=13"
    );
    let model = model.display();
    let (ours, caps) = run(&format!(
        "{source} ! kizunasr provider=embedded model={model} ! video/x-raw,format={to} ! identity"
    ));
    let (theirs, _) = run(&format!(
        "{source} ! videoconvert dither=none ! videoscale ! video/x-raw,format=ARGB64,width=34,height=26 ! \
         videoconvert dither=none ! {caps} ! identity"
    ));
    let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
    assert_eq!((info.width(), info.height()), (34, 26), "{from} to {to}");
    let (ours, theirs) = (samples(&ours, &info), samples(&theirs, &info));
    assert_eq!(ours.len(), theirs.len());
    let worst = ours.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= 2.0, "{from} to {to}: {worst:.2} codes of 255 apart, {caps}");
}

fn run(line: &str) -> (gst::Buffer, gst::Caps) {
    init();
    let mut harness = Harness::new_parse(line);
    harness.play();
    let frame = harness.pull().unwrap_or_else(|e| panic!("{line}: {e}"));
    assert!(harness.pull().is_ok(), "{line}: second frame");
    (frame, harness.sinkpad().unwrap().current_caps().unwrap())
}

/// All components' samples, as codes of 255.
fn samples(buffer: &gst::Buffer, info: &gst_video::VideoInfo) -> Vec<f64> {
    let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).unwrap();
    let format = info.format_info();
    let mut samples = Vec::new();
    for c in 0..format.n_components() {
        let (depth, shift) = (format.depth()[c as usize], format.shift()[c as usize]);
        let wide = depth + shift > 8;
        // GStreamer 1.22 says 1 where it is 2, for P010.
        let offset = match format.poffset()[c as usize] {
            1 if wide => 2,
            offset => offset as usize,
        };
        let data = &frame.plane_data(format.plane()[c as usize]).unwrap()[offset..];
        for y in 0..frame.comp_height(c) {
            for x in 0..frame.comp_width(c) {
                let at =
                    (y as i32 * frame.comp_stride(c) + x as i32 * frame.comp_pstride(c)) as usize;
                let word = if wide {
                    u16::from_le_bytes([data[at], data[at + 1]])
                } else {
                    data[at].into()
                };
                samples.push(f64::from(word >> shift) * 255.0 / f64::from((1_u32 << depth) - 1));
            }
        }
    }
    samples
}

#[test]
fn encoders_need_no_videoconvert() {
    for format in formats() {
        let said = play(&format!(
            "videotestsrc num-buffers=2 ! video/x-raw,format={format},width=32,height=18 ! kizunasr model=anime4k-m \
             provider=embedded ! x264enc speed-preset=ultrafast ! fakesink"
        ));
        assert!(said.errors.is_empty() && said.warnings.is_empty(), "{format}: {said:?}");
    }
}
