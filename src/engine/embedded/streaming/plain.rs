//! Kernels in plain Rust, for processors that have none of the others.

use super::super::simd::{F32, Plain};
use super::kernel::Kernels;
use super::{finish, tile};

/// May be used everywhere.
pub(super) const KERNELS: Kernels = Kernels {
    is_paired: false,
    many_registers: false,
    // SAFETY: no special instructions; `Kernels` checked the places.
    convolve: |arena, row| unsafe { tile::convolve::<F32<Plain>>(arena.as_mut_ptr(), row) },
    // SAFETY: as above.
    keep: |arena, row| unsafe { tile::keep::<F32<Plain>>(arena.as_mut_ptr(), row) },
    // SAFETY: as above.
    finish: |arena, out, row| unsafe { finish::finish::<Plain>(arena, out, row) },
};
