//! The element at its quickest, models and clips.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

pub use crate::pipelines::*;
use crate::zoo;

/// The quickest element there is, for a launch line.
pub const QUICK: &str = "kizunasr name=sr model=anime4k-m provider=embedded";

pub fn element() -> gst::Element {
    init();
    gst::ElementFactory::make("kizunasr")
        .property("model", "anime4k-m")
        .property_from_str("provider", "embedded")
        .build()
        .unwrap()
}

/// A small model of the zoo as a file; the folder goes with the guard.
pub fn model(name: &str) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = zoo::write(&zoo::case(name), dir.path());
    (dir, path)
}

/// A short H.264 file of `frames` frames, 64x48 at 25/s.
pub fn clip(dir: &Path, frames: usize) -> PathBuf {
    let path = dir.join("clip.mp4");
    let said = play(&format!(
        "videotestsrc num-buffers={frames} pattern=ball ! video/x-raw,format=I420,width=64,height=48,framerate=25/1 \
         ! x264enc speed-preset=ultrafast key-int-max=10 ! mp4mux ! filesink location={}",
        path.display()
    ));
    assert!(said.errors.is_empty(), "{said:?}");
    path
}
