//! One session: a model for one shape on one provider.

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;

use half::f16;
use ort::session::builder::SessionBuilder;
use ort::session::{RunOptions, Session, SessionInputValue};
use ort::value::{
    PrimitiveTensorElementType, TensorElementType, TensorRef, TensorValueTypeMarker, Value,
};

use super::bound::{Bound, Places};
use super::loader::{self, Loaded};
use super::{alone, catalogue, message, providers};
use crate::engine::buffer::{self, Sample};
use crate::engine::signature::{Dim, Signature};
use crate::engine::worker::Worker;
use crate::engine::{
    Cancel, Engine, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider,
    failure,
};
use crate::upscale::{Samples, Tensor};

/// Threads of the CPU provider, in `provider-options`; every key there but these is an entry of the session's configuration.
const THREADS: &str = "intra_op_num_threads";

/// Whether the CPU provider's input and output are bound once, as a GPU's are: to try that way where there is no GPU.
const BIND: &str = "bind";

/// Whether its threads wait for work by spinning.
const SPINNING: &str = "session.intra_op.allow_spinning";

/// Opens `model` on `provider`.
pub(in crate::engine) fn open(
    provider: Provider,
    model: &ModelSource,
    signature: &Signature,
    dims: Option<[usize; 4]>,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    if let Some(elsewhere) = catalogue::elsewhere(provider) {
        return Err(elsewhere);
    }
    let loaded = loader::load(options)?;
    let _alone = alone::wait(provider);
    let refused = |e: ort::Error| refused(provider, loaded, model, message(&e));
    let make = || -> Result<(Session, String), EngineError> {
        let builder = builder(provider, loaded, options).map_err(refused)?;
        let builder = fix_dims(builder, signature, dims).map_err(refused)?;
        let (mut builder, device) = providers::register(provider, builder, loaded, options)?;
        let session = match &model.path {
            // Only from a file does ONNX Runtime know the folder in which the weights lie.
            Some(path) if signature.external_data => builder.commit_from_file(path),
            _ => builder.commit_from_memory(&model.bytes),
        };
        Ok((session.map_err(refused)?, device))
    };
    let (session, device) = make()?;
    let bound = match (places(provider, options), dims) {
        (Some(places), Some(dims)) => Bound::new(&session, &places, dims).map_err(refused)?,
        _ => None,
    };

    let run_options = Arc::new(RunOptions::new().map_err(refused)?);
    let stop = {
        let run_options = Arc::clone(&run_options);
        Box::new(move || {
            // It cannot fail with a live handle; and if it did, the run would only take longer to end.
            let _ = run_options.terminate();
        })
    };
    let precision = match options.precision {
        Precision::Auto => Precision::Fp32,
        precision => precision,
    };
    let info = EngineInfo { provider, runtime: loaded.name.clone(), device, precision };
    let engine = Ort { info, session, bound, run_options, input: signature.input.name.clone() };
    Ok(Box::new(Worker::spawn(alone::wrap(Box::new(engine)), stop)?))
}

/// Where tensors lie that are bound once; `None`: nowhere, they are handed over as they are.
fn places(provider: Provider, options: &EngineOptions) -> Option<Places> {
    let is_asked = options.provider_options.iter().any(|(key, value)| key == BIND && value != "0");
    match provider {
        Provider::Cpu => is_asked.then_some(Places::CPU),
        _ => Places::of(provider, options),
    }
}

/// What runs on the CPU provider.
pub(in crate::engine) fn identify(options: &EngineOptions) -> Result<EngineInfo, EngineError> {
    let runtime = loader::load(options)?.name.clone();
    let (provider, precision) = (Provider::Cpu, Precision::Fp32);
    Ok(EngineInfo { provider, runtime, device: providers::CPU.into(), precision })
}

/// A refused model, or a device that turns out to be missing only when the session is made.
fn refused(provider: Provider, loaded: &Loaded, model: &ModelSource, text: &str) -> EngineError {
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
    let about_device = provider != Provider::Cpu && DEVICE.iter().any(|part| text.contains(part));
    if let Some(error) = catalogue::bad_options(provider, text) {
        return error;
    }
    if about_device && !failure::is_out_of_memory(text) {
        return catalogue::unavailable(provider, text);
    }
    failure::model(&loaded.name, model, text)
}

fn builder(
    provider: Provider,
    loaded: &Loaded,
    options: &EngineOptions,
) -> ort::Result<SessionBuilder> {
    let own = if provider == Provider::Cpu { options.provider_options.as_slice() } else { &[] };
    let threads = own.iter().find(|(key, _)| key == THREADS).and_then(|(_, n)| n.parse().ok());
    let mut builder = Session::builder(&loaded.environment)?
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

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, NonZero::get)
}

/// Gives the input's symbols their numbers, so that shapes are known when the graph is optimised.
///
/// A name that would need two numbers (a graph that calls both height and width "size") stays open.
fn fix_dims(
    mut builder: SessionBuilder,
    signature: &Signature,
    dims: Option<[usize; 4]>,
) -> ort::Result<SessionBuilder> {
    let mut symbols = BTreeMap::new();
    for (dim, n) in signature.input.dims.iter().zip(dims.into_iter().flatten()) {
        if let Dim::Symbol(name) = dim {
            let number = symbols.entry(name).or_insert(Some(n));
            *number = number.filter(|before| *before == n);
        }
    }
    for (name, number) in symbols {
        if let Some(n) = number.and_then(|n| i64::try_from(n).ok()) {
            builder = builder.with_dimension_override(name, n)?;
        }
    }
    Ok(builder)
}

struct Ort {
    info: EngineInfo,
    /// Before the session, whose memory it is.
    bound: Option<Bound>,
    session: Session,
    run_options: Arc<RunOptions>,
    input: String,
}

impl Engine for Ort {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        abandoned: &Cancel,
    ) -> Result<(), EngineError> {
        let failed = |e: ort::Error| failure::run(message(&e));
        // The flag is raised before the run is terminated: so either it is seen here, or the termination comes after this
        // line and lasts.
        self.run_options.unterminate().map_err(failed)?;
        if abandoned.is_raised() {
            return Err(EngineError::Cancelled);
        }
        if let Some(bound) = &mut self.bound {
            return match bound.run(&mut self.session, input, &self.run_options) {
                Err(_) if abandoned.is_raised() => Err(EngineError::Cancelled),
                ran => ran.map_err(failed).and_then(|()| bound.take(output)),
            };
        }
        let inputs = vec![(self.input.as_str(), view(input).map_err(failed)?)];
        let outputs = self.session.run_with_options(inputs, &self.run_options);
        let outputs = match outputs {
            Err(_) if abandoned.is_raised() => return Err(EngineError::Cancelled),
            outputs => outputs.map_err(failed)?,
        };
        let first = outputs.values().next();
        let first = first.ok_or_else(|| failure::run("it gave no output"))?;
        take(&first, output)
    }
}

/// `input` as ONNX Runtime takes it; no copy.
fn view(input: &Tensor) -> ort::Result<SessionInputValue<'_>> {
    let dims = input.dims();
    Ok(match &input.samples {
        Samples::F32(v) => TensorRef::from_array_view((dims, v.as_slice()))?.into(),
        Samples::F16(v) => TensorRef::from_array_view((dims, v.as_slice()))?.into(),
        Samples::U8(v) => TensorRef::from_array_view((dims, v.as_slice()))?.into(),
    })
}

/// Copies `value` to `output`.
pub(super) fn take<V: TensorValueTypeMarker + ?Sized>(
    value: &Value<V>,
    output: &mut Tensor,
) -> Result<(), EngineError> {
    match value.dtype().tensor_type() {
        Some(TensorElementType::Float32) => take_typed::<f32, V>(value, output),
        Some(TensorElementType::Float16) => take_typed::<f16, V>(value, output),
        Some(TensorElementType::Uint8) => take_typed::<u8, V>(value, output),
        other => Err(failure::run(format!("the output is of {other:?}, which is no picture"))),
    }
}

fn take_typed<T, V>(value: &Value<V>, output: &mut Tensor) -> Result<(), EngineError>
where
    T: Sample + PrimitiveTensorElementType,
    V: TensorValueTypeMarker + ?Sized,
{
    let (dims, samples) = value.try_extract_tensor::<T>().map_err(|e| failure::run(message(&e)))?;
    buffer::store(samples, &mut output.samples);
    buffer::set_dims(output, dims)
}
