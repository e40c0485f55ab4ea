//! `cargo xtask demo [IN OUT]`: a film in, an upscaled film out, and a picture that shows the difference.

mod clip;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{progress, setup, test};

/// What the demo shows where no `--model` is given: the network that repairs compressed lines best.
const MODEL: &str = "animevideov3-x2";

/// What the user asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// The user's own film and where the result goes; none: a clip is made.
    pub films: Option<(PathBuf, PathBuf)>,
    /// A card's name, or an ONNX file.
    pub model: Option<OsString>,
}

/// Sets up, builds, upscales, and says where everything is.
///
/// # Errors
/// If any step fails; the message says which.
pub fn run(root: &Path, options: Options) -> Result<()> {
    let folder = root.join("target/demo");
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let films = match options.films {
        None => None,
        Some((source, result)) => {
            ensure!(
                !result.exists(),
                "{} exists; remove it or choose another name",
                result.display()
            );
            Some((checked(&source)?, std::path::absolute(result)?))
        }
    };

    setup::all(root)?;
    build(root)?;
    let is_own = films.is_some();
    let (source, result) = match films {
        Some(films) => films,
        None => {
            let source = folder.join("before.mp4");
            progress::step("making a short anime clip from renpy-thequestion's art");
            clip::make(&source)?;
            (source, folder.join("after.mp4"))
        }
    };
    let model = options.model.unwrap_or_else(|| MODEL.into());
    // The made clip's last result may be overwritten; a user's file may not.
    let figures = upscale(root, &source, &result, &model, !is_own)?;
    let picture = if is_own {
        result.with_extension("before-after.png")
    } else {
        folder.join("before-after.png")
    };
    compare(&source, &result, &picture)?;

    println!("\nresult    {}", result.display());
    println!("picture   {} (left: source enlarged, right: result)", picture.display());
    println!("model     {}", model.display());
    println!("figures   {figures}");
    if !is_own {
        println!(
            "\nYour own film: cargo xtask demo IN OUT [--model NAME]; the names are those of models/*.toml."
        );
    }
    Ok(())
}

fn checked(film: &Path) -> Result<PathBuf> {
    ensure!(film.is_file(), "there is no file {}", film.display());
    Ok(fs::canonicalize(film)?)
}

fn build(root: &Path) -> Result<()> {
    let mut cargo = test::cargo(root);
    cargo.args(["build", "--release", "--lib", "--example", "upscale_file"]);
    progress::show(cargo, "building the plugin (release)")
}

/// Runs the example; its progress bar goes to the terminal, its last line of output comes back.
fn upscale(
    root: &Path,
    source: &Path,
    result: &Path,
    model: &OsString,
    overwrite: bool,
) -> Result<String> {
    progress::step(&format!("upscaling {} with {}", source.display(), model.display()));
    let mut example = test::cargo(root);
    test::gstreamer_environment(&mut example, &root.join("target/release"));
    example
        .args(["run", "--quiet", "--release", "--example", "upscale_file", "--"])
        .args([source, result])
        .arg("--model")
        .arg(model)
        .args(overwrite.then_some("--force"))
        .stdout(Stdio::piped());
    let mut child = example.spawn().context("cannot start the example upscale_file")?;
    let mut figures = String::new();
    if let Some(output) = child.stdout.take() {
        for line in BufReader::new(output).lines() {
            figures = line.context("cannot read what upscale_file says")?;
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "upscale_file ended with {status}; see its message above");
    Ok(figures)
}

/// The same part of the same frame of both films, side by side.
fn compare(source: &Path, result: &Path, picture: &Path) -> Result<()> {
    let middle = format!("{:.3}", duration(source)? * 0.8);
    // Enlarged as a player does it: bilinear.
    let graph = "[0:v][1:v]scale2ref=flags=bilinear[before][after];\
                 [before]crop=min(iw\\,640):min(ih\\,640)[left];[after]crop=min(iw\\,640):min(ih\\,640)[right];\
                 [left][right]hstack";
    let mut ffmpeg = ffmpeg();
    for film in [source, result] {
        ffmpeg.args(["-ss", &middle, "-i"]).arg(film);
    }
    ffmpeg.args(["-filter_complex", graph, "-frames:v", "1"]).arg(picture);
    progress::run(ffmpeg, "before/after picture")
}

/// Seconds.
fn duration(film: &Path) -> Result<f64> {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"])
        .arg(film)
        .output()
        .context("cannot start ffprobe")?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.trim().parse() {
        Ok(seconds) => Ok(seconds),
        Err(_) => bail!("ffprobe does not know how long {} is", film.display()),
    }
}

/// ffmpeg, quiet, that overwrites.
fn ffmpeg() -> Command {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-loglevel", "error", "-nostdin", "-y"]);
    command
}
