//! Plays a film through `kizunaupscale profile=hybrid`: `cargo run --release --example play -- FILE_OR_URI`.
//!
//! Stages, quality and before/after are changed by keys while it plays; `--help` lists them. On pause the network upscales the
//! frame on show. The plugin is linked in, so nothing
//! needs to be installed.
//!
//! ```text
//! options.rs   the command line
//! player.rs    playbin3, and the loop that listens to it and to the viewer
//!   filter.rs  its video-filter: kizunaupscale ! textoverlay
//!   split.rs   split.glsl, which shows before and after
//!   report.rs  errors and warnings in words
//! state.rs     what the viewer has chosen
//!   keys.rs    which key does what
//! figures.rs   what is drawn on the picture
//! terminal.rs  keys and a line in the terminal
//! ```

mod figures;
mod filter;
mod keys;
mod options;
mod player;
mod report;
mod split;
mod state;
mod terminal;

use std::process::ExitCode;
use std::sync::mpsc;

use anyhow::{Context, Result};

use options::Options;
use player::Player;
use terminal::Terminal;

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
    let Some(options) = Options::from_command_line()? else { return Ok(()) };
    gst::init().context("cannot start GStreamer")?;
    gstkizuna::plugin_register_static().context("cannot register the plugin")?;

    let (sender, keys) = mpsc::channel();
    let quit = sender.clone();
    ctrlc::set_handler(move || {
        // It fails only when the player is gone.
        let _ = quit.send("q".into());
    })
    .context("cannot listen for Ctrl-C")?;
    let mut player = Player::new(&options, sender.clone())?;
    let mut terminal = Terminal::open(sender);
    player.run(&keys, &mut terminal)
}
