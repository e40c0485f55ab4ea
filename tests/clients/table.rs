//! The elements under test, and films for them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, MutexGuard, Once};

use tempfile::TempDir;

pub use crate::pipelines::*;

/// All of them as launch lines, at their quickest. Each doubles width and height.
const ELEMENTS: [&str; 6] = [
    "kizunasr model=anime4k-m provider=embedded",
    "kizunashader quality=fast",
    "kizunaupscale quality=fast model=anime4k-m provider=embedded profile=realtime",
    "kizunaupscale quality=fast model=anime4k-m provider=embedded profile=export",
    "kizunaupscale quality=fast model=anime4k-m provider=embedded profile=batch",
    "kizunaupscale quality=fast model=anime4k-m provider=embedded profile=hybrid",
];

/// Those that this build has.
pub fn elements() -> impl Iterator<Item = &'static str> {
    static SAID: Once = Once::new();
    init();
    // A critical message is a bug, as it is in the programs that `tool` runs.
    gst::glib::log_set_always_fatal(gst::glib::LogLevels::LEVEL_CRITICAL);
    let is_here = |line: &&&str| gst::ElementFactory::find(factory(line)).is_some();
    SAID.call_once(|| {
        for line in ELEMENTS.iter().filter(|line| !is_here(line)) {
            skip!("{line}: there is no element {} in this build", factory(line));
        }
    });
    ELEMENTS.iter().filter(is_here).copied()
}

fn factory(line: &str) -> &str {
    line.split(' ').next().unwrap_or(line)
}

/// Holds back whoever works with OpenGL at the same time, where the element does.
pub fn alone_with(line: &str) -> Option<MutexGuard<'static, ()>> {
    (factory(line) != "kizunasr").then(alone)
}

/// The element of a line of the table.
pub fn element(line: &str) -> gst::Element {
    gst::parse::launch(line).unwrap_or_else(|e| panic!("{line}: {e}"))
}

/// Whether its property `qos` lets it drop late frames.
pub fn may_drop(element: &gst::Element) -> bool {
    use gst::prelude::*;
    element.find_property("qos").is_none() || element.property("qos")
}

/// Pictures of a film, and their size.
pub const FRAMES: usize = 50;
pub const SIZE: (u32, u32) = (160, 90);
/// Duration of a picture.
pub const FRAME: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// H.264 with B frames and a key frame every 10 pictures.
pub struct Films {
    /// With sound.
    pub mp4: PathBuf,
    pub mkv: PathBuf,
    /// No container: 25 pictures of 160x90, then 25 of 96x64.
    pub h264: PathBuf,
    _dir: TempDir,
}

pub static FILMS: LazyLock<Films> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let encode = |name: &str, size: (u32, u32), seconds: usize, sound: &[&str]| {
        let path = dir.path().join(name);
        let picture = format!("testsrc2=size={}x{}:rate=25:duration={seconds}", size.0, size.1);
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &picture]).args(sound);
        ffmpeg.args("-c:v libx264 -preset veryfast -pix_fmt yuv420p".split(' '));
        ffmpeg.args("-g 10 -bf 2 -sc_threshold 0".split(' ')).arg(&path);
        let output = ffmpeg.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        path
    };
    // The index comes first, so that the film can be pushed too.
    let sine = "-f lavfi -i sine=duration=2 -c:a aac -movflags +faststart";
    let sine = sine.split(' ').collect::<Vec<_>>();
    let mp4 = encode("film.mp4", SIZE, FRAMES / 25, &sine);
    let mkv = encode("film.mkv", SIZE, FRAMES / 25, &[]);
    let parts = [encode("a.h264", SIZE, 1, &[]), encode("b.h264", (96, 64), 1, &[])];
    let h264 = dir.path().join("film.h264");
    std::fs::write(&h264, parts.map(|part| std::fs::read(part).unwrap()).concat()).unwrap();
    Films { mp4, mkv, h264, _dir: dir }
});

/// Launch lines that decode films: a demuxer that pulls, and one that is pushed to.
pub fn sources() -> [String; 4] {
    let Films { mp4, mkv, .. } = &*FILMS;
    let line = |file: &Path, then: &str| {
        format!("filesrc location={} ! {then} ! h264parse ! avdec_h264", file.display())
    };
    [
        line(mp4, "qtdemux"),
        line(mkv, "matroskademux"),
        line(mp4, "queue ! qtdemux"),
        line(mkv, "queue ! matroskademux"),
    ]
}

pub fn uri(file: &Path) -> String {
    gst::glib::filename_to_uri(file, None).unwrap().into()
}

/// Pictures of a file's video as ffprobe counts them, and their size.
pub fn probe(file: &Path) -> (usize, (u32, u32)) {
    let mut ffprobe = Command::new("ffprobe");
    ffprobe.args("-v error -count_frames -select_streams v:0 -of csv=p=0".split(' '));
    ffprobe.args(["-show_entries", "stream=width,height,nb_read_frames"]).arg(file);
    let output = run(&ffprobe);
    let said = text(&output);
    let numbers: Vec<u32> = said.trim().split(',').map_while(|n| n.parse().ok()).collect();
    let [width, height, frames] = numbers[..] else { panic!("{}: {said}", file.display()) };
    (frames as usize, (width, height))
}
