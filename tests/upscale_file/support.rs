//! How the example is run, and what ffmpeg and ffprobe, which we did not write, say about files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Cargo builds examples before it runs tests, and puts both into neighbouring folders.
pub fn example() -> PathBuf {
    let own = std::env::current_exe().expect("the test's own path");
    let folder = own.parent().and_then(Path::parent).expect("target/<profile>");
    let path =
        folder.join("examples").join(format!("upscale_file{}", std::env::consts::EXE_SUFFIX));
    assert!(path.is_file(), "{} is missing; cargo build --examples makes it", path.display());
    path
}

/// The embedded engine: the same on every machine. Left out where it is not wanted.
pub fn upscale(arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(example());
    command.current_dir(folder).args(arguments).args(["--provider", "embedded"]);
    command
}

pub fn run(mut command: Command) -> Output {
    command.stdin(Stdio::null()).output().expect("the program starts")
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a tool prints that must succeed.
pub fn tool(name: &str, arguments: &[&str], folder: &Path) -> String {
    let mut command = Command::new(name);
    let output = run({
        command.current_dir(folder).args(arguments);
        command
    });
    assert!(output.status.success(), "{name} {arguments:?}: {}", stderr(&output));
    String::from_utf8_lossy(&output.stdout).trim().into()
}

/// A film of `frames` frames with two kinds of sound and a subtitle.
pub fn make_film(folder: &Path, name: &str, size: &str, format: &str, frames: u32) {
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
pub fn video(file: &str, folder: &Path) -> String {
    let entries = "stream=width,height,pix_fmt,nb_read_frames";
    let arguments =
        ["-v", "error", "-count_frames", "-select_streams", "v", "-show_entries", entries];
    tool("ffprobe", &[&arguments[..], &["-of", "csv=p=0", file]].concat(), folder)
}

/// Kinds of all streams, in order.
pub fn streams(file: &str, folder: &Path) -> Vec<String> {
    let arguments = ["-v", "error", "-show_entries", "stream=codec_name", "-of", "csv=p=0", file];
    tool("ffprobe", &arguments, folder).lines().map(str::to_owned).collect()
}

/// A sum over the packets of a stream, as they lie in the file.
pub fn packets(file: &str, stream: &str, folder: &Path) -> String {
    let arguments =
        ["-loglevel", "error", "-i", file, "-map", stream, "-c", "copy", "-f", "md5", "-"];
    tool("ffmpeg", &arguments, folder)
}

pub fn subtitles(file: &str, folder: &Path) -> String {
    let arguments = ["-loglevel", "error", "-i", file, "-map", "0:s:0", "-f", "srt", "-"];
    tool("ffmpeg", &arguments, folder)
}

pub fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder can be read");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Runs ffmpeg, quietly, with these arguments.
pub fn ffmpeg(arguments: &[&str], folder: &Path) {
    tool("ffmpeg", &[&["-loglevel", "error", "-y"], arguments].concat(), folder);
}

/// When frames are shown, in order.
pub fn times(file: &str, folder: &Path) -> Vec<f64> {
    let entries = ["-v", "error", "-select_streams", "v:0", "-show_entries", "frame=pts_time"];
    let text = tool("ffprobe", &[&entries[..], &["-of", "csv=p=0", file]].concat(), folder);
    text.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect()
}

/// Asserts that a run did its work.
pub fn succeed(command: Command) -> Output {
    let output = run(command);
    assert!(output.status.success(), "{}", stderr(&output));
    output
}
