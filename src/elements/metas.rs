//! What is measured in pixels beside a frame grows with it.

use gst::prelude::*;
use gst_video::{VideoAFDMeta, VideoBarMeta, VideoCropMeta, VideoInfo, video_meta::tags};

/// What becomes of a meta when its frame is scaled.
#[derive(Debug, PartialEq, Eq)]
pub enum Fate {
    /// It knows nothing of size: it is copied.
    Copied,
    /// It was scaled, or it described the old frame alone.
    Settled,
    /// The base class decides.
    Unknown,
}

/// Carries `meta` of a frame of `input` over to `outbuf`, a frame of `output`.
pub fn carry(
    meta: &gst::MetaRef<'_, gst::Meta>,
    outbuf: &mut gst::BufferRef,
    input: &VideoInfo,
    output: &VideoInfo,
) -> Fate {
    if meta.api() == gst_video::VideoMeta::meta_api() {
        return Fate::Settled;
    }
    if !meta.tags_contain_only(&["video", "orientation", "size"]) {
        return Fate::Unknown;
    }
    if !meta.has_tag::<tags::Size>() {
        return Fate::Copied;
    }
    let x = |px: u32| scaled(px, input.width(), output.width());
    let y = |px: u32| scaled(px, input.height(), output.height());
    // GStreamer itself scales regions of interest only.
    if let Some(crop) = meta.downcast_ref::<VideoCropMeta>() {
        let (left, top, width, height) = crop.rect();
        let (left, right) = (x(left), x(left.saturating_add(width)));
        let (top, bottom) = (y(top), y(top.saturating_add(height)));
        VideoCropMeta::add(outbuf, (left, top, right - left, bottom - top));
    } else if let Some(bar) = meta.downcast_ref::<VideoBarMeta>() {
        let (first, second) = (bar.bar_data1(), bar.bar_data2());
        let (first, second) =
            if bar.is_letterbox() { (y(first), y(second)) } else { (x(first), x(second)) };
        VideoBarMeta::add(outbuf, bar.field(), bar.is_letterbox(), first, second);
    } else if let Some(afd) = meta.downcast_ref::<VideoAFDMeta>() {
        VideoAFDMeta::add(outbuf, afd.field(), afd.spec(), afd.afd());
    } else {
        let _ = meta
            .transform(outbuf, &gst_video::video_meta::VideoMetaTransformScale::new(input, output));
    }
    Fate::Settled
}

/// A position of `px` in a length of `from`, in a length of `to`.
fn scaled(px: u32, from: u32, to: u32) -> u32 {
    let (px, from, to) = (u64::from(px), u64::from(from.max(1)), u64::from(to));
    u32::try_from((px * to + from / 2) / from).unwrap_or(u32::MAX)
}
