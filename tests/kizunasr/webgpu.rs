//! The element on WebGPU, without a GPU: SwiftShader, some hundred times as slow, so frames are tiny.

use gst::prelude::*;

use crate::software;
use crate::support::{init, launch, play_pipeline, text};

const FRAMES: usize = 2;
const WIDTH: usize = 32;
const HEIGHT: usize = 24;

/// What comes out of `properties`, and what ran.
fn film(properties: &str) -> (Vec<u8>, String) {
    init();
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.rgb");
    let line = format!(
        "videotestsrc num-buffers={FRAMES} pattern=ball ! video/x-raw,format=RGB,width={WIDTH},height={HEIGHT} \
         ! kizunasr name=sr model=anime4k-m {properties} ! filesink location={}",
        path.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sr = pipeline.by_name("sr").unwrap();
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty() && said.warnings.is_empty(), "{said:?}");
    (std::fs::read(path).unwrap(), sr.property("active-provider"))
}

#[test]
fn as_many_frames_come_out_and_they_are_the_processors() {
    if !software::is_inside("webgpu::as_many_frames_come_out_and_they_are_the_processors") {
        return;
    }
    let (expected, _) = film("provider=cpu");
    assert_eq!(expected.len(), FRAMES * 4 * WIDTH * HEIGHT * 3);
    for properties in ["provider=webgpu", "provider=webgpu provider-options=o,preferredLayout=NCHW"]
    {
        let begun = std::time::Instant::now();
        let (found, active) = film(properties);
        let largest = expected.iter().zip(&found).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        let other = expected.iter().zip(&found).filter(|(a, b)| a != b).count();
        println!(
            "{properties}: {other} of {} samples differ, by at most {largest}; {:.1?}; {active}",
            found.len(),
            begun.elapsed()
        );
        assert_eq!(found.len(), expected.len(), "{properties}");
        assert!(largest <= 1, "{properties}: {largest}");
        assert!(active.starts_with("webgpu (ONNX Runtime"), "{active}");
        assert!(active.contains("WebGPU plugin, SwiftShader"), "{active}");
    }
}

#[test]
fn it_lets_go() {
    if software::is_inside("webgpu::it_lets_go") {
        crate::interrupts::check("webgpu");
        // Opening waits for what was left behind: SwiftShader does not survive the end of a program in the middle of a run.
        film("provider=webgpu provider-options=o,preferredLayout=NCHW");
    }
}

/// Ctrl-C while a thread that nobody waits for opens or runs the network.
#[test]
fn a_program_can_be_interrupted() {
    let driver = match software::swiftshader() {
        Ok(driver) => driver,
        Err(why) => {
            skip!("webgpu: {why}");
            return;
        }
    };
    let line = "videotestsrc num-buffers=1 ! video/x-raw,format=RGB,width=320,height=180 ! kizunasr model=anime4k-m \
                provider=webgpu ! fakesink";
    let mut program = launch(line);
    let program = software::choose(&mut program, &driver);
    let output = std::process::Command::new("timeout")
        .args(["--signal=INT", "--kill-after=300", "4"])
        .arg(program.get_program())
        .args(program.get_args())
        .envs(program.get_envs().filter_map(|(key, value)| Some((key, value?))))
        .output()
        .unwrap();
    let said = text(&output);
    // It was interrupted, as `timeout` says by 124, and ended by itself: by no signal, and nobody had to kill it.
    assert_eq!(output.status.code(), Some(124), "{}: {said}", output.status);
    assert!(!said.contains("CRITICAL") && !said.contains("panicked"), "{said}");
}
