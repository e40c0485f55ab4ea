//! The command line.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf, absolute};

use anyhow::{Context, Result, bail, ensure};
use gst::glib;

use crate::keys;
use crate::state::QUALITIES;

/// What follows the program's name, which differs where it is installed.
const HELP: &str = "FILE_OR_URI [options]

  --shader FILE     an mpv user shader; may be repeated
  --model NAME|PATH the network for the frame on pause: one of models/*.toml, or an ONNX file (default: the embedded model)
  --quality Q       fast balanced high (default: balanced)
  --scale F         factor from the film's size to the picture's, above 0, up to 16 (default: 2)
  --sink NAME       a video sink, or elements that end in one, as gst-launch-1.0 takes them (default: glimagesink)

Keys, in the window and in the terminal:

";

/// What the user asked for.
#[derive(Debug)]
pub struct Options {
    /// The film.
    pub uri: String,
    /// User shaders.
    pub shaders: Vec<PathBuf>,
    /// The network for the frame on pause.
    pub model: Option<String>,
    /// One of [`QUALITIES`].
    pub quality: usize,
    /// The element's `scale`; 0 is its default.
    pub scale: f64,
    /// The video sink.
    pub sink: String,
}

impl Options {
    /// Reads the command line; none where it asks for help, which is printed.
    pub fn from_command_line() -> Result<Option<Self>> {
        use lexopt::prelude::*;
        let mut films: Vec<OsString> = Vec::new();
        let (mut shaders, mut model, mut quality, mut scale) = (Vec::new(), None, 1, 0.0);
        let mut sink = String::from("glimagesink");
        let mut args = lexopt::Parser::from_env();
        while let Some(argument) = args.next()? {
            match argument {
                Value(film) => films.push(film),
                Long("shader") => shaders.push(shader(args.value()?)?),
                Long("model") => model = Some(args.value()?.string()?),
                Long("quality") => quality = quality_of(&args.value()?.string()?)?,
                Long("scale") => {
                    scale = args.value()?.parse().context("--scale")?;
                    ensure!(
                        scale > 0.0 && scale <= 16.0,
                        "--scale {scale}: it must lie above 0 and be 16 at most"
                    );
                }
                Long("sink") => sink = args.value()?.string()?,
                Short('h') | Long("help") => {
                    let path = args.bin_name().map(Path::new);
                    let name = path.and_then(Path::file_name).unwrap_or("play".as_ref());
                    // Whoever reads no more of it, as `head`, has read enough.
                    let (name, keys) = (name.display(), keys::HELP);
                    let _ = writeln!(std::io::stdout(), "{name} {HELP}{keys}");
                    return Ok(None);
                }
                _ => return Err(argument.unexpected().into()),
            }
        }
        let [film] = films.as_slice() else {
            bail!("one film is needed, not {}; --help says more", films.len());
        };
        Ok(Some(Self { uri: uri(film)?, shaders, model, quality, scale, sink }))
    }
}

/// The element would take a name with the separator in it for two.
fn shader(name: OsString) -> Result<PathBuf> {
    let path = PathBuf::from(name);
    std::fs::File::open(&path).with_context(|| format!("cannot read {}", path.display()))?;
    std::env::join_paths([&path]).with_context(|| format!("--shader {}", path.display()))?;
    ensure!(path.to_str().is_some(), "{} is not UTF-8; rename it", path.display());
    Ok(path)
}

fn quality_of(name: &str) -> Result<usize> {
    let known = QUALITIES.iter().position(|quality| *quality == name);
    known.with_context(|| format!("--quality {name}: there are {}", QUALITIES.join(", ")))
}

/// What is no file is taken for a URI if it looks like one.
fn uri(film: &OsString) -> Result<String> {
    let path = Path::new(film);
    let text = film.to_str().filter(|text| text.contains("://"));
    if let Some(text) = text.filter(|_| !path.exists()) {
        return Ok(text.into());
    }
    std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let uri = glib::filename_to_uri(absolute(path)?, None);
    Ok(uri.with_context(|| format!("{} cannot be a URI", path.display()))?.into())
}
