//! In programs of their own: other versions of OpenGL, no display, a window.

use std::process::{Command, Output};

use crate::screen::Screen;
use crate::support::*;

const SOURCE: &str = "videotestsrc num-buffers=3 pattern=ball ! video/x-raw,format=I420,width=64,height=36,framerate=25/1";

/// `gst-launch-1.0` with a line, without anything in its environment that says how OpenGL is to be had.
fn bare(line: &str) -> Command {
    let mut command = launch(line);
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "GST_GL_WINDOW", "GST_GL_PLATFORM", "GST_GL_API"] {
        command.env_remove(name);
    }
    command.env("GST_DEBUG", "kizunashader:4").env("GST_DEBUG_NO_COLOR", "1");
    command
}

/// Whether it went well, and what OpenGL it was.
fn device(output: &Output) -> String {
    let text = text(output);
    assert!(output.status.success(), "{text}");
    let line = text.lines().find_map(|line| line.split_once("runs on "));
    line.unwrap_or_else(|| panic!("{text}")).1.to_owned()
}

#[test]
fn no_display_and_no_variable_are_needed() {
    let _alone = alone();
    for line in [
        format!("{SOURCE} ! kizunashader ! fakesink"),
        format!("{SOURCE} ! kizunashader ! kizunashader scale=1 ! fakesink"),
        format!(
            "{SOURCE} ! glupload ! glcolorconvert ! kizunashader ! video/x-raw,format=RGBA ! fakesink"
        ),
    ] {
        device(&bare(&line).output().unwrap());
    }
}

/// From OpenGL 4.5 down to 3.3, and OpenGL ES from 3.2 down to 3.0; Mesa can pretend to be older than it is.
#[test]
fn older_versions_run_what_they_can() {
    let _alone = alone();
    let es = [("GST_GL_API", "gles2")];
    let with = |line: &str, variables: &[(&str, &str)]| {
        let mut command = bare(line);
        command.envs(variables.iter().copied()).output().unwrap()
    };
    let stages = format!("{SOURCE} ! kizunashader ! fakesink");
    let old = [("MESA_GL_VERSION_OVERRIDE", "3.3"), ("MESA_GLSL_VERSION_OVERRIDE", "330")];
    let old_es = [es[0], ("MESA_GLES_VERSION_OVERRIDE", "3.0")];
    assert!(device(&with(&stages, &es)).starts_with("OpenGL ES 3.2"));
    if !device(&with(&stages, &old)).starts_with("3.3") {
        skip!("this driver does not pretend to be OpenGL 3.3");
        return;
    }
    assert!(device(&with(&stages, &old_es)).starts_with("OpenGL ES 3.0"));

    let compute = shader("compute.glsl");
    let line = format!("{SOURCE} ! kizunashader stages=0 shaders={compute} ! fakesink");
    device(&with(&line, &es));
    for variables in [&old[..], &old_es[..]] {
        let output = with(&line, variables);
        let wanted = format!("{compute}:2: compute shaders need OpenGL 4.3 or OpenGL ES 3.1");
        assert!(!output.status.success());
        assert!(text(&output).contains(&wanted), "{}", text(&output));
    }
}

#[test]
fn a_window_shows_it() {
    let _alone = alone();
    let Some(screen) = Screen::open() else {
        skip!("there is no Xvfb");
        return;
    };
    for line in [
        format!("{SOURCE} ! kizunashader ! glimagesink sync=false"),
        format!(
            "{SOURCE} ! tee name=t t. ! queue ! kizunashader ! glimagesink sync=false t. ! queue ! kizunashader quality=fast ! fakesink"
        ),
        format!("{SOURCE} ! kizunashader ! kizunashader scale=1 ! glimagesink sync=false"),
    ] {
        for platform in ["glx", "egl"] {
            let mut command = bare(&line);
            command.env("DISPLAY", &screen.name).env("GST_GL_PLATFORM", platform);
            device(&command.output().unwrap());
        }
    }
}

/// Compiled programs are kept, used again, and damage to them is no harm.
#[test]
fn programs_are_kept_on_disk() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let line = format!(
        "{SOURCE} ! kizunashader quality=fast program-cache={} ! fakesink",
        folder.path().display()
    );
    let files = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        let mut files: Vec<_> = entries.map(|e| e.unwrap().path()).collect();
        files.sort();
        files
    };
    device(&bare(&line).output().unwrap());
    let first = files();
    if first.is_empty() {
        skip!("this driver does not give programs away");
        return;
    }
    device(&bare(&line).output().unwrap());
    assert_eq!(files(), first);
    for path in &first {
        let mut text = std::fs::read(path).unwrap();
        let middle = text.len() / 2;
        text[middle] ^= 1;
        std::fs::write(path, text).unwrap();
    }
    device(&bare(&line).output().unwrap());
}
