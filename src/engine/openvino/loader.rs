//! The library, opened once per process.

use once_cell::sync::OnceCell;

use crate::engine::library::OPENVINO;
use crate::engine::{EngineError, EngineOptions, failure};

/// Name and version of the library that is open.
static LOADED: OnceCell<String> = OnceCell::new();

/// Opens the library unless one is open, and returns its name and version.
pub(super) fn load(options: &EngineOptions) -> Result<&'static str, EngineError> {
    if let (Some(name), None) = (LOADED.get(), &options.runtime_library) {
        return Ok(name);
    }
    let path = OPENVINO.find(options)?;
    // The bindings keep the first library that opens, without a look at what is in it: a wrong one must not get there.
    if !OPENVINO.is_library(&path) {
        let cause = format!("{} is not OpenVINO's C library by its name", path.display());
        return Err(OPENVINO.missing(cause));
    }
    let open = || {
        openvino_sys::library::load_from(&path).map_err(|e| OPENVINO.missing(e))?;
        // "2026.4.1-22982-8f2ae8cb0d5-releases/2026/4"
        let version = openvino::version().build_number;
        let number = version.split('-').next().unwrap_or_default();
        Ok(format!("{} {number}", OPENVINO.name))
    };
    // The bindings panic where a function is missing.
    let panicked = |panic| OPENVINO.missing(format!("{}: {panic}", path.display()));
    let name = LOADED.get_or_try_init(|| failure::guard(open, panicked))?;
    Ok(name)
}
