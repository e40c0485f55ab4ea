//! There is no network code in the plugin: neither among its dependencies, nor among the symbols that it asks the system for. And what
//! it opens at run time is kept off the network.

#[path = "support/skip.rs"]
#[macro_use]
mod skip;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates that speak to a network, or that only serve crates that do.
const CRATES: [&str; 22] = [
    "async-std",
    "attohttpc",
    "curl",
    "gio",
    "h2",
    "hickory-resolver",
    "hyper",
    "isahc",
    "mio",
    "native-tls",
    "openssl",
    "openssl-sys",
    "quinn",
    "reqwest",
    "rustls",
    "smol",
    "socket2",
    "surf",
    "tokio",
    "tungstenite",
    "ureq",
    "webpki",
];

/// Functions of the C library without which nobody gets a connection.
const SYMBOLS: [&str; 10] = [
    "accept",
    "accept4",
    "bind",
    "connect",
    "getaddrinfo",
    "gethostbyname",
    "listen",
    "recvfrom",
    "sendto",
    "socket",
];

#[test]
fn no_dependency_speaks_to_a_network() {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--package",
            "kizuna",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .args(["--all-features", "--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8_lossy(&output.stdout);
    let names: BTreeSet<_> =
        tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(
        names.contains("gstreamer"),
        "the list of dependencies is not what it should be: {tree}"
    );
    let found: Vec<_> = CRATES.iter().filter(|name| names.contains(**name)).collect();
    assert!(found.is_empty(), "the plugin depends on {found:?}");
}

#[test]
fn the_plugin_imports_no_socket_function() {
    let Some(library) = library() else {
        return skip!(
            "the plugin's shared library is not beside the tests; `cargo build` makes it"
        );
    };
    let Ok(output) = Command::new("nm").args(["-D", "--undefined-only"]).arg(&library).output()
    else {
        return skip!("there is no nm to list symbols with; Debian's package binutils has it");
    };
    assert!(output.status.success(), "nm: {}", String::from_utf8_lossy(&output.stderr));
    let list = String::from_utf8_lossy(&output.stdout);
    // `                 U connect@GLIBC_2.2.5`
    let imported: BTreeSet<_> =
        list.lines().filter_map(|line| line.split_whitespace().last()?.split('@').next()).collect();
    assert!(imported.contains("memcpy"), "nm lists no symbols of {}: {list}", library.display());
    let found: Vec<_> = SYMBOLS.iter().filter(|name| imported.contains(**name)).collect();
    assert!(found.is_empty(), "{} imports {found:?}", library.display());
}

/// ONNX Runtime's published builds keep what they are going to report in the user's folder for caches, from their start on.
#[test]
fn onnx_runtime_prepares_no_report() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if !root.join("runtimes/onnxruntime").is_dir() {
        return skip!("there is no ONNX Runtime; `cargo xtask setup` brings it");
    }
    let Some(library) = library() else {
        return skip!("the plugin's shared library is not beside the tests");
    };
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("gst-launch-1.0")
        .args(["-q", "videotestsrc", "num-buffers=2", "!", "video/x-raw,width=16,height=16", "!"])
        .args(["kizunasr", "provider=cpu", "!", "fakesink"])
        .env("GST_PLUGIN_PATH", library.parent().unwrap())
        .env("GST_REGISTRY", home.path().join("registry.bin"))
        .env("KIZUNA_MODEL_PATH", root.join("models"))
        .env("HOME", home.path())
        .env_remove("XDG_CACHE_HOME")
        .env_remove("XDG_STATE_HOME")
        .env_remove("ORT_DISABLE_TELEMETRY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = Command::new("find").arg(home.path()).output().unwrap();
    let found = String::from_utf8_lossy(&found.stdout).to_lowercase();
    assert!(found.contains("registry.bin") && !found.contains("onnxruntime"), "{found}");
}

/// The plugin as cargo built it for these tests: beside or above the test program.
fn library() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let names = program.ancestors().skip(1).take(2).map(|dir: &Path| dir.join("libgstkizuna.so"));
    names.into_iter().find(|path| path.is_file())
}
