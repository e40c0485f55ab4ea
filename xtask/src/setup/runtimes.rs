//! ONNX Runtime with its WebGPU plugin, and OpenVINO: shared libraries out of Python wheels, into `runtimes/`, where the plugin looks for them.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::fetch::{self, Wheel};
use crate::progress;

/// A runtime of this machine's kind.
struct Runtime {
    /// Folder under `runtimes/`.
    folder: &'static str,
    parts: Vec<Part>,
}

/// What a wheel gives to a runtime.
struct Part {
    wheel: Wheel,
    /// Whether a file of the wheel is wanted.
    wants: fn(&str) -> bool,
}

/// The WebGPU provider for x86_64, which lies beside libonnxruntime.
pub const WEBGPU_X86_64: Wheel = Wheel {
    package: "onnxruntime-ep-webgpu",
    version: "0.4.0",
    platform: Some("manylinux_2_28_x86_64"),
    file: "onnxruntime_ep_webgpu-0.4.0-py3-none-manylinux_2_28_x86_64.whl",
    sha256: "5d8c961eda91a88961cad1fb7621f389f006b18497d6ea9ecf96f729f066cbfb",
};

/// Written when all files are there: the wheels' sums, then a line with size and name for each file.
const MARKER: &str = "INSTALLED";

/// Unpacks the runtimes that are not there.
///
/// # Errors
/// If a wheel cannot be had or unpacked.
pub fn install(root: &Path) -> Result<()> {
    let runtimes = here();
    if runtimes.is_empty() {
        eprintln!(
            "  inference runtimes: none is pinned for this kind of machine, so the embedded engine runs alone. \
             Set ORT_DYLIB_PATH to use an ONNX Runtime of your own"
        );
    }
    for runtime in &runtimes {
        let folder = root.join("runtimes").join(runtime.folder);
        let name = runtime.to_string();
        if is_complete(&folder, runtime) {
            eprintln!("  {name}: is here");
            continue;
        }
        let wheels: Vec<_> =
            runtime.parts.iter().map(|part| part.wheel.fetch(root)).collect::<Result<_>>()?;
        let spinner = progress::spinner(&format!("unpacking {name}"));
        unpack(&wheels, &folder, runtime)
            .with_context(|| format!("cannot unpack {name} into {}", folder.display()))?;
        spinner.finish_and_clear();
        eprintln!("  {name}: in {}", folder.display());
    }
    Ok(())
}

impl Runtime {
    /// The wheels' checksums, which say what is there.
    fn sums(&self) -> String {
        let sums: Vec<_> = self.parts.iter().map(|part| part.wheel.sha256).collect();
        sums.join(" ")
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, Part { wheel, .. }) in self.parts.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", wheel.package, wheel.version)?;
        }
        Ok(())
    }
}

fn is_complete(folder: &Path, runtime: &Runtime) -> bool {
    let Ok(marker) = fs::read_to_string(folder.join(MARKER)) else { return false };
    let mut lines = marker.lines();
    lines.next() == Some(&runtime.sums())
        && lines.all(|line| {
            line.split_once(' ').is_some_and(|(size, name)| {
                fs::metadata(folder.join(name)).is_ok_and(|m| m.len().to_string() == size)
            })
        })
}

fn unpack(wheels: &[PathBuf], folder: &Path, runtime: &Runtime) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("cannot remove what is there")?;
    }
    let mut marker = format!(
        "{}
",
        runtime.sums()
    );
    for (wheel, part) in wheels.iter().zip(&runtime.parts) {
        marker += &extract(wheel, folder, |path| {
            let name = path.rsplit('/').next().filter(|name| !name.is_empty());
            name.filter(|_| (part.wants)(path)).map(str::to_owned)
        })?;
    }
    fs::write(folder.join(MARKER), marker)?;
    Ok(())
}

/// Puts files of a wheel into `folder`, each under the name that `keeps` gives for its path in there, if any. Returns a line with size
/// and name for each.
///
/// # Errors
/// If the wheel cannot be read, or a file cannot be written.
pub fn extract(
    wheel: &Path,
    folder: &Path,
    keeps: impl Fn(&str) -> Option<String>,
) -> Result<String> {
    fs::create_dir_all(folder)?;
    let mut archive = fetch::open(wheel)?;
    let mut files = String::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let Some(name) = keeps(&file.name()?) else { continue };
        let mut target = fs::File::create(folder.join(&name))?;
        let size = io::copy(&mut file, &mut target)?;
        files += &format!("{size} {name}\n");
    }
    Ok(files)
}

/// The library with its providers, and its licences.
pub fn wants_onnxruntime(path: &str) -> bool {
    path.starts_with("onnxruntime/capi/libonnxruntime")
        || matches!(path, "onnxruntime/LICENSE" | "onnxruntime/ThirdPartyNotices.txt")
}

/// The plugin alone: licence and notices are ONNX Runtime's own, word for word.
fn wants_webgpu(path: &str) -> bool {
    path.starts_with("onnxruntime_ep_webgpu/libonnxruntime_providers_webgpu.")
}

/// The core, the C interface, the reader for ONNX, and the devices that a PC has; not the readers for other formats.
fn wants_openvino(path: &str) -> bool {
    let Some(name) = path.strip_prefix("openvino/libs/") else {
        return path.contains("/licenses/");
    };
    let frontend = name.contains("_frontend") && !name.contains("_onnx_") && !name.contains("_ir_");
    !(frontend || name.contains("_npu_") || name.ends_with(".pc"))
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn here() -> Vec<Runtime> {
    let onnxruntime = Wheel {
        package: "onnxruntime",
        version: "1.31.1",
        platform: Some("manylinux_2_28_x86_64"),
        file: "onnxruntime-1.31.1-cp311-cp311-manylinux_2_28_x86_64.whl",
        sha256: "5752bd508126ae7c49894d3b9d2e83f0c3d487319246d04c444b393308d7ad7f",
    };
    let openvino = Wheel {
        package: "openvino",
        version: "2026.4.1",
        platform: Some("manylinux_2_28_x86_64"),
        file: "openvino-2026.4.1-22982-cp311-cp311-manylinux_2_28_x86_64.whl",
        sha256: "2d22b1da03f7caf74df30e9f6417d0ab2f637e4a38e08e1dcd294d2c37407aaf",
    };
    all(onnxruntime, WEBGPU_X86_64, openvino)
}

#[cfg(all(target_os = "linux", target_arch = "aarch64"))]
fn here() -> Vec<Runtime> {
    let onnxruntime = Wheel {
        package: "onnxruntime",
        version: "1.31.1",
        platform: Some("manylinux_2_28_aarch64"),
        file: "onnxruntime-1.31.1-cp311-cp311-manylinux_2_28_aarch64.whl",
        sha256: "da05378364c44d4407e463982d2bf8d5e4cfea873283757e48beeb41df97b7f3",
    };
    let openvino = Wheel {
        package: "openvino",
        version: "2026.4.1",
        platform: Some("manylinux_2_35_aarch64"),
        file: "openvino-2026.4.1-22982-cp311-cp311-manylinux_2_35_aarch64.whl",
        sha256: "bea1eb3733c34ef331adc945da0ccda5937865031139073663be84c517ffda22",
    };
    let webgpu = Wheel {
        package: "onnxruntime-ep-webgpu",
        version: "0.4.0",
        platform: Some("manylinux_2_28_aarch64"),
        file: "onnxruntime_ep_webgpu-0.4.0-py3-none-manylinux_2_28_aarch64.whl",
        sha256: "17f660db53b1a509c63e721ac6784a2daa1c4e91a968523ee9986505ee5b0a55",
    };
    all(onnxruntime, webgpu, openvino)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn here() -> Vec<Runtime> {
    let _ = all;
    vec![]
}

fn all(onnxruntime: Wheel, webgpu: Wheel, openvino: Wheel) -> Vec<Runtime> {
    let parts = vec![
        Part { wheel: onnxruntime, wants: wants_onnxruntime },
        Part { wheel: webgpu, wants: wants_webgpu },
    ];
    vec![
        Runtime { folder: "onnxruntime", parts },
        Runtime {
            folder: "openvino",
            parts: vec![Part { wheel: openvino, wants: wants_openvino }],
        },
    ]
}
