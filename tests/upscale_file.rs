//! The example `upscale_file`, run as a user runs it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Cargo builds examples before it runs tests, and puts both into neighbouring folders.
fn example() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    let folder = own.parent().and_then(Path::parent).expect("target/<profile>");
    let path =
        folder.join("examples").join(format!("upscale_file{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing; cargo build --examples makes it", path.display());
    path
}

/// The embedded engine: the same on every machine. Left out where it is not wanted.
fn upscale(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(example());
    command.current_dir(folder).args(arguments).args(["--provider", "embedded"]);
    command
}

fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the program starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a tool prints that must succeed.
fn tool(name: &str, arguments: &[&str], folder: &Path) -> String {
    let mut command = Command::new(name);
    let output = run({
        command.current_dir(folder).args(arguments);
        command
    });
    assert!(output.status.success(), "{name} {arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// A film of `frames` frames with two kinds of sound and a subtitle.
fn make_film(folder: &Path, name: &str, size: &str, format: &str, frames: u32) {
    fs::write(
        folder.join("text.srt"),
        "1\n00:00:00,100 --> 00:00:00,400\nTom & Jerry <i>run</i>\n\n2\n00:00:00,500 --> 00:00:00,900\nA < B\n",
    )
    .expect("a subtitle file");
    let picture = format!("testsrc2=size={size}:rate=24");
    let seconds = format!("{:.3}", f64::from(frames) / 24.0);
    let mut arguments = vec!["-loglevel", "error", "-y", "-f", "lavfi", "-i", &picture];
    for sound in ["sine=220", "sine=440"] {
        arguments.extend(["-f", "lavfi", "-i", sound]);
    }
    arguments.extend(["-i", "text.srt", "-map", "0", "-map", "1", "-map", "2", "-map", "3"]);
    arguments.extend(["-t", &seconds, "-c:v", "libx264", "-pix_fmt", format, "-c:a:0", "aac"]);
    arguments.extend(["-c:a:1", "flac", "-c:s", "srt", "-metadata:s:a:0", "language=jpn", name]);
    tool("ffmpeg", &arguments, folder);
}

/// Width, height, format and number of frames.
fn video(file: &str, folder: &Path) -> String {
    let entries = "stream=width,height,pix_fmt,nb_read_frames";
    let arguments =
        ["-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", entries];
    tool("ffprobe", &[&arguments[..], &["-of", "csv=p=0", file]].concat(), folder)
}

/// Kinds of all streams, in order.
fn streams(file: &str, folder: &Path) -> Vec<String> {
    let arguments = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", file];
    tool("ffprobe", &arguments, folder).lines().map(str::to_owned).collect()
}

/// A sum over the packets of a stream, as they lie in the file.
fn packets(file: &str, stream: &str, folder: &Path) -> String {
    let arguments =
        ["-loglevel", "error", "-i", file, "-map", stream, "-c", "copy", "-f", "md5", "-"];
    tool("ffmpeg", &arguments, folder)
}

fn subtitles(file: &str, folder: &Path) -> String {
    let arguments = ["-loglevel", "error", "-i", file, "-map", "0:s:0", "-f", "srt", "-"];
    tool("ffmpeg", &arguments, folder)
}

fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

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

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_no_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_film(folder, "in.mkv", "160x96", "yuv420p", 2400);
    let before = files(folder);
    let mut command = upscale(&["in.mkv", "out.mp4"], folder);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().expect("the program starts");
    let frames = folder.join("out.mp4.part.frames");
    let began = Instant::now();
    while !fs::metadata(&frames).is_ok_and(|m| m.len() > 0) {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing was written");
        sleep(Duration::from_millis(20));
    }
    tool("kill", &["-INT", &child.id().to_string()], folder);
    let asked = Instant::now();
    let output = child.wait_with_output().expect("the program ends");
    assert!(asked.elapsed() < Duration::from_secs(5), "it took {:?}", asked.elapsed());
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("cancelled"), "{}", stderr(&output));
    assert_eq!(files(folder), before);
}
