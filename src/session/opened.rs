//! What takes time before the first frame, done ahead: it can be done on any thread.

use std::sync::Arc;

use super::choose::Loaded;
use super::config::{Config, Notice, SessionError};
use super::inference::{Inference, Setup};
use crate::engine::Cancel;
use crate::upscale::video::network_model;
use crate::upscale::{ColorModel, VideoSpec};

/// Everything that a [`Session`](super::Session) needs for frames of one kind.
pub struct Opened {
    /// None where frames are scaled plainly.
    pub(super) inference: Option<Inference>,
    pub(super) input: VideoSpec,
    pub(super) output: VideoSpec,
    /// The planes in which frames are read.
    pub(super) model: ColorModel,
    pub(super) reuse_tolerance: Option<u8>,
    pub(super) setup: Arc<Setup>,
}

impl Opened {
    /// Plans tiles and opens engines for frames of `input` that become frames of `output`.
    ///
    /// # Errors
    /// What the engines say; nothing is left open then. [`SessionError::is_cancelled`] where `cancel` was raised.
    pub fn networks(
        loaded: Arc<Loaded>,
        config: Config,
        (input, output): (VideoSpec, VideoSpec),
        cancel: &Cancel,
    ) -> Result<(Self, Vec<Notice>), SessionError> {
        let mut notices = Vec::new();
        let model = network_model(loaded.contract.input.channels, &input);
        let reuse_tolerance = config.reuse_tolerance;
        let inference = Inference::new(loaded, config, input, output, cancel, &mut notices)?;
        let setup = inference.setup().clone();
        let inference = Some(inference);
        Ok((Self { inference, input, output, model, reuse_tolerance, setup }, notices))
    }

    /// Plain scaling of frames of `input` to frames of `output`: no network, nothing to wait for. `why` is what
    /// [`Setup::provider`] says.
    pub fn plain((input, output): (VideoSpec, VideoSpec), why: &str) -> Self {
        let setup = Arc::new(Setup::plain(why));
        // Chroma is scaled by itself, and nothing is converted.
        let model = network_model(1, &input);
        Self { inference: None, input, output, model, reuse_tolerance: None, setup }
    }

    /// What will run.
    pub fn setup(&self) -> &Arc<Setup> {
        &self.setup
    }
}
