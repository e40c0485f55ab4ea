//! Films taken apart: `filesrc ! parsebin`, and its streams.

use std::path::Path;

use anyhow::{Result, bail};
use gst::prelude::*;

use crate::pipeline::{Running, TICK, make, nowhere, pad, text};
use crate::progress::Progress;
use crate::survey::Stream;

/// Coded pictures that wait for the one who asked for them.
const WAITING: u32 = 64;

/// A pipeline that takes a file apart, and the element whose pads are its streams.
///
/// # Errors
/// An element that is missing.
pub fn open(file: &Path) -> Result<(gst::Pipeline, gst::Element)> {
    let source = make("filesrc")?;
    source.set_property("location", text(file)?);
    let parser = make("parsebin")?;
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, &parser])?;
    source.link(&parser)?;
    Ok((pipeline, parser))
}

/// "audio/x-flac"
pub fn media_type(pad: &gst::Pad) -> String {
    let caps = pad.current_caps();
    let name = caps.and_then(|caps| caps.structure(0).map(|s| s.name().to_string()));
    name.unwrap_or_else(|| "unknown".into())
}

/// The same for the same stream of the same file, whenever it is opened.
pub fn stream_id(pad: &gst::Pad) -> String {
    pad.stream_id().map(Into::into).unwrap_or_default()
}

/// The coded pictures of a film, from its beginning.
pub struct Pictures {
    running: Running,
    sink: gst_app::AppSink,
    timeline: Option<gst::Segment>,
}

impl Pictures {
    /// Opens the film; `video` is the stream that is wanted.
    ///
    /// # Errors
    /// An element that is missing.
    pub fn open(film: &Path, video: &Stream) -> Result<Self> {
        let (pipeline, parser) = open(film)?;
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(WAITING).build();
        // Without it the pipeline would wait for a stream that comes late.
        sink.set_async(false);
        pipeline.add(&sink)?;
        let timeline = video.timeline().cloned();
        let (weak, wanted, video) = (pipeline.downgrade(), video.id.clone(), sink.downgrade());
        parser.connect_pad_added(move |parser, stream| {
            let (Some(pipeline), Some(video)) = (weak.upgrade(), video.upgrade()) else { return };
            let is_video =
                stream_id(stream) == wanted && !pad(&video, "sink").is_ok_and(|p| p.is_linked());
            let linked = if is_video {
                pad(&video, "sink").and_then(|sink| Ok(stream.link(&sink).map(|_| ())?))
            } else {
                link_to_nowhere(&pipeline, stream)
            };
            if let Err(error) = linked {
                gst::element_error!(parser, gst::StreamError::Demux, ("{error:#}"));
            }
        });
        Ok(Self { running: Running::start(pipeline)?, sink, timeline })
    }

    /// The next coded picture with its caps and times; none where there is none yet.
    ///
    /// # Errors
    /// If the film cannot be read, or ends here.
    pub fn next(&self, progress: &Progress) -> Result<Option<gst::Sample>> {
        if let Some(sample) = self.sink.try_pull_sample(TICK) {
            return Ok(Some(self.corrected(sample)));
        }
        if self.running.poll(gst::ClockTime::ZERO, progress)? || self.sink.is_eos() {
            bail!("the film is shorter than it was a moment ago");
        }
        Ok(None)
    }
}

impl Pictures {
    /// A sample on the stream's own timeline.
    fn corrected(&self, sample: gst::Sample) -> gst::Sample {
        let Some(timeline) = &self.timeline else { return sample };
        let builder = gst::Sample::builder().segment(timeline);
        match (sample.buffer_owned(), sample.caps_owned()) {
            (Some(buffer), Some(caps)) => builder.buffer(&buffer).caps(&caps).build(),
            _ => sample,
        }
    }
}

/// Lets a stream run into nothing.
///
/// # Errors
/// If it cannot be linked.
pub fn link_to_nowhere(pipeline: &gst::Pipeline, stream: &gst::Pad) -> Result<()> {
    let sink = nowhere()?;
    pipeline.add(&sink)?;
    stream.link(&pad(&sink, "sink")?)?;
    sink.sync_state_with_parent()?;
    Ok(())
}
