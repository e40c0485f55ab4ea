//! Nothing is left behind, and memory stays within its limit: seen from outside, in programs of their own.

use std::process::Command;

use gst::prelude::*;

use crate::support::{
    QUICK, assert_nothing_leaks, buffer, element, harness, launch, play_pipeline, stat, text, video,
};

#[test]
fn nothing_leaks() {
    let small = "videotestsrc num-buffers=3 ! video/x-raw,width=32,height=18";
    for line in [
        format!("{small} ! {QUICK} ! fakesink"),
        format!(
            "{small},format=RGBA ! {QUICK} scale=3 ! video/x-raw,format=NV12 ! videoscale ! fakesink"
        ),
        format!("{small},colorimetry=bt2100-pq ! {QUICK} fallback=resize ! fakesink"),
        format!("{small} ! kizunasr model=/nonexistent.onnx ! fakesink"),
        format!(
            "{small} ! capssetter caps=video/x-raw,interlace-mode=interleaved ! {QUICK} ! fakesink"
        ),
    ] {
        assert_nothing_leaks(&line);
    }
}

/// In a process of its own, because other tests take memory too.
#[cfg(target_os = "linux")]
#[test]
fn five_hundred_frames_take_no_more_memory() {
    if std::env::var_os("KIZUNA_TEST_CHILD").is_none() {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "resources::five_hundred_frames_take_no_more_memory", "--nocapture"])
            .env("KIZUNA_TEST_CHILD", "1")
            .status()
            .unwrap();
        assert!(status.success());
        return;
    }
    let element = element();
    let mut h = harness(&element);
    // 66 kB in and 265 kB out: what a frame left behind would be 130 MB.
    let caps = video("I420,width=256,height=172");
    h.set_src_caps(caps.clone());
    let mut frames = |n| {
        for _ in 0..n {
            drop(h.push_and_pull(buffer(&caps)).unwrap());
            while h.try_pull_event().is_some() || h.try_pull_upstream_event().is_some() {}
        }
        crate::support::memory() >> 20
    };
    let (before, after) = (frames(100), frames(400));
    println!("{before} MiB after 100 frames, {after} MiB after 500");
    assert!(after <= before + 32, "{before} MiB after 100 frames, {after} MiB after 500");
    element.set_state(gst::State::Null).unwrap();
}

/// Most memory that a program took, in MiB, as the system says at its end.
#[cfg(target_os = "linux")]
fn peak_mib(command: &Command) -> u64 {
    const SAY: &str = "import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(ended.returncode)";
    let mut measured = Command::new("python3");
    measured.args(["-c", SAY]).arg(command.get_program()).args(command.get_args());
    measured.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let output = measured.output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    String::from_utf8_lossy(&output.stdout).trim().parse::<u64>().unwrap() >> 10
}

/// 4K takes minutes without optimisation: it runs with KIZUNA_TEST_FULL=1.
#[cfg(target_os = "linux")]
#[test]
fn memory_limit_is_kept() {
    let full = std::env::var_os("KIZUNA_TEST_FULL").is_some();
    let weights = concat!(env!("CARGO_MANIFEST_DIR"), "/models/animevideov3-x2.onnx");
    let (size, limit_mib, most_mib) = if full {
        ("width=3840,height=2160", 2048, 3072)
    } else {
        ("width=1280,height=720", 256, 640)
    };
    let model = match (full, std::path::Path::new(weights).exists()) {
        (true, true) => "animevideov3-x2",
        (true, false) => return skip!("{weights} is not there"),
        _ => "anime4k-m provider=embedded",
    };
    let line = format!(
        "-q videotestsrc num-buffers=1 ! video/x-raw,format=I420,{size} ! \
         kizunasr model={model} memory-limit={} ! fakesink",
        limit_mib << 20_u64
    );
    let peak = peak_mib(&launch(&line));
    println!("{size}, memory-limit {limit_mib} MiB: peak {peak} MiB");
    // Less than GStreamer alone takes was not measured.
    assert!((20..most_mib).contains(&peak), "{peak} MiB");
}

/// Less memory is smaller tiles: every frame comes, and nobody sees it.
#[test]
fn memory_limits_change_no_picture() {
    let dir = tempfile::tempdir().unwrap();
    crate::support::init();
    let run = |name: &str, rest: &str| {
        let file = dir.path().join(name);
        let pipeline = gst::parse::launch(&format!(
            "videotestsrc num-buffers=2 pattern=zone-plate kx2=20 ky2=20 kt=3 ! video/x-raw,format=I420,width=1280,height=720 ! \
             kizunasr name=sr provider=cpu reuse-tolerance=-1 fallback=tile {rest} ! video/x-raw,format=I420 ! \
             filesink location={}",
            file.display()
        ))
        .unwrap();
        let element = pipeline.clone().downcast::<gst::Pipeline>().unwrap().by_name("sr").unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        let watched = element.clone();
        element.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
            let _ = tell.send(stat::<u32>(&watched, "tiles-per-frame"));
            gst::PadProbeReturn::Ok
        });
        let said = play_pipeline(pipeline);
        assert!(said.errors.is_empty(), "{said:?}");
        (std::fs::read(file).unwrap(), told.iter().next().unwrap())
    };
    let (whole, _) = run("whole", "");
    assert_eq!(whole.len(), 2 * 2560 * 1440 * 3 / 2);
    let mut most = 0;
    for mib in [4096_u64, 1024, 512, 192] {
        let (limited, tiles) = run("limited", &format!("memory-limit={}", mib << 20));
        assert_eq!(limited.len(), whole.len(), "{mib} MiB");
        let worst = whole.iter().zip(&limited).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        println!("{mib} MiB: {tiles} tiles, at most {worst} codes of difference");
        assert!(worst <= 1 && tiles >= most, "{mib} MiB: {worst} codes, {tiles} tiles");
        most = tiles;
    }
    assert!(most > 1);
}
