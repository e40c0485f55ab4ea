//! GStreamer Editing Services, by their command line tool.

use std::path::Path;

use crate::table::*;

/// Renders a timeline; what comes of it.
fn render(timeline: &[&str], size: (u32, u32), out: &Path) -> (usize, (u32, u32)) {
    let caps = format!("video/x-raw,width={},height={},framerate=25/1", size.0, size.1);
    let mut command = tool("ges-launch-1.0");
    command.args(timeline).args(["--video-caps", &caps, "-o"]).arg(out);
    command.args(["-f", "video/quicktime,variant=iso:video/x-h264"]);
    let output = run(&command);
    assert!(output.status.success(), "{timeline:?}: {}", text(&output));
    probe(out)
}

#[test]
fn an_effect_of_a_clip() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mp4");
    let film = FILMS.mp4.to_str().unwrap();
    for line in elements() {
        let timeline = ["--track-types=video", "+clip", film, "duration=1.0", "+effect", line];
        assert_eq!(render(&timeline, (320, 180), &out), (25, (320, 180)), "{line}");
    }
}

/// Two clips one behind the other, the second from its middle: the effect is sought in and started again.
#[test]
fn effects_of_two_clips() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mp4");
    let (mp4, mkv) = (FILMS.mp4.to_str().unwrap(), FILMS.mkv.to_str().unwrap());
    for line in elements() {
        let first = ["--track-types=video", "+clip", mp4, "duration=0.6", "+effect", line];
        let then = ["+clip", mkv, "start=0.6", "inpoint=0.8", "duration=0.4", "+effect", line];
        let timeline = [&first[..], &then[..]].concat();
        assert_eq!(render(&timeline, (320, 180), &out), (25, (320, 180)), "{line}");
    }
}
