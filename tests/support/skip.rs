//! What cannot be tested on this machine is said, and counted as skipped by `cargo xtask test`: Rust's test runner has no word
//! for it.

use std::fs::OpenOptions;
use std::io::Write as _;

/// Says why something is not tested here.
macro_rules! skip {
    ($($reason:tt)*) => {
        $crate::skip::note(&format!($($reason)*))
    };
}

/// Prints the reason, and adds it to the file that `KIZUNA_SKIPPED` names.
pub fn note(reason: &str) {
    // Print macros are captured where a test passes; the handle is not.
    let _ = writeln!(std::io::stderr(), "skipped: {reason}");
    let Some(path) = std::env::var_os("KIZUNA_SKIPPED") else { return };
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{}: {reason}", std::thread::current().name().unwrap_or("?")).unwrap();
}
