//! Networks between raw samples, as [`crate::onnx::wrap`] makes them. Pure.
//!
//! ```text
//! RawTiles::cut → RawNetwork::run → RawTiles::paste
//! ```
//!
//! It is the way for devices that convert faster than a processor does: 8 or 16 bits a sample go up and come back. Which of a
//! session's frames may take it is for the session to say: those without alpha, in formats that are wrapped, one pass, at the
//! network's own scale, with nothing done afterwards.

use super::{Cancel, EngineError, EngineInfo};

/// A network between raw samples, for tiles of one shape. Dropping it releases everything.
pub trait RawNetwork: Send {
    /// What really runs.
    fn info(&self) -> &EngineInfo;

    /// Runs the network on the planes of a tile, as [`RawTiles::input_planes`](crate::upscale::raw::RawTiles::input_planes) says
    /// (those of a batch one behind the other), and writes those that come out, resizing `outputs`. Samples of more than 8 bits
    /// are two bytes, little endian.
    ///
    /// Returns whether all that the network gave was finite; where it was not, the planes are unspecified, as they are after
    /// an error.
    ///
    /// # Errors
    /// As [`super::Engine::run`], and as soon.
    fn run(
        &mut self,
        inputs: &[Vec<u8>],
        outputs: &mut Vec<Vec<u8>>,
        cancel: &Cancel,
    ) -> Result<bool, EngineError>;
}
