//! The video's own part of the pipeline: decoder, `kizunasr`, x264, and the count of frames.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use gst::glib;
use gst::prelude::*;
use gst_video::prelude::*;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::options::Options;
use crate::pipeline::{bin, pad, part, running_time};
use crate::work::REMEDY;

/// x264 writes other bytes with another number of threads, so it is not this machine's.
const THREADS: u32 = 8;
const INTERLACED: &str = "a frame is interlaced; --deinterlace makes all frames progressive";

/// What the first segment found out, and all others do alike, whichever run they are made in.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Pinned {
    /// Properties of `kizunasr`: what ran, where the user left the choice to it.
    properties: BTreeMap<String, String>,
    /// Who worked, with version and device: "embedded (Kizuna streaming kernels (AVX2), CPU, fp32)".
    worker: String,
    /// The frames that x264 was given.
    frames: String,
    /// The model's name, for the figures.
    pub model: String,
}

impl Pinned {
    /// Says that segments are alike: those of a later run, perhaps on another machine, and these.
    ///
    /// # Errors
    /// If another runtime or device worked.
    pub fn check(&self, later: &Self) -> Result<()> {
        let (then, now) = (&self.worker, &later.worker);
        ensure!(then == now, "the network was run by {then}, and is now by {now}; {REMEDY}");
        Ok(())
    }

    /// One of the properties.
    pub fn property(&self, name: &str) -> &str {
        self.properties.get(name).map_or("", String::as_str)
    }
}

/// Decoder to encoder, in one bin with a pad on either side.
pub struct Video {
    /// The bin.
    pub bin: gst::Element,
    /// Frames so far.
    pub counts: Arc<Counts>,
    upscaler: gst::Element,
    /// The first segment's, else what came to x264 first.
    frames: Arc<Mutex<Option<gst::Caps>>>,
    /// When the first frame is shown, in ns of running time.
    pub begin: Arc<Mutex<Option<i64>>>,
}

/// Frames that passed three places. All three are the same in the end.
#[derive(Debug, Default)]
pub struct Counts {
    /// Frames that the decoder gave.
    pub decoded: AtomicU64,
    /// Frames that were upscaled.
    pub upscaled: AtomicU64,
    /// Frames that x264 gave.
    pub encoded: AtomicU64,
}

impl Video {
    /// Makes the elements, for frames that are `shown` then; the others are dropped.
    ///
    /// # Errors
    /// An element that is not installed; a property that is not there or does not take its value.
    pub fn new(
        options: &Options,
        pinned: Option<&Pinned>,
        shown: std::ops::Range<i64>,
    ) -> Result<Self> {
        let deinterlace = if options.deinterlace { "! deinterlace fields=top" } else { "" };
        // Without a buffer size x264 takes GStreamer's default bit rate, 2 Mbit/s, for no limit.
        let description = format!(
            "decodebin name=first \
             ! queue name=decoded max-size-buffers=3 max-size-bytes=0 max-size-time=0 {deinterlace} \
             ! kizunasr name=upscaler ! capsfilter name=size \
             ! queue max-size-buffers=3 max-size-bytes=0 max-size-time=0 \
             ! x264enc name=last pass=qual quantizer={} vbv-buf-capacity=0 psy-tune=animation threads={THREADS} {}",
            options.crf,
            instructions()
        );
        let bin = bin(&description)?;
        let part = |name| part(&bin, name);
        let (decoded, upscaler, encoder) = (part("decoded")?, part("upscaler")?, part("last")?);
        for (name, value) in &options.properties {
            set(&upscaler, name, value)?;
        }
        if upscaler.property::<u64>("memory-limit") == 0 {
            set(&upscaler, "memory-limit", &quarter_of_memory().to_string())?;
        }
        for (name, value) in pinned.iter().flat_map(|pinned| &pinned.properties) {
            set(&upscaler, name, value)?;
        }
        if !options.deinterlace {
            refuse_interlaced(&decoded)?;
        }
        keep_shown(&decoded, shown)?;
        let counts = Arc::new(Counts::default());
        count(&upscaler, "sink", &counts, |counts| &counts.decoded)?;
        count(&upscaler, "src", &counts, |counts| &counts.upscaled)?;
        count(&encoder, "src", &counts, |counts| &counts.encoded)?;
        let frames = pinned.map(|pinned| pinned.frames.parse()).transpose()?;
        fix_output(&upscaler, part("size")?, frames.as_ref())?;
        let frames = Arc::new(Mutex::new(frames));
        fix_frames(&encoder, &frames)?;
        let begin = note_begin(&encoder)?;
        Ok(Self { bin: bin.upcast(), counts, upscaler, frames, begin })
    }

    /// Says that every frame arrived; their number.
    ///
    /// # Errors
    /// If some did not.
    pub fn check_frames(&self) -> Result<u64> {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let Counts { decoded, upscaled, encoded } = &*self.counts;
        let (decoded, upscaled, encoded) = (read(decoded), read(upscaled), read(encoded));
        ensure!(
            decoded == upscaled && upscaled == encoded,
            "frames were lost: {decoded} were decoded, {upscaled} upscaled, {encoded} encoded"
        );
        Ok(decoded)
    }

    /// What other segments must do alike; none where there were no frames. To be asked for while it is running.
    pub fn pinned(&self) -> Option<Pinned> {
        let frames = self.frames.lock().as_ref()?.to_string();
        let stats = structure(&self.upscaler, "stats")?;
        let text = |name| stats.get::<String>(name).unwrap_or_default();
        // "embedded (Kizuna streaming kernels (AVX2), CPU, fp32); not cuda: ..."
        let provider = text("provider");
        let worker = provider.split("; not ").next().unwrap_or_default().to_owned();
        let provider = worker.split(' ').next().unwrap_or_default().to_owned();
        let memory = self.upscaler.property::<u64>("memory-limit").to_string();
        let properties =
            [("provider", provider), ("precision", text("precision")), ("memory-limit", memory)];
        let model = structure(&self.upscaler, "model-info");
        let model = model.and_then(|s| s.get::<String>("name").ok()).unwrap_or_default();
        let properties = properties.map(|(name, value)| (name.to_owned(), value)).into();
        Some(Pinned { properties, worker, frames, model })
    }

    /// How long `kizunasr` was at work, in seconds. To be asked for while it is running.
    pub fn seconds(&self) -> f64 {
        let stats = structure(&self.upscaler, "stats");
        stats.and_then(|s| s.get::<f64>("seconds").ok()).unwrap_or(0.0)
    }
}

/// x264's macroblock tree reads memory that nobody wrote, where it has AVX-512 and the width is no multiple of 128 (seen with
/// version 164): two runs then write different films. With less than AVX-512 they are the same.
fn instructions() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        return "option-string=asm=AVX2";
    }
    ""
}

/// What `kizunasr` takes by itself at most, of what is free now: tiles depend on it, and so must not be chosen anew in each run.
fn quarter_of_memory() -> u64 {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map_or(2 << 30, |kib| kib << 10) / 4
}

/// Says what to do about an interlaced frame before `kizunasr` says what it cannot.
fn refuse_interlaced(decoded: &gst::Element) -> Result<()> {
    let element = decoded.downgrade();
    let wanted = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad(decoded, "sink")?.add_probe(wanted, move |_, info| {
        let is_interlaced = match (info.buffer(), info.event().map(|event| event.view())) {
            (Some(frame), _) => {
                frame.video_flags().contains(gst_video::VideoBufferFlags::INTERLACED)
            }
            (_, Some(gst::EventView::Caps(caps))) => gst_video::VideoInfo::from_caps(caps.caps())
                .is_ok_and(|info| {
                    info.is_interlaced()
                        && info.interlace_mode() != gst_video::VideoInterlaceMode::Mixed
                }),
            _ => false,
        };
        if is_interlaced && let Some(element) = element.upgrade() {
            gst::element_error!(element, gst::StreamError::Format, ("{INTERLACED}"));
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Drops frames that another segment owns, and brings the others' times in order: where pictures have no times, as in MPEG-PS,
/// decoders give the same one to several.
fn keep_shown(decoded: &gst::Element, shown: std::ops::Range<i64>) -> Result<()> {
    let earliest = Mutex::new(gst::ClockTime::ZERO);
    pad(decoded, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let time = segment.zip(info.buffer()).and_then(|(s, b)| running_time(s.segment(), b));
        if time.is_some_and(|time| !shown.contains(&time)) {
            info.data = None;
            return gst::PadProbeReturn::Handled;
        }
        if let Some(buffer) = info.buffer_mut()
            && let Some(stamp) = buffer.pts()
        {
            let mut earliest = earliest.lock();
            if stamp < *earliest {
                buffer.make_mut().set_pts(*earliest);
            }
            *earliest = stamp.max(*earliest) + gst::ClockTime::MSECOND;
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Notes when the first frame is shown: `x264enc` moves all times so that it has room before them, and says wrongly by how much.
fn note_begin(encoder: &gst::Element) -> Result<Arc<Mutex<Option<i64>>>> {
    let begin = Arc::new(Mutex::new(None));
    let noted = begin.clone();
    pad(encoder, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        *noted.lock() = segment.zip(info.buffer()).and_then(|(s, b)| running_time(s.segment(), b));
        gst::PadProbeReturn::Remove
    });
    Ok(begin)
}

/// Tells x264 the same about the frames of all segments, so that one head is good for all.
fn fix_frames(encoder: &gst::Element, frames: &Arc<Mutex<Option<gst::Caps>>>) -> Result<()> {
    let frames = frames.clone();
    pad(encoder, "sink")?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(event) = info.event() else { return gst::PadProbeReturn::Ok };
        let (gst::EventView::Caps(caps), seqnum) = (event.view(), event.seqnum()) else {
            return gst::PadProbeReturn::Ok;
        };
        let fixed = frames.lock().get_or_insert_with(|| caps.caps_owned()).clone();
        let event = gst::event::Caps::builder(&fixed).seqnum(seqnum).build();
        info.data = Some(gst::PadProbeData::Event(event));
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

fn is_in_range(spec: &glib::ParamSpec, value: &glib::Value) -> bool {
    macro_rules! check {
        ($($kind:ty => $number:ty),*) => {
            $(if let (Some(spec), Ok(number)) = (spec.downcast_ref::<$kind>(), value.get::<$number>()) {
                return (spec.minimum()..=spec.maximum()).contains(&number);
            })*
        };
    }
    check!(glib::ParamSpecDouble => f64, glib::ParamSpecInt => i32, glib::ParamSpecUInt => u32, glib::ParamSpecUInt64 => u64);
    true
}

fn structure(element: &gst::Element, property: &str) -> Option<gst::Structure> {
    element.property::<Option<gst::Structure>>(property)
}

/// Sets a property from text, as gst-launch-1.0 does it, but without a panic on bad text.
fn set(element: &gst::Element, name: &str, text: &str) -> Result<()> {
    let Some(spec) = element.find_property(name) else {
        bail!("kizunasr has no property '{name}'; gst-inspect-1.0 kizunasr lists them");
    };
    ensure!(
        spec.flags().contains(glib::ParamFlags::WRITABLE),
        "kizunasr's property '{name}' can only be read"
    );
    let refused =
        || format!("{name}={text}: kizunasr's '{name}' is: {}", spec.blurb().unwrap_or_default());
    // Text is text: GStreamer would want it quoted where it has spaces.
    let value = if spec.value_type() == glib::Type::STRING {
        text.to_value()
    } else {
        glib::Value::deserialize_with_pspec(text, &spec).with_context(refused)?
    };
    // Setting a number that is out of its range would panic.
    ensure!(is_in_range(&spec, &value), refused());
    element.set_property_from_value(name, &value);
    Ok(())
}

fn count(
    element: &gst::Element,
    name: &str,
    counts: &Arc<Counts>,
    which: fn(&Counts) -> &AtomicU64,
) -> Result<()> {
    let counts = counts.clone();
    pad(element, name)?.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        which(&counts).fetch_add(1, Ordering::SeqCst);
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Fixes size and format behind the upscaler when the first caps of the film come: from then on they stay, as players expect.
fn fix_output(
    upscaler: &gst::Element,
    filter: gst::Element,
    frames: Option<&gst::Caps>,
) -> Result<()> {
    if let Some(frames) = frames.and_then(|frames| frames.structure(0)) {
        let mut caps = gst::Caps::new_empty_simple(frames.name());
        for (name, value) in frames.iter() {
            if ["format", "width", "height", "pixel-aspect-ratio"].contains(&name.as_str()) {
                caps.make_mut().set_value(name, value.clone());
            }
        }
        filter.set_property("caps", caps);
        return Ok(());
    }
    let element = upscaler.downgrade();
    pad(upscaler, "sink")?.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let Some(gst::EventView::Caps(caps)) = info.event().map(|event| event.view()) else {
            return gst::PadProbeReturn::Ok;
        };
        let input = gst_video::VideoInfo::from_caps(caps.caps());
        if let (Some(upscaler), Ok(input)) = (element.upgrade(), input) {
            filter.set_property("caps", output_caps(&upscaler, &input));
        }
        gst::PadProbeReturn::Remove
    });
    Ok(())
}

/// What x264 is given for frames of `input`: 4:2:0, an even size, 10 bits for more than 8.
fn output_caps(upscaler: &gst::Element, input: &gst_video::VideoInfo) -> gst::Caps {
    let is_deep = input.format_info().depth().iter().any(|&bits| bits > 8);
    let format = if is_deep { "I420_10LE" } else { "I420" };
    let caps = gst::Caps::builder("video/x-raw").field("format", format);
    let factor = factor(upscaler);
    let exact = |px: u32| f64::from(px) * factor;
    let even =
        |px: u32| ((exact(px) / 2.0).round() * 2.0).clamp(2.0, f64::from(i32::MAX - 1)) as i32;
    let (width, height) = (even(input.width()), even(input.height()));
    if [(input.width(), width), (input.height(), height)]
        .iter()
        .any(|&(from, to)| exact(from).round() as i32 != to)
    {
        gst::element_warning!(
            upscaler,
            gst::StreamError::Format,
            (
                "{width}x{height} pixels are written, not {}x{}: 4:2:0 video has even sizes",
                exact(input.width()).round(),
                exact(input.height()).round()
            )
        );
    }
    caps.field("width", width)
        .field("height", height)
        .field("pixel-aspect-ratio", input.par())
        .build()
}

/// The factor that was asked for, else the model's own.
fn factor(upscaler: &gst::Element) -> f64 {
    let typed = upscaler.property::<f64>("scale");
    if typed > 0.0 {
        return typed;
    }
    let info = structure(upscaler, "model-info");
    let text = info.and_then(|info| info.get::<String>("scale").ok()).unwrap_or_default();
    // "2x [graph]", "3/2x [measured]"
    let ratio = text.split('x').next().unwrap_or_default();
    let (numerator, denominator) = ratio.split_once('/').unwrap_or((ratio, "1"));
    match (numerator.parse::<f64>(), denominator.parse::<f64>()) {
        (Ok(n), Ok(d)) if n > 0.0 && d > 0.0 => n / d,
        _ => 2.0,
    }
}
