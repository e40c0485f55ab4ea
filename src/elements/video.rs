//! The one translator between `gst_video` and the pure layers.

use gst_video::prelude::*;

use crate::upscale::color::{ChromaSite, ColorSpec, Range, Siting};
use crate::upscale::format::PixelFormat;
use crate::upscale::{FrameView, FrameViewMut, Matrix, Size, VideoSpec};

/// All formats that the elements take and give, as GStreamer names them.
pub fn formats() -> impl Iterator<Item = gst_video::VideoFormat> {
    PixelFormat::ALL.iter().map(|f| gst_video::VideoFormat::from_string(f.name()))
}

/// What `caps` describe. GStreamer 1.22 itself forgets their chroma siting where they say no colorimetry.
pub fn info(caps: &gst::Caps) -> Option<gst_video::VideoInfo> {
    let info = gst_video::VideoInfo::from_caps(caps).ok()?;
    let structure = caps.structure(0)?;
    if !structure.has_field("chroma-site") || structure.has_field("colorimetry") {
        return Some(info);
    }
    let mut caps = caps.to_owned();
    caps.make_mut().set("colorimetry", info.colorimetry().to_string());
    gst_video::VideoInfo::from_caps(&caps).ok()
}

/// The pure description of what `info` describes; `None` for a format that is not ours.
pub fn spec(info: &gst_video::VideoInfo) -> Option<VideoSpec> {
    let format = PixelFormat::from_name(info.format().to_str())?;
    let size = Size::new(info.width() as usize, info.height() as usize);
    Some(VideoSpec { format, size, color: color(info) })
}

fn color(info: &gst_video::VideoInfo) -> ColorSpec {
    use gst_video::{VideoChromaSite, VideoColorMatrix, VideoColorRange};
    let colorimetry = info.colorimetry();
    let matrix = match colorimetry.matrix() {
        VideoColorMatrix::Bt601 => Matrix::Bt601,
        VideoColorMatrix::Bt709 => Matrix::Bt709,
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        VideoColorMatrix::Smpte240m => Matrix::Smpte240m,
        VideoColorMatrix::Fcc => Matrix::Fcc,
        // RGB has none; for YUV without one GStreamer's own rule: BT.709 above 576 lines.
        _ if info.height() > 576 => Matrix::Bt709,
        _ => Matrix::Bt601,
    };
    let range = match colorimetry.range() {
        VideoColorRange::Range16_235 => Range::Limited,
        VideoColorRange::Range0_255 => Range::Full,
        _ if info.is_yuv() => Range::Limited,
        _ => Range::Full,
    };
    let site = info.chroma_site();
    // Unknown is MPEG-2's, as GStreamer's own converter takes it.
    let unknown = site == VideoChromaSite::empty();
    let none = site.contains(VideoChromaSite::NONE);
    ColorSpec {
        matrix,
        range,
        site: ChromaSite {
            horizontal: siting(unknown || (!none && site.contains(VideoChromaSite::H_COSITED))),
            vertical: siting(!unknown && !none && site.contains(VideoChromaSite::V_COSITED)),
        },
    }
}

/// Whether codes mean light by PQ or HLG.
pub fn is_hdr(info: &gst_video::VideoInfo) -> bool {
    use gst_video::VideoTransferFunction::{AribStdB67, Smpte2084};
    matches!(info.colorimetry().transfer(), AribStdB67 | Smpte2084)
}

const fn siting(cosited: bool) -> Siting {
    if cosited { Siting::Cosited } else { Siting::Centre }
}

/// A frame to read. `None` where GStreamer's planes are smaller than its caps say.
pub fn view<'a>(
    frame: &'a gst_video::VideoFrameRef<&gst::BufferRef>,
    spec: &VideoSpec,
) -> Option<FrameView<'a>> {
    let planes =
        (0..frame.n_planes()).map(|i| frame.plane_data(i).ok()).collect::<Option<Vec<_>>>()?;
    FrameView::new(spec.format, spec.size, &planes, &strides(frame)?).ok()
}

/// Runs `fill` on a frame to write. `None` where GStreamer's planes are smaller than its caps say.
pub fn with_view_mut<T>(
    frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
    spec: &VideoSpec,
    fill: impl FnOnce(&mut FrameViewMut) -> T,
) -> Option<T> {
    let strides = strides(frame)?;
    let planes = frame.planes_data_mut();
    let planes = planes.into_iter().take(strides.len()).collect();
    let mut view = FrameViewMut::new(spec.format, spec.size, planes, &strides).ok()?;
    Some(fill(&mut view))
}

fn strides<F: VideoFrameExt>(frame: &F) -> Option<Vec<usize>> {
    let count = frame.n_planes() as usize;
    frame.plane_stride().iter().take(count).map(|&s| usize::try_from(s).ok()).collect()
}

/// Colorimetry for frames of `format` made from frames of `input`: the same where both are YUV or both RGB; else the same
/// transfer and primaries with the matrix and range that the new kind uses.
pub fn output_colorimetry(
    input: &gst_video::VideoInfo,
    format: gst_video::VideoFormatInfo,
) -> gst_video::VideoColorimetry {
    use gst_video::{VideoColorMatrix, VideoColorRange, VideoColorimetry};
    let from = input.colorimetry();
    let (range, matrix) = match (input.format_info().is_rgb(), format.is_rgb()) {
        (true, false) if format.is_gray() => (VideoColorRange::Range0_255, VideoColorMatrix::Bt709),
        (true, false) => (VideoColorRange::Range16_235, VideoColorMatrix::Bt709),
        (false, true) => (VideoColorRange::Range0_255, VideoColorMatrix::Rgb),
        _ => (from.range(), from.matrix()),
    };
    VideoColorimetry::new(range, matrix, from.transfer(), from.primaries())
}
