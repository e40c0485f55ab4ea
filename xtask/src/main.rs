//! `cargo xtask`: what cargo itself cannot say. Run it without arguments for the list of commands.

mod bench;
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
    let mut args = lexopt::Parser::from_env();
    while let Some(argument) = args.next()? {
        match argument {
            Value(word) => words.push(word),
            Long("model") => model = Some(args.value()?),
            Long("quick") => benchmark.quick = true,
            Long("only") => benchmark.only = Some(args.value()?.string()?),
            Long("try") => attempt = true,
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
        ("test", []) => test::run(&root),
        ("demo", []) => demo::run(&root, demo::Options { films: None, model }),
        ("demo", [source, result]) => {
            let films = Some((source.into(), result.into()));
            demo::run(&root, demo::Options { films, model })
        }
        (other, _) => bail!("'{other}' with {} file names is no command.\n\n{HELP}", files.len()),
    }
}

/// The checkout that this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}
