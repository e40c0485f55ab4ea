//! A screen that nobody looks at.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// An X server without a monitor.
pub struct Screen {
    server: Child,
    /// As `DISPLAY` has it.
    pub name: String,
}

impl Screen {
    /// `None` where there is no Xvfb.
    pub fn open() -> Option<Self> {
        let mut server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "640x480x24", "-nolisten", "tcp", "-noreset"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let mut number = String::new();
        BufReader::new(server.stdout.take()?).read_line(&mut number).ok()?;
        let name = format!(":{}", number.trim());
        (!number.is_empty()).then_some(Self { server, name })
    }

    /// The upper left corner, as BGRx; by FFmpeg.
    pub fn grab(&self, (width, height): (u32, u32)) -> Vec<u8> {
        let size = format!("{width}x{height}");
        let grabbed = Command::new("ffmpeg")
            .args(["-v", "error", "-f", "x11grab", "-video_size", &size, "-i", &self.name])
            .args(["-frames:v", "1", "-pix_fmt", "bgr0", "-f", "rawvideo", "-"])
            .output()
            .unwrap();
        assert_eq!(grabbed.stdout.len() as u32, 4 * width * height, "{grabbed:?}");
        grabbed.stdout
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
