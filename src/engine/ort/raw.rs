//! Networks between raw samples.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use ort::session::{RunOptions, SessionInputValue};
use ort::value::{PrimitiveTensorElementType, Tensor, TensorValueTypeMarker, Value};

use super::bound::Live;
use super::make::{Made, Recipe};
use super::{loader, message};
use crate::engine::raw::RawNetwork;
use crate::engine::{
    Cancel, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider, failure,
};
use crate::onnx::{PlanePort, Wrapped};

/// How often a thread that waits looks whether it should stop.
const LOOK_AT_CANCEL: Duration = Duration::from_millis(10);

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
    let run_options = RunOptions::new().map_err(|e| recipe.refused(&e))?;
    Ok(Box::new(Raw { info, live, run_options, wrapped }))
}

struct Raw {
    info: EngineInfo,
    live: Live,
    run_options: RunOptions,
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
        cancel: &Cancel,
    ) -> Result<bool, EngineError> {
        let failed = |e: ort::Error| failure::run(message(&e));
        let Self { live, run_options, wrapped, .. } = self;
        let Some((session, bound)) = live.parts() else {
            return Err(failure::run("its session is gone"));
        };
        if inputs.len() != wrapped.inputs.len() {
            let (wanted, given) = (wrapped.inputs.len(), inputs.len());
            return Err(failure::run(format!("{given} planes came where {wanted} are needed")));
        }
        run_options.unterminate().map_err(failed)?;
        stopped_by(cancel, run_options, || match bound {
            Some(bound) => {
                let filled = inputs.iter().enumerate().try_for_each(|(i, bytes)| {
                    match wrapped.inputs[i].sample_bytes {
                        1 => bound.fill(i, bytes.iter().copied()),
                        _ => bound.fill(i, samples_of(bytes)),
                    }
                });
                let ran = filled.and_then(|()| bound.run(session, run_options));
                ran.map_err(failed)?;
                take(|_, index| bound.output(index), wrapped, outputs)
            }
            None => {
                let ports = wrapped.inputs.iter().zip(inputs);
                let values: ort::Result<Vec<_>> = ports
                    .map(|(port, bytes)| Ok((port.name.as_str(), value(port, bytes)?)))
                    .collect();
                let given = values.map_err(failed)?;
                let made = session.run_with_options(given, run_options).map_err(failed)?;
                take(|name, _| made.get(name), wrapped, outputs)
            }
        })
    }
}

/// Does `run`, which `cancel` ends early.
fn stopped_by<T>(
    cancel: &Cancel,
    options: &RunOptions,
    run: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    std::thread::scope(|scope| {
        let (done, wait) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            while let Err(RecvTimeoutError::Timeout) = wait.recv_timeout(LOOK_AT_CANCEL) {
                if cancel.is_raised() {
                    // If it fails the run only takes longer to end.
                    let _ = options.terminate();
                }
            }
        });
        let result = run();
        drop(done);
        result.map_err(|error| if cancel.is_raised() { EngineError::Cancelled } else { error })
    })
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
