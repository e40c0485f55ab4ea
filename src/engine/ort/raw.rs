//! Networks between raw samples.

use std::num::NonZero;
use std::time::Duration;

use ort::session::{RunOptions, Session, SessionInputValue, SessionOutputs};
use ort::value::{PrimitiveTensorElementType, Tensor};

use super::{loader, message, providers};
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
    let refused = |e: ort::Error| failure::model(&loaded.name, model, message(&e));
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let builder = Session::builder(&loaded.environment)
        .and_then(|b| Ok(b.with_memory_pattern(true)?))
        .and_then(|b| Ok(b.with_deterministic_compute(true)?))
        .and_then(|b| Ok(b.with_intra_threads(threads)?))
        // As for other networks: threads that wait by spinning take the processor from everybody else.
        .and_then(|b| Ok(b.with_config_entry("session.intra_op.allow_spinning", "0")?))
        .map_err(refused)?;
    let (mut builder, device) = providers::register(provider, builder, loaded, options)?;
    let session = builder.commit_from_memory(&wrapped.bytes).map_err(refused)?;
    let precision = match options.precision {
        Precision::Auto => Precision::Fp32,
        precision => precision,
    };
    let info = EngineInfo { provider, runtime: loaded.name.clone(), device, precision };
    let run_options = RunOptions::new().map_err(refused)?;
    Ok(Box::new(Raw { info, session, run_options, wrapped }))
}

struct Raw {
    info: EngineInfo,
    session: Session,
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
        let Self { session, run_options, wrapped, .. } = self;
        if inputs.len() != wrapped.inputs.len() {
            let (wanted, given) = (wrapped.inputs.len(), inputs.len());
            return Err(failure::run(format!("{given} planes came where {wanted} are needed")));
        }
        run_options.unterminate().map_err(failed)?;
        let values: Result<Vec<_>, _> = wrapped
            .inputs
            .iter()
            .zip(inputs)
            .map(|(port, bytes)| Ok((port.name.as_str(), value(port, bytes)?)))
            .collect();
        let (values, run_options) = (values.map_err(failed)?, &*run_options);
        std::thread::scope(|scope| {
            let (done, wait) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || {
                while let Err(std::sync::mpsc::RecvTimeoutError::Timeout) =
                    wait.recv_timeout(LOOK_AT_CANCEL)
                {
                    if cancel.is_raised() {
                        // If it fails the run only takes longer to end.
                        let _ = run_options.terminate();
                    }
                }
            });
            let result = session.run_with_options(values, run_options);
            drop(done);
            match result {
                Err(_) if cancel.is_raised() => Err(EngineError::Cancelled),
                result => take(&result.map_err(failed)?, wrapped, outputs),
            }
        })
    }
}

/// A plane as ONNX Runtime takes it.
fn value(port: &PlanePort, bytes: &[u8]) -> ort::Result<SessionInputValue<'static>> {
    Ok(match port.sample_bytes {
        1 => Tensor::from_array((port.dims, bytes.to_vec()))?.into(),
        _ => {
            let samples: Vec<_> =
                bytes.as_chunks().0.iter().map(|&b| u16::from_le_bytes(b)).collect();
            Tensor::from_array((port.dims, samples))?.into()
        }
    })
}

/// Copies what came out; whether it is finite.
fn take(
    from: &SessionOutputs,
    wrapped: &Wrapped,
    to: &mut Vec<Vec<u8>>,
) -> Result<bool, EngineError> {
    fn samples<'a, T: PrimitiveTensorElementType>(
        from: &'a SessionOutputs,
        name: &str,
    ) -> Result<&'a [T], EngineError> {
        let value = from.get(name).ok_or_else(|| failure::run(format!("it gave no '{name}'")))?;
        let tensor = value.try_extract_tensor::<T>();
        tensor.map(|(_, samples)| samples).map_err(|e| failure::run(message(&e)))
    }
    to.resize_with(wrapped.outputs.len(), Vec::new);
    for (port, bytes) in wrapped.outputs.iter().zip(to) {
        bytes.clear();
        match port.sample_bytes {
            1 => bytes.extend_from_slice(samples::<u8>(from, &port.name)?),
            _ => {
                let samples = samples::<u16>(from, &port.name)?;
                bytes.extend(samples.iter().flat_map(|v| v.to_le_bytes()));
            }
        }
    }
    Ok(samples::<f32>(from, &wrapped.finite)?.iter().all(|v| v.is_finite()))
}
