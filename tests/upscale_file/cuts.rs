//! Films of all kinds are cut without losing or doubling a frame.

use std::path::Path;

use crate::support::*;

/// Upscales a film in short segments and compares frames and times with what ffprobe counts in it.
fn check(film: &str, segments: std::ops::RangeInclusive<usize>, folder: &Path) {
    let out = format!("{film}.out.mkv");
    let output = run(upscale(&[film, &out, "--segment", "12"], folder));
    assert!(output.status.success(), "{film}: {}", stderr(&output));
    let (before, after) = (times(film, folder), times(&out, folder));
    assert_eq!(before.len(), after.len(), "{film}: {}", stderr(&output));
    let first = before[0] - after[0];
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        // Matroska counts in milliseconds.
        let off = before - first - after;
        assert!(off.abs() < 0.0016, "{film}: frame {number} at {after}, not {}", before - first);
    }
    // Pictures that lie elsewhere, or are broken, would not look like the film's.
    let graph = "[1:v]scale=64:48:flags=area[small];[0:v][small]psnr=stats_file=psnr.log";
    ffmpeg(&["-i", film, "-i", &out, "-lavfi", graph, "-f", "null", "-"], folder);
    let log = std::fs::read_to_string(folder.join("psnr.log")).expect("psnr's log");
    let values = log.split_whitespace().filter_map(|word| word.strip_prefix("psnr_y:"));
    let worst = values.map(|v| v.parse().unwrap_or(f64::INFINITY)).fold(f64::INFINITY, f64::min);
    assert!(worst > 25.0, "{film}: a frame differs, {worst} dB");
    let keys = ["-v", "error", "-select_streams", "v", "-skip_frame", "nokey", "-count_frames"];
    let keys = [&keys[..], &["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", &out]];
    let keys: usize = tool("ffprobe", &keys.concat(), folder).parse().expect("a number");
    // x264 may begin again within a segment, at a cut.
    assert!(segments.contains(&keys), "{film}: {keys} key frames");
}

/// Makes a film of 60 frames without cuts and checks it.
fn made(film: &str, segments: std::ops::RangeInclusive<usize>, arguments: &[&str]) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24", "-frames:v", "60"];
    ffmpeg(&[&source, arguments, &[film]].concat(), folder);
    check(film, segments, folder);
}

const H264: [&str; 3] = ["-c:v", "libx264", "-x264-params"];

#[test]
fn h264_open_groups() {
    let open = "open-gop=1:bframes=3:keyint=12:b-adapt=0:scenecut=0";
    made("open.mkv", 3..=5, &[&H264[..], &[open]].concat());
    made("open.mp4", 3..=5, &[&H264[..], &[open]].concat());
    made("open.ts", 3..=5, &[&H264[..], &[open]].concat());
}

#[test]
fn h264_closed_groups() {
    made("closed.mkv", 5..=5, &[&H264[..], &["keyint=12:scenecut=0"]].concat());
}

#[test]
fn h264_one_key_frame() {
    made("one.mp4", 1..=1, &[&H264[..], &["keyint=infinite:scenecut=0"]].concat());
}

#[test]
fn a_film_that_cannot_be_cut_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24", "-frames:v", "60"];
    ffmpeg(&[&source[..], &H264, &["keyint=infinite:scenecut=0", "one.mkv"]].concat(), folder);
    let warning = "60 of its 60 frames are done in one go";
    for (segment, is_long) in [("7", true), ("8", false)] {
        let output =
            succeed(upscale(&["one.mkv", "out.mkv", "--force", "--segment", segment], folder));
        assert_eq!(stderr(&output).contains(warning), is_long, "{}", stderr(&output));
    }
}

#[test]
fn h264_pictures_that_look_past_an_i_picture() {
    // Fourteen frames apart, so that scenes change where x264 may not write an IDR picture.
    let scenes = "negate=enable='mod(floor(n/14),2)'";
    let parameters = "keyint=250:min-keyint=50:ref=4:scenecut=100";
    made("scenes.mkv", 1..=3, &[&["-vf", scenes][..], &H264, &[parameters]].concat());
}

#[test]
fn h265_open_groups() {
    let parameters = "open-gop=1:bframes=3:keyint=12:b-adapt=0:scenecut=0:log-level=error";
    made("open265.mkv", 3..=5, &["-c:v", "libx265", "-x265-params", parameters]);
}

#[test]
fn mpeg2_groups() {
    made("mpeg2.mkv", 3..=5, &["-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-q:v", "2"]);
}

#[test]
fn vp9_groups() {
    made("vp9.webm", 5..=5, &["-c:v", "libvpx-vp9", "-g", "12", "-b:v", "2M"]);
}

#[test]
fn all_intra() {
    made("intra.mov", 5..=5, &["-c:v", "prores"]);
    made("jpeg.avi", 1..=5, &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj420p"]);
}

#[test]
fn pictures_without_times() {
    let mpeg4 = ["-c:v", "mpeg4", "-q:v", "2", "-g", "12", "-bf", "2"];
    let h264 = [&H264[..], &["keyint=12:scenecut=0:bframes=2"]].concat();
    // Small pictures: one time for several.
    let mpeg2 = ["-c:v", "mpeg2video", "-bf", "2"];
    let films = [("mpeg4.avi", &mpeg4[..]), ("raw.h264", &h264), ("mpeg2.vob", &mpeg2)];
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for (film, coder) in films {
        let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=25", "-frames:v", "60"];
        ffmpeg(&[&source[..], coder, &[film]].concat(), folder);
        let output = succeed(upscale(&[film, "out.mkv", "--force", "--segment", "12"], folder));
        let times = times("out.mkv", folder);
        assert_eq!(times.len(), 60, "{film}: {}", stderr(&output));
        assert!(times.is_sorted_by(|a, b| a < b), "{film}: {times:?}");
        assert!((times[59] - times[0] - 59.0 / 25.0).abs() < 0.05, "{film}: {times:?}");
    }
}

#[test]
fn variable_frame_rate() {
    let gaps = ["-vf", "select='not(mod(n,7)*gt(mod(n,11),3))'", "-vsync", "vfr"];
    made("gaps.mkv", 1..=5, &[&gaps[..], &H264, &["keyint=12:bframes=3"]].concat());
}

#[test]
fn a_beginning_in_mid_group() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24", "-frames:v", "72"];
    let coder = ["-c:v", "libx264", "-x264-params", "keyint=24:bframes=0:scenecut=0", "whole.ts"];
    ffmpeg(&[&source[..], &coder].concat(), folder);
    // The first key frame is left out, with some of what follows it.
    let drop = ["-c", "copy", "-copyinkf", "-bsf:v", "noise=drop=lt(n\\,5)", "late.ts"];
    ffmpeg(&[&["-i", "whole.ts"][..], &drop].concat(), folder);
    let out = succeed(upscale(&["late.ts", "out.mkv", "--segment", "12"], folder));
    // From the next key frame on all must be there; before it a decoder may give what it can.
    let frames = times("out.mkv", folder).len();
    assert!((48..=67).contains(&frames), "{frames} frames: {}", stderr(&out));
}

#[test]
fn pictures_that_give_no_frame_are_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24", "-frames:v", "72"];
    let coder = [&H264[..], &["keyint=24:bframes=0:scenecut=0", "whole.ts"]].concat();
    ffmpeg(&[&source[..], &coder].concat(), folder);
    let noise = ["-c", "copy", "-bsf:v", "noise=amount=eq(n\\,24)*2", "noise.mkv"];
    ffmpeg(&[&["-i", "whole.ts"][..], &noise].concat(), folder);
    let output = succeed(upscale(&["noise.mkv", "out.mkv", "--segment", "12"], folder));
    let figures = String::from_utf8_lossy(&output.stdout).into_owned();
    let number = |name: &str| {
        let value = figures.split(' ').find_map(|word| word.strip_prefix(name));
        value.and_then(|value| value.parse::<usize>().ok()).unwrap_or(0)
    };
    assert!(number("missing=") > 0, "{figures}");
    assert_eq!(number("frames="), times("out.mkv", folder).len(), "{figures}");
}

#[test]
fn a_film_that_is_cut_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24", "-frames:v", "240"];
    ffmpeg(&[&source[..], &H264, &["keyint=12", "whole.mkv"]].concat(), folder);
    let bytes = std::fs::read(folder.join("whole.mkv")).expect("a film");
    std::fs::write(folder.join("short.mkv"), &bytes[..bytes.len() / 2]).expect("a film");
    let output = succeed(upscale(&["short.mkv", "out.mkv", "--segment", "12"], folder));
    assert!(stderr(&output).contains("is it cut off?"), "{}", stderr(&output));
    assert_eq!(times("short.mkv", folder).len(), times("out.mkv", folder).len());
}

/// Gives the first stream of an MP4 file, which has one edit, two: its first second and its third.
fn edit(mp4: &mut [u8]) -> Vec<u8> {
    const NEW: usize = 12;
    let find = |mp4: &[u8], name: &[u8]| mp4.windows(4).position(|four| four == name);
    let mut inside = 0;
    for name in [b"moov", b"trak", b"edts", b"elst"] {
        inside += find(&mp4[inside..], name).expect("a box");
        let size = &mut mp4[inside - 4..inside];
        let grown = u32::from_be_bytes(size.try_into().expect("a size")) + NEW as u32;
        size.copy_from_slice(&grown.to_be_bytes());
    }
    // Behind name, version and number: how long, in ms, from where, in units of 1/12288 s, and how fast.
    let entry = inside + 12;
    let from = u32::from_be_bytes(mp4[entry + 4..entry + 8].try_into().expect("a time"));
    let entries = [[1000, from, 0x10000], [1000, from + 2 * 12288, 0x10000]].concat();
    let entries: Vec<u8> = entries.iter().flat_map(|number| number.to_be_bytes()).collect();
    mp4[entry - 1] = 2;
    [&mp4[..entry], &entries, &mp4[entry + NEW..]].concat()
}

#[test]
fn an_edit_list_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let source = ["-f", "lavfi", "-i", "testsrc2=size=64x48:rate=24", "-frames:v", "96"];
    ffmpeg(&[&source[..], &H264, &["keyint=12:bframes=2", "plain.mp4"]].concat(), folder);
    let mut mp4 = std::fs::read(folder.join("plain.mp4")).expect("a film");
    std::fs::write(folder.join("edited.mp4"), edit(&mut mp4)).expect("a film");
    let output = run(upscale(&["edited.mp4", "out.mkv"], folder));
    assert!(!output.status.success());
    assert!(stderr(&output).contains("shows its video in pieces"), "{}", stderr(&output));
    // What the message advises.
    ffmpeg(&["-i", "edited.mp4", "-c:v", "ffv1", "new.mkv"], folder);
    succeed(upscale(&["new.mkv", "out.mkv"], folder));
    assert_eq!(times("out.mkv", folder).len(), 48);
}
