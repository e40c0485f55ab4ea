//! What sizes and formats are possible.

use crate::elements::video;

/// Caps of both pads.
pub fn template() -> gst::Caps {
    gst_video::VideoCapsBuilder::new().format_list(video::formats()).build()
}

/// What the other pad can have when one pad has `caps`: any of our formats at any size, as the adapter scales to it.
///
/// Frame rate, views and everything else stays; matrix and siting are free, because they are converted.
pub fn transform(caps: &gst::Caps, filter: Option<&gst::Caps>) -> gst::Caps {
    let mut other = gst::Caps::new_empty();
    {
        let other = other.make_mut();
        for (structure, features) in caps.iter_with_features() {
            let mut structure = structure.to_owned();
            structure.set("format", gst::List::new(video::formats().map(|f| f.to_str())));
            structure.set("width", gst::IntRange::new(1, i32::MAX));
            structure.set("height", gst::IntRange::new(1, i32::MAX));
            if structure.has_field("pixel-aspect-ratio") {
                let any = gst::FractionRange::new(
                    gst::Fraction::new(1, i32::MAX),
                    gst::Fraction::new(i32::MAX, 1),
                );
                structure.set("pixel-aspect-ratio", any);
            }
            structure.remove_fields(["colorimetry", "chroma-site"]);
            other.append_structure_full(structure, Some(features.to_owned()));
        }
    }
    match filter {
        Some(filter) => filter.intersect_with_mode(&other, gst::CapsIntersectMode::First),
        None => other,
    }
}
