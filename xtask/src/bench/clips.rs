//! The clips: raw frames made from Debian's renpy-thequestion art, so that every runner reads the same.
//!
//! `moving`: everything moves and every frame has its own noise, so no block of it repeats. The others are limited animation as
//! it is drawn, through x264 and back.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::progress;

/// Where Debian's package renpy-thequestion puts its pictures.
const ART: &str = "/usr/share/games/renpy/the_question/game/images";
/// As the release groups and streaming services do it.
const X264: [&str; 8] =
    ["-c:v", "libx264", "-preset", "medium", "-tune", "animation", "-crf", "20"];
/// Frames as RGB at most: the peers hold them in memory as floats.
const HELD: usize = 24;

/// Frames on disk.
#[derive(Debug, Clone)]
pub struct Clip {
    /// Pixels.
    pub size: (usize, usize),
    /// Frames in `i420`.
    pub frames: usize,
    /// All frames as I420.
    pub i420: PathBuf,
    /// The first `held` frames as packed RGB of 8 bits, made from the same I420.
    pub rgb: PathBuf,
    /// Frames in `rgb`.
    pub held: usize,
}

/// A scene.
struct Scene {
    name: &'static str,
    frames: usize,
    pictures: &'static [&'static str],
    /// ffmpeg's graph for a width and height.
    graph: fn(usize, usize) -> String,
}

/// The parts of the anime clip, in order.
const PARTS: [Scene; 5] = [
    Scene {
        name: "dialogue",
        frames: 72,
        pictures: &["bg uni.jpg", "sylvie blue normal.png", "sylvie blue smile.png"],
        graph: dialogue,
    },
    Scene {
        name: "action",
        frames: 48,
        pictures: &["bg lecturehall.jpg", "sylvie green giggle.png"],
        graph: action,
    },
    Scene {
        name: "pan",
        frames: 24,
        pictures: &["bg meadow.jpg", "sylvie green normal.png"],
        graph: pan,
    },
    Scene {
        name: "cuts",
        frames: 24,
        pictures: &["bg club.jpg", "bg uni.jpg", "bg meadow.jpg"],
        graph: cuts,
    },
    Scene {
        name: "crossfade",
        frames: 24,
        pictures: &["bg club.jpg", "bg lecturehall.jpg"],
        graph: crossfade,
    },
];

/// The background stands still; the mouth opens and closes, a drawing every three frames.
fn dialogue(w: usize, h: usize) -> String {
    let (left, top, tall) = (w * 3 / 10, h / 20, h * 4 / 3);
    // Of the second picture the mouth alone: the outline would be drawn twice. It goes aside where it is not wanted: an overlay
    // that is switched on and off treats all of the picture differently.
    let (x, y, wide, high) = (tall * 17 / 100, tall * 18 / 100, tall * 13 / 100, tall * 55 / 1000);
    format!(
        "[0]scale={w}:{h}[b];[1]scale=-1:{tall}[s];[b][s]overlay={left}:{top}[c];\
         [2]scale=-1:{tall},format=rgba,crop={wide}:{high}:{x}:{y}[m];\
         [c][m]overlay=x='{left}+{x}-2*{w}*eq(mod(floor(n/3),2),0)':y={top}+{y}"
    )
}

/// The background stands still; the figure moves, a drawing every two frames.
fn action(w: usize, h: usize) -> String {
    let (left, step, tall) = (w / 10, w / 80, h * 6 / 5);
    format!(
        "[0]scale={w}:{h}[b];[1]scale=-1:{tall}[s];\
         [b][s]overlay=x='{left}+{step}*floor(n/2)':y='{h}/20+{h}/40*sin(floor(n/2))'"
    )
}

/// The camera moves, on every frame.
fn pan(w: usize, h: usize) -> String {
    let (wide, high, tall) = (w * 5 / 4, h * 5 / 4, h * 6 / 5);
    format!(
        "[0]scale={wide}:{high}[b];[1]scale=-1:{tall}[s];[b][s]overlay={}:{}[c];\
         [c]crop={w}:{h}:x='{w}*n/200':y={}",
        w / 3,
        h / 10,
        h / 10
    )
}

/// Another place every six frames.
fn cuts(w: usize, h: usize) -> String {
    format!(
        "[0]scale={w}:{h}[a];[1]scale={w}:{h}[b];[2]scale={w}:{h}[c];\
         [a][b]overlay=enable='eq(mod(floor(n/6),3),1)'[ab];[ab][c]overlay=enable='eq(mod(floor(n/6),3),2)'"
    )
}

/// One place becomes another in two thirds of a second.
fn crossfade(w: usize, h: usize) -> String {
    format!(
        "[0]scale={w}:{h},setsar=1,settb=1/24[a];[1]scale={w}:{h},setsar=1,settb=1/24[b];\
         [a][b]xfade=duration=0.667:offset=0.167"
    )
}

/// Everything moves and has noise.
fn moving(w: usize, h: usize) -> String {
    let (wide, high, tall) = (w * 5 / 4, h * 5 / 4, h * 6 / 5);
    format!(
        "[0]scale={wide}:{high}[b];[b]crop={w}:{h}:x='{w}/8*(1+sin(n/23))':y='{h}/8*(1+cos(n/17))'[c];\
         [1]scale=-1:{tall}[s];[c][s]overlay=x='{w}/3+{w}/8*sin(n/11)':y={h}/20,noise=alls=6:allf=t:all_seed=7"
    )
}

/// Makes clips where they are not yet.
#[derive(Debug)]
pub struct Studio {
    /// Where they are kept.
    pub folder: PathBuf,
}

impl Studio {
    /// A clip of which every frame differs everywhere from the one before.
    ///
    /// # Errors
    /// If the art or ffmpeg is missing.
    pub fn moving(&self, size: (usize, usize), frames: usize) -> Result<Clip> {
        let pictures = &["bg meadow.jpg", "sylvie green normal.png"];
        let scene = Scene { name: "moving", frames, pictures, graph: moving };
        let drawn = self.draw(&scene, size)?;
        self.finish(scene.name, size, frames, drawn)
    }

    /// A part of the anime clip (`dialogue`, `action`, `pan`, `cuts`, `crossfade`), or all of it in one (`film`), through x264.
    ///
    /// # Errors
    /// If the art or ffmpeg is missing.
    pub fn part(&self, name: &'static str, size: (usize, usize)) -> Result<Clip> {
        let scenes = PARTS.iter().filter(|scene| scene.name == name || name == "film");
        let whole = self.path(name, size, "drawn");
        let mut frames = 0;
        let mut drawn = Vec::new();
        for scene in scenes {
            drawn.push(self.draw(scene, size)?);
            frames += scene.frames;
        }
        if name == "film" && !is_complete(&whole, frames * i420_bytes(size)) {
            let mut file = File::create(&whole)?;
            for part in &drawn {
                io::copy(&mut File::open(part)?, &mut file)?;
            }
        }
        let source = if name == "film" { &whole } else { drawn.first().context("no such part")? };
        let decoded = self.path(name, size, "i420");
        if !is_complete(&decoded, frames * i420_bytes(size)) || is_older(&decoded, source) {
            let coded = self.path(name, size, "mkv");
            let mut encode = ffmpeg();
            raw_input(&mut encode, "yuv420p", size, source);
            encode.args(X264).arg(&coded);
            progress::run(encode, &format!("{name} through x264"))?;
            let mut decode = ffmpeg();
            decode
                .arg("-i")
                .arg(coded)
                .args(["-f", "rawvideo", "-pix_fmt", "yuv420p"])
                .arg(&decoded);
            progress::run(decode, &format!("{name} decoded"))?;
        }
        self.finish(name, size, frames, decoded)
    }

    fn path(&self, name: &str, (width, height): (usize, usize), kind: &str) -> PathBuf {
        self.folder.join(format!("{name}-{width}x{height}.{kind}"))
    }

    /// The scene as I420, before any codec.
    fn draw(&self, scene: &Scene, size: (usize, usize)) -> Result<PathBuf> {
        fs::create_dir_all(&self.folder)?;
        let (path, recipe) =
            (self.path(scene.name, size, "drawn"), self.path(scene.name, size, "recipe"));
        let graph = (scene.graph)(size.0, size.1);
        let drawn_from = format!("{:?}\n{graph}\n", scene.pictures);
        let same = fs::read_to_string(&recipe).is_ok_and(|text| text == drawn_from);
        if same && is_complete(&path, scene.frames * i420_bytes(size)) {
            return Ok(path);
        }
        let mut command = ffmpeg();
        for picture in scene.pictures {
            let picture = Path::new(ART).join(picture);
            let name = picture.display();
            ensure!(
                picture.is_file(),
                "there is no {name}; it comes with Debian's package renpy-thequestion"
            );
            command.args(["-loop", "1", "-framerate", "24", "-i"]).arg(&picture);
        }
        let graph = format!("{graph},scale=out_color_matrix=bt709:out_range=tv,format=yuv420p");
        command.args(["-sws_flags", "lanczos", "-filter_complex", &graph]);
        command.args(["-frames:v", &scene.frames.to_string(), "-f", "rawvideo"]).arg(&path);
        progress::run(command, &format!("drawing {} at {}x{}", scene.name, size.0, size.1))?;
        fs::write(recipe, drawn_from)?;
        Ok(path)
    }

    /// The first frames as RGB beside.
    fn finish(
        &self,
        name: &'static str,
        size: (usize, usize),
        frames: usize,
        i420: PathBuf,
    ) -> Result<Clip> {
        let (rgb, held) = (self.path(name, size, "rgb"), frames.min(HELD));
        if !is_complete(&rgb, held * size.0 * size.1 * 3) || is_older(&rgb, &i420) {
            let mut command = ffmpeg();
            raw_input(&mut command, "yuv420p", size, &i420);
            command.args([
                "-vf",
                "scale=in_color_matrix=bt709:in_range=tv:out_range=pc",
                "-pix_fmt",
                "rgb24",
            ]);
            command.args(["-frames:v", &held.to_string(), "-f", "rawvideo"]).arg(&rgb);
            progress::run(command, &format!("{name} as RGB for the peers"))?;
        }
        Ok(Clip { size, frames, i420, rgb, held })
    }
}

fn i420_bytes((width, height): (usize, usize)) -> usize {
    width * height + 2 * width.div_ceil(2) * height.div_ceil(2)
}

fn is_complete(path: &Path, bytes: usize) -> bool {
    fs::metadata(path).is_ok_and(|m| m.len() == bytes as u64)
}

fn is_older(path: &Path, source: &Path) -> bool {
    let time = |path| fs::metadata(path).and_then(|m| m.modified()).ok();
    time(path) < time(source)
}

fn raw_input(command: &mut Command, format: &str, (width, height): (usize, usize), path: &Path) {
    command.args(["-f", "rawvideo", "-framerate", "24", "-pix_fmt", format]);
    command.args(["-video_size", &format!("{width}x{height}"), "-i"]).arg(path);
}

/// ffmpeg, quiet, that overwrites.
fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
    command
}
