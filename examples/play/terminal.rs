//! The terminal: keys without Enter, where it can, and one line that tells how things are.

use std::io::{IsTerminal, Read, Write};
use std::sync::mpsc::Sender;

use crate::keys;

/// Keys come without Enter until this is dropped; where standard input is no terminal of Unix, lines are read.
pub struct Terminal {
    #[cfg(unix)]
    before: Option<rustix::termios::Termios>,
    has_status: bool,
}

impl Terminal {
    /// Sends names of keys from now on.
    pub fn open(sender: Sender<String>) -> Self {
        #[cfg(unix)]
        let before = unix::without_enter();
        std::thread::spawn(move || {
            let mut bytes = [0; 64];
            let mut input = std::io::stdin();
            while let Ok(length @ 1..) = input.read(&mut bytes) {
                for name in keys::names(&bytes[..length]) {
                    if sender.send(name).is_err() {
                        return;
                    }
                }
            }
        });
        Self {
            #[cfg(unix)]
            before,
            has_status: false,
        }
    }

    /// Writes the line anew. Elsewhere than on a terminal it is one line more.
    pub fn status(&mut self, text: &str) {
        let mut out = std::io::stdout();
        // Nobody is left to be told if standard output is closed.
        let _ = match out.is_terminal() {
            true => write!(out, "\r\x1b[K{text}"),
            false => writeln!(out, "{text}"),
        };
        let _ = out.flush();
        self.has_status = out.is_terminal();
    }

    /// Writes lines that stay.
    pub fn say(&mut self, text: &str) {
        if std::mem::take(&mut self.has_status) {
            println!();
        }
        eprintln!("{text}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if self.has_status {
            println!();
        }
        #[cfg(unix)]
        if let Some(before) = &self.before {
            unix::restore(before);
        }
    }
}

#[cfg(unix)]
mod unix {
    use std::io::{IsTerminal, stdin};

    use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

    /// How it was before; none where nothing was changed.
    pub fn without_enter() -> Option<Termios> {
        let before = stdin().is_terminal().then(|| tcgetattr(stdin()).ok()).flatten()?;
        let mut modes = before.clone();
        // Ctrl-C stays what it is.
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        tcsetattr(stdin(), OptionalActions::Now, &modes).ok()?;
        Some(before)
    }

    pub fn restore(before: &Termios) {
        let _ = tcsetattr(stdin(), OptionalActions::Now, before);
    }
}
