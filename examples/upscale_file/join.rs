//! The film put together: segments and all other streams of the film that was read, in one file.
//!
//! Two runs give the same file, on any day: random numbers are made from the film, and no clock is read (`stamp.rs`).

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context, Result, ensure};
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

use crate::demux;
use crate::packets::{Packet, Reader};
use crate::pipeline::{Running, TICK, coded_frames, make, text};
use crate::progress::Progress;
use crate::streams::{Ends, link_when_known, muxer_pad};
use crate::survey::Stream;
use crate::work::Work;

/// Frames that wait for the muxer.
const WAITING: u64 = 256;
/// Where the film begins for the muxer: frames are decoded before they are shown, the first of them before the film begins.
const BEGIN: gst::ClockTime = gst::ClockTime::from_seconds(3600 * 1000);

/// What is put together.
pub struct Parts<'a> {
    /// The film that was read.
    pub film: &'a Path,
    /// Its video.
    pub video: &'a Stream,
    /// Its chapters.
    pub chapters: Option<&'a gst::Toc>,
    /// Where the segments are.
    pub work: &'a Work,
    /// How many they are.
    pub segments: usize,
    /// When their frames are shown, in the order in which they are coded.
    pub times: &'a [u64],
    /// The muxer's name.
    pub muxer: &'a str,
    /// What random numbers are made from.
    pub seed: u32,
}

impl Parts<'_> {
    /// Writes the file; whether the user let it.
    ///
    /// # Errors
    /// What any element says; a damaged segment.
    pub fn join(&self, stop: &AtomicBool, progress: &Progress) -> Result<bool> {
        // Matroska's UIDs.
        glib::random_set_seed(self.seed);
        // One for the streams that are not known yet.
        let missing = Arc::new(AtomicUsize::new(1));
        let (pipeline, source) = self.pipeline(&missing)?;
        let running = Running::start(pipeline)?;
        let mut frames = self.frames();
        let mut is_fed = false;
        loop {
            if stop.load(Ordering::SeqCst) {
                return Ok(false);
            }
            let is_ready = missing.load(Ordering::SeqCst) == 0;
            while is_ready && !is_fed && source.current_level_buffers() < WAITING {
                match frames.next()? {
                    Some(sample) if source.push_sample(&sample).is_ok() => {}
                    Some(_) => break,
                    None => {
                        is_fed = true;
                        let _ = source.end_of_stream();
                    }
                }
            }
            let patience = if is_fed { TICK } else { TICK / 20 };
            if running.poll(patience, progress)? {
                return Ok(true);
            }
        }
    }

    fn pipeline(&self, missing: &Arc<AtomicUsize>) -> Result<(gst::Pipeline, gst_app::AppSrc)> {
        let (pipeline, parser) = demux::open(self.film)?;
        let queue = make("multiqueue")?;
        // Grows while another stream has nothing, up to the bytes: no time counts, because sound can lie far from its picture.
        queue.set_property("max-size-buffers", 64u32);
        queue.set_property("max-size-bytes", 256u32 << 20);
        queue.set_property("max-size-time", 0u64);
        let muxer = make(self.muxer)?;
        if self.muxer == "matroskamux" {
            muxer.set_property("creation-time", no_date()?);
        } else {
            muxer.set_property("faststart", true);
            muxer.set_property("faststart-file", text(&self.work.frames())?);
        }
        let sink = make("filesink")?;
        sink.set_property("location", text(&self.work.joined())?);
        let source = coded_frames(WAITING);
        // Without a name it would take one from the random numbers that the muxer is to have.
        source.set_uri("appsrc://video")?;
        pipeline.add_many([&queue, &muxer, &sink, source.upcast_ref()])?;
        muxer.link(&sink)?;
        // First, so that it is the first stream of the new file too.
        let wanted = gst::Caps::new_empty_simple("video/x-h264");
        let video = muxer_pad(&muxer, &wanted).context("the muxer takes no H.264")?;
        let out = source.static_pad("src").context("appsrc has no pad")?;
        out.link(&video)?;
        self.announce(&out);
        let (weak, missing) = (pipeline.downgrade(), missing.clone());
        link_when_known(&parser, Ends { pipeline: weak, queue, muxer, missing });
        Ok((pipeline, source))
    }

    /// Gives the muxer what is said about the video and the film, before the first frame.
    fn announce(&self, out: &gst::Pad) {
        let tags = self.video.tags.iter().filter_map(worth_keeping);
        let mut events: Vec<_> = tags.map(gst::event::Tag::new).collect();
        events.extend(self.chapters.map(|chapters| gst::event::Toc::new(chapters, false)));
        let events = Mutex::new(events);
        out.add_probe(gst::PadProbeType::BUFFER, move |out, _| {
            for event in std::mem::take(&mut *events.lock()) {
                out.push_event(event);
            }
            gst::PadProbeReturn::Remove
        });
    }

    fn frames(&self) -> Frames<'_> {
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_start(BEGIN);
        let decoded = decode_times(self.times).into_iter();
        Frames { parts: self, number: 0, reader: None, caps: None, segment, decoded }
    }
}

/// The frames of all segments, as the muxer wants them.
struct Frames<'a> {
    parts: &'a Parts<'a>,
    /// The segment that comes next.
    number: usize,
    reader: Option<Reader>,
    caps: Option<gst::Caps>,
    segment: gst::FormattedSegment<gst::ClockTime>,
    decoded: std::vec::IntoIter<i64>,
}

impl Frames<'_> {
    fn next(&mut self) -> Result<Option<gst::Sample>> {
        loop {
            let Some(reader) = &mut self.reader else {
                if self.number == self.parts.segments {
                    return Ok(None);
                }
                let reader = Reader::open(&self.parts.work.segment(self.number));
                self.reader = Some(reader.with_context(|| self.damaged(self.number))?);
                self.number += 1;
                continue;
            };
            let packet = reader.next();
            match packet.with_context(|| self.damaged(self.number - 1))? {
                Some(packet) => return self.sample(packet).map(Some),
                None => self.reader = None,
            }
        }
    }

    fn sample(&mut self, packet: Packet) -> Result<gst::Sample> {
        let own = self.reader.as_ref().and_then(|reader| reader.caps.clone());
        let own = own.context("a segment does not say what it is")?;
        let caps = self.caps.get_or_insert_with(|| own.clone());
        ensure!(
            *caps == own,
            "the video changes within the film so that one file cannot hold it: {caps}, then {own}"
        );
        let decoded = self.decoded.next().context("there are more frames than there were")?;
        let mut buffer = gst::Buffer::from_slice(packet.data);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(BEGIN + gst::ClockTime::from_nseconds(packet.time));
            let decoded = BEGIN.nseconds().saturating_add_signed(decoded);
            buffer.set_dts(gst::ClockTime::from_nseconds(decoded));
            buffer.set_duration(packet.duration.map(gst::ClockTime::from_nseconds));
            if !packet.is_key {
                buffer.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
        }
        Ok(gst::Sample::builder().buffer(&buffer).caps(caps).segment(&self.segment).build())
    }

    fn damaged(&self, number: usize) -> String {
        let file = self.parts.work.segment(number);
        format!("{} is damaged; remove it and run the same command again", file.display())
    }
}

/// When frames are decoded, in ns: in steady order, none after it is shown. x264 says it for each segment alone, and where the
/// frame rate changes one's beginning would come before the last one's end.
fn decode_times(shown: &[u64]) -> Vec<i64> {
    let mut sorted: Vec<i64> = shown.iter().map(|&time| time as i64).collect();
    sorted.sort_unstable();
    let rank = |time: u64| sorted.partition_point(|&other| other < time as i64);
    let delays = shown.iter().enumerate().map(|(at, &time)| at.saturating_sub(rank(time)));
    let delay = delays.max().unwrap_or(0);
    let first = sorted.first().copied().unwrap_or(0);
    let step = sorted.get(1).map_or(1, |second| (second - first).max(1));
    let before = (1..=delay as i64).rev().map(|frames| first - frames * step);
    before.chain(sorted.iter().copied()).take(shown.len()).collect()
}

/// What still holds for the upscaled video: not how the old one was coded, and not what muxers have other places for.
fn worth_keeping(tags: &gst::TagList) -> Option<gst::TagList> {
    const OF_THE_OLD: [&str; 9] = [
        "video-codec",
        "codec",
        "container-format",
        "encoder",
        "encoder-version",
        "bitrate",
        "nominal-bitrate",
        "minimum-bitrate",
        "maximum-bitrate",
    ];
    let mut kept = tags.copy();
    for name in OF_THE_OLD {
        kept.make_mut().remove_generic(name);
    }
    (kept.n_tags() > 0).then_some(kept)
}

/// The day from which Matroska counts: no date.
fn no_date() -> Result<glib::DateTime> {
    Ok(glib::DateTime::from_utc(2001, 1, 1, 0, 0, 0.0)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_decoded_in_steady_order_and_in_time() {
        for shown in
            [&[0, 3, 1, 2, 6, 4, 5][..], &[0, 1, 2], &[5], &[], &[0, 40, 20, 10, 30, 41, 90, 45]]
        {
            let decoded = decode_times(shown);
            assert_eq!(decoded.len(), shown.len());
            assert!(decoded.is_sorted_by(|a, b| a < b), "{decoded:?}");
            assert!(decoded.iter().zip(shown).all(|(&d, &s)| d <= s as i64), "{decoded:?}");
        }
    }
}
