//! One run of `filesrc ! rawvideoparse ! kizunasr ! fakesink`, as `gst-launch-1.0` would run it, and what it took.
//!
//! ```text
//! pipeline CLIP FORMAT WIDTHxHEIGHT FRAMES [--output FILE] [PROPERTY=VALUE ...]
//! ```
//!
//! Prints TOML: `first`, seconds from READY to the first frame; `steady`, seconds from the first frame to the last, and `cpu`,
//! seconds of processor time in it; `peak`, bytes of memory; kizunasr's `active-provider`; then its `stats`. `cargo xtask bench` runs it. The plugin is
//! the one that `GST_PLUGIN_PATH` leads to; nothing is linked in.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use gst::glib;
use gst::prelude::*;
use parking_lot::Mutex;

fn main() -> Result<()> {
    let Some(job) = Job::from_command_line()? else { return Ok(()) };
    gst::init().context("cannot start GStreamer")?;
    let pipeline = job.pipeline()?;
    let sink = pipeline.by_name("sink").context("no sink")?;
    let clock = Arc::new(Mutex::new(Clock::default()));
    let pad = sink.static_pad("sink").context("the sink has no pad")?;
    let shared = clock.clone();
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        shared.lock().frame();
        gst::PadProbeReturn::Ok
    });

    pipeline.set_state(gst::State::Ready)?;
    let begun = Instant::now();
    let outcome = run(&pipeline);
    let clock = clock.lock().clone();
    if outcome.is_ok() {
        clock.print(begun)?;
        print_stats(&pipeline);
    }
    pipeline.set_state(gst::State::Null)?;
    outcome
}

/// What is to be run.
struct Job {
    clip: String,
    format: String,
    size: (usize, usize),
    frames: usize,
    output: Option<String>,
    properties: Vec<String>,
}

impl Job {
    /// None where cargo itself asks: `cargo bench` and `cargo test --benches` give no clip.
    fn from_command_line() -> Result<Option<Self>> {
        use lexopt::prelude::*;
        let (mut words, mut output) = (Vec::new(), None);
        let mut args = lexopt::Parser::from_env();
        while let Some(argument) = args.next()? {
            match argument {
                Value(word) => words.push(word.string()?),
                Long("output") => output = Some(args.value()?.string()?),
                Long("bench") => {}
                _ => return Err(argument.unexpected().into()),
            }
        }
        if words.is_empty() {
            eprintln!("nothing to run: `cargo xtask bench` gives this program its clips");
            return Ok(None);
        }
        let [clip, format, size, frames, properties @ ..] = words.as_slice() else {
            bail!("pipeline CLIP FORMAT WIDTHxHEIGHT FRAMES [--output FILE] [PROPERTY=VALUE ...]");
        };
        let (width, height) = size.split_once('x').context("the size is WIDTHxHEIGHT")?;
        Ok(Some(Self {
            clip: clip.clone(),
            format: format.clone(),
            size: (width.parse()?, height.parse()?),
            frames: frames.parse()?,
            output,
            properties: properties.to_vec(),
        }))
    }

    fn pipeline(&self) -> Result<gst::Pipeline> {
        let Self { clip, format, size: (width, height), frames, .. } = self;
        let (bytes, colour) = match format.as_str() {
            "i420" => (width * height + 2 * width.div_ceil(2) * height.div_ceil(2), "bt709"),
            "rgb" => (width * height * 3, "sRGB"),
            other => bail!("{other} is none of i420, rgb"),
        };
        let sink = match &self.output {
            Some(file) => format!("filesink location={file}"),
            None => "fakesink".into(),
        };
        let text = format!(
            "filesrc location={clip} blocksize={bytes} num-buffers={frames} \
             ! rawvideoparse format={format} width={width} height={height} framerate=24/1 colorimetry={colour} \
             ! kizunasr name=sr {} ! video/x-raw,format={} ! {sink} name=sink",
            self.properties.join(" "),
            format.to_uppercase(),
        );
        gst::parse::launch(&text)
            .with_context(|| format!("cannot make the pipeline {text}"))?
            .downcast()
            .map_err(|_| anyhow::anyhow!("{text} is no pipeline"))
    }
}

fn run(pipeline: &gst::Pipeline) -> Result<()> {
    let bus = pipeline.bus().context("the pipeline has no bus")?;
    // The cause of a failure is on the bus.
    let started = pipeline.set_state(gst::State::Playing);
    for message in bus.iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Eos(_) => return Ok(()),
            gst::MessageView::Error(e) => bail!("{} ({:?})", e.error(), e.debug()),
            gst::MessageView::Warning(w) => eprintln!("warning: {}", w.error().message()),
            _ => {}
        }
    }
    bail!("the pipeline ended without a word ({started:?})")
}

/// When frames came out.
#[derive(Debug, Clone, Default)]
struct Clock {
    /// Time and processor time at the first frame.
    first: Option<(Instant, Duration)>,
    last: Option<(Instant, Duration)>,
    frames: usize,
}

impl Clock {
    fn frame(&mut self) {
        self.last = Some((Instant::now(), cpu_time()));
        self.first = self.first.or(self.last);
        self.frames += 1;
    }

    fn print(&self, begun: Instant) -> Result<()> {
        let (first, last) = self.first.zip(self.last).context("no frame came out")?;
        println!("frames = {}", self.frames);
        println!("first = {:?}", (first.0 - begun).as_secs_f64());
        println!("steady = {:?}", (last.0 - first.0).as_secs_f64());
        println!("cpu = {:?}", (last.1 - first.1).as_secs_f64());
        println!("peak = {}", peak_memory());
        Ok(())
    }
}

/// Processor time of this program so far, to the hundredth of a second; zero where there is no `/proc`.
fn cpu_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold spaces; user and system time are the 12th and 13th field after it.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ').skip(11).take(2);
    Duration::from_millis(10 * fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
}

/// The most memory that this program had at once, in bytes; zero where there is no `/proc`.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    1024 * kilobytes.unwrap_or_default()
}

/// The numbers and words in `stats`, as a table.
fn print_stats(pipeline: &gst::Pipeline) {
    let Some(element) = pipeline.by_name("sr") else { return };
    println!("active-provider = {:?}", element.property::<String>("active-provider"));
    println!("[stats]");
    for (name, value) in element.property::<gst::Structure>("stats").iter() {
        match number(value) {
            Some(number) => println!("{name} = {number:?}"),
            None => println!("{name} = {:?}", value.get::<String>().unwrap_or_default()),
        }
    }
}

fn number(value: &glib::SendValue) -> Option<f64> {
    value.transform::<f64>().ok()?.get().ok().filter(|_| value.type_() != glib::Type::STRING)
}
