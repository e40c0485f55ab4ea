//! A look at the film that was written, before it gets its name.

use anyhow::{Context, Result, ensure};

use crate::cut::Picture;
use crate::survey::Survey;

/// How far a frame's time may be off, in ns: Matroska counts in milliseconds.
const ROUNDING: u64 = 1_000_000;

/// Compares the new file with what was put into it.
///
/// # Errors
/// If a stream or a frame is missing, or is shown at another time.
pub fn check(film: &Survey, written: &Survey, times: &[u64]) -> Result<()> {
    let video = written.video().context("the film that was written cannot be read")?;
    let (frames, wanted) = (video.pictures.len(), times.len());
    ensure!(frames == wanted, "the film that was written has {frames} frames, not {wanted}");

    let found: Vec<u64> = video.pictures.iter().filter_map(|p| p.time?.try_into().ok()).collect();
    let timed = found.len();
    ensure!(timed == frames, "{} frames of the film that was written have no time", frames - timed);
    let worst = farthest(times, &found);
    ensure!(
        worst <= ROUNDING,
        "a frame of the film that was written is shown {} ms too early or too late",
        worst / 1_000_000
    );

    // Where every picture gave a frame and has a time (AVI and raw streams give it to few), it is that picture's.
    let pictures = &film.video()?.pictures;
    let before: Vec<u64> = pictures.iter().filter_map(|p| p.time?.try_into().ok()).collect();
    if before.len() != frames {
        return Ok(());
    }
    let worst = farthest(&before, times);
    ensure!(
        worst <= ROUNDING,
        "a frame is shown {} ms before or after the picture that it was made of",
        worst / 1_000_000
    );
    let (before, after) = (length(pictures), length(&video.pictures));
    let frame = after / frames.max(1) as u64 + ROUNDING;
    ensure!(
        pictures.len() != frames || before.abs_diff(after) <= frame,
        "the film that was written takes {} ms, not {}",
        after / 1_000_000,
        before / 1_000_000
    );
    Ok(())
}

/// From the first picture to the end of the last, in ns.
fn length(pictures: &[Picture]) -> u64 {
    let first = pictures.iter().filter_map(|p| p.time).min().unwrap_or(0);
    let ends = pictures.iter().filter_map(|p| Some((p.time? - first).unsigned_abs() + p.duration));
    ends.max().unwrap_or(0)
}

/// How far the times of two films lie apart at most. Demuxers count from a file's first packet, so both begin at once.
fn farthest(a: &[u64], b: &[u64]) -> u64 {
    let sorted = |times: &[u64]| {
        let mut times = times.to_vec();
        times.sort_unstable();
        let first = times.first().copied().unwrap_or(0);
        times.into_iter().map(move |time| time - first)
    };
    sorted(a).zip(sorted(b)).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0)
}
