//! An archive in parts, for places that take no large file: parts, their sums, and a script that joins them.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::scripts;
use crate::fetch;

/// Checks and joins the parts beside it.
const JOIN: &str = include_str!("join.sh");

/// Bytes in a text like 60M: K, M and G are 1024, 1024² and 1024³.
///
/// # Errors
/// If it is no such text, or nothing.
pub fn parse_size(text: &str) -> Result<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor: u64 = match text[digits.len()..].to_ascii_uppercase().as_str() {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        unit => bail!("'{unit}' in the size {text} is no unit: K, M and G are"),
    };
    let number: u64 =
        digits.parse().with_context(|| format!("{text} is no size; 60M would be one"))?;
    ensure!(number > 0, "parts of no size hold nothing; 60M would do");
    number.checked_mul(factor).with_context(|| format!("{text} is too much"))
}

/// Cuts `archive` into parts of `size` bytes in `folder`, and returns how many.
///
/// # Errors
/// If something cannot be read or written.
pub fn write(archive: &Path, size: u64, folder: &Path) -> Result<usize> {
    let whole = archive.file_name().and_then(|name| name.to_str()).context("a name in UTF-8")?;
    let length =
        fs::metadata(archive).with_context(|| format!("cannot read {}", archive.display()))?.len();
    let mut source =
        File::open(archive).with_context(|| format!("cannot open {}", archive.display()))?;
    let count = usize::try_from(length.div_ceil(size))?;
    let mut sums = String::new();
    for index in 0..count {
        let name = format!("{whole}.part-{index:03}");
        let path = folder.join(&name);
        let mut part =
            File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        io::copy(&mut source.by_ref().take(size), &mut part)
            .with_context(|| format!("cannot write {}", path.display()))?;
        writeln!(sums, "{}  {name}", fetch::sha256(&path)?)?;
    }
    writeln!(sums, "{}  {whole}", fetch::sha256(archive)?)?;
    let list = folder.join("SHA256SUMS");
    fs::write(&list, sums).with_context(|| format!("cannot write {}", list.display()))?;
    scripts::executable(&folder.join("join.sh"), &JOIN.replace("@WHOLE@", whole))?;
    Ok(count)
}
