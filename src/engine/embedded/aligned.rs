//! Memory for vectors.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the longest vector. A vector that lies in two lines costs two accesses.
const LINE: usize = 64;

/// Floats that begin at a cache line.
#[derive(Default)]
pub(super) struct Floats {
    memory: Vec<f32>,
    origin: usize,
    length: usize,
}

impl Floats {
    /// So many zeros.
    pub fn zeros(length: usize) -> Self {
        let mut floats = Self::default();
        floats.reserve(length);
        floats
    }

    /// Makes them `length` or more. What they held may be lost.
    pub fn reserve(&mut self, length: usize) {
        if length <= self.length {
            return;
        }
        let most = LINE / size_of::<f32>();
        self.memory = vec![0.0; length + most];
        // No offset is found only where no code runs.
        self.origin = self.memory.as_ptr().align_offset(LINE).min(most);
        self.length = length;
    }
}

impl Deref for Floats {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.memory[self.origin..][..self.length]
    }
}

impl DerefMut for Floats {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.memory[self.origin..][..self.length]
    }
}
