//! Elements, pipelines and child processes.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{LazyLock, Once};

use gst::prelude::*;
use gst_check::Harness;
use tempfile::TempDir;

pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstkizuna::plugin_register_static().unwrap();
    });
}

/// Whoever works with OpenGL in this process: one at a time, as stock elements end EGL's display for everybody.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    init();
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

pub fn harness(element: &gst::Element) -> Harness {
    Harness::with_element(element, Some("sink"), Some("src"))
}

/// Video caps with a frame rate; `rest` begins with the format.
pub fn video(rest: &str) -> gst::Caps {
    format!("video/x-raw,framerate=25/1,format={rest}").parse().unwrap()
}

/// A buffer of frames of `caps`, all bytes 100.
pub fn buffer(caps: &gst::Caps) -> gst::Buffer {
    let info = gst_video::VideoInfo::from_caps(caps).unwrap();
    gst::Buffer::from_mut_slice(vec![100_u8; info.size()])
}

pub fn info(pad: &gst::Pad) -> gst_video::VideoInfo {
    gst_video::VideoInfo::from_caps(&pad.current_caps().expect("no caps")).unwrap()
}

pub fn stat<T: for<'a> gst::glib::value::FromValue<'a> + Send + Sync + 'static>(
    element: &gst::Element,
    field: &str,
) -> T {
    element.property::<gst::Structure>("stats").get(field).unwrap()
}

/// What a pipeline said until its end.
#[derive(Debug, Default)]
pub struct Said {
    pub errors: Vec<(gst::glib::Error, String)>,
    /// Without those that say how slow the machine is.
    pub warnings: Vec<String>,
    pub slow: Vec<String>,
    pub infos: Vec<String>,
}

impl Said {
    /// The first error's text.
    pub fn error(&self) -> &str {
        self.errors.first().map_or("", |(e, _)| e.message())
    }
}

/// Plays a launch line to its end.
pub fn play(line: &str) -> Said {
    init();
    play_pipeline(gst::parse::launch(line).unwrap_or_else(|e| panic!("{line}: {e}")))
}

/// Plays `pipeline` to its end, or to its first error, and stops it.
pub fn play_pipeline(pipeline: gst::Element) -> Said {
    let said = play_to_the_end(&pipeline);
    pipeline.set_state(gst::State::Null).unwrap();
    said
}

/// The same, without the stop.
pub fn play_to_the_end(pipeline: &gst::Element) -> Said {
    let bus = pipeline.bus().unwrap();
    let _ = pipeline.set_state(gst::State::Playing);
    let mut said = Said::default();
    loop {
        let Some(message) = bus.timed_pop(gst::ClockTime::from_seconds(60)) else {
            panic!("nothing happens: {said:?}")
        };
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(e) => {
                said.errors.push((e.error(), e.src().map(|s| s.name().into()).unwrap_or_default()));
                break;
            }
            gst::MessageView::Warning(w) => {
                let text = String::from(w.error().message());
                let is_slow = text.starts_with("a frame takes");
                if is_slow { said.slow.push(text) } else { said.warnings.push(text) }
            }
            gst::MessageView::Info(i) => said.infos.push(i.error().message().into()),
            _ => {}
        }
    }
    said
}

/// A plugin folder with the plugin as it was built, and a registry of its own.
static INSTALLED: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let exe = std::env::current_exe().unwrap();
    let name = format!("{}gstkizuna{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let plugins = dir.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::copy(exe.with_file_name(&name), plugins.join(&name)).unwrap();
    #[cfg(unix)]
    open_to_all(dir.path());
    // Scans all plugins once, before tests ask for it side by side.
    let found = tool_in(dir.path(), "gst-inspect-1.0").arg("kizunasr").output().unwrap();
    assert!(found.status.success(), "{found:?}");
    dir
});

/// Lets other users look into `dir`.
#[cfg(unix)]
pub fn open_to_all(dir: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A GStreamer tool that finds the plugin as it was built, and dies of a critical message.
pub fn tool(name: &str) -> Command {
    tool_in(INSTALLED.path(), name)
}

fn tool_in(dir: &Path, name: &str) -> Command {
    let mut command = Command::new(name);
    command
        .env("GST_PLUGIN_PATH", dir.join("plugins"))
        .env("GST_REGISTRY", dir.join("registry.bin"))
        .env("KIZUNA_MODEL_PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/models"))
        .env("G_DEBUG", "fatal-criticals");
    command
}

/// `gst-launch-1.0` with a line.
pub fn launch(line: &str) -> Command {
    let mut command = tool("gst-launch-1.0");
    command.args(line.split_ascii_whitespace().map(OsStr::new));
    command
}

/// Where decodebin3 of 1.22 is at work, which may stand still before any decoder is there, whatever the filter.
const OF_DECODEBIN3: [&str; 4] =
    ["playbin3", "uritranscodebin", "gst-transcoder-1.0", "/usr/bin/python3"];

/// Runs a program to its end; one that hangs is ended. One that stood still (none of our pads was told of, as by `-v`) is run
/// again.
pub fn run(command: &Command) -> Output {
    let mut words = std::iter::once(command.get_program()).chain(command.get_args());
    let may_stand_still = words.any(|word| OF_DECODEBIN3.iter().any(|name| word == *name));
    let stood_still = |o: &Output| o.status.code() == Some(124) && !text(o).contains("GstKizuna");
    let mut output = watched(command).output().unwrap();
    for _ in 0..2 {
        if may_stand_still && stood_still(&output) {
            output = watched(command).output().unwrap();
        }
    }
    output
}

fn watched(command: &Command) -> Command {
    let mut watched = Command::new("timeout");
    watched.arg("120").arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => watched.env(name, value),
            None => watched.env_remove(name),
        };
    }
    watched
}

/// All that a program wrote.
pub fn text(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs a launch line in a program of its own, and looks for objects that are left.
pub fn assert_nothing_leaks(line: &str) {
    let left = left_by(&mut launch(line));
    assert!(left.is_empty(), "{line}: {left:#?}");
}

/// Runs a program of GStreamer's; objects that are left at its end.
pub fn left_by(command: &mut Command) -> Vec<String> {
    command.env("GST_TRACERS", "leaks").env("GST_DEBUG", "GST_TRACER:7");
    let text = text(&run(command.env("GST_DEBUG_NO_COLOR", "1")));
    assert!(text.contains("object-alive") && !text.contains("CRITICAL"), "{command:?}: {text}");
    // The tracer tells its formats first.
    let alive = |l: &&str| l.contains("object-alive, ") && !l.contains("new format string");
    text.lines().filter(alive).map(str::to_owned).collect()
}

/// Runs the test of this name once more, in a program of its own, so that its objects and its memory are this test's alone:
/// after `warm_up`, `work` must leave as many objects of GStreamer as there were, and memory must not grow.
pub fn leaves_nothing_behind(test: &str, warm_up: impl FnOnce(), work: impl FnOnce()) {
    const MARK: &str = "KIZUNA_TEST_LEAKS";
    if std::env::var_os(MARK).is_none() {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture"]).env(MARK, "1").env("GST_TRACERS", "leaks");
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        return;
    }
    init();
    warm_up();
    let before = memory();
    let tracer = gst::active_tracers().into_iter().next().expect("the leaks tracer");
    tracer.emit_by_name::<()>("activity-start-tracking", &[]);
    work();
    let (created, removed) = {
        let tracked = tracer.emit_by_name::<gst::Structure>("activity-get-checkpoint", &[]);
        let count = |list| tracked.get::<gst::List>(list).map_or(0, |list| list.len());
        (count("objects-created-list"), count("objects-removed-list"))
    };
    tracer.emit_by_name::<()>("activity-stop-tracking", &[]);
    assert!(created > 100, "nothing was tracked");
    // Pools of threads and the like are made once and stay.
    assert!(removed + 8 >= created, "{created} objects came, {removed} went");
    let grown = memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
}

/// Bytes of this process in memory.
pub fn memory() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}
