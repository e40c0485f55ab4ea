//! Transcoders.

use gst::prelude::*;

use crate::table::*;

const MP4: &str = "video/quicktime,variant=iso:video/x-h264";
/// What comes of every film here.
const DOUBLED: (usize, (u32, u32)) = (FRAMES, (2 * SIZE.0, 2 * SIZE.1));

#[test]
fn decoder_to_encoder_without_videoconvert() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out.mp4");
    for line in elements() {
        let _alone = alone();
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
        let _alone = alone();
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
        let _alone = alone();
        let bin = gst::parse::launch(&format!("uritranscodebin profile={MP4}")).unwrap();
        bin.set_property("source-uri", uri(&FILMS.mp4));
        bin.set_property("dest-uri", uri(&out));
        bin.set_property("video-filter", element(line));
        let pipeline = gst::Pipeline::new();
        pipeline.add(&bin).unwrap();
        let said = play_pipeline(pipeline.upcast());
        assert!(said.errors.is_empty(), "{line}: {said:?}");
        assert_eq!(probe(&out), DOUBLED, "{line}");
    }
}
