//! Bundles are cut and joined, packed twice, and run in an empty root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::*;

fn root() -> PathBuf {
    crate::root()
}

/// Bytes that do not repeat.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

fn join(parts: &Path, arguments: &[&Path]) -> (bool, String) {
    let said = Command::new("sh").arg(parts.join("join.sh")).args(arguments).output().unwrap();
    (said.status.success(), String::from_utf8_lossy(&said.stderr).into_owned())
}

#[test]
fn parts_are_joined_to_the_whole_or_not_at_all() {
    let place = tempfile::tempdir().unwrap();
    let (parts, out) = (place.path().join("the parts"), place.path().join("out"));
    fs::create_dir(&parts).unwrap();
    fs::create_dir(&out).unwrap();
    let archive = place.path().join("kizuna.tar.gz");
    let bytes = noise(10_500);
    fs::write(&archive, &bytes).unwrap();
    assert_eq!(split::write(&archive, 1024, &parts).unwrap(), 11);

    let sums = Command::new("sha256sum")
        .args(["--check", "--ignore-missing", "SHA256SUMS"])
        .current_dir(&parts)
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&sums.stdout).matches(": OK").count(), 11);

    let whole = out.join("kizuna.tar.gz");
    assert_eq!(join(&parts, &[&out]), (true, String::new()));
    assert_eq!(fs::read(&whole).unwrap(), bytes);
    // Without a folder, beside the parts.
    assert!(join(&parts, &[]).0);
    assert_eq!(fs::read(parts.join("kizuna.tar.gz")).unwrap(), bytes);

    fs::remove_file(&whole).unwrap();
    let [third, last] = ["002", "010"].map(|n| parts.join(format!("kizuna.tar.gz.part-{n}")));
    let mut damaged = fs::read(&third).unwrap();
    damaged[500] ^= 1;
    fs::write(&third, damaged).unwrap();
    fs::remove_file(&last).unwrap();
    let (is_well, said) = join(&parts, &[&out]);
    assert!(!is_well);
    assert!(said.contains("kizuna.tar.gz.part-002 is damaged"), "{said}");
    assert!(said.contains("kizuna.tar.gz.part-010 is missing"), "{said}");
    assert!(!said.contains("part-001"), "{said}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0, "something was joined");
}

#[test]
fn a_list_that_is_cut_off_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("kizuna.tar.gz");
    fs::write(&archive, noise(100)).unwrap();
    let parts = place.path().join("parts");
    fs::create_dir(&parts).unwrap();
    assert_eq!(split::write(&archive, 1000, &parts).unwrap(), 1);
    let list = parts.join("SHA256SUMS");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.lines().next().unwrap().to_owned() + "\n").unwrap();
    let (is_well, said) = join(&parts, &[]);
    assert!(!is_well && said.contains("SHA256SUMS is cut off"), "{said}");
}

#[test]
fn sizes_are_read() {
    for (text, bytes) in [("7", 7), ("2k", 2048), ("60M", 60 << 20), ("1G", 1 << 30)] {
        assert_eq!(parse_size(text).unwrap(), bytes, "{text}");
    }
    for text in ["", "M", "0", "60X", "60MB", "-1", "1.5G", "99999999999G"] {
        assert!(parse_size(text).is_err(), "{text}");
    }
}

#[test]
fn an_archive_is_the_same_for_the_same_files() {
    let place = tempfile::tempdir().unwrap();
    let make = |parent: &str, names: [&str; 3]| {
        let folder = place.path().join(parent).join("kizuna");
        fs::create_dir_all(folder.join("lib")).unwrap();
        for name in names {
            fs::write(folder.join(name), name).unwrap();
        }
        scripts::executable(&folder.join("run.sh"), "#!/bin/sh\n").unwrap();
        std::os::unix::fs::symlink("b", folder.join("lib/link")).unwrap();
        let archive = place.path().join(parent).join("a.tar.gz");
        archive::write(&folder, &archive).unwrap();
        fs::read(archive).unwrap()
    };
    let first = make("first", ["lib/b", "lib/a", "c"]);
    // Another second on the clock of files.
    let old = fs::File::options().write(true).open(place.path().join("first/kizuna/c")).unwrap();
    old.set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(first, make("second", ["c", "lib/a", "lib/b"]));
    archive::write(&place.path().join("first/kizuna"), &place.path().join("again")).unwrap();
    assert_eq!(first, fs::read(place.path().join("again")).unwrap());

    let mut list = Command::new("tar");
    list.arg("-tzvf").arg(place.path().join("again"));
    let list = String::from_utf8(list.output().unwrap().stdout).unwrap();
    let names: Vec<_> = list.lines().map(|line| line.split_whitespace().nth(5).unwrap()).collect();
    let expected = ["c", "lib", "lib/a", "lib/b", "lib/link", "run.sh"];
    assert_eq!(names, expected.map(|name| format!("kizuna/{name}")), "{list}");
    assert!(list.contains("-rwxr-xr-x 0/0") && list.contains("lib/link -> b"), "{list}");
}

#[test]
fn only_bundles_are_removed() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("README.txt"), "Somebody's own\n").unwrap();
    assert!(make_empty(place.path()).is_err());
    assert!(place.path().join("README.txt").is_file());
    scripts::write_readme(place.path()).unwrap();
    make_empty(place.path()).unwrap();
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}

#[test]
fn what_is_not_there_is_named() {
    let place = tempfile::tempdir().unwrap();
    let built = place.path().join("nothing");
    let out = Some(place.path().join("out"));
    let options = Options { out, built: Some(built), ..Options::default() };
    let error = format!("{:#}", run(&root(), &options).unwrap_err());
    assert!(error.contains("libgstkizuna.so is missing; `cargo build"), "{error}");
}

/// A folder with nothing in it but a shell, /proc, /tmp, and what was put there.
struct EmptyRoot(tempfile::TempDir);

/// Enters the folder $0 without a network. /proc is what every container has; OpenVINO waits for ever where there is neither it nor /sys.
const ENTER: &str = "mount -t proc proc \"$0/proc\" && exec chroot \"$0\" \"$@\"";

impl EmptyRoot {
    fn new(shell: &Path) -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["bin", "proc", "tmp"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::copy(shell, root.path().join("bin/sh")).unwrap();
        Self(root)
    }

    fn run(&self, words: &[&str]) -> Output {
        Command::new("timeout")
            .args(["--signal=KILL", "120", "unshare", "--net", "--mount", "--pid", "--fork"])
            .args(["sh", "-c", ENTER])
            .arg(self.0.path())
            .args(words)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .output()
            .unwrap()
    }

    /// What a pipeline leaves in /tmp/out.
    fn launch(&self, run: &str, pipeline: &str) -> Vec<u8> {
        let words = pipeline.split_whitespace();
        let words: Vec<_> = [run, "gst-launch-1.0", "-q"].into_iter().chain(words).collect();
        let said = self.run(&words);
        assert!(said.status.success(), "{pipeline}: {}", text(&said));
        let out = self.0.path().join("tmp/out");
        let bytes = fs::read(&out).unwrap();
        fs::remove_file(out).unwrap();
        bytes
    }
}

fn text(said: &Output) -> String {
    String::from_utf8_lossy(&[said.stdout.as_slice(), &said.stderr].concat()).into_owned()
}

/// Whether the kernel lets us be alone.
fn may_enter() -> bool {
    let probe = ["--net", "--mount", "--pid", "--fork", "mount", "-t", "tmpfs", "tmpfs", "/mnt"];
    Command::new("unshare").args(probe).output().is_ok_and(|said| said.status.success())
}

#[test]
fn a_bundle_upscales_in_an_empty_root_without_a_network() {
    let Some(shell) =
        ["/bin/busybox", "/usr/bin/busybox"].map(Path::new).into_iter().find(|p| p.is_file())
    else {
        skip!("bundle in an empty root: there is no busybox (Debian: busybox-static)");
        return;
    };
    if !may_enter() {
        skip!("bundle in an empty root: unshare and mount need root");
        return;
    }
    let empty = EmptyRoot::new(shell);
    if text(&empty.run(&["/bin/sh", "-c", "echo alone"])) != "alone\n" {
        skip!("bundle in an empty root: busybox is linked to libraries (Debian: busybox-static)");
        return;
    }
    let has_runtimes =
        ["onnxruntime", "openvino"].iter().all(|n| root().join("runtimes").join(n).is_dir());

    let place = tempfile::tempdir().unwrap();
    let built = std::env::current_exe().unwrap().parent().unwrap().with_file_name("");
    let options = Options {
        out: Some(place.path().join("kizuna")),
        gstreamer: true,
        models: Some(vec!["anime4k-m".into()]),
        built: Some(built),
        ..Options::default()
    };
    run(&root(), &options).unwrap();
    let unpacked = Command::new("tar")
        .arg("-xzf")
        .arg(place.path().join("kizuna.tar.gz"))
        .arg("-C")
        .arg(empty.0.path())
        .status()
        .unwrap();
    assert!(unpacked.success());

    let run = "/kizuna/run.sh";
    let programs = text(&empty.run(&[run]));
    assert!(
        programs.contains("  gst-launch-1.0\n  ") && programs.contains("  kizuna-upscale\n"),
        "{programs}"
    );
    let blacklist = text(&empty.run(&[run, "gst-inspect-1.0", "-b"]));
    assert!(blacklist.contains("Total count: 0 blacklisted"), "{blacklist}");

    let clip = empty.launch(
        run,
        "videotestsrc num-buffers=10 pattern=ball ! video/x-raw,width=64,height=48,framerate=25/1 ! x264enc ! mp4mux ! filesink location=/tmp/out",
    );
    fs::write(empty.0.path().join("tmp/clip.mp4"), clip).unwrap();
    let upscaled = |element: &str| {
        let frames = empty.launch(run, &format!(
            "filesrc location=/tmp/clip.mp4 ! decodebin ! {element} ! video/x-raw,format=I420,width=128,height=96 ! filesink location=/tmp/out"
        ));
        assert_eq!(frames.len(), 10 * 128 * 96 * 3 / 2, "{element}");
        frames
    };
    let embedded = upscaled("kizunasr model=anime4k-m provider=embedded");
    let alike = |frames: &[u8], most: u64, name: &str| {
        let differences = frames.iter().zip(&embedded).map(|(a, b)| u64::from(a.abs_diff(*b)));
        let sum: u64 = differences.sum();
        assert!(sum <= most * frames.len() as u64, "{name}: {sum}");
    };
    assert!(embedded.iter().max().unwrap() - embedded.iter().min().unwrap() > 150, "no ball");
    if has_runtimes {
        for provider in ["cpu", "openvino"] {
            alike(&upscaled(&format!("kizunasr model=anime4k-m provider={provider}")), 1, provider);
        }
    } else {
        skip!("bundle in an empty root: cpu and openvino, as runtimes/ is empty");
    }
    alike(&upscaled("kizunashader"), 4, "kizunashader");

    // Through a link, which needs a program that follows it.
    std::os::unix::fs::symlink("sh", empty.0.path().join("bin/readlink")).unwrap();
    std::os::unix::fs::symlink("../kizuna/run.sh", empty.0.path().join("bin/kizuna")).unwrap();
    let said = empty.run(&["/bin/kizuna", "kizuna-upscale", "/tmp/clip.mp4", "/tmp/film.mp4"]);
    assert!(text(&said).contains("frames=10 "), "{}", text(&said));
}
