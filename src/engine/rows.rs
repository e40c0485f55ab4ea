//! Networks that run row by row, so that whoever makes the input's rows and takes the output's does so while they are in
//! cache. Pure.

use std::ops::Range;

use super::{Cancel, EngineError};
use crate::upscale::{Rect, Size};

/// Fills one slice per channel with columns of an input row.
pub type Source<'a> = dyn FnMut(usize, Range<usize>, &mut [&mut [f32]]) + 'a;

/// Takes a row of the output, one slice per channel.
pub type Sink<'a> = dyn FnMut(usize, &[&[f32]]) + 'a;

/// A network whose rows flow through all its layers while they are in cache.
///
/// Several threads may run it at once on different parts of a picture.
pub trait RowNetwork: Send + Sync {
    /// Runs the network for the input pixels `part` of a picture of `size`.
    ///
    /// Calls `source(y, columns, planes)` for every input row that it needs, in ascending order and inside the picture only (the
    /// part grown by [`RowNetwork::halo`], and clamped), to fill one slice per channel with these columns. Calls
    /// `sink(y, planes)` for every output row of the part, ascending from `part.y * scale`, with one slice per channel of
    /// `part.width * scale` samples.
    ///
    /// The result is the same, bit for bit, whatever the part.
    ///
    /// # Errors
    /// [`EngineError::Cancelled`] soon after `cancel` was raised; [`EngineError::Run`] where `part` does not lie in the picture.
    fn run(
        &self,
        size: Size,
        part: Rect,
        source: &mut Source,
        sink: &mut Sink,
        cancel: &Cancel,
    ) -> Result<(), EngineError>;

    /// Widest part that still runs in cache, in input pixels. A caller with a wider picture cuts it into panels.
    fn panel_width(&self) -> usize;

    /// How far an output pixel looks, in input pixels.
    fn halo(&self) -> usize;

    /// Output pixels per input pixel on each axis.
    fn scale(&self) -> usize;

    /// Channels of the input and of the output.
    fn channels(&self) -> usize;
}
