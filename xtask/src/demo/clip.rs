//! The demo's film: 640x360, 24 frames a second, three seconds, two shots, as limited animation is drawn.
//!
//! A slow pan behind a figure whose face changes on threes; then a still background on which only the face changes, with holds.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use super::ffmpeg;
use crate::progress;

/// Where Debian's package renpy-thequestion puts its pictures.
const ART: &str = "/usr/share/games/renpy/the_question/game/images";
/// Pictures, in the order of the graph's inputs.
const PICTURES: [&str; 8] = [
    "bg meadow.jpg",
    "sylvie green normal.png",
    "sylvie green smile.png",
    "sylvie green giggle.png",
    "bg uni.jpg",
    "sylvie blue normal.png",
    "sylvie blue surprised.png",
    "sylvie blue smile.png",
];
/// Seconds of one shot.
const SHOT: &str = "1.5";

const GRAPH: &str = "\
[0]scale=704:396:flags=area,crop=640:360:'min(n*1.5,64)':18[b0];\
[1]scale=-1:420:flags=area[s1];[2]scale=-1:420:flags=area[s2];[3]scale=-1:420:flags=area[s3];\
[b0][s1]overlay=200:20[a1];\
[a1][s2]overlay=200:20:enable='between(mod(floor(n/3),4),1,2)'[a2];\
[a2][s3]overlay=200:20:enable='eq(mod(floor(n/3),4),3)'[shot1];\
[4]scale=640:360:flags=area[b4];\
[5]scale=-1:480:flags=area[s5];[6]scale=-1:480:flags=area[s6];[7]scale=-1:480:flags=area[s7];\
[b4][s5]overlay=180:16[c1];\
[c1][s6]overlay=180:16:enable='between(n,9,20)'[c2];\
[c2][s7]overlay=180:16:enable='gte(n,21)'[shot2];\
[shot1][shot2]concat=n=2,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p";

/// Makes the film, with a quiet tone as its sound.
///
/// # Errors
/// If the art or ffmpeg is missing.
pub fn make(film: &Path) -> Result<()> {
    let mut command = ffmpeg();
    for name in PICTURES {
        let picture = PathBuf::from(ART).join(name);
        ensure!(
            picture.is_file(),
            "there is no {}; it comes with Debian's package renpy-thequestion",
            picture.display()
        );
        command.args(["-loop", "1", "-framerate", "24", "-t", SHOT, "-i"]).arg(picture);
    }
    command
        .args(["-f", "lavfi", "-t", "3", "-i", "sine=frequency=220:sample_rate=48000,volume=0.1"])
        .args(["-filter_complex", GRAPH])
        .args(["-c:v", "libx264", "-preset", "medium", "-tune", "animation", "-crf", "23"])
        .args(["-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"])
        .args(["-c:a", "aac", "-b:a", "96k", "-shortest", "-movflags", "+faststart"])
        .arg(film);
    progress::run(command, "ffmpeg")
}
