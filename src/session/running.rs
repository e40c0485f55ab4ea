//! Frames on their way: four threads, each with a frame of its own in hand.
//!
//! ```text
//! caller              kizuna-infer              kizuna-write         kizuna-deliver
//! read  ──────────▶   infer   ──────────────▶   write   ─────────▶   what the caller does with it
//!   ▲                   ▲                         │                       │
//!   │                   └── planes to write to ───┘                       │
//!   └────────────────────── pictures to read into ────────────────────────┘
//! ```
//!
//! What travels is owned by the stage that has it, so no stage waits for another one's lock. There is one set of planes: the
//! networks compute a tile of the next frame while the last frame is written out of them, and put it there when that is done.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::config::{Notice, SessionError};
use super::inference::Setup;
use super::opened::Opened;
use super::stages::{self, Kept, spawn};
use crate::engine::{Cancel, EngineError};
use crate::upscale::{
    Finish, FrameError, FrameView, FrameViewMut, Plane, Prepared, Reader, Size, UpscaleError,
    Writer,
};

/// A frame to read and the frame that it becomes: buffers of whoever runs the session.
pub trait Frames: Send + 'static {
    /// Lets `work` see both.
    ///
    /// # Errors
    /// [`FrameError`] where the buffers are not what they should be.
    fn with(
        &mut self,
        work: &mut dyn FnMut(&FrameView, &mut FrameViewMut) -> Result<(), FrameError>,
    ) -> Result<(), FrameError>;
}

/// How a frame is to be treated.
#[derive(Debug, Clone, Copy, Default)]
pub struct Treatment {
    /// What is done to the network's result.
    pub finish: Finish,
    /// Scaled plainly, because it is late.
    pub plain: bool,
}

/// A frame that came out, or did not.
pub struct Finished<F> {
    /// What was submitted.
    pub frames: F,
    /// Whether the frame was written.
    pub result: Result<(), SessionError>,
    /// What the user must hear of.
    pub notices: Vec<Notice>,
    /// From submission until it was written; what downstream takes is not in it.
    pub latency: Duration,
    /// Figures so far.
    pub stats: Stats,
    /// What runs.
    pub setup: Arc<Setup>,
}

/// Figures so far.
#[derive(Debug, Clone, Default)]
pub struct Stats {
    /// Frames upscaled by the network.
    pub frames: u64,
    /// Frames scaled plainly: by `fallback=resize`, or before the network was there.
    pub plain_frames: u64,
    /// Tiles inferred.
    pub tiles: u64,
    /// Input pixels inferred, context included.
    pub pixels_inferred: u64,
    /// Input pixels that would have been inferred without reuse.
    pub pixels_total: u64,
    /// Times that something else was done than asked for.
    pub fallbacks: u64,
    /// Time during which at least one frame was on its way.
    pub busy: Duration,
    /// Time spent in each stage; stages overlap.
    pub stages: Times,
}

/// Time by stage.
#[derive(Debug, Clone, Copy, Default)]
pub struct Times {
    /// Frame to picture.
    pub read: Duration,
    /// Picture through the networks.
    pub infer: Duration,
    /// Picture to frame.
    pub write: Duration,
}

/// Networks at work on frames of one kind, several at a time. Dropping it waits for the frames on their way, so raise its
/// `cancel` first.
pub struct Session<F: Frames> {
    reader: Reader,
    cancel: Cancel,
    setup: Arc<Setup>,
    /// Whether frames are read by the stage that infers them, which says so here: not from where it takes the short way no more.
    is_streamed: Arc<AtomicBool>,
    /// `None` only while dropping: a closed channel ends the threads.
    tasks: Option<Sender<Task<F>>>,
    spare: Receiver<Prepared>,
    threads: Vec<JoinHandle<()>>,
    pending: Arc<Pending>,
}

/// A frame on its way.
pub(super) struct Task<F> {
    pub frames: F,
    pub treatment: Treatment,
    pub submitted: Instant,
    /// When it was written.
    pub finished: Instant,
    /// None where it takes the short way, which reads by itself.
    pub prepared: Option<Prepared>,
    /// What the networks gave, from the second stage to the third; none where the frame is scaled plainly.
    pub planes: Option<Vec<Plane>>,
    /// Tiles inferred.
    pub tiles: usize,
    /// Input pixels inferred, context included.
    pub pixels: usize,
    pub result: Result<(), SessionError>,
    pub notices: Vec<Notice>,
    pub times: Times,
    pub setup: Arc<Setup>,
}

/// How many frames are on their way.
#[derive(Default)]
pub(super) struct Pending {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Pending {
    /// Waits until fewer than `limit` frames are on their way, or `stop` says so. Returns whether they are.
    fn wait(&self, limit: usize, stop: impl Fn() -> bool) -> bool {
        let mut count = self.count.lock();
        while *count >= limit {
            if stop() {
                return false;
            }
            self.fewer.wait_for(&mut count, LOOK_AT_STOP);
        }
        true
    }

    /// A frame has left.
    pub fn leave(&self) {
        *self.count.lock() -= 1;
        self.fewer.notify_all();
    }
}

/// How often who waits looks whether it should stop.
const LOOK_AT_STOP: Duration = Duration::from_millis(10);

impl<F: Frames> Session<F> {
    /// Starts the threads. Each frame ends in `deliver`, in order, on a thread of its own, with [`EngineError::Cancelled`] while
    /// `cancel` is raised. Figures go on from `stats`.
    ///
    /// # Errors
    /// [`EngineError::Run`] where no thread can be started.
    pub fn start(
        opened: Opened,
        stats: Stats,
        cancel: Cancel,
        deliver: impl FnMut(Finished<F>) + Send + 'static,
    ) -> Result<Self, SessionError> {
        let Opened { inference, input, output, model, reuse_tolerance, setup } = opened;
        let pending = Arc::new(Pending::default());
        let is_streamed = Arc::new(AtomicBool::new(setup.is_streamed));

        let ((tasks, to_infer), (inferred, to_write)) = (channel(), channel());
        let (written, to_deliver) = channel();
        let ((planes, kept), (pictures, spare)) = (channel(), channel());
        let infer = {
            let (cancel, is_streamed) = (cancel.clone(), is_streamed.clone());
            let reader = Reader::new(input, model, None);
            let (done, kept) = (inferred, Kept::new(kept));
            move || stages::infer(inference, reader, kept, &to_infer, &done, &is_streamed, &cancel)
        };
        let writer = Writer::new(output, model);
        let write = move || stages::write(writer, &planes, &to_write, &written);
        let last = {
            let pending = pending.clone();
            move || stages::deliver(deliver, stats, &to_deliver, &pictures, &pending)
        };
        let threads = vec![
            spawn("kizuna-infer", infer)?,
            spawn("kizuna-write", write)?,
            spawn("kizuna-deliver", last)?,
        ];
        let reader = Reader::new(input, model, reuse_tolerance);
        let tasks = Some(tasks);
        Ok(Self { reader, cancel, setup, is_streamed, tasks, spare, threads, pending })
    }

    /// What ran when it began.
    pub fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }

    /// Waits until fewer than `depth` (at least 1) frames are on their way, then reads one and sends it on its way.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`]; [`FrameError`] for a frame of another kind than announced. It is lost then.
    pub fn submit(
        &mut self,
        mut frames: F,
        treatment: Treatment,
        depth: usize,
    ) -> Result<(), SessionError> {
        if !self.pending.wait(depth.max(1), || self.cancel.is_raised() || self.has_died()) {
            return Err(if self.has_died() {
                thread_ended()
            } else {
                EngineError::Cancelled.into()
            });
        }
        let submitted = Instant::now();
        self.spare.try_iter().for_each(|prepared| self.reader.recycle(prepared));
        let is_streamed = self.is_streamed.load(Ordering::Relaxed);
        let is_streamed = is_streamed && treatment.finish.is_none() && !treatment.plain;
        let prepared = if is_streamed { None } else { Some(read(&mut self.reader, &mut frames)?) };
        let task = Task {
            frames,
            treatment,
            submitted,
            finished: submitted,
            prepared,
            planes: None,
            tiles: 0,
            pixels: 0,
            result: Ok(()),
            notices: Vec::new(),
            times: Times { read: submitted.elapsed(), ..Times::default() },
            setup: self.setup.clone(),
        };
        *self.pending.count.lock() += 1;
        if self.tasks.as_ref().is_some_and(|tasks| tasks.send(task).is_ok()) {
            Ok(())
        } else {
            Err(thread_ended())
        }
    }

    /// Waits until every frame that was submitted has been delivered; how many will be all the same: those behind the frame
    /// that is being delivered to whoever asks in that moment, who cannot wait for himself.
    pub fn drain(&self) -> usize {
        let here = std::thread::current().id();
        if self.threads.iter().any(|thread| thread.thread().id() == here) {
            return self.pending.count.lock().saturating_sub(1);
        }
        self.pending.wait(1, || self.has_died());
        0
    }

    /// Whether a stage has died, which takes no frame any further.
    fn has_died(&self) -> bool {
        self.threads.iter().any(JoinHandle::is_finished)
    }
}

fn thread_ended() -> SessionError {
    EngineError::Run("the thread that upscales frames has ended".into()).into()
}

/// Reads what is to be read of `frames`.
pub(super) fn read<F: Frames>(
    reader: &mut Reader,
    frames: &mut F,
) -> Result<Prepared, UpscaleError> {
    let mut prepared = Err(FrameError::Empty(Size::default()));
    let seen = frames.with(&mut |src, _| {
        prepared = reader.read(src);
        Ok(())
    });
    Ok(seen.and(prepared)?)
}

impl<F: Frames> Drop for Session<F> {
    fn drop(&mut self) {
        self.tasks = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
