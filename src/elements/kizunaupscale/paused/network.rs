//! One frame through `before ! ai ! after`, beside the stream.

use std::sync::Arc;

use gst::prelude::*;
use parking_lot::Mutex;

use super::super::parts::{Parts, Route};
use super::journal::Frame;

/// The children that the stream does not take, between two pads of our own.
pub struct Network {
    parts: Arc<Parts>,
    /// What goes in.
    feed: gst::Pad,
    /// What comes out.
    collect: gst::Pad,
    shared: Arc<Shared>,
}

/// What the pads and the caller share.
#[derive(Default)]
struct Shared {
    result: Mutex<Option<gst::Buffer>>,
    /// What the result is to be: it takes a frame's place.
    wanted: Mutex<Option<gst::Caps>>,
}

impl Network {
    /// Links the children, and makes them ready: the model is loaded. `ends` are the bin's pads, whose neighbours know about
    /// displays.
    ///
    /// # Errors
    /// Where a child cannot start; it has said why on the bus.
    pub fn open(parts: Arc<Parts>, ends: (&gst::GhostPad, &gst::GhostPad)) -> Option<Self> {
        parts.enter(&parts.on(Route::Network)).ok()?;
        let (first, last) = parts.link(Route::Network).ok()?;
        let shared = Arc::new(Shared::default());
        let (feed, collect) = (feed(ends.0), collect(ends.1, &shared));
        let network = Self { parts, feed, collect, shared };
        network.feed.link(&first).ok()?;
        last.link(&network.collect).ok()?;
        network.feed.set_active(true).ok()?;
        network.collect.set_active(true).ok()?;
        let children = network.parts.on(Route::Network);
        // They follow nobody's state: the stream does not go through them.
        let ready = |child: &&gst::Element| child.set_state(gst::State::Paused).is_ok();
        children.iter().rev().all(ready).then_some(network)
    }

    /// Upscales a frame; `None` where it failed, or was cancelled: what `is_wanted` says then comes before [`Self::cancel`].
    pub fn upscale(&self, frame: &Frame, is_wanted: impl FnOnce() -> bool) -> Option<gst::Buffer> {
        *self.shared.result.lock() = None;
        let before = self.shared.wanted.lock().replace(frame.output_caps.clone());
        if before.is_some_and(|before| before != frame.output_caps) {
            self.collect.push_event(gst::event::Reconfigure::new());
        }
        // Lets go of what was cancelled, and of the history of other frames.
        self.feed.push_event(gst::event::FlushStart::new());
        self.feed.push_event(gst::event::FlushStop::new(true));
        // Whoever cancelled just before that was not heard.
        if !is_wanted() {
            return None;
        }
        let segment = gst::FormattedSegment::<gst::ClockTime>::new();
        self.feed.push_event(gst::event::StreamStart::new("kizunaupscale/paused"));
        self.feed.push_event(gst::event::Caps::new(&frame.caps));
        self.feed.push_event(gst::event::Segment::new(&segment));
        self.feed.push(frame.input.clone()).ok()?;
        // Frames are on their way still.
        self.feed.peer_query(gst::query::Drain::new().query_mut());
        self.shared.result.lock().take()
    }

    /// Ends [`Self::upscale`] on another thread, now.
    pub fn cancel(&self) {
        self.feed.push_event(gst::event::FlushStart::new());
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.cancel();
        let on = self.parts.on(Route::Network);
        self.parts.shut(&on);
        for pad in [&self.feed, &self.collect] {
            // What is not active cannot fail to be made inactive.
            let _ = pad.set_active(false);
            if let Some(peer) = pad.peer() {
                let (from, to) = if pad == &self.feed { (pad, &peer) } else { (&peer, pad) };
                let _ = from.unlink(to);
            }
        }
        gst::Element::unlink_many(on);
    }
}

/// Asks whoever is behind `pad` about displays.
fn ask_neighbour(pad: &gst::glib::WeakRef<gst::GhostPad>, query: &mut gst::QueryRef) -> bool {
    matches!(query.type_(), gst::QueryType::Context)
        && pad.upgrade().is_some_and(|pad| pad.peer_query(query))
}

fn feed(end: &gst::GhostPad) -> gst::Pad {
    let end = end.downgrade();
    gst::Pad::builder(gst::PadDirection::Src)
        .name("feed")
        .query_function(move |_, _, query| ask_neighbour(&end, query))
        .build()
}

fn collect(end: &gst::GhostPad, shared: &Arc<Shared>) -> gst::Pad {
    let (neighbour, collected, shared) = (end.downgrade(), shared.clone(), shared.clone());
    gst::Pad::builder(gst::PadDirection::Sink)
        .name("collect")
        .chain_function(move |_, _, buffer| {
            *collected.result.lock() = Some(buffer);
            Ok(gst::FlowSuccess::Ok)
        })
        .event_function(|_, _, _| true)
        .query_function(move |_, _, query| match query.view_mut() {
            gst::QueryViewMut::Caps(caps) => {
                let wanted = shared.wanted.lock().clone().unwrap_or_else(gst::Caps::new_any);
                let answer = caps.filter_owned().map_or(wanted.clone(), |f| f.intersect(&wanted));
                caps.set_result(&answer);
                true
            }
            gst::QueryViewMut::AcceptCaps(caps) => {
                caps.set_result(true);
                true
            }
            gst::QueryViewMut::Drain(_) => true,
            _ => ask_neighbour(&neighbour, query),
        })
        .build()
}
