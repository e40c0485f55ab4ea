//! The film's video, segment by segment: coded pictures in, finished segments in the work folder out.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use gst::prelude::*;
use parking_lot::Mutex;

use crate::cut::Segment;
use crate::demux::Pictures;
use crate::options::Options;
use crate::packets::{Packet, Writer};
use crate::pipeline::{Running, TICK, coded_frames};
use crate::progress::Progress;
use crate::survey::Stream;
use crate::video::{Pinned, Video};
use crate::work::Work;

/// Coded pictures that wait for the decoder.
const WAITING: u64 = 64;

/// What became of a film's segments.
#[derive(Debug, Default)]
pub struct Done {
    /// Frames in all segments.
    pub frames: u64,
    /// Frames of earlier runs.
    pub kept: u64,
    /// How long `kizunasr` was at work in this run.
    pub seconds: f64,
}

/// Who wants the work done, and how.
pub struct Job<'a> {
    pub options: &'a Options,
    pub work: &'a Work,
    pub segments: &'a [Segment],
    pub stop: &'a AtomicBool,
}

impl Job<'_> {
    /// Makes all segments that are not finished; none where the user stopped it. `video` is the film's.
    ///
    /// # Errors
    /// What any element says; a disk that is full.
    pub fn run(&self, video: &Stream, progress: &mut Progress) -> Result<Option<Done>> {
        let mut done = Done::default();
        let mut film: Option<Film> = None;
        let mut pinned: Option<Pinned> = self.work.pinned()?;
        for (number, segment) in self.segments.iter().enumerate() {
            if let Some(frames) = self.work.finished(number) {
                done.frames += frames;
                done.kept += frames;
                progress.skip(segment.pictures as u64);
                continue;
            }
            let film = match &mut film {
                Some(film) => film,
                none => none.insert(Film::open(&self.options.input, video)?),
            };
            let one = One::start(self, number, pinned.as_ref())?;
            if !one.run(self, film, progress).with_context(|| span(segment))? {
                return Ok(None);
            }
            match (&pinned, one.video.pinned()) {
                (Some(first), Some(this)) => first.check(&this)?,
                (None, Some(found)) => {
                    self.work.pin(&found)?;
                    pinned = Some(found);
                }
                (_, None) => {}
            }
            done.seconds += one.video.seconds();
            done.frames += one.finish(self, progress)?;
        }
        Ok(Some(done))
    }
}

/// The film to read, from which pictures are taken in order, some of them twice.
struct Film {
    pictures: Pictures,
    /// The number of the picture that comes next.
    next: usize,
    /// The last pictures that came: those that the next segment begins with were needed for the one before, too.
    held: VecDeque<(usize, gst::Sample)>,
}

impl Film {
    fn open(film: &Path, video: &Stream) -> Result<Self> {
        let pictures = Pictures::open(film, video)?;
        Ok(Self { pictures, next: 0, held: VecDeque::new() })
    }

    /// A picture by its number; pictures from `keep` on can be asked for again. None where it is not there yet: a film is long
    /// where a run goes on near its end.
    fn get(
        &mut self,
        number: usize,
        keep: usize,
        progress: &Progress,
    ) -> Result<Option<gst::Sample>> {
        let from = keep.min(number);
        while self.held.front().is_some_and(|(held, _)| *held < from) {
            self.held.pop_front();
        }
        let began = Instant::now();
        while self.next <= number {
            if began.elapsed() > TICK.into() {
                return Ok(None);
            }
            let Some(sample) = self.pictures.next(progress)? else { return Ok(None) };
            if self.next >= from {
                self.held.push_back((self.next, sample));
            }
            self.next += 1;
        }
        let found = self.held.iter().find(|(held, _)| *held == number);
        Ok(Some(found.context("a coded picture is gone")?.1.clone()))
    }
}

/// One segment at work, with elements of its own: nothing of another segment can be in them.
struct One {
    number: usize,
    source: gst_app::AppSrc,
    video: Video,
    frames: Arc<Mutex<Frames>>,
    running: Running,
}

/// Where coded frames go.
struct Frames {
    writer: Option<Writer>,
    /// When the segment's first frame is shown, as its decoder says.
    begin: Arc<Mutex<Option<i64>>>,
    /// The same as x264 says, which is the first to come.
    first: Option<gst::ClockTime>,
    /// Why a frame could not be written.
    error: Option<anyhow::Error>,
}

impl One {
    fn start(job: &Job, number: usize, pinned: Option<&Pinned>) -> Result<Self> {
        let video = Video::new(job.options, pinned, job.segments[number].shown.clone())?;
        let source = coded_frames(WAITING);
        let draft = job.work.draft(number);
        let writer =
            Writer::create(&draft).with_context(|| format!("cannot write {}", draft.display()))?;
        let frames =
            Frames { writer: Some(writer), begin: video.begin.clone(), first: None, error: None };
        let frames = Arc::new(Mutex::new(frames));
        // As files have it, with its head beside the frames.
        let wanted = gst::Caps::builder("video/x-h264")
            .field("stream-format", "avc")
            .field("alignment", "au")
            .build();
        let sink = gst_app::AppSink::builder().sync(false).caps(&wanted).build();
        let to = frames.clone();
        let write = move |sink: &gst_app::AppSink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            to.lock().add(&sample)
        };
        sink.set_callbacks(gst_app::AppSinkCallbacks::builder().new_sample(write).build());
        let pipeline = gst::Pipeline::new();
        pipeline.add_many([source.upcast_ref(), &video.bin, sink.upcast_ref()])?;
        gst::Element::link_many([source.upcast_ref(), &video.bin, sink.upcast_ref()])?;
        Ok(Self { number, source, video, frames, running: Running::start(pipeline)? })
    }

    /// Feeds the segment's pictures until all frames are written; whether the user let it.
    fn run(&self, job: &Job, film: &mut Film, progress: &mut Progress) -> Result<bool> {
        let fed = job.segments[self.number].fed.clone();
        let keep = job.segments.get(self.number + 1).map_or(fed.end, |next| next.fed.start);
        let mut next = fed.start;
        loop {
            if job.stop.load(Ordering::SeqCst) {
                return Ok(false);
            }
            let mut has_room = self.source.current_level_buffers() < WAITING;
            while has_room && next < fed.end {
                let Some(picture) = film.get(next, keep, progress)? else { break };
                // An error of the pipeline says more than its refusal.
                has_room = self.source.push_sample(&picture).is_ok()
                    && self.source.current_level_buffers() < WAITING;
                next += 1;
                if next == fed.end {
                    let _ = self.source.end_of_stream();
                }
            }
            let patience = if next < fed.end { TICK / 10 } else { TICK };
            let is_over = self.running.poll(patience, progress);
            if let Some(error) = self.frames.lock().error.take() {
                return Err(error);
            }
            progress.show(self.video.counts.upscaled.load(Ordering::SeqCst));
            if is_over? {
                return Ok(true);
            }
        }
    }

    /// Brings the segment to the disk; its number of frames.
    fn finish(self, job: &Job, progress: &mut Progress) -> Result<u64> {
        let segment = &job.segments[self.number];
        let frames = self.video.check_frames().with_context(|| span(segment))?;
        let missing = (segment.pictures as u64).saturating_sub(frames);
        if missing > 0 {
            let (pictures, span) = (segment.pictures, span(segment));
            progress.say(&format!(
                "warning: {span}: {missing} of {pictures} coded pictures gave no frame"
            ));
        }
        let writer = self.frames.lock().writer.take().context("the segment is gone")?;
        drop(self.running);
        writer.finish().context("cannot write to the work folder")?;
        job.work.keep(self.number)?;
        progress.skip(segment.pictures as u64);
        Ok(frames)
    }
}

impl Frames {
    fn add(&mut self, sample: &gst::Sample) -> Result<gst::FlowSuccess, gst::FlowError> {
        match self.try_add(sample) {
            Ok(()) => Ok(gst::FlowSuccess::Ok),
            Err(error) => {
                self.error = Some(error);
                Err(gst::FlowError::Error)
            }
        }
    }

    fn try_add(&mut self, sample: &gst::Sample) -> Result<()> {
        let writer = self.writer.as_mut().context("a frame came too late")?;
        let (caps, buffer) = sample.caps().zip(sample.buffer()).context("a frame without caps")?;
        let failed = "cannot write to the work folder";
        let shown = buffer.pts().context("a frame has no time")?;
        if self.first.is_none() {
            writer.caps(caps).context(failed)?;
        }
        let since = shown.nseconds().checked_sub(self.first.get_or_insert(shown).nseconds());
        let begin = self.begin.lock().and_then(|begin| u64::try_from(begin).ok());
        let time = begin.zip(since).map(|(begin, since)| begin + since);
        let data = buffer.map_readable().context("a frame cannot be read")?.to_vec();
        let packet = Packet {
            time: time.context("a frame is shown before the film begins")?,
            duration: buffer.duration().map(gst::ClockTime::nseconds),
            is_key: !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT),
            data,
        };
        writer.frame(&packet).context(failed)
    }
}

/// "from 0:10 on"
fn span(segment: &Segment) -> String {
    let seconds = segment.shown.start.max(0) / 1_000_000_000;
    format!("from {}:{:02} on", seconds / 60, seconds % 60)
}
