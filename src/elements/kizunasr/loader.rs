//! Networks loaded on threads of their own, so that frames need not wait.

use std::sync::Arc;
use std::thread::JoinHandle;

use gst_video::VideoInfo;
use parking_lot::Mutex;

use crate::elements::video;
use crate::engine::Cancel;
use crate::session::{Config, Loaded, Notice, Opened, SessionError, spawn};

/// Input and output.
pub type Infos = (VideoInfo, VideoInfo);

/// The output for a network of some factor, once that is known; `None` where nothing is known of frames yet.
pub type Output = Box<dyn FnOnce(f64) -> Option<Infos> + Send>;

/// A network that is wanted.
pub struct Order {
    /// Which settings it is of.
    pub revision: u64,
    /// The settings.
    pub config: Config,
    /// The model, where only engines are wanted.
    pub loaded: Option<Arc<Loaded>>,
    /// What frames the engines are for.
    pub output: Output,
}

/// A network that was loaded.
pub struct Network {
    /// Which settings it is of.
    pub revision: u64,
    /// The settings.
    pub config: Config,
    /// The model and its provider.
    pub loaded: Arc<Loaded>,
    /// Engines for frames of one kind.
    pub ready: Option<(Infos, Opened)>,
    /// What the user must hear of.
    pub notices: Vec<Notice>,
}

impl Order {
    fn fill(self, cancel: &Cancel) -> Result<Network, SessionError> {
        let Self { revision, config, loaded, output } = self;
        let (loaded, mut notices) = match loaded {
            Some(loaded) => (loaded, Vec::new()),
            None => {
                let (loaded, notices) = Loaded::open(&config, cancel)?;
                (Arc::new(loaded), notices)
            }
        };
        let ready = match output(loaded.contract.scale.as_f64()) {
            Some(infos) => match video::spec(&infos.0).zip(video::spec(&infos.1)) {
                Some(specs) => {
                    let opened = Opened::networks(loaded.clone(), config.clone(), specs, cancel)?;
                    notices.extend(opened.1);
                    Some((infos, opened.0))
                }
                None => None,
            },
            None => None,
        };
        Ok(Network { revision, config, loaded, ready, notices })
    }
}

/// Loads one network at a time; the newest order is the one that counts.
#[derive(Default)]
pub struct Loader {
    job: Mutex<Option<Job>>,
    /// Threads that nobody waits for until [`Loader::stop`].
    others: Mutex<Vec<JoinHandle<()>>>,
}

struct Job {
    revision: u64,
    cancel: Cancel,
    result: Arc<Mutex<Option<Result<Network, SessionError>>>>,
    thread: JoinHandle<()>,
}

impl Loader {
    /// Begins to load, in place of what was being loaded.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn order(&self, order: Order) -> Result<(), SessionError> {
        self.forget();
        let (cancel, result) = (Cancel::new(), Arc::new(Mutex::new(None)));
        let revision = order.revision;
        let fill = {
            let (cancel, result) = (cancel.clone(), result.clone());
            move || *result.lock() = Some(order.fill(&cancel))
        };
        let thread = spawn("kizuna-load", fill)?;
        *self.job.lock() = Some(Job { revision, cancel, result, thread });
        Ok(())
    }

    /// Which settings' network is being loaded.
    pub fn revision(&self) -> Option<u64> {
        self.job.lock().as_ref().map(|job| job.revision)
    }

    /// What was loaded, once.
    pub fn take(&self) -> Option<Result<Network, SessionError>> {
        let mut slot = self.job.lock();
        let result = slot.as_ref()?.result.lock().take()?;
        if let Some(job) = slot.take() {
            self.others.lock().push(job.thread);
        }
        Some(result)
    }

    /// Closes what is not needed any more, which may take time.
    pub fn close(&self, old: impl Send + 'static) {
        // Without a thread it is closed here.
        if let Ok(thread) = spawn("kizuna-close", move || drop(old)) {
            self.others.lock().push(thread);
        }
    }

    /// Gives up what is being loaded.
    pub fn forget(&self) {
        let mut others = self.others.lock();
        others.retain(|thread| !thread.is_finished());
        if let Some(job) = self.job.lock().take() {
            job.cancel.raise();
            others.push(job.thread);
        }
    }

    /// Gives up what is being loaded and waits for every thread.
    pub fn stop(&self) {
        self.forget();
        let threads = std::mem::take(&mut *self.others.lock());
        for thread in threads {
            let _ = thread.join();
        }
    }
}
