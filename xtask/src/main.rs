//! `cargo xtask`: what cargo itself cannot say. Run it without arguments for the list of commands.

mod fetch;
mod models;
mod progress;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND

  setup          system packages, inference runtimes and models; what is there already is left alone
  models         the models alone
  demo           setup, then a short anime clip upscaled, with a before/after picture
  demo IN OUT    the same for your own video file; --model NAME chooses the network
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
    let mut args = lexopt::Parser::from_env();
    let Some(Value(command)) = args.next()? else {
        print!("{HELP}");
        return Ok(());
    };
    match command.to_string_lossy().as_ref() {
        "models" => models::make_all(&root),
        other => bail!("there is no command '{other}'.\n\n{HELP}"),
    }
}

/// The checkout that this program was built from.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}
