//! What is wrong with a shader file, and where.

use std::path::PathBuf;

/// Why a shader file, or a pass of it, cannot be run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShaderError {
    /// The file cannot be read.
    #[error("shader '{}' cannot be read: {reason}", path.display())]
    Read {
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// What a line says cannot be done.
    #[error("{file}:{line}: {message}")]
    Line {
        /// The file's name.
        file: String,
        /// Counted from 1.
        line: usize,
        /// What is wrong, and what would be right.
        message: String,
    },
}

/// A place in a shader file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file's name.
    pub file: String,
    /// Counted from 1.
    pub line: usize,
}

impl Place {
    /// An error at this place.
    pub fn error(&self, message: impl Into<String>) -> ShaderError {
        let Self { file, line } = self.clone();
        ShaderError::Line { file, line, message: message.into() }
    }
}
