//! OpenVINO through its C API, opened at run time.
//!
//! Every engine has a Core of its own: properties are set on a Core, so one engine's `provider-options` would otherwise
//! reach the next. Runs are asynchronous, so no worker is needed: a cancelled request ends by itself between two kernels, and
//! the next run waits for that.

mod loader;

use half::f16;
use openvino::{
    CompiledModel, Core, DeviceType, ElementType, InferRequest, InferenceError, InferenceErrorKind,
    Model, PartialShape, PropertyKey, RwPropertyKey, SetupError, Shape, Tensor as OvTensor,
};

use super::buffer;
use super::signature::Signature;
use super::{
    Cancel, Engine, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider,
    failure,
};
use crate::upscale::{Element, Samples, Tensor};

/// How long one wait for a request lasts, in milliseconds. A result ends the wait at once.
const POLL_MS: i64 = 5;

/// Opens `model`, compiled for `dims` where they are given: 15 to 20 % faster than with open dimensions.
pub(super) fn open(
    model: &ModelSource,
    signature: &Signature,
    dims: Option<[usize; 4]>,
    options: &EngineOptions,
) -> Result<Box<dyn Engine>, EngineError> {
    let runtime = loader::load(options)?;
    let refused = |e: InferenceError| failure::model(runtime, model, message(&e));
    let device = device(options);
    let mut core = Core::new().map_err(|e| unavailable(setup_message(&e)))?;
    full_name(&core, &device)?;

    let mut graph = read(&mut core, model, signature).map_err(refused)?;
    if let Some(dims) = dims {
        let shape = PartialShape::new_static(4, &signed(dims)).map_err(refused)?;
        graph.reshape_single_input(&shape).map_err(refused)?;
    }
    configure(&mut core, &device, options)?;
    let mut compiled = core.compile_model(&graph, device_type(&device)).map_err(refused)?;
    let precision = precision(&compiled);
    let request = compiled.create_infer_request().map_err(refused)?;
    let input = request.get_input_tensor().map_err(refused)?;
    let info = EngineInfo {
        provider: Provider::OpenVino,
        runtime: runtime.to_owned(),
        device: full_name(&core, &device)?,
        precision,
    };
    Ok(Box::new(OpenVino {
        info,
        request,
        input,
        input_dims: dims,
        element: signature.input.element,
        left_behind: false,
    }))
}

/// bf16 or fp16, if the device computes in it natively.
pub(super) fn native_reduced_precision(options: &EngineOptions) -> Option<Precision> {
    loader::load(options).ok()?;
    let core = Core::new().ok()?;
    let capabilities =
        core.get_property(&device_type(&device(options)), &PropertyKey::DeviceCapabilities).ok()?;
    let has = |name| capabilities.split([' ', ',']).any(|word| word == name);
    // A CPU with both (AMX) is no faster in fp16, which overflows where bf16 does not.
    if has("BF16") {
        Some(Precision::Bf16)
    } else if has("FP16") && !device(options).starts_with("CPU") {
        Some(Precision::Fp16)
    } else {
        None
    }
}

fn device(options: &EngineOptions) -> String {
    // The bindings make a C string of it, and panic on a zero byte.
    options.device.as_deref().unwrap_or("CPU").replace('\0', "")
}

fn device_type(device: &str) -> DeviceType<'_> {
    DeviceType::from(device)
}

/// The device's name in words; the way to find out that it is not there.
fn full_name(core: &Core, device: &str) -> Result<String, EngineError> {
    match core.get_property(&device_type(device), &PropertyKey::DeviceFullName) {
        Ok(name) => Ok(name.trim().to_owned()),
        // AUTO and HETERO:... are no devices of their own.
        Err(_) if device.starts_with("AUTO") || device.contains(':') => Ok(device.to_owned()),
        Err(e) => {
            let devices = core.available_devices().unwrap_or_default();
            let devices: Vec<_> = devices.iter().map(ToString::to_string).collect();
            let there = devices.join(", ");
            Err(unavailable(format!("device {device}: {} (there is: {there})", message(&e))))
        }
    }
}

fn read(
    core: &mut Core,
    model: &ModelSource,
    signature: &Signature,
) -> Result<Model, InferenceError> {
    match model.path.as_deref().and_then(std::path::Path::to_str) {
        // Only from a file does it know the folder in which the weights lie.
        Some(path) if signature.external_data => core.read_model_from_file(path, ""),
        _ => core.read_model_from_buffer(&model.bytes, None),
    }
}

/// Sets what the engine needs, then `provider-options`, so that they win.
fn configure(core: &mut Core, device: &str, options: &EngineOptions) -> Result<(), EngineError> {
    let precision = match options.precision {
        Precision::Auto | Precision::Fp32 => "f32",
        Precision::Fp16 => "f16",
        Precision::Bf16 => "bf16",
    };
    let own = [
        (RwPropertyKey::HintPerformanceMode, "LATENCY"),
        (RwPropertyKey::HintInferencePrecision, precision),
    ];
    let asked = options
        .provider_options
        .iter()
        .map(|(key, value)| (RwPropertyKey::Other(key.clone().into()), value.as_str()));
    for (key, value) in own.into_iter().chain(asked) {
        core.set_property(&device_type(device), &key, value).map_err(|e| {
            let cause = format!("property {}={value}: {}", key.as_ref(), message(&e));
            EngineError::Provider {
                provider: Provider::OpenVino,
                cause,
                remedy: "Correct the properties device and provider-options".into(),
            }
        })?;
    }
    Ok(())
}

/// The arithmetic that the compiled model really uses: a CPU without bf16 takes the hint and computes in fp32.
fn precision(compiled: &CompiledModel) -> Precision {
    match compiled.get_property(&RwPropertyKey::HintInferencePrecision.into()).as_deref() {
        Ok("bf16") => Precision::Bf16,
        Ok("f16") => Precision::Fp16,
        _ => Precision::Fp32,
    }
}

struct OpenVino {
    info: EngineInfo,
    request: InferRequest,
    /// The request's input, in OpenVINO's memory.
    input: OvTensor,
    /// Its dimensions, once they are known.
    input_dims: Option<[usize; 4]>,
    element: Element,
    /// A run was cancelled and may still be at work.
    left_behind: bool,
}

impl Engine for OpenVino {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        if cancel.is_raised() {
            return Err(EngineError::Cancelled);
        }
        self.finish(cancel)?;
        self.fill(input)?;
        self.request.infer_async().map_err(failed)?;
        let result = self.wait(cancel);
        if matches!(result, Err(EngineError::Cancelled)) {
            self.left_behind = true;
            self.request.cancel().map_err(failed)?;
        }
        take(&result?, output)
    }
}

impl OpenVino {
    /// Waits until a run that was left behind has ended; nobody wants its result.
    fn finish(&mut self, cancel: &Cancel) -> Result<(), EngineError> {
        while self.left_behind {
            let _ = self.request.wait(POLL_MS);
            // As long as it is at work, a cancelled request answers "cancelled" to everything.
            self.left_behind = self.request.get_output_tensor().is_err_and(|e| {
                matches!(
                    e.kind,
                    InferenceErrorKind::RequestBusy | InferenceErrorKind::InferCancelled
                )
            });
            if self.left_behind && cancel.is_raised() {
                return Err(EngineError::Cancelled);
            }
        }
        Ok(())
    }

    /// Waits for the request's output, or for `cancel`.
    fn wait(&mut self, cancel: &Cancel) -> Result<OvTensor, EngineError> {
        loop {
            match self.request.wait(POLL_MS) {
                Ok(()) => {}
                Err(e) if e.kind == InferenceErrorKind::ResultNotReady => {}
                Err(e) => return Err(failed(e)),
            }
            // The C API does not promise what a wait that has timed out answers; a busy request keeps its output back.
            match self.request.get_output_tensor() {
                Ok(tensor) => return Ok(tensor),
                Err(e) if e.kind == InferenceErrorKind::RequestBusy => {}
                Err(e) => return Err(failed(e)),
            }
            if cancel.is_raised() {
                return Err(EngineError::Cancelled);
            }
        }
    }

    /// Copies `input` to the request.
    fn fill(&mut self, input: &Tensor) -> Result<(), EngineError> {
        let dims = input.dims();
        if input.element() != self.element {
            let (is, wants) = (input.element(), self.element);
            return Err(failure::run(format!("the input is of {is:?}, not of {wants:?}")));
        }
        if self.input_dims != Some(dims) {
            let element = match self.element {
                Element::F32 => ElementType::F32,
                Element::F16 => ElementType::F16,
                Element::U8 => ElementType::U8,
            };
            let shape = Shape::new(&signed(dims)).map_err(failed)?;
            let tensor = OvTensor::new(element, &shape).map_err(failed)?;
            self.request.set_input_tensor(&tensor).map_err(failed)?;
            self.input = tensor;
            self.input_dims = Some(dims);
        }
        match &input.samples {
            Samples::F32(v) => put(v, self.input.get_data_mut::<f32>().map_err(failed)?),
            Samples::F16(v) => put(v, self.input.get_data_mut::<f16>().map_err(failed)?),
            Samples::U8(v) => put(v, self.input.get_data_mut::<u8>().map_err(failed)?),
        }
    }
}

fn put<T: Copy>(src: &[T], dst: &mut [T]) -> Result<(), EngineError> {
    if src.len() != dst.len() {
        let (is, wants) = (src.len(), dst.len());
        return Err(failure::run(format!("the input has {is} samples, but its shape {wants}")));
    }
    dst.copy_from_slice(src);
    Ok(())
}

/// Copies the result to `output`.
fn take(result: &OvTensor, output: &mut Tensor) -> Result<(), EngineError> {
    let samples = &mut output.samples;
    match result.get_element_type().map_err(failed)? {
        ElementType::F32 => buffer::store(result.get_data::<f32>().map_err(failed)?, samples),
        ElementType::F16 => buffer::store(result.get_data::<f16>().map_err(failed)?, samples),
        ElementType::U8 => buffer::store(result.get_data::<u8>().map_err(failed)?, samples),
        other => {
            return Err(failure::run(format!("the output is of {other}, which is no picture")));
        }
    }
    buffer::set_dims(output, result.get_shape().map_err(failed)?.get_dimensions())
}

fn signed(dims: [usize; 4]) -> [i64; 4] {
    dims.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
}

fn failed(error: InferenceError) -> EngineError {
    match error.kind {
        InferenceErrorKind::InferCancelled => EngineError::Cancelled,
        _ => failure::run(message(&error)),
    }
}

/// What OpenVINO says, on one line and without the places in its source that it puts in front.
fn message(error: &InferenceError) -> String {
    let Some(text) = error.message.as_deref().filter(|text| !text.is_empty()) else {
        return error.kind.to_string();
    };
    let lines = text.lines().map(str::trim);
    let lines: Vec<_> =
        lines.filter(|line| !line.is_empty() && !line.starts_with("Exception from src")).collect();
    lines.join(" ")
}

fn setup_message(error: &SetupError) -> String {
    match error {
        SetupError::Inference(error) => message(error),
        SetupError::Loading(error) => error.to_string(),
    }
}

fn unavailable(cause: String) -> EngineError {
    EngineError::Provider {
        provider: Provider::OpenVino,
        cause,
        remedy: "Set the property device to one that is there (CPU always is), or install the device's driver".into(),
    }
}
