//! What a session is asked to do, and what it says.

use std::path::PathBuf;

use super::tiles::Border;
use crate::engine::{EngineError, EngineOptions, Precision, Provider};
use crate::models::ModelError;
use crate::upscale::UpscaleError;
use crate::upscale::blend::Blend;

/// Validated settings.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// A card's name or a path; `None` is the embedded default.
    pub model: Option<String>,
    /// Where models and runtimes are looked for, first match wins.
    pub search: Vec<PathBuf>,
    /// `None` takes the first of [`Provider::AUTO`] that runs the model.
    pub provider: Option<Provider>,
    /// Passed to the engine as they are; its precision and search path are set by the session.
    pub engine: EngineOptions,
    /// Arithmetic.
    pub precision: Precision,
    /// Side of a tile in input pixels, halo included; `None` is chosen from memory.
    pub tile_size: Option<usize>,
    /// Context around a tile in input pixels; `None` is the network's halo.
    pub overlap: Option<usize>,
    /// How tiles are put together.
    pub blend: Blend,
    /// What lies beyond the frame's border.
    pub border: Border,
    /// Tiles per run; `None` is chosen.
    pub batch_size: Option<usize>,
    /// Bytes for inference and its pictures; `None` is taken from what is free.
    pub memory_limit: Option<u64>,
    /// Largest difference, in codes of 255, of blocks that count as unchanged, so that their output is kept; `None`: every frame
    /// is inferred whole.
    pub reuse_tolerance: Option<u8>,
    /// What may be done when resources run out.
    pub fallback: Fallback,
    /// Whether another provider may run where the one that was asked for by name cannot be opened.
    pub replace_provider: bool,
}

/// What may be done when resources run out; each use is a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fallback {
    /// Smaller tiles.
    pub tile: bool,
    /// Another provider: ONNX Runtime's CPU, then the embedded engine.
    pub cpu: bool,
    /// Plain scaling.
    pub resize: bool,
}

impl Default for Fallback {
    fn default() -> Self {
        Self { tile: true, cpu: true, resize: false }
    }
}

/// Something that the user must hear of: an override, a fallback, a doubt about the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice(pub String);

/// Why a session could not start or go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The model cannot be found, read or used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A provider cannot be opened.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// No provider of `auto` runs the model.
    #[error("no provider runs model {model}: {reasons}")]
    NoProvider {
        /// The model's name.
        model: String,
        /// Each provider with what it said.
        reasons: String,
    },
    /// A frame could not be upscaled, and no fallback was left.
    #[error(transparent)]
    Frame(#[from] UpscaleError),
}

impl SessionError {
    /// Whether this is no failure: somebody raised the cancel flag.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.engine(), Some(EngineError::Cancelled))
    }

    /// Whether memory ran out.
    pub fn is_out_of_memory(&self) -> bool {
        matches!(self.engine(), Some(EngineError::OutOfMemory(_)))
    }

    /// Whether the model's file is at fault, so that every provider would say the same.
    pub fn is_models_fault(&self) -> bool {
        matches!(self, Self::Model(_)) && self.engine().is_none()
    }

    /// What the engine said, where it was the engine; else the whole error.
    pub(super) fn cause(&self) -> String {
        self.engine().map_or_else(|| self.to_string(), ToString::to_string)
    }

    /// [`Self::cause`] where there is room for little.
    pub(super) fn brief(&self) -> String {
        self.engine().map_or_else(|| self.to_string(), EngineError::brief)
    }

    /// What an engine said, where it is an engine that failed.
    pub(super) fn engine(&self) -> Option<&EngineError> {
        match self {
            Self::Engine(e)
            | Self::Frame(UpscaleError::Engine(e))
            | Self::Model(ModelError::Probe { cause: e, .. }) => Some(e),
            _ => None,
        }
    }
}
