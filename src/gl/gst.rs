//! From GStreamer's context to ours.

use gst_gl::prelude::*;

use super::context::Gl;

/// OpenGL's functions in `context`; `None` unless that is current on this thread, as it is inside its `thread_add`.
///
/// What is returned is used on this context's thread alone.
pub fn open(context: &gst_gl::GLContext) -> Option<Gl> {
    if gst_gl::GLContext::current().as_ref() != Some(context) {
        return None;
    }
    // SAFETY: GStreamer gives addresses of OpenGL's functions, and the context is current here; whoever has a `Gl` uses it inside
    // `thread_add` of the same context.
    Some(unsafe { Gl::new(|name| context.proc_address(name) as *const _) })
}
