//! One session: a model for one shape on one provider.

use std::collections::BTreeMap;
use std::sync::Arc;

use half::f16;
use ort::session::builder::SessionBuilder;
use ort::session::{RunOptions, SessionInputValue};
use ort::value::{
    PrimitiveTensorElementType, TensorElementType, TensorRef, TensorValueTypeMarker, Value,
};

use super::bound::{Bound, Live, unrecorded};
use super::make::{Made, Recipe};
use super::{alone, catalogue, loader, message, providers};
use crate::engine::buffer::{self, Sample};
use crate::engine::signature::{Dim, Signature};
use crate::engine::worker::{Stop, Worker};
use crate::engine::{
    Cancel, Engine, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider,
    failure,
};
use crate::upscale::{Samples, Tensor};

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
    let recipe = Recipe {
        provider,
        loaded,
        model,
        file: model.path.as_deref().filter(|_| signature.external_data),
        dims,
        is_fixed: dims.is_some(),
        options,
    };
    let Made { live, device } = recipe.make(|b| fix_dims(b, signature, dims))?;
    let run_options = Arc::new(RunOptions::new().map_err(|e| recipe.refused(&e))?);
    let stop = stop(&run_options);
    let precision = match options.precision {
        Precision::Auto => Precision::Fp32,
        precision => precision,
    };
    let info = EngineInfo { provider, runtime: loaded.name.clone(), device, precision };
    let engine = Ort { info, live, run_options, input: signature.input.name.clone() };
    Ok(Box::new(Worker::spawn(alone::wrap(Box::new(engine)), stop)?))
}

/// What ends a run with `options` early.
pub(super) fn stop(options: &Arc<RunOptions>) -> Stop {
    let options = Arc::clone(options);
    Box::new(move || {
        // It cannot fail with a live handle; and if it did, the run would only take longer to end.
        let _ = options.terminate();
    })
}

/// Makes `options` ready for a run that [`stop`] may end.
///
/// # Errors
/// [`EngineError::Cancelled`] where `abandoned` is raised already.
pub(super) fn begin(options: &RunOptions, abandoned: &Cancel) -> Result<(), EngineError> {
    // The flag is raised before the run is terminated: so either it is seen here, or the termination comes after this
    // line and lasts.
    options.unterminate().map_err(|e| failure::run(message(&e)))?;
    if abandoned.is_raised() { Err(EngineError::Cancelled) } else { Ok(()) }
}

/// What runs on the CPU provider.
pub(in crate::engine) fn identify(options: &EngineOptions) -> Result<EngineInfo, EngineError> {
    let runtime = loader::load(options)?.name.clone();
    let (provider, precision) = (Provider::Cpu, Precision::Fp32);
    Ok(EngineInfo { provider, runtime, device: providers::CPU.into(), precision })
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
    live: Live,
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
        begin(&self.run_options, abandoned)?;
        let (session, bound) = self.live.parts()?;
        if let Some(bound) = bound {
            fill(bound, input).map_err(failed)?;
            bound.run(session, &self.run_options, abandoned)?;
            let first = bound.output(0).ok_or_else(|| failure::run("it gave no output"))?;
            return take(first, output);
        }
        let inputs = vec![(self.input.as_str(), view(input).map_err(failed)?)];
        let outputs = unrecorded(|| session.run_with_options(inputs, &*self.run_options));
        let outputs = outputs.map_err(failed)?;
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

fn fill(bound: &mut Bound, input: &Tensor) -> ort::Result<()> {
    match &input.samples {
        Samples::F32(samples) => bound.fill(0, samples.iter().copied()),
        Samples::F16(samples) => bound.fill(0, samples.iter().copied()),
        Samples::U8(samples) => bound.fill(0, samples.iter().copied()),
    }
}

/// Copies `value` to `output`.
fn take<V: TensorValueTypeMarker + ?Sized>(
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
