//! Takes the time of creation out of an MP4 file: GStreamer's muxer writes the clock's, and two runs must give the same file.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

/// Boxes that hold boxes on the way to those with a time.
const OUTER: [&[u8; 4]; 3] = [b"moov", b"trak", b"mdia"];
/// Boxes that begin with version and flags, a time of creation and one of change.
const STAMPED: [&[u8; 4]; 3] = [b"mvhd", b"tkhd", b"mdhd"];

/// Sets all times of creation and change to zero, which is what files have that do not say.
///
/// # Errors
/// If the file cannot be written, or is no MP4 file.
pub fn remove_dates(file: &Path) -> Result<()> {
    let mut mp4 = File::options().read(true).write(true).open(file)?;
    let end = mp4.metadata()?.len();
    let stamped = remove_within(&mut mp4, 0, end).context("the MP4 file is damaged")?;
    ensure!(stamped > 0, "the MP4 file has no index");
    Ok(())
}

/// Looks at the boxes from `at` to `end`; how many had times.
fn remove_within(mp4: &mut File, mut at: u64, end: u64) -> Result<u64> {
    let mut stamped = 0;
    while at + 8 <= end {
        let (name, begin, next) = head(mp4, at, end)?;
        if OUTER.contains(&&name) {
            stamped += remove_within(mp4, begin, next)?;
        } else if STAMPED.contains(&&name) {
            mp4.seek(SeekFrom::Start(begin))?;
            let mut version = [0; 4];
            mp4.read_exact(&mut version)?;
            let size = if version[0] == 1 { 8 } else { 4 };
            ensure!(begin + 4 + 2 * size as u64 <= next, "a box is too short");
            mp4.write_all(&[0; 16][..2 * size])?;
            stamped += 1;
        }
        at = next;
    }
    Ok(stamped)
}

/// A box's name, where its content begins, and where it ends.
fn head(mp4: &mut File, at: u64, end: u64) -> Result<([u8; 4], u64, u64)> {
    let (mut size, mut name) = ([0; 4], [0; 4]);
    mp4.seek(SeekFrom::Start(at))?;
    mp4.read_exact(&mut size)?;
    mp4.read_exact(&mut name)?;
    let (size, begin) = match u32::from_be_bytes(size) {
        0 => (end - at, at + 8),
        1 => {
            let mut long = [0; 8];
            mp4.read_exact(&mut long)?;
            (u64::from_be_bytes(long), at + 16)
        }
        size => (size.into(), at + 8),
    };
    let next = at.checked_add(size).filter(|&next| next >= begin && next <= end);
    Ok((name, begin, next.context("a box is longer than what it lies in")?))
}
