//! Which frame a sink shows.

use gst::prelude::*;

/// Elements between us and the sink; more are a loop.
const FARTHEST: usize = 64;

/// The video sink behind `pad`, where one way alone leads to it and frames are still frames there: what is coded, or goes two
/// ways, must not be replaced.
pub fn sink_behind(pad: &gst::Pad) -> Option<gst::Element> {
    let mut pad = pad.clone();
    for _ in 0..FARTHEST {
        let entry = pad.peer()?;
        let caps = entry.current_caps()?;
        if !caps.structure(0)?.has_name("video/x-raw") {
            return None;
        }
        if let Some(element) = entry.parent_element()
            && element.num_src_pads() == 0
            && !element.is::<gst::Bin>()
        {
            return element.find_property("last-sample").is_some().then_some(element);
        }
        // A pad of nobody's leads nowhere, and has no iterator to say so.
        entry.parent()?;
        let mut ways = entry.iterate_internal_links().into_iter().filter_map(Result::ok);
        pad = ways.next()?;
        if ways.next().is_some() {
            return None;
        }
    }
    None
}

/// The time stamp of the frame that `sink` shows.
pub fn shown(sink: &gst::Element) -> Option<gst::ClockTime> {
    let sample = sink.property::<Option<gst::Sample>>("last-sample")?;
    sample.buffer()?.pts()
}

/// Whether no other frame is on its way to a paused `sink` after a seek or in a step, which a flush would end. The sink of a live
/// source may have none to come, as sources do not work then.
pub fn stands(sink: &gst::Element) -> bool {
    let (result, state, _) = sink.state(gst::ClockTime::ZERO);
    result != Ok(gst::StateChangeSuccess::Async) || state != gst::State::Paused
}
