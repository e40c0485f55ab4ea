//! What memories, sizes and formats are possible.

use std::sync::LazyLock;

use gst_gl::prelude::*;
use gst_video::VideoFormat;

use crate::elements::video;

/// The largest side of a frame, in px.
const MAX_SIDE: i32 = 16384;

/// OpenGL memory.
static GL: LazyLock<gst::CapsFeatures> =
    LazyLock::new(|| gst::CapsFeatures::new([gst_gl::CAPS_FEATURE_MEMORY_GL_MEMORY]));

/// Plain memory.
static PLAIN: LazyLock<gst::CapsFeatures> =
    LazyLock::new(|| gst::CapsFeatures::new([gst::CAPS_FEATURE_MEMORY_SYSTEM_MEMORY]));

/// Formats of ours that OpenGL memory has plane by plane as we do, and that can be drawn into.
fn gl_formats() -> impl Iterator<Item = VideoFormat> {
    use VideoFormat::{
        Abgr, Argb, Bgra, Bgrx, Gray8, I420, Nv12, Nv21, P01010le, Rgba, Rgbx, Xbgr, Xrgb, Y42b,
        Y444, Yv12,
    };
    [
        I420, Yv12, Nv12, Nv21, Y42b, Y444, P01010le, Gray8, Rgba, Rgbx, Bgra, Bgrx, Argb, Xrgb,
        Abgr, Xbgr,
    ]
    .into_iter()
}

fn names(is_gl: bool) -> gst::List {
    match is_gl {
        true => gst::List::new(gl_formats().map(|f| f.to_str())),
        false => gst::List::new(video::formats().map(|f| f.to_str())),
    }
}

/// Whether caps are of OpenGL memory.
pub fn is_gl(caps: &gst::CapsRef) -> bool {
    caps.features(0).is_some_and(|features| features.is_equal(&GL))
}

/// Caps of both pads.
pub fn template() -> gst::Caps {
    let sides = || gst::IntRange::new(1, MAX_SIDE);
    let rate = gst::FractionRange::new(gst::Fraction::new(0, 1), gst::Fraction::new(i32::MAX, 1));
    let structure = |is_gl| {
        let video = gst::Structure::builder("video/x-raw")
            .field("format", names(is_gl))
            .field("width", sides())
            .field("height", sides())
            .field("framerate", rate);
        if is_gl { video.field("texture-target", "2D").build() } else { video.build() }
    };
    let mut caps = gst::Caps::new_empty();
    let all = caps.make_mut();
    all.append_structure(structure(false));
    all.append_structure_full(structure(true), Some(GL.clone()));
    caps
}

/// What the other pad can have when one pad has `caps`: either memory, any format, any size. `to_source` says that the other
/// pad is the source pad; what comes first there is what a neighbour without a preference gets.
pub fn transform(caps: &gst::Caps, to_source: bool, filter: Option<&gst::Caps>) -> gst::Caps {
    let mut other = gst::Caps::new_empty();
    {
        let other = other.make_mut();
        let memories = if to_source { [false, true] } else { [true, false] };
        for is_gl in memories {
            for (structure, features) in caps.iter_with_features() {
                if !features.is_equal(&GL) && !features.is_equal(&PLAIN) && !features.is_empty() {
                    continue;
                }
                let structure = transformed(structure, is_gl);
                if other
                    .iter_with_features()
                    .any(|(s, f)| f.is_equal(&GL) == is_gl && *s == structure)
                {
                    continue;
                }
                let features = if is_gl { GL.clone() } else { PLAIN.clone() };
                other.append_structure_full(structure, Some(features));
            }
        }
    }
    match filter {
        Some(filter) => filter.intersect_with_mode(&other, gst::CapsIntersectMode::First),
        None => other,
    }
}

fn transformed(structure: &gst::StructureRef, is_gl: bool) -> gst::Structure {
    let mut structure = structure.to_owned();
    structure.set("format", names(is_gl));
    structure.set("width", gst::IntRange::new(1, MAX_SIDE));
    structure.set("height", gst::IntRange::new(1, MAX_SIDE));
    if structure.has_field("pixel-aspect-ratio") {
        let any = gst::FractionRange::new(
            gst::Fraction::new(1, i32::MAX),
            gst::Fraction::new(i32::MAX, 1),
        );
        structure.set("pixel-aspect-ratio", any);
    }
    structure.remove_fields(["colorimetry", "chroma-site", "texture-target"]);
    if is_gl {
        structure.set("texture-target", "2D");
    }
    structure
}

/// The same caps with OpenGL memory first, or plain memory first.
pub fn preferring(caps: &gst::Caps, gl_first: bool) -> gst::Caps {
    let mut sorted = gst::Caps::new_empty();
    let all = sorted.make_mut();
    for is_gl in [gl_first, !gl_first] {
        for (structure, features) in caps.iter_with_features() {
            if features.is_equal(&GL) == is_gl {
                all.append_structure_full(structure.to_owned(), Some(features.to_owned()));
            }
        }
    }
    sorted
}

/// Whether whoever is behind `pad` has an OpenGL display: then OpenGL memory is worth while.
pub fn has_display_behind(pad: &gst::Pad) -> bool {
    let mut query = gst::query::Context::new(gst_gl::GL_DISPLAY_CONTEXT_TYPE);
    pad.peer_query(&mut query)
}
