//! The library and its one environment.
//!
//! A process can hold one ONNX Runtime: the first library that opens stays, whatever later engines ask for. A path that does
//! not open leaves no trace, so a later one may.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use once_cell::sync::OnceCell;
use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::telemetry;
use crate::engine::library::{self, ONNX_RUNTIME};
use crate::engine::{EngineError, EngineOptions};

/// The library of this process.
pub(super) struct Loaded {
    /// Its environment, which lives as long as the process: ONNX Runtime cannot make a second one.
    pub environment: Environment,
    /// Where it was found.
    pub path: PathBuf,
    /// Name and version.
    pub name: String,
}

static LOADED: OnceCell<Loaded> = OnceCell::new();

/// Opens the library, or returns the one that is open.
pub(super) fn load(options: &EngineOptions) -> Result<&'static Loaded, EngineError> {
    if let (Some(loaded), None) = (LOADED.get(), &options.runtime_library) {
        return Ok(loaded);
    }
    let path = ONNX_RUNTIME.find(options)?;
    let loaded = LOADED.get_or_try_init(|| open(path.clone()))?;
    if loaded.path != path && options.runtime_library.is_some() {
        log::warn!(
            "ONNX Runtime is already open from {}; {} is not used in this process",
            loaded.path.display(),
            path.display()
        );
    }
    Ok(loaded)
}

fn open(path: PathBuf) -> Result<Loaded, EngineError> {
    telemetry::forbid();
    let environment = ort::init_from(&path)
        .map_err(cause)
        .and_then(|builder| {
            builder
                .with_name("kizuna")
                .with_telemetry(false)
                .with_logger(Arc::new(|level, _, _, _, message| log(level, message)))
                .build()
                .map_err(|e| e.to_string())
        })
        .map_err(|cause| ONNX_RUNTIME.missing(cause))?;
    // With a logger of one's own it would hand over every step of the optimiser.
    environment.set_log_level(LogLevel::Warning);
    let name = format!("{} {}", ONNX_RUNTIME.name, library::version(&path));
    Ok(Loaded { environment, name: name.trim_end().to_owned(), path })
}

/// Each way to fail, told so that one knows what to do.
fn cause(error: LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, path } => {
            // What the loader said is behind "dlopen failed".
            let why = error.source().map_or_else(|| error.to_string(), ToString::to_string);
            format!("{} cannot be opened: {why}", path.display())
        }
        LoadDynamicError::MissingApi { path } => {
            format!("{} is not ONNX Runtime: it has no OrtGetApiBase", path.display())
        }
        LoadDynamicError::BadVersion { version_str, path } => format!(
            "{} is ONNX Runtime {version_str}, which is too old; 1.{} or newer is needed",
            path.display(),
            ort::MINOR_VERSION
        ),
        LoadDynamicError::InvalidVersionString => "its version cannot be read".into(),
    }
}

fn log(level: LogLevel, message: &str) {
    let level = match level {
        LogLevel::Verbose => log::Level::Trace,
        LogLevel::Info => log::Level::Debug,
        LogLevel::Warning => log::Level::Warn,
        LogLevel::Error | LogLevel::Fatal => log::Level::Error,
    };
    log::log!(target: "onnxruntime", level, "{message}");
}
