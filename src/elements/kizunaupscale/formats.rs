//! What children offer each other: fine samples between the stages, and sizes that need no second scaling.

use std::sync::Arc;

use gst::prelude::*;
use parking_lot::Mutex;

use super::parts::Parts;
use crate::elements::video;
use crate::upscale::PixelFormat;

/// What is wanted between the stages and behind them, as the video that comes in has it.
#[derive(Debug, Default)]
pub struct Wanted(Mutex<Option<Formats>>);

#[derive(Debug, Clone)]
struct Formats {
    /// Between the stages nothing is rounded to 8 bits: smoothed banding would come back.
    fine: gst::Caps,
    /// What comes in goes out, where downstream takes it.
    own: gst::Caps,
}

impl Wanted {
    /// Takes over the caps of the video that comes in.
    pub fn follow(&self, caps: &gst::Caps) {
        let name = caps.structure(0).and_then(|s| s.get::<String>("format").ok());
        *self.0.lock() = name.and_then(|name| {
            let format = PixelFormat::from_name(&name)?;
            let fine = gst::Caps::builder("video/x-raw").field("format", format.finest().name());
            let own = gst::Caps::builder("video/x-raw").any_features().field("format", name);
            Some(Formats { fine: fine.build(), own: own.build() })
        });
    }

    fn get(&self) -> Option<Formats> {
        self.0.lock().clone()
    }
}

/// Sees to it that the children before, in and after the network agree on what suits them.
pub fn arrange(parts: &Parts, exit: &gst::Pad, wanted: &Arc<Wanted>) {
    let formats = wanted.clone();
    restrict(parts.ai.static_pad("sink"), move |_| Some(formats.get()?.fine));
    let (formats, end) = (wanted.clone(), parts.after.downgrade());
    restrict(parts.after.static_pad("sink"), move |possible| {
        let fine = possible.intersect(&formats.get()?.fine);
        // The network makes the size that is wanted behind `after`, which scales nothing.
        let behind = end.upgrade()?.static_pad("src")?.peer_query_caps(None);
        Some(fine.intersect(&sizes(&behind)))
    });
    let formats = wanted.clone();
    restrict(Some(exit.clone()), move |_| Some(formats.get()?.own));
}

/// Makes `pad` say that it takes only what `allowed` makes of what it takes, as long as that leaves anything.
fn restrict(
    pad: Option<gst::Pad>,
    allowed: impl Fn(&gst::Caps) -> Option<gst::Caps> + Send + Sync + 'static,
) {
    let Some(pad) = pad else { return };
    // A probe on queries sees them twice; this is the second time, with the answer.
    let mask = gst::PadProbeType::QUERY_DOWNSTREAM | gst::PadProbeType::PULL;
    pad.add_probe(mask, move |_, info| {
        if let Some(query) = info.query_mut()
            && let gst::QueryViewMut::Caps(caps) = query.view_mut()
            && let Some(answer) = caps.result_owned()
            && let Some(allowed) = allowed(&answer)
        {
            let restricted = answer.intersect_with_mode(&allowed, gst::CapsIntersectMode::First);
            if !restricted.is_empty() {
                caps.set_result(&restricted);
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// The sizes and pixel shapes in `caps`, in plain memory.
fn sizes(caps: &gst::Caps) -> gst::Caps {
    let mut sizes = gst::Caps::new_empty();
    {
        let sizes = sizes.make_mut();
        for structure in caps.iter() {
            let mut size = gst::Structure::new_empty("video/x-raw");
            for field in ["width", "height", "pixel-aspect-ratio"] {
                if let Ok(value) = structure.value(field) {
                    size.set_value(field, value.clone());
                }
            }
            sizes.append_structure(size);
        }
    }
    if sizes.is_empty() { gst::Caps::new_any() } else { sizes }
}

/// Whether `caps` are of video in plain memory.
pub fn is_plain(caps: &gst::CapsRef) -> bool {
    caps.features(0).is_none_or(|f| f.is_equal(gst::CAPS_FEATURES_MEMORY_SYSTEM_MEMORY.as_ref()))
        && video::info(&caps.to_owned()).is_some()
}
