//! Every provider that cannot run says what is missing and what to install: in its error, and in short in `active-provider`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use gst::prelude::*;
use tempfile::TempDir;

use crate::support::{init, launch, play_pipeline, text};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/runtimes/onnxruntime");

/// A provider, what is around it, and what its error must say.
struct Case {
    provider: &'static str,
    /// Variables of the environment.
    variables: &'static [(&'static str, &'static str)],
    runtime: Runtime,
    expected: &'static [&'static str],
}

/// What `runtime-library` is set to.
#[derive(Clone, Copy, PartialEq)]
enum Runtime {
    /// Nothing: the checkout's.
    Found,
    /// This path.
    Given(&'static str),
    /// A file of this name in which there is no library.
    Text(&'static str),
    /// The WebGPU plugin, which is a library, and no ONNX Runtime.
    Another,
    /// ONNX Runtime with nothing beside it.
    Alone,
    /// ONNX Runtime beside a provider's library, which needs a library that nobody has: path and name.
    Broken(&'static str, &'static str),
    /// ONNX Runtime beside a provider's library in which there is no library.
    Garbage(&'static str),
}

use Runtime::{Alone, Another, Broken, Found, Garbage, Given, Text};

const fn case(provider: &'static str, runtime: Runtime, expected: &'static [&'static str]) -> Case {
    Case { provider, variables: &[], runtime, expected }
}

const CASES: [Case; 23] = [
    case(
        "cuda",
        Alone,
        &[
            "built without CUDAExecutionProvider",
            "_cuda_plugin.so",
            "NVIDIA driver",
            "onnxruntime-gpu[cuda,cudnn]",
        ],
    ),
    case(
        "cuda",
        Broken("capi/libonnxruntime_providers_cuda.so", "libcublas.so.13"),
        &[
            "libcublas.so.13: cannot open",
            "CUDA 13",
            "onnxruntime-gpu[cuda,cudnn]",
            "LD_LIBRARY_PATH",
        ],
    ),
    case(
        "cuda",
        Broken("capi/libonnxruntime_providers_cuda_plugin.so", "libcudnn.so.9"),
        &["_cuda_plugin.so", "libcudnn.so.9: cannot open", "cuDNN 9"],
    ),
    case(
        "cuda",
        Broken("capi/libonnxruntime_providers_cuda.so", "libcuda.so.1"),
        &["libcuda.so.1: cannot open", "Install the NVIDIA driver"],
    ),
    case(
        "cuda",
        Garbage("capi/libonnxruntime_providers_cuda.so"),
        &["providers_cuda.so", "NVIDIA driver"],
    ),
    case(
        "tensorrt",
        Alone,
        &[
            "built without TensorrtExecutionProvider",
            "NVIDIA driver",
            "onnxruntime-ep-nv-tensorrt-rtx",
            "tensorrt-cu13-libs",
        ],
    ),
    case(
        "tensorrt",
        Broken(
            "onnxruntime_ep_nv_tensorrt_rtx/libonnxruntime_providers_nv_tensorrt_rtx.so",
            "libtensorrt_.so",
        ),
        &[
            "libtensorrt_.so: cannot open",
            "import onnxruntime_ep_nv_tensorrt_rtx",
            "LD_LIBRARY_PATH",
        ],
    ),
    case(
        "tensorrt",
        Broken(
            "onnxruntime_ep_nv_tensorrt_rtx/libonnxruntime_providers_nv_tensorrt_rtx.so",
            "libcuda.so.1",
        ),
        &["libcuda.so.1: cannot open", "Install the NVIDIA driver"],
    ),
    case(
        "tensorrt",
        Broken("capi/libonnxruntime_providers_tensorrt.so", "libnvinfer.so"),
        &["libnvinfer.so: cannot open", "TensorRT 10", "tensorrt-cu13-libs"],
    ),
    case(
        "migraphx",
        Alone,
        &["built without MIGraphXExecutionProvider", "ROCm", "onnxruntime-migraphx"],
    ),
    case(
        "migraphx",
        Broken("capi/libonnxruntime_providers_migraphx.so", "libmigraphx.so"),
        &["libmigraphx.so: cannot open", "ROCm with MIGraphX"],
    ),
    case("directml", Found, &["exists on Windows only", "This system has", "cuda", "webgpu"]),
    case("coreml", Found, &["exists on macOS only", "This system has"]),
    case(
        "webgpu",
        Alone,
        &[
            "built without WebGpuExecutionProvider",
            "providers_webgpu.so",
            "pip install onnxruntime-ep-webgpu",
        ],
    ),
    case(
        "webgpu",
        Broken("onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.so", "libvulkan.so.99"),
        &["libvulkan.so.99: cannot open", "libvulkan1"],
    ),
    case(
        "webgpu",
        Garbage("capi/libonnxruntime_providers_webgpu.so"),
        &["providers_webgpu.so", "onnxruntime-ep-webgpu"],
    ),
    Case {
        provider: "webgpu",
        variables: &[
            ("VK_DRIVER_FILES", "/nonexistent.json"),
            ("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1"),
        ],
        runtime: Found,
        expected: &[
            "No supported adapters",
            "Vulkan driver",
            "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER",
        ],
    },
    case(
        "cpu",
        Given("/nonexistent/libonnxruntime.so"),
        &["/nonexistent/libonnxruntime.so", "pip install onnxruntime`"],
    ),
    case(
        "cpu",
        Text("libonnxruntime.so"),
        &["libonnxruntime.so cannot be opened", "pip install onnxruntime`"],
    ),
    case("cpu", Another, &["is not ONNX Runtime", "pip install onnxruntime`"]),
    Case {
        provider: "cpu",
        variables: &[("ORT_DYLIB_PATH", "/nonexistent")],
        runtime: Found,
        expected: &["ORT_DYLIB_PATH=/nonexistent does not exist", "pip install onnxruntime`"],
    },
    Case {
        provider: "openvino",
        variables: &[("OPENVINO_LIB", "/nonexistent")],
        runtime: Found,
        expected: &["OPENVINO_LIB=/nonexistent does not exist", "pip install openvino`"],
    },
    case("openvino", Text("libopenvino_c.so"), &["libopenvino_c.so", "pip install openvino`"]),
];

/// The name of libonnxruntime here, if it is there.
fn onnxruntime() -> Option<PathBuf> {
    let files = fs::read_dir(FOLDER).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    files.into_iter().find(|path| path.to_string_lossy().contains("libonnxruntime.so"))
}

/// Lays out what `runtime` means, as Python's packages are; the path for `runtime-library`.
fn lay_out(runtime: Runtime, onnxruntime: &Path, plugin: &Path) -> (TempDir, Option<PathBuf>) {
    let dir = tempfile::tempdir().unwrap();
    let capi = dir.path().join("onnxruntime/capi");
    let beside = |path: &str| match path.strip_prefix("capi/") {
        Some(name) => capi.join(name),
        None => dir.path().join(path),
    };
    fs::create_dir_all(&capi).unwrap();
    symlink(onnxruntime, capi.join(onnxruntime.file_name().unwrap())).unwrap();
    let path = match runtime {
        Found => None,
        Given(path) => Some(path.into()),
        Text(name) => {
            let path = dir.path().join(name);
            fs::write(&path, "no library").unwrap();
            Some(path)
        }
        Another => Some(plugin.to_owned()),
        Alone => Some(capi.clone()),
        Broken(path, library) => {
            fs::create_dir_all(beside(path).parent().unwrap()).unwrap();
            fs::write(beside(path), needing(library, plugin)).unwrap();
            Some(capi.clone())
        }
        Garbage(path) => {
            fs::write(beside(path), "no library").unwrap();
            Some(capi.clone())
        }
    };
    (dir, path)
}

/// `plugin` with a need for `library` in place of one that every system has.
fn needing(library: &str, plugin: &Path) -> Vec<u8> {
    const NEEDED: &[u8] = b"libpthread.so.0\0";
    let mut bytes = fs::read(plugin).unwrap();
    let at = bytes.windows(NEEDED.len()).position(|window| window == NEEDED).unwrap();
    let name = &mut bytes[at..at + NEEDED.len()];
    name.fill(0);
    name[..library.len()].copy_from_slice(library.as_bytes());
    bytes
}

#[test]
fn every_error_says_what_is_missing_and_what_to_install() {
    let plugin = Path::new(FOLDER).join("libonnxruntime_providers_webgpu.so");
    let Some(onnxruntime) = onnxruntime().filter(|_| plugin.is_file()) else {
        skip!("no ONNX Runtime with WebGPU in {FOLDER}");
        return;
    };
    for Case { provider, variables, runtime, expected } in CASES {
        let (_dir, path) = lay_out(runtime, &onnxruntime, &plugin);
        let library = path.map_or(String::new(), |p| format!("runtime-library={}", p.display()));
        let output = launch(&format!(
            "videotestsrc num-buffers=1 ! video/x-raw,width=32,height=18 \
             ! kizunasr model=anime4k-m provider={provider} {library} ! fakesink"
        ))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
        let said = text(&output);
        let error = said.lines().find(|line| line.contains("ERROR: from")).unwrap_or(&said);
        println!("{provider}: {error}");
        assert!(output.status.code().is_some_and(|code| code != 0), "{provider}: {said}");
        for part in expected {
            assert!(error.contains(part), "{provider}: '{part}' is not in: {said}");
        }
        assert!(!said.contains("CRITICAL") && !said.contains("panicked"), "{provider}: {said}");
    }
}

#[test]
fn auto_says_in_short_why_those_before_it_do_not_run() {
    init();
    let line = "videotestsrc num-buffers=1 ! video/x-raw,width=32,height=18 ! kizunasr name=sr model=anime4k-m ! fakesink";
    let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
    let sr = pipeline.by_name("sr").unwrap();
    let said = play_pipeline(pipeline.upcast());
    assert!(said.errors.is_empty() && said.warnings.is_empty(), "{said:?}");
    let active: String = sr.property("active-provider");
    println!("{active}");
    if !active.starts_with("embedded") {
        skip!("auto takes {active}");
        return;
    }
    // Those that lack the same thing are told together.
    for (provider, part) in [
        ("tensorrt", "`pip install onnxruntime"),
        ("cuda", "`pip install onnxruntime"),
        ("migraphx", "`pip install onnxruntime"),
        ("directml", "exists on Windows only"),
        ("coreml", "exists on macOS only"),
    ] {
        let reasons = active.split("; not ").skip(1).filter_map(|reason| reason.split_once(": "));
        let is_its = |names: &str| names.split(", ").any(|name| name == provider);
        let found = reasons.into_iter().find(|(names, _)| is_its(names));
        let (_, why) = found.unwrap_or_else(|| panic!("{provider} is not in: {active}"));
        assert!(why.contains(part) && why.len() < 300, "{provider}: {why}");
    }
}
