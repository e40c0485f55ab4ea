//! Clips, and what flows through the bin.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gst::prelude::*;

pub use crate::pipelines::*;

/// A watchdog, not an expectation.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    until_seen(what, || if holds() { Ok(()) } else { Err(String::new()) });
}

/// The same, where what is seen instead is of interest.
pub fn until_seen(what: &str, mut look: impl FnMut() -> Result<(), String>) {
    let begun = Instant::now();
    while let Err(seen) = look() {
        assert!(begun.elapsed() < PATIENCE, "{what} never comes; {seen}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A short film of `frames` frames of moving bars and noise, 96x54 at 25/s, losslessly coded.
pub fn clip(dir: &Path, frames: usize) -> PathBuf {
    let path = dir.join("clip.mkv");
    let said = play(&format!(
        "videotestsrc num-buffers={frames} pattern=smpte horizontal-speed=3 \
         ! video/x-raw,format=I420,width=96,height=54,framerate=25/1 \
         ! x264enc speed-preset=ultrafast quantizer=0 key-int-max=10 ! matroskamux ! filesink location={}",
        path.display()
    ));
    assert!(said.errors.is_empty(), "{said:?}");
    path
}

/// A pipeline, and its element named `u`.
pub fn pipeline(line: &str) -> (gst::Pipeline, gst::Element) {
    init();
    let pipeline = gst::parse::launch(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    let pipeline = pipeline.downcast::<gst::Pipeline>().unwrap();
    let upscale = pipeline.by_name("u").unwrap();
    (pipeline, upscale)
}

/// Time stamps of what passes a pad since the last flush.
pub type Times = Arc<Mutex<Vec<gst::ClockTime>>>;

pub fn times(pad: &gst::Pad) -> Times {
    let times = Times::default();
    let noted = times.clone();
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH;
    pad.add_probe(mask, move |_, info| {
        let mut noted = noted.lock().unwrap();
        if let Some(buffer) = info.buffer() {
            noted.push(buffer.pts().unwrap());
        } else if info.event().is_some_and(|e| e.type_() == gst::EventType::FlushStop) {
            noted.clear();
        }
        gst::PadProbeReturn::Ok
    });
    times
}

pub fn frames_of(upscale: &gst::Element, child: &str) -> u64 {
    stat::<gst::Structure>(upscale, child).get("frames").unwrap()
}

/// What a sink shows.
pub fn shown(sink: &gst::Element) -> Option<(gst::ClockTime, Vec<u8>)> {
    let sample = sink.property::<Option<gst::Sample>>("last-sample")?;
    let buffer = sample.buffer()?;
    Some((buffer.pts()?, buffer.map_readable().ok()?.to_vec()))
}

/// PSNR of 8-bit samples, in dB.
pub fn psnr(a: &[u8], b: &[u8]) -> f64 {
    assert_eq!(a.len(), b.len());
    let square = |(a, b): (&u8, &u8)| f64::from(a.abs_diff(*b)).powi(2);
    let mean = a.iter().zip(b).map(square).sum::<f64>() / a.len() as f64;
    10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
}

/// The frames that `element` makes of a film, by their time stamps.
pub fn reference(clip: &Path, element: &str) -> Vec<(gst::ClockTime, Vec<u8>)> {
    reference_of(clip, element, "video/x-raw,format=I420")
}

/// The same in another format.
pub fn reference_of(clip: &Path, element: &str, format: &str) -> Vec<(gst::ClockTime, Vec<u8>)> {
    init();
    let line = format!(
        "filesrc location={} ! decodebin ! {element} ! {format} ! fakesink name=sink sync=false",
        clip.display()
    );
    let pipeline = gst::parse::launch(&line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sink = pipeline.by_name("sink").unwrap();
    let frames = Arc::new(Mutex::new(Vec::new()));
    let noted = frames.clone();
    sink.static_pad("sink").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let buffer = info.buffer().unwrap();
        let frame = (buffer.pts().unwrap(), buffer.map_readable().unwrap().to_vec());
        noted.lock().unwrap().push(frame);
        gst::PadProbeReturn::Ok
    });
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty(), "{said:?}");
    std::mem::take(&mut *frames.lock().unwrap())
}

/// The frame of a time stamp; sources round differently.
pub fn at(frames: &[(gst::ClockTime, Vec<u8>)], time: gst::ClockTime) -> &[u8] {
    let distance = |t: &gst::ClockTime| t.nseconds().abs_diff(time.nseconds());
    &frames.iter().min_by_key(|(t, _)| distance(t)).unwrap().1
}
