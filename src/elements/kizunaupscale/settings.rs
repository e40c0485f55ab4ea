//! Properties: the profile, and those of the children that are the bin's own too.

use gst::glib;
use gst::prelude::*;

use super::parts::Parts;
use crate::elements::{kizunashader, kizunasr};

/// Who upscales, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstKizunaProfile")]
pub enum Profile {
    #[default]
    #[enum_value(name = "Shaders alone", nick = "realtime")]
    Realtime,
    #[enum_value(name = "Shaders, the network, shaders", nick = "export")]
    Export,
    #[enum_value(name = "As export, with more frames on their way", nick = "batch")]
    Batch,
    #[enum_value(
        name = "Shaders while playing, the network for the frame on pause",
        nick = "hybrid"
    )]
    Hybrid,
}

/// Which children a property goes to.
#[derive(Debug, Clone, Copy)]
enum To {
    Ai,
    Shaders,
    ShaderBefore,
    ShaderAfter,
    ShaderAlone,
    ShaderAi,
}

/// The children's properties that are the bin's own too.
const FORWARDED: [(&str, To); 18] = [
    ("model", To::Ai),
    ("model-dir", To::Ai),
    ("provider", To::Ai),
    ("device", To::Ai),
    ("provider-options", To::Ai),
    ("runtime-library", To::Ai),
    ("precision", To::Ai),
    ("tile-size", To::Ai),
    ("strength", To::Ai),
    ("memory-limit", To::Ai),
    ("scale", To::ShaderAi),
    ("quality", To::Shaders),
    ("shaders", To::ShaderAlone),
    ("shader-params", To::ShaderAlone),
    ("deband", To::ShaderBefore),
    ("line-strength", To::ShaderBefore),
    ("sharpness", To::ShaderAfter),
    ("stability", To::ShaderAfter),
];

/// The writable properties.
pub fn properties() -> Vec<glib::ParamSpec> {
    let profile = glib::ParamSpecEnum::builder_with_default("profile", Profile::default())
        .nick("profile")
        .blurb("Who upscales, and when. May change at any time: the new elements are made ready first, and no frame is lost.")
        .mutable_playing()
        .build();
    let (network, shaders) = (kizunasr::properties(), kizunashader::properties());
    let of_child = FORWARDED.iter().filter_map(|(name, to)| {
        let all = if matches!(to, To::Ai) { &network } else { &shaders };
        all.iter().find(|spec| spec.name() == *name).cloned()
    });
    std::iter::once(profile).chain(of_child).collect()
}

/// The children that a property of the bin goes to; the first one's value is the bin's.
pub fn children<'a>(parts: &'a Parts, name: &str) -> Vec<&'a gst::Element> {
    let Parts { shader, before, ai, after, .. } = parts;
    let Some((_, to)) = FORWARDED.iter().find(|(forwarded, _)| *forwarded == name) else {
        return Vec::new();
    };
    match to {
        To::Ai => vec![ai],
        To::Shaders => vec![shader, before, after],
        To::ShaderBefore => vec![shader, before],
        To::ShaderAfter => vec![shader, after],
        To::ShaderAlone => vec![shader],
        To::ShaderAi => vec![shader, ai],
    }
}
