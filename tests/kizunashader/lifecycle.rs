//! Starting, stopping, seeking, changing, and what is left behind.

use gst::prelude::*;

use crate::support::*;

#[test]
fn nothing_leaks() {
    let _alone = alone();
    let small = "videotestsrc num-buffers=3 ! video/x-raw,width=32,height=18";
    for line in [
        format!("{small} ! kizunashader ! fakesink"),
        format!(
            "{small},format=RGBA ! kizunashader quality=fast scale=3 ! video/x-raw,format=NV12 ! videoscale ! fakesink"
        ),
        format!("{small} ! glupload ! kizunashader ! kizunashader scale=1 ! gldownload ! fakesink"),
        format!("{small} ! kizunashader shaders=/nonexistent.glsl ! fakesink"),
        format!("{small} ! kizunashader shaders={} ! fakesink", shader("texture.glsl")),
    ] {
        assert_nothing_leaks(&line);
    }
}

#[test]
fn opengl_objects_are_all_given_back() {
    let _alone = alone();
    let caps = video("I420,width=64,height=36");
    for round in 0..20 {
        let element = element(&[("quality", ["fast", "balanced", "high"][round % 3])]);
        let mut harness = harness(&element);
        harness.set_src_caps(caps.clone());
        for i in 0..3 {
            harness.push_and_pull(buffer(&caps)).unwrap();
            let sharpness = 0.1 * f64::from(i);
            element.set_property("sharpness", sharpness);
        }
        assert!(gstkizuna::gl::live_objects() > 0);
        drop(harness);
        element.set_state(gst::State::Null).unwrap();
    }
    assert_eq!(gstkizuna::gl::live_objects(), 0);
}

#[test]
fn caps_may_change_a_hundred_times() {
    let _alone = alone();
    let element = element(&[]);
    let mut harness = harness(&element);
    for i in 0..100 {
        let format = ["I420", "NV12", "RGBA", "GRAY8", "P010_10LE"][i % 5];
        let caps = video(&format!("{format},width={},height={}", 16 + i, 20 + i % 7));
        harness.set_src_caps(caps.clone());
        harness.push(buffer(&caps)).unwrap();
        let made = harness.pull().unwrap();
        assert!(made.size() > 0);
        let info = info(&element.static_pad("src").unwrap());
        assert_eq!(info.width() as usize, 2 * (16 + i));
    }
    assert_eq!(harness.buffers_received(), 100);
}

#[test]
fn two_hundred_changes_of_state() {
    let _alone = alone();
    let element = element(&[("quality", "fast")]);
    for _ in 0..50 {
        for state in [gst::State::Ready, gst::State::Paused, gst::State::Ready, gst::State::Null] {
            element.set_state(state).unwrap();
        }
    }
    let pipeline = gst::parse::launch(
        "videotestsrc ! video/x-raw,width=32,height=18 ! kizunashader name=s ! fakesink",
    );
    let pipeline = pipeline.unwrap();
    for i in 0..30 {
        pipeline.set_state(gst::State::Playing).unwrap();
        if i % 2 == 0 {
            let state = pipeline.state(gst::ClockTime::from_seconds(20)).0;
            let bus = pipeline.bus().unwrap();
            let error = || bus.pop_filtered(&[gst::MessageType::Error]);
            state.unwrap_or_else(|_| panic!("{:?}", error()));
        }
        pipeline.set_state(if i % 3 == 0 { gst::State::Ready } else { gst::State::Null }).unwrap();
    }
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(gstkizuna::gl::live_objects(), 0);
}

#[test]
fn three_hundred_seeks_lose_nothing() {
    let _alone = alone();
    let line = "videotestsrc num-buffers=100000 ! video/x-raw,width=32,height=18,framerate=25/1 ! kizunashader quality=fast ! fakesink name=end";
    init();
    let pipeline = gst::parse::launch(line).unwrap();
    pipeline.set_state(gst::State::Paused).unwrap();
    pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
    for i in 0..300_u64 {
        let to = gst::ClockTime::from_mseconds(40 * (i * 7919 % 1000));
        pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, to).unwrap();
        pipeline.state(gst::ClockTime::from_seconds(20)).0.unwrap();
        let at = pipeline.query_position::<gst::ClockTime>().unwrap();
        assert_eq!(at, to, "seek {i}");
    }
    pipeline.set_state(gst::State::Null).unwrap();
}

/// The same frames give the same frames, from a start and after a seek.
#[test]
fn the_same_frames_give_the_same_frames() {
    let _alone = alone();
    let frames: Vec<_> = (0..4).map(|i| rgba(48 + i, 32)[..48 * 32 * 4].to_vec()).collect();
    let caps = "video/x-raw,format=RGBA,width=48,height=32,framerate=25/1";
    let to = "video/x-raw,format=RGBA,width=96,height=64,framerate=25/1";
    let once = run(&[], &frames, caps, to);
    assert!(run(&[], &frames, caps, to) == once);
    assert!(once[0] != once[1]);
}

/// Displays that are taken away and given back by the application.
#[test]
fn displays_may_be_replaced_while_frames_flow() {
    let _alone = alone();
    init();
    let line = "videotestsrc ! video/x-raw,width=32,height=18 ! queue ! kizunashader quality=fast name=a ! queue ! kizunashader quality=fast scale=1 name=b ! queue ! fakesink name=end";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    let end = pipeline.by_name("end").unwrap().static_pad("sink").unwrap();
    end.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        let _ = tell.send(());
        gst::PadProbeReturn::Ok
    });
    let bus = pipeline.bus().unwrap();
    // Frames made from now on, whatever was on its way.
    let more_frames = || {
        let _ = told.try_iter().count();
        for _ in 0..5 {
            let came = told.recv_timeout(std::time::Duration::from_secs(60));
            came.unwrap_or_else(|e| {
                panic!("{e}: {:?}", bus.pop_filtered(&[gst::MessageType::Error]))
            });
        }
    };
    pipeline.set_state(gst::State::Playing).unwrap();
    for _ in 0..8 {
        more_frames();
        let Some(display) = gst_gl::GLDisplay::with_type(gst_gl::GLDisplayType::EGL_DEVICE) else {
            skip!("there is no EGL device");
            break;
        };
        let context = gst::Context::new("gst.gl.GLDisplay", true);
        use gst_gl::prelude::*;
        context.set_gl_display(&display);
        pipeline.set_context(&context);
    }
    more_frames();
    let error = bus.pop_filtered(&[gst::MessageType::Error]);
    assert!(error.is_none(), "{error:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}
