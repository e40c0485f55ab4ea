//! Subtitles as muxers take them: GStreamer's demuxers give text as Pango markup, its muxers take plain UTF-8.

use gst::prelude::*;

/// What becomes of tags such as `<i>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tags {
    /// Matroska's text has them as SubRip has them.
    Kept,
    /// MP4's text has none.
    Removed,
}

/// Makes `pad` give plain UTF-8 where it gave markup.
pub fn make_plain(pad: &gst::Pad, tags: Tags) {
    let wanted = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(wanted, move |_, info| {
        let changed = match &info.data {
            Some(gst::PadProbeData::Event(event)) => {
                plain_caps(event).map(gst::PadProbeData::Event)
            }
            Some(gst::PadProbeData::Buffer(buffer)) => {
                plain_buffer(buffer, tags).map(gst::PadProbeData::Buffer)
            }
            _ => None,
        };
        if changed.is_some() {
            info.data = changed;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Caps of the plain text.
pub fn caps() -> gst::Caps {
    gst::Caps::builder("text/x-raw").field("format", "utf8").build()
}

fn plain_caps(event: &gst::Event) -> Option<gst::Event> {
    matches!(event.view(), gst::EventView::Caps(_))
        .then(|| gst::event::Caps::builder(&caps()).seqnum(event.seqnum()).build())
}

fn plain_buffer(buffer: &gst::Buffer, tags: Tags) -> Option<gst::Buffer> {
    let map = buffer.map_readable().ok()?;
    let text = plain(std::str::from_utf8(&map).ok()?, tags);
    let mut plain = gst::Buffer::from_slice(text.into_bytes());
    buffer.copy_into(plain.get_mut()?, gst::BUFFER_COPY_METADATA, ..).ok()?;
    Some(plain)
}

/// Takes back what demuxers do: they escape text that has no tags, and leave text that has some as it is.
fn plain(markup: &str, tags: Tags) -> String {
    match (tags, markup.contains('<')) {
        (Tags::Kept, true) => markup.into(),
        (Tags::Removed, true) => unescaped(&without_tags(markup)),
        (_, false) => unescaped(markup),
    }
}

fn without_tags(markup: &str) -> String {
    let mut inside = false;
    let mut is_text = |c: char| {
        let was_inside = inside;
        inside = (inside && c != '>') || c == '<';
        !was_inside && c != '<'
    };
    markup.chars().filter(|&c| is_text(c)).collect()
}

fn unescaped(text: &str) -> String {
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'")];
    let text = entities.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    // Last, so that what it makes is not taken for another entity.
    text.replace("&amp;", "&")
}
