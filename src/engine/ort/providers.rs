//! Execution providers: asked for one by one, and never replaced by the CPU in silence.
//!
//! A provider comes in one of two forms. Either ONNX Runtime was built with it (*classic*; its code may still lie in a
//! second library, which fails to load where the driver is missing), or it is a *plugin*: a library beside ONNX Runtime that
//! is registered by path and then offers devices. The classic form is taken where there is one, because registering a
//! provider that is also built in frees it twice (microsoft/onnxruntime#29372).

use std::path::{Path, PathBuf};

use ort::ep::{
    ArbitrarilyConfigurableExecutionProvider, CUDA, CoreML, DirectML, ExecutionProvider, MIGraphX,
    TensorRT, WebGPU,
};
use ort::session::builder::{AutoDevicePolicy, SessionBuilder};
use parking_lot::Mutex;

use super::loader::Loaded;
use super::message;
use crate::engine::{EngineError, EngineOptions, Precision, Provider, failure};

/// The CPU provider's device.
pub(super) const CPU: &str = "CPU";

/// Names of a provider, and what to say where it is missing.
struct Names {
    /// As ONNX Runtime calls it.
    ep: &'static str,
    /// The middle of its library's name.
    library: &'static str,
    /// The option that chooses the device.
    device: &'static str,
    /// What to install.
    remedy: &'static str,
}

const fn names(provider: Provider) -> Option<Names> {
    let (ep, library, device, remedy) = match provider {
        Provider::Cuda => (
            CUDA::NAME,
            "cuda",
            "device_id",
            "Install an NVIDIA driver, CUDA 13, cuDNN 9 and the pip package onnxruntime-gpu, and set runtime-library to \
             its libonnxruntime",
        ),
        Provider::TensorRt => (
            TensorRT::NAME,
            "tensorrt",
            "device_id",
            "Install an NVIDIA driver, CUDA 13, cuDNN 9, TensorRT 10 and the pip package onnxruntime-gpu, and set \
             runtime-library to its libonnxruntime",
        ),
        Provider::DirectMl => (
            DirectML::NAME,
            "dml",
            "device_id",
            "DirectML needs Windows 10 or 11, a DirectX 12 GPU and the pip package onnxruntime-directml",
        ),
        Provider::CoreMl => (
            CoreML::NAME,
            "coreml",
            "MLComputeUnits",
            "CoreML needs macOS and the pip package onnxruntime for macOS",
        ),
        Provider::MiGraphX => (
            MIGraphX::NAME,
            "migraphx",
            "device_id",
            "Install ROCm with MIGraphX for an AMD GPU and the pip package onnxruntime-migraphx, and set runtime-library to \
             its libonnxruntime",
        ),
        Provider::WebGpu => (
            WebGPU::NAME,
            "webgpu",
            "deviceId",
            "Install a Vulkan (Linux), Direct3D 12 (Windows) or Metal (macOS) driver and the pip package \
             onnxruntime-ep-webgpu, and put its library beside libonnxruntime",
        ),
        Provider::Cpu | Provider::OpenVino | Provider::Embedded => return None,
    };
    Some(Names { ep, library, device, remedy })
}

/// The error that `provider` is not there for `cause`.
pub(super) fn unavailable(provider: Provider, cause: impl Into<String>) -> EngineError {
    let cause = cause.into();
    let cause = cause.trim().trim_end_matches('.').to_owned();
    let remedy = names(provider).map_or("Choose another provider", |names| names.remedy);
    EngineError::Provider { provider, cause, remedy: remedy.into() }
}

/// Makes sessions of `builder` run on `provider`; returns the device in words.
pub(super) fn register(
    provider: Provider,
    builder: SessionBuilder,
    loaded: &Loaded,
    options: &EngineOptions,
) -> Result<(SessionBuilder, String), EngineError> {
    let Some(names) = names(provider) else {
        failure::only_fp32(provider, options.precision)?;
        // A builder prefers whatever saves power by default; and then the CPU is not asked at all.
        let builder = builder
            .with_auto_device(AutoDevicePolicy::PreferCPU)
            .map_err(|e| unavailable(provider, message(&e)))?;
        return Ok((builder, CPU.into()));
    };
    let pairs = settings(provider, &names, options)?;
    if is_built_in(provider).map_err(|e| unavailable(provider, message(&e)))? {
        let builder = register_classic(provider, builder, &pairs)?;
        return Ok((builder, options.device.clone().unwrap_or_else(|| "0".into())));
    }
    register_plugin(provider, &names, builder, loaded, options, &pairs)
}

/// What the provider is told: device, precision, and `provider-options` last, so that they win.
fn settings(
    provider: Provider,
    names: &Names,
    options: &EngineOptions,
) -> Result<Vec<(String, String)>, EngineError> {
    let mut pairs = Vec::new();
    if let Some(device) = &options.device {
        pairs.push((names.device.to_owned(), device.clone()));
    }
    match (provider, options.precision) {
        (Provider::TensorRt, Precision::Fp16) => {
            pairs.push(("trt_fp16_enable".into(), "1".into()));
        }
        (Provider::TensorRt, Precision::Bf16) => {
            pairs.push(("trt_bf16_enable".into(), "1".into()));
        }
        (Provider::MiGraphX, Precision::Fp16) => pairs.push((FP16.into(), "1".into())),
        // They run a graph as it is typed, and are given one in fp16.
        (Provider::Cuda | Provider::DirectMl | Provider::WebGpu, Precision::Fp16) => {}
        (_, precision) => failure::only_fp32(provider, precision)?,
    }
    pairs.extend(options.provider_options.iter().cloned());
    match pairs.iter().find(|(key, value)| key.contains('\0') || value.contains('\0')) {
        Some((key, _)) => Err(invalid(provider, format!("option '{key}' holds a zero byte"))),
        None => Ok(pairs),
    }
}

/// MIGraphX's options are a struct; these are the names of its fields that can be set.
const FP16: &str = "migraphx_fp16_enable";
const EXHAUSTIVE: &str = "migraphx_exhaustive_tune";

fn is_built_in(provider: Provider) -> ort::Result<bool> {
    match provider {
        Provider::Cuda => CUDA::is_available(),
        Provider::TensorRt => TensorRT::is_available(),
        Provider::DirectMl => DirectML::is_available(),
        Provider::CoreMl => CoreML::is_available(),
        Provider::MiGraphX => MIGraphX::is_available(),
        Provider::WebGpu => WebGPU::is_available(),
        Provider::Cpu | Provider::OpenVino | Provider::Embedded => Ok(false),
    }
}

fn register_classic(
    provider: Provider,
    mut builder: SessionBuilder,
    pairs: &[(String, String)],
) -> Result<SessionBuilder, EngineError> {
    let b = &mut builder;
    match provider {
        Provider::Cuda => with_options(CUDA::default(), pairs).register(b),
        Provider::TensorRt => with_options(TensorRT::default(), pairs).register(b).and_then(|()| {
            // TensorRT leaves what it cannot run to the next provider: that is to be the same GPU.
            let device: Vec<_> = pairs.iter().filter(|(k, _)| k == "device_id").cloned().collect();
            with_options(CUDA::default(), &device).register(b)
        }),
        Provider::CoreMl => with_options(CoreML::default(), pairs).register(b),
        Provider::WebGpu => with_options(WebGPU::default(), pairs).register(b),
        Provider::DirectMl => direct_ml(pairs)?.register(b),
        Provider::MiGraphX => migraphx(pairs)?.register(b),
        Provider::Cpu | Provider::OpenVino | Provider::Embedded => Ok(()),
    }
    .map_err(|e| unavailable(provider, message(&e)))?;
    Ok(builder)
}

fn with_options<E: ArbitrarilyConfigurableExecutionProvider>(
    ep: E,
    pairs: &[(String, String)],
) -> E {
    pairs.iter().fold(ep, |ep, (key, value)| ep.with_arbitrary_config(key, value))
}

fn direct_ml(pairs: &[(String, String)]) -> Result<DirectML, EngineError> {
    pairs.iter().try_fold(DirectML::default(), |ep, (key, value)| match key.as_str() {
        "device_id" => Ok(ep.with_device_id(number(Provider::DirectMl, key, value)?)),
        _ => Err(invalid(Provider::DirectMl, format!("it has no option '{key}'"))),
    })
}

fn migraphx(pairs: &[(String, String)]) -> Result<MIGraphX, EngineError> {
    let provider = Provider::MiGraphX;
    pairs.iter().try_fold(MIGraphX::default(), |ep, (key, value)| match key.as_str() {
        "device_id" => Ok(ep.with_device_id(number(provider, key, value)?)),
        FP16 => Ok(ep.with_fp16(number(provider, key, value)? != 0)),
        EXHAUSTIVE => Ok(ep.with_exhaustive_tune(number(provider, key, value)? != 0)),
        _ => Err(invalid(provider, format!("it has no option '{key}'"))),
    })
}

fn number(provider: Provider, key: &str, value: &str) -> Result<i32, EngineError> {
    value.parse().map_err(|_| invalid(provider, format!("{key}={value} is not a number")))
}

fn invalid(provider: Provider, cause: String) -> EngineError {
    let remedy = "Correct the properties device and provider-options".into();
    EngineError::Provider { provider, cause, remedy }
}

fn register_plugin(
    provider: Provider,
    names: &Names,
    builder: SessionBuilder,
    loaded: &Loaded,
    options: &EngineOptions,
    pairs: &[(String, String)],
) -> Result<(SessionBuilder, String), EngineError> {
    let library = find_plugin(names, loaded, options).ok_or_else(|| {
        let (wanted, path) = (plugin_files(names.library).join(" or "), loaded.path.display());
        let cause = format!(
            "the {} at {path} was built without {}, and no {wanted} lies beside it",
            loaded.name, names.ep
        );
        unavailable(provider, cause)
    })?;
    load_plugin(&library, names.ep, loaded)
        .map_err(|e| unavailable(provider, format!("{}: {}", library.display(), message(&e))))?;

    let mut devices: Vec<_> = loaded
        .environment
        .devices()
        .filter(|device| device.ep().is_ok_and(|ep| ep == names.ep))
        .collect();
    let id = options.device.as_ref().map_or(Ok(0), |id| number(provider, "device", id))?;
    devices.drain(..devices.len().min(usize::try_from(id).unwrap_or(usize::MAX)));
    devices.truncate(1);
    let Some(device) = devices.first() else {
        let cause = format!("{} finds no device that it can use", library.display());
        return Err(unavailable(provider, cause));
    };
    let hardware = device.hardware_device();
    let words = format!("{} {:?}", hardware.vendor().unwrap_or_default(), hardware.ty());
    let prefixed: Vec<_> = pairs
        .iter()
        .filter(|(key, _)| key != names.device)
        .map(|(key, value)| (format!("{}.{key}", names.ep), value.clone()))
        .collect();
    let builder = builder
        .with_devices(devices, Some(&prefixed))
        .map_err(|e| unavailable(provider, message(&e)))?;
    Ok((builder, words.trim().to_owned()))
}

/// Registers the plugin unless its devices are there already: ONNX Runtime takes a library once.
fn load_plugin(library: &Path, ep: &str, loaded: &Loaded) -> ort::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    let environment = &loaded.environment;
    if environment.devices().any(|device| device.ep().is_ok_and(|name| name == ep)) {
        return Ok(());
    }
    environment.register_ep_library(ep, library)
}

fn plugin_files(library: &str) -> [String; 2] {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    ["_plugin", ""].map(|plugin| format!("{prefix}onnxruntime_providers_{library}{plugin}{suffix}"))
}

fn find_plugin(names: &Names, loaded: &Loaded, options: &EngineOptions) -> Option<PathBuf> {
    let beside = loaded.path.parent().map(Path::to_owned);
    let near =
        options.search.iter().flat_map(|dir| [dir.clone(), dir.join("runtimes/onnxruntime")]);
    beside
        .into_iter()
        .chain(near)
        .flat_map(|dir| plugin_files(names.library).map(|file| dir.join(file)))
        .find(|path| path.is_file())
        .and_then(|path| std::path::absolute(path).ok())
}
