//! SwiftShader: Vulkan in software, on which tests run WebGPU without a GPU.
//!
//! Debian has it as two files of Chromium alone. The package that carries them is downloaded and these two are taken out of
//! it: 32 MB and a second, where installing it would bring desktop libraries along, and a browser. Mesa's own software driver
//! (22.3 in Debian 12) is refused by the WebGPU plugin.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::packages;
use crate::progress;

const PACKAGE: &str = "chromium-common";

/// Where the package has them, and what is taken: the library, its description for the Vulkan loader, the licences.
const FOLDER: &str = "usr/lib/chromium";
const FILES: [&str; 2] = ["libvk_swiftshader.so", "vk_swiftshader_icd.json"];
const LICENCES: &str = "usr/share/doc/chromium-common/copyright";

/// Puts SwiftShader into `target/tools/swiftshader`; where that cannot be done, tests of WebGPU are skipped.
pub fn install(root: &Path) {
    let folder = root.join("target/tools/swiftshader");
    let is_there = |dir: &Path| FILES.iter().all(|file| dir.join(file).is_file());
    if is_there(&folder) || is_there(&Path::new("/").join(FOLDER)) {
        eprintln!("  SwiftShader: is here");
        return;
    }
    match bring(&folder) {
        Ok(()) => eprintln!("  SwiftShader: in {}", folder.display()),
        Err(e) => eprintln!(
            "  SwiftShader: cannot be taken out of Debian's package {PACKAGE}, so tests of WebGPU will be skipped: {e:#}"
        ),
    }
}

fn bring(folder: &Path) -> Result<()> {
    let work = folder.with_extension("new");
    let _ = fs::remove_dir_all(&work);
    fs::create_dir_all(&work).with_context(|| format!("cannot create {}", work.display()))?;
    let download = || {
        let mut apt = Command::new("apt-get");
        // Without its own user, which may not write here.
        apt.current_dir(&work).args(["-o", "APT::Sandbox::User=root", "download", PACKAGE]);
        progress::run(apt, &format!("apt-get download {PACKAGE}"))
    };
    if let Err(e) = download() {
        // The lists may be missing, or name a version that is gone. Nobody is asked for a password for a test's sake.
        ensure!(packages::is_root()?, e);
        packages::update()?;
        download()?;
    }
    let deb = fs::read_dir(&work)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get brought no package")?;
    let unpacked = work.join("unpacked");
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.arg("--extract").arg(&deb).arg(&unpacked);
    progress::run(dpkg, &format!("unpacking {PACKAGE}"))?;

    fs::create_dir_all(folder)?;
    let paths = FILES.map(|file| format!("{FOLDER}/{file}"));
    for path in paths.iter().map(String::as_str).chain([LICENCES]) {
        let from = unpacked.join(path);
        ensure!(from.is_file(), "it has no {path}");
        let name = from.file_name().unwrap_or_default();
        fs::copy(&from, folder.join(name)).with_context(|| format!("cannot copy {path}"))?;
    }
    fs::remove_dir_all(&work).context("cannot tidy up")
}
