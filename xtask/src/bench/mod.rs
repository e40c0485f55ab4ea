//! `cargo xtask bench`: kizunasr beside its peers, in one run, on the same network and frames.
//!
//! ```text
//! cases.rs    what is measured
//! clips.rs    on which frames
//! peers.rs    beside whom
//! runners.rs  how a run is made (benches/pipeline.rs, benches/peers/)
//! figures.rs  what it took
//! race.rs     the runs of one case, alternating
//! compare.rs  how much two results differ
//! machine.rs  on what
//! report.rs   the table, in benches/results and README; svg.rs, the plot
//! ```

mod cases;
mod clips;
mod compare;
mod figures;
mod machine;
mod peers;
mod race;
mod report;
mod runners;
mod svg;

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::{models, progress, setup, test};
use clips::Studio;
use machine::Machine;
use peers::Peers;
use report::Report;

/// What the user asked for.
#[derive(Debug, Default)]
pub struct Options {
    /// A few cases, once each: some minutes instead of a quarter of an hour.
    pub quick: bool,
    /// Only cases whose name holds this; README is left alone then, as with `quick`.
    pub only: Option<String>,
}

/// Sets up, builds, runs everything, and writes the report.
///
/// # Errors
/// If a step fails. A runner that fails is a note in the report, not an error.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    let cases: Vec<_> = cases::all(options.quick)
        .into_iter()
        .filter(|case| options.only.as_ref().is_none_or(|word| case.name().contains(word)))
        .collect();
    ensure!(!cases.is_empty(), "no case's name holds '{}'", options.only.as_deref().unwrap_or(""));
    setup::all(root)?;
    let pipeline = build(root, "pipeline")?;
    let begun = Instant::now();

    progress::step("peers and clips");
    let peers = Peers::prepare(&root.join("target/bench/peers"));
    let mut report = Report::new(Machine::look(root));
    if let Err(why) = &peers {
        report.note(format!("The peers were skipped: {why:#}"));
    } else {
        models::wheels(root)?;
    }
    let studio = Studio { folder: root.join("target/bench/clips") };
    let film = race::Course {
        root: root.to_owned(),
        pipeline,
        peers: peers.as_ref().ok(),
        studio,
        seconds: if options.quick { 2.0 } else { 2.5 },
    };
    for case in &cases {
        progress::step(&case.name());
        match film.race(case) {
            Ok(outcome) => report.add(outcome),
            Err(why) => report.note(format!("{} was skipped: {why:#}", case.name())),
        }
    }
    report.minutes = begun.elapsed().as_secs_f64() / 60.0;
    report.write(root, !options.quick && options.only.is_none())
}

/// Builds the plugin and the benchmark `name`, and says where that is.
///
/// # Errors
/// If it does not build.
pub fn build(root: &Path, name: &str) -> Result<PathBuf> {
    progress::step(&format!("building the plugin and the benchmark {name} (release)"));
    let mut cargo = test::cargo(root);
    cargo.args(["build", "--release", "--locked", "--lib", "--bench", name]);
    cargo.arg("--message-format=json-render-diagnostics");
    let output = cargo.stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "cargo ended with {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let program = text.split("\"executable\":\"").nth(1).and_then(|rest| rest.split('"').next());
    program.map(PathBuf::from).context("cargo does not say where the program is")
}
