//! The example `upscale_file`, run as a user runs it.

mod cuts;
mod kept;
mod resume;
mod support;

use std::fs;

use support::*;

#[test]
fn matroska_keeps_every_stream_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_film(folder, "in.mkv", "64x48", "yuv420p", 24);
    let output = run(upscale(&["in.mkv", "out.mkv"], folder));
    assert!(output.status.success(), "{}", stderr(&output));

    let figures = String::from_utf8_lossy(&output.stdout);
    assert!(figures.starts_with("frames=24 seconds="), "{figures}");
    assert!(figures.contains(" provider=embedded "), "{figures}");
    assert!(figures.ends_with(" model=anime4k-vl out=out.mkv\n"), "{figures}");

    assert_eq!(video("out.mkv", folder), "128,96,yuv420p,24");
    assert_eq!(streams("out.mkv", folder), ["h264", "aac", "flac", "subrip"]);
    for stream in ["0:a:0", "0:a:1"] {
        assert_eq!(packets("in.mkv", stream, folder), packets("out.mkv", stream, folder));
    }
    assert_eq!(subtitles("in.mkv", folder), subtitles("out.mkv", folder));
    assert_eq!(files(folder), ["in.mkv", "out.mkv", "text.srt"]);
}

#[test]
fn mp4_says_what_it_cannot_keep() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_film(folder, "in.mkv", "64x48", "yuv420p", 24);
    let output = run(upscale(&["in.mkv", "out.mp4"], folder));
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("audio/x-flac is converted to AAC"), "{}", stderr(&output));
    assert_eq!(streams("out.mp4", folder), ["h264", "aac", "aac", "mov_text"]);
    assert!(subtitles("out.mp4", folder).contains("Tom & Jerry run"));
    let bytes = fs::read(folder.join("out.mp4")).expect("the file can be read");
    let find = |name: &[u8]| bytes.windows(4).position(|four| four == name);
    assert!(find(b"moov") < find(b"mdat"), "the index comes first");
    assert_eq!(files(folder), ["in.mkv", "out.mp4", "text.srt"]);
}

#[test]
fn ten_bits_and_odd_sizes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_film(folder, "in.mkv", "62x46", "yuv420p10le", 6);
    let output = run(upscale(&["in.mkv", "out.mkv", "--scale", "1.5"], folder));
    assert!(output.status.success(), "{}", stderr(&output));
    assert_eq!(video("out.mkv", folder), "94,70,yuv420p10le,6");
    assert!(stderr(&output).contains("94x70 pixels are written, not 93x69"), "{}", stderr(&output));
}

#[test]
fn variable_frame_rate_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let gaps = "testsrc2=size=64x48:rate=24:duration=1,select='not(eq(n,3)+eq(n,4)+eq(n,10))'";
    let make = ["-loglevel", "error", "-f", "lavfi", "-i", gaps, "-vsync", "vfr", "in.mkv"];
    tool("ffmpeg", &make, folder);
    let output = run(upscale(&["in.mkv", "out.mkv"], folder));
    assert!(output.status.success(), "{}", stderr(&output));
    let times = |file: &str| {
        let entries = ["-v", "error", "-show_entries", "frame=pts_time", "-of", "csv=p=0", file];
        tool("ffprobe", &entries, folder)
    };
    assert_ne!(times("in.mkv"), "");
    assert_eq!(times("in.mkv"), times("out.mkv"));
}

#[test]
fn interlaced_video_names_the_option() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24", "-frames:v", "12"];
    let fields = ["-vf", "interlace", "-c:v", "mpeg2video", "-flags", "+ilme+ildct", "in.mkv"];
    ffmpeg(&[&source[..], &fields].concat(), folder);
    let output = run(upscale(&["in.mkv", "out.mkv"], folder));
    assert!(!output.status.success());
    let text = stderr(&output);
    assert!(text.contains("warning: the video may be interlaced"), "{text}");
    assert!(text.contains("a frame is interlaced; --deinterlace"), "{text}");
    assert_eq!(files(folder), ["in.mkv"]);
    let output = succeed(upscale(&["in.mkv", "out.mkv", "--deinterlace"], folder));
    assert!(!stderr(&output).contains("interlaced"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_is_refused_at_once() {
    use std::os::unix::ffi::OsStrExt;
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_film(folder, "in.mkv", "64x48", "yuv420p", 2);
    let mut command = upscale(&["in.mkv"], folder);
    command.arg(std::ffi::OsStr::from_bytes(b"\xff.mkv"));
    let output = run(command);
    assert!(!output.status.success());
    assert!(stderr(&output).contains("is not UTF-8; rename it"), "{}", stderr(&output));
    assert_eq!(files(folder), ["in.mkv", "text.srt"]);
}

#[test]
fn what_cannot_be_done_is_said_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_film(folder, "in.mkv", "64x48", "yuv420p", 2);
    let sound = ["-loglevel", "error", "-i", "in.mkv", "-map", "0:a:0", "sound.mka"];
    tool("ffmpeg", &sound, folder);
    fs::write(folder.join("noise.mkv"), [7; 5000]).expect("a file");
    fs::write(folder.join("old.mkv"), "old").expect("a file");
    let before = files(folder);
    let cases: [(&[&str], &str); 13] = [
        (&["missing.mkv", "out.mkv"], "cannot read missing.mkv"),
        (&["in.mkv"], "one file to read and one to write"),
        (&["in.mkv", "./in.mkv"], "is the file to read"),
        (&["in.mkv", "./in.mkv", "--force"], "is the file to read"),
        (&["in.mkv", "old.mkv"], "--force"),
        (&["in.mkv", "nowhere/out.mkv"], "cannot write"),
        (&["in.mkv", "out.avi"], "does not end in .mp4"),
        (&["sound.mka", "out.mkv"], "no video"),
        (&["noise.mkv", "out.mkv"], "text file"),
        (&["in.mkv", "out.mkv", "--model", "nonsense"], "nonsense"),
        (&["in.mkv", "out.mkv", "--set", "nonsense=1"], "no property 'nonsense'"),
        (&["in.mkv", "out.mkv", "--set", "strength=7"], "strength=7"),
        (&["in.mkv", "out.mkv", "--crf", "99"], "--crf 99"),
    ];
    for (arguments, message) in cases {
        let output = run(upscale(arguments, folder));
        assert!(!output.status.success(), "{arguments:?}");
        assert!(stderr(&output).contains(message), "{arguments:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert_eq!(files(folder), before, "{arguments:?}");
    }
}
