//! The children, and the ways that frames can take through them.

use std::thread::JoinHandle;
use std::time::Duration;

use gst::glib;
use gst::prelude::*;
use gst::subclass::prelude::*;

use super::settings::Profile;
use crate::elements::{KizunaShader, KizunaSr};

/// How often it is looked whether a thread has ended.
const LOOK: Duration = Duration::from_millis(2);

/// Frames on their way through the network in `profile=batch`.
const BATCH_DEPTH: u32 = 6;

/// The way that frames take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Route {
    /// `shader`.
    #[default]
    Shader,
    /// `before ! ai ! after`.
    Network,
    /// `queue ! before ! ai ! after ! queue`.
    Queued,
}

impl Route {
    /// The way for a profile.
    pub fn of(profile: Profile) -> Self {
        match profile {
            Profile::Realtime | Profile::Hybrid => Self::Shader,
            Profile::Export => Self::Network,
            Profile::Batch => Self::Queued,
        }
    }
}

/// The children. Only those that frames go through are in the bin: a bin with pads that lead nowhere is completed by whoever
/// makes filters of text.
#[derive(Debug)]
pub struct Parts {
    bin: glib::WeakRef<gst::Bin>,
    /// All five stages.
    pub shader: gst::Element,
    /// Normalize and Structural Reconstruction.
    pub before: gst::Element,
    /// The network.
    pub ai: gst::Element,
    /// Perceptual Enhancement and Temporal Stabilization.
    pub after: gst::Element,
    entrance: gst::Element,
    exit: gst::Element,
}

impl Parts {
    /// # Errors
    /// Where GStreamer has no `queue`.
    pub fn new(bin: &gst::Bin) -> Result<Self, glib::BoolError> {
        let shader = |name: &str| glib::Object::builder::<KizunaShader>().property("name", name);
        let part = |name, stages| {
            // A film that is exported loses no frame, however late it is.
            let part = shader(name).property("scale", 1.0).property("qos", false).build();
            part.set_property_from_str("stages", stages);
            part.upcast()
        };
        let queue = |name| gst::ElementFactory::make("queue").name(name).build();
        Ok(Self {
            bin: bin.downgrade(),
            shader: shader("shader").build().upcast(),
            before: part("before", "normalize+structure"),
            ai: glib::Object::builder::<KizunaSr>().property("name", "ai").build().upcast(),
            after: part("after", "enhance+stabilize"),
            entrance: queue("entrance")?,
            exit: queue("exit")?,
        })
    }

    /// All children.
    pub fn all(&self) -> [&gst::Element; 6] {
        [&self.shader, &self.entrance, &self.before, &self.ai, &self.after, &self.exit]
    }

    /// The children on a route, in the order of frames.
    pub fn on(&self, route: Route) -> Vec<&gst::Element> {
        let Self { shader, before, ai, after, entrance, exit, .. } = self;
        match route {
            Route::Shader => vec![shader],
            Route::Network => vec![before, ai, after],
            Route::Queued => vec![entrance, before, ai, after, exit],
        }
    }

    /// Links the children on `route`; where frames go in and come out.
    ///
    /// # Errors
    /// Where they do not go together.
    pub fn link(&self, route: Route) -> Result<(gst::Pad, gst::Pad), glib::BoolError> {
        let on = self.on(route);
        if route == Route::Queued && self.ai.property::<u32>("queue-depth") == 0 {
            self.ai.set_property("queue-depth", BATCH_DEPTH);
        }
        gst::Element::link_many(on.iter().copied())?;
        let pad = |element: Option<&&gst::Element>, name| element.and_then(|e| e.static_pad(name));
        pad(on.first(), "sink")
            .zip(pad(on.last(), "src"))
            .ok_or_else(|| glib::bool_error!("a child has no pads"))
    }

    /// Takes the children on `route` apart.
    pub fn unlink(&self, route: Route) {
        gst::Element::unlink_many(self.on(route));
    }

    /// Waits for a thread that may be loading the network, which is given up.
    pub fn join(&self, thread: JoinHandle<()>) {
        while !thread.is_finished() {
            if let Some(ai) = self.ai.downcast_ref::<KizunaSr>() {
                // Again and again, as it lowers its flag when it starts.
                ai.imp().cancel.raise();
            }
            std::thread::sleep(LOOK);
        }
        let _ = thread.join();
    }

    /// Puts `children` into the bin, whose state they do not follow yet.
    ///
    /// # Errors
    /// Where the bin is gone, or has others of their names.
    pub fn enter(&self, children: &[&gst::Element]) -> Result<(), glib::BoolError> {
        let bin = self.bin.upgrade().ok_or_else(|| glib::bool_error!("the bin is gone"))?;
        for child in children.iter().filter(|child| child.parent().is_none()) {
            child.set_locked_state(true);
            bin.add(*child)?;
        }
        Ok(())
    }

    /// Takes `children` out of the bin, in NULL: their memory is given back.
    pub fn shut(&self, children: &[&gst::Element]) {
        for child in children {
            child.set_locked_state(true);
            // It goes down from any state.
            let _ = child.set_state(gst::State::Null);
            if let (Some(bin), Some(_)) = (self.bin.upgrade(), child.parent()) {
                // It is in this bin, if in any.
                let _ = bin.remove(*child);
            }
        }
    }
}
