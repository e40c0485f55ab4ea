//! The video's own part of the pipeline: decoder, `kizunasr`, x264, and the count of frames.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

use crate::options::Options;

/// Decoder to encoder, in one bin with a pad on either side.
pub struct Video {
    /// The bin.
    pub bin: gst::Element,
    /// The element that does the work.
    pub upscaler: gst::Element,
    /// Frames so far.
    pub counts: Arc<Counts>,
}

/// Frames that passed three places. All three are the same in the end.
#[derive(Debug, Default)]
pub struct Counts {
    /// Frames that the decoder gave.
    pub decoded: AtomicU64,
    /// Frames that were upscaled.
    pub upscaled: AtomicU64,
    /// Frames that the muxer was given.
    pub encoded: AtomicU64,
    /// Timestamps of the first and the newest upscaled frame.
    pub times: Mutex<Option<(gst::ClockTime, gst::ClockTime)>>,
}

impl Video {
    /// Makes the elements.
    ///
    /// # Errors
    /// An element that is not installed; a property that is not there or does not take its value.
    pub fn new(options: &Options) -> Result<Self> {
        let deinterlace = if options.deinterlace { "! deinterlace fields=top" } else { "" };
        // Without a buffer size x264 takes GStreamer's default bit rate, 2 Mbit/s, for no limit.
        let description = format!(
            "decodebin name=first {deinterlace} ! queue max-size-buffers=3 max-size-bytes=0 max-size-time=0 \
             ! kizunasr name=upscaler ! capsfilter name=size \
             ! queue max-size-buffers=3 max-size-bytes=0 max-size-time=0 \
             ! x264enc name=last pass=qual quantizer={} vbv-buf-capacity=0 psy-tune=animation",
            options.crf
        );
        let bin = bin(&description)?;
        let part = |name| bin.by_name(name).with_context(|| format!("the bin has no {name}"));
        let (upscaler, size, encoder) = (part("upscaler")?, part("size")?, part("last")?);
        for (name, value) in &options.properties {
            set(&upscaler, name, value)?;
        }
        let counts = Arc::new(Counts::default());
        count(&upscaler, "sink", &counts, |counts, _| add(&counts.decoded))?;
        count(&upscaler, "src", &counts, |counts, buffer| {
            add(&counts.upscaled);
            if let Some(now) = buffer.pts() {
                let mut times = counts.times.lock();
                *times = Some((times.map_or(now, |(first, _)| first), now));
            }
        })?;
        count(&encoder, "src", &counts, |counts, _| add(&counts.encoded))?;
        fix_output(&upscaler, size)?;
        Ok(Self { bin: bin.upcast(), upscaler, counts })
    }

    /// The part of the film that is done, where its duration is known.
    pub fn share(&self) -> Option<f64> {
        let (first, now) = (*self.counts.times.lock())?;
        let pad = self.upscaler.static_pad("sink")?;
        let duration = pad.peer_query_duration::<gst::ClockTime>().filter(|d| !d.is_zero())?;
        let done = now.saturating_sub(first).nseconds() as f64;
        Some((done / duration.nseconds() as f64).min(1.0))
    }

    /// Says that every frame arrived.
    ///
    /// # Errors
    /// If some did not, or there was none.
    pub fn check_frames(&self) -> Result<u64> {
        let read = |count: &AtomicU64| count.load(Ordering::SeqCst);
        let Counts { decoded, upscaled, encoded, .. } = &*self.counts;
        let (decoded, upscaled, encoded) = (read(decoded), read(upscaled), read(encoded));
        ensure!(decoded > 0, "not one frame could be decoded; is the file damaged?");
        ensure!(
            decoded == upscaled && upscaled == encoded,
            "frames were lost: {decoded} were decoded, {upscaled} upscaled, {encoded} encoded"
        );
        Ok(decoded)
    }

    /// What the element says about its work, in one line; to be asked for while it is running.
    pub fn figures(&self) -> String {
        let stats = structure(&self.upscaler, "stats");
        let number = |name| stats.as_ref().and_then(|s| s.get::<f64>(name).ok()).unwrap_or(0.0);
        let frames = stats.as_ref().and_then(|s| s.get::<u64>("frames").ok()).unwrap_or(0);
        let text = |name| stats.as_ref().and_then(|s| s.get::<String>(name).ok());
        let provider = text("provider").unwrap_or_default();
        let nick = provider.split(' ').next().unwrap_or_default();
        let precision = text("precision").unwrap_or_default();
        let model = structure(&self.upscaler, "model-info");
        let model = model.and_then(|s| s.get::<String>("name").ok()).unwrap_or_default();
        format!(
            "frames={frames} seconds={:.2} fps={:.2} provider={nick} precision={precision} model={model}",
            number("seconds"),
            number("fps")
        )
    }
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

/// Elements in a bin with a pad on either side: those of the elements that are named `first` and `last`.
///
/// # Errors
/// If an element is not installed.
pub fn bin(description: &str) -> Result<gst::Bin> {
    let bin = gst::parse::bin_from_description(description, false).context(
        "GStreamer lacks an element; Debian's packages gstreamer1.0-plugins-base, -good, -bad, -ugly and \
         gstreamer1.0-libav have all that is needed",
    )?;
    for (name, end) in [("first", "sink"), ("last", "src")] {
        let element = bin.by_name(name).with_context(|| format!("the bin has no {name}"))?;
        let ghost = gst::GhostPad::builder_with_target(&pad(&element, end)?)?.name(end).build();
        bin.add_pad(&ghost)?;
    }
    Ok(bin)
}

/// A pad that is always there.
///
/// # Errors
/// If it is not.
pub fn pad(element: &impl IsA<gst::Element>, name: &str) -> Result<gst::Pad> {
    element
        .static_pad(name)
        .with_context(|| format!("{} has no pad {name}", element.as_ref().name()))
}

fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::SeqCst);
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
    note: impl Fn(&Counts, &gst::BufferRef) + Send + Sync + 'static,
) -> Result<()> {
    let counts = counts.clone();
    pad(element, name)?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        if let Some(buffer) = info.buffer() {
            note(&counts, buffer);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Fixes size and format behind the upscaler when the first caps come: from then on they stay, as players expect.
fn fix_output(upscaler: &gst::Element, filter: gst::Element) -> Result<()> {
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
