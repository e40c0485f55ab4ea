//! Shader files to pass graphs, without OpenGL.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use gstkizuna::shader::{self, Device, Graph, Request, ShaderError, ShaderFile};
use gstkizuna::upscale::{ChromaSite, ColorSpec, Matrix, PixelFormat, Range, Size, VideoSpec};

#[path = "../support/hostile.rs"]
mod generated;

mod hostile;
mod syntax;

const COLOR: ColorSpec =
    ColorSpec { matrix: Matrix::Bt709, range: Range::Limited, site: ChromaSite::LEFT };

/// Frames of 64x36, made twice as large.
fn specs(format: PixelFormat) -> (VideoSpec, VideoSpec) {
    let spec = |width, height| VideoSpec { format, size: Size::new(width, height), color: COLOR };
    (spec(64, 36), spec(128, 72))
}

fn graph(
    format: PixelFormat,
    files: &[ShaderFile],
    params: &BTreeMap<String, f64>,
) -> Result<Graph, ShaderError> {
    let (input, output) = specs(format);
    let device = Device::desktop();
    shader::build(&Request { input, output, files, params, device: &device })
}

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/shader/files");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    files
}

/// Every file's passes are those in `graphs/`; `KIZUNA_WRITE=1` writes them anew.
#[test]
fn passes_are_those_of_the_snapshots() {
    let mut wrong = Vec::new();
    for path in files() {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let file = shader::parse(name, &fs::read_to_string(&path).unwrap()).unwrap();
        let mut text = String::new();
        for format in [PixelFormat::I420, PixelFormat::Rgba] {
            let graph = graph(format, std::slice::from_ref(&file), &BTreeMap::new()).unwrap();
            text += &format!("{}\n{graph}\n", format.name());
        }
        let snapshot = path.parent().unwrap().with_file_name("graphs").join(format!("{name}.txt"));
        if std::env::var_os("KIZUNA_WRITE").is_some() {
            fs::create_dir_all(snapshot.parent().unwrap()).unwrap();
            fs::write(&snapshot, &text).unwrap();
        }
        if fs::read_to_string(&snapshot).unwrap_or_default() != text {
            wrong.push(format!("{}:\n{text}", snapshot.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The fastest network's file is what its weights say.
#[test]
fn the_trained_network_is_the_one_that_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let training = root.join("training");
    let written = Command::new("python3")
        .args([training.join("write_shader.py"), training.join("fast.json")])
        .output()
        .unwrap();
    let ours = fs::read(root.join("src/shader/presets/upscale.glsl")).unwrap();
    assert!(written.stdout == ours, "{}", String::from_utf8_lossy(&written.stderr));
}

#[test]
fn a_result_is_kept_only_as_long_as_it_is_read() {
    let pass = |i: usize| {
        let bind = if i == 0 { "HOOKED".into() } else { format!("R{}", i - 1) };
        format!(
            "//!HOOK MAIN\n//!BIND {bind}\n//!SAVE R{i}\nvec4 hook() {{ return {bind}_tex({bind}_pos); }}\n"
        )
    };
    let text: String = (0..40).map(pass).collect();
    let file = shader::parse("chain", &text).unwrap();
    let graph = graph(PixelFormat::Rgba, &[file], &BTreeMap::new()).unwrap();
    let own_size = graph.slots.iter().filter(|s| s.size == Size::new(64, 36)).count();
    // Two by turns, and MAIN itself, which the scaler reads.
    assert_eq!(own_size, 3, "{graph}");
}

#[test]
fn parameters_are_checked_and_may_be_one_files_alone() {
    let text = fs::read_to_string(files().iter().find(|p| p.ends_with("params.glsl")).unwrap());
    let text = text.unwrap();
    let both = [shader::parse("a", &text).unwrap(), shader::parse("b", &text).unwrap()];
    let set = |values: &[(&str, f64)]| {
        let params = values.iter().map(|&(name, v)| (name.to_owned(), v)).collect();
        graph(PixelFormat::Rgba, &both, &params)
    };
    let texts = |graph: Graph, value: &str| {
        graph.passes.iter().filter(|p| p.text.contains(&format!("gain = {value};"))).count()
    };
    assert_eq!(texts(set(&[("gain", 1.5)]).unwrap(), "1.5"), 2);
    assert_eq!(texts(set(&[("b/gain", 1.5)]).unwrap(), "1.5"), 1);
    assert_eq!(set(&[("wanted", 0.0)]).unwrap().skipped.len(), 2);
    let error = set(&[("gain", 3.0)]).unwrap_err().to_string();
    assert_eq!(error, "a:2: gain must lie between 0 and 2; 3 does not");
    let error = set(&[("order", 0.5)]).unwrap_err().to_string();
    assert!(error.starts_with("a:15: order must be a whole number"), "{error}");
}
