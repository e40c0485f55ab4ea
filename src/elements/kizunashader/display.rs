//! Displays and contexts, shared with the neighbours as GStreamer's own OpenGL elements share them.
//!
//! GStreamer's helper for this wants the address of a variable that `set_context` writes to, which a lock does not have; so its
//! steps are taken here one by one: ask the neighbours, then the application, then make a display. No lock is held meanwhile:
//! all of these call the element's `set_context`.

use std::sync::LazyLock;

use gst::glib;
use gst::prelude::*;
use gst_gl::prelude::*;
use parking_lot::Mutex;

/// What is known of displays and contexts.
#[derive(Debug, Default)]
pub struct Sharing(Mutex<Shared>);

/// A display, and contexts on it.
#[derive(Debug, Default, Clone)]
pub struct Shared {
    /// Everybody's.
    pub display: Option<gst_gl::GLDisplay>,
    /// The application's, to share objects with.
    pub application: Option<gst_gl::GLContext>,
    /// The one that we run in.
    pub context: Option<gst_gl::GLContext>,
}

/// Kinds of context by which a display can come.
const DISPLAYS: [&str; 3] =
    ["gst.gl.GLDisplay", "gst.x11.display.handle", "GstWaylandDisplayHandleContextType"];
const APPLICATION: &str = "gst.gl.app_context";
const LOCAL: &str = "gst.gl.local_context";

impl Sharing {
    /// What is known now.
    pub fn shared(&self) -> Shared {
        self.0.lock().clone()
    }

    /// Takes over what an application or a neighbour says; returns whether our own context is of another display now.
    pub fn set(&self, element: &gst::Element, context: &gst::Context) -> bool {
        let (display, application) = gst_gl::functions::gl_handle_set_context(element, context);
        let mut shared = self.0.lock();
        shared.display = display.or(shared.display.take());
        shared.application = application.or(shared.application.take());
        let is_foreign =
            shared.context.as_ref().is_some_and(|c| shared.display.as_ref() != Some(&c.display()));
        // Dropped outside the lock.
        let old = if is_foreign { shared.context.take() } else { None };
        drop(shared);
        old.is_some()
    }

    /// Forgets our context; the display stays.
    pub fn forget_context(&self) {
        let old = self.0.lock().context.take();
        drop(old);
    }

    /// Forgets everything.
    pub fn forget(&self) {
        let old = std::mem::take(&mut *self.0.lock());
        drop(old);
    }

    /// Finds a display, or makes one; without a screen, one that needs none.
    pub fn find_display(&self, element: &gst::Element) {
        for kind in DISPLAYS {
            if self.0.lock().display.is_none() {
                ask(element, kind);
            }
        }
        if self.0.lock().display.is_none() {
            let display = usable_display();
            gst_gl::functions::gl_element_propagate_display_context(element, &display);
        }
        if self.0.lock().application.is_none() {
            ask(element, APPLICATION);
        }
    }

    /// The context to run in: ours, a neighbour's, another one of the display, or a new one.
    ///
    /// # Errors
    /// What GStreamer says of a new one.
    pub fn find_context(&self, element: &gst::Element) -> Result<gst_gl::GLContext, String> {
        if self.0.lock().display.is_none() {
            self.find_display(element);
        }
        let Shared { display, application, context } = self.shared();
        let display = display.ok_or("there is no OpenGL display")?;
        if let Some(context) = context {
            return Ok(context);
        }
        let context = match neighbours_context(element, &display) {
            Some(context) => context,
            None => context_of(&display, application.as_ref())?,
        };
        self.0.lock().context = Some(context.clone());
        Ok(context)
    }
}

/// Asks the neighbours for a context, then the application.
fn ask(element: &gst::Element, kind: &str) {
    let mut query = gst::query::Context::new(kind);
    for pad in element.src_pads().into_iter().chain(element.sink_pads()) {
        if pad.peer_query(&mut query) {
            if let Some(context) = query.context_owned() {
                element.set_context(&context);
            }
            return;
        }
    }
    let message = gst::message::NeedContext::builder(kind).src(element).build();
    let _ = element.post_message(message);
}

/// The context that a neighbour on `display` runs in.
fn neighbours_context(
    element: &gst::Element,
    display: &gst_gl::GLDisplay,
) -> Option<gst_gl::GLContext> {
    element.src_pads().into_iter().chain(element.sink_pads()).find_map(|pad| {
        let mut query = gst::query::Context::new(LOCAL);
        if !pad.peer_query(&mut query) {
            return None;
        }
        let context: gst_gl::GLContext = query.context()?.structure().get("context").ok()?;
        (context.display() == *display).then_some(context)
    })
}

/// A context that `display` has, or a new one.
fn context_of(
    display: &gst_gl::GLDisplay,
    application: Option<&gst_gl::GLContext>,
) -> Result<gst_gl::GLContext, String> {
    loop {
        let lock = display.object_lock();
        if let Some(context) = gst_gl::GLDisplay::get_gl_context_for_current_thread(&lock) {
            return Ok(context);
        }
        let context = gst_gl::GLDisplay::create_context(&lock, application)
            .map_err(|e| e.message().to_owned())?;
        // Somebody may have been faster.
        if gst_gl::GLDisplay::add_context(&lock, &context).is_ok() {
            return Ok(context);
        }
    }
}

/// The display of a graphics device without a screen that this process has. EGL knows but one of each device, and ends it for
/// all when the first of its users goes: so all of ours share it.
static DEVICE: LazyLock<glib::WeakRef<gst_gl::GLDisplay>> = LazyLock::new(glib::WeakRef::new);

/// The system's display; where that has no OpenGL, as on a machine without a screen, one of the graphics device alone.
fn usable_display() -> gst_gl::GLDisplay {
    use gst_gl::GLDisplayType;
    if let Some(device) = DEVICE.upgrade() {
        return device;
    }
    let mut display = gst_gl::GLDisplay::new();
    // X11, Wayland and others say so; what is left may have no screen.
    if display.handle_type() == GLDisplayType::EGL && context_of(&display, None).is_err() {
        match gst_gl::GLDisplay::with_type(GLDisplayType::EGL_DEVICE) {
            Some(device) if context_of(&device, None).is_ok() => display = device,
            _ => {}
        }
    }
    if display.handle_type() == GLDisplayType::EGL_DEVICE {
        DEVICE.set(Some(&display));
    }
    display
}
