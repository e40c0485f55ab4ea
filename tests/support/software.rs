//! WebGPU without a GPU: SwiftShader, in a program of its own, as a Vulkan loader reads its environment once.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Set in programs of their own.
const MARK: &str = "KIZUNA_TEST_SOFTWARE";

/// Where `cargo xtask setup` and Debian's packages put SwiftShader.
const FOLDERS: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/target/tools/swiftshader"), "/usr/lib/chromium"];

/// Runs the test of this name in a program of its own, where WebGPU has SwiftShader and nothing else; true in there. Says so
/// where that is not to be had.
pub fn is_inside(test: &str) -> bool {
    if std::env::var_os(MARK).is_some() {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(MARK, "1");
    match swiftshader() {
        Ok(driver) => choose(&mut command, &driver),
        Err(why) => {
            skip!("webgpu: {why}");
            return false;
        }
    };
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].map(|o| String::from_utf8_lossy(&o).into_owned());
    let said = said.concat();
    println!("{said}");
    assert!(output.status.success() && said.contains("1 passed"), "{}: {said}", output.status);
    false
}

/// Makes `driver` the only one of `command`.
pub fn choose<'a>(command: &'a mut Command, driver: &Path) -> &'a mut Command {
    command.env("VK_DRIVER_FILES", driver).env("ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER", "1")
}

/// SwiftShader's description for the Vulkan loader, where it and WebGPU are there.
pub fn swiftshader() -> Result<PathBuf, String> {
    let plugin = format!(
        "{}/runtimes/onnxruntime/{}onnxruntime_providers_webgpu{}",
        env!("CARGO_MANIFEST_DIR"),
        std::env::consts::DLL_PREFIX,
        std::env::consts::DLL_SUFFIX
    );
    if !Path::new(&plugin).is_file() {
        return Err(format!("{plugin} is missing"));
    }
    let drivers = FOLDERS.iter().map(|folder| Path::new(folder).join("vk_swiftshader_icd.json"));
    let found = drivers.into_iter().find(|path| path.is_file());
    found.ok_or_else(|| format!("no SwiftShader in {}", FOLDERS.join(" or ")))
}
