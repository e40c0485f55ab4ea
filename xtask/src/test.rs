//! `cargo xtask test`: everything that must hold before a change lands.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::{progress, reference, setup, tool};

/// Reads the dependencies' licences, and keeps unwanted ones out (`deny.toml`).
const CARGO_DENY: &str = "0.20.2";

/// Sets up, checks, builds and tests; the tests' own output comes last.
///
/// # Errors
/// At the first thing that does not hold.
pub fn run(root: &Path) -> Result<()> {
    setup::all(root)?;
    reference::make(root)?;

    let steps: [(&str, &[&str]); 3] = [
        ("formatting", &["fmt", "--all", "--check"]),
        ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
        ("the pure layers see no GStreamer, runtime or GL", &["pure"]),
    ];
    for (message, arguments) in steps {
        let mut command = cargo(root);
        command.args(arguments);
        progress::show(command, message)?;
    }
    let mut docs = cargo(root);
    docs.env("RUSTDOCFLAGS", "-D warnings").args(["doc", "--workspace", "--no-deps", "--quiet"]);
    progress::show(docs, "documentation")?;

    let mut deny = Command::new(tool::cargo(root, "cargo-deny", CARGO_DENY)?);
    deny.current_dir(root).args(["--log-level", "warn", "check", "licenses", "bans"]);
    progress::show(deny, "licences and bans of the dependencies")?;

    // The same packages, features and profile as the tests, so that nothing is compiled twice. Tests run an example.
    let mut build = cargo(root);
    build.args(["build", "--workspace", "--lib", "--bins", "--examples"]);
    progress::show(build, "building the plugin and the examples")?;

    let skipped = root.join("target/skipped.txt");
    let _ = std::fs::remove_file(&skipped);
    let mut tests = cargo(root);
    gstreamer_environment(&mut tests, &root.join("target/debug"));
    // The same cases each time: what a change did not break must not fail by chance. `cargo test` draws others.
    tests.env("PROPTEST_RNG_SEED", "1");
    tests.env("KIZUNA_SKIPPED", &skipped).args([
        "test",
        "--workspace",
        "--lib",
        "--bins",
        "--tests",
    ]);
    progress::show(tests, "tests")?;
    let skipped = std::fs::read_to_string(skipped).unwrap_or_default();
    println!("{} skipped on this machine", skipped.lines().count());
    skipped.lines().for_each(|line| println!("  {line}"));

    let mut examples = cargo(root);
    gstreamer_environment(&mut examples, &root.join("target/debug"));
    examples.args(["test", "--workspace", "--doc"]);
    progress::show(examples, "examples in the documentation")
}

/// The cargo that runs this program, in the checkout.
pub fn cargo(root: &Path) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

/// GStreamer finds the plugin just built, and leaves the user's own registry alone; GL needs no display.
pub fn gstreamer_environment(command: &mut Command, plugins: &Path) {
    command
        .env("GST_PLUGIN_PATH", plugins)
        .env("GST_REGISTRY", plugins.join("gst-registry.bin"))
        .env("GST_GL_WINDOW", "egl-device")
        .env("GST_GL_PLATFORM", "egl");
}
