//! Upscales a video file: `cargo run --release --example upscale_file -- IN OUT`.
//!
//! Sound, subtitles and chapters are copied; the video goes through `kizunasr` and x264, segment by segment. What is done is
//! safe: stopped or killed at any moment, the same command goes on where it was, and the file is the same byte for byte. The
//! plugin is linked in, so nothing needs to be installed.
//!
//! ```text
//! options.rs      the command line
//! output.rs       the name to write to
//! film.rs         all of it in order:
//!   survey.rs       what is in the film, picture by picture, without decoding it
//!     access.rs       where decoding can begin
//!   cut.rs          where the film is cut into segments
//!   work.rs         the folder OUT.part: what is done is safe there
//!     manifest.rs     what it depends on
//!     packets.rs      a finished segment's file
//!   upscale.rs      a pipeline for each segment: its pictures ! video.rs ! its file
//!     video.rs        decoder ! kizunasr ! x264enc, and the count of frames
//!   join.rs         segments and all other streams ! muxer ! one file
//!     streams.rs      how the muxer takes each stream
//!     text.rs         subtitles as muxers take them
//!     matroska.rs     attachments, and text of tags, which the muxer cannot do
//!     stamp.rs        no date in MP4, so that two runs give the same file
//!   verify.rs       the file is surveyed and compared before it gets its name
//! demux.rs        films taken apart
//! pipeline.rs     what all pipelines have in common
//! progress.rs     the bar
//! ```

mod access;
mod cut;
mod demux;
mod film;
mod join;
mod manifest;
mod matroska;
mod options;
mod output;
mod packets;
mod pipeline;
mod progress;
mod stamp;
mod streams;
mod survey;
mod text;
mod upscale;
mod verify;
mod video;
mod work;

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use film::Outcome;
use options::Options;
use progress::Progress;

/// What shells expect of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("cancelled: run the same command again to go on");
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
    let stop = stopped_by_user()?;
    gst::init().context("cannot start GStreamer")?;
    gstkizuna::plugin_register_static().context("cannot register the plugin")?;

    let mut progress = Progress::new();
    let outcome = film::export(&options, &stop, &mut progress);
    progress.finish();
    match outcome? {
        // The film is there, whether anybody reads this or not.
        Outcome::Done(figures) => {
            let _ = writeln!(std::io::stdout(), "{figures} out={}", options.output.display());
        }
        Outcome::Stopped => return Ok(false),
    }
    Ok(true)
}

/// A flag that Ctrl-C raises. The second Ctrl-C ends the program at once; the work folder is made for that.
fn stopped_by_user() -> Result<Arc<AtomicBool>> {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
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
