//! What is known of a stream of frames before the first one comes.

use super::color::{ColorSpec, Matrix};
use super::format::{Kind, PixelFormat};
use super::frame::FrameError;
use super::geometry::{Ratio, Size};
use super::picture::ColorModel;

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

impl VideoSpec {
    /// Whether a frame of `format` and `size` is one of this stream.
    ///
    /// # Errors
    /// [`FrameError::NotAnnounced`].
    pub fn check(&self, format: PixelFormat, size: Size) -> Result<(), FrameError> {
        if (format, size) == (self.format, self.size) {
            return Ok(());
        }
        Err(FrameError::NotAnnounced {
            format: self.format.info().name,
            size: self.size,
            got_format: format.info().name,
            got_size: size,
        })
    }
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
        (1, Kind::Rgb) => ColorModel::Yuv(Matrix::Bt709),
        _ => ColorModel::Rgb,
    }
}
