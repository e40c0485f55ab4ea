//! Where the streams beside the video go: to the muxer, as they are where it takes them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result};
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

use crate::demux::{link_to_nowhere, media_type};
use crate::pipeline::{bin, pad};
use crate::survey::Survey;
use crate::text::{self, Tags};

const MATROSKA: &str = "matroskamux";

/// How a stream gets into the new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    Text,
    /// Through its parser, which brings AAC into the form that the muxer wants.
    Aac,
    Converted,
    /// Not at all.
    Left,
}

impl Way {
    /// That of a stream of these caps.
    fn of(caps: &gst::Caps, muxer: &str) -> Self {
        let takes = |caps: &gst::Caps| {
            let muxer = gst::ElementFactory::find(muxer);
            muxer.is_some_and(|muxer| muxer.can_sink_any_caps(caps))
        };
        let media = caps.structure(0).map_or("", |structure| structure.name().as_str());
        let way = match media {
            "text/x-raw" => Self::Text,
            "audio/mpeg" if is_mpeg4(caps) => Self::Aac,
            _ => Self::Plain,
        };
        match way {
            way if takes(&way.offered(caps)) => way,
            _ if media.starts_with("audio/") && takes(&aac()) => Self::Converted,
            _ => Self::Left,
        }
    }

    /// What the muxer is asked to take.
    fn offered(self, caps: &gst::Caps) -> gst::Caps {
        match self {
            Self::Text => text::caps(),
            Self::Aac => without_form(caps.clone()),
            Self::Converted => aac(),
            Self::Plain | Self::Left => caps.clone(),
        }
    }
}

/// What the new file will lack of the film's streams, in words.
///
/// # Errors
/// If there is no video.
pub fn losses(film: &Survey, muxer: &str) -> Result<Vec<String>> {
    let video = &film.video()?.id;
    let mut losses: BTreeMap<_, usize> = BTreeMap::new();
    for stream in film.streams.iter().filter(|stream| stream.id != *video) {
        let loss = match Way::of(&stream.caps, muxer) {
            _ if stream.is_visual() => "left out: only the first video is upscaled",
            Way::Left => "left out, as this kind of file cannot hold it",
            Way::Converted => "converted to AAC, as this kind of file cannot hold it",
            _ => continue,
        };
        let in_matroska = Way::of(&stream.caps, MATROSKA);
        let has_remedy = !stream.is_visual() && ![Way::Left, Way::Converted].contains(&in_matroska);
        let remedy = if has_remedy { "; an OUT that ends in .mkv can" } else { "" };
        *losses.entry((stream.media.clone(), loss, remedy)).or_default() += 1;
    }
    let say = |((media, loss, remedy), count)| match count {
        1 => format!("{media} is {loss}{remedy}"),
        _ => format!("{media} ({count} streams) is {loss}{remedy}"),
    };
    Ok(losses.into_iter().map(say).collect())
}

/// The elements between which streams are linked.
#[derive(Clone)]
pub struct Ends {
    /// Where all is; it must not be kept alive by what is in it.
    pub pipeline: glib::WeakRef<gst::Pipeline>,
    /// Keeps streams that come in other portions than the muxer takes them from waiting for each other forever.
    pub queue: gst::Element,
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
        let text = format!("{} is left out: it begins in mid-film", media_type(stream));
        gst::element_warning!(self.muxer, gst::StreamError::Mux, ("{text}"));
        self.report(self.pipeline().and_then(|pipeline| link_to_nowhere(&pipeline, stream)));
    }

    fn report(&self, result: Result<()>) {
        if let Err(error) = result {
            gst::element_error!(self.muxer, gst::StreamError::Mux, ("{error:#}"));
        }
    }

    fn link_all(&self, streams: &[gst::Pad]) -> Result<()> {
        for stream in streams {
            let media = media_type(stream);
            if media.starts_with("video/") || media.starts_with("image/") {
                link_to_nowhere(&self.pipeline()?, stream)?;
            } else {
                self.link_other(stream)?;
            }
        }
        Ok(())
    }

    /// Sound, subtitles and whatever else there may be. What is lost was said before the work began.
    fn link_other(&self, stream: &gst::Pad) -> Result<()> {
        let muxer = self.muxer.factory().context("the muxer is unknown")?.name();
        let caps = stream.current_caps().unwrap_or_else(gst::Caps::new_empty);
        let way = Way::of(&caps, &muxer);
        if way == Way::Left {
            return link_to_nowhere(&self.pipeline()?, stream);
        }
        let sink = muxer_pad(&self.muxer, &way.offered(&caps));
        let sink = sink.context("the muxer gives no pad")?;
        self.await_first(&sink);
        let elements = match way {
            Way::Aac => "aacparse name=first ! identity name=last silent=true",
            Way::Converted => {
                "decodebin name=first ! audioconvert ! audioresample ! avenc_aac bitrate=256000 ! aacparse name=last"
            }
            _ => {
                if way == Way::Text {
                    let tags = if muxer == MATROSKA { Tags::Kept } else { Tags::Removed };
                    text::make_plain(stream, tags);
                }
                // Without a look at caps: those of text change on the way, and the others were compared above.
                self.through_queue(stream)?.link_full(&sink, gst::PadLinkCheck::HIERARCHY)?;
                return Ok(());
            }
        };
        self.link_by(stream, elements, &sink)
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
        let bin = bin(description)
            .with_context(|| format!("{} cannot be handled", media_type(stream)))?;
        self.add(&bin)?;
        self.through_queue(stream)?.link(&pad(&bin, "sink")?)?;
        pad(&bin, "src")?.link(sink)?;
        bin.sync_state_with_parent()?;
        Ok(())
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

fn aac() -> gst::Caps {
    gst::Caps::builder("audio/mpeg").field("mpegversion", 4).build()
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
