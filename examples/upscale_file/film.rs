//! The pipeline, from its start to the last frame.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, bail};
use gst::prelude::*;
use parking_lot::Mutex;

use crate::options::Options;
use crate::output::Output;
use crate::progress::Progress;
use crate::streams::Ends;
use crate::video::Video;

/// How often the bar moves and Ctrl-C is looked for.
const TICK: gst::ClockTime = gst::ClockTime::from_mseconds(100);

/// One file on its way into another. Dropped, it stops and closes both.
pub struct Film {
    pipeline: gst::Pipeline,
    video: Video,
}

impl Film {
    /// Makes the pipeline.
    ///
    /// # Errors
    /// An element that is missing, a property that does not fit.
    pub fn new(options: &Options, output: &Output) -> Result<Self> {
        let video = Video::new(options)?;
        let source = make("filesrc")?;
        source.set_property("location", text(&options.input)?);
        let parser = make("parsebin")?;
        let queue = make("multiqueue")?;
        // Grows while another stream has nothing, up to the bytes: no time counts, because sound can lie far from its picture.
        queue.set_property("max-size-buffers", 64u32);
        queue.set_property("max-size-bytes", 256u32 << 20);
        queue.set_property("max-size-time", 0u64);
        let muxer = make(output.muxer())?;
        if output.muxer() != "matroskamux" {
            muxer.set_property("faststart", true);
            muxer.set_property("faststart-file", text(&output.frames())?);
        }
        let sink = make("filesink")?;
        sink.set_property("location", text(output.part())?);

        let pipeline = gst::Pipeline::new();
        pipeline.add_many([&source, &parser, &queue, &video.bin, &muxer, &sink])?;
        source.link(&parser)?;
        muxer.link(&sink)?;
        let ends = Ends { pipeline: pipeline.downgrade(), queue, video: video.bin.clone(), muxer };
        link_when_known(&parser, ends);
        Ok(Self { pipeline, video })
    }

    /// Runs to the end; the figures, or none where the user cancelled.
    ///
    /// # Errors
    /// What any element says; frames that were lost.
    pub fn run(&self, cancelled: &AtomicBool) -> Result<Option<String>> {
        let bus = self.pipeline.bus().context("the pipeline has no bus")?;
        let mut progress = Progress::new();
        // The cause of a failure is on the bus.
        let started = self.pipeline.set_state(gst::State::Playing);
        loop {
            if cancelled.load(Ordering::SeqCst) {
                progress.finish();
                return Ok(None);
            }
            let message = bus.timed_pop(if started.is_ok() { TICK } else { gst::ClockTime::ZERO });
            match message.as_ref().map(|message| message.view()) {
                Some(gst::MessageView::Warning(w)) => progress.warn(w.error().message()),
                Some(gst::MessageView::Error(e)) => {
                    progress.finish();
                    bail!("{}", explain(e));
                }
                Some(gst::MessageView::Eos(_)) => {
                    progress.finish();
                    self.video.check_frames()?;
                    return Ok(Some(self.video.figures()));
                }
                None if started.is_err() => bail!("the pipeline could not be started"),
                _ => {}
            }
            let frames = self.video.counts.upscaled.load(Ordering::SeqCst);
            progress.show(frames, self.video.share());
        }
    }
}

impl Drop for Film {
    fn drop(&mut self) {
        // Nothing is lost by a failure here: what is complete was checked before.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// Links the streams as soon as all are known: parsebin lets nothing out before, so the first that comes out is the sign.
fn link_when_known(parser: &gst::Element, ends: Ends) {
    let streams = Arc::new(Mutex::new(Some(Vec::new())));
    parser.connect_pad_added(move |_, pad| {
        match &mut *streams.lock() {
            Some(streams) => streams.push(pad.clone()),
            None => return ends.link_late(pad),
        }
        let (streams, ends) = (streams.clone(), ends.clone());
        let blocked = gst::PadProbeType::BLOCK | gst::PadProbeType::DATA_DOWNSTREAM;
        pad.add_probe(blocked, move |_, _| {
            // Held while streams are linked, so that the others wait for their turn.
            let mut streams = streams.lock();
            if let Some(streams) = streams.take() {
                ends.link(&streams);
            }
            gst::PadProbeReturn::Remove
        });
    });
}

fn make(name: &str) -> Result<gst::Element> {
    gst::ElementFactory::make(name).build().with_context(|| {
        format!("GStreamer has no element {name}; install Debian's packages gstreamer1.0-plugins-base and -good, or what your system calls them")
    })
}

/// GStreamer's file names are text.
fn text(path: &std::path::Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is not UTF-8; rename it", path.display()))
}

/// What an error message says, with the reason where the message alone says nothing.
fn explain(message: &gst::message::Error) -> String {
    let error = message.error();
    let text = error.message().to_owned();
    let is_vague = error.matches(gst::StreamError::Failed);
    let debug = message.debug().unwrap_or_default();
    match debug.lines().last().filter(|_| is_vague && debug.lines().count() > 1) {
        Some(reason) => format!("{text} ({reason})"),
        None => text,
    }
}
