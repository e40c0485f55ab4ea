//! What is beside the pictures stays: streams, chapters, tags.

use std::fs;

use crate::support::*;

/// What ffprobe says about a file's chapters or tags.
fn probe(file: &str, entries: &str, folder: &std::path::Path) -> String {
    let arguments =
        ["-v", "error", "-show_chapters", "-show_entries", entries, "-of", "flat", file];
    tool("ffprobe", &arguments, folder)
}

fn film(folder: &std::path::Path) {
    make_film(folder, "plain.mkv", "64x48", "yuv420p", 48);
    let chapters = ";FFMETADATA1\ntitle=The Film\nartist=Somebody\n\
        [CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=1000\ntitle=Opening\n\
        [CHAPTER]\nTIMEBASE=1/1000\nSTART=1000\nEND=2000\ntitle=Part A\n";
    fs::write(folder.join("chapters.txt"), chapters).expect("a file");
    let inputs = ["-i", "plain.mkv", "-i", "chapters.txt", "-map", "0", "-map_metadata", "1"];
    let tags = ["-metadata:s:v:0", "title=Picture", "-metadata:s:a:0", "language=jpn"];
    let more = ["-metadata:s:a:1", "title=Comment 絆", "-c", "copy"];
    fs::write(folder.join("font.ttf"), [7; 5000]).expect("a file");
    let font = ["-attach", "font.ttf", "-metadata:s:t", "mimetype=font/ttf", "in.mkv"];
    ffmpeg(&[&inputs[..], &tags, &more, &font].concat(), folder);
}

#[test]
fn chapters_and_tags() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    succeed(upscale(&["in.mkv", "out.mkv", "--segment", "12"], folder));
    let chapters = "chapter=start_time,end_time:chapter_tags=title";
    assert!(probe("in.mkv", chapters, folder).contains("Part A"));
    assert_eq!(probe("in.mkv", chapters, folder), probe("out.mkv", chapters, folder));
    let format = "format_tags=title,artist";
    assert!(probe("in.mkv", format, folder).contains("Somebody"));
    for word in ["\"The Film\"", "\"Somebody\""] {
        assert!(probe("out.mkv", format, folder).contains(word), "{word}");
    }
    let streams = probe("out.mkv", "stream_tags=language,title", folder);
    for word in ["Picture", "jpn", "Comment 絆"] {
        assert!(streams.contains(word), "{word}: {streams}");
    }
}

#[test]
fn attachments() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    succeed(upscale(&["in.mkv", "out.mkv"], folder));
    let entries = "stream=codec_type,codec_name:stream_tags=filename,mimetype";
    assert!(probe("out.mkv", entries, folder).contains("font.ttf"));
    // ffmpeg wants something to write beside the attachment.
    ffmpeg(&["-dump_attachment:t", "copy.ttf", "-i", "out.mkv", "-f", "null", "-"], folder);
    assert_eq!(fs::read(folder.join("copy.ttf")).expect("the attachment"), [7; 5000]);
}

#[test]
fn mp4_says_what_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    let output = succeed(upscale(&["in.mkv", "out.mp4"], folder));
    assert!(stderr(&output).contains("chapters are left out"), "{}", stderr(&output));
    assert!(stderr(&output).contains("attachments are left out"), "{}", stderr(&output));
    assert!(probe("out.mp4", "format_tags=title", folder).contains("The Film"));
    assert!(probe("out.mp4", "stream_tags=language", folder).contains("jpn"));
}

/// Two pictures of Blu-ray's subtitles, which are empty.
fn picture_subtitles() -> Vec<u8> {
    let mut file = Vec::new();
    for pts in [9_000u32, 90_000] {
        let composition = [0, 64, 0, 48, 0x10, 0, 0, 0x80, 0, 0, 0];
        for (kind, body) in [(0x16, &composition[..]), (0x80, &[])] {
            file.extend(b"PG");
            file.extend(pts.to_be_bytes());
            file.extend([0, 0, 0, 0, kind, 0, body.len() as u8]);
            file.extend(body);
        }
    }
    file
}

#[test]
fn what_no_muxer_takes_is_said_for_every_stream() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_film(folder, "plain.mkv", "64x48", "yuv420p", 24);
    fs::write(folder.join("text.sup"), picture_subtitles()).expect("a file");
    let inputs = ["-i", "plain.mkv", "-i", "text.sup", "-i", "text.sup", "-map", "0", "-map", "1"];
    let coder = ["-map", "2", "-c", "copy", "-c:a:0", "truehd", "-strict", "-2", "in.mkv"];
    ffmpeg(&[&inputs[..], &coder].concat(), folder);
    let output = succeed(upscale(&["in.mkv", "out.mkv"], folder));
    let text = stderr(&output);
    assert!(text.contains("subpicture/x-pgs (2 streams) is left out"), "{text}");
    assert!(text.contains("audio/x-true-hd is converted to AAC"), "{text}");
    assert!(!text.contains("ends in .mkv"), "{text}");
    assert_eq!(streams("out.mkv", folder), ["h264", "aac", "flac", "subrip"]);
    let output = succeed(upscale(&["in.mkv", "out.mp4"], folder));
    let text = stderr(&output);
    assert!(text.contains("x-flac is converted to AAC, as this kind of file cannot hold it; an OUT that ends in .mkv can"), "{text}");
    assert!(
        text.contains(
            "subpicture/x-pgs (2 streams) is left out, as this kind of file cannot hold it\n"
        ),
        "{text}"
    );
}
