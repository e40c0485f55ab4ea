//! The providers of ONNX Runtime by name, and what to install where one is missing. Pure.

use std::env::consts::OS;

use ort::ep::{CUDA, CoreML, DirectML, ExecutionProvider, MIGraphX, TensorRT, WebGPU};

use crate::engine::{EngineError, Provider};

/// What there is to know of a provider.
pub(super) struct Entry {
    /// As ONNX Runtime calls it.
    pub ep: &'static str,
    /// The option that chooses the device, where it is built in.
    pub device: &'static str,
    /// Its forms as a library beside ONNX Runtime, best first.
    pub plugins: &'static [Plugin],
    /// Systems that have it, as Rust calls them.
    systems: &'static [&'static str],
    /// What to install. The first sentence is enough where there is no room for more.
    remedy: &'static str,
}

/// A library that is registered by path and then offers devices.
pub(super) struct Plugin {
    /// Its name for people.
    pub title: &'static str,
    /// The provider of its devices, as ONNX Runtime calls it; other versions of the library have other names.
    pub eps: &'static [&'static str],
    /// Its file without `libonnxruntime_providers_` and suffix.
    pub library: &'static str,
    /// Its folder in Python's `site-packages`, where `onnxruntime` is one too; empty where it has none.
    pub package: &'static str,
}

const PC: &[&str] = &["linux", "windows"];

const CUDA_ENTRY: Entry = Entry {
    ep: CUDA::NAME,
    device: "device_id",
    plugins: &[
        Plugin {
            title: "CUDA plugin",
            // The first versions used the second name (microsoft/onnxruntime#27816, #29544).
            eps: &[CUDA::NAME, "CudaPluginExecutionProvider"],
            library: "cuda_plugin",
            package: "",
        },
        Plugin { title: "CUDA plugin", eps: &[CUDA::NAME], library: "cuda", package: "" },
    ],
    systems: PC,
    remedy: "Install an NVIDIA driver and `pip install onnxruntime-gpu[cuda,cudnn]`. Set runtime-library to its folder \
             onnxruntime/capi, and LD_LIBRARY_PATH to the folders nvidia/*/lib beside it",
};

const TENSORRT_ENTRY: Entry = Entry {
    ep: TensorRT::NAME,
    device: "device_id",
    plugins: &[
        Plugin {
            title: "TensorRT-RTX plugin",
            eps: &["NvTensorRTRTXExecutionProvider"],
            library: "nv_tensorrt_rtx",
            package: "onnxruntime_ep_nv_tensorrt_rtx",
        },
        Plugin {
            title: "TensorRT plugin",
            eps: &[TensorRT::NAME],
            library: "tensorrt",
            package: "",
        },
    ],
    systems: PC,
    remedy: "Install an NVIDIA driver and `pip install onnxruntime-ep-nv-tensorrt-rtx` (RTX 30 and newer), or `pip install \
             onnxruntime-gpu[cuda,cudnn] tensorrt-cu13-libs<11`. Set runtime-library to the folder onnxruntime/capi, and \
             LD_LIBRARY_PATH to the folders tensorrt_libs and nvidia/*/lib beside it",
};

const MIGRAPHX_ENTRY: Entry = Entry {
    ep: MIGraphX::NAME,
    device: "device_id",
    plugins: &[Plugin {
        title: "MIGraphX plugin",
        eps: &[MIGraphX::NAME],
        library: "migraphx",
        package: "onnxruntime_ep_migraphx",
    }],
    systems: PC,
    remedy: "Install ROCm with MIGraphX (AMD's packages rocm and migraphx) and `pip install onnxruntime-migraphx`. Set \
             runtime-library to its folder onnxruntime/capi",
};

const DIRECTML_ENTRY: Entry = Entry {
    ep: DirectML::NAME,
    device: "device_id",
    plugins: &[],
    systems: &["windows"],
    remedy: "Use a DirectX 12 GPU and `pip install onnxruntime-directml`. Set runtime-library to its folder onnxruntime/capi",
};

const COREML_ENTRY: Entry = Entry {
    ep: CoreML::NAME,
    device: "MLComputeUnits",
    plugins: &[],
    systems: &["macos"],
    remedy: "`pip install onnxruntime`, whose library for macOS has it. Set runtime-library to its folder onnxruntime/capi",
};

const WEBGPU_ENTRY: Entry = Entry {
    ep: WebGPU::NAME,
    // Here it is the number of a context that a program brings along, and chooses no GPU.
    device: "deviceId",
    plugins: &[Plugin {
        title: "WebGPU plugin",
        eps: &[WebGPU::NAME],
        library: "webgpu",
        package: "onnxruntime_ep_webgpu",
    }],
    systems: &["linux", "windows", "macos"],
    remedy: "Run `cargo xtask setup` in a checkout, or `pip install onnxruntime-ep-webgpu`. Its library belongs beside \
             libonnxruntime; or set runtime-library to the folder onnxruntime/capi of the same Python",
};

const DRIVER: &str = "Install the NVIDIA driver (Debian: nvidia-driver)";

/// What to do where the loader misses a library, by what its name begins with; the first that fits.
const LIBRARIES: [(&[&str], &str); 6] = [
    (&["libcuda.so", "libnvidia-ml.so"], DRIVER),
    (
        &["libcu", "libnvrtc", "libnvJitLink"],
        "Install CUDA 13 and cuDNN 9: `pip install onnxruntime-gpu[cuda,cudnn]`. Set LD_LIBRARY_PATH to the folders \
         nvidia/*/lib in site-packages",
    ),
    (
        &["libnvinfer", "libnvonnxparser"],
        "Install TensorRT 10: `pip install tensorrt-cu13-libs<11`. Set LD_LIBRARY_PATH to its folder tensorrt_libs, or install \
         onnxruntime-ep-nv-tensorrt-rtx instead",
    ),
    (
        &["libmigraphx", "libamdhip", "libhip", "libroc"],
        "Install ROCm with MIGraphX: AMD's packages rocm and migraphx",
    ),
    (
        // The plugin is made for Python, whose import makes links with the names that its libraries ask for.
        &["libtensorrt_"],
        "Run `python3 -c 'import onnxruntime_ep_nv_tensorrt_rtx'` once, which links its libraries, and set LD_LIBRARY_PATH to \
         their folder",
    ),
    (&["libvulkan"], "Install the Vulkan loader (Debian: libvulkan1)"),
];

/// What CUDA says without a driver, with one that is too old, and without a GPU.
const NO_DRIVER: [&str; 3] =
    ["driver version is insufficient", "no CUDA-capable device", "CUDA driver is a stub library"];

/// What WebGPU says where no driver offers it anything.
const NO_ADAPTER: [&str; 3] = ["No supported adapters", "a WebGPU adapter", "offers no device"];

const ADAPTER: &str = "Install a GPU's Vulkan driver (Debian: mesa-vulkan-drivers or nvidia-driver; Windows and macOS bring \
                       theirs). Without a GPU, ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER=1 and a recent software driver such \
                       as SwiftShader run it, very slowly";

/// The error that WebGPU does not take the options that it was given, where `cause` says so.
pub(super) fn bad_options(provider: Provider, cause: &str) -> Option<EngineError> {
    let is_bad = provider == Provider::WebGpu
        && (cause.starts_with("Invalid ") || cause.contains("WebGPU EP custom context"));
    is_bad.then(|| invalid(provider, cause.trim_end_matches('.').to_owned()))
}

/// The error that the user's settings for `provider` cannot be.
pub(super) fn invalid(provider: Provider, cause: String) -> EngineError {
    let remedy = "Correct the properties device and provider-options".into();
    EngineError::Provider { provider, cause, remedy }
}

/// The entry of `provider`; none for those that are no execution provider beside the CPU's.
pub(super) const fn entry(provider: Provider) -> Option<&'static Entry> {
    match provider {
        Provider::Cuda => Some(&CUDA_ENTRY),
        Provider::TensorRt => Some(&TENSORRT_ENTRY),
        Provider::DirectMl => Some(&DIRECTML_ENTRY),
        Provider::CoreMl => Some(&COREML_ENTRY),
        Provider::MiGraphX => Some(&MIGRAPHX_ENTRY),
        Provider::WebGpu => Some(&WEBGPU_ENTRY),
        Provider::Cpu | Provider::OpenVino | Provider::Embedded => None,
    }
}

/// The error that `provider` exists on other systems only, if so.
pub(super) fn elsewhere(provider: Provider) -> Option<EngineError> {
    let entry = entry(provider).filter(|entry| !entry.systems.contains(&OS))?;
    let names: Vec<_> = entry.systems.iter().copied().map(title).collect();
    let cause = format!("it exists on {} only", names.join(" and "));
    let others: Vec<_> = Provider::AUTO
        .into_iter()
        .chain([Provider::WebGpu])
        .filter(|&other| self::entry(other).is_none_or(|entry| entry.systems.contains(&OS)))
        .map(Provider::nick)
        .collect();
    let remedy = format!("Choose another provider. This system has {}", others.join(", "));
    Some(EngineError::Provider { provider, cause, remedy })
}

fn title(system: &'static str) -> &'static str {
    match system {
        "linux" => "Linux",
        "windows" => "Windows",
        "macos" => "macOS",
        other => other,
    }
}

/// The error that `provider` is not there for `cause`.
pub(super) fn unavailable(provider: Provider, cause: impl Into<String>) -> EngineError {
    let cause = cause.into();
    let cause = cause.trim().trim_end_matches('.').to_owned();
    let remedy = remedy(provider, &cause).into();
    EngineError::Provider { provider, cause, remedy }
}

/// What helps against `cause`.
fn remedy(provider: Provider, cause: &str) -> &'static str {
    let Some(entry) = entry(provider) else { return "Choose another provider" };
    let says = |parts: &[&str]| parts.iter().any(|part| cause.contains(part));
    match provider {
        Provider::WebGpu if says(&NO_ADAPTER) => return ADAPTER,
        Provider::Cuda | Provider::TensorRt if says(&NO_DRIVER) => return DRIVER,
        _ => {}
    }
    let Some(library) = missing_library(cause) else { return entry.remedy };
    let begins = |names: &[&str]| names.iter().any(|name| library.starts_with(name));
    let known = LIBRARIES.iter().find(|(names, _)| begins(names));
    known.map_or(entry.remedy, |(_, remedy)| remedy)
}

/// The library that the loader did not find, where `cause` says so: "libcuda.so.1: cannot open shared object file".
fn missing_library(cause: &str) -> Option<&str> {
    let (before, _) = cause.split_once(": cannot open shared object file")?;
    let path = before.rsplit(char::is_whitespace).next()?;
    path.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What runtimes say, word for word, and what helps.
    const CAUSES: [(Provider, &str, &str); 12] = [
        (
            Provider::Cuda,
            "Failed to load library /a/libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared \
             object file: No such file or directory",
            "onnxruntime-gpu[cuda,cudnn]",
        ),
        (
            Provider::Cuda,
            "Failed to load library /a/libonnxruntime_providers_cuda.so with error: libcuda.so.1: cannot open shared object \
             file: No such file or directory",
            "NVIDIA driver (Debian",
        ),
        (
            Provider::Cuda,
            "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=0 ; hostname=anime",
            "NVIDIA driver (Debian",
        ),
        (
            Provider::Cuda,
            "CUDA failure 100: no CUDA-capable device is detected ; GPU=32767 ; hostname=anime",
            "NVIDIA driver (Debian",
        ),
        (Provider::Cuda, "ONNX Runtime 1.31.1 has no CUDAExecutionProvider", "NVIDIA driver and"),
        (
            Provider::TensorRt,
            "Failed to load library /a/libonnxruntime_providers_tensorrt.so with error: libnvinfer.so.10: cannot open shared \
             object file: No such file or directory",
            "tensorrt-cu13-libs<11",
        ),
        (
            Provider::TensorRt,
            "/a/libonnxruntime_providers_nv_tensorrt_rtx.so: Failed to load library \
             /a/libonnxruntime_providers_nv_tensorrt_rtx.so with error: libtensorrt_rtx.so.1: cannot open shared object file: No \
             such file or directory",
            "import onnxruntime_ep_nv_tensorrt_rtx",
        ),
        (
            Provider::TensorRt,
            "Failed to load library /a/libonnxruntime_providers_nv_tensorrt_rtx.so with error: libnvidia-ml.so.1: cannot \
             open shared object file: No such file or directory",
            "NVIDIA driver (Debian",
        ),
        (
            Provider::MiGraphX,
            "Failed to load library libonnxruntime_providers_migraphx.so with error: libmigraphx_c.so.3: cannot open shared \
             object file: No such file or directory",
            "ROCm with MIGraphX",
        ),
        (Provider::WebGpu, "it offers no device", "Vulkan driver"),
        (
            Provider::WebGpu,
            "Failed to get a WebGPU adapter: No supported adapters",
            "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER",
        ),
        (Provider::WebGpu, "ONNX Runtime 1.31.1 has none", "onnxruntime-ep-webgpu"),
    ];

    #[test]
    fn what_is_missing_decides_what_helps() {
        for (provider, cause, expected) in CAUSES {
            let text = unavailable(provider, cause).to_string();
            assert!(text.contains(cause) && text.contains(expected), "{expected}: {text}");
        }
    }

    #[test]
    fn every_entry_says_what_to_install() {
        for provider in Provider::ALL {
            let Some(entry) = entry(provider) else { continue };
            assert!(entry.remedy.contains("pip install"), "{provider}");
            assert!(!entry.remedy.ends_with('.') && entry.remedy.contains(". "), "{provider}");
        }
    }
}
