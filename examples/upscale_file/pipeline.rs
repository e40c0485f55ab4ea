//! What all pipelines here have in common.

use std::path::Path;

use anyhow::{Context, Result, bail};
use gst::prelude::*;

use crate::progress::Progress;

/// How often the bar moves and Ctrl-C is looked for.
pub const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// A pipeline at work. Dropped, it stops.
pub struct Running {
    pipeline: gst::Pipeline,
    bus: gst::Bus,
    could_start: bool,
}

impl Running {
    /// Starts a pipeline.
    ///
    /// # Errors
    /// If it has no bus; why it could not be started is on that.
    pub fn start(pipeline: gst::Pipeline) -> Result<Self> {
        let bus = pipeline.bus().context("the pipeline has no bus")?;
        let could_start = pipeline.set_state(gst::State::Playing).is_ok();
        Ok(Self { pipeline, bus, could_start })
    }

    /// Waits for news as long as `patience`; whether the end was reached. Warnings are shown.
    ///
    /// # Errors
    /// What any element says.
    pub fn poll(&self, patience: gst::ClockTime, progress: &Progress) -> Result<bool> {
        let mut patience = if self.could_start { patience } else { gst::ClockTime::ZERO };
        while let Some(message) = self.bus.timed_pop(patience) {
            match message.view() {
                gst::MessageView::Warning(w) => progress.warn(w.error().message()),
                gst::MessageView::Error(e) => bail!("{}", explain(e)),
                gst::MessageView::Eos(_) => return Ok(true),
                _ => {}
            }
            patience = gst::ClockTime::ZERO;
        }
        match self.could_start {
            true => Ok(false),
            false => bail!("the pipeline could not be started"),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nothing is lost by a failure here: what is complete was checked before.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Where coded frames go in, each with the caps and the segment it came with; as many as `waiting` wait.
pub fn coded_frames(waiting: u64) -> gst_app::AppSrc {
    gst_app::AppSrc::builder()
        .format(gst::Format::Time)
        .handle_segment_change(true)
        .max_buffers(waiting)
        .max_bytes(0)
        .build()
}

/// An element.
///
/// # Errors
/// If it is not installed.
pub fn make(name: &str) -> Result<gst::Element> {
    gst::ElementFactory::make(name).build().with_context(|| {
        format!("GStreamer has no element {name}; install Debian's packages gstreamer1.0-plugins-base and -good, or what your system calls them")
    })
}

/// A sink for streams that nobody wants.
///
/// # Errors
/// If it is not installed.
pub fn nowhere() -> Result<gst::Element> {
    let sink = make("fakesink")?;
    sink.set_property("sync", false);
    sink.set_property("async", false);
    Ok(sink)
}

/// Elements in a bin with a pad on either side: those of the elements that are named `first` and `last`.
///
/// # Errors
/// If an element is not installed.
pub fn bin(description: &str) -> Result<gst::Bin> {
    let bin = gst::parse::bin_from_description(description, false).context(
        "GStreamer lacks an element; Debian's packages gstreamer1.0-plugins-base, -good, -bad, -ugly and \
         gstreamer1.0-libav have all that is needed",
    )?;
    for (name, end) in [("first", "sink"), ("last", "src")] {
        let element = part(&bin, name)?;
        let ghost = gst::GhostPad::builder_with_target(&pad(&element, end)?)?.name(end).build();
        bin.add_pad(&ghost)?;
    }
    Ok(bin)
}

/// An element of a bin.
///
/// # Errors
/// If it has none of that name.
pub fn part(bin: &gst::Bin, name: &str) -> Result<gst::Element> {
    bin.by_name(name).with_context(|| format!("the bin has no {name}"))
}

/// A pad that is always there.
///
/// # Errors
/// If it is not.
pub fn pad(element: &impl IsA<gst::Element>, name: &str) -> Result<gst::Pad> {
    element
        .static_pad(name)
        .with_context(|| format!("{} has no pad {name}", element.as_ref().name()))
}

/// GStreamer's file names are text.
///
/// # Errors
/// If this one is none.
pub fn text(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8; rename it", path.display()))
}

/// When a buffer is shown, in ns since the stream's beginning; before it, where the file says that it is not to be shown.
pub fn running_time(segment: &gst::Segment, buffer: &gst::BufferRef) -> Option<i64> {
    time_of(segment, buffer.pts()?)
}

/// The same for a time as the file has it.
pub fn time_of(segment: &gst::Segment, stamp: gst::ClockTime) -> Option<i64> {
    let segment = segment.downcast_ref::<gst::ClockTime>()?;
    let (ns, sign) = match segment.to_running_time_full(stamp)? {
        gst::Signed::Positive(time) => (time.nseconds(), 1),
        gst::Signed::Negative(time) => (time.nseconds(), -1),
    };
    Some(i64::try_from(ns).ok()? * sign)
}

/// What an error message says, with the reason where the message alone says nothing.
fn explain(message: &gst::message::Error) -> String {
    let error = message.error();
    let text = error.message().to_owned();
    let is_vague = error.matches(gst::StreamError::Failed)
        || error.matches(gst::ResourceError::Write)
        || error.matches(gst::ResourceError::Read);
    let debug = message.debug().unwrap_or_default();
    match debug.lines().last().filter(|_| is_vague && debug.lines().count() > 1) {
        Some(reason) => format!("{text} ({reason})"),
        None => text,
    }
}
