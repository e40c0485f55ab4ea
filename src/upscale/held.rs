//! The last frame of a short way, and what it was made of: what did not change is taken from it.

use rayon::prelude::*;

use super::change::ChangeMap;
use super::frame::{FrameView, FrameViewMut, OwnedFrame};
use super::network::UpscaleError;
use super::reference::Reference;
use super::video::VideoSpec;

/// After so many frames of which hardly anything could be kept none is copied any more: it takes a tenth of their time.
const LONG: u32 = 8;

/// The last frame that was written.
pub(super) struct Held {
    output: VideoSpec,
    /// What it was made of.
    reference: Reference,
    kept: Option<OwnedFrame>,
    /// Frames in a row of which hardly anything could be kept.
    moving: u32,
}

impl Held {
    /// Nothing yet, for frames of `input` that become frames of `output`.
    pub fn new(input: &VideoSpec, output: VideoSpec) -> Self {
        let reference = Reference::new(input.format, input.size);
        Self { output, reference, kept: None, moving: 0 }
    }

    /// Where `src` differs from what the last frame was made of: see [`Reference::compare`].
    pub fn compare(&self, src: &FrameView, tolerance: u8) -> ChangeMap {
        self.reference.compare(src, tolerance)
    }

    /// Lets `infer` make `dst` of `src`, in which `changes` were found; `moves` says that hardly anything is to be kept of the last
    /// frame. `infer` is given the frame to be read, the one to be written, and the last one, which it is to bring up to date; where that
    /// is `None`, everything is to be inferred.
    ///
    /// # Errors
    /// What `infer` says. The next frame is inferred whole then.
    pub fn run<T>(
        &mut self,
        src: &FrameView,
        dst: &mut FrameViewMut,
        changes: &ChangeMap,
        moves: bool,
        infer: impl FnOnce(
            &FrameView,
            &mut FrameViewMut,
            Option<&mut OwnedFrame>,
        ) -> Result<T, UpscaleError>,
    ) -> Result<T, UpscaleError> {
        self.moving = if moves { self.moving.saturating_add(1) } else { 0 };
        // It comes back where nothing fails.
        let mut kept = self.kept.take().filter(|_| !moves);
        let inferred = match &mut kept {
            Some(kept) => {
                self.reference.take(src, changes);
                infer(&self.reference.frame()?, dst, Some(kept))
            }
            None => {
                self.reference.take(src, &ChangeMap::all(src.size()));
                infer(src, dst, None)
            }
        };
        let inferred = inferred.inspect_err(|_| self.reference.reset())?;
        if kept.is_none() && self.moving < LONG {
            let mut copy = OwnedFrame::new(self.output.format, self.output.size);
            copy_frame(dst, &mut copy.view_mut()?, &self.output);
            kept = Some(copy);
        }
        self.kept = kept;
        Ok(inferred)
    }
}

/// Copies all of `from` to `to`, frames of the kind `spec`.
pub(super) fn copy_frame(from: &mut FrameViewMut, to: &mut FrameViewMut, spec: &VideoSpec) {
    /// Rows at a time: a multiple of every subsampling factor.
    const BAND: usize = 64;
    let VideoSpec { format, size, .. } = *spec;
    let bands = to.bands(BAND).into_par_iter().zip(from.bands(BAND));
    bands.for_each(|(mut to, from)| to.copy_from(&from, format, size));
}
