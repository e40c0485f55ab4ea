//! `cargo xtask`: what cargo itself cannot say. Run it without arguments for the list of commands.

// Where a test cannot run here it says so, as the plugin's own do. Before the others, which use its macro.
#[cfg(test)]
#[path = "../../tests/support/skip.rs"]
#[macro_use]
mod skip;

mod bench;
mod bundle;
mod deb;
mod demo;
mod fetch;
mod models;
mod progress;
mod reference;
mod setup;
mod test;
mod tool;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  setup          system packages, inference runtimes and models; what is there already is left alone
  models         the models alone
  demo           setup, then a short anime clip upscaled, with a before/after picture
  demo IN OUT    the same for your own video file; --model NAME chooses the network
  bench          kizunasr beside its peers: tables and a plot into benches/results and README (a quarter of an hour);
                 --quick takes some minutes, --only WORD takes the cases whose name holds the word
  deb            a Debian package into target/deb, with the models that are there; --try installs, runs and purges it on
                 a bare Debian 12 in a folder under /tmp (as root)
  bundle [OUT]   a folder that runs where nothing is installed, and its archive: plugin, programs, runtimes, models; by default
                 target/bundle/kizuna-VERSION-ARCH and .tar.gz
                 --with-gstreamer         GStreamer too, and every library that it needs, down to the loader
                 --split SIZE             the archive in parts (60M, 1G) with checksums and join.sh, in OUT.parts
                 --runtimes A,B           of runtimes/; else all    --models A,B   of models/; else all
                 --gpu, --cuda            ONNX Runtime's providers for graphics devices; NVIDIA's libraries for its CUDA one
                 --benches                the programs that benches/gpu/run.sh runs
                 --built FOLDER           what is built there already (say target/debug), instead of a release build
  test           setup, then every check and test: what continuous integration runs
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
    let root = root();
    let (mut words, mut model, mut attempt) = (Vec::new(), None, false);
    let mut benchmark = bench::Options::default();
    let mut bundled = bundle::Options::default();
    let mut args = lexopt::Parser::from_env();
    while let Some(argument) = args.next()? {
        match argument {
            Value(word) => words.push(word),
            Long("model") => model = Some(args.value()?),
            Long("quick") => benchmark.quick = true,
            Long("only") => benchmark.only = Some(args.value()?.string()?),
            Long("try") => attempt = true,
            Long("with-gstreamer") => bundled.gstreamer = true,
            Long("gpu") => bundled.gpu = true,
            Long("cuda") => bundled.cuda = true,
            Long("benches") => bundled.benches = true,
            Long("split") => bundled.split = Some(bundle::parse_size(&args.value()?.string()?)?),
            Long("runtimes") => bundled.runtimes = Some(list(&args.value()?.string()?)),
            Long("models") => bundled.models = Some(list(&args.value()?.string()?)),
            Long("built") => bundled.built = Some(args.value()?.into()),
            Short('h') | Long("help") => {
                print!("{HELP}");
                return Ok(());
            }
            _ => return Err(argument.unexpected().into()),
        }
    }
    let Some((command, files)) = words.split_first() else {
        print!("{HELP}");
        return Ok(());
    };
    match (command.to_string_lossy().as_ref(), files) {
        ("setup", []) => setup::all(&root),
        ("models", []) => models::make_all(&root),
        ("bench", []) => bench::run(&root, &benchmark),
        ("deb", []) => deb::run(&root, attempt),
        ("bundle", []) => bundle::run(&root, &bundled),
        ("bundle", [out]) => {
            bundle::run(&root, &bundle::Options { out: Some(out.into()), ..bundled })
        }
        ("test", []) => test::run(&root),
        ("demo", []) => demo::run(&root, demo::Options { films: None, model }),
        ("demo", [source, result]) => {
            let films = Some((source.into(), result.into()));
            demo::run(&root, demo::Options { films, model })
        }
        (other, _) => bail!("'{other}' with {} file names is no command.\n\n{HELP}", files.len()),
    }
}

/// Words between commas.
fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The checkout that this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}
