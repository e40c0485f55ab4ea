//! Negotiation: which size, shape, format and colour come out.

use gst::prelude::*;
use gst_video::VideoFormat;

use crate::support::{QUICK, buffer, element, harness, info, init, play, video};

/// Output of `element` for frames of `input` where downstream takes `downstream`.
fn negotiated_by(element: &gst::Element, input: &str, downstream: &str) -> gst::Caps {
    let mut h = harness(element);
    h.set_caps_str("video/x-raw", downstream);
    let caps = video(input);
    h.set_src_caps(caps.clone());
    assert_eq!(h.push(buffer(&caps)), Ok(gst::FlowSuccess::Ok), "{input} to {downstream}");
    h.pull().unwrap();
    h.sinkpad().unwrap().current_caps().unwrap()
}

fn negotiated(input: &str, downstream: &str) -> gst_video::VideoInfo {
    let caps = negotiated_by(&element(), input, downstream);
    gst_video::VideoInfo::from_caps(&caps).unwrap()
}

/// Width, height, pixel aspect ratio.
fn shape(input: &str, downstream: &str) -> (u32, u32, (i32, i32)) {
    let info = negotiated(input, downstream);
    (info.width(), info.height(), (info.par().numer(), info.par().denom()))
}

#[test]
fn the_models_factor_where_anything_goes() {
    let input = "I420,width=32,height=18";
    assert_eq!(shape(input, "video/x-raw"), (64, 36, (1, 1)));
    // Anamorphic stays anamorphic.
    let dvd = "I420,width=32,height=18,pixel-aspect-ratio=16/15";
    assert_eq!(shape(dvd, "video/x-raw"), (64, 36, (16, 15)));
}

#[test]
fn scale_is_the_factor() {
    for (scale, size) in [(1.0, (32, 18)), (1.5, (48, 27)), (3.0, (96, 54)), (4.0, (128, 72))] {
        let element = element();
        element.set_property("scale", scale);
        let caps = negotiated_by(&element, "I420,width=32,height=18", "video/x-raw");
        let info = gst_video::VideoInfo::from_caps(&caps).unwrap();
        assert_eq!((info.width(), info.height()), size, "scale {scale}");
    }
}

#[test]
fn downstream_fixes_the_size() {
    let input = "I420,width=32,height=18";
    for (downstream, expected) in [
        ("width=80,height=45", (80, 45, (1, 1))),
        ("width=128", (128, 72, (1, 1))),
        ("height=90", (160, 90, (1, 1))),
        ("width=[1,40],height=[1,1000]", (40, 23, (115, 112))),
        ("width=[1,1000],height=[1,20]", (36, 20, (80, 81))),
        ("width=[1,40],height=[1,1000],pixel-aspect-ratio=1/1", (40, 23, (1, 1))),
        ("width=64,height=72", (64, 72, (2, 1))),
        ("width=64,height=72,pixel-aspect-ratio=1/1", (64, 72, (1, 1))),
    ] {
        let (width, height, par) = shape(input, &format!("video/x-raw,{downstream}"));
        assert_eq!((width, height), (expected.0, expected.1), "{downstream}");
        let ratio = |(n, d): (i32, i32)| f64::from(n) / f64::from(d);
        assert!((ratio(par) / ratio(expected.2) - 1.0).abs() < 0.02, "{downstream}: {par:?}");
    }
    // A square-pixel display gets an anamorphic picture in its true shape.
    let dvd = "I420,width=32,height=18,pixel-aspect-ratio=2/1";
    assert_eq!(shape(dvd, "video/x-raw,pixel-aspect-ratio=1/1"), (128, 36, (1, 1)));
    assert_eq!(shape(dvd, "video/x-raw,width=64,pixel-aspect-ratio=1/1"), (64, 18, (1, 1)));
}

#[test]
fn any_structure_may_allow_the_factor() {
    let input = "I420,width=32,height=18";
    let list = "video/x-raw,width=32,height=18;video/x-raw,width=64,height=36";
    assert_eq!(shape(input, list), (64, 36, (1, 1)));
    // Format and pixel aspect ratio come from a structure that allows the size.
    let list = "video/x-raw,format=I420,width=32,height=18;video/x-raw,format=NV12";
    let info = negotiated(input, list);
    assert_eq!((info.width(), info.format()), (64, VideoFormat::Nv12));
}

#[test]
fn a_scaler_behind_has_its_own_wish() {
    init();
    for scaler in ["videoscale", "videoconvertscale"] {
        let line = format!(
            "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=32,height=18 ! {QUICK} ! {scaler} ! \
             video/x-raw,width=100,height=50,pixel-aspect-ratio=1/1 ! fakesink"
        );
        let pipeline = gst::parse::launch(&line).unwrap();
        let sr = pipeline.clone().downcast::<gst::Bin>().unwrap().by_name("sr").unwrap();
        pipeline.set_state(gst::State::Paused).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
        let out = info(&sr.static_pad("src").unwrap());
        pipeline.set_state(gst::State::Null).unwrap();
        assert_eq!((out.width(), out.height()), (64, 36), "{scaler}");
    }
}

#[test]
fn the_format_that_loses_least() {
    for (input, offered, expected) in [
        ("I420", "{RGB,NV12,I420}", VideoFormat::I420),
        ("I420", "{RGBA,GRAY8,NV12}", VideoFormat::Nv12),
        ("P010_10LE", "{I420,NV12,I420_10LE}", VideoFormat::I42010le),
        ("I420_10LE", "{I420,Y444_10LE,P010_10LE}", VideoFormat::P01010le),
        ("RGBA", "{RGB,I420,BGRA}", VideoFormat::Bgra),
        ("RGB", "{I420,Y444,BGRx}", VideoFormat::Bgrx),
        ("RGB", "{I420,Y444,NV12}", VideoFormat::Y444),
        ("GRAY8", "{RGB,I420}", VideoFormat::I420),
    ] {
        let out = negotiated(
            &format!("{input},width=32,height=18"),
            &format!("video/x-raw,format={offered}"),
        );
        assert_eq!(out.format(), expected, "{input} to {offered}");
    }
}

#[test]
fn colour_is_carried_over() {
    // From standard to high definition GStreamer's defaults would change from BT.601 to BT.709.
    let sd = "I420,width=48,height=320";
    let caps = negotiated_by(&element(), sd, "video/x-raw");
    let colorimetry: String = caps.structure(0).unwrap().get("colorimetry").unwrap();
    assert_eq!(colorimetry, "bt601");
    for colorimetry in ["bt601", "bt709", "bt2020", "2:4:7:1", "1:4:7:1"] {
        let out = negotiated(&format!("{sd},colorimetry={colorimetry}"), "video/x-raw");
        assert_eq!(out.colorimetry().to_string(), colorimetry);
        // A list that holds it is no reason to change.
        let list = format!("video/x-raw,colorimetry={{bt2020-10,{colorimetry}}}");
        let out = negotiated(&format!("{sd},colorimetry={colorimetry}"), &list);
        assert_eq!(out.colorimetry().to_string(), colorimetry);
    }
    for site in ["mpeg2", "jpeg", "cosited"] {
        let out = negotiated(&format!("{sd},chroma-site={site}"), "video/x-raw");
        assert_eq!(
            out.chroma_site().to_string(),
            site.parse::<gst_video::VideoChromaSite>().unwrap().to_string()
        );
    }
    let rgb = negotiated(&format!("{sd},colorimetry=bt709"), "video/x-raw,format=RGB");
    assert_eq!(rgb.colorimetry().matrix(), gst_video::VideoColorMatrix::Rgb);
    assert_eq!(rgb.colorimetry().primaries(), gst_video::VideoColorPrimaries::Bt709);
}

#[test]
fn what_is_not_ours_stays() {
    let caps = negotiated_by(
        &element(),
        "I420_10LE,width=32,height=18,multiview-mode=side-by-side,colorimetry=bt2100-pq,\
         mastering-display-info=(string)\"35400:14600:8500:39850:6550:2300:15635:16450:10000000:1\",\
         content-light-level=(string)\"1000:400\"",
        "video/x-raw",
    );
    let s = caps.structure(0).unwrap();
    assert_eq!(s.get::<gst::Fraction>("framerate").unwrap(), gst::Fraction::new(25, 1));
    assert_eq!(s.get::<&str>("multiview-mode").unwrap(), "side-by-side");
    assert_eq!(s.get::<&str>("content-light-level").unwrap(), "1000:400");
    assert!(s.has_field("mastering-display-info"));
    assert_eq!(s.get::<&str>("colorimetry").unwrap(), "bt2100-pq");
}

#[test]
fn interlaced_video_is_refused_with_advice() {
    for mode in ["interleaved", "fields"] {
        let said = play(&format!(
            "videotestsrc num-buffers=2 ! capssetter caps=video/x-raw,interlace-mode={mode} ! {QUICK} ! fakesink"
        ));
        assert!(said.error().contains("deinterlace"), "{mode}: {said:?}");
    }
}

#[test]
fn mixed_video_runs_up_to_its_first_interlaced_frame() {
    let mut h = harness(&element());
    let caps = video("I420,width=32,height=18,interlace-mode=mixed");
    h.set_src_caps(caps.clone());
    assert_eq!(h.push(buffer(&caps)), Ok(gst::FlowSuccess::Ok));
    let mut interlaced = buffer(&caps);
    interlaced.get_mut().unwrap().set_flags(gst::BufferFlags::from_bits_retain(
        gst_video::VideoBufferFlags::INTERLACED.bits(),
    ));
    assert_eq!(h.push(interlaced), Err(gst::FlowError::Error));
}

#[test]
fn memory_of_a_device_is_refused() {
    let element = element();
    let mut h = harness(&element);
    h.set_src_caps(
        "video/x-raw(memory:GLMemory),format=RGBA,width=32,height=18,framerate=25/1"
            .parse()
            .unwrap(),
    );
    assert_eq!(
        h.push(gst::Buffer::with_size(32 * 18 * 4).unwrap()),
        Err(gst::FlowError::NotNegotiated)
    );
}

#[test]
fn twenty_changes_in_mid_stream() {
    let element = element();
    let mut h = harness(&element);
    let formats = ["I420", "RGB", "P010_10LE", "GRAY8", "NV12"];
    let mut frames = 0;
    for change in 0..20 {
        let (width, height) = (16 + 3 * change, 40 - change);
        let format = formats[change % formats.len()];
        let caps = video(&format!("{format},width={width},height={height}"));
        h.set_src_caps(caps.clone());
        for _ in 0..2 {
            h.push(buffer(&caps)).unwrap();
            let out = h.pull().unwrap();
            let expected = video(&format!("{format},width={},height={}", 2 * width, 2 * height));
            assert_eq!(out.size(), buffer(&expected).size());
            frames += 1;
        }
    }
    assert_eq!(frames, 40);
    assert_eq!(crate::support::stat::<u64>(&element, "frames"), 40);
}
