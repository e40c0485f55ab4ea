//! The last stage: what the networks gave, and what no network saw, become a frame.

use super::encode::encode;
use super::finish::{Finish, mix, sharpen};
use super::frame::{FrameError, FrameViewMut};
use super::geometry::Size;
use super::picture::{ColorModel, Picture, Plane};
use super::resize::{Filter, resize, resize_picture};
use super::video::VideoSpec;

/// Writes frames of one kind.
#[derive(Debug)]
pub struct Writer {
    output: VideoSpec,
    result: Picture,
    scratch: Plane,
}

impl Writer {
    /// Writes frames of `output` from planes of `model`.
    pub fn new(output: VideoSpec, model: ColorModel) -> Self {
        let result = Picture { model, planes: Vec::new(), alpha: None };
        Self { output, result, scratch: Plane::default() }
    }

    /// Makes `dst` of `network`, the planes that the last network gave (which are left as they are), and of `source`, the
    /// picture that the first one was given.
    ///
    /// # Errors
    /// [`FrameError::NotAnnounced`].
    pub fn write(
        &mut self,
        source: &Picture,
        network: &mut Vec<Plane>,
        finish: Finish,
        dst: &mut FrameViewMut,
    ) -> Result<(), FrameError> {
        self.output.check(dst.format(), dst.size())?;
        let size = self.output.size;
        let all_of_it = network.len() == source.planes.len() && source.alpha.is_none();
        if all_of_it && finish.is_none() && network.iter().all(|p| p.size() == size) {
            // Nothing is done to it: no copy is made.
            self.result.alpha = None;
            std::mem::swap(&mut self.result.planes, network);
            let written = encode(&self.result, &self.output.color, dst);
            std::mem::swap(&mut self.result.planes, network);
            return written;
        }
        self.finish(source, network, finish);
        encode(&self.result, &self.output.color, dst)
    }

    /// Scales `source` into `dst` by Catmull-Rom: what `fallback=resize` does instead.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn write_plain(&self, source: &Picture, dst: &mut FrameViewMut) -> Result<(), FrameError> {
        let picture = resize_picture(source, self.output.size, Filter::CatmullRom);
        encode(&picture, &self.output.color, dst)
    }

    /// Makes `result` of what the last network gave and of everything that no network saw.
    fn finish(&mut self, source: &Picture, network: &[Plane], finish: Finish) {
        let Self { output, result, scratch } = self;
        result.planes.resize_with(source.planes.len(), Plane::default);
        for (i, (plane, base)) in result.planes.iter_mut().zip(&source.planes).enumerate() {
            match network.get(i) {
                Some(given) => {
                    blend(given, base, plane, finish.strength, output.size);
                    sharpen(plane, finish.sharpness, scratch);
                }
                // Chroma beside a luma network.
                None => *plane = resize(base, output.size, Filter::CatmullRom),
            }
        }
        result.alpha = source.alpha.as_ref().map(|alpha| match network.get(3) {
            Some(given) => {
                let mut plane = Plane::default();
                blend(given, alpha, &mut plane, finish.strength, output.size);
                plane
            }
            None => resize(alpha, output.size, Filter::CatmullRom),
        });
    }
}

/// `given` at `size`, mixed with `base` at `size` where `strength` is below 1.
fn blend(given: &Plane, base: &Plane, into: &mut Plane, strength: f32, size: Size) {
    if given.size() == size {
        into.clone_from(given);
    } else {
        *into = resize(given, size, Filter::Lanczos3);
    }
    if strength < 1.0 {
        mix(into, &resize(base, size, Filter::CatmullRom), strength);
    }
}
