//! Frames done, frames a second, time left: a bar on a terminal, else a plain line now and then.

use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Time between plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

/// Parts of the bar: what is known is a share of the duration, not a number of frames.
const PARTS: u64 = 1000;

/// What the user watches.
pub struct Progress {
    bar: ProgressBar,
    is_terminal: bool,
    /// When the first frame was done; what came before was preparation.
    began: Option<(Instant, u64)>,
    last_line: Instant,
}

impl Progress {
    /// A bar that shows nothing yet.
    pub fn new() -> Self {
        let is_terminal = stderr().is_terminal();
        let bar = if is_terminal { ProgressBar::new(PARTS) } else { ProgressBar::hidden() };
        let style = ProgressStyle::with_template("  [{bar:30}] {percent}% {msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
        Self { bar, is_terminal, began: None, last_line: Instant::now() }
    }

    /// Shows that `frames` are done, and which `share` of the film that is, where it is known.
    pub fn show(&mut self, frames: u64, share: Option<f64>) {
        if frames == 0 {
            return;
        }
        let &mut (began, first) = self.began.get_or_insert((Instant::now(), frames));
        let elapsed = began.elapsed().as_secs_f64();
        let mut text = format!("{frames} frames");
        if frames > first && elapsed > 0.0 {
            text += &format!(", {:.2} fps", (frames - first) as f64 / elapsed);
        }
        if let Some(share) = share.filter(|share| *share > 0.0 && frames > first) {
            text += &format!(", {} left", clock(elapsed / share * (1.0 - share)));
        }
        self.draw(text, share);
    }

    fn draw(&mut self, text: String, share: Option<f64>) {
        if self.is_terminal {
            self.bar.set_position((share.unwrap_or(0.0) * PARTS as f64) as u64);
            self.bar.set_message(text);
        } else if self.last_line.elapsed() >= PLAIN_EVERY {
            self.last_line = Instant::now();
            match share {
                Some(share) => eprintln!("  {:.0}% {text}", 100.0 * share),
                None => eprintln!("  {text}"),
            }
        }
    }

    /// Prints a warning above the bar.
    pub fn warn(&self, text: &str) {
        self.bar.suspend(|| eprintln!("warning: {text}"));
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
