//! Profiles, and changes between them.

use gst::prelude::*;

use crate::support::{
    alone, assert_nothing_leaks, clip, frames_of, pipeline, play, play_to_the_end, stat, times,
    until,
};
use crate::zoo;

const END: [gst::MessageType; 2] = [gst::MessageType::Eos, gst::MessageType::Error];

/// Plays to the end; what the bin says then, and its warnings.
fn ends(line: &str) -> (gst::Structure, Vec<String>) {
    let (pipeline, upscale) = pipeline(line);
    let said = play_to_the_end(pipeline.upcast_ref());
    assert!(said.errors.is_empty(), "{said:?}");
    let stats = upscale.property("stats");
    pipeline.set_state(gst::State::Null).unwrap();
    (stats, said.warnings)
}

fn frames(stats: &gst::Structure, child: &str) -> u64 {
    stats.get::<gst::Structure>(child).unwrap().get("frames").unwrap()
}

fn passes(stats: &gst::Structure, child: &str) -> String {
    let child = stats.get::<gst::Structure>(child).unwrap();
    let passes = child.get::<gst::Array>("passes").unwrap();
    let name = |v: &gst::glib::SendValue| v.get::<gst::Structure>().unwrap().get("name").unwrap();
    passes.iter().map(name).collect::<Vec<String>>().join(" ")
}

#[test]
fn export_and_batch_run_all_three_groups() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), 20);
    for profile in ["export", "batch"] {
        let out = dir.path().join(profile).with_extension("mp4");
        let (stats, warnings) = ends(&format!(
            "filesrc location={} ! decodebin ! kizunaupscale name=u profile={profile} ! x264enc ! mp4mux ! filesink location={}",
            clip.display(),
            out.display()
        ));
        assert_eq!(warnings, [""; 0]);
        assert_eq!(stats.get::<&str>("profile").unwrap(), profile);
        for child in ["before", "ai", "after"] {
            assert_eq!(frames(&stats, child), 20, "{profile}: {child}");
        }
        assert_eq!(frames(&stats, "shader"), 0);
        let (before, after) = (passes(&stats, "before"), passes(&stats, "after"));
        assert!(before.contains("deband") || before.contains("Normalize"), "{before}");
        assert!(after.contains("Stabiliz") || after.contains("tabili"), "{after}");
        let played = play(&format!("filesrc location={} ! decodebin ! fakesink", out.display()));
        assert!(played.errors.is_empty(), "{played:?}");
    }
}

#[test]
fn without_its_model_the_film_is_made_by_shaders() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let clip = clip(dir.path(), 10);
    for (profile, what) in [("export", "model=no-such-model"), ("batch", "provider=coreml")] {
        let (stats, warnings) = ends(&format!(
            "filesrc location={} ! decodebin ! kizunaupscale name=u profile={profile} {what} ! x264enc ! mp4mux ! filesink location={}",
            clip.display(),
            dir.path().join("out.mp4").display()
        ));
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("shaders run alone"), "{warnings:?}");
        assert!(stats.get::<String>("without-network").is_ok(), "{stats:?}");
        assert_eq!((frames(&stats, "shader"), frames(&stats, "ai")), (10, 0));
    }
}

/// A network that can be loaded and gives no picture: `x / x` of black.
#[test]
fn where_the_network_fails_at_its_first_frame_none_is_lost() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("black.onnx");
    let net = zoo::Net::new(3).op("Div", &["x"], vec![]).upscale(2);
    std::fs::write(&path, net.bytes()).unwrap();
    for (profile, count) in [("export", 1), ("export", 12), ("batch", 1), ("batch", 12)] {
        let (stats, warnings) = ends(&format!(
            "videotestsrc num-buffers={count} pattern=black ! video/x-raw,format=I420,width=64,height=36 \
             ! kizunaupscale name=u profile={profile} model={} provider=embedded precision=fp32 ! fakesink",
            path.display()
        ));
        let alone = warnings.iter().filter(|w| w.contains("shaders run alone")).count();
        assert_eq!(alone, 1, "{profile}, {count}: {warnings:?}");
        assert_eq!((frames(&stats, "shader"), frames(&stats, "ai")), (count, 0), "{profile}");
    }
}

#[test]
fn downstream_fixes_the_size_and_the_network_makes_it() {
    let _alone = alone();
    let (stats, warnings) = ends(
        "videotestsrc num-buffers=3 ! video/x-raw,format=NV12,width=64,height=36 \
         ! kizunaupscale name=u profile=export ! video/x-raw,width=96,height=54 ! fakesink",
    );
    assert_eq!(warnings, [""; 0]);
    assert!(!passes(&stats, "after").contains("scale"), "{}", passes(&stats, "after"));
}

#[test]
fn profiles_change_while_frames_flow() {
    let _alone = alone();
    let (pipeline, upscale) = pipeline(
        "videotestsrc ! video/x-raw,format=I420,width=48,height=26,framerate=25/1 \
         ! kizunaupscale name=u ! fakesink sync=false",
    );
    let came = times(&upscale.static_pad("sink").unwrap());
    let went = times(&upscale.static_pad("src").unwrap());
    pipeline.set_state(gst::State::Playing).unwrap();
    until("the first frame", || !went.lock().unwrap().is_empty());
    let profiles =
        ["export", "batch", "hybrid", "export", "realtime", "batch", "realtime", "hybrid"];
    for (round, profile) in profiles.into_iter().cycle().take(24).enumerate() {
        upscale.set_property_from_str("profile", profile);
        // Every third is changed again before it came about.
        if round % 3 < 2 {
            let child = if matches!(profile, "export" | "batch") { "after" } else { "shader" };
            let before = frames_of(&upscale, child);
            until(profile, || {
                let on = stat::<gst::Array>(&upscale, "children");
                let on: Vec<_> = on.iter().map(|v| v.get::<String>().unwrap()).collect();
                on.contains(&child.to_owned())
                    && (profile == "batch") == on.contains(&"exit".to_owned())
                    && frames_of(&upscale, child) != before
            });
        }
    }
    // The source is stopped first, so that all that came has gone.
    assert!(pipeline.send_event(gst::event::Eos::new()));
    let end = pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::from_seconds(60), &END);
    assert_eq!(end.expect("no end").type_(), gst::MessageType::Eos);
    assert_eq!(*came.lock().unwrap(), *went.lock().unwrap());
    let said = [gst::MessageType::Warning, gst::MessageType::Error];
    let said = pipeline.bus().unwrap().pop_filtered(&said);
    assert!(said.is_none(), "{said:?}");
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn nothing_leaks() {
    for settings in
        ["", "profile=export", "profile=batch", "profile=hybrid", "profile=export model=gone"]
    {
        assert_nothing_leaks(&format!(
            "videotestsrc num-buffers=4 ! video/x-raw,width=64,height=36 ! kizunaupscale {settings} ! fakesink"
        ));
    }
}

#[test]
fn properties_reach_the_children() {
    let _alone = alone();
    let (pipeline, upscale) = pipeline(
        "videotestsrc ! kizunaupscale name=u profile=export model=anime4k-m scale=3 sharpness=0.75 deband=0.25 ai::tile-size=128 ! fakesink",
    );
    let proxy = upscale.dynamic_cast_ref::<gst::ChildProxy>().unwrap();
    let child = |name: &str| proxy.child_property_value(name);
    assert_eq!(child("ai::model").get::<String>().unwrap(), "anime4k-m");
    assert_eq!(child("ai::tile-size").get::<u32>().unwrap(), 128);
    assert_eq!(child("ai::scale").get::<f64>().unwrap(), 3.0);
    assert_eq!(child("ai::sharpness").get::<f64>().unwrap(), 0.0);
    assert_eq!(child("before::scale").get::<f64>().unwrap(), 1.0);
    assert_eq!(child("before::deband").get::<f64>().unwrap(), 0.25);
    assert_eq!(child("after::sharpness").get::<f64>().unwrap(), 0.75);
    assert_eq!(upscale.property::<f64>("sharpness"), 0.75);
    assert_eq!(upscale.property::<Option<String>>("model").as_deref(), Some("anime4k-m"));
    drop(pipeline);
}
