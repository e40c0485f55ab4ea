//! What cannot work is an error with domain, cause and remedy; never silence, never a crash.

use std::fs;
use std::path::Path;

use gst::prelude::*;

#[cfg(unix)]
use crate::support::open_to_all;
use crate::support::{Said, element, init, launch, model, play, play_pipeline, text};
use crate::zoo;

const SOURCE: &str = "videotestsrc num-buffers=2 ! video/x-raw,width=32,height=18";

/// Plays two frames with `properties`.
fn with(properties: &str) -> Said {
    play(&format!("{SOURCE} ! kizunasr name=sr {properties} ! fakesink"))
}

fn with_model(path: &Path) -> Said {
    with(&format!("provider=embedded model={}", path.display()))
}

/// The one error says `part` and comes from the element itself.
fn expect<E: gst::glib::error::ErrorDomain + PartialEq + std::fmt::Debug>(
    said: &Said,
    kind: E,
    part: &str,
) {
    let (error, source) = said.errors.first().unwrap_or_else(|| panic!("no error: {part}"));
    assert_eq!(source, "sr", "{error}");
    assert_eq!(error.kind::<E>(), Some(kind), "{error:?}");
    assert!(error.message().contains(part), "'{part}' is not in: {}", error.message());
    // A cause alone leaves the user without a next step.
    assert!(error.message().len() > part.len() + 20, "{}", error.message());
}

#[test]
fn files_that_are_no_model() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes, part) in zoo::bad() {
        let path = dir.path().join(name).with_added_extension("onnx");
        fs::write(&path, bytes).unwrap();
        let said = with_model(&path);
        assert!(said.error().contains(part), "{name}: {said:?}");
        assert_eq!(said.errors[0].1, "sr", "{name}");
        println!("{name}: {}", said.error());
    }
}

#[test]
fn files_that_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.onnx");
    expect(&with_model(&missing), gst::ResourceError::NotFound, "missing.onnx");
    expect(
        &with("provider=embedded model=no-such-card"),
        gst::ResourceError::NotFound,
        "no-such-card",
    );
    let folder = dir.path().join("folder.onnx");
    fs::create_dir(&folder).unwrap();
    expect(&with_model(&folder), gst::ResourceError::OpenRead, "folder.onnx");
}

/// Root may read everything, so then it is somebody else who tries.
#[cfg(unix)]
#[test]
fn a_file_without_permission() {
    use std::os::unix::{fs::PermissionsExt, process::CommandExt};
    const NOBODY: u32 = 65534;
    let (dir, path) = model("rgb-x2");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(&path).is_err() {
        expect(&with_model(&path), gst::ResourceError::OpenRead, "rgb-x2.onnx");
        return;
    }
    open_to_all(dir.path());
    let line = format!("{SOURCE} ! kizunasr provider=embedded model={} ! fakesink", path.display());
    let output = launch(&line).uid(NOBODY).gid(NOBODY).output().unwrap();
    let said = text(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("cannot read") && said.contains("rgb-x2.onnx"), "{said}");
}

#[test]
fn kinds_of_errors() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rank.onnx");
    let (_, bytes, _) = zoo::bad().into_iter().find(|(name, ..)| *name == "rank-3").unwrap();
    fs::write(&path, bytes).unwrap();
    expect(&with_model(&path), gst::StreamError::Format, "rank 3");
    expect(
        &with("model=anime4k-m provider=cpu runtime-library=/nonexistent/libonnxruntime.so"),
        gst::LibraryError::Init,
        "/nonexistent/libonnxruntime.so",
    );
}

#[test]
fn providers_without_hardware() {
    for provider in ["cuda", "tensorrt", "directml", "coreml", "migraphx", "webgpu"] {
        let alone = with(&format!("model=anime4k-m provider={provider}"));
        if alone.errors.is_empty() {
            skip!("{provider} runs here");
            continue;
        }
        println!("{provider}: {}", alone.error());
        expect(&alone, gst::LibraryError::Init, provider);
        let replaced = with(&format!("model=anime4k-m provider={provider} fallback=cpu"));
        assert!(replaced.errors.is_empty(), "{provider}: {replaced:?}");
        let warned = replaced.warnings.iter().filter(|w| w.contains(provider)).count();
        assert_eq!(warned, 1, "{provider}: {replaced:?}");
    }
}

#[test]
fn a_replaced_provider_is_told() {
    init();
    let sr = element();
    sr.set_property_from_str("provider", "cpu");
    sr.set_property_from_str("fallback", "cpu");
    sr.set_property("runtime-library", "/nonexistent/libonnxruntime.so");
    let pipeline = gst::parse::launch(&format!("{SOURCE} ! identity name=in ! fakesink name=out"))
        .unwrap()
        .downcast::<gst::Pipeline>()
        .unwrap();
    let (before, after) = (pipeline.by_name("in").unwrap(), pipeline.by_name("out").unwrap());
    before.unlink(&after);
    pipeline.add(&sr).unwrap();
    gst::Element::link_many([&before, &sr, &after]).unwrap();
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty() && said.warnings.len() == 1, "{said:?}");
    let active: String = sr.property("active-provider");
    assert!(active.starts_with("embedded") && active.contains("not cpu: "), "{active}");
    let stats: gst::Structure = sr.property("stats");
    assert_eq!(stats.get::<&str>("provider"), Ok(active.as_str()));
    assert_eq!(stats.get::<u64>("frames"), Ok(2));
}

#[test]
fn a_fixed_batch_overrides_with_a_warning() {
    let (_dir, path) = model("batch-2");
    let said = with(&format!("provider=embedded batch-size=3 model={}", path.display()));
    assert!(said.errors.is_empty(), "{said:?}");
    assert_eq!(said.warnings.len(), 1, "{said:?}");
}

#[test]
fn gst_launch_ends_with_an_error_code() {
    let dir = tempfile::tempdir().unwrap();
    let bad = |name: &str| {
        let path = dir.path().join(name).with_added_extension("onnx");
        let all = zoo::bad();
        fs::write(&path, &all.iter().find(|(n, ..)| *n == name).unwrap().1).unwrap();
        format!("provider=embedded model={}", path.display())
    };
    for properties in [
        "model=/nonexistent/a.onnx".to_owned(),
        format!("model={}", dir.path().display()),
        "model=anime4k-m provider=cpu runtime-library=/nonexistent".to_owned(),
        bad("empty"),
        bad("corrupt"),
        bad("truncated"),
        bad("two-inputs"),
        bad("external-up"),
    ] {
        let output =
            launch(&format!("{SOURCE} ! kizunasr {properties} ! fakesink")).output().unwrap();
        let text = text(&output);
        // A code of its own: no signal, so no crash and no critical message either.
        assert!(output.status.code().is_some_and(|code| code != 0), "{properties}: {output:?}");
        assert!(text.contains("ERROR") && !text.contains("CRITICAL"), "{properties}: {text}");
    }
    let good =
        launch(&format!("{SOURCE} ! kizunasr provider=embedded ! fakesink")).output().unwrap();
    assert!(good.status.success(), "{}", text(&good));
}
