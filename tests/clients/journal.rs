//! What enters an element and what leaves it, and that this is the same.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use gst::prelude::*;

/// Something of a stream that must not overtake anything else of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    Frame {
        pts: Option<gst::ClockTime>,
        duration: Option<gst::ClockTime>,
        /// Width and height at the sink pad; half of those at the source pad.
        size: (u32, u32),
    },
    Segment {
        rate: f64,
        start: Option<u64>,
        stop: Option<u64>,
        base: Option<u64>,
    },
    Gap(gst::ClockTime),
    Event(gst::EventType),
    /// A flush of the element's own, which shows the picture on pause again.
    Again,
}

impl Item {
    fn pts(&self) -> Option<gst::ClockTime> {
        match self {
            Self::Frame { pts, .. } => *pts,
            _ => None,
        }
    }

    fn is_frame(&self) -> bool {
        matches!(self, Self::Frame { .. })
    }

    fn of_event(event: &gst::EventRef) -> Option<Self> {
        match event.view() {
            gst::EventView::Segment(e) => {
                let segment = e.segment().downcast_ref::<gst::ClockTime>()?;
                Some(Self::Segment {
                    rate: segment.rate(),
                    start: segment.start().map(gst::ClockTime::nseconds),
                    stop: segment.stop().map(gst::ClockTime::nseconds),
                    base: segment.base().map(gst::ClockTime::nseconds),
                })
            }
            gst::EventView::Gap(e) => Some(Self::Gap(e.get().0)),
            // Pads send other sticky events again as they see fit, and each side has caps of its own: these are looked at with each frame.
            gst::EventView::Eos(_) => Some(Self::Event(event.type_())),
            _ if event.is_sticky() => None,
            _ => event.is_serialized().then(|| Self::Event(event.type_())),
        }
    }
}

/// One pad's items, cut where flushes ended and the element was stopped.
type Epochs = Vec<Vec<Item>>;

/// Both pads of an element.
#[derive(Clone)]
pub struct Journal(Arc<Shared>);

struct Shared {
    /// Sink pad and source pad.
    pads: Mutex<[Epochs; 2]>,
    changed: Condvar,
    /// The element as in the table.
    line: &'static str,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {:?}", self.0.line, self.0.pads.lock().unwrap())
    }
}

impl Journal {
    /// Begins to write down what goes through `element`, which is `line` of the table.
    pub fn of(element: &gst::Element, line: &'static str) -> Self {
        let pads = Mutex::new([vec![vec![]], vec![vec![]]]);
        let journal = Self(Arc::new(Shared { pads, changed: Condvar::new(), line }));
        for (which, name) in ["sink", "src"].into_iter().enumerate() {
            journal.follow(which, &element.static_pad(name).unwrap());
        }
        journal
    }

    fn follow(&self, which: usize, pad: &gst::Pad) {
        let shared = Arc::clone(&self.0);
        let mask = gst::PadProbeType::BUFFER
            | gst::PadProbeType::EVENT_DOWNSTREAM
            | gst::PadProbeType::EVENT_FLUSH;
        let divisor = if which == 0 { 1 } else { 2 };
        pad.add_probe(mask, move |pad, info| {
            let item = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    let info = crate::pipelines::info(pad);
                    Some(Item::Frame {
                        pts: buffer.pts(),
                        duration: buffer.duration(),
                        size: (info.width() / divisor, info.height() / divisor),
                    })
                }
                Some(gst::PadProbeData::Event(e)) if e.type_() == gst::EventType::FlushStop => {
                    let mut pads = shared.pads.lock().unwrap();
                    let is_own = which == 1 && pads[0].len() == pads[1].len();
                    if is_own {
                        pads[1].last_mut().unwrap().push(Item::Again);
                    } else {
                        pads[which].push(vec![]);
                    }
                    None
                }
                Some(gst::PadProbeData::Event(e)) => Item::of_event(e),
                _ => None,
            };
            if let Some(item) = item {
                shared.pads.lock().unwrap()[which].last_mut().unwrap().push(item);
                shared.changed.notify_all();
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// Begins anew, as a flush does: nothing flows, as the element was stopped.
    pub fn cut(&self) {
        self.0.pads.lock().unwrap().iter_mut().for_each(|pad| pad.push(vec![]));
    }

    /// Waits until `count` frames have left since the last flush.
    pub fn wait(&self, count: usize) {
        let has_few = |pads: &mut [Epochs; 2]| frames(&once(pads[1].last().unwrap())) < count;
        let pads = self.0.pads.lock().unwrap();
        let patience = Duration::from_secs(60);
        let (pads, waited) = self.0.changed.wait_timeout_while(pads, patience, has_few).unwrap();
        assert!(!waited.timed_out(), "{}: fewer than {count} frames: {:?}", self.0.line, *pads);
    }

    /// All that left since the last flush.
    pub fn left(&self) -> Vec<Item> {
        once(self.0.pads.lock().unwrap()[1].last().unwrap())
    }

    /// Times of the frames that left since the last flush.
    pub fn times(&self) -> Vec<gst::ClockTime> {
        self.left().iter().filter_map(Item::pts).collect()
    }

    /// How many frames came since the last flush, and how many left.
    pub fn counts(&self) -> (usize, usize) {
        let count =
            |epochs: &Epochs| epochs.last().unwrap().iter().filter(|i| i.is_frame()).count();
        let pads = self.0.pads.lock().unwrap();
        (count(&pads[0]), count(&pads[1]))
    }

    /// What came has left, in its order, frame by frame; what was on its way when a flush or a stop came may be missing, and nothing
    /// else: where the end of a stream has left, everything has. Where the element `may_drop` late frames, frames may be missing anywhere.
    pub fn check(&self, what: &str, may_drop: bool) {
        let pads = self.0.pads.lock().unwrap();
        let [came, left] = &*pads;
        assert_eq!(came.len(), left.len(), "{what}: flushes");
        for (epoch, (came, left)) in came.iter().zip(left).enumerate() {
            let what = format!("{what}: after flush {epoch}");
            let left = &once(left);
            in_order(left, &what);
            if may_drop {
                let mut rest = came.iter();
                let is_there = left.iter().all(|item| rest.any(|other| other == item));
                assert!(is_there, "{what}: came {came:#?}, left {left:#?}");
                continue;
            }
            let first = came.iter().zip(left).position(|(came, left)| came != left);
            if let Some(i) = first {
                panic!("{what}: item {i} came as {:?} and left as {:?}", came[i], left[i]);
            }
            assert!(left.len() <= came.len(), "{what}: more left than came: {left:#?}");
        }
    }
}

/// The same without what was sent again.
fn once(items: &[Item]) -> Vec<Item> {
    let mut once: Vec<Item> = Vec::new();
    let mut is_again = false;
    for item in items {
        is_again |= *item == Item::Again;
        if !is_again || (*item != Item::Again && !once.contains(item)) {
            once.push(item.clone());
        }
    }
    once
}

fn frames(items: &[Item]) -> usize {
    items.iter().filter(|i| i.is_frame()).count()
}

/// Frames follow each other in the direction of their segment.
fn in_order(items: &[Item], what: &str) {
    let (mut rate, mut last) = (1.0, None);
    for item in items {
        match item {
            Item::Segment { rate: new, .. } => (rate, last) = (*new, None),
            Item::Frame { pts: Some(pts), .. } => {
                let is_behind = |last| if rate < 0.0 { *pts <= last } else { *pts >= last };
                assert!(last.is_none_or(is_behind), "{what}: {pts} after {last:?} at rate {rate}");
                last = Some(*pts);
            }
            _ => {}
        }
    }
}
