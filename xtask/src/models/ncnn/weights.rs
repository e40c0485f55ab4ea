//! The `.bin` file: the layers' numbers, one after the other.

use anyhow::{Context, Result, bail};
use half::f16;

/// Tag before weights stored as half floats.
const TAG_F16: u32 = 0x0130_6B47;
/// Tag before weights stored as they are.
const TAG_F32: u32 = 0;

/// Reads weights in the order of the layers.
#[derive(Debug)]
pub struct Weights<'a> {
    rest: &'a [u8],
}

impl<'a> Weights<'a> {
    /// From the start of a file.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// `n` weights behind a tag that tells how they are stored.
    ///
    /// # Errors
    /// If the file is too short or the tag unknown.
    pub fn tagged(&mut self, n: usize) -> Result<Vec<f32>> {
        match u32::from_le_bytes(self.array()?) {
            TAG_F32 => self.floats(n),
            TAG_F16 => {
                let stored = self.take((2 * n).next_multiple_of(4))?;
                Ok(stored
                    .chunks_exact(2)
                    .take(n)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect())
            }
            tag => {
                bail!("weights are stored in a way this converter does not know (tag {tag:#010x})")
            }
        }
    }

    /// `n` plain floats: biases and slopes.
    ///
    /// # Errors
    /// If the file is too short.
    pub fn floats(&mut self, n: usize) -> Result<Vec<f32>> {
        let stored = self.take(4 * n)?;
        Ok(stored.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.take(N)?.try_into()?)
    }

    fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (taken, rest) =
            self.rest.split_at_checked(n).context("the .bin file ends too early")?;
        self.rest = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_floats_are_padded_to_four_bytes() {
        let mut bytes = TAG_F16.to_le_bytes().to_vec();
        for v in [1.0, -0.5, 2.0] {
            bytes.extend(f16::from_f32(v).to_le_bytes());
        }
        bytes.extend([0; 2]);
        bytes.extend(3.5_f32.to_le_bytes());
        let mut weights = Weights::new(&bytes);
        assert_eq!(weights.tagged(3).unwrap(), [1.0, -0.5, 2.0]);
        assert_eq!(weights.floats(1).unwrap(), [3.5]);
        assert!(weights.is_empty());
        assert!(weights.floats(1).is_err());
    }
}
