//! Frames done, frames a second, time left: a bar on a terminal, else a plain line now and then.

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// What the user watches.
pub struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    /// Frames of the film.
    total: u64,
    /// Frames of finished segments.
    finished: u64,
    /// When the first frame was done, and which it was; what came before was preparation.
    began: Option<(Instant, u64)>,
    last_line: Instant,
    /// Each segment has elements of its own, which say the same again.
    warnings: RefCell<HashSet<String>>,
}

impl Progress {
    /// A bar that shows nothing yet.
    pub fn new() -> Self {
        let is_terminal = stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::new(1) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("  [{bar:30}] {percent}% {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self {
            bar,
            is_terminal,
            total: 0,
            finished: 0,
            began: None,
            last_line: Instant::now(),
            warnings: RefCell::default(),
        }
    }

    /// How many frames there are to be done.
    pub fn expect(&mut self, total: u64) {
        self.total = total;
        self.bar.set_length(total.max(1));
    }

    /// Counts the frames of a segment that is finished.
    pub fn skip(&mut self, frames: u64) {
        self.finished += frames;
    }

    /// Shows that `frames` of the segment at work are done.
    pub fn show(&mut self, frames: u64) {
        let done = (self.finished + frames).min(self.total);
        if frames == 0 && self.began.is_none() {
            return self.draw(done, format!("{done} of {} frames", self.total));
        }
        let &mut (began, first) = self.began.get_or_insert((Instant::now(), done));
        let elapsed = began.elapsed().as_secs_f64();
        let mut text = format!("{done} of {} frames", self.total);
        if done > first && elapsed > 0.0 {
            let speed = (done - first) as f64 / elapsed;
            let left = (self.total - done) as f64 / speed;
            text += &format!(", {speed:.2} fps, {} left", clock(left));
        }
        self.draw(done, text);
    }

    fn draw(&mut self, done: u64, text: String) {
        if self.is_terminal {
            self.bar.set_position(done);
            self.bar.set_message(text);
        } else if self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            eprintln!("  {:.0}% {text}", 100.0 * done as f64 / self.total.max(1) as f64);
        }
    }

    /// Prints a warning above the bar, once, whatever numbers are in it.
    pub fn warn(&self, text: &str) {
        let without_numbers: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
        if self.warnings.borrow_mut().insert(without_numbers) {
            self.say(&format!("warning: {text}"));
        }
    }

    /// Prints a line above the bar.
    pub fn say(&self, text: &str) {
        self.bar.suspend(|| eprintln!("{text}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

fn clock(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}
