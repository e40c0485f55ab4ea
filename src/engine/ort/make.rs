//! How a session is made: recorded where runs can be, and with what was compiled before.

use std::num::NonZero;
use std::path::Path;

use ort::session::Session;
use ort::session::builder::SessionBuilder;

use super::bound::{Bound, Places};
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
    pub options: &'a EngineOptions,
}

/// A session.
pub(super) struct Made {
    pub session: Session,
    /// Its inputs and outputs, where they stay in one place.
    pub bound: Option<Bound>,
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
        let places = self.places();
        let key = tuning::key(self.provider, self.model, self.dims, self.loaded, self.options);
        let (session, device) = self.options.cache.compiled(key.as_ref(), |folder| {
            let records = places.is_some() && self.provider != Provider::Cpu;
            let made = self.attempt(Tuning { records, folder }, &prepare);
            match made {
                // Some networks have a part that only a processor runs: these cannot be recorded.
                Err(error) if records && error.to_string().contains("graph capture") => {
                    log::debug!("runs are not recorded: {error}");
                    self.attempt(Tuning { records: false, folder }, &prepare)
                }
                made => made,
            }
        })?;
        let bound = match places {
            Some(places) => {
                Bound::new(&session, &places, self.dims).map_err(|e| self.refused(&e))?
            }
            None => None,
        };
        Ok(Made { session, bound, device })
    }

    fn attempt(
        &self,
        tuning: Tuning,
        prepare: &impl Fn(SessionBuilder) -> ort::Result<SessionBuilder>,
    ) -> Result<(Session, String), EngineError> {
        let Self { provider, loaded, model, file, options, .. } = self;
        let builder = self.builder().and_then(prepare).map_err(|e| self.refused(&e))?;
        let (mut builder, device) =
            providers::register(*provider, builder, loaded, options, tuning)?;
        let session = match file {
            // Only from a file does ONNX Runtime know the folder in which the weights lie.
            Some(path) => builder.commit_from_file(path),
            None => builder.commit_from_memory(&model.bytes),
        };
        Ok((session.map_err(|e| self.refused(&e))?, device))
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
