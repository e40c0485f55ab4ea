//! Long steps are shown while they run; their output is shown only where they fail.

use std::io::{IsTerminal, Write, stderr};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};

/// Runs a command quietly behind a line that moves, or that is just printed where nobody watches.
///
/// # Errors
/// If it cannot be started or fails; the message holds the end of its output.
pub fn run(mut command: Command, message: &str) -> Result<()> {
    let spinner = spinner(message);
    let started = Instant::now();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    spinner.finish_and_clear();
    if output.status.success() {
        eprintln!("  {message}: {:.0} s", started.elapsed().as_secs_f32());
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let end = lines[lines.len().saturating_sub(20)..].join("\n");
    bail!("{} ended with {}:\n{end}", command.get_program().display(), output.status)
}

/// Runs a command whose output the user sees.
///
/// # Errors
/// If it cannot be started or fails.
pub fn show(mut command: Command, message: &str) -> Result<()> {
    step(message);
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    if !status.success() {
        bail!("{message}: {} ended with {status}", command.get_program().display());
    }
    Ok(())
}

/// Says what comes now.
pub fn step(message: &str) {
    eprintln!("\n== {message}");
    let _ = stderr().flush();
}

/// A line that moves until it is finished.
pub fn spinner(message: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        eprintln!("  {message} ...");
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("  {spinner} {msg} ({elapsed})");
    let spinner = ProgressBar::new_spinner().with_message(message.to_owned());
    spinner.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}
