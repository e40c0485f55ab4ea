//! Inputs and outputs that stay where they are: in memory that the device reads at full speed, and on the device.
//!
//! A run copies the inputs up, runs, and copies the outputs down. As nothing ever lies anywhere else, a device may record a run once
//! and repeat it as one command (CUDA graphs).

use std::time::Duration;

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::{DynTensor, PrimitiveTensorElementType, TensorElementType, ValueType};
use parking_lot::{RwLock, RwLockWriteGuard};

use super::message;
use crate::engine::{Cancel, EngineError, EngineOptions, Provider, failure};

/// Where a provider's tensors lie.
#[derive(Debug, Clone)]
pub(super) struct Places {
    host: AllocationDevice<'static>,
    device: AllocationDevice<'static>,
    id: i32,
}

impl Places {
    /// The CPU's own, for tests.
    pub const CPU: Self =
        Self { host: AllocationDevice::CPU, device: AllocationDevice::CPU, id: 0 };

    /// Those of `provider`; `None` where tensors are handed over as they are.
    pub fn of(provider: Provider, options: &EngineOptions) -> Option<Self> {
        let (host, device) = match provider {
            Provider::Cuda | Provider::TensorRt => {
                (AllocationDevice::CUDA_PINNED, AllocationDevice::CUDA)
            }
            _ => return None,
        };
        let id = options.cuda_device().parse().ok()?;
        Some(Self { host, device, id })
    }
}

/// A tensor in both places.
struct Port {
    host: DynTensor,
    device: DynTensor,
}

impl Port {
    fn new(
        session: &Session,
        places: &Places,
        kind: MemoryType,
        (element, dims): (TensorElementType, &[i64]),
    ) -> ort::Result<Self> {
        let tensor = |place: &AllocationDevice, kind| {
            let memory = MemoryInfo::new(place.clone(), places.id, AllocatorType::Device, kind)?;
            DynTensor::new(&Allocator::new(session, memory)?, element, dims.to_vec())
        };
        let is_cpu = places.host == AllocationDevice::CPU;
        let host = tensor(&places.host, if is_cpu { MemoryType::Default } else { kind })?;
        Ok(Self { host, device: tensor(&places.device, MemoryType::Default)? })
    }
}

/// A session's inputs and outputs.
pub(super) struct Bound {
    binding: IoBinding,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    first: First,
}

/// A session's first run, which records itself.
enum First {
    ToCome,
    Recorded,
    /// Why: what it had recorded by then would be repeated, so there is no other.
    Failed(String),
}

/// A first run may record itself. ONNX Runtime records globally: while it does, nobody else may ask the driver for memory or give some
/// back, as sessions do that are made, run or dropped.
static RECORDING: RwLock<()> = RwLock::new(());

/// How long a first run waits for the others before it looks whether it should stop, and lets those go on that came after it.
const LOOK_AT_CANCEL: Duration = Duration::from_millis(20);

/// Does `work` while nothing is recorded.
pub(super) fn unrecorded<T>(work: impl FnOnce() -> T) -> T {
    let _others = RECORDING.read();
    work()
}

/// Waits until nobody else does what cannot be done while a run is recorded.
fn alone(abandoned: &Cancel) -> Result<RwLockWriteGuard<'static, ()>, EngineError> {
    loop {
        match RECORDING.try_write_for(LOOK_AT_CANCEL) {
            Some(alone) => return Ok(alone),
            None if abandoned.is_raised() => return Err(EngineError::Cancelled),
            None => {}
        }
    }
}

/// A session with what is bound to it, dropped while nothing is recorded.
pub(super) struct Live {
    /// Its inputs and outputs, where they stay in one place.
    bound: Option<Bound>,
    /// `None` only while it is dropped, after what is bound to it.
    session: Option<Session>,
}

impl Live {
    pub fn new(session: Session, bound: Option<Bound>) -> Self {
        Self { bound, session: Some(session) }
    }

    /// Whether inputs and outputs stay in one place.
    pub fn is_bound(&self) -> bool {
        self.bound.is_some()
    }

    /// Both, to be used together.
    pub fn parts(&mut self) -> Result<(&mut Session, Option<&mut Bound>), EngineError> {
        let session = self.session.as_mut().ok_or_else(|| failure::run("its session is gone"))?;
        Ok((session, self.bound.as_mut()))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        unrecorded(|| {
            self.bound = None;
            self.session = None;
        });
    }
}

impl Bound {
    /// Binds all of `session`'s, in its order; `dims` are the first input's where the graph leaves them open. `None` where it does not
    /// say how large an output will be.
    pub fn new(
        session: &Session,
        places: &Places,
        dims: Option<[usize; 4]>,
    ) -> ort::Result<Option<Self>> {
        let given = dims.map(|dims| dims.map(|n| i64::try_from(n).unwrap_or(i64::MAX)));
        let mut binding = session.create_binding()?;
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for port in session.inputs() {
            let Some((element, shape)) = tensor(port.dtype()) else { return Ok(None) };
            let given = given.as_ref().filter(|_| inputs.is_empty()).map(|dims| dims.as_slice());
            let Some(shape) = given.or_else(|| known(shape)) else { return Ok(None) };
            let bound = Port::new(session, places, MemoryType::CPUInput, (element, shape))?;
            binding.bind_input(port.name(), &bound.device)?;
            inputs.push(bound);
        }
        for port in session.outputs() {
            let Some((element, shape)) = tensor(port.dtype()) else { return Ok(None) };
            let Some(shape) = known(shape) else { return Ok(None) };
            let mut bound = Port::new(session, places, MemoryType::CPUOutput, (element, shape))?;
            binding.bind_output(port.name(), &mut bound.device)?;
            outputs.push(bound);
        }
        Ok(Some(Self { binding, inputs, outputs, first: First::ToCome }))
    }

    /// Copies `samples` to where the input `index` is taken from.
    ///
    /// # Errors
    /// If it is of another type or size.
    pub fn fill<T: PrimitiveTensorElementType>(
        &mut self,
        index: usize,
        samples: impl ExactSizeIterator<Item = T>,
    ) -> ort::Result<()> {
        let port = self.inputs.get_mut(index).ok_or_else(|| ort::Error::new("no such input"))?;
        let (_, target) = port.host.try_extract_tensor_mut::<T>()?;
        if target.len() != samples.len() {
            return Err(ort::Error::new(format!(
                "the input has {} elements, and {} are bound",
                samples.len(),
                target.len()
            )));
        }
        target.iter_mut().zip(samples).for_each(|(to, from)| *to = from);
        Ok(())
    }

    /// Runs `session` on what was filled in.
    ///
    /// # Errors
    /// What the runtime says; [`EngineError::Cancelled`] where `abandoned` is raised before a first run has begun.
    pub fn run(
        &mut self,
        session: &mut Session,
        options: &RunOptions,
        abandoned: &Cancel,
    ) -> Result<(), EngineError> {
        let failed = |e: ort::Error| failure::run(message(&e));
        match &self.first {
            First::Recorded => unrecorded(|| self.steps(session, options)).map_err(failed),
            First::Failed(why) => Err(failure::run(why.as_str())),
            First::ToCome => {
                let _alone = alone(abandoned)?;
                // Nobody ends it: what it had recorded by then would be taken for the whole.
                let ran = RunOptions::new().and_then(|whole| self.steps(session, &whole));
                self.first = match &ran {
                    Ok(()) => First::Recorded,
                    Err(e) => First::Failed(message(e).to_owned()),
                };
                ran.map_err(failed)
            }
        }
    }

    /// Up, through, and down.
    fn steps(&mut self, session: &mut Session, options: &RunOptions) -> ort::Result<()> {
        for port in &mut self.inputs {
            port.host.copy_into(&mut port.device)?;
        }
        session.run_binding_with_options(&self.binding, options)?;
        for port in &mut self.outputs {
            port.device.copy_into(&mut port.host)?;
        }
        Ok(())
    }

    /// What the last run gave as output `index`.
    pub fn output(&self, index: usize) -> Option<&DynTensor> {
        self.outputs.get(index).map(|port| &port.host)
    }
}

fn tensor(value: &ValueType) -> Option<(TensorElementType, &[i64])> {
    match value {
        ValueType::Tensor { ty, shape, .. } => Some((*ty, shape)),
        _ => None,
    }
}

/// `dims`, if all of them are known.
fn known(dims: &[i64]) -> Option<&[i64]> {
    dims.iter().all(|&n| n > 0).then_some(dims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_to_record_can_be_cancelled() {
        let cancel = Cancel::new();
        cancel.raise();
        unrecorded(|| assert!(matches!(alone(&cancel), Err(EngineError::Cancelled))));
        assert!(alone(&cancel).is_ok());
    }
}
