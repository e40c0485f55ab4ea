//! The one table of errors and GStreamer's domains.

use std::fmt::Display;

use crate::engine::EngineError;
use crate::gl::GlError;
use crate::models::ModelError;
use crate::session::SessionError;
use crate::shader::ShaderError;
use crate::upscale::UpscaleError;

/// As text that GStreamer can carry: names in files may have a byte 0 in them.
pub fn text(said: &impl Display) -> String {
    said.to_string().replace('\0', "\u{fffd}")
}

/// The message that an element posts for `error`.
pub fn message(error: &SessionError) -> gst::ErrorMessage {
    match error {
        SessionError::Model(e) => model(e),
        SessionError::Engine(e) | SessionError::Frame(UpscaleError::Engine(e)) => engine(e),
        SessionError::NoProvider { .. } => {
            gst::error_msg!(gst::LibraryError::Init, ("{}", text(error)))
        }
        SessionError::Frame(e) => gst::error_msg!(gst::StreamError::Failed, ("{}", text(e))),
    }
}

pub fn model(error: &ModelError) -> gst::ErrorMessage {
    match error {
        ModelError::NotFound { .. } => {
            gst::error_msg!(gst::ResourceError::NotFound, ("{}", text(error)))
        }
        ModelError::Read { .. } => {
            gst::error_msg!(gst::ResourceError::OpenRead, ("{}", text(error)))
        }
        ModelError::Card { .. } => {
            gst::error_msg!(gst::ResourceError::Settings, ("{}", text(error)))
        }
        ModelError::Refused { .. } => {
            gst::error_msg!(gst::StreamError::Format, ("{}", text(error)))
        }
        ModelError::Probe { cause, .. } => engine(cause),
    }
}

fn engine(error: &EngineError) -> gst::ErrorMessage {
    match error {
        EngineError::Library { .. } | EngineError::Provider { .. } => {
            gst::error_msg!(gst::LibraryError::Init, ("{}", text(error)))
        }
        EngineError::Model { .. } => gst::error_msg!(gst::StreamError::Format, ("{}", text(error))),
        EngineError::OutOfMemory(_) => {
            gst::error_msg!(gst::ResourceError::NoSpaceLeft, ("{}", text(error)))
        }
        _ => gst::error_msg!(gst::StreamError::Failed, ("{}", text(error))),
    }
}

/// The message for what is wrong with a shader file.
pub fn shader(error: &ShaderError) -> gst::ErrorMessage {
    match error {
        ShaderError::Read { .. } => {
            gst::error_msg!(gst::ResourceError::OpenRead, ("{}", text(error)))
        }
        _ => gst::error_msg!(gst::ResourceError::Failed, ("{}", text(error))),
    }
}

/// The message for what OpenGL cannot do.
pub fn gl(error: &GlError) -> gst::ErrorMessage {
    match error {
        GlError::Shader(e) => shader(e),
        GlError::Unsupported { .. } => {
            gst::error_msg!(gst::LibraryError::Init, ("{}", text(error)))
        }
        GlError::OutOfMemory(_) => {
            gst::error_msg!(gst::ResourceError::NoSpaceLeft, ("{}", text(error)))
        }
        GlError::Frame(_) => gst::error_msg!(gst::StreamError::Format, ("{}", text(error))),
        _ => gst::error_msg!(gst::ResourceError::Failed, ("{}", text(error))),
    }
}
