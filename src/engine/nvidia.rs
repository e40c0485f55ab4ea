//! What NVIDIA's driver says of a GPU, by its management library. Nothing where there is none.

use std::ffi::OsString;
use std::path::PathBuf;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use once_cell::sync::OnceCell;

use super::library;

/// A GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gpu {
    /// As the driver calls it: "NVIDIA H100 80GB HBM3".
    pub name: String,
    /// The driver's version.
    pub driver: String,
    /// Compute capability: "9.0".
    pub capability: String,
    /// Bytes of its memory that nobody uses.
    pub free: u64,
}

/// The GPU that CUDA calls `device` (0 if not given).
pub(super) fn gpu(device: Option<&str>) -> Option<Gpu> {
    static DRIVER: OnceCell<Option<Nvml>> = OnceCell::new();
    let driver = DRIVER.get_or_init(open).as_ref()?;
    let looked = find(driver, device.unwrap_or("0").parse().ok()?).and_then(|device| {
        let capability = device.cuda_compute_capability()?;
        Ok(Gpu {
            name: device.name()?,
            driver: driver.sys_driver_version()?,
            capability: format!("{}.{}", capability.major, capability.minor),
            free: device.memory_info()?.free,
        })
    });
    looked.inspect_err(|e| log::debug!("NVIDIA's driver says nothing of its GPU: {e}")).ok()
}

/// CUDA counts the GPUs that `CUDA_VISIBLE_DEVICES` names.
fn find(driver: &Nvml, index: usize) -> Result<Device<'_>, NvmlError> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let named = visible.split(',').map(str::trim).nth(index).filter(|name| !name.is_empty());
    match named.map(|name| name.parse().map_err(|_| name)) {
        Some(Ok(index)) => driver.device_by_index(index),
        Some(Err(uuid)) => driver.device_by_uuid(uuid),
        None => driver.device_by_index(u32::try_from(index).unwrap_or(u32::MAX)),
    }
}

fn open() -> Option<Nvml> {
    let opened = places().find(|path| path.is_file()).map(|path| {
        let opened = Nvml::builder().lib_path(path.as_os_str()).init();
        opened.inspect_err(|e| log::debug!("{} cannot be used: {e}", path.display()))
    });
    opened?.ok()
}

/// Where the driver puts its library.
fn places() -> impl Iterator<Item = PathBuf> {
    let variable = |name: &str| -> Option<OsString> { std::env::var_os(name) };
    let mut folders = library::system_directories(&variable);
    if cfg!(windows) {
        let root = variable("SystemRoot").unwrap_or_else(|| "C:\\Windows".into());
        folders.push(PathBuf::from(root).join("System32"));
    } else {
        folders.push("/usr/lib/wsl/lib".into());
    }
    let file = if cfg!(windows) { "nvml.dll" } else { "libnvidia-ml.so.1" };
    folders.into_iter().map(move |folder| folder.join(file))
}
