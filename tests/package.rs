//! What an installation has beside the plugin: presets, encoding targets, manual pages, and the Debian package's list of files.

#[path = "support/pipelines.rs"]
mod pipelines;

#[path = "support/skip.rs"]
#[macro_use]
mod skip;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gst::glib;
use gst::prelude::*;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The programs, as examples and as they are installed.
const PROGRAMS: [(&str, &str); 2] = [("upscale_file", "kizuna-upscale"), ("play", "kizuna-play")];

fn root(path: &str) -> PathBuf {
    Path::new(ROOT).join(path)
}

fn read(path: &str) -> String {
    fs::read_to_string(root(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Whether a program ends well whose output nobody reads, as behind `| head -0`.
fn is_well_unread(command: &mut Command) -> bool {
    let mut program = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(program.stdout.take());
    program.wait().unwrap().success()
}

fn manifest() -> toml::Table {
    read("Cargo.toml").parse().unwrap()
}

/// The files that a list of the package's sources means.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = root(pattern);
    let Some((before, after)) = path.file_name().unwrap().to_str().unwrap().split_once('*') else {
        return Some(path).filter(|path| path.is_file()).into_iter().collect();
    };
    let is_meant = |name: &str| name.starts_with(before) && name.ends_with(after);
    fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| is_meant(path.file_name().unwrap().to_str().unwrap()))
        .collect()
}

#[test]
fn every_file_of_the_debian_package_is_there_or_made_by_building_it() {
    let manifest = manifest();
    let deb = &manifest["package"]["metadata"]["deb"];
    let assets = deb["assets"].as_array().unwrap();
    let mut installed = BTreeSet::new();
    for asset in assets {
        let [source, target] = [0, 1].map(|i| asset[i].as_str().unwrap());
        if source.starts_with("target/") {
            installed.insert(target.to_owned());
            continue;
        }
        let files = matching(source);
        assert!(!files.is_empty(), "{source} means no file");
        for file in files {
            let name = file.file_name().unwrap().to_str().unwrap();
            let renamed = !target.ends_with('/');
            installed.insert(if renamed { target.into() } else { format!("{target}{name}") });
        }
    }
    for (_, program) in PROGRAMS {
        assert!(installed.contains(&format!("usr/bin/{program}")), "{installed:?}");
        assert!(installed.contains(&format!("usr/share/man/man1/{program}.1")), "{installed:?}");
    }
    let changelog = read(deb["changelog"].as_str().unwrap());
    let version = manifest["package"]["version"].as_str().unwrap();
    let revision = deb["revision"].as_str().unwrap();
    let first = format!("{} ({version}-{revision}) ", deb["name"].as_str().unwrap());
    assert!(changelog.starts_with(&first), "{changelog}");
    assert!(read("meson.build").contains(&format!("version: '{version}'")));
}

#[test]
fn the_copyright_file_knows_every_network() {
    let copyright = read("data/debian/copyright");
    let files: Vec<_> = copyright
        .lines()
        .filter_map(|line| line.strip_prefix("Files: "))
        .flat_map(str::split_whitespace)
        .filter_map(|pattern| pattern.strip_prefix("models/")?.strip_suffix('*'))
        .collect();
    for card in matching("models/*.toml") {
        let name = card.file_stem().unwrap().to_str().unwrap();
        assert!(files.iter().any(|start| name.starts_with(start)), "{name}: {files:?}");
        let card: toml::Table = fs::read_to_string(&card).unwrap().parse().unwrap();
        let notice = read(&format!("models/{}", card["notice"].as_str().unwrap()));
        let holder = notice.lines().find(|line| line.starts_with("Copyright (")).unwrap();
        let who = holder.split_whitespace().skip(3).collect::<Vec<_>>().join(" ");
        assert!(copyright.contains(&who), "{name}: {who}");
    }
}

/// Words of `text` that are long options.
fn options(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c == '-';
    text.split(|c: char| !is_part(c))
        .filter(|word| word.strip_prefix("--").is_some_and(|name| name.len() > 1))
        .map(Into::into)
        .collect()
}

#[test]
fn manual_pages_have_the_options_of_their_programs() {
    let examples = std::env::current_exe().unwrap().parent().unwrap().with_file_name("examples");
    for (example, program) in PROGRAMS {
        let page = read(&format!("docs/man/{program}.1"));
        let version = manifest()["package"]["version"].as_str().unwrap().to_owned();
        assert!(page.contains(&format!("\"kizuna {version}\"")), "{page}");
        let path = examples.join(format!("{example}{}", std::env::consts::EXE_SUFFIX));
        assert!(path.is_file(), "{} is missing; cargo build --examples", path.display());
        assert!(is_well_unread(Command::new(&path).arg("--help")), "{}", path.display());
        let help = Command::new(path).arg("--help").output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.starts_with(&format!("{example}{} ", std::env::consts::EXE_SUFFIX)), "{help}");
        let described: String = page
            .lines()
            .skip_while(|line| *line != ".SH OPTIONS")
            .skip(1)
            .take_while(|line| !line.starts_with(".SH"))
            .collect::<Vec<_>>()
            .join("\n")
            .replace('\\', "");
        let mut expected = options(&help);
        expected.insert("--help".into());
        assert_eq!(options(&described), expected, "{program}");
    }
}

#[test]
fn manual_pages_are_read_without_a_warning() {
    for (_, program) in PROGRAMS {
        let page = root(&format!("docs/man/{program}.1"));
        let groff =
            Command::new("groff").args(["-man", "-ww", "-Tutf8", "-P-cbou"]).arg(&page).output();
        let Ok(read) = groff else {
            skip!("manual pages: there is no groff");
            return;
        };
        let said = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success() && said.is_empty(), "{program}: {said}");
        assert!(String::from_utf8_lossy(&read.stdout).contains("SYNOPSIS"));
    }
}

/// Where the tests that follow look for presets, and what says that this is the program that looks.
const PRESETS: &str = "GST_PRESET_PATH";

#[test]
fn presets_set_what_their_files_say() {
    let folder = root("data/presets");
    if std::env::var_os(PRESETS).is_none_or(|path| folder != Path::new(&path)) {
        // GStreamer reads the variable of its own program, and presets of the user's would be mixed in.
        let home = tempfile::tempdir().unwrap();
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "presets_set_what_their_files_say", "--nocapture"])
            .env(PRESETS, &folder)
            .env("XDG_DATA_HOME", home.path())
            .output()
            .unwrap();
        assert!(child.status.success(), "{}", pipelines::text(&child));
        return;
    }
    pipelines::init();
    check("kizunasr", "GstKizunaSr", &["fast", "film", "paused frame"]);
    check("kizunashader", "GstKizunaShader", &["balanced", "fast", "high"]);
    check("kizunaupscale", "GstKizunaUpscale", &["batch", "export", "hybrid", "realtime"]);
}

/// Loads each preset after each other one, so that what one sets and the other leaves alone would show.
fn check(element: &str, type_name: &str, names: &[&str]) {
    let file = glib::KeyFile::new();
    let path = root(&format!("data/presets/{type_name}.prs"));
    file.load_from_file(path, glib::KeyFileFlags::NONE).unwrap();
    assert_eq!(file.string("_presets_", "element-name").unwrap(), type_name);
    let make = || gst::ElementFactory::make(element).build().unwrap();
    assert_eq!(make().type_().name(), type_name);

    let found = make().dynamic_cast::<gst::Preset>().unwrap().preset_names();
    assert_eq!(found.iter().map(|name| name.as_str()).collect::<Vec<_>>(), names, "{element}");
    for (first, second) in names.iter().flat_map(|a| names.iter().map(move |b| (a, b))) {
        let (loaded, typed) = (make(), make());
        let preset = loaded.dynamic_cast_ref::<gst::Preset>().unwrap();
        preset.load_preset(first).unwrap();
        preset.load_preset(second).unwrap();
        for key in file.keys(second).unwrap().iter().filter(|key| !key.starts_with("_meta")) {
            typed.set_property_from_str(key, &file.string(second, key).unwrap());
        }
        for property in loaded.list_properties() {
            let own = property.owner_type() == loaded.type_();
            // No preset has a structure, and none that is set cannot be written as text.
            let is_text = property.value_type() != gst::Structure::static_type();
            if own && is_text && property.flags().contains(glib::ParamFlags::READWRITE) {
                let of = |e: &gst::Element| {
                    e.property_value(property.name()).serialize().map(|text| text.to_string())
                };
                let message = format!("{element} {first}, {second}: {}", property.name());
                assert_eq!(of(&loaded).ok(), of(&typed).ok(), "{message}");
            }
        }
    }
    let settings = |name: &&str| {
        let keys = file.keys(name).unwrap();
        let values = keys.iter().filter(|key| !key.starts_with("_meta"));
        values.map(|key| file.string(name, key).unwrap().to_string()).collect::<Vec<_>>()
    };
    let different: BTreeSet<_> = names.iter().map(settings).collect();
    assert_eq!(different.len(), names.len(), "two presets of {element} are the same");
}

#[test]
fn encoding_targets_are_found_and_encode() {
    let folder = tempfile::tempdir().unwrap();
    for (profile, start) in [("mp4", &b"ftyp"[..]), ("mkv", &b"matroska"[..])] {
        let film = folder.path().join(profile);
        let line = format!(
            "videotestsrc num-buffers=5 ! video/x-raw,width=64,height=48,framerate=25/1 ! kizunasr ! queue ! e.video_0 \
             audiotestsrc num-buffers=10 ! queue ! audioconvert ! audioresample ! e.audio_0 \
             encodebin2 name=e profile=kizuna/{profile} ! filesink location={}",
            film.display()
        );
        let output = pipelines::launch(&line)
            .env("GST_ENCODING_TARGET_PATH", root("data/encoding-profiles"))
            .env_remove("G_DEBUG")
            .output()
            .unwrap();
        assert!(output.status.success(), "{profile}: {}", pipelines::text(&output));
        let bytes = fs::read(&film).unwrap();
        let has = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
        assert!(has(start), "{profile} is another kind of file");
        let codecs: [&[u8]; 2] =
            if profile == "mp4" { [b"avc1", b"mp4a"] } else { [b"V_MPEG4/ISO/AVC", b"A_AAC"] };
        assert!(codecs.iter().all(|codec| has(codec)), "{profile} has other codecs");
    }
}
