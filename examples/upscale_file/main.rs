//! Upscales a video file: `cargo run --release --example upscale_file -- IN OUT`.
//!
//! Sound and subtitles are copied; the video goes through `kizunasr` and x264. The plugin is linked in, so nothing needs to
//! be installed.
//!
//! ```text
//! options.rs   the command line
//! output.rs    OUT.part, which becomes OUT when it is complete
//! film.rs      the pipeline: filesrc ! parsebin ! multiqueue ! (video | everything else) ! muxer ! filesink
//!   streams.rs which stream goes where
//!   video.rs   decoder ! kizunasr ! x264enc, and the count of frames
//!   text.rs    subtitles as muxers take them
//! progress.rs  the bar
//! ```

mod film;
mod options;
mod output;
mod progress;
mod streams;
mod text;
mod video;

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use film::Film;
use options::Options;
use output::Output;

/// What shells expect of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("cancelled: no file was written");
            ExitCode::from(INTERRUPTED)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the work was done; it is not where the user cancelled it.
fn run() -> Result<bool> {
    let Some(options) = Options::from_command_line()? else { return Ok(true) };
    let output = Arc::new(Output::create(&options)?);
    let cancelled = cancelled_by_user(&output)?;

    gst::init().context("cannot start GStreamer")?;
    gstkizuna::plugin_register_static().context("cannot register the plugin")?;

    let film = Film::new(&options, &output)?;
    let Some(figures) = film.run(&cancelled)? else { return Ok(false) };
    // Closes the file.
    drop(film);
    output.complete()?;
    println!("{figures} out={}", options.output.display());
    Ok(true)
}

/// A flag that Ctrl-C raises. The second Ctrl-C ends the program at once.
fn cancelled_by_user(output: &Arc<Output>) -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    // The handler lives as long as the program, and must not keep the file alive as well.
    let output = Arc::downgrade(output);
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            if let Some(output) = output.upgrade() {
                output.remove();
            }
            abort();
        }
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(flag)
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is a program, and its user has said twice to stop"
)]
fn abort() -> ! {
    std::process::exit(INTERRUPTED.into())
}
