//! Networks between raw samples.

use std::sync::Arc;

use ort::session::{RunOptions, SessionInputValue};
use ort::value::{PrimitiveTensorElementType, Tensor, TensorValueTypeMarker, Value};

use super::bound::{Live, unrecorded};
use super::make::{Made, Recipe};
use super::{loader, message, session};
use crate::engine::raw::RawNetwork;
use crate::engine::worker::Worker;
use crate::engine::{
    Cancel, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider, failure,
};
use crate::onnx::{PlanePort, Wrapped};

/// Opens `wrapped`, which was made of `model`, on `provider`.
pub(in crate::engine) fn open_raw(
    provider: Provider,
    model: &ModelSource,
    wrapped: Wrapped,
    options: &EngineOptions,
) -> Result<Box<dyn RawNetwork>, EngineError> {
    let loaded = loader::load(options)?;
    let model = &ModelSource { bytes: wrapped.bytes.clone(), path: None, ..model.clone() };
    let recipe =
        Recipe { provider, loaded, model, file: None, dims: None, is_fixed: true, options };
    let Made { live, device } = recipe.make(Ok)?;
    let precision = match options.precision {
        Precision::Auto => Precision::Fp32,
        precision => precision,
    };
    let info = EngineInfo { provider, runtime: loaded.name.clone(), device, precision };
    let run_options = Arc::new(RunOptions::new().map_err(|e| recipe.refused(&e))?);
    let stop = session::stop(&run_options);
    let raw = Raw { info, live, run_options, wrapped };
    Ok(Box::new(Worker::spawn_raw(Box::new(raw), stop)?))
}

struct Raw {
    info: EngineInfo,
    live: Live,
    run_options: Arc<RunOptions>,
    wrapped: Wrapped,
}

impl RawNetwork for Raw {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        inputs: &[Vec<u8>],
        outputs: &mut Vec<Vec<u8>>,
        abandoned: &Cancel,
    ) -> Result<bool, EngineError> {
        let failed = |e: ort::Error| failure::run(message(&e));
        let Self { live, run_options, wrapped, .. } = self;
        if inputs.len() != wrapped.inputs.len() {
            let (wanted, given) = (wrapped.inputs.len(), inputs.len());
            return Err(failure::run(format!("{given} planes came where {wanted} are needed")));
        }
        session::begin(run_options, abandoned)?;
        let (session, bound) = live.parts()?;
        let Some(bound) = bound else {
            let ports = wrapped.inputs.iter().zip(inputs);
            let values: ort::Result<Vec<_>> =
                ports.map(|(port, bytes)| Ok((port.name.as_str(), value(port, bytes)?))).collect();
            let given = values.map_err(failed)?;
            let made = unrecorded(|| session.run_with_options(given, &**run_options));
            let made = made.map_err(failed)?;
            return take(|name, _| made.get(name), wrapped, outputs);
        };
        let filled = inputs.iter().enumerate().try_for_each(|(i, bytes)| {
            match wrapped.inputs[i].sample_bytes {
                1 => bound.fill(i, bytes.iter().copied()),
                _ => bound.fill(i, samples_of(bytes)),
            }
        });
        filled.map_err(failed)?;
        bound.run(session, run_options, abandoned)?;
        take(|_, index| bound.output(index), wrapped, outputs)
    }
}

/// Samples of two bytes, little endian.
fn samples_of(bytes: &[u8]) -> impl ExactSizeIterator<Item = u16> {
    bytes.as_chunks().0.iter().map(|&pair| u16::from_le_bytes(pair))
}

/// A plane as ONNX Runtime takes it.
fn value(port: &PlanePort, bytes: &[u8]) -> ort::Result<SessionInputValue<'static>> {
    Ok(match port.sample_bytes {
        1 => Tensor::from_array((port.dims, bytes.to_vec()))?.into(),
        _ => Tensor::from_array((port.dims, samples_of(bytes).collect::<Vec<_>>()))?.into(),
    })
}

/// Copies what came out, each `output` by its name and place; whether it is finite.
fn take<'a, V: TensorValueTypeMarker + 'a>(
    output: impl Fn(&str, usize) -> Option<&'a Value<V>>,
    wrapped: &Wrapped,
    to: &mut Vec<Vec<u8>>,
) -> Result<bool, EngineError> {
    let find = |name: &str, index| {
        output(name, index).ok_or_else(|| failure::run(format!("it gave no '{name}'")))
    };
    to.resize_with(wrapped.outputs.len(), Vec::new);
    for (index, (port, bytes)) in wrapped.outputs.iter().zip(to).enumerate() {
        let value = find(&port.name, index)?;
        bytes.clear();
        match port.sample_bytes {
            1 => bytes.extend_from_slice(samples::<u8, V>(value)?),
            _ => {
                bytes.extend(
                    samples::<u16, V>(value)?.iter().flat_map(|sample| sample.to_le_bytes()),
                );
            }
        }
    }
    let finite = find(&wrapped.finite, wrapped.outputs.len())?;
    Ok(samples::<f32, V>(finite)?.iter().all(|v| v.is_finite()))
}

fn samples<T, V>(value: &Value<V>) -> Result<&[T], EngineError>
where
    T: PrimitiveTensorElementType,
    V: TensorValueTypeMarker,
{
    let tensor = value.try_extract_tensor::<T>();
    tensor.map(|(_, samples)| samples).map_err(|e| failure::run(message(&e)))
}
