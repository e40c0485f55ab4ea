//! Nothing is left behind by programs that end well.

use std::process::Command;

use crate::table::*;

#[test]
fn pipelines_leave_nothing_behind() {
    let source = format!("filesrc location={} ! decodebin", FILMS.mkv.display());
    for line in elements() {
        assert_nothing_leaks(&format!("{source} ! {line} ! fakesink"));
    }
}

/// 1.22's players and editors leave some objects of their own, and displays, whatever the filter: but nothing of ours, and no frames.
#[test]
fn players_and_editors_leave_nothing_of_ours_behind() {
    let dir = tempfile::tempdir().unwrap();
    for line in elements() {
        let mut player = tool("gst-launch-1.0");
        player.args(["playbin3", &format!("uri={}", uri(&FILMS.mp4))]);
        player.args([
            &format!("video-filter={line}"),
            "video-sink=fakesink",
            "audio-sink=fakesink",
        ]);
        assert_leaves_nothing_of_ours(player);

        let mut editor = tool("ges-launch-1.0");
        editor.args(["--track-types=video", "+clip"]).arg(&FILMS.mp4);
        editor.args(["duration=0.4", "+effect", line, "-o"]).arg(dir.path().join("out.mp4"));
        editor.args(["--video-caps", "video/x-raw,width=320,height=180,framerate=25/1"]);
        editor.args(["-f", "video/quicktime,variant=iso:video/x-h264"]);
        assert_leaves_nothing_of_ours(editor);
    }
}

fn assert_leaves_nothing_of_ours(mut program: Command) {
    let ours = ["Kizuna", ", pts 0:", "GstSample,", "GstGLContext", "BufferPool"];
    let left = left_by(&mut program);
    let is_ours = |line: &&String| ours.iter().any(|word| line.contains(word));
    let left: Vec<_> = left.iter().filter(is_ours).collect();
    assert!(left.is_empty(), "{program:?}: {left:#?}");
}
