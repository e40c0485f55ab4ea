//! What NVIDIA's driver says of a GPU, by its management library. Nothing where there is none.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Once;

use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};
use once_cell::sync::OnceCell;

use super::{EngineOptions, library};

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

/// The GPU that CUDA is told to use by `options`.
pub(super) fn gpu(options: &EngineOptions) -> Option<Gpu> {
    static DRIVER: OnceCell<Option<Nvml>> = OnceCell::new();
    let driver = DRIVER.get_or_init(open).as_ref()?;
    let look = |index| -> Result<Option<Gpu>, NvmlError> {
        let Some(device) = find(driver, index)? else { return Ok(None) };
        let capability = device.cuda_compute_capability()?;
        Ok(Some(Gpu {
            name: device.name()?,
            driver: driver.sys_driver_version()?,
            capability: format!("{}.{}", capability.major, capability.minor),
            free: device.memory_info()?.free,
        }))
    };
    let looked = look(options.cuda_device().parse().ok()?);
    looked.inspect_err(|e| log::debug!("NVIDIA's driver says nothing of its GPU: {e}")).ok()?
}

/// CUDA counts the GPUs that `CUDA_VISIBLE_DEVICES` names. `None` where it may count others than the driver does.
fn find(driver: &Nvml, index: usize) -> Result<Option<Device<'_>>, NvmlError> {
    let visible = std::env::var("CUDA_VISIBLE_DEVICES").unwrap_or_default();
    let named = visible.split(',').map(str::trim).nth(index).filter(|name| !name.is_empty());
    let index = match named.map(|name| name.parse().map_err(|_| name)) {
        Some(Err(uuid)) => return driver.device_by_uuid(uuid).map(Some),
        Some(Ok(index)) => index,
        None => u32::try_from(index).unwrap_or(u32::MAX),
    };
    if !counts_as_cuda(driver)? {
        static SAID: Once = Once::new();
        SAID.call_once(|| {
            log::warn!(
                "which of several GPUs CUDA uses is not known, so its free memory is not looked at and what TensorRT compiles is not \
                 kept; set CUDA_DEVICE_ORDER=PCI_BUS_ID in the environment"
            );
        });
        return Ok(None);
    }
    driver.device_by_index(index).map(Some)
}

/// Whether CUDA counts GPUs as the driver does, by where they are plugged in: else the fastest comes first.
fn counts_as_cuda(driver: &Nvml) -> Result<bool, NvmlError> {
    if std::env::var("CUDA_DEVICE_ORDER").is_ok_and(|order| order == "PCI_BUS_ID") {
        return Ok(true);
    }
    let names = (0..driver.device_count()?).map(|index| driver.device_by_index(index)?.name());
    let names = names.collect::<Result<Vec<_>, _>>()?;
    Ok(names.windows(2).all(|two| two[0] == two[1]))
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
