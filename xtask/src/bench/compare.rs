//! How much two raw files of 8-bit samples differ.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

/// The difference of two pictures or clips.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// The largest difference of a sample, in codes of 255.
    pub codes: u8,
    /// Peak signal-to-noise ratio in dB; infinite where they are the same.
    pub psnr: f64,
}

impl Difference {
    /// Compares two files as far as the shorter goes.
    ///
    /// # Errors
    /// If one cannot be read or is empty.
    pub fn of_files(a: &Path, b: &Path) -> Result<Self> {
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        let (a, b) = (read(a)?, read(b)?);
        ensure!(!a.is_empty() && !b.is_empty(), "nothing to compare");
        Ok(Self::of(&a, &b))
    }

    fn of(a: &[u8], b: &[u8]) -> Self {
        let differences = || a.iter().zip(b).map(|(a, b)| a.abs_diff(*b));
        let squares: u64 = differences().map(|d| u64::from(d).pow(2)).sum();
        let mean = squares as f64 / a.len().min(b.len()) as f64;
        Self {
            codes: differences().max().unwrap_or(0),
            psnr: 10.0 * (255.0f64.powi(2) / mean).log10(),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self.codes {
            0 => f.write_str("the same"),
            1 => write!(f, "1 code, {:.1} dB", self.psnr),
            codes => write!(f, "{codes} codes, {:.1} dB", self.psnr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_code_everywhere_is_48_db() {
        let difference = Difference::of(&[1, 2, 3, 250], &[2, 1, 4, 249]);
        assert_eq!(difference.codes, 1);
        assert!((difference.psnr - 48.13).abs() < 0.01);
    }

    #[test]
    fn the_same_is_infinite() {
        let difference = Difference::of(&[0, 255], &[0, 255]);
        assert_eq!((difference.codes, difference.psnr), (0, f64::INFINITY));
        assert_eq!(difference.to_string(), "the same");
    }
}
