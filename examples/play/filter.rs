//! What playbin gets as `video-filter`: `kizunaupscale ! textoverlay`, in a bin.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;

use anyhow::{Context, Result};
use gst::prelude::*;
use gst_video::NavigationEvent;

use crate::options::Options;
use crate::split::Split;
use crate::state::{QUALITIES, State};

/// The bin, and what is in it.
pub struct Filter {
    pub bin: gst::Bin,
    upscale: gst::Element,
    /// The child of `upscale` that works while the film plays.
    pub shader: gst::Element,
    /// Draws figures; none where it is not installed.
    text: Option<gst::Element>,
    /// Frames that came in, and that went out.
    pub counts: Arc<[AtomicU64; 2]>,
    /// Kept for as long as the element may read it.
    _split: Split,
}

impl Filter {
    /// Makes it. Keys that are typed in the window go to `keys`.
    ///
    /// # Errors
    /// What cannot be made.
    pub fn new(options: &Options, keys: Sender<String>) -> Result<Self> {
        let upscale = make("kizunaupscale")?;
        let children = upscale.dynamic_cast_ref::<gst::ChildProxy>();
        let shader = children.and_then(|children| children.child_by_name("shader"));
        let shader = shader.and_then(|shader| shader.downcast().ok());
        let shader: gst::Element = shader.context("kizunaupscale has no shader")?;
        let split = Split::create()?;
        // Before the others, to see the source as it is.
        let files: Vec<PathBuf> =
            std::iter::once(split.path()).chain(options.shaders.iter().cloned()).collect();
        let list = std::env::join_paths(files).context("shaders")?;
        shader.set_property("shaders", list.to_str().context("a shader's name is not UTF-8")?);
        upscale.set_property("scale", options.scale);
        upscale.set_property("model", &options.model);

        let text = make("textoverlay").ok();
        if let Some(text) = &text {
            text.set_property("font-desc", "Monospace 8");
            for (name, value) in
                [("halignment", "left"), ("valignment", "top"), ("line-alignment", "left")]
            {
                text.set_property_from_str(name, value);
            }
        }
        let bin = bin(&upscale, text.as_ref())?;
        listen(&bin, keys)?;
        let counts = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        count(&shader, "sink", &counts, 0)?;
        count(&shader, "src", &counts, 1)?;
        Ok(Self { bin, upscale, shader, text, counts, _split: split })
    }

    /// Makes the element do what the viewer has chosen.
    pub fn follow(&self, state: &State) {
        let mut params = gst::Structure::new_empty("params");
        for (name, value) in state.params() {
            params.set(name, value);
        }
        self.shader.set_property_from_str("stages", &state.stages());
        self.upscale.set_property_from_str("profile", state.profile());
        self.upscale.set_property_from_str("quality", QUALITIES[state.quality]);
        self.shader.set_property("shader-params", params);
    }

    /// Whether figures can be drawn.
    pub fn can_draw(&self) -> bool {
        self.text.is_some()
    }

    /// Draws `text` on the picture.
    pub fn draw(&self, text: &str) {
        if let Some(element) = &self.text {
            element.set_property("text", text);
            element.set_property("silent", text.is_empty());
        }
    }

    /// Sizes in and out, once they are known.
    pub fn sizes(&self) -> Option<[(i32, i32); 2]> {
        let size = |name| {
            let caps = self.shader.static_pad(name)?.current_caps()?;
            let video = caps.structure(0)?;
            Some((video.get("width").ok()?, video.get("height").ok()?))
        };
        Some([size("sink")?, size("src")?])
    }
}

/// An element.
///
/// # Errors
/// It is not installed.
pub fn make(name: &str) -> Result<gst::Element> {
    gst::ElementFactory::make(name).build().with_context(|| {
        format!(
            "GStreamer has no element {name}; Debian's packages gstreamer1.0-plugins-base, -good, -bad, gstreamer1.0-gl and \
             gstreamer1.0-x have those that are mostly used"
        )
    })
}

fn bin(upscale: &gst::Element, text: Option<&gst::Element>) -> Result<gst::Bin> {
    let bin = gst::Bin::new();
    bin.add(upscale)?;
    if let Some(text) = text {
        bin.add(text)?;
        upscale.link_pads(Some("src"), text, Some("video_sink"))?;
    }
    for (element, name) in [(upscale, "sink"), (text.unwrap_or(upscale), "src")] {
        let pad = pad(element, name)?;
        bin.add_pad(&gst::GhostPad::builder_with_target(&pad)?.name(name).build())?;
    }
    Ok(bin)
}

fn pad(element: &impl IsA<gst::Element>, name: &str) -> Result<gst::Pad> {
    let pad = element.static_pad(name);
    pad.with_context(|| format!("{} has no pad {name}", element.as_ref().name()))
}

/// Windows send keys upstream.
fn listen(bin: &gst::Bin, keys: Sender<String>) -> Result<()> {
    pad(bin, "src")?.add_probe(gst::PadProbeType::EVENT_UPSTREAM, move |_, info| {
        if let Some(event) = info.event()
            && let Ok(NavigationEvent::KeyPress { key, .. }) = NavigationEvent::parse(event)
        {
            // It fails only when the player is gone.
            let _ = keys.send(key);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn count(
    element: &gst::Element,
    name: &str,
    counts: &Arc<[AtomicU64; 2]>,
    which: usize,
) -> Result<()> {
    let counts = counts.clone();
    pad(element, name)?.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counts[which].fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    Ok(())
}
