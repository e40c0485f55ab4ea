//! Runs an engine on a thread of its own, so that a run can be left behind.
//!
//! No runtime can be stopped within a kernel (rten not at all), and one convolution over a large tile takes longer than a seek
//! may wait. So the caller waits for the result with one eye on [`Cancel`]: when it is raised, the caller goes on at
//! once and the run ends in the background, where its result is dropped. The next run waits for it.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::buffer::copy;
use super::{Cancel, Engine, EngineError, EngineInfo, RawNetwork, failure};
use crate::upscale::{Element, Layout, Shape, Tensor};

/// How often the flag is looked at. A result wakes the caller at once, so this costs no time.
const POLL: Duration = Duration::from_millis(5);

/// How long a drop waits for the engine to be released. A caller that retries with smaller tiles after running out of
/// memory needs the old engine's memory back, and an idle engine is gone long before this.
const RELEASE: Duration = Duration::from_millis(50);

/// Asks the engine inside to end its run early; may do nothing.
pub(super) type Stop = Box<dyn Fn() + Send>;

/// An engine on a thread of its own; `T` is what travels there and back.
pub(super) struct Worker<T> {
    info: EngineInfo,
    stop: Stop,
    /// `None` only while dropping: a closed channel ends the thread.
    requests: Option<Sender<Job<T>>>,
    replies: Receiver<Reply<T>>,
    thread: Option<JoinHandle<()>>,
    /// `None` while a run that was left behind still has it.
    spare: Option<T>,
}

/// What travels to the thread.
struct Job<T> {
    work: T,
    abandoned: Cancel,
}

/// What travels back.
type Reply<T> = (T, Result<(), EngineError>);

/// What an [`Engine`] is given, and gives.
pub(super) struct Tensors {
    input: Tensor,
    output: Tensor,
}

/// What a [`RawNetwork`] is given, and gives.
#[derive(Default)]
pub(super) struct Planes {
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
    is_finite: bool,
}

impl Worker<Tensors> {
    /// Moves `engine` to a thread of its own. `stop` is called when a run is left behind; the engine finds the flag that it
    /// was given raised before that.
    ///
    /// # Errors
    /// [`EngineError::Run`] where no thread can be started.
    pub fn spawn(mut engine: Box<dyn Engine>, stop: Stop) -> Result<Self, EngineError> {
        let info = engine.info().clone();
        let none = Shape { batch: 0, channels: 0, height: 0, width: 0 };
        let empty = Tensor::zeros(none, Layout::Nchw, Element::F32);
        let spare = Tensors { input: empty.clone(), output: empty };
        Self::start(info, spare, stop, move |tensors, abandoned| {
            engine.run(&tensors.input, &mut tensors.output, abandoned)
        })
    }
}

impl Engine for Worker<Tensors> {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let mut tensors = self.spare(cancel)?;
        copy(input, &mut tensors.input);
        std::mem::swap(output, &mut tensors.output);
        std::mem::swap(output, &mut self.exchange(tensors, cancel)?.output);
        Ok(())
    }
}

impl Worker<Planes> {
    /// The same for a network between raw samples.
    ///
    /// # Errors
    /// As [`Worker::spawn`].
    pub fn spawn_raw(mut network: Box<dyn RawNetwork>, stop: Stop) -> Result<Self, EngineError> {
        let info = network.info().clone();
        Self::start(info, Planes::default(), stop, move |planes, abandoned| {
            let Planes { inputs, outputs, is_finite } = planes;
            *is_finite = network.run(inputs, outputs, abandoned)?;
            Ok(())
        })
    }
}

impl RawNetwork for Worker<Planes> {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        inputs: &[Vec<u8>],
        outputs: &mut Vec<Vec<u8>>,
        cancel: &Cancel,
    ) -> Result<bool, EngineError> {
        let mut planes = self.spare(cancel)?;
        inputs.clone_into(&mut planes.inputs);
        let made = self.exchange(planes, cancel)?;
        std::mem::swap(outputs, &mut made.outputs);
        Ok(made.is_finite)
    }
}

impl<T: Send + 'static> Worker<T> {
    /// Starts the thread, on which all is done by `run`; `spare` is the first to travel.
    fn start(
        info: EngineInfo,
        spare: T,
        stop: Stop,
        run: impl FnMut(&mut T, &Cancel) -> Result<(), EngineError> + Send + 'static,
    ) -> Result<Self, EngineError> {
        let (requests, jobs) = channel();
        let (results, replies) = channel();
        let thread = std::thread::Builder::new()
            .name(format!("kizuna-{}", info.provider))
            .spawn(move || {
                serve(run, &jobs, &results);
                // The engine is gone; only now may the other side see the channel closed.
                drop(results);
            })
            .map_err(|e| failure::run(format!("no thread can be started: {e}")))?;
        let (requests, thread, spare) = (Some(requests), Some(thread), Some(spare));
        Ok(Self { info, stop, requests, replies, thread, spare })
    }

    /// What is to travel next; where a run was left behind, waits for it.
    fn spare(&mut self, cancel: &Cancel) -> Result<T, EngineError> {
        if cancel.is_raised() {
            return Err(EngineError::Cancelled);
        }
        match self.spare.take() {
            Some(work) => Ok(work),
            None => Ok(self.wait(cancel)?.0),
        }
    }

    /// Lets the thread do `work`, which is given back as it has become.
    fn exchange(&mut self, work: T, cancel: &Cancel) -> Result<&mut T, EngineError> {
        let abandoned = Cancel::new();
        let requests = self.requests.as_ref().ok_or_else(thread_ended)?;
        let job = Job { work, abandoned: abandoned.clone() };
        requests.send(job).map_err(|_| thread_ended())?;
        let (work, result) = self.wait(cancel).inspect_err(|_| {
            abandoned.raise();
            (self.stop)();
        })?;
        let work = self.spare.insert(work);
        result.map(|()| work)
    }

    /// Waits for the thread's answer, or for `cancel`.
    fn wait(&self, cancel: &Cancel) -> Result<Reply<T>, EngineError> {
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

impl<T> Drop for Worker<T> {
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

/// The thread: one run after the other until nobody can ask any more.
fn serve<T>(
    mut run: impl FnMut(&mut T, &Cancel) -> Result<(), EngineError>,
    jobs: &Receiver<Job<T>>,
    results: &Sender<Reply<T>>,
) {
    for Job { mut work, abandoned } in jobs {
        let result = failure::guard(|| run(&mut work, &abandoned), failure::run);
        if results.send((work, result)).is_err() {
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

    /// What runs wait at.
    #[derive(Default)]
    struct Gate {
        is_open: Mutex<bool>,
        opened: Condvar,
        /// Whether a run has come to it.
        reached: AtomicBool,
    }

    impl Gate {
        fn pass(&self) {
            self.reached.store(true, Ordering::SeqCst);
            let mut is_open = self.is_open.lock();
            self.opened.wait_while(&mut is_open, |is_open| !*is_open);
        }

        fn open(&self) {
            *self.is_open.lock() = true;
            self.opened.notify_all();
        }
    }

    /// Lets `run` be cancelled when it has come to the gate.
    fn cancelled(gate: &Arc<Gate>, run: impl FnOnce(&Cancel) -> Result<(), EngineError>) {
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
        let result = run(&cancel);
        assert!(matches!(result, Err(EngineError::Cancelled)), "{result:?}");
        raiser.join().unwrap();
    }

    /// Doubles its input behind the gate, or panics where the first sample is negative.
    struct Doubling(EngineInfo, Arc<Gate>);

    impl Engine for Doubling {
        fn info(&self) -> &EngineInfo {
            &self.0
        }

        fn run(
            &mut self,
            input: &Tensor,
            output: &mut Tensor,
            _: &Cancel,
        ) -> Result<(), EngineError> {
            self.1.pass();
            let Samples::F32(samples) = &input.samples else { unreachable!() };
            assert!(samples[0] >= 0.0, "negative light");
            output.shape = input.shape;
            output.samples = Samples::F32(samples.iter().map(|v| v * 2.0).collect());
            Ok(())
        }
    }

    /// Adds one to all samples behind the gate; panics where it cannot.
    struct Adding(EngineInfo, Arc<Gate>);

    impl RawNetwork for Adding {
        fn info(&self) -> &EngineInfo {
            &self.0
        }

        fn run(
            &mut self,
            inputs: &[Vec<u8>],
            outputs: &mut Vec<Vec<u8>>,
            _: &Cancel,
        ) -> Result<bool, EngineError> {
            self.1.pass();
            let add = |&sample: &u8| sample.checked_add(1).expect("too bright");
            *outputs = inputs.iter().map(|plane| plane.iter().map(add).collect()).collect();
            Ok(true)
        }
    }

    fn info() -> EngineInfo {
        EngineInfo {
            provider: Provider::Embedded,
            runtime: "test".into(),
            device: "CPU".into(),
            precision: Precision::Fp32,
        }
    }

    fn worker() -> (Worker<Tensors>, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        let engine = Box::new(Doubling(info(), gate.clone()));
        (Worker::spawn(engine, Box::new(|| ())).unwrap(), gate)
    }

    fn tensor(value: f32) -> Tensor {
        let shape = Shape { batch: 1, channels: 1, height: 1, width: 2 };
        Tensor { shape, layout: Layout::Nchw, samples: Samples::F32(vec![value; 2]) }
    }

    #[test]
    fn a_run_that_is_left_behind_does_not_hold_the_caller_and_the_next_one_is_right() {
        let (mut worker, gate) = worker();
        let mut output = tensor(0.0);
        cancelled(&gate, |cancel| worker.run(&tensor(1.0), &mut output, cancel));
        gate.open();
        worker.run(&tensor(3.0), &mut output, &Cancel::new()).unwrap();
        assert_eq!(output.samples, Samples::F32(vec![6.0; 2]));
    }

    #[test]
    fn raw_networks_are_left_behind_too_and_their_panics_are_errors() {
        let gate = Arc::new(Gate::default());
        let raw = Box::new(Adding(info(), gate.clone()));
        let mut worker = Worker::spawn_raw(raw, Box::new(|| ())).unwrap();
        let mut outputs = Vec::new();
        cancelled(&gate, |cancel| worker.run(&[vec![1]], &mut outputs, cancel).map(|_| ()));
        gate.open();
        let cancel = Cancel::new();
        let result = worker.run(&[vec![255]], &mut outputs, &cancel);
        assert!(matches!(result, Err(EngineError::Run(text)) if text.contains("too bright")));
        assert!(worker.run(&[vec![3, 4], vec![5]], &mut outputs, &cancel).unwrap());
        assert_eq!(outputs, [vec![4, 5], vec![6]]);
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
        cancelled(&gate, |cancel| worker.run(&tensor(1.0), &mut tensor(0.0), cancel));
        // It would wait for ever.
        drop(worker);
        gate.open();
    }
}
