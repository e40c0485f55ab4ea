//! Which of the possible output caps are taken.

use gst::prelude::*;
use gst_video::{VideoFormat, VideoFormatInfo, VideoInfo};

use super::video;

/// Chooses the output: `factor` times the input's size if any structure of `possible` allows it, else what is nearest;
/// pixel aspect ratio so that the picture keeps its shape; the format that loses least.
pub fn fixate(input: &VideoInfo, factor: f64, possible: gst::Caps) -> gst::Caps {
    let wanted =
        |px: u32| (f64::from(px) * factor).round().max(1.0).min(f64::from(i32::MAX)) as i32;
    let (width, height) = (wanted(input.width()), wanted(input.height()));
    let allows = |s: &gst::StructureRef| can_be(s, "width", width) && can_be(s, "height", height);
    let first = possible.iter_with_features().next();
    let Some((structure, features)) =
        possible.iter_with_features().find(|(s, _)| allows(s)).or(first)
    else {
        return possible;
    };
    let (mut structure, features) = (structure.to_owned(), features.to_owned());
    // The memory is chosen with the size.
    let mut alike = possible.copy();
    alike.make_mut().filter_map_in_place(|f, _| match f.is_equal(&features) {
        true => gst::CapsFilterMapAction::Keep,
        false => gst::CapsFilterMapAction::Remove,
    });
    fixate_size(input, width, height, &mut structure);
    fixate_format(input, &alike, &mut structure);
    structure.fixate();
    let mut caps = gst::Caps::new_empty();
    caps.make_mut().append_structure_full(structure, Some(features));
    caps
}

/// Whether a field can have a value; a field that is not there can.
fn can_be<T: ToValue>(structure: &gst::StructureRef, field: &str, value: T) -> bool {
    structure.value(field).map_or(true, |v| meets(v, &value.to_value()))
}

/// Whether two values, ranges or lists have something in common. (`can_intersect` says yes to any two of one type.)
fn meets(a: &gst::glib::Value, b: &gst::glib::Value) -> bool {
    a.intersect(b).is_some()
}

/// Width, height and pixel aspect ratio.
fn fixate_size(input: &VideoInfo, width: i32, height: i32, structure: &mut gst::Structure) {
    let par = input.par();
    let fixed_par = structure.get::<gst::Fraction>("pixel-aspect-ratio").ok().unwrap_or(par);
    // Display width over height, as a number: shape of the picture as shown.
    let shape = f64::from(input.width()) * f64::from(par.numer())
        / (f64::from(input.height()) * f64::from(par.denom()));
    let ratio = |f: gst::Fraction| f64::from(f.numer()) / f64::from(f.denom());
    let width_for = |h: i32| (f64::from(h) * shape / ratio(fixed_par)).round() as i32;
    let height_for = |w: i32| (f64::from(w) * ratio(fixed_par) / shape).round() as i32;
    let fixed = |s: &gst::Structure, field: &str| s.get::<i32>(field).ok();
    let nearest = |s: &gst::Structure, field: &str, px: i32| {
        let mut s = s.to_owned();
        s.fixate_field_nearest_int(field, px);
        fixed(&s, field).unwrap_or(px)
    };
    let as_wanted = fixed_par == par && can_be(structure, "width", width);
    let (w, h) = match (fixed(structure, "width"), fixed(structure, "height")) {
        (None, Some(h)) if !(as_wanted && h == height) => (width_for(h), h),
        (Some(w), None) if !(as_wanted && can_be(structure, "height", height)) => {
            (w, height_for(w))
        }
        _ if as_wanted && can_be(structure, "height", height) => (width, height),
        _ => {
            // The wanted height, or the width where that does not fit: the shape is kept where either can be had.
            let by_height = nearest(structure, "height", height);
            let by_width = nearest(structure, "width", width);
            if !can_be(structure, "width", width_for(by_height))
                && can_be(structure, "height", height_for(by_width))
            {
                (by_width, height_for(by_width))
            } else {
                (width_for(by_height), by_height)
            }
        }
    };
    structure.fixate_field_nearest_int("width", w);
    structure.fixate_field_nearest_int("height", h);
    let (Some(w), Some(h)) = (fixed(structure, "width"), fixed(structure, "height")) else {
        return;
    };
    // par * (in_w / in_h) / (out_w / out_h)
    let kept = gst::Fraction::approximate_f64(shape * f64::from(h) / f64::from(w)).unwrap_or(par);
    // That the wanted size was rounded to pixels is no change of shape.
    let is_exact =
        i64::from(w) * i64::from(input.height()) == i64::from(h) * i64::from(input.width());
    let kept = if is_exact || (w, h) == (width, height) { par } else { kept };
    if structure.has_field("pixel-aspect-ratio") {
        structure.fixate_field_nearest_fraction("pixel-aspect-ratio", kept);
    } else if kept != gst::Fraction::new(1, 1) {
        structure.set("pixel-aspect-ratio", kept);
    }
}

/// The format that loses least of the input, out of every structure that allows the chosen size; then its colorimetry.
fn fixate_format(input: &VideoInfo, possible: &gst::Caps, structure: &mut gst::Structure) {
    // What is chosen already must be possible together with the format.
    let fits = |s: &&gst::StructureRef| {
        ["width", "height", "pixel-aspect-ratio"].into_iter().all(|field| {
            structure.value(field).map_or(true, |v| s.value(field).map_or(true, |o| meets(o, v)))
        })
    };
    let best = possible
        .iter()
        .filter(fits)
        .flat_map(|s| offered(s).into_iter().map(move |f| (s, f)))
        .min_by_key(|(_, f)| loss(input.format_info(), VideoFormatInfo::from_format(*f)));
    let Some((source, format)) = best else { return };
    let info = VideoFormatInfo::from_format(format);
    let subsampled = |f: VideoFormatInfo| f.is_yuv() && f.w_sub()[1] > 0;
    let sited =
        subsampled(info) && subsampled(input.format_info()) && !input.chroma_site().is_empty();
    let colorimetry = video::output_colorimetry(input, info).to_string();
    let fields = [
        ("colorimetry", Some(colorimetry)),
        ("chroma-site", sited.then(|| input.chroma_site().to_string())),
    ];
    for (field, wanted) in fields {
        match (source.value(field), wanted) {
            (Ok(value), Some(wanted)) if meets(value, &wanted.to_value()) => {
                structure.set(field, wanted);
            }
            (Ok(value), _) => structure.set_value(field, value.clone()),
            (Err(_), Some(wanted)) => structure.set(field, wanted),
            (Err(_), None) => structure.remove_field(field),
        }
    }
    structure.set("format", format.to_str());
}

/// Formats of ours that a structure offers, in its order.
fn offered(structure: &gst::StructureRef) -> Vec<VideoFormat> {
    let ours = |name: &str| video::formats().find(|f| f.to_str() == name);
    if let Ok(name) = structure.get::<&str>("format") {
        return ours(name).into_iter().collect();
    }
    match structure.get::<gst::List>("format") {
        Ok(list) => list.iter().filter_map(|v| v.get::<&str>().ok()).filter_map(ours).collect(),
        Err(_) => video::formats().collect(),
    }
}

/// What a change of format costs; compared from left to right: identity, alpha, colour, depth, chroma, kind, waste.
fn loss(from: VideoFormatInfo, to: VideoFormatInfo) -> [u32; 7] {
    let depth = |f: VideoFormatInfo| f.depth().first().copied().unwrap_or(8);
    let chroma = |f: VideoFormatInfo| if f.is_yuv() { f.w_sub()[1] + f.h_sub()[1] } else { 0 };
    let change = |yes: bool| u32::from(yes);
    [
        change(from.format() != to.format()),
        change(from.has_alpha() && !to.has_alpha()),
        change(!from.is_gray() && to.is_gray()),
        depth(from).saturating_sub(depth(to)),
        if from.is_gray() { 0 } else { chroma(to).saturating_sub(chroma(from)) },
        change(from.is_rgb() != to.is_rgb()),
        chroma(from).saturating_sub(chroma(to))
            + depth(to).saturating_sub(depth(from))
            + change(!from.has_alpha() && to.has_alpha()),
    ]
}
