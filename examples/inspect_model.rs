//! Says everything that can be found out about a model: `cargo run --release --example inspect_model -- MODEL`.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use gstkizuna::engine::{Cancel, Engine, EngineOptions, Provider, open};
use gstkizuna::models::{Report, data_dirs, inspect, resolve};
use gstkizuna::upscale::Tensor;

const HELP: &str = "\
inspect_model [MODEL] [--provider P]

  MODEL         one of models/*.toml, or an ONNX file (default: the embedded model)
  --provider P  embedded cpu openvino cuda tensorrt directml coreml migraphx webgpu (default: embedded)
";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    use lexopt::prelude::*;
    let (mut model, mut provider) = (None, Provider::Embedded);
    let mut args = lexopt::Parser::from_env();
    while let Some(argument) = args.next()? {
        match argument {
            Value(name) if model.is_none() => model = Some(name.string()?),
            Value(name) => bail!("one model at a time: '{}' is too much", name.display()),
            Long("provider") => {
                provider = args.value()?.string()?.parse().map_err(|e: String| anyhow!(e))?;
            }
            Short('h') | Long("help") => {
                return say(HELP);
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    say(report(model.as_deref(), provider)?)
}

/// Whoever reads no more of it, as `head`, has read enough.
fn say(text: impl std::fmt::Display) -> Result<()> {
    match write!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

fn report(model: Option<&str>, provider: Provider) -> Result<Report> {
    let own = std::env::current_exe().context("this program cannot find itself")?;
    let search = data_dirs(own.parent(), None);
    let found = resolve(model, &search)?;
    let options = EngineOptions { search, ..EngineOptions::default() };
    let mut opened: Option<Box<dyn Engine>> = None;
    // Opened at the first run, so that a bad file is refused in our words and not in the runtime's.
    let mut run = |input: &Tensor| {
        let engine = match &mut opened {
            Some(engine) => engine,
            None => opened.insert(open(provider, &found.source, None, &options)?),
        };
        let mut output = Tensor::zeros(input.shape, input.layout, input.element());
        engine.run(input, &mut output, &Cancel::new())?;
        Ok(output)
    };
    let mut report = inspect(&found.source, found.card.as_ref(), &mut run)?;
    report.warnings.extend(found.warnings);
    Ok(report)
}
