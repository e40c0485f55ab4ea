//! How a session is made: recorded where runs can be, and with what was compiled before.

use std::num::NonZero;
use std::path::Path;

use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::bound::{Bound, Live, Places, unrecorded};
use super::loader::Loaded;
use super::tuning::{self, Tuning};
use super::{catalogue, message, providers};
use crate::engine::{EngineError, EngineOptions, ModelSource, Provider, failure};

/// Threads of the CPU provider, in `provider-options`; every key there but these is an entry of the session's configuration.
const THREADS: &str = "intra_op_num_threads";

/// Whether the CPU provider's inputs and outputs are bound once, as a GPU's are: to try that way where there is no GPU.
const BIND: &str = "bind";

/// Whether its threads wait for work by spinning.
const SPINNING: &str = "session.intra_op.allow_spinning";

/// What a session is made of.
pub(super) struct Recipe<'a> {
    pub provider: Provider,
    pub loaded: &'static Loaded,
    /// Its bytes as they are run.
    pub model: &'a ModelSource,
    /// The file, where weights lie beside it.
    pub file: Option<&'a Path>,
    /// What the first input's dimensions are to be; `None`: what the graph says.
    pub dims: Option<[usize; 4]>,
    /// Whether all runs are of one shape.
    pub is_fixed: bool,
    pub options: &'a EngineOptions,
}

/// A session.
pub(super) struct Made {
    pub live: Live,
    /// The device in words.
    pub device: String,
}

impl Recipe<'_> {
    /// Makes it; `prepare` has the last word on the builder.
    ///
    /// # Errors
    /// A device that is not there; what the runtime says of the model.
    pub fn make(
        &self,
        prepare: impl Fn(SessionBuilder) -> ort::Result<SessionBuilder>,
    ) -> Result<Made, EngineError> {
        let places = self.places().filter(|_| self.is_fixed);
        let key = tuning::key(self, self.loaded);
        let is_refusal = |e: &EngineError| matches!(e, EngineError::Model { .. });
        self.options.cache.compiled(key.as_ref(), is_refusal, |folder| {
            if places.is_some() {
                let recorded = Tuning { records: true, folder };
                match self.attempt(recorded, places.as_ref(), &prepare) {
                    // Its outputs' sizes are not known before it has run, say: they cannot stay in one place.
                    Ok(made) if !made.live.is_bound() => {}
                    // Some networks have a part that only a processor runs.
                    Err(error) if error.to_string().contains("graph capture") => {
                        log::debug!("runs are not recorded: {error}");
                    }
                    made => return made,
                }
            }
            // Nor is anything bound: what a processor's part is given would stay what it was when it was bound.
            self.attempt(Tuning { records: false, folder }, None, &prepare)
        })
    }

    fn attempt(
        &self,
        tuning: Tuning,
        places: Option<&Places>,
        prepare: &impl Fn(SessionBuilder) -> ort::Result<SessionBuilder>,
    ) -> Result<Made, EngineError> {
        let Self { provider, loaded, model, file, options, .. } = self;
        let builder = self.builder().and_then(prepare).map_err(|e| self.refused(&e))?;
        let (mut builder, device) =
            providers::register(*provider, builder, loaded, options, tuning)?;
        let session = unrecorded(|| match file {
            // Only from a file does ONNX Runtime know the folder in which the weights lie.
            Some(path) => builder.commit_from_file(path),
            None => builder.commit_from_memory(&model.bytes),
        });
        let session = session.map_err(|e| self.refused(&e))?;
        let bound = match places.map(|to| unrecorded(|| Bound::new(&session, to, self.dims))) {
            Some(Err(e)) if !failure::is_out_of_memory(message(&e)) => {
                log::debug!("tensors are not bound: {}", message(&e));
                None
            }
            bound => bound.transpose().map_err(|e| self.refused(&e))?.flatten(),
        };
        Ok(Made { live: Live::new(session, bound), device })
    }

    fn builder(&self) -> ort::Result<SessionBuilder> {
        let is_cpu = self.provider == Provider::Cpu;
        let own = if is_cpu { self.options.provider_options.as_slice() } else { &[] };
        let threads = own.iter().find(|(key, _)| key == THREADS).and_then(|(_, n)| n.parse().ok());
        let mut builder = Session::builder(&self.loaded.environment)?
            .with_memory_pattern(true)?
            .with_deterministic_compute(true)?
            // ONNX Runtime counts the machine's cores; this also counts what a container may use of them.
            .with_intra_threads(threads.unwrap_or_else(processors))?;
        if !own.iter().any(|(key, _)| key == SPINNING) {
            // Threads that wait by spinning take the processor from everybody else: a third of all its time, measured.
            builder = builder.with_config_entry(SPINNING, "0")?;
        }
        for (key, value) in own.iter().filter(|(key, _)| ![THREADS, BIND].contains(&key.as_str())) {
            builder = builder.with_config_entry(key, value)?;
        }
        Ok(builder)
    }

    /// Where tensors lie that are bound once; `None`: nowhere, they are handed over as they are.
    fn places(&self) -> Option<Places> {
        let mut options = self.options.provider_options.iter();
        match self.provider {
            Provider::Cpu => {
                options.any(|(key, value)| key == BIND && value != "0").then_some(Places::CPU)
            }
            provider if providers::is_built_in(provider).unwrap_or(false) => {
                Places::of(provider, self.options)
            }
            // A plugin's memory has no name that the bindings know.
            _ => None,
        }
    }

    /// A refused model, or a device that turns out to be missing only when the session is made.
    pub fn refused(&self, error: &ort::Error) -> EngineError {
        let Self { provider, loaded, model, .. } = *self;
        let text = message(error);
        const DEVICE: [&str; 8] = [
            "CUDA failure",
            "CUDA error",
            "CUDNN failure",
            "cudaError",
            "driver",
            "no CUDA-capable",
            "No supported adapters",
            "adapter",
        ];
        let about_device =
            provider != Provider::Cpu && DEVICE.iter().any(|part| text.contains(part));
        if let Some(error) = catalogue::bad_options(provider, text) {
            return error;
        }
        if about_device && !failure::is_out_of_memory(text) {
            return catalogue::unavailable(provider, text);
        }
        failure::model(&loaded.name, model, text)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}
