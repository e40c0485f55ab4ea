//! What went downstream since the frame on show: it can be sent once more, with another picture in that frame's place.

use std::collections::VecDeque;

/// Frames that lie between us and the screen; where there are more, the oldest are forgotten.
const MOST_FRAMES: usize = 64;

/// What went downstream, in order.
#[derive(Debug, Clone)]
pub enum Item {
    /// A frame.
    Frame(Frame),
    /// A serialized event.
    Event(gst::Event),
}

/// A frame before and after the shaders.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What came in.
    pub input: gst::Buffer,
    /// Its caps.
    pub caps: gst::Caps,
    /// What went out.
    pub output: gst::Buffer,
}

/// The frame on show and all that went out behind it.
#[derive(Debug, Default)]
pub struct Journal {
    items: VecDeque<Item>,
    /// What holds for the first item: the last events of their kinds before it.
    caps: Option<gst::Event>,
    segment: Option<gst::Event>,
}

impl Journal {
    /// Forgets frames: they were flushed.
    pub fn flush(&mut self) {
        // Caps outlast a flush, segments do not.
        while let Some(item) = self.items.pop_front() {
            self.pass(item);
        }
        self.segment = None;
    }

    /// Takes what goes out.
    pub fn push(&mut self, item: Item) {
        self.items.push_back(item);
        let frames = self.items.iter().filter(|item| matches!(item, Item::Frame(_))).count();
        if frames > MOST_FRAMES {
            self.drop_to_next_frame();
        }
    }

    fn drop_to_next_frame(&mut self) {
        while let Some(item) = self.items.pop_front() {
            self.pass(item);
            if matches!(self.items.front(), None | Some(Item::Frame(_))) {
                return;
            }
        }
    }

    fn pass(&mut self, item: Item) {
        if let Item::Event(event) = item {
            match event.type_() {
                gst::EventType::Caps => self.caps = Some(event),
                gst::EventType::Segment => self.segment = Some(event),
                _ => {}
            }
        }
    }

    /// Forgets what lies before the frame of time stamp `shown`; nothing where there is no such frame.
    pub fn forget_before(&mut self, shown: gst::ClockTime) {
        let is_it = |item: &Item| matches!(item, Item::Frame(f) if f.output.pts() == Some(shown));
        if let Some(at) = self.items.iter().position(is_it) {
            for _ in 0..at {
                if let Some(item) = self.items.pop_front() {
                    self.pass(item);
                }
            }
        }
    }

    /// The first frame, if it is the one of time stamp `shown`.
    pub fn frame(&self, shown: gst::ClockTime) -> Option<&Frame> {
        match self.items.front() {
            Some(Item::Frame(frame)) if frame.output.pts() == Some(shown) => Some(frame),
            _ => None,
        }
    }

    /// What to send after a flush: caps, segment, `picture` in the first frame's place, and all that followed.
    pub fn replay(&self, picture: gst::Buffer) -> Vec<Item> {
        let state = self.caps.iter().chain(&self.segment).cloned().map(Item::Event);
        let mut items: Vec<_> = state.chain(self.items.iter().cloned()).collect();
        let first = items.iter_mut().find_map(|item| match item {
            Item::Frame(frame) => Some(frame),
            Item::Event(_) => None,
        });
        if let Some(first) = first {
            first.output = picture;
        }
        items
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ms: u64) -> Item {
        let mut output = gst::Buffer::new();
        output.make_mut().set_pts(gst::ClockTime::from_mseconds(ms));
        Item::Frame(Frame { input: output.clone(), caps: gst::Caps::new_any(), output })
    }

    fn segment() -> gst::Event {
        gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())
    }

    fn in_words(items: &[Item]) -> Vec<String> {
        let word = |item: &Item| match item {
            Item::Frame(frame) => frame.output.pts().unwrap().mseconds().to_string(),
            Item::Event(event) => event.type_().to_string(),
        };
        items.iter().map(word).collect()
    }

    #[test]
    fn what_followed_the_frame_on_show_is_sent_again() {
        gst::init().unwrap();
        let mut journal = Journal::default();
        let caps = gst::event::Caps::new(&gst::Caps::builder("video/x-raw").build());
        journal.push(Item::Event(caps));
        journal.push(Item::Event(segment()));
        [0, 40, 80].into_iter().for_each(|ms| journal.push(frame(ms)));
        journal.push(Item::Event(gst::event::Eos::new()));
        let at = gst::ClockTime::from_mseconds(40);
        assert!(journal.frame(at).is_none());
        journal.forget_before(at);
        assert!(journal.frame(at).is_some());
        let Item::Frame(other) = frame(41) else { unreachable!() };
        assert_eq!(in_words(&journal.replay(other.output)), ["caps", "segment", "41", "80", "eos"]);
        journal.forget_before(gst::ClockTime::from_mseconds(7));
        assert!(journal.frame(at).is_some(), "an unknown frame changes nothing");
        journal.flush();
        journal.push(frame(0));
        assert_eq!(in_words(&journal.replay(gst::Buffer::new()))[..1], ["caps"]);
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        gst::init().unwrap();
        let mut journal = Journal::default();
        (0..1000).for_each(|ms| journal.push(frame(ms)));
        assert!(journal.items.len() <= MOST_FRAMES);
        assert!(journal.frame(gst::ClockTime::from_mseconds(1000 - MOST_FRAMES as u64)).is_some());
    }
}
