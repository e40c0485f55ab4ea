//! Execution providers: asked for one by one, and never replaced by the CPU in silence.
//!
//! A provider comes in one of two forms. Either ONNX Runtime was built with it (*classic*; its code may still lie in a
//! second library, which fails to load where the driver is missing), or it is a *plugin*: a library beside ONNX Runtime that
//! is registered by path and then offers devices. The classic form is tried first. A plugin of the same name is then left
//! alone, because registering a provider that is also built in frees it twice (microsoft/onnxruntime#29372).

use std::path::{Path, PathBuf};

use ort::device::Device;
use ort::ep::{
    ArbitrarilyConfigurableExecutionProvider, CUDA, CoreML, DirectML, ExecutionProvider, MIGraphX,
    TensorRT, WebGPU,
};
use ort::session::builder::{AutoDevicePolicy, SessionBuilder};
use parking_lot::Mutex;

use super::catalogue::{self, Entry, Plugin, invalid, unavailable};
use super::loader::Loaded;
use super::message;
use super::tuning::Tuning;
use crate::engine::{EngineError, EngineOptions, Precision, Provider, failure, nvidia};

/// The CPU provider's device.
pub(super) const CPU: &str = "CPU";

/// Makes sessions of `builder` run on `provider`; returns the device in words.
pub(super) fn register(
    provider: Provider,
    builder: SessionBuilder,
    loaded: &Loaded,
    options: &EngineOptions,
    tuning: Tuning,
) -> Result<(SessionBuilder, String), EngineError> {
    let Some(entry) = catalogue::entry(provider) else {
        failure::only_fp32(provider, options.precision)?;
        // A builder prefers whatever saves power by default; and then the CPU is not asked at all.
        let builder = builder
            .with_auto_device(AutoDevicePolicy::PreferCPU)
            .map_err(|e| unavailable(provider, message(&e)))?;
        return Ok((builder, CPU.into()));
    };
    let built_in = is_built_in(provider).map_err(|e| unavailable(provider, message(&e)))?;
    let usable = |plugin: &&Plugin| !(built_in && plugin.eps.contains(&entry.ep));
    let plugin = entry
        .plugins
        .iter()
        .filter(usable)
        .find_map(|plugin| Some((plugin, find(plugin, loaded, options)?)));
    match (built_in, plugin) {
        (true, None) => register_classic(provider, entry, builder, options, tuning),
        (true, Some((plugin, library))) => {
            register_classic(provider, entry, builder.clone(), options, tuning).or_else(|classic| {
                log::info!("{classic}; trying {}", library.display());
                register_plugin(provider, plugin, &library, builder, loaded, options)
            })
        }
        (false, Some((plugin, library))) => {
            register_plugin(provider, plugin, &library, builder, loaded, options)
        }
        (false, None) => Err(neither(provider, entry, loaded)),
    }
}

/// The error that there is no form of `provider`.
fn neither(provider: Provider, entry: &Entry, loaded: &Loaded) -> EngineError {
    let mut cause = format!("{} was built without {}", loaded.name, entry.ep);
    if let Some(plugin) = entry.plugins.first() {
        cause += &format!(" and has no {} beside it", file(plugin));
    }
    match unavailable(provider, cause) {
        EngineError::Provider { provider, cause, remedy } => {
            let remedy = format!("{remedy}. Now open: {}", loaded.path.display());
            EngineError::Provider { provider, cause, remedy }
        }
        other => other,
    }
}

/// What the classic form is told: device, precision, what makes it fast, and `provider-options` last, so that they win.
fn settings(
    provider: Provider,
    entry: &Entry,
    options: &EngineOptions,
    tuning: Tuning,
) -> Result<Vec<(String, String)>, EngineError> {
    let mut pairs = Vec::new();
    if let Some(device) = &options.device {
        pairs.push((entry.device.to_owned(), device.clone()));
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
    let tuned = tuning.settings(provider, options);
    pairs.extend(tuned.into_iter().map(|(key, value)| (key.to_owned(), value)));
    pairs.extend(options.provider_options.iter().cloned());
    without_zeros(provider, pairs)
}

/// `pairs`, which become texts of C.
fn without_zeros(
    provider: Provider,
    pairs: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, EngineError> {
    match pairs.iter().find(|(key, value)| key.contains('\0') || value.contains('\0')) {
        Some((key, _)) => Err(invalid(provider, format!("option '{key}' holds a zero byte"))),
        None => Ok(pairs),
    }
}

/// MIGraphX's options are a struct; these are the names of its fields that can be set.
const FP16: &str = "migraphx_fp16_enable";
const EXHAUSTIVE: &str = "migraphx_exhaustive_tune";

/// Whether this ONNX Runtime was built with `provider`; it may still lack what that needs.
pub(super) fn is_built_in(provider: Provider) -> ort::Result<bool> {
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
    entry: &Entry,
    mut builder: SessionBuilder,
    options: &EngineOptions,
    tuning: Tuning,
) -> Result<(SessionBuilder, String), EngineError> {
    let pairs = &settings(provider, entry, options, tuning)?;
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
    Ok((builder, device_in_words(provider, options)))
}

/// The classic form does not say what its device is called; NVIDIA's driver does.
fn device_in_words(provider: Provider, options: &EngineOptions) -> String {
    let gpu = match provider {
        Provider::Cuda | Provider::TensorRt => nvidia::gpu(options),
        _ => None,
    };
    match gpu {
        Some(gpu) => format!("{}, driver {}", gpu.name, gpu.driver),
        None => options.device.clone().unwrap_or_else(|| "device 0".into()),
    }
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

fn register_plugin(
    provider: Provider,
    plugin: &Plugin,
    library: &Path,
    builder: SessionBuilder,
    loaded: &Loaded,
    options: &EngineOptions,
) -> Result<(SessionBuilder, String), EngineError> {
    let failed = |e: &str| unavailable(provider, e);
    failure::only_fp32(provider, options.precision)?;
    load(plugin, library, loaded).map_err(|e| failed(message(&e)))?;
    let offered: Vec<_> = devices(plugin, loaded).collect();
    if offered.is_empty() {
        let cause = format!("{} offers no device that it can use", library.display());
        return Err(failed(&cause));
    }
    let (device, words) = match provider {
        Provider::WebGpu => choose_webgpu(offered, options)?,
        _ => choose(provider, offered, options)?,
    };
    let prefix = device.ep().map_err(|e| failed(message(&e)))?;
    let given = options.provider_options.iter();
    let pairs = given.map(|(key, value)| (format!("{prefix}.{key}"), value.clone())).collect();
    let builder = builder
        .with_devices([device], Some(&without_zeros(provider, pairs)?))
        .map_err(|e| failed(message(&e)))?;
    Ok((builder, format!("{}, {words}", plugin.title)))
}

/// The one of the `offered` devices that `device` counts, and what it is.
fn choose<'e>(
    provider: Provider,
    offered: Vec<Device<'e>>,
    options: &EngineOptions,
) -> Result<(Device<'e>, String), EngineError> {
    let names: Vec<_> = offered.iter().map(describe).collect();
    let number = options.device.as_ref().map_or(Ok(0), |id| number(provider, "device", id))?;
    let index = usize::try_from(number).unwrap_or(usize::MAX);
    let both = offered.into_iter().zip(names.iter().cloned()).nth(index);
    both.ok_or_else(|| {
        let all: Vec<_> = names.iter().enumerate().map(|(i, n)| format!("{i} is {n}")).collect();
        invalid(provider, format!("there is no device {number}: {}", all.join(", ")))
    })
}

/// The device that stands for WebGPU, which takes the GPU that it ranks first whichever device it is given; and that GPU.
fn choose_webgpu<'e>(
    offered: Vec<Device<'e>>,
    options: &EngineOptions,
) -> Result<(Device<'e>, String), EngineError> {
    let provider = Provider::WebGpu;
    if let Some(id) = options.device.as_deref().filter(|&id| id != "0") {
        let cause = format!(
            "device={id} cannot be chosen: WebGPU takes the GPU itself, by the option powerPreference (high-performance or \
             low-power)"
        );
        return Err(invalid(provider, cause));
    }
    for (key, value) in &options.provider_options {
        // A recorded run is repeated; with tensors in plain memory the second one gives nothing.
        if key == "enableGraphCapture" && value != "0" {
            let cause = format!("{key}={value} wants tensors on the device, and Kizuna's are not");
            return Err(invalid(provider, cause));
        }
        // Where it finds no adapter it may end the program: see `vulkan`.
        if cfg!(target_os = "linux") && key == "dawnBackendType" && value != "Vulkan" {
            return Err(invalid(provider, format!("{key}={value} is not for Linux")));
        }
    }
    #[cfg(target_os = "linux")]
    let words = super::vulkan::adapter(&options.provider_options)
        .map_err(|cause| unavailable(provider, cause))?;
    #[cfg(not(target_os = "linux"))]
    let words = offered.iter().map(describe).collect::<Vec<_>>().join(" or ");
    let first = offered.into_iter().next();
    let device = first.ok_or_else(|| unavailable(provider, "it offers no device"))?;
    Ok((device, words))
}

/// "NVIDIA GPU", as far as ONNX Runtime knows.
fn describe(device: &Device<'_>) -> String {
    let hardware = device.hardware_device();
    let words = format!("{} {:?}", hardware.vendor().unwrap_or_default(), hardware.ty());
    words.trim().to_owned()
}

fn devices<'e>(plugin: &Plugin, loaded: &'e Loaded) -> impl Iterator<Item = Device<'e>> {
    let is_its = |device: &Device<'_>| device.ep().is_ok_and(|ep| plugin.eps.contains(&ep));
    loaded.environment.devices().filter(is_its)
}

/// Registers the plugin unless its devices are there already: ONNX Runtime takes a library once.
fn load(plugin: &Plugin, library: &Path, loaded: &Loaded) -> ort::Result<()> {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock();
    if devices(plugin, loaded).next().is_some() {
        return Ok(());
    }
    loaded.environment.register_ep_library(plugin.eps.first().copied().unwrap_or_default(), library)
}

fn file(plugin: &Plugin) -> String {
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    format!("{prefix}onnxruntime_providers_{}{suffix}", plugin.library)
}

/// Where the plugin lies: beside ONNX Runtime, in its own package beside ONNX Runtime's in Python's folder, or where
/// runtimes are looked for.
fn find(plugin: &Plugin, loaded: &Loaded, options: &EngineOptions) -> Option<PathBuf> {
    let beside = loaded.path.parent();
    // site-packages/onnxruntime/capi/libonnxruntime.so
    let packages = beside.and_then(Path::parent).and_then(Path::parent);
    let package = packages.filter(|_| !plugin.package.is_empty()).map(|p| p.join(plugin.package));
    let near =
        options.search.iter().flat_map(|dir| [dir.clone(), dir.join("runtimes/onnxruntime")]);
    beside
        .map(Path::to_owned)
        .into_iter()
        .chain(package)
        .chain(near)
        .map(|dir| dir.join(file(plugin)))
        .find(|path| path.is_file())
        .and_then(|path| std::path::absolute(path).ok())
}
