//! What is wrong is an error message that says what, and where.

use std::io::Write as _;

use gst::prelude::*;
use gst_video::prelude::*;

use crate::support::*;

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".glsl").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn play_shader(text: &str) -> (String, Said) {
    let file = file(text);
    let path = file.path().display().to_string();
    let said = play(&format!(
        "videotestsrc num-buffers=2 ! video/x-raw,format=I420,width=64,height=36 ! kizunashader stages=0 shaders={path} ! fakesink"
    ));
    (path, said)
}

#[test]
fn errors_name_file_and_line() {
    let _alone = alone();
    for (text, line, what) in [
        (
            "//!HOOK MAIN\n//!NONSENSE\nvec4 hook() { return vec4(0.0); }\n",
            2,
            "a pass knows no //!NONSENSE",
        ),
        (
            "\n\n//!HOOK MAIN\n//!BIND HOOKED\nvec4 hook() {\n    return nowhere;\n}\n",
            6,
            "the driver refuses pass 'MAIN'",
        ),
        (
            "//!HOOK MAIN\n//!BIND HOOKED\n//!WIDTH 1e9\nvec4 hook() { return vec4(0.0); }\n",
            1,
            "WIDTH of the result",
        ),
        (
            "//!HOOK MAIN\n//!BIND HOOKED\n//!COMPUTE 8 8\nvoid hook() { imageStore(out_image, 1, 2); }\n",
            4,
            "the driver refuses",
        ),
    ] {
        let (path, said) = play_shader(text);
        let error = said.error();
        assert!(error.starts_with(&format!("{path}:{line}: ")), "{error}");
        assert!(error.contains(what), "{error}");
        assert_eq!(said.errors.len(), 1);
    }
    let said =
        play("videotestsrc num-buffers=1 ! kizunashader shaders=/nonexistent.glsl ! fakesink");
    assert!(said.error().starts_with("shader '/nonexistent.glsl' cannot be read"), "{said:?}");
    let said =
        play("videotestsrc num-buffers=1 ! kizunashader shader-params=p,deband=yes ! fakesink");
    assert!(said.error().contains("'deband' is no number"), "{said:?}");
    let params = shader("params.glsl");
    let line = format!("videotestsrc num-buffers=1 ! kizunashader shaders={params}");
    let said = play(&format!("{line} shader-params=p,gain=7.0 ! fakesink"));
    assert!(said.error().contains("gain must lie between 0 and 2"), "{said:?}");
    let said = play(&format!("{line} shader-params=p,gian=1.0 ! fakesink"));
    assert!(
        said.warnings.iter().any(|w| w.contains("no shader has a parameter 'gian'")),
        "{said:?}"
    );
    for own in ["params.glsl/gain=1.5", &format!("{params}/gain=1.5")] {
        let said = play(&format!("{line} shader-params=\"p,{own}\" ! fakesink"));
        assert!(said.errors.is_empty() && said.warnings.is_empty(), "{own}: {said:?}");
    }
    let said = play(
        "videotestsrc num-buffers=1 ! video/x-raw,interlace-mode=interleaved ! kizunashader ! fakesink",
    );
    assert!(said.error().contains("put 'deinterlace' before"), "{said:?}");
}

#[test]
fn mixed_video_runs_up_to_its_first_interlaced_frame() {
    let _alone = alone();
    let mut harness = harness(&element(&[]));
    let caps = video("I420,width=32,height=18,interlace-mode=mixed");
    harness.set_src_caps(caps.clone());
    harness.push(buffer(&caps)).unwrap();
    let mut interlaced = buffer(&caps);
    let flags = gst_video::VideoBufferFlags::INTERLACED;
    interlaced.get_mut().unwrap().set_video_flags(flags);
    assert_eq!(harness.push(interlaced), Err(gst::FlowError::Error));
}

/// What goes wrong while frames flow is a warning: the film goes on with what ran before.
#[test]
fn bad_settings_in_mid_film_are_warnings() {
    let _alone = alone();
    let element = element(&[("stages", "0"), ("scale", "1")]);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let mut harness = harness(&element);
    let caps = video("RGBA,width=8,height=8");
    harness.set_caps(caps.clone(), caps.clone());
    let push = |harness: &mut gst_check::Harness| {
        harness.push_and_pull(buffer(&caps)).unwrap().map_readable().unwrap()[0]
    };
    assert_eq!(push(&mut harness), 100);
    let half = file(
        "//!HOOK MAIN\n//!BIND HOOKED\nvec4 hook() { return HOOKED_tex(HOOKED_pos) * 0.5; }\n",
    );
    element.set_property("shaders", half.path().to_str().unwrap());
    assert_eq!(push(&mut harness), 50);
    for bad in [
        "/nonexistent.glsl",
        file("//!HOOK MAIN\nvec4 hook() { return 1; }\n").path().to_str().unwrap(),
    ] {
        element.set_property("shaders", bad);
        assert_eq!(push(&mut harness), 50, "{bad}");
        assert_eq!(push(&mut harness), 50, "{bad}");
        let warnings: Vec<_> =
            std::iter::from_fn(|| bus.pop_filtered(&[gst::MessageType::Warning])).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
    }
    assert!(bus.pop_filtered(&[gst::MessageType::Error]).is_none());
}

/// Loops without end are a stranger's joke, or a mistake: the frame ends all the same.
#[test]
fn endless_loops_end() {
    let _alone = alone();
    for hook in [
        "float x = 0.0; for (;;) x += 0.5; return vec4(x);",
        "float x = 0.0; while (x < 1e30) { x *= 0.5; } return vec4(x);",
        "int x = 1; do { x = x * 3 % 7; } while (x != 0); return vec4(x);",
        "float x = 0.0; for (int i = 0; i < 100; i++) { x += HOOKED_tex(HOOKED_pos).r; i = 0; } return vec4(x);",
    ] {
        let text = format!("//!HOOK MAIN\n//!BIND HOOKED\nvec4 hook() {{ {hook} }}\n");
        let (_, said) = play_shader(&text);
        assert!(said.errors.is_empty(), "{hook}: {said:?}");
    }
    let (path, said) = play_shader(
        "//!HOOK MAIN\n//!BIND HOOKED\n#define F for\nvec4 hook() { F (;;) {} return vec4(0.0); }\n",
    );
    assert!(said.error().starts_with(&format!("{path}:3: 'for' must have")), "{said:?}");
    let (path, said) = play_shader(
        "//!HOOK MAIN\nvec4 a(int i) { return i > 0 ? a(i - 1) : vec4(0.0); }\nvec4 hook() { return a(9); }\n",
    );
    assert!(said.error().starts_with(&path), "{said:?}");
}
