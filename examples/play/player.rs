//! playbin with our filter, and the loop that listens to it and to the viewer.

use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gst::prelude::*;

use crate::figures::Figures;
use crate::filter::{Filter, make};
use crate::keys::{self, Action};
use crate::options::Options;
use crate::report;
use crate::state::State;
use crate::terminal::Terminal;

/// How soon keys are looked for.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(50);
/// How often figures are renewed.
const RENEWAL: Duration = Duration::from_secs(1);

/// A film that plays. Dropped, it stops.
pub struct Player {
    playbin: gst::Element,
    filter: Filter,
    state: State,
    figures: Figures,
    is_paused: bool,
}

impl Player {
    /// Makes the pipeline.
    ///
    /// # Errors
    /// An element that is missing, or that does not fit.
    pub fn new(options: &Options, keys: Sender<String>) -> Result<Self> {
        let filter = Filter::new(options, keys)?;
        let state = State::new(options.quality);
        filter.follow(&state);
        let playbin = make("playbin3")?;
        playbin.set_property("uri", &options.uri);
        playbin.set_property("video-filter", &filter.bin);
        playbin.set_property("video-sink", sink(&options.sink)?);
        Ok(Self { playbin, filter, state, figures: Figures::new(), is_paused: false })
    }

    /// Plays to the end, or until the viewer quits.
    ///
    /// # Errors
    /// What any element says.
    pub fn run(&mut self, keys: &Receiver<String>, terminal: &mut Terminal) -> Result<()> {
        let bus = self.playbin.bus().context("the player has no bus")?;
        if !self.filter.can_draw() {
            terminal.say("textoverlay is not installed (Debian: gstreamer1.0-plugins-base): figures are shown here alone");
        }
        // The cause of a failure is on the bus.
        let started = self.playbin.set_state(gst::State::Playing);
        let mut shown = Instant::now();
        loop {
            for action in keys.try_iter().filter_map(|name| keys::action(&name)) {
                if action == Action::Quit {
                    return Ok(());
                }
                self.act(action, terminal);
            }
            match bus.timed_pop(if started.is_ok() { TICK } else { gst::ClockTime::ZERO }) {
                Some(message) if self.hear(&message, terminal)? => return Ok(()),
                None if started.is_err() => bail!("the film could not be started"),
                _ => {}
            }
            if shown.elapsed() >= RENEWAL {
                shown = Instant::now();
                self.show(terminal);
            }
        }
    }

    /// Does what a key asks for.
    fn act(&mut self, action: Action, terminal: &mut Terminal) {
        match action {
            Action::Help => terminal.say(keys::HELP),
            Action::Pause => {
                self.is_paused = !self.is_paused;
                self.play();
            }
            Action::Seek(seconds) => self.seek(seconds, terminal),
            _ => {
                self.state.apply(action);
                self.filter.follow(&self.state);
                // No frame comes by itself that would show the change.
                if self.is_paused {
                    self.seek(0, terminal);
                }
                self.show(terminal);
            }
        }
    }

    fn play(&self) {
        let wanted = if self.is_paused { gst::State::Paused } else { gst::State::Playing };
        // The cause of a failure is on the bus.
        let _ = self.playbin.set_state(wanted);
    }

    fn seek(&self, seconds: i64, terminal: &mut Terminal) {
        let Some(now) = self.playbin.query_position::<gst::ClockTime>() else { return };
        let by = gst::ClockTime::from_seconds(seconds.unsigned_abs());
        let to = if seconds < 0 { now.saturating_sub(by) } else { now + by };
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        if self.playbin.seek_simple(flags, to).is_err() {
            terminal.say("in this film one cannot seek");
        }
    }

    /// Draws figures, and writes the terminal's line.
    fn show(&mut self, terminal: &mut Terminal) {
        let lines = self.figures.lines(&self.filter, &self.state);
        if self.state.has_figures {
            terminal.status(&lines[..2].join("; "));
            self.filter.draw(&lines.join("\n"));
        } else {
            self.filter.draw("");
        }
    }

    /// Listens to `message`; whether that was the last one.
    fn hear(&self, message: &gst::Message, terminal: &mut Terminal) -> Result<bool> {
        match message.view() {
            gst::MessageView::Eos(_) => return Ok(true),
            gst::MessageView::Error(e) => bail!(report::error(e)),
            gst::MessageView::Buffering(b) if !self.is_paused => {
                let wanted =
                    if b.percent() < 100 { gst::State::Paused } else { gst::State::Playing };
                let _ = self.playbin.set_state(wanted);
            }
            gst::MessageView::Latency(_) => {
                if let Some(pipeline) = self.playbin.downcast_ref::<gst::Pipeline>() {
                    let _ = pipeline.recalculate_latency();
                }
            }
            _ => {
                if let Some(text) = report::remark(message) {
                    terminal.say(&text);
                }
            }
        }
        Ok(false)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.playbin.set_state(gst::State::Null);
    }
}

/// A sink by its name, or elements that end in one.
fn sink(text: &str) -> Result<gst::Element> {
    if !text.contains([' ', '!']) {
        return make(text);
    }
    let bin = gst::parse::bin_from_description(text, true);
    Ok(bin.with_context(|| format!("--sink {text}"))?.upcast())
}
