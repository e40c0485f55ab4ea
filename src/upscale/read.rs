//! The first stage: a frame becomes a picture, and what changed since the frame before is found out.

use super::change::ChangeMap;
use super::decode::decode;
use super::frame::{FrameError, FrameView};
use super::picture::{ColorModel, Picture, Plane};
use super::reference::Reference;
use super::video::VideoSpec;

/// A frame ready for the networks.
#[derive(Debug)]
pub struct Prepared {
    /// Its planes, as [`super::video::network_model`] says.
    pub picture: Picture,
    /// The blocks in which it differs from the frame before; `None`: it has nothing to do with it.
    pub changes: Option<ChangeMap>,
}

impl Prepared {
    /// The planes that a network of `channels` channels is given. Where it wants alpha and the picture has none, `opaque` is
    /// made into it.
    pub fn channels<'a>(&'a self, channels: usize, opaque: &'a mut Plane) -> Vec<&'a Plane> {
        let mut planes: Vec<&Plane> = self.picture.planes.iter().collect();
        if channels == 4 {
            planes.push(match &self.picture.alpha {
                Some(alpha) => alpha,
                None => {
                    if opaque.size() != self.picture.size() {
                        *opaque = Plane::filled(self.picture.size(), 1.0);
                    }
                    opaque
                }
            });
        }
        planes.truncate(channels);
        planes
    }
}

/// Reads frames of one kind.
#[derive(Debug)]
pub struct Reader {
    input: VideoSpec,
    model: ColorModel,
    /// Largest difference, in codes of 255, of what counts as unchanged; `None`: no frame is compared.
    tolerance: Option<u8>,
    reference: Reference,
    spare: Vec<Picture>,
}

/// Share of changed blocks from which on a frame is taken whole: what is kept of the one before would hardly save anything.
const MOSTLY: f64 = 0.75;

impl Reader {
    /// Reads frames of `input` into planes of `model`. Blocks of at most `tolerance` codes of 255 of difference count as
    /// unchanged.
    pub fn new(input: VideoSpec, model: ColorModel, tolerance: Option<u8>) -> Self {
        let reference = Reference::new(input.format, input.size);
        Self { input, model, tolerance, reference, spare: Vec::new() }
    }

    /// Reads the next frame.
    ///
    /// # Errors
    /// [`FrameError::NotAnnounced`].
    pub fn read(&mut self, frame: &FrameView) -> Result<Prepared, FrameError> {
        self.input.check(frame.format(), frame.size())?;
        let size = frame.size();
        let changes = self.tolerance.and_then(|tolerance| {
            let changes = self.reference.compare(frame, tolerance);
            let mostly = changes.count() as f64 > MOSTLY * changes.len() as f64;
            let everything = mostly.then(|| ChangeMap::all(size));
            self.reference.take(frame, everything.as_ref().unwrap_or(&changes));
            (!mostly).then_some(changes)
        });
        let mut picture =
            self.spare.pop().unwrap_or_else(|| Picture::new(self.model, self.input.size));
        let composed = match &changes {
            Some(_) => self.reference.frame()?,
            None => frame.clone(),
        };
        decode(&composed, &self.input.color, &mut picture);
        Ok(Prepared { picture, changes })
    }

    /// Takes back what is no longer needed, so that its memory is used again.
    pub fn recycle(&mut self, prepared: Prepared) {
        self.spare.push(prepared.picture);
    }
}
