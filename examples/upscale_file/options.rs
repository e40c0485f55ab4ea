//! The command line.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Frames of a segment, at least: ten seconds of a film. Its processor time is within 1 % of a film in one piece.
const SEGMENT: usize = 240;

/// What follows the program's name, which differs where it is installed.
const HELP: &str = "IN OUT [options]

  IN                    a video file
  OUT                   .mp4 .m4v .mov .mkv; sound and subtitles are copied where that kind of file takes them

  --model NAME|PATH     one of models/*.toml, or an ONNX file (default: the embedded model)
  --scale F             factor from IN to OUT (default: the model's own)
  --provider P          auto embedded cpu openvino cuda tensorrt directml coreml migraphx webgpu (default: auto)
  --crf N               x264's quality, 0 to 50; lower is better and larger (default: 16)
  --set PROPERTY=VALUE  any property of kizunasr; may be repeated
  --deinterlace         for interlaced video
  --force               overwrite OUT
  --segment N           frames after which work is safe, at least (default: 240)
  --fresh               throw away the work of an earlier run that was stopped, instead of going on

The video is written as H.264, 4:2:0, with 10 bits where IN has more than 8. OUT appears when it is complete. Until then the
work lies in OUT.part; stopped in any way, the same command goes on where it was.
";

/// What the user asked for.
#[derive(Debug)]
pub struct Options {
    /// The film to read.
    pub input: PathBuf,
    /// The film to write.
    pub output: PathBuf,
    /// Properties of `kizunasr`, as typed.
    pub properties: Vec<(String, String)>,
    /// x264's constant rate factor.
    pub crf: u32,
    /// Whether interlaced video is made progressive first.
    pub deinterlace: bool,
    /// Whether an existing file may be overwritten.
    pub force: bool,
    /// Least number of frames in a segment, which is what a kill loses at most.
    pub segment: usize,
    /// Whether an earlier run's work is thrown away.
    pub fresh: bool,
}

impl Options {
    /// Reads the command line; none where it asks for help, which is printed.
    pub fn from_command_line() -> Result<Option<Self>> {
        use lexopt::prelude::*;
        let mut files: Vec<OsString> = Vec::new();
        let mut properties = Vec::new();
        let (mut crf, mut deinterlace, mut force) = (16, false, false);
        let (mut segment, mut fresh) = (SEGMENT, false);
        let mut args = lexopt::Parser::from_env();
        while let Some(argument) = args.next()? {
            match argument {
                Value(file) => files.push(file),
                Long(name @ ("model" | "scale" | "provider")) => {
                    let name = name.to_owned();
                    properties.push((name, args.value()?.string()?));
                }
                Long("set") => properties.push(property(&args.value()?.string()?)?),
                Long("crf") => crf = args.value()?.parse().context("--crf")?,
                Long("deinterlace") => deinterlace = true,
                Long("force") => force = true,
                Long("segment") => segment = args.value()?.parse().context("--segment")?,
                Long("fresh") => fresh = true,
                Short('h') | Long("help") => {
                    let path = args.bin_name().map(Path::new);
                    let name = path.and_then(Path::file_name).unwrap_or("upscale_file".as_ref());
                    // Whoever reads no more of it, as `head`, has read enough.
                    let _ = write!(std::io::stdout(), "{} {HELP}", name.display());
                    return Ok(None);
                }
                _ => return Err(argument.unexpected().into()),
            }
        }
        ensure!(crf <= 50, "--crf {crf} is too high: it goes from 0 (lossless) to 50");
        ensure!(segment > 0, "--segment 0 is too low: a segment has at least one frame");
        let [input, output]: [OsString; 2] = match files.try_into() {
            Ok(both) => both,
            Err(files) => bail!(
                "one file to read and one to write are needed, not {} file names; --help says more",
                files.len()
            ),
        };
        let (input, output) = (input.into(), output.into());
        Ok(Some(Self { input, output, properties, crf, deinterlace, force, segment, fresh }))
    }
}

fn property(text: &str) -> Result<(String, String)> {
    let (name, value) =
        text.split_once('=').with_context(|| format!("--set {text}: it must be PROPERTY=VALUE"))?;
    Ok((name.into(), value.into()))
}
