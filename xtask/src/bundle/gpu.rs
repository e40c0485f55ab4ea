//! Runtimes for graphics devices, and NVIDIA's libraries that they are linked to, out of Python wheels.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::fetch::Wheel;
use crate::progress;
use crate::setup::runtimes;

/// ONNX Runtime with the CUDA and TensorRT providers. It has the processor's own too.
const ONNXRUNTIME: Wheel = Wheel {
    package: "onnxruntime-gpu",
    version: "1.31.1",
    platform: Some("manylinux_2_28_x86_64"),
    file: "onnxruntime_gpu-1.31.1-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256: "e26c475fe361b2015f45b4b824bd13f0bb20204e59b62814e6f0acd5f3d491a6",
};

/// What the CUDA provider is linked to, and what it opens (cuDNN, NVRTC). CUDA 13.0 is the first of 13, so that every driver for 13
/// will do. cuFFT is left out: nothing is linked to it, it is opened for Fourier transforms, and no network for pictures has one.
const CUDA: [Wheel; 5] = [
    Wheel {
        package: "nvidia-cublas",
        version: "13.0.2.14",
        platform: Some("manylinux_2_27_x86_64"),
        file: "nvidia_cublas-13.0.2.14-py3-none-manylinux_2_27_x86_64.whl",
        sha256: "0cf238ffdbe46c00cb9aa98e7bca745c223a5ca5a53e686ac8b3e5a08fe80d6c",
    },
    Wheel {
        package: "nvidia-cuda-nvrtc",
        version: "13.0.88",
        platform: Some("manylinux2010_x86_64"),
        file: "nvidia_cuda_nvrtc-13.0.88-py3-none-manylinux2010_x86_64.manylinux_2_12_x86_64.whl",
        sha256: "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575",
    },
    Wheel {
        package: "nvidia-cuda-runtime",
        version: "13.0.96",
        platform: Some("manylinux2014_x86_64"),
        file: "nvidia_cuda_runtime-13.0.96-py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
    },
    Wheel {
        package: "nvidia-cudnn-cu13",
        version: "9.14.0.64",
        platform: Some("manylinux_2_27_x86_64"),
        file: "nvidia_cudnn_cu13-9.14.0.64-py3-none-manylinux_2_27_x86_64.whl",
        sha256: "024ce8f7571d322991ecadbe82907df2e89b5f36597d03436413ec6dd7c9fe54",
    },
    Wheel {
        package: "nvidia-curand",
        version: "10.4.0.35",
        platform: Some("manylinux_2_27_x86_64"),
        file: "nvidia_curand-10.4.0.35-py3-none-manylinux_2_27_x86_64.whl",
        sha256: "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc",
    },
];

/// Puts them where the plugin looks for ONNX Runtime, in place of the one for processors alone.
///
/// # Errors
/// If a wheel cannot be had or unpacked.
pub fn gather_runtimes(root: &Path, folder: &Path) -> Result<()> {
    let folder = folder.join("runtimes/onnxruntime");
    if folder.exists() {
        fs::remove_dir_all(&folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    take(root, &ONNXRUNTIME, &folder, |path| {
        runtimes::wants_onnxruntime(path).then(|| name_of(path))
    })?;
    // Its licences are the same.
    take(root, &runtimes::WEBGPU_X86_64, &folder, |path| {
        path.ends_with(".so").then(|| name_of(path))
    })
}

/// Puts NVIDIA's libraries into `runtimes/cuda`, where run.sh lets the loader look.
///
/// # Errors
/// If a wheel cannot be had or unpacked.
pub fn gather_cuda(root: &Path, folder: &Path) -> Result<()> {
    let folder = folder.join("runtimes/cuda");
    for wheel in CUDA {
        take(root, &wheel, &folder, |path| {
            let name = name_of(path);
            // Those called alt are other builds of the same; nvblas stands in for a BLAS of processors.
            let is_library = name.contains(".so") && !name.contains(".alt.");
            let is_library = is_library && !name.starts_with("libnvblas");
            let is_licence = path.contains("/licenses/");
            let kept =
                || if is_licence { format!("{}-{name}", wheel.package) } else { name.clone() };
            (is_library || is_licence).then(kept)
        })?;
    }
    Ok(())
}

fn take(
    root: &Path,
    wheel: &Wheel,
    folder: &Path,
    keeps: impl Fn(&str) -> Option<String>,
) -> Result<()> {
    ensure!(
        cfg!(target_arch = "x86_64"),
        "{} is pinned for x86_64 only: leave out --gpu and --cuda",
        wheel.package
    );
    let path = wheel.fetch(root)?;
    let spinner = progress::spinner(&format!("unpacking {} {}", wheel.package, wheel.version));
    runtimes::extract(&path, folder, keeps)
        .with_context(|| format!("cannot unpack {} into {}", path.display(), folder.display()))?;
    spinner.finish_and_clear();
    Ok(())
}

fn name_of(path: &str) -> String {
    path.rsplit('/').next().unwrap_or(path).to_owned()
}
