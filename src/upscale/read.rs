//! The first stage: a frame becomes a picture, and what changed since the frame before is found out.

use super::decode::decode;
use super::frame::{FrameError, FrameView};
use super::picture::{ColorModel, Picture, Plane};
use super::video::VideoSpec;

/// A frame ready for the networks.
#[derive(Debug)]
pub struct Prepared {
    /// Its planes, as [`super::video::network_model`] says.
    pub picture: Picture,
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
    spare: Vec<Picture>,
}

impl Reader {
    /// Reads frames of `input` into planes of `model`.
    pub fn new(input: VideoSpec, model: ColorModel) -> Self {
        Self { input, model, spare: Vec::new() }
    }

    /// Reads the next frame.
    ///
    /// # Errors
    /// [`FrameError::Picture`] for a frame of another size than announced.
    pub fn read(&mut self, frame: &FrameView) -> Result<Prepared, FrameError> {
        let (size, picture) = (frame.size(), self.input.size);
        if size != picture {
            return Err(FrameError::Picture { picture, frame: size });
        }
        let mut picture =
            self.spare.pop().unwrap_or_else(|| Picture::new(self.model, self.input.size));
        decode(frame, &self.input.color, &mut picture);
        Ok(Prepared { picture })
    }

    /// Takes back what is no longer needed, so that its memory is used again.
    pub fn recycle(&mut self, prepared: Prepared) {
        self.spare.push(prepared.picture);
    }
}
