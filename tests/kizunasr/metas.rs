//! What travels beside a frame.

use gst_video::{
    VideoBarMeta, VideoCaptionMeta, VideoCaptionType, VideoCropMeta, VideoMeta,
    VideoRegionOfInterestMeta, VideoTimeCode, VideoTimeCodeFlags, VideoTimeCodeMeta,
};

use crate::support::{QUICK, buffer, element, harness, play, video};

#[test]
fn metas_are_kept_and_those_in_pixels_scaled() {
    gst::init().unwrap();
    gst::meta::CustomMeta::register("KizunaTestMeta", &[]);
    let element = element();
    let mut h = harness(&element);
    let caps = video("I420,width=32,height=18");
    h.set_src_caps(caps.clone());
    let mut frame = buffer(&caps);
    let b = frame.get_mut().unwrap();
    let code = VideoTimeCode::new(
        gst::Fraction::new(25, 1),
        None,
        VideoTimeCodeFlags::empty(),
        1,
        2,
        3,
        4,
        0,
    );
    let code = code.try_into().unwrap();
    VideoTimeCodeMeta::add(b, &code);
    VideoCaptionMeta::add(b, VideoCaptionType::Cea608Raw, &[0x94, 0x2c]);
    VideoRegionOfInterestMeta::add(b, "face", (3, 4, 10, 8));
    VideoCropMeta::add(b, (1, 2, 20, 10));
    VideoBarMeta::add(b, 0, true, 3, 15);
    let stamp: gst::Caps = "timestamp/x-unix".parse().unwrap();
    gst::ReferenceTimestampMeta::add(b, &stamp, gst::ClockTime::from_seconds(9), None);
    gst::meta::CustomMeta::add(b, "KizunaTestMeta").unwrap();
    VideoMeta::add(b, gst_video::VideoFrameFlags::empty(), gst_video::VideoFormat::I420, 32, 18)
        .unwrap();

    let out = h.push_and_pull(frame).unwrap();
    assert_eq!(out.meta::<VideoTimeCodeMeta>().unwrap().tc().to_string(), "01:02:03:04");
    assert_eq!(out.meta::<VideoCaptionMeta>().unwrap().data(), [0x94, 0x2c]);
    assert_eq!(out.meta::<VideoRegionOfInterestMeta>().unwrap().rect(), (6, 8, 20, 16));
    assert_eq!(out.meta::<VideoCropMeta>().unwrap().rect(), (2, 4, 40, 20));
    let bar = out.meta::<VideoBarMeta>().unwrap();
    assert_eq!((bar.bar_data1(), bar.bar_data2()), (6, 30));
    let time = out.meta::<gst::ReferenceTimestampMeta>().unwrap();
    assert_eq!(time.timestamp(), gst::ClockTime::from_seconds(9));
    assert!(gst::meta::CustomMeta::from_buffer(&out, "KizunaTestMeta").is_ok());
    // The old frame's layout would be wrong for the new one.
    assert!(out.iter_meta::<VideoMeta>().all(|m| (m.width(), m.height()) == (64, 36)));
}

#[test]
fn hdr_is_upscaled_as_it_is_coded_and_said_so() {
    for (colorimetry, notes) in [("bt2100-pq", 1), ("bt2100-hlg", 1), ("bt709", 0)] {
        let said = play(&format!(
            "videotestsrc num-buffers=2 ! video/x-raw,format=I420_10LE,width=32,height=18,colorimetry={colorimetry} ! \
             {QUICK} ! fakesink"
        ));
        assert!(said.errors.is_empty(), "{said:?}");
        assert_eq!(said.infos.iter().filter(|i| i.contains("HDR")).count(), notes, "{said:?}");
    }
}
