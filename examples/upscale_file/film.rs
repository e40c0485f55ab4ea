//! A film, from the command line to its name: looked through, cut, upscaled, put together, looked at again.

use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, ensure};

use crate::cut::{Segment, cut};
use crate::join::Parts;
use crate::manifest::Manifest;
use crate::matroska;
use crate::options::Options;
use crate::output::Output;
use crate::packets;
use crate::progress::Progress;
use crate::stamp;
use crate::streams;
use crate::survey::Survey;
use crate::upscale::{Done, Job};
use crate::verify;
use crate::video::{Pinned, Video};
use crate::work::Work;

/// How a run ended well.
#[derive(Debug)]
pub enum Outcome {
    /// The film is there; figures about the work.
    Done(String),
    /// The user stopped it.
    Stopped,
}

/// Makes the film that the user asked for.
///
/// # Errors
/// What cannot be done, and why. Finished segments stay where a later run finds them.
pub fn export(options: &Options, stop: &AtomicBool, progress: &mut Progress) -> Result<Outcome> {
    let output = Output::new(options)?;
    // What is there may be the film itself.
    if !Work::may_be_complete(&output.work()) {
        output.check_is_free(options)?;
    }
    // Says what is wrong with an option before anything is read.
    Video::new(options, None, 0..0)?;
    let Some(film) = Survey::of(&options.input, stop, progress)? else {
        return Ok(Outcome::Stopped);
    };
    let video = film.video()?;
    ensure!(
        !video.is_in_pieces(),
        "an edit list in {} shows its video in pieces, which cannot be upscaled; make one piece of it, \
         such as by: ffmpeg -i IN -c:v ffv1 -c:a copy NEW.mkv",
        options.input.display()
    );
    let segments = cut(&video.pictures, options.segment);
    let manifest = Manifest::new(options, video)?;
    let work = Work::open(output.work())?;
    let run = Run { options, output: &output, film, segments, manifest, stop };
    let outcome = run.in_folder(&work, progress);
    match &outcome {
        Ok(Outcome::Done(_)) => work.remove(),
        Err(_) if !work.is_begun() => work.remove(),
        _ => {}
    }
    outcome
}

/// What is known before the work begins.
struct Run<'a> {
    options: &'a Options,
    output: &'a Output,
    film: Survey,
    segments: Vec<Segment>,
    manifest: Manifest,
    stop: &'a AtomicBool,
}

impl Run<'_> {
    /// Does what earlier runs left to do.
    fn in_folder(&self, work: &Work, progress: &mut Progress) -> Result<Outcome> {
        let Self { options, output, manifest, .. } = self;
        if !options.fresh && work.finish(manifest, output, options)? {
            return Ok(Outcome::Done("complete=already".into()));
        }
        output.check_is_free(options)?;
        work.resume(manifest, options.fresh)?;
        let figures = self.make(work, progress).map_err(|error| match work.is_begun() {
            true => error.context(format!(
                "what is done so far is kept in {}; the same command goes on from there",
                output.work().display()
            )),
            false => error,
        })?;
        Ok(figures.map_or(Outcome::Stopped, Outcome::Done))
    }

    /// Makes the film; figures about it, or none where the user stopped it.
    fn make(&self, work: &Work, progress: &mut Progress) -> Result<Option<String>> {
        self.warn(progress)?;
        let video = self.film.video()?;
        let pictures = self.segments.iter().map(|segment| segment.pictures as u64).sum();
        progress.expect(pictures);
        let job = Job { options: self.options, work, segments: &self.segments, stop: self.stop };
        let Some(done) = job.run(video, progress)? else { return Ok(None) };
        ensure!(done.frames > 0, "not one frame could be decoded; is the film damaged?");
        if !self.join(work, progress)? {
            return Ok(None);
        }
        let figures = figures(&done, pictures, work.pinned()?);
        work.complete(&self.manifest, self.output, self.options)?;
        Ok(Some(figures))
    }

    /// Puts the film together and looks at it; whether the user let it.
    fn join(&self, work: &Work, progress: &mut Progress) -> Result<bool> {
        let mut times = Vec::new();
        for number in 0..self.segments.len() {
            let file = work.segment(number);
            let of_one = packets::times(&file);
            times.extend(of_one.with_context(|| format!("{} is damaged", file.display()))?);
        }
        let parts = Parts {
            film: &self.options.input,
            video: self.film.video()?,
            chapters: self.film.chapters.as_ref(),
            work,
            segments: self.segments.len(),
            times: &times,
            muxer: self.output.muxer,
            seed: self.manifest.seed(),
        };
        if !parts.join(self.stop, progress)? {
            return Ok(false);
        }
        if self.output.is_matroska() {
            matroska::finish(&work.joined(), &self.options.input)?;
        } else {
            stamp::remove_dates(&work.joined())?;
        }
        let Some(written) = Survey::of(&work.joined(), self.stop, progress)? else {
            return Ok(false);
        };
        verify::check(&self.film, &written, &times)?;
        Ok(true)
    }

    /// Says what the user may not like, before hours are spent.
    fn warn(&self, progress: &Progress) -> Result<()> {
        /// So many times `--segment` is more than the user expects to lose.
        const LONG: usize = 8;
        if self.film.video()?.is_interlaced && !self.options.deinterlace {
            progress.warn("the video may be interlaced; the first frame that is ends the work, unless --deinterlace is given");
        }
        let missing = self.film.missing() / 1_000_000_000;
        if missing > 0 {
            progress.warn(&format!("the film ends {missing} s before it should; is it cut off?"));
        }
        let lengths = self.segments.iter().map(|segment| segment.pictures);
        let (longest, all) = (lengths.clone().max().unwrap_or(0), lengths.sum::<usize>());
        if longest > self.options.segment.saturating_mul(LONG) {
            progress.warn(&format!(
                "the film can be cut in few places: {longest} of its {all} frames are done in one go, and lost where that is stopped"
            ));
        }
        for loss in streams::losses(&self.film, self.output.muxer)? {
            progress.warn(&loss);
        }
        let has_attachments = matroska::attachments(&self.options.input)?.is_some();
        let losses = [(self.film.chapters.is_some(), "chapters"), (has_attachments, "attachments")];
        for (_, what) in losses.iter().filter(|(is_lost, _)| *is_lost && !self.output.is_matroska())
        {
            progress.warn(&format!(
                "{what} are left out: this kind of file cannot hold them; an OUT that ends in .mkv can"
            ));
        }
        Ok(())
    }
}

/// What was done, in one line.
fn figures(done: &Done, pictures: u64, pinned: Option<Pinned>) -> String {
    let Done { frames, kept, seconds } = done;
    let fps = if *seconds > 0.0 { (frames - kept) as f64 / seconds } else { 0.0 };
    let property = |name| pinned.as_ref().map_or("", |pinned| pinned.property(name));
    let (provider, precision) = (property("provider"), property("precision"));
    let model = pinned.as_ref().map_or("", |pinned| &pinned.model);
    // Of earlier runs' segments too, whose warnings are gone.
    let missing = pictures.saturating_sub(*frames);
    let [kept, missing] = [("kept", *kept), ("missing", missing)]
        .map(|(name, count)| if count > 0 { format!(" {name}={count}") } else { String::new() });
    format!(
        "frames={frames}{missing} seconds={seconds:.2} fps={fps:.2}{kept} provider={provider} precision={precision} model={model}"
    )
}
