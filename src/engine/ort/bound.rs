//! An input and an output that stay where they are: in memory that the device reads at full speed, and on the device.
//!
//! A run copies the input up, runs, and copies the output down. As nothing ever lies anywhere else, a device may record a run once
//! and repeat it as one command (CUDA graphs).

use half::f16;
use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session};
use ort::value::{DynTensor, PrimitiveTensorElementType, TensorElementType, ValueType};
use parking_lot::RwLock;

use super::session::take;
use crate::engine::{EngineOptions, Provider};
use crate::upscale::{Samples, Tensor};

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
        let id = options.device.as_deref().unwrap_or("0").parse().ok()?;
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
        element: TensorElementType,
        dims: &[i64],
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

/// A session's input and output.
pub(super) struct Bound {
    binding: IoBinding,
    input: Port,
    output: Port,
    has_run: bool,
}

/// A first run may record itself, and while one does, no other may ask the driver for memory (as ONNX Runtime records globally).
static RECORDING: RwLock<()> = RwLock::new(());

impl Bound {
    /// Binds both of `session`'s, for inputs of `dims`; `None` where it does not say how large its output will be.
    pub fn new(session: &Session, places: &Places, dims: [usize; 4]) -> ort::Result<Option<Self>> {
        let ([from], [to]) = (session.inputs(), session.outputs()) else { return Ok(None) };
        let (Some((from_type, _)), Some((to_type, to_dims))) =
            (tensor(from.dtype()), tensor(to.dtype()))
        else {
            return Ok(None);
        };
        if to_dims.iter().any(|&n| n <= 0) {
            return Ok(None);
        }
        let dims = dims.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
        let input = Port::new(session, places, MemoryType::CPUInput, from_type, &dims)?;
        let mut output = Port::new(session, places, MemoryType::CPUOutput, to_type, to_dims)?;
        let mut binding = session.create_binding()?;
        binding.bind_input(from.name(), &input.device)?;
        binding.bind_output(to.name(), &mut output.device)?;
        Ok(Some(Self { binding, input, output, has_run: false }))
    }

    /// Runs `session` on `input`, which must be of the dimensions that it was bound for.
    pub fn run(
        &mut self,
        session: &mut Session,
        input: &Tensor,
        options: &RunOptions,
    ) -> ort::Result<()> {
        let first = (!self.has_run).then(|| RECORDING.write());
        let later = self.has_run.then(|| RECORDING.read());
        match &input.samples {
            Samples::F32(samples) => fill::<f32>(&mut self.input.host, samples),
            Samples::F16(samples) => fill::<f16>(&mut self.input.host, samples),
            Samples::U8(samples) => fill::<u8>(&mut self.input.host, samples),
        }?;
        self.input.host.copy_into(&mut self.input.device)?;
        session.run_binding_with_options(&self.binding, options)?;
        self.output.device.copy_into(&mut self.output.host)?;
        self.has_run = true;
        drop((first, later));
        Ok(())
    }

    /// Copies what came of the last run to `output`.
    pub fn take(&self, output: &mut Tensor) -> Result<(), crate::engine::EngineError> {
        take(&self.output.host, output)
    }
}

fn tensor(value: &ValueType) -> Option<(TensorElementType, &[i64])> {
    match value {
        ValueType::Tensor { ty, shape, .. } => Some((*ty, shape)),
        _ => None,
    }
}

fn fill<T: PrimitiveTensorElementType + Copy>(
    tensor: &mut DynTensor,
    samples: &[T],
) -> ort::Result<()> {
    let (_, target) = tensor.try_extract_tensor_mut::<T>()?;
    if target.len() != samples.len() {
        return Err(ort::Error::new(format!(
            "the input has {} elements, and {} are bound",
            samples.len(),
            target.len()
        )));
    }
    target.copy_from_slice(samples);
    Ok(())
}
