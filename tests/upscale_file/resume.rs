//! What is stopped or killed goes on where it was, and gives the same bytes.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::support::*;

/// A command that makes short segments.
fn command(output: &str, folder: &Path) -> std::process::Command {
    upscale(&["in.mkv", output, "--segment", "24"], folder)
}

fn start(output: &str, folder: &Path) -> Child {
    let mut command = command(output, folder);
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the program starts")
}

/// A film of ten segments and more, with sound and text.
fn film(folder: &Path) {
    make_film(folder, "in.mkv", "160x90", "yuv420p", 360);
    ffmpeg(
        &["-i", "in.mkv", "-map", "0", "-c", "copy", "-c:v", "libx264", "-g", "24", "cut.mkv"],
        folder,
    );
    fs::rename(folder.join("cut.mkv"), folder.join("in.mkv")).expect("a name");
}

fn bytes(file: &str, folder: &Path) -> Vec<u8> {
    fs::read(folder.join(file)).expect("the film can be read")
}

/// Waits until a segment is finished; how many are.
fn wait_for_segment(output: &str, folder: &Path) -> usize {
    let work = folder.join(format!("{output}.part"));
    let began = Instant::now();
    loop {
        let names = if work.is_dir() { files(&work) } else { Vec::new() };
        let count = names.iter().filter(|name| name.ends_with(".segment")).count();
        if count > 0 {
            return count;
        }
        assert!(began.elapsed() < Duration::from_secs(300), "no segment was finished");
        sleep(Duration::from_millis(2));
    }
}

fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

/// How many times a run is killed: `KIZUNA_KILLS`, else few.
fn kills() -> usize {
    std::env::var("KIZUNA_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(3)
}

fn survives_kills(whole: &str, killed: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    let began = Instant::now();
    succeed(command(whole, folder));
    let time = began.elapsed();
    let wanted = bytes(whole, folder);
    for kill in 0..kills() {
        let moment = time.mul_f64(random());
        let mut child = start(killed, folder);
        sleep(moment);
        child.kill().expect("the program can be killed");
        child.wait().expect("the program ends");
        let was_done = folder.join(killed).exists();
        if was_done {
            assert_eq!(bytes(killed, folder), wanted, "what bears the name is complete");
        }
        let work = folder.join(format!("{killed}.part"));
        // Killed before the very last step: what is empty does not say that the film is there.
        let _ = fs::remove_dir(&work);
        if !was_done || work.exists() {
            let again = succeed(command(killed, folder));
            let kept = String::from_utf8_lossy(&again.stdout).contains("kept=");
            eprintln!("{killed}, kill {kill} after {moment:?}: done {was_done}, kept {kept}");
        }
        assert!(bytes(killed, folder) == wanted, "kill {kill} after {moment:?}: other bytes");
        assert!(!work.exists(), "the work folder is left");
        fs::remove_file(folder.join(killed)).expect("the film can be removed");
    }
}

#[test]
fn matroska_survives_kills() {
    survives_kills("whole.mkv", "killed.mkv");
}

#[test]
fn mp4_survives_kills() {
    survives_kills("whole.mp4", "killed.mp4");
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    let child = start("out.mkv", folder);
    wait_for_segment("out.mkv", folder);
    tool("kill", &["-INT", &child.id().to_string()], folder);
    let output = child.wait_with_output().expect("the program ends");
    // It stopped in the middle.
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("run the same command again"), "{}", stderr(&output));
    assert!(!folder.join("out.mkv").exists());

    let again = succeed(command("out.mkv", folder));
    let figures = String::from_utf8_lossy(&again.stdout).into_owned();
    assert!(figures.starts_with("frames=360 ") && figures.contains(" kept="), "{figures}");
    assert!(!folder.join("out.mkv.part").exists());
}

/// Starts a run and kills it when a segment is finished.
fn begin(output: &str, folder: &Path) {
    let mut child = start(output, folder);
    wait_for_segment(output, folder);
    child.kill().expect("the program can be killed");
    child.wait().expect("the program ends");
}

/// Asserts that a run is refused, says why, and leaves everything as it is.
fn refused(more: &[&str], why: &str, folder: &Path) {
    let work = folder.join("out.mkv.part");
    let kept = || -> Vec<_> {
        files(&work).into_iter().filter(|name| !name.ends_with(".draft")).collect()
    };
    let before = kept();
    let mut command = command("out.mkv", folder);
    command.args(more);
    let output = run(command);
    assert!(!output.status.success(), "{more:?}");
    assert!(stderr(&output).contains(why), "{more:?}: {}", stderr(&output));
    assert_eq!(kept(), before, "{more:?}");
}

#[test]
fn other_work_is_neither_mixed_in_nor_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    begin("out.mkv", folder);
    refused(&["--crf", "30"], "--crf was 16 and is 30 now; --fresh", folder);
    refused(&["--scale", "1.5"], "scale was not given and is 1.5 now", folder);
    fs::rename(folder.join("in.mkv"), folder.join("first.mkv")).expect("a name");
    let other = ["-i", "first.mkv", "-map", "0:v", "-vf", "negate", "-g", "24", "in.mkv"];
    ffmpeg(&other, folder);
    refused(&[], "the film is another one now; --fresh", folder);
    fs::rename(folder.join("first.mkv"), folder.join("in.mkv")).expect("a name");
    for file in ["manifest.toml", "pinned.toml"] {
        let path = folder.join("out.mkv.part").join(file);
        let good = fs::read(&path).expect("a file");
        fs::write(&path, "noise").expect("a file");
        refused(&[], &format!("{file}; --fresh"), folder);
        fs::write(&path, good).expect("a file");
    }
    let pinned = folder.join("out.mkv.part/pinned.toml");
    let text = fs::read_to_string(&pinned).expect("a file");
    fs::write(&pinned, text.replace("embedded (", "embedded (another ")).expect("a file");
    refused(&[], "the network was run by embedded (another ", folder);
    fs::write(&pinned, text).expect("a file");
    let kept = succeed(command("out.mkv", folder));
    assert!(String::from_utf8_lossy(&kept.stdout).contains("kept="));

    fs::remove_file(folder.join("out.mkv")).expect("the film can be removed");
    begin("out.mkv", folder);
    let mut fresh = command("out.mkv", folder);
    fresh.args(["--crf", "30", "--fresh"]);
    let output = succeed(fresh);
    assert!(!String::from_utf8_lossy(&output.stdout).contains("kept="));
}

/// All states in which a run can be killed when the film is complete.
#[test]
fn a_complete_film_gets_its_name_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    begin("out.mkv", folder);
    let (work, out) = (folder.join("out.mkv.part"), folder.join("out.mkv"));
    fs::copy(work.join("manifest.toml"), work.join("complete")).expect("a file");
    fs::write(work.join("joined"), "film").expect("a file");
    fs::write(&out, "another's").expect("a file");
    // A file has appeared in the meantime.
    refused(&[], "out.mkv exists", folder);
    refused(&["--crf", "30"], "out.mkv exists", folder);
    assert_eq!(bytes("out.mkv", folder), b"another's");
    let again = |more: &[&str]| {
        let mut command = command("out.mkv", folder);
        command.args(more);
        String::from_utf8_lossy(&succeed(command).stdout).into_owned()
    };
    // Before the film got its name.
    assert!(again(&["--force"]).contains("complete=already"));
    assert_eq!(bytes("out.mkv", folder), b"film");
    assert!(!work.exists());

    // While the folder was removed.
    fs::remove_file(&out).expect("the film can be removed");
    begin("out.mkv", folder);
    fs::rename(work.join("manifest.toml"), work.join("complete")).expect("a file");
    fs::write(&out, "film").expect("a file");
    refused(&["--crf", "30"], "out.mkv exists", folder);
    assert!(again(&[]).contains("complete=already"));
    assert_eq!(bytes("out.mkv", folder), b"film");
    assert!(!work.exists());

    // The film was taken away then.
    fs::remove_file(&out).expect("the film can be removed");
    begin("out.mkv", folder);
    fs::copy(work.join("manifest.toml"), work.join("complete")).expect("a file");
    assert!(again(&[]).contains("kept="));
    assert_eq!(video("out.mkv", folder), "320,180,yuv420p,360");
}

#[test]
fn two_runs_at_once_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    let mut first = start("out.mkv", folder);
    wait_for_segment("out.mkv", folder);
    tool("kill", &["-STOP", &first.id().to_string()], folder);
    let second = run(command("out.mkv", folder));
    assert!(!second.status.success());
    assert!(stderr(&second).contains("another run is at work"), "{}", stderr(&second));
    tool("kill", &["-CONT", &first.id().to_string()], folder);
    assert!(first.wait().expect("the program ends").success());
    assert_eq!(video("out.mkv", folder), "320,180,yuv420p,360");
}

#[test]
fn a_damaged_segment_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    film(folder);
    let mut child = start("out.mkv", folder);
    wait_for_segment("out.mkv", folder);
    child.kill().expect("the program can be killed");
    child.wait().expect("the program ends");
    let segment = folder.join("out.mkv.part/00000.segment");
    let mut bytes = fs::read(&segment).expect("a segment");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&segment, bytes).expect("a segment");
    let output = run(command("out.mkv", folder));
    assert!(!output.status.success());
    assert!(stderr(&output).contains("00000.segment is damaged"), "{}", stderr(&output));
    assert!(!folder.join("out.mkv").exists());
    fs::remove_file(&segment).expect("the segment can be removed");
    succeed(command("out.mkv", folder));
}
