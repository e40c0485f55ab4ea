//! Where the streams beside the video go: to the muxer, as they are where it takes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

use crate::demux::{link_to_nowhere, media_type, stream_id};
use crate::pipeline::{bin, pad};
use crate::text::{self, Tags};

/// The elements between which streams are linked.
#[derive(Clone)]
pub struct Ends {
    /// Where all is; it must not be kept alive by what is in it.
    pub pipeline: glib::WeakRef<gst::Pipeline>,
    /// Keeps streams that come in other portions than the muxer takes them from waiting for each other forever.
    pub queue: gst::Element,
    /// The id of the video, which is upscaled already.
    pub video: String,
    /// Where all streams end.
    pub muxer: gst::Element,
    /// What the video must wait for: that all streams are linked, as muxers take no more of them once they have begun, and that
    /// each has brought its first packet, as what is said about a stream must be there before it is written down.
    pub missing: Arc<AtomicUsize>,
}

impl Ends {
    /// Links every stream of a file. What cannot be done is an error on the bus.
    pub fn link(&self, streams: &[gst::Pad]) {
        self.report(self.link_all(streams));
        self.missing.fetch_sub(1, Ordering::SeqCst);
    }

    /// Handles a stream that comes when the new file has been begun.
    pub fn link_late(&self, stream: &gst::Pad) {
        self.report(self.drop_stream(stream, "it begins in the middle of the file"));
    }

    fn report(&self, result: Result<()>) {
        if let Err(error) = result {
            gst::element_error!(self.muxer, gst::StreamError::Mux, ("{error:#}"));
        }
    }

    fn link_all(&self, streams: &[gst::Pad]) -> Result<()> {
        for stream in streams {
            let media = media_type(stream);
            if stream_id(stream) == self.video {
                link_to_nowhere(&self.pipeline()?, stream)?;
            } else if media.starts_with("video/") || media.starts_with("image/") {
                self.drop_stream(stream, "only the first video is upscaled")?;
            } else {
                self.link_other(stream)?;
            }
        }
        Ok(())
    }

    /// Sound, subtitles and whatever else there may be.
    fn link_other(&self, stream: &gst::Pad) -> Result<()> {
        let caps = stream.current_caps().unwrap_or_else(gst::Caps::new_empty);
        let media = media_type(stream);
        let is_text = media == "text/x-raw";
        // Its parser brings AAC into the form that the muxer wants.
        let is_aac = media == "audio/mpeg" && is_mpeg4(&caps);
        let offered = match () {
            () if is_text => text::caps(),
            () if is_aac => without_form(caps),
            () => caps,
        };
        let Some(sink) = muxer_pad(&self.muxer, &offered) else {
            return self.link_unfit(stream, &media);
        };
        self.await_first(&sink);
        if is_text {
            let is_matroska = self.muxer.factory().is_some_and(|f| f.name() == "matroskamux");
            text::make_plain(stream, if is_matroska { Tags::Kept } else { Tags::Removed });
        }
        if is_aac {
            return self.link_by(
                stream,
                "aacparse name=first ! identity name=last silent=true",
                &sink,
            );
        }
        // Without a look at caps: those of text change on the way, and the others were compared above.
        self.through_queue(stream)?.link_full(&sink, gst::PadLinkCheck::HIERARCHY)?;
        Ok(())
    }

    /// What the muxer does not take.
    fn link_unfit(&self, stream: &gst::Pad, media: &str) -> Result<()> {
        let remedy = "an OUT that ends in .mkv keeps more kinds of streams";
        let aac = gst::Caps::builder("audio/mpeg").field("mpegversion", 4).build();
        let sink = media.starts_with("audio/").then(|| muxer_pad(&self.muxer, &aac)).flatten();
        let Some(sink) = sink else {
            return self
                .drop_stream(stream, &format!("this kind of file cannot hold it; {remedy}"));
        };
        self.await_first(&sink);
        self.warn(&format!(
            "{} is converted to AAC, as this kind of file cannot hold it; {remedy}",
            describe(stream)
        ));
        let convert = "decodebin name=first ! audioconvert ! audioresample ! avenc_aac bitrate=256000 ! aacparse name=last";
        self.link_by(stream, convert, &sink)
    }

    /// Counts a stream as missing until something comes out of it, if only the news that nothing will.
    fn await_first(&self, sink: &gst::Pad) {
        self.missing.fetch_add(1, Ordering::SeqCst);
        let missing = self.missing.clone();
        let wanted = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
        sink.add_probe(wanted, move |_, info| {
            let is_first = info.event().is_none_or(|event| {
                matches!(event.type_(), gst::EventType::Gap | gst::EventType::Eos)
            });
            if !is_first {
                return gst::PadProbeReturn::Ok;
            }
            missing.fetch_sub(1, Ordering::SeqCst);
            gst::PadProbeReturn::Remove
        });
    }

    /// Through the queue and the elements of a description.
    fn link_by(&self, stream: &gst::Pad, description: &str, sink: &gst::Pad) -> Result<()> {
        let bin =
            bin(description).with_context(|| format!("{} cannot be handled", describe(stream)))?;
        self.add(&bin)?;
        self.through_queue(stream)?.link(&pad(&bin, "sink")?)?;
        pad(&bin, "src")?.link(sink)?;
        bin.sync_state_with_parent()?;
        Ok(())
    }

    fn drop_stream(&self, stream: &gst::Pad, why: &str) -> Result<()> {
        self.warn(&format!("{} is left out: {why}", describe(stream)));
        link_to_nowhere(&self.pipeline()?, stream)
    }

    fn add(&self, element: &impl IsA<gst::Element>) -> Result<()> {
        Ok(self.pipeline()?.add(element)?)
    }

    fn pipeline(&self) -> Result<gst::Pipeline> {
        self.pipeline.upgrade().context("the pipeline is gone")
    }

    /// Links a stream to the queue; where it comes out of it.
    fn through_queue(&self, stream: &gst::Pad) -> Result<gst::Pad> {
        let sink = self.queue.request_pad_simple("sink_%u").context("the queue gives no pad")?;
        stream.link(&sink)?;
        pad(&self.queue, &sink.name().replace("sink", "src"))
    }

    fn warn(&self, text: &str) {
        gst::element_warning!(self.muxer, gst::StreamError::Mux, ("{text}"));
    }
}

/// Links the streams as soon as all are known: parsebin lets nothing out before, so the first that comes out is the sign.
pub fn link_when_known(parser: &gst::Element, ends: Ends) {
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

/// A pad of the muxer for streams of these caps; none where it takes no such streams.
pub fn muxer_pad(muxer: &gst::Element, caps: &gst::Caps) -> Option<gst::Pad> {
    let template = muxer.pad_template_list().into_iter().find(|template| {
        template.direction() == gst::PadDirection::Sink && template.caps().can_intersect(caps)
    })?;
    muxer.request_pad(&template, None, None)
}

/// "the stream audio/x-flac"
fn describe(stream: &gst::Pad) -> String {
    format!("the stream {}", media_type(stream))
}

fn is_mpeg4(caps: &gst::CapsRef) -> bool {
    caps.structure(0)
        .and_then(|s| s.get::<i32>("mpegversion").ok())
        .is_some_and(|v| v == 2 || v == 4)
}

fn without_form(mut caps: gst::Caps) -> gst::Caps {
    for structure in caps.make_mut().iter_mut() {
        structure.remove_fields(["stream-format", "framed", "mpegversion"]);
    }
    caps
}
