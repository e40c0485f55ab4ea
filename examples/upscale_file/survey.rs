//! A look through a whole film without decoding it: what is in it, picture by picture.
//!
//! It is taken of the film to read, before any work is done, and of the film that was written, before it gets its name.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};
use gst::prelude::*;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use crate::access::is_entry;
use crate::cut::Picture;
use crate::demux::{link_to_nowhere, media_type, open, stream_id};
use crate::pipeline::{Running, TICK, running_time, time_of};
use crate::progress::Progress;

/// What a file holds.
pub struct Survey {
    /// Its streams, as they come.
    pub streams: Vec<Stream>,
    /// Its chapters.
    pub chapters: Option<gst::Toc>,
}

/// A stream of a file.
pub struct Stream {
    /// The same whenever the file is opened.
    pub id: String,
    /// "video/x-h264"
    pub media: String,
    /// What it is, in full.
    pub caps: gst::Caps,
    /// What the file says about the stream and about itself.
    pub tags: Vec<gst::TagList>,
    /// Its pictures, if it is video.
    pub pictures: Vec<Picture>,
    /// Whether pictures may be two fields.
    pub is_interlaced: bool,
    /// When its last packet ends, in ns.
    end: u64,
    /// Of the pictures and their times.
    sum: Sha256,
    /// The pictures' times as the file has them, before its segments say when that is.
    stamps: Vec<Option<gst::ClockTime>>,
    segments: Vec<gst::Segment>,
}

impl Stream {
    /// A checksum of the video: all that segments depend on.
    pub fn sum(&self) -> String {
        self.sum.clone().finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The segment that is right for all packets, where there is one.
    ///
    /// `matroskademux` begins with the first packet's time, and says another beginning when it meets one that is earlier: what
    /// came before that would be shown too early.
    pub fn timeline(&self) -> Option<&gst::Segment> {
        let is_plain = |segment: &gst::Segment| {
            let segment = segment.downcast_ref::<gst::ClockTime>();
            segment.is_some_and(|s| s.rate() == 1.0 && s.base() == gst::ClockTime::ZERO.into())
        };
        self.segments.last().filter(|_| self.segments.iter().all(is_plain))
    }

    /// Whether parts of it are shown at other times than they lie: an edit list of several entries.
    pub fn is_in_pieces(&self) -> bool {
        self.segments.len() > 1 && self.timeline().is_none()
    }

    fn correct_times(&mut self) {
        let Some(timeline) = self.timeline().cloned() else { return };
        for (picture, stamp) in self.pictures.iter_mut().zip(&self.stamps) {
            picture.time = stamp.and_then(|stamp| time_of(&timeline, stamp));
        }
    }

    /// Whether it is video, or pictures.
    pub fn is_visual(&self) -> bool {
        self.media.starts_with("video/") || self.media.starts_with("image/")
    }

    fn note(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef) {
        let (Some(caps), Some(segment)) =
            (pad.current_caps(), pad.sticky_event::<gst::event::Segment>(0))
        else {
            return;
        };
        // Some parsers know it with the first packet only.
        self.media = media_type(pad);
        if self.segments.last() != Some(segment.segment()) {
            self.segments.push(segment.segment().clone());
        }
        let time = running_time(segment.segment(), buffer);
        let duration = buffer.duration().map_or(0, gst::ClockTime::nseconds);
        self.end = self.end.max(time.map_or(0, |time| time.unsigned_abs() + duration));
        if self.is_visual() {
            if let Ok(map) = buffer.map_readable() {
                self.sum.update(time.unwrap_or(i64::MIN).to_le_bytes());
                self.sum.update((map.len() as u64).to_le_bytes());
                self.sum.update(&map);
            }
            self.stamps.push(buffer.pts());
            self.pictures.push(Picture { time, duration, is_entry: is_entry(&caps, buffer) });
            self.is_interlaced |= is_interlaced(&caps);
        }
        self.caps = caps;
    }
}

impl Survey {
    /// Looks through a file; none where the user stopped it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn of(file: &Path, stop: &AtomicBool, progress: &Progress) -> Result<Option<Self>> {
        let (pipeline, parser) = open(file)?;
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let (all, weak) = (seen.clone(), pipeline.downgrade());
        parser.connect_pad_added(move |parser, pad| {
            all.lock().streams.push(listen(pad, &all));
            let Some(pipeline) = weak.upgrade() else { return };
            if let Err(error) = link_to_nowhere(&pipeline, pad) {
                gst::element_error!(parser, gst::StreamError::Demux, ("{error:#}"));
            }
        });
        let running = Running::start(pipeline)?;
        while !running.poll(TICK, progress)? {
            if stop.load(Ordering::SeqCst) {
                return Ok(None);
            }
        }
        drop(running);
        let seen = std::mem::take(&mut *seen.lock());
        let take = |stream: &Arc<Mutex<Stream>>| std::mem::replace(&mut *stream.lock(), nothing());
        let mut streams: Vec<_> = seen.streams.iter().map(take).collect();
        streams.iter_mut().for_each(Stream::correct_times);
        Ok(Some(Self { streams, chapters: seen.chapters }))
    }

    /// How much of its length the file lacks, in ns, where its head promises more than it holds.
    pub fn missing(&self) -> u64 {
        let segments = self.streams.iter().filter_map(Stream::timeline);
        let lengths = segments.filter_map(|segment| {
            segment.downcast_ref::<gst::ClockTime>()?.duration().map(gst::ClockTime::nseconds)
        });
        let end = self.streams.iter().map(|stream| stream.end).max();
        lengths.max().unwrap_or(0).saturating_sub(end.unwrap_or(0))
    }

    /// The video: motion JPEG is a row of pictures, but where there is other video, pictures are covers.
    ///
    /// # Errors
    /// If there is none.
    pub fn video(&self) -> Result<&Stream> {
        let of = |kind| self.streams.iter().find(|stream| stream.media.starts_with(kind));
        let Some(video) = of("video/").or_else(|| of("image/")) else {
            let others: Vec<_> = self.streams.iter().map(|stream| &*stream.media).collect();
            bail!("there is no video in this file, only: {}", others.join(", "));
        };
        Ok(video)
    }
}

#[derive(Default)]
struct Seen {
    streams: Vec<Arc<Mutex<Stream>>>,
    chapters: Option<gst::Toc>,
}

fn nothing() -> Stream {
    Stream {
        id: String::new(),
        media: String::new(),
        caps: gst::Caps::new_empty(),
        tags: Vec::new(),
        pictures: Vec::new(),
        is_interlaced: false,
        end: 0,
        sum: Sha256::new(),
        stamps: Vec::new(),
        segments: Vec::new(),
    }
}

fn is_interlaced(caps: &gst::CapsRef) -> bool {
    let mode = caps.structure(0).and_then(|s| s.get::<&str>("interlace-mode").ok());
    mode.is_some_and(|mode| mode != "progressive")
}

/// Notes all that comes out of a pad.
fn listen(pad: &gst::Pad, seen: &Arc<Mutex<Seen>>) -> Arc<Mutex<Stream>> {
    let caps = pad.current_caps().unwrap_or_else(gst::Caps::new_empty);
    let stream = Stream { id: stream_id(pad), media: media_type(pad), caps, ..nothing() };
    let stream = Arc::new(Mutex::new(stream));
    let (noted, seen) = (stream.clone(), Arc::downgrade(seen));
    let wanted = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(wanted, move |pad, info| {
        match &info.data {
            Some(gst::PadProbeData::Buffer(buffer)) => noted.lock().note(pad, buffer),
            Some(gst::PadProbeData::Event(event)) => match event.view() {
                gst::EventView::Tag(tags) => noted.lock().tags.push(tags.tag_owned()),
                gst::EventView::Toc(toc) => {
                    if let Some(seen) = seen.upgrade() {
                        seen.lock().chapters = Some(toc.toc().0.to_owned());
                    }
                }
                _ => {}
            },
            _ => {}
        }
        gst::PadProbeReturn::Ok
    });
    stream
}
