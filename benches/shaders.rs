//! What a frame costs in `kizunashader`, pass by pass.
//!
//! ```text
//! cargo bench --bench shaders -- [--gl] [FRAMES] [WIDTHxHEIGHT] [FORMAT] [PROPERTY=VALUE]...
//! ```
//!
//! Frames come from memory and go to memory; with `--gl` they come in textures and go in textures. The first ones, in which programs are
//! compiled, are not counted. Passes are timed by the device's own clock.

use std::time::Instant;

use gst::prelude::*;

/// Frames before the clock starts.
const FIRST: usize = 5;

fn main() {
    let mut arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let is_gl = arguments.iter().any(|argument| argument == "--gl");
    arguments.retain(|argument| argument != "--gl");
    let properties = arguments.iter().position(|a| a.contains('='));
    let properties = arguments.split_off(properties.unwrap_or(arguments.len()));
    let argument = |i: usize, default: &str| arguments.get(i).cloned().unwrap_or(default.into());
    let frames: usize = argument(0, "50").parse().expect("FRAMES is a number");
    let size = argument(1, "640x360");
    let (width, height) = size.split_once('x').expect("the size is WIDTHxHEIGHT");
    let format = argument(2, "I420");

    gst::init().expect("GStreamer starts");
    gstkizuna::plugin_register_static().expect("the plugin registers");
    let caps = format!("video/x-raw,format={format},width={width},height={height},framerate=25/1");
    let (upload, out) = match is_gl {
        true => ("glupload !", "video/x-raw(memory:GLMemory)".to_owned()),
        false => ("", format!("video/x-raw,format={format}")),
    };
    let line = format!(
        "videotestsrc num-buffers={} pattern=ball ! {caps} ! {upload} kizunashader name=shader {} ! {out} ! fakesink name=end sync=false",
        frames + FIRST,
        properties.join(" ")
    );
    let pipeline = gst::parse::launch(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
    let pipeline = pipeline.downcast::<gst::Pipeline>().expect("a pipeline");
    let shader = pipeline.by_name("shader").expect("it is there");
    let seconds = |stats: &gst::Structure| stats.get::<f64>("seconds").unwrap_or_default();
    let (tell, told) = std::sync::mpsc::channel();
    let counted = shader.clone();
    let seen = std::sync::atomic::AtomicUsize::new(0);
    let end = pipeline.by_name("end").and_then(|e| e.static_pad("sink")).expect("a sink");
    end.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        if seen.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1 == FIRST {
            let stats = counted.property::<gst::Structure>("stats");
            let _ = tell.send((Instant::now(), stats.get::<f64>("seconds").unwrap_or_default()));
        }
        gst::PadProbeReturn::Ok
    });
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let bus = pipeline.bus().expect("a bus");
    let message = bus.timed_pop_filtered(
        gst::ClockTime::from_seconds(600),
        &[gst::MessageType::Eos, gst::MessageType::Error],
    );
    let stats = shader.property::<gst::Structure>("stats");
    match message.as_ref().map(|m| m.view()) {
        Some(gst::MessageView::Eos(_)) => {}
        Some(gst::MessageView::Error(e)) => panic!("{}", e.error()),
        _ => panic!("nothing happens"),
    }
    let (begun, before) = told.recv().expect("frames came");
    let wall = begun.elapsed().as_secs_f64() * 1e3 / frames as f64;
    let own = (seconds(&stats) - before) * 1e3 / frames as f64;
    pipeline.set_state(gst::State::Null).expect("it stops");
    println!("{}", stats.get::<&str>("device").unwrap_or_default());
    let mut passes = 0.0;
    for pass in stats.get::<gst::Array>("passes").unwrap_or_default().iter() {
        let pass = pass.get::<gst::Structure>().expect("a structure");
        let milliseconds = pass.get::<f64>("milliseconds").unwrap_or_default();
        passes += milliseconds;
        println!("{milliseconds:9.3} ms  {}", pass.get::<&str>("name").unwrap_or_default());
    }
    println!("{passes:9.3} ms  all passes of a frame on the device");
    println!("{own:9.3} ms  a frame in the element");
    println!("{wall:9.3} ms  a frame of the pipeline");
}
