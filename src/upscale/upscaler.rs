//! A frame in, a frame out: the diagram of `lib.rs` as code.

use super::color::ColorSpec;
use super::decode::decode;
use super::encode::encode;
use super::finish::{mix, sharpen};
use super::format::{Kind, PixelFormat};
use super::frame::{FrameError, FrameView, FrameViewMut};
use super::geometry::{Ratio, Size};
use super::network::{Network, UpscaleError};
use super::picture::{ColorModel, Picture, Plane};
use super::resize::{Filter, resize, resize_picture};
use crate::engine::Cancel;

/// Everything about a stream of frames that conversion depends on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VideoSpec {
    /// Sample format.
    pub format: PixelFormat,
    /// Size in pixels.
    pub size: Size,
    /// Matrix, range and chroma siting.
    pub color: ColorSpec,
}

/// What is done to the network's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Finish {
    /// 1 is the network alone, 0 is Catmull-Rom alone.
    pub strength: f32,
    /// Below 0 softer, above 0 sharper; -1 to 1.
    pub sharpness: f32,
}

impl Default for Finish {
    fn default() -> Self {
        Self { strength: 1.0, sharpness: 0.0 }
    }
}

/// Upscales frames of one kind to frames of another.
pub struct Upscaler {
    input: VideoSpec,
    output: VideoSpec,
    networks: Vec<Network>,
    finishing: Finish,
    decoded: Picture,
    /// What each network gave.
    stages: Vec<Vec<Plane>>,
    result: Picture,
    scratch: Plane,
}

/// How often a network of factor `scale` is run for a picture of `from` to become one of `to`: the power of `scale` that lies
/// nearest, at least 1 and at most 4.
pub fn passes(from: Size, to: Size, scale: Ratio) -> usize {
    let wanted = ((to.area() as f64 / from.area() as f64).sqrt()).ln();
    let step = scale.as_f64().ln();
    if step.abs() < 1e-9 { 1 } else { (wanted / step).round().clamp(1.0, 4.0) as usize }
}

/// The planes that a network of `channels` channels is given for frames of `spec`.
pub fn network_model(channels: usize, spec: &VideoSpec) -> ColorModel {
    match (channels, spec.format.info().kind) {
        (1, Kind::Gray) => ColorModel::Luma,
        (1, Kind::Yuv) => ColorModel::Yuv(spec.color.matrix),
        // RGB says nothing about luma weights; BT.709 shares its primaries with sRGB.
        (1, Kind::Rgb) => ColorModel::Yuv(super::Matrix::Bt709),
        _ => ColorModel::Rgb,
    }
}

impl Upscaler {
    /// Runs `networks` (at least one, each taking the size that the one before gives) on frames of `input`.
    pub fn new(
        input: VideoSpec,
        output: VideoSpec,
        networks: Vec<Network>,
        channels: usize,
        finishing: Finish,
    ) -> Self {
        let decoded = Picture::new(network_model(channels, &input), input.size);
        let stages =
            networks.iter().map(|n| vec![Plane::new(n.plan().output_size()); channels]).collect();
        let result = Picture::new(decoded.model, output.size);
        Self {
            input,
            output,
            networks,
            finishing,
            decoded,
            stages,
            result,
            scratch: Plane::default(),
        }
    }

    /// The networks, in the order in which they run.
    pub fn networks(&self) -> &[Network] {
        &self.networks
    }

    /// Changes what is done to the networks' result, from the next frame on.
    pub fn set_finish(&mut self, finishing: Finish) {
        self.finishing = finishing;
    }

    /// Upscales `src` into `dst`, frames of the kinds given at the start.
    ///
    /// # Errors
    /// See [`Network::run`]. After an error `dst` is undefined.
    pub fn process(
        &mut self,
        src: &FrameView,
        dst: &mut FrameViewMut,
        cancel: &Cancel,
    ) -> Result<(), UpscaleError> {
        self.read(src)?;
        self.run_networks(cancel)?;
        self.finish();
        encode(&self.result, &self.output.color, dst)?;
        Ok(())
    }

    /// Scales `src` into `dst` by Catmull-Rom: what `fallback=resize` does instead.
    ///
    /// # Errors
    /// [`UpscaleError::Frame`] for frames of another kind than announced.
    pub fn scale_plainly(
        &mut self,
        src: &FrameView,
        dst: &mut FrameViewMut,
    ) -> Result<(), UpscaleError> {
        self.read(src)?;
        let picture = resize_picture(&self.decoded, self.output.size, Filter::CatmullRom);
        Ok(encode(&picture, &self.output.color, dst)?)
    }

    fn read(&mut self, src: &FrameView) -> Result<(), FrameError> {
        let (frame, picture) = (src.size(), self.input.size);
        if frame != picture {
            return Err(FrameError::Picture { picture, frame });
        }
        decode(src, &self.input.color, &mut self.decoded);
        Ok(())
    }

    fn run_networks(&mut self, cancel: &Cancel) -> Result<(), UpscaleError> {
        let opaque;
        let mut src: Vec<&Plane> = self.decoded.planes.iter().collect();
        let channels = self.stages[0].len();
        if channels == 4 {
            src.push(match &self.decoded.alpha {
                Some(alpha) => alpha,
                None => {
                    opaque = Plane::filled(self.input.size, 1.0);
                    &opaque
                }
            });
        }
        src.truncate(channels);
        for (network, stage) in self.networks.iter_mut().zip(&mut self.stages) {
            network.run(&src, &mut stage.iter_mut().collect::<Vec<_>>(), cancel)?;
            src = stage.iter().collect();
        }
        Ok(())
    }

    /// Makes `result` of what the last network gave and of everything that no network saw.
    fn finish(&mut self) {
        let size = self.output.size;
        let (decoded, result) = (&self.decoded, &mut self.result);
        let Some(stage) = self.stages.last_mut() else { return };
        for (i, (plane, src)) in result.planes.iter_mut().zip(&decoded.planes).enumerate() {
            match stage.get_mut(i) {
                Some(network) => take_fitted(network, plane, size),
                // Chroma beside a luma network.
                None => *plane = resize(src, size, Filter::CatmullRom),
            }
            if i < stage.len() {
                if self.finishing.strength < 1.0 {
                    mix(plane, &resize(src, size, Filter::CatmullRom), self.finishing.strength);
                }
                sharpen(plane, self.finishing.sharpness, &mut self.scratch);
            }
        }
        result.alpha = decoded.alpha.as_ref().map(|alpha| match stage.get_mut(3) {
            Some(network) => {
                let mut plane = Plane::new(size);
                take_fitted(network, &mut plane, size);
                if self.finishing.strength < 1.0 {
                    let base = resize(alpha, size, Filter::CatmullRom);
                    mix(&mut plane, &base, self.finishing.strength);
                }
                plane
            }
            None => resize(alpha, size, Filter::CatmullRom),
        });
    }
}

/// Moves `from` into `to` without a copy where it has the size already (`from` then holds another plane of that size).
fn take_fitted(from: &mut Plane, to: &mut Plane, size: Size) {
    if from.size() == size {
        std::mem::swap(from, to);
        from.resize(size);
    } else {
        *to = resize(from, size, Filter::Lanczos3);
    }
}
