//! Runs an engine on a thread of its own, so that a run can be left behind.
//!
//! No runtime can be stopped within a kernel (rten not at all), and one convolution over a large tile takes longer than a seek
//! may wait. So the caller waits for the result with one eye on [`Cancel`]: when it is raised, the caller goes on at
//! once and the run ends in the background, where its result is dropped. The next run waits for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::buffer::copy;
use super::{Cancel, Engine, EngineError, EngineInfo, failure};
use crate::upscale::{Element, Layout, Shape, Tensor};

/// How often the flag is looked at. A result wakes the caller at once, so this costs no time.
const POLL: Duration = Duration::from_millis(5);

/// How long a drop waits for the engine to be released. A caller that retries with smaller tiles after running out of
/// memory needs the old engine's memory back, and an idle engine is gone long before this.
const RELEASE: Duration = Duration::from_millis(50);

/// Asks the engine inside to end its run early; may do nothing.
pub(super) type Stop = Box<dyn Fn() + Send>;

/// An engine on a thread of its own.
pub(super) struct Worker {
    info: EngineInfo,
    stop: Stop,
    /// `None` only while dropping: a closed channel ends the thread.
    requests: Option<Sender<Job>>,
    replies: Receiver<(Job, Result<(), EngineError>)>,
    thread: Option<JoinHandle<()>>,
    /// `None` while a run that was left behind still has it.
    spare: Option<Job>,
}

/// What travels to the thread and back.
struct Job {
    input: Tensor,
    output: Tensor,
    abandoned: Cancel,
}

impl Worker {
    /// Moves `engine` to a thread of its own. `stop` is called when a run is left behind; the engine finds the flag that it
    /// was given raised before that.
    ///
    /// # Errors
    /// [`EngineError::Run`] where no thread can be started.
    pub fn spawn(engine: Box<dyn Engine>, stop: Stop) -> Result<Self, EngineError> {
        let info = engine.info().clone();
        let (requests, jobs) = channel();
        let (results, replies) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("kizuna-{}", info.provider))
            .spawn(move || {
                serve(engine, &jobs, &results);
                // The engine is gone; only now may the other side see the channel closed.
                drop(results);
            })
            .map_err(|e| failure::run(format!("no thread can be started: {e}")))?;
        Ok(Self {
            info,
            stop,
            requests: Some(requests),
            replies,
            thread: Some(thread),
            spare: Some(Job::new()),
        })
    }

    /// Waits for the thread's answer, or for `cancel`.
    fn wait(&self, cancel: &Cancel) -> Result<(Job, Result<(), EngineError>), EngineError> {
        loop {
            match self.replies.recv_timeout(POLL) {
                Ok(reply) => return Ok(reply),
                Err(RecvTimeoutError::Timeout) if cancel.is_raised() => {
                    return Err(EngineError::Cancelled);
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(thread_ended()),
            }
        }
    }
}

impl Engine for Worker {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        if cancel.is_raised() {
            return Err(EngineError::Cancelled);
        }
        let mut job = match self.spare.take() {
            Some(job) => job,
            None => self.wait(cancel)?.0,
        };
        let abandoned = Cancel::new();
        job.abandoned = abandoned.clone();
        copy(input, &mut job.input);
        std::mem::swap(output, &mut job.output);
        let requests = self.requests.as_ref().ok_or_else(thread_ended)?;
        requests.send(job).map_err(|_| thread_ended())?;

        match self.wait(cancel) {
            Ok((mut job, result)) => {
                std::mem::swap(output, &mut job.output);
                self.spare = Some(job);
                result
            }
            Err(error) => {
                abandoned.raise();
                (self.stop)();
                Err(error)
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.requests = None;
        let until = Instant::now() + RELEASE;
        loop {
            match self.replies.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(_) => {}
                // A run left behind still goes on; its thread ends by itself and takes everything with it.
                Err(RecvTimeoutError::Timeout) => return,
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Job {
    fn new() -> Self {
        let none = Shape { batch: 0, channels: 0, height: 0, width: 0 };
        let empty = Tensor::zeros(none, Layout::Nchw, Element::F32);
        Self { input: empty.clone(), output: empty, abandoned: Cancel::new() }
    }
}

/// The thread: one run after the other until nobody can ask any more.
fn serve(
    mut engine: Box<dyn Engine>,
    jobs: &Receiver<Job>,
    results: &Sender<(Job, Result<(), EngineError>)>,
) {
    for mut job in jobs {
        let result = failure::guard(
            || engine.run(&job.input, &mut job.output, &job.abandoned),
            failure::run,
        );
        if results.send((job, result)).is_err() {
            return;
        }
    }
}

fn thread_ended() -> EngineError {
    failure::run("the engine's thread has ended")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use parking_lot::{Condvar, Mutex};

    use super::*;
    use crate::engine::{Precision, Provider};
    use crate::upscale::Samples;

    /// Doubles its input once the gate is open, or panics where the first sample is negative.
    struct Gated(EngineInfo, Arc<Gate>);

    #[derive(Default)]
    struct Gate {
        is_open: Mutex<bool>,
        opened: Condvar,
        /// Whether a run has come to it.
        reached: AtomicBool,
    }

    impl Gate {
        fn open(&self) {
            *self.is_open.lock() = true;
            self.opened.notify_all();
        }
    }

    impl Engine for Gated {
        fn info(&self) -> &EngineInfo {
            &self.0
        }

        fn run(
            &mut self,
            input: &Tensor,
            output: &mut Tensor,
            _: &Cancel,
        ) -> Result<(), EngineError> {
            self.1.reached.store(true, Ordering::SeqCst);
            let mut is_open = self.1.is_open.lock();
            self.1.opened.wait_while(&mut is_open, |is_open| !*is_open);
            let Samples::F32(samples) = &input.samples else { unreachable!() };
            assert!(samples[0] >= 0.0, "negative light");
            output.shape = input.shape;
            output.samples = Samples::F32(samples.iter().map(|v| v * 2.0).collect());
            Ok(())
        }
    }

    fn worker() -> (Worker, Arc<Gate>) {
        let info = EngineInfo {
            provider: Provider::Embedded,
            runtime: "test".into(),
            device: "CPU".into(),
            precision: Precision::Fp32,
        };
        let gate = Arc::new(Gate::default());
        let engine = Box::new(Gated(info, gate.clone()));
        (Worker::spawn(engine, Box::new(|| ())).unwrap(), gate)
    }

    fn tensor(value: f32) -> Tensor {
        let shape = Shape { batch: 1, channels: 1, height: 1, width: 2 };
        Tensor { shape, layout: Layout::Nchw, samples: Samples::F32(vec![value; 2]) }
    }

    /// Leaves a run behind in the engine, before the gate.
    fn abandon(worker: &mut Worker, gate: &Arc<Gate>) {
        let cancel = Cancel::new();
        let raiser = {
            let (cancel, gate) = (cancel.clone(), gate.clone());
            std::thread::spawn(move || {
                while !gate.reached.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                cancel.raise();
            })
        };
        let result = worker.run(&tensor(1.0), &mut tensor(0.0), &cancel);
        assert!(matches!(result, Err(EngineError::Cancelled)));
        raiser.join().unwrap();
    }

    #[test]
    fn a_run_that_is_left_behind_does_not_hold_the_caller_and_the_next_one_is_right() {
        let (mut worker, gate) = worker();
        abandon(&mut worker, &gate);
        gate.open();
        let mut output = tensor(0.0);
        worker.run(&tensor(3.0), &mut output, &Cancel::new()).unwrap();
        assert_eq!(output.samples, Samples::F32(vec![6.0; 2]));
    }

    #[test]
    fn a_panic_is_an_error_and_the_engine_lives_on() {
        let (mut worker, gate) = worker();
        gate.open();
        let mut output = tensor(0.0);
        let result = worker.run(&tensor(-1.0), &mut output, &Cancel::new());
        assert!(matches!(result, Err(EngineError::Run(text)) if text.contains("negative light")));
        worker.run(&tensor(1.0), &mut output, &Cancel::new()).unwrap();
    }

    #[test]
    fn drop_does_not_wait_for_a_long_run() {
        let (mut worker, gate) = worker();
        abandon(&mut worker, &gate);
        // It would wait for ever.
        drop(worker);
        gate.open();
    }
}
