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
        player.args(["-v", "playbin3", &format!("uri={}", uri(&FILMS.mp4))]);
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

/// What editing services have in a clip beside the effect. At one run of ten 1.22's end with an unread message that holds the
/// clip and all that is in it, with `identity` as its effect too: such a run says nothing of us, and there is another.
const CLIP: &str = "GstFramePositioner";

fn assert_leaves_nothing_of_ours(mut program: Command) {
    let ours = ["Kizuna", "kizuna", ", pts 0:", "GstSample,", "GstGLContext", "BufferPool"];
    let runs = std::iter::repeat_with(|| left_by(&mut program)).take(20);
    let left = runs.into_iter().find(|left| !left.iter().any(|object| object.contains(CLIP)));
    let left = left.unwrap_or_else(|| panic!("{program:?}: a clip is left each time"));
    let is_ours = |object: &String| ours.iter().any(|word| object.contains(word));
    assert!(!left.iter().any(is_ours), "{program:?}: {left:#?}");
}
