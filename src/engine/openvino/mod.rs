//! OpenVINO through its C API, opened at run time.
//!
//! Every engine has a Core of its own: properties are set on a Core, so one engine's `provider-options` would otherwise
//! reach the next.

mod blobs;
mod loader;
mod request;

use openvino::{
    CompiledModel, Core, DeviceType, InferenceError, Model, PartialShape, PropertyKey,
    RwPropertyKey, SetupError,
};

use super::signature::Signature;
use super::{
    Engine, EngineError, EngineInfo, EngineOptions, ModelSource, Precision, Provider, failure,
};
use request::OpenVino;

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
    // A device that is not there is to be told from a model that it refuses.
    let name = full_name(&core, &device)?;

    let mut graph = read(&mut core, model, signature).map_err(refused)?;
    if let Some(dims) = dims {
        let shape = PartialShape::new_static(4, &signed(dims)).map_err(refused)?;
        graph.reshape_single_input(&shape).map_err(refused)?;
    }
    configure(&mut core, &device, options)?;
    let info = EngineInfo {
        provider: Provider::OpenVino,
        runtime: runtime.to_owned(),
        device: name,
        precision: Precision::Fp32,
    };
    let key = dims.and_then(|dims| blobs::key(model, signature, dims, options, &info));
    let mut compiled = blobs::compile(&mut core, &graph, &device, key, options).map_err(refused)?;
    let info = EngineInfo { precision: precision(&compiled), ..info };
    let request = compiled.create_infer_request().map_err(refused)?;
    let engine = OpenVino::new(info, request, dims, signature.input.element).map_err(refused)?;
    Ok(Box::new(engine))
}

/// What runs on the device.
pub(super) fn identify(options: &EngineOptions) -> Result<EngineInfo, EngineError> {
    let runtime = loader::load(options)?.to_owned();
    let core = Core::new().map_err(|e| unavailable(setup_message(&e)))?;
    let device = full_name(&core, &device(options))?;
    Ok(EngineInfo { provider: Provider::OpenVino, runtime, device, precision: Precision::Fp32 })
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

fn signed(dims: [usize; 4]) -> [i64; 4] {
    dims.map(|n| i64::try_from(n).unwrap_or(i64::MAX))
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
