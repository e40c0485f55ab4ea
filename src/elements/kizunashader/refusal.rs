//! Why the element cannot do what it is asked for.

use crate::elements::error;
use crate::gl::GlError;
use crate::models::ModelError;
use crate::shader::ShaderError;

/// What is wrong with settings, files, frames or the device.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A property's value.
    #[error("{0}")]
    Settings(String),
    /// A shader file.
    #[error(transparent)]
    Shader(#[from] ShaderError),
    /// A model's file.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A network that is none for shaders.
    #[error("model '{name}' cannot be run by shaders: {reason}; kizunasr runs it")]
    Network {
        /// As it was asked for.
        name: String,
        /// Why.
        reason: String,
    },
    /// A frame, or OpenGL.
    #[error(transparent)]
    Gl(#[from] GlError),
}

impl Refusal {
    /// The message that the element posts.
    pub fn message(&self) -> gst::ErrorMessage {
        match self {
            Self::Settings(_) => {
                gst::error_msg!(gst::ResourceError::Settings, ("{}", error::text(self)))
            }
            Self::Shader(e) => error::shader(e),
            Self::Model(e) => error::model(e),
            Self::Network { .. } => {
                gst::error_msg!(gst::StreamError::Format, ("{}", error::text(self)))
            }
            Self::Gl(e) => error::gl(e),
        }
    }
}
