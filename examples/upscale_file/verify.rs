//! A look at the film that was written, before it gets its name.

use anyhow::{Context, Result, ensure};

use crate::survey::Survey;

/// How far a frame's time may be off, in ns: Matroska counts in milliseconds.
const ROUNDING: u64 = 1_000_000;

/// Compares the new file with what was put into it.
///
/// # Errors
/// If a stream or a frame is missing, or is shown at another time.
pub fn check(film: &Survey, written: &Survey, times: &[u64]) -> Result<()> {
    let video = written.video().context("the film that was written cannot be read")?;
    let (frames, wanted) = (video.packets.len(), times.len());
    ensure!(frames == wanted, "the film that was written has {frames} frames, not {wanted}");

    let mut wanted = times.to_vec();
    let mut found: Vec<u64> =
        video.packets.iter().filter_map(|p| p.time?.try_into().ok()).collect();
    wanted.sort_unstable();
    found.sort_unstable();
    let worst = wanted.iter().zip(&found).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    ensure!(
        found.len() == wanted.len() && worst <= ROUNDING,
        "a frame of the film that was written is shown {} ms too early or too late",
        worst / 1_000_000
    );

    let before = film.video()?.end();
    let frame = before / frames.max(1) as i64 + ROUNDING as i64;
    let off = (video.end() - before).abs();
    ensure!(
        off <= frame.max(last_duration(film)?),
        "the film that was written is {} ms shorter or longer",
        off / 1_000_000
    );
    Ok(())
}

fn last_duration(film: &Survey) -> Result<i64> {
    Ok(film.video()?.packets.iter().map(|p| p.duration as i64).max().unwrap_or(0))
}
