//! What went downstream since the frame on show: it can be sent once more, with another picture in that frame's place.

use std::collections::VecDeque;

/// Bytes of frames that may lie between us and the screen; where there are more, the oldest are forgotten.
const MOST_BYTES: usize = 256 << 20;

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
    /// Its caps.
    pub output_caps: gst::Caps,
}

/// The frame on show and all that went out behind it.
#[derive(Debug, Default)]
pub struct Journal {
    items: VecDeque<Item>,
    /// How many of them are downstream.
    sent: usize,
    /// What holds for the first item: the last events of their kinds before it.
    caps: Option<gst::Event>,
    segment: Option<gst::Event>,
}

impl Journal {
    /// Forgets frames: they were flushed.
    pub fn flush(&mut self) {
        // Caps outlast a flush, segments do not.
        while self.pass() {}
        self.segment = None;
    }

    /// Takes what goes out now, or is to go out by [`Self::next`].
    pub fn push(&mut self, item: Item, is_sent: bool) {
        self.items.push_back(item);
        if is_sent {
            self.sent = self.items.len();
        }
        let bytes = |item: &Item| match item {
            Item::Frame(frame) => frame.input.size() + frame.output.size(),
            Item::Event(_) => 0,
        };
        let mut kept = self.items.iter().map(bytes).sum::<usize>();
        // What is not sent yet must not be lost.
        while kept > MOST_BYTES && self.sent > 1 {
            kept -= self.items.front().map_or(0, bytes);
            self.pass();
        }
    }

    /// Takes over what holds for what is to come.
    pub fn hold(&mut self, event: gst::Event) {
        match event.type_() {
            gst::EventType::Caps => self.caps = Some(event),
            gst::EventType::Segment => self.segment = Some(event),
            _ => {}
        }
    }

    /// Forgets the first item, but not what holds for those behind it.
    fn pass(&mut self) -> bool {
        let Some(item) = self.items.pop_front() else { return false };
        self.sent = self.sent.saturating_sub(1);
        if let Item::Event(event) = item {
            self.hold(event);
        }
        true
    }

    /// Forgets what lies before the frame of time stamp `shown`; nothing where there is no such frame.
    pub fn forget_before(&mut self, shown: gst::ClockTime) {
        let is_it = |item: &Item| matches!(item, Item::Frame(f) if f.output.pts() == Some(shown));
        if let Some(at) = self.items.iter().position(is_it) {
            for _ in 0..at {
                self.pass();
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

    /// Puts `picture` in the first frame's place, if that is the one of its time stamp, and counts nothing as sent.
    pub fn rewind(&mut self, picture: gst::Buffer) -> bool {
        match self.items.front_mut() {
            Some(Item::Frame(frame)) if frame.output.pts() == picture.pts() => {
                frame.output = picture;
                self.sent = 0;
                // They hold again.
                for event in [self.segment.take(), self.caps.take()].into_iter().flatten() {
                    self.items.push_front(Item::Event(event));
                }
                true
            }
            _ => false,
        }
    }

    /// The next thing to send; none where all is sent.
    pub fn next(&mut self) -> Option<Item> {
        let item = self.items.get(self.sent).cloned()?;
        self.sent += 1;
        Some(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ms: u64) -> Item {
        let mut output = gst::Buffer::from_mut_slice(vec![0_u8; 1 << 20]);
        output.make_mut().set_pts(gst::ClockTime::from_mseconds(ms));
        let caps = gst::Caps::new_any();
        let (input, output_caps) = (output.clone(), caps.clone());
        Item::Frame(Frame { input, caps, output, output_caps })
    }

    fn segment() -> gst::Event {
        gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new())
    }

    fn in_words(items: impl Iterator<Item = Item>) -> Vec<String> {
        let word = |item: Item| match item {
            Item::Frame(frame) => frame.output.pts().unwrap().mseconds().to_string(),
            Item::Event(event) => event.type_().to_string(),
        };
        items.map(word).collect()
    }

    #[test]
    fn what_followed_the_frame_on_show_is_sent_again() {
        gst::init().unwrap();
        let mut journal = Journal::default();
        let caps = gst::event::Caps::new(&gst::Caps::builder("video/x-raw").build());
        journal.push(Item::Event(caps), true);
        journal.push(Item::Event(segment()), true);
        [0, 40, 80].into_iter().for_each(|ms| journal.push(frame(ms), true));
        journal.push(Item::Event(gst::event::Eos::new()), true);
        assert!(journal.next().is_none());
        let at = gst::ClockTime::from_mseconds(40);
        assert!(journal.frame(at).is_none());
        journal.forget_before(at);
        assert!(journal.frame(at).is_some());
        let Item::Frame(other) = frame(41) else { unreachable!() };
        assert!(!journal.rewind(other.output), "another frame");
        let Item::Frame(same) = frame(40) else { unreachable!() };
        assert!(journal.rewind(same.output));
        journal.push(frame(120), false);
        let sent = in_words(std::iter::from_fn(|| journal.next()));
        assert_eq!(sent, ["caps", "segment", "40", "80", "eos", "120"]);
        journal.forget_before(gst::ClockTime::from_mseconds(7));
        assert!(journal.next().is_none(), "an unknown frame changes nothing");
        journal.forget_before(at);
        assert!(journal.frame(at).is_some());
        journal.flush();
        journal.push(frame(0), true);
        let Item::Frame(first) = frame(0) else { unreachable!() };
        assert!(journal.rewind(first.output));
        assert_eq!(in_words(std::iter::from_fn(|| journal.next())), ["caps", "0"]);
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        gst::init().unwrap();
        let mut journal = Journal::default();
        // Input and output are one buffer here, and count twice.
        (0..300).for_each(|ms| journal.push(frame(ms), true));
        assert_eq!(journal.items.len(), 128);
        assert!(journal.frame(gst::ClockTime::from_mseconds(300 - 128)).is_some());
    }
}
