//! Tensor in, tensor out.
//!
//! [`Engine`] is the seam between the pure layers and the inference runtimes. The trait, [`contract`] and [`provider`] are
//! pure; each runtime is a folder of its own behind a feature.

#![cfg_attr(
    not(all(feature = "embedded", feature = "onnx", feature = "openvino")),
    allow(dead_code, reason = "the runtimes share helpers; a build with fewer of them uses fewer")
)]

pub mod contract;
pub mod provider;
pub mod raw;
pub mod rows;

mod buffer;
mod cancel;
mod failure;
mod library;
mod signature;
mod worker;

#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "onnx")]
mod nvidia;
#[cfg(feature = "openvino")]
mod openvino;
#[cfg(feature = "onnx")]
mod ort;

pub use cancel::Cancel;
pub use contract::{Contract, Halo, Port, ValueRange};
pub use provider::{Precision, Provider};
pub use raw::RawNetwork;
pub use rows::RowNetwork;

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::cache::{self, Cache};
use crate::onnx::{self, Ports, Wrap};
use crate::upscale::Tensor;
use signature::Signature;

/// A loaded network for one input shape. Dropping it releases everything.
pub trait Engine: Send {
    /// What really runs.
    fn info(&self) -> &EngineInfo;

    /// Runs the network on `input` and writes its result to `output`, resizing `output.samples` and setting `output.shape`
    /// to what the network gave; `output.layout` says how its dimensions are read and is left alone. After an error the
    /// contents of `output` are unspecified.
    ///
    /// The same input gives the same bytes every time.
    ///
    /// Returns within about 100 ms of `cancel` being raised, with [`EngineError::Cancelled`]; the engine can be run again.
    ///
    /// # Errors
    /// [`EngineError::OutOfMemory`] where the runtime says so, so that the caller may retry with smaller tiles;
    /// [`EngineError::Run`] for everything else that fails; no panic of a runtime gets through.
    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError>;

    /// The same network row by row, where the engine works so.
    fn rows(&self) -> Option<Arc<dyn RowNetwork>> {
        None
    }
}

/// What really runs, for `active-provider` and `stats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineInfo {
    /// The provider that was opened.
    pub provider: Provider,
    /// Runtime's name and version, e.g. "ONNX Runtime 1.31.1".
    pub runtime: String,
    /// Device in the provider's own words, e.g. "CPU".
    pub device: String,
    /// Arithmetic really used; never [`Precision::Auto`].
    pub precision: Precision,
}

/// The bytes of an ONNX file, and where they came from.
#[derive(Debug, Clone)]
pub struct ModelSource {
    /// Name for messages: a card's name or the file's path.
    pub name: String,
    /// The file, if the model is one; external data is looked for beside it.
    pub path: Option<PathBuf>,
    /// The whole ONNX file.
    pub bytes: Arc<[u8]>,
}

impl ModelSource {
    /// SHA-256 of the ONNX file in hexadecimal.
    pub fn sha256(&self) -> String {
        cache::hex(&self.bytes)
    }
}

/// What to open: everything that an engine needs to know besides the model.
#[derive(Debug, Clone, Default)]
pub struct EngineOptions {
    /// Arithmetic; `Auto` is resolved by the caller, engines take it as `Fp32`.
    pub precision: Precision,
    /// Device id as the provider names it.
    pub device: Option<String>,
    /// Passed on to the provider as they are.
    pub provider_options: Vec<(String, String)>,
    /// The `runtime-library` property: absolute path of libonnxruntime (or libopenvino_c for OpenVINO), or of its folder.
    pub runtime_library: Option<PathBuf>,
    /// Directories that may hold the runtimes, in order: beside the plugin, data directories, a checkout. In each are
    /// tried the directory itself, and `runtimes/onnxruntime` or `runtimes/openvino` in it (beside it, if it is `models`).
    pub search: Vec<PathBuf>,
    /// Where compiled models are kept; nowhere by default.
    pub cache: Cache,
    /// Bytes of its device's memory that an engine may take, where the device has memory of its own; `None`: any.
    pub device_memory: Option<u64>,
}

impl EngineOptions {
    /// The GPU that CUDA and TensorRT are told to use: as in all else, `provider-options` have the last word.
    #[cfg(feature = "onnx")]
    fn cuda_device(&self) -> &str {
        let asked = self.provider_options.iter().rev().find(|(key, _)| key == "device_id");
        asked.map(|(_, id)| id.as_str()).or(self.device.as_deref()).unwrap_or("0")
    }
}

/// Why an engine could not be opened or run. Each message says what failed and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// A shared library is not there or cannot be opened.
    #[error("{library} not found or not usable: {cause}. {remedy}")]
    Library {
        /// The library, e.g. "ONNX Runtime".
        library: &'static str,
        /// What the loader said.
        cause: String,
        /// What to install or set, in its first sentence; what else there is to know.
        remedy: String,
    },
    /// The runtime is there, but not this provider or its device.
    #[error("provider {provider} is not available: {cause}. {remedy}")]
    Provider {
        /// The provider asked for.
        provider: Provider,
        /// What the runtime said.
        cause: String,
        /// What to install or set, in its first sentence; what else there is to know.
        remedy: String,
    },
    /// The runtime refuses the model.
    #[error("{runtime} refuses model {model}: {cause}")]
    Model {
        /// Name and version of the runtime.
        runtime: String,
        /// The model's name.
        model: String,
        /// What the runtime said.
        cause: String,
    },
    /// Memory ran out.
    #[error("out of memory: {0}. Choose a smaller tile-size, or set memory-limit")]
    OutOfMemory(String),
    /// The run was cancelled.
    #[error("cancelled")]
    Cancelled,
    /// The network ran and failed.
    #[error("inference failed: {0}")]
    Run(String),
}

impl EngineError {
    /// The error where there is room for little: what is missing, and the first thing to do.
    pub fn brief(&self) -> String {
        match self {
            Self::Library { cause, remedy, .. } | Self::Provider { cause, remedy, .. } => {
                let first = remedy.split_once(". ").map_or(remedy.as_str(), |(first, _)| first);
                format!("{cause}. {first}")
            }
            other => other.to_string(),
        }
    }
}

/// Keeps runtimes that report to their makers from it. Called as early as can be; opening a runtime does it too.
pub fn forbid_telemetry() {
    #[cfg(feature = "onnx")]
    ort::forbid_telemetry();
}

/// Opens `model` on `provider` for input tensors whose dimensions in memory order are `dims` (`None`: any; slower, for
/// inspection).
///
/// What the model asks for is checked against `dims` before any runtime sees the file. The arithmetic that is really used
/// may be less than `options.precision` asks for where the device does not have it: see [`EngineInfo::precision`].
///
/// # Errors
/// See [`EngineError`]; never falls back to another provider by itself.
pub fn open(
    provider: Provider,
    model: &ModelSource,
    dims: Option<[usize; 4]>,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    let signature = Signature::read(model)?;
    if let Some(dims) = dims {
        signature.input.check(dims).map_err(|cause| failure::model("Kizuna", model, cause))?;
    }
    let model = &*typed(provider, model, options.precision)?;
    failure::guard(
        || match provider {
            #[cfg(feature = "embedded")]
            Provider::Embedded => embedded::open(model, &signature, options),
            #[cfg(feature = "openvino")]
            Provider::OpenVino => openvino::open(model, &signature, dims, options),
            #[cfg(feature = "onnx")]
            Provider::Cpu
            | Provider::Cuda
            | Provider::TensorRt
            | Provider::DirectMl
            | Provider::CoreMl
            | Provider::MiGraphX
            | Provider::WebGpu => ort::open(provider, model, &signature, dims, options),
            #[cfg(not(all(feature = "embedded", feature = "openvino", feature = "onnx")))]
            _ => {
                let _ = options;
                Err(not_built_in(provider))
            }
        },
        |panic| failure::model("the runtime", model, panic),
    )
}

/// Opens `model` between raw samples on `provider`, one of ONNX Runtime's: see [`crate::onnx::wrap`]. Gives up as
/// [`open_unless_cancelled`] does.
///
/// # Errors
/// As there; [`EngineError::Model`] where the network or the formats cannot be wrapped: it can be run by [`open`] then.
pub fn open_raw(
    provider: Provider,
    model: &ModelSource,
    how: &Wrap,
    options: &EngineOptions,
    cancel: &Cancel,
) -> Result<Box<dyn RawNetwork>, EngineError> {
    let (model, how, options) = (model.clone(), how.clone(), options.clone());
    unless_cancelled(cancel, move || open_wrapped(provider, &model, &how, &options))
}

fn open_wrapped(
    provider: Provider,
    model: &ModelSource,
    how: &Wrap,
    options: &EngineOptions,
) -> Result<Box<dyn RawNetwork>, EngineError> {
    let model = &*typed(provider, model, options.precision)?;
    let wrapped = onnx::wrap(&model.bytes, how)
        .map_err(|cause| failure::model("Kizuna", model, cause.to_string()))?;
    failure::guard(
        || match provider {
            #[cfg(feature = "onnx")]
            Provider::Cpu
            | Provider::Cuda
            | Provider::TensorRt
            | Provider::DirectMl
            | Provider::CoreMl
            | Provider::MiGraphX => ort::open_raw(provider, model, wrapped, options),
            _ => {
                let _ = wrapped;
                Err(EngineError::Provider {
                    provider,
                    cause: "it runs networks between pictures alone".into(),
                    remedy: "Choose a provider of ONNX Runtime".into(),
                })
            }
        },
        |panic| failure::model("the runtime", model, panic),
    )
}

/// Whether `provider` runs a graph as it is typed, on a device that is faster in fp16.
pub(crate) const fn runs_as_typed(provider: Provider) -> bool {
    matches!(provider, Provider::Cuda | Provider::DirectMl | Provider::WebGpu)
}

/// `model` as `provider` is to get it: where that runs a graph as it is typed, in the precision that is asked for.
fn typed(
    provider: Provider,
    model: &ModelSource,
    precision: Precision,
) -> Result<Cow<'_, ModelSource>, EngineError> {
    if precision != Precision::Fp16 || !runs_as_typed(provider) {
        return Ok(Cow::Borrowed(model));
    }
    let half = onnx::to_half(&model.bytes, Ports::Keep)
        .map_err(|cause| failure::model("Kizuna", model, cause.to_string()))?;
    let Some(half) = half else { return Ok(Cow::Borrowed(model)) };
    for notice in &half.notices {
        log::warn!("{} in fp16: {notice}", model.name);
    }
    Ok(Cow::Owned(ModelSource { bytes: half.bytes, ..model.clone() }))
}

/// What an engine that [`open`] makes of `model` in fp32 says of itself, without making one; the runtime is opened.
///
/// `None` where only opening tells: whether a GPU is still there, or what lies in a model's other files.
///
/// # Errors
/// As [`open`], for a runtime or a device that is not there.
pub fn identify(
    provider: Provider,
    model: &ModelSource,
    options: &EngineOptions,
) -> Result<Option<EngineInfo>, EngineError> {
    if Signature::read(model)?.external_data {
        return Ok(None);
    }
    failure::guard(
        || match provider {
            #[cfg(feature = "embedded")]
            Provider::Embedded => Ok(Some(embedded::identify(model, options))),
            #[cfg(feature = "openvino")]
            Provider::OpenVino => openvino::identify(options).map(Some),
            #[cfg(feature = "onnx")]
            Provider::Cpu => ort::identify(options).map(Some),
            _ => {
                let _ = options;
                Ok(None)
            }
        },
        |panic| failure::model("the runtime", model, panic),
    )
}

/// [`open`], but gives up when `cancel` is raised: opening takes seconds where a runtime compiles the graph.
///
/// What was begun ends by itself in the background.
///
/// # Errors
/// As [`open`], and [`EngineError::Cancelled`].
pub fn open_unless_cancelled(
    provider: Provider,
    model: &ModelSource,
    dims: Option<[usize; 4]>,
    options: &EngineOptions,
    cancel: &Cancel,
) -> Result<Box<dyn Engine>, EngineError> {
    let (model, options) = (model.clone(), options.clone());
    unless_cancelled(cancel, move || open(provider, &model, dims, &options))
}

/// What `open` gives, on a thread of its own.
fn unless_cancelled<T: Send + 'static>(
    cancel: &Cancel,
    open: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new()
        .name("kizuna-open".into())
        .spawn(move || sender.send(open()))
        .map_err(|e| EngineError::Run(format!("no thread to open the model on: {e}")))?;
    loop {
        match receiver.recv_timeout(LOOK_AT_CANCEL) {
            Ok(opened) => return opened,
            Err(RecvTimeoutError::Timeout) if !cancel.is_raised() => {}
            Err(RecvTimeoutError::Timeout) => return Err(EngineError::Cancelled),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(EngineError::Run(
                    "the thread that opened the model ended early".into(),
                ));
            }
        }
    }
}

/// How often a thread that waits looks whether it should stop.
const LOOK_AT_CANCEL: Duration = Duration::from_millis(10);

/// The order in which `provider=auto` tries providers for `model`: [`Provider::AUTO`], but the embedded engine before the other
/// processors' engines where it has kernels of its own for the model, which are faster than those.
pub fn auto_order(model: &ModelSource, options: &EngineOptions) -> Vec<Provider> {
    let mut order = Provider::AUTO.to_vec();
    #[cfg(feature = "embedded")]
    let is_fast = embedded::has_fast_kernels(model, options);
    #[cfg(not(feature = "embedded"))]
    let is_fast = false;
    if is_fast {
        order.retain(|&provider| provider != Provider::Embedded);
        let first = order.iter().position(|&p| p == Provider::OpenVino).unwrap_or(order.len());
        order.insert(first, Provider::Embedded);
    }
    let _ = (model, options);
    order
}

/// Whether `provider` lets go of `model` within a run: rten does not.
pub fn can_be_stopped(provider: Provider, model: &ModelSource, options: &EngineOptions) -> bool {
    match provider {
        #[cfg(feature = "embedded")]
        Provider::Embedded => embedded::has_kernels(model, options),
        _ => {
            let _ = (model, options);
            true
        }
    }
}

/// Bytes of the device's own memory that are free; `None` where `provider` has no other memory than the processor's, or the device
/// does not say.
pub fn free_device_memory(provider: Provider, options: &EngineOptions) -> Option<u64> {
    match provider {
        #[cfg(feature = "onnx")]
        Provider::Cuda | Provider::TensorRt => nvidia::gpu(options).map(|gpu| gpu.free),
        _ => {
            let _ = options;
            None
        }
    }
}

/// The reduced precision that `provider` computes in faster than in fp32 on this machine, for `precision=auto`; `None`
/// where fp32 is the best there is for `model`, or the provider is not usable.
///
/// Asks the runtime where it can be asked (OpenVINO, some milliseconds); costs little otherwise.
pub fn native_reduced_precision(
    provider: Provider,
    model: &ModelSource,
    options: &EngineOptions,
) -> Option<Precision> {
    match provider {
        #[cfg(feature = "embedded")]
        Provider::Embedded => embedded::native_reduced_precision(model, options),
        #[cfg(feature = "openvino")]
        Provider::OpenVino => openvino::native_reduced_precision(options),
        // The classic forms of both have an option that makes them compute an fp32 graph in fp16.
        #[cfg(feature = "onnx")]
        Provider::TensorRt | Provider::MiGraphX => {
            ort::is_built_in(provider, options).then_some(Precision::Fp16)
        }
        // The graph is converted for these.
        Provider::Cuda | Provider::DirectMl => Some(Precision::Fp16),
        _ => {
            let _ = (model, options);
            None
        }
    }
}

#[cfg(not(all(feature = "embedded", feature = "openvino", feature = "onnx")))]
fn not_built_in(provider: Provider) -> EngineError {
    let feature = match provider {
        Provider::Embedded => "embedded",
        Provider::OpenVino => "openvino",
        _ => "onnx",
    };
    EngineError::Provider {
        provider,
        cause: "this build of Kizuna leaves it out".into(),
        remedy: format!("Build with the Cargo feature '{feature}'"),
    }
}
