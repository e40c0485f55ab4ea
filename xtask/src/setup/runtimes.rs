//! ONNX Runtime and OpenVINO: shared libraries out of Python wheels, into `runtimes/`, where the plugin looks for them.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use crate::fetch::{self, Wheel};
use crate::progress;

/// A runtime of this machine's kind.
struct Runtime {
    /// Folder under `runtimes/`.
    folder: &'static str,
    wheel: Wheel,
    /// Whether a file of the wheel is wanted.
    wants: fn(&str) -> bool,
}

/// Written when all files are there: the wheel's sum, then a line with size and name for each file.
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
        let name = format!("{} {}", runtime.wheel.package, runtime.wheel.version);
        if is_complete(&folder, &runtime.wheel) {
            eprintln!("  {name}: is here");
            continue;
        }
        let wheel = runtime.wheel.fetch(root)?;
        let spinner = progress::spinner(&format!("unpacking {name}"));
        unpack(&wheel, &folder, runtime).with_context(|| {
            format!("cannot unpack {} into {}", wheel.display(), folder.display())
        })?;
        spinner.finish_and_clear();
        eprintln!("  {name}: in {}", folder.display());
    }
    Ok(())
}

fn is_complete(folder: &Path, wheel: &Wheel) -> bool {
    let Ok(marker) = fs::read_to_string(folder.join(MARKER)) else { return false };
    let mut lines = marker.lines();
    lines.next() == Some(wheel.sha256)
        && lines.all(|line| {
            line.split_once(' ').is_some_and(|(size, name)| {
                fs::metadata(folder.join(name)).is_ok_and(|m| m.len().to_string() == size)
            })
        })
}

fn unpack(wheel: &Path, folder: &Path, runtime: &Runtime) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).context("cannot remove what is there")?;
    }
    let keeps = |path: &str| {
        let name = path.rsplit('/').next().filter(|name| !name.is_empty());
        name.filter(|_| (runtime.wants)(path)).map(str::to_owned)
    };
    let files = extract(wheel, folder, keeps)?;
    fs::write(folder.join(MARKER), format!("{}\n{files}", runtime.wheel.sha256))?;
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
    both(onnxruntime, openvino)
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
    both(onnxruntime, openvino)
}

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
fn here() -> Vec<Runtime> {
    let _ = both;
    vec![]
}

fn both(onnxruntime: Wheel, openvino: Wheel) -> Vec<Runtime> {
    vec![
        Runtime { folder: "onnxruntime", wheel: onnxruntime, wants: wants_onnxruntime },
        Runtime { folder: "openvino", wheel: openvino, wants: wants_openvino },
    ]
}
