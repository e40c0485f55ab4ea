//! The threads of a session: each takes frames from one channel and puts them into the next, until the first is closed.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use super::config::SessionError;
use super::inference::Inference;
use super::running::{Finished, Frames, Pending, Stats, Task, read};
use crate::engine::{Cancel, EngineError};
use crate::upscale::direct::Shares;
use crate::upscale::{Plane, Prepared, Reader, UpscaleError, Writer};

/// The planes of the last result, which come back from the last stage.
pub(super) struct Kept {
    back: Receiver<Vec<Plane>>,
    /// Whether the last stage has them.
    out: bool,
}

impl Kept {
    pub fn new(back: Receiver<Vec<Plane>>) -> Self {
        Self { back, out: false }
    }

    /// Waits for the planes; empty where there are none.
    fn take(&mut self) -> Vec<Plane> {
        let planes = if self.out { self.back.recv().ok() } else { None };
        self.out = false;
        planes.unwrap_or_default()
    }
}

/// The second stage; without `inference` every frame is scaled plainly. `reader` is for frames that turn out not to take the
/// short way; `is_streamed` says whether those to come do.
pub(super) fn infer<F: Frames>(
    mut inference: Option<Inference>,
    mut reader: Reader,
    mut kept: Kept,
    tasks: &Receiver<Task<F>>,
    done: &Sender<Task<F>>,
    is_streamed: &AtomicBool,
    cancel: &Cancel,
) {
    while let Ok(first) = tasks.recv() {
        let most = inference.as_ref().map_or(1, Inference::streams);
        let more = tasks.try_iter().take(most - 1);
        let mut group: Vec<_> = std::iter::once(first).chain(more).collect();
        let together = infer_together(&mut group, inference.as_mut(), cancel);
        for (mut task, is_done) in group.into_iter().zip(together) {
            let begun = Instant::now();
            task.treatment.plain |= inference.is_none();
            task.result = match &mut inference {
                _ if is_done => Ok(()),
                _ if cancel.is_raised() => Err(EngineError::Cancelled.into()),
                Some(inference) if !task.treatment.plain => {
                    infer_one(&mut task, inference, &mut reader, &mut kept, cancel)
                }
                _ => Ok(()),
            };
            if let Some(inference) = &mut inference {
                if task.treatment.plain || task.result.is_err() {
                    inference.skip();
                }
                task.setup = inference.setup().clone();
                is_streamed.store(task.setup.is_streamed, Ordering::Relaxed);
            }
            task.times.infer += begun.elapsed();
            if done.send(task).is_err() {
                return;
            }
        }
    }
}

/// Infers frames at once that can be; which of them are done.
fn infer_together<F: Frames>(
    group: &mut [Task<F>],
    inference: Option<&mut Inference>,
    cancel: &Cancel,
) -> Vec<bool> {
    let begun = Instant::now();
    let can = |task: &Task<F>| task.prepared.is_none() && !task.treatment.plain;
    let Some(inference) = inference.filter(|_| group.len() > 1 && group.iter().all(can)) else {
        return vec![false; group.len()];
    };
    let frames = group.iter_mut().map(|task| &mut task.frames).collect();
    let shares = inference.stream_together(frames, cancel);
    let each = begun.elapsed() / u32::try_from(group.len()).unwrap_or(1);
    let note = |(task, shares): (&mut Task<F>, Option<Shares>)| {
        task.times.infer = each;
        let Some(Shares { tiles, pixels }) = shares else { return false };
        (task.tiles, task.pixels) = (tiles, pixels);
        true
    };
    group.iter_mut().zip(shares).map(note).collect()
}

fn infer_one<F: Frames>(
    task: &mut Task<F>,
    inference: &mut Inference,
    reader: &mut Reader,
    kept: &mut Kept,
    cancel: &Cancel,
) -> Result<(), SessionError> {
    let is_read_here = task.prepared.is_none();
    let prepared = match &task.prepared {
        Some(prepared) => prepared,
        None => {
            let streamed = inference.stream(&mut task.frames, cancel, &mut task.notices)?;
            if let Some(Shares { tiles, pixels }) = streamed {
                (task.tiles, task.pixels) = (tiles, pixels);
                return Ok(());
            }
            task.prepared.insert(read(reader, &mut task.frames)?)
        }
    };
    let planes = &mut || kept.take();
    let outcome = inference.run(prepared, planes, cancel, &mut task.notices)?;
    if is_read_here {
        // Whoever reads the next one compares it with another frame.
        inference.skip();
    }
    match outcome {
        Some(outcome) => {
            kept.out = true;
            task.planes = Some(outcome.planes);
            (task.tiles, task.pixels) = (outcome.tiles, outcome.pixels);
        }
        None => task.treatment.plain = true,
    }
    Ok(())
}

/// The last stage; gives planes back to the one before.
pub(super) fn write<F: Frames>(
    mut writer: Writer,
    planes: &Sender<Vec<Plane>>,
    tasks: &Receiver<Task<F>>,
    done: &Sender<Task<F>>,
) {
    for mut task in tasks {
        let begun = Instant::now();
        // What took the short way is written already.
        if let (Ok(()), Some(prepared)) = (&task.result, &task.prepared) {
            let (source, finish) = (&prepared.picture, task.treatment.finish);
            let written = task.frames.with(&mut |_, dst| match &mut task.planes {
                Some(planes) => writer.write(source, planes, finish, dst),
                None => writer.write_plain(source, dst),
            });
            task.result = written.map_err(|e| UpscaleError::from(e).into());
        }
        if let Some(given) = task.planes.take() {
            // Nobody takes them any more where the session ends.
            let _ = planes.send(given);
        }
        task.finished = Instant::now();
        task.times.write = task.finished - begun;
        if done.send(task).is_err() {
            return;
        }
    }
}

/// What comes after the last stage: the caller's part.
pub(super) fn deliver<F: Frames>(
    mut deliver: impl FnMut(Finished<F>),
    mut stats: Stats,
    tasks: &Receiver<Task<F>>,
    pictures: &Sender<Prepared>,
    pending: &Pending,
) {
    let mut last = None;
    for task in tasks {
        let begun = last.map_or(task.submitted, |last| task.submitted.max(last));
        stats.busy += task.finished.saturating_duration_since(begun);
        last = Some(task.finished);
        count(&mut stats, &task);
        if let Some(prepared) = task.prepared {
            // Nobody reads any more where the session ends.
            let _ = pictures.send(prepared);
        }
        deliver(Finished {
            frames: task.frames,
            result: task.result,
            notices: task.notices,
            latency: task.finished - task.submitted,
            stats: stats.clone(),
            setup: task.setup,
        });
        pending.leave();
    }
}

fn count<F>(stats: &mut Stats, task: &Task<F>) {
    stats.stages.read += task.times.read;
    stats.stages.infer += task.times.infer;
    stats.stages.write += task.times.write;
    stats.fallbacks += task.notices.len() as u64;
    match (&task.result, task.treatment.plain) {
        (Ok(()), false) => {
            stats.frames += 1;
            stats.tiles += task.tiles as u64;
            stats.pixels_inferred += task.pixels as u64;
            stats.pixels_total += task.setup.pixels as u64;
        }
        (Ok(()), true) => stats.plain_frames += 1,
        (Err(_), _) => {}
    }
}

/// # Errors
/// [`EngineError::Run`] where no thread can be started.
pub(crate) fn spawn(
    name: &str,
    stage: impl FnOnce() + Send + 'static,
) -> Result<JoinHandle<()>, SessionError> {
    let failed = |e| EngineError::Run(format!("no thread can be started: {e}"));
    Ok(Builder::new().name(name.into()).spawn(stage).map_err(failed)?)
}
