//! The one translator between `gst_video` and the pure layers.

use gst_video::prelude::*;

use crate::session::Frames;
use crate::upscale::color::{ChromaSite, ColorSpec, Range, Siting};
use crate::upscale::format::PixelFormat;
use crate::upscale::{FrameError, FrameView, FrameViewMut, Matrix, Size, VideoSpec};

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

/// Why interlaced video is refused.
pub const INTERLACED: &str =
    "interlaced video cannot be upscaled; put 'deinterlace' before this element";

/// Whether every frame of the caps is two fields; where frames are mixed, each says so itself.
pub fn is_interlaced(info: &gst_video::VideoInfo) -> bool {
    info.is_interlaced() && info.interlace_mode() != gst_video::VideoInterlaceMode::Mixed
}

/// Whether this frame is two fields.
pub fn is_interlaced_frame(buffer: &gst::BufferRef) -> bool {
    buffer.video_flags().contains(gst_video::VideoBufferFlags::INTERLACED)
}

/// Whether `element` is part of a pipeline: only there a clock runs that waits for nobody.
pub fn is_in_pipeline(element: &impl IsA<gst::Object>) -> bool {
    let mut object = element.clone().upcast::<gst::Object>();
    while let Some(parent) = object.parent() {
        object = parent;
    }
    object.is::<gst::Pipeline>()
}

/// Whether what comes to `pad` comes from a live source of the pipeline.
pub fn is_live(pad: &gst::Pad) -> bool {
    let mut query = gst::query::Latency::new();
    is_in_pipeline(pad) && pad.peer_query(&mut query) && query.result().0
}

/// Pads that take and give `caps`.
pub fn pad_templates(caps: &gst::Caps) -> Vec<gst::PadTemplate> {
    let pad = |(name, direction)| {
        gst::PadTemplate::new(name, direction, gst::PadPresence::Always, caps).ok()
    };
    let pads = [("sink", gst::PadDirection::Sink), ("src", gst::PadDirection::Src)];
    pads.into_iter().filter_map(pad).collect()
}

/// Whether codes mean light by PQ or HLG.
pub fn is_hdr(info: &gst_video::VideoInfo) -> bool {
    use gst_video::VideoTransferFunction::{AribStdB67, Smpte2084};
    matches!(info.colorimetry().transfer(), AribStdB67 | Smpte2084)
}

const fn siting(cosited: bool) -> Siting {
    if cosited { Siting::Cosited } else { Siting::Centre }
}

/// A buffer to read and the buffer that it becomes, both mapped.
pub struct VideoPair {
    src: gst_video::VideoFrame<gst_video::video_frame::Readable>,
    dst: gst_video::VideoFrame<gst_video::video_frame::Writable>,
    from: VideoSpec,
    to: VideoSpec,
}

impl VideoPair {
    /// Maps `src`, which `infos` describe, and `dst`. `None` where they are smaller than that, or cannot be mapped.
    pub fn map(
        src: gst::Buffer,
        dst: gst::Buffer,
        (from, to): (&gst_video::VideoInfo, &gst_video::VideoInfo),
    ) -> Option<Self> {
        Some(Self {
            src: gst_video::VideoFrame::from_buffer_readable(src, from).ok()?,
            dst: gst_video::VideoFrame::from_buffer_writable(dst, to).ok()?,
            from: spec(from)?,
            to: spec(to)?,
        })
    }

    /// Unmaps both; the one that was written.
    pub fn into_written(self) -> gst::Buffer {
        self.dst.into_buffer()
    }
}

impl Frames for VideoPair {
    fn with(
        &mut self,
        work: &mut dyn FnMut(&FrameView, &mut FrameViewMut) -> Result<(), FrameError>,
    ) -> Result<(), FrameError> {
        let (from, to) = (&self.from, &self.to);
        let strides_in = strides(&self.src);
        let planes = self.src.planes_data();
        let src = FrameView::new(from.format, from.size, &planes[..strides_in.len()], &strides_in)?;
        let strides_out = strides(&self.dst);
        let planes = self.dst.planes_data_mut().into_iter().take(strides_out.len()).collect();
        let mut dst = FrameViewMut::new(to.format, to.size, planes, &strides_out)?;
        work(&src, &mut dst)
    }
}

/// Bytes from row to row, by plane. A negative one, which no buffer of ours has, becomes 0 and is refused.
pub fn strides<F: VideoFrameExt>(frame: &F) -> Vec<usize> {
    let count = frame.n_planes() as usize;
    frame.plane_stride().iter().take(count).map(|&s| usize::try_from(s).unwrap_or(0)).collect()
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
