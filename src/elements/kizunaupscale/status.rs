//! The read-only properties.

use gst::glib;
use gst::prelude::*;

use super::parts::{Parts, Route};
use super::settings::Profile;

/// What the bin itself knows.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// Why shaders run alone although the profile has a network.
    pub without_network: Option<String>,
    /// Paused frames that the network upscaled.
    pub paused_frames: u64,
    /// Changes from one way through the children to another.
    pub switches: u64,
}

/// The read-only properties.
pub fn properties() -> [glib::ParamSpec; 3] {
    let structure = |name, nick, blurb| {
        glib::ParamSpecBoxed::builder::<gst::Structure>(name)
            .nick(nick)
            .blurb(blurb)
            .read_only()
            .build()
    };
    [
        structure(
            "stats",
            "statistics",
            "Figures so far: profile, children (those that frames go through), without-network (why shaders run alone although the profile has a network), paused-frames (upscaled by the network while paused), switches (of profile while playing), and the stats of each child by its name: shader, before, ai, after. May be read at any time.",
        ),
        structure(
            "model-info",
            "model information",
            "The network's model-info, as ai::model-info. May be read at any time.",
        ),
        glib::ParamSpecString::builder("active-provider")
            .nick("active provider")
            .blurb(
                "The network's active-provider, as ai::active-provider. May be read at any time.",
            )
            .read_only()
            .build(),
    ]
}

impl Status {
    /// The value of `stats`.
    pub fn stats(&self, profile: Profile, route: Route, parts: &Parts) -> gst::Structure {
        let (_, profile) = glib::EnumValue::from_value(&profile.to_value())
            .map_or_else(|| (0, ""), |(_, value)| (0, value.nick()));
        let names = parts.on(route).into_iter().map(|child| child.name().to_send_value());
        let mut stats = gst::Structure::builder("kizunaupscale-stats")
            .field("profile", profile)
            .field("children", gst::Array::from_values(names))
            .field_if_some("without-network", self.without_network.as_deref())
            .field("paused-frames", self.paused_frames)
            .field("switches", self.switches)
            .build();
        for child in [&parts.shader, &parts.before, &parts.ai, &parts.after] {
            stats.set(child.name().as_str(), child.property::<gst::Structure>("stats"));
        }
        stats
    }
}
