//! Which stream goes where: the first video to the upscaler, the rest to the muxer, as they are where it takes them.

use anyhow::{Context, Result, bail};
use gst::glib;
use gst::prelude::*;

use crate::text::{self, Tags};
use crate::video::{bin, pad};

/// The elements between which streams are linked.
#[derive(Clone)]
pub struct Ends {
    /// Where all is; it must not be kept alive by what is in it.
    pub pipeline: glib::WeakRef<gst::Pipeline>,
    /// Keeps streams that come in other portions than the muxer takes them from waiting for each other forever.
    pub queue: gst::Element,
    /// Takes the coded video, gives the upscaled one.
    pub video: gst::Element,
    /// Where all streams end.
    pub muxer: gst::Element,
}

impl Ends {
    /// Links every stream of a file. What cannot be done is an error on the bus.
    pub fn link(&self, streams: &[gst::Pad]) {
        self.report(self.link_all(streams));
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
        let is = |pad: &gst::Pad, kind: &str| media_type(pad).starts_with(kind);
        // Motion JPEG is a row of pictures; where there is other video, pictures are covers.
        let of = |kind| streams.iter().find(|pad| is(pad, kind));
        let Some(video) = of("video/").or_else(|| of("image/")) else {
            let others: Vec<_> = streams.iter().map(media_type).collect();
            bail!("there is no video in this file, only: {}", others.join(", "));
        };
        // First, so that it is the first stream of the new file too.
        self.link_video(video)?;
        for stream in streams.iter().filter(|pad| *pad != video) {
            let media = media_type(stream);
            if media.starts_with("video/") || media.starts_with("image/") {
                self.drop_stream(stream, "only the first video is upscaled")?;
            } else {
                self.link_other(stream)?;
            }
        }
        Ok(())
    }

    fn link_video(&self, stream: &gst::Pad) -> Result<()> {
        self.through_queue(stream)?.link(&pad(&self.video, "sink")?)?;
        let source = pad(&self.video, "src")?;
        let wanted = gst::Caps::new_empty_simple("video/x-h264");
        let sink = self.muxer_pad(&wanted).context("the muxer takes no H.264")?;
        source.link(&sink)?;
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
        let Some(sink) = self.muxer_pad(&offered) else {
            return self.link_unfit(stream, &media);
        };
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
        let sink = media.starts_with("audio/").then(|| self.muxer_pad(&aac)).flatten();
        let Some(sink) = sink else {
            return self
                .drop_stream(stream, &format!("this kind of file cannot hold it; {remedy}"));
        };
        self.warn(&format!(
            "{} is converted to AAC, as this kind of file cannot hold it; {remedy}",
            describe(stream)
        ));
        let convert = "decodebin name=first ! audioconvert ! audioresample ! avenc_aac bitrate=256000 ! aacparse name=last";
        self.link_by(stream, convert, &sink)
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
        let sink = gst::ElementFactory::make("fakesink")
            .property("sync", false)
            .property("async", false)
            .build()?;
        self.add(&sink)?;
        stream.link(&pad(&sink, "sink")?)?;
        sink.sync_state_with_parent()?;
        Ok(())
    }

    fn add(&self, element: &impl IsA<gst::Element>) -> Result<()> {
        Ok(self.pipeline.upgrade().context("the pipeline is gone")?.add(element)?)
    }

    /// Links a stream to the queue; where it comes out of it.
    fn through_queue(&self, stream: &gst::Pad) -> Result<gst::Pad> {
        let sink = self.queue.request_pad_simple("sink_%u").context("the queue gives no pad")?;
        stream.link(&sink)?;
        pad(&self.queue, &sink.name().replace("sink", "src"))
    }

    /// A pad of the muxer for streams of these caps; none where it takes no such streams.
    fn muxer_pad(&self, caps: &gst::Caps) -> Option<gst::Pad> {
        let template = self.muxer.pad_template_list().into_iter().find(|template| {
            template.direction() == gst::PadDirection::Sink && template.caps().can_intersect(caps)
        })?;
        self.muxer.request_pad(&template, None, None)
    }

    fn warn(&self, text: &str) {
        gst::element_warning!(self.muxer, gst::StreamError::Mux, ("{text}"));
    }
}

fn media_type(pad: &gst::Pad) -> String {
    let caps = pad.current_caps();
    let name = caps.and_then(|caps| caps.structure(0).map(|s| s.name().to_string()));
    name.unwrap_or_else(|| "unknown".into())
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
