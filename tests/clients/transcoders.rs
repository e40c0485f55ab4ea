//! Transcoders.

use crate::table::*;

const MP4: &str = "video/quicktime,variant=iso:video/x-h264";
/// What comes of every film here.
const DOUBLED: (usize, (u32, u32)) = (FRAMES, (2 * SIZE.0, 2 * SIZE.1));

#[test]
fn decoder_to_encoder_without_videoconvert() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mp4");
    for line in elements() {
        let _alone = alone_with(line);
        let said = play(&format!(
            "filesrc location={} ! decodebin ! {line} ! x264enc speed-preset=ultrafast ! mp4mux ! filesink location={}",
            FILMS.mkv.display(),
            out.display()
        ));
        assert!(said.errors.is_empty() && said.warnings.is_empty(), "{line}: {said:?}");
        assert_eq!(probe(&out), DOUBLED, "{line}");
    }
}

/// With the sound beside it.
#[test]
fn encodebin2_encodes_it() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mp4");
    for line in elements() {
        let _alone = alone_with(line);
        // x264 sees many pictures before it gives one: sound waits for it in its queue.
        let said = play(&format!(
            "uridecodebin3 name=in uri={} encodebin2 name=out profile={MP4}:audio/mpeg,mpegversion=1,layer=3 ! filesink location={} \
             in.video_0 ! {line} ! queue ! out.video_0 \
             in.audio_0 ! queue max-size-time=0 max-size-bytes=0 max-size-buffers=0 ! out.audio_0",
            uri(&FILMS.mp4),
            out.display()
        ));
        assert!(said.errors.is_empty() && said.warnings.is_empty(), "{line}: {said:?}");
        assert_eq!(probe(&out), DOUBLED, "{line}");
    }
}

#[test]
fn uritranscodebin_takes_it_as_a_filter() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mp4");
    for line in elements() {
        let mut command = tool("gst-launch-1.0");
        // 1.22's own bin says `gst_object_unref: assertion 'object != NULL' failed` when it stops, whatever the filter.
        command.env_remove("G_DEBUG").args(["-v", "uritranscodebin", &format!("profile={MP4}")]);
        command.arg(format!("source-uri={}", uri(&FILMS.mkv)));
        command.arg(format!("dest-uri={}", uri(&out)));
        command.arg(format!("video-filter={line}"));
        let output = run(&command);
        assert!(output.status.success(), "{line}: {}", text(&output));
        assert_eq!(probe(&out), DOUBLED, "{line}");
    }
}

/// What `gst-transcoder-1.0` is made of, with a filter, which its command line has no option for.
const TRANSCODER: &str = "\
import sys, gi
gi.require_version('Gst', '1.0')
gi.require_version('GstTranscoder', '1.0')
from gi.repository import Gst, GstTranscoder
Gst.init(None)
source, result, profile, line = sys.argv[1:]
transcoder = GstTranscoder.Transcoder.new(source, result, profile)
element = Gst.parse_launch(line)
for pad in element.pads:
    pad.connect('notify::caps', lambda pad, _: print('GstKizuna:', pad, pad.get_current_caps(), flush=True))
transcoder.get_pipeline().set_property('video-filter', element)
transcoder.run()
";

#[test]
fn the_library_of_gst_transcoder_takes_it_as_a_filter() {
    let python = |script: &str| {
        let mut command = tool("/usr/bin/python3");
        command.env_remove("G_DEBUG").args(["-c", script]);
        command
    };
    let import = TRANSCODER.split("Gst.init").next().unwrap();
    let has_bindings = run(&python(import));
    if !has_bindings.status.success() {
        skip!("no GstTranscoder for Python: {}", text(&has_bindings));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mp4");
    for line in elements() {
        let mut command = python(TRANSCODER);
        command.args([&uri(&FILMS.mkv), &uri(&out), MP4, line]);
        let output = run(&command);
        assert!(output.status.success(), "{line}: {}", text(&output));
        assert_eq!(probe(&out), DOUBLED, "{line}");
    }
}

/// `gst-transcoder-1.0` itself takes what was upscaled.
#[test]
fn gst_transcoder_reads_what_was_made() {
    let dir = tempfile::tempdir().unwrap();
    let (made, out) = (dir.path().join("made.mkv"), dir.path().join("out.mp4"));
    for line in elements() {
        let alone = alone_with(line);
        let said = play(&format!(
            "filesrc location={} ! decodebin ! {line} ! x264enc speed-preset=ultrafast ! matroskamux ! filesink location={}",
            FILMS.mkv.display(),
            made.display()
        ));
        assert!(said.errors.is_empty() && said.warnings.is_empty(), "{line}: {said:?}");
        drop(alone);
        let mut command = tool("gst-transcoder-1.0");
        command.env_remove("G_DEBUG").args([&uri(&made), &uri(&out), MP4]);
        let output = run(&command);
        assert!(output.status.success(), "{line}: {}", text(&output));
        assert_eq!(probe(&out), DOUBLED, "{line}");
    }
}
