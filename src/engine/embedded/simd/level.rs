//! Which vectors this processor has.

use crate::engine::Precision;

/// A processor's instructions, and what is multiplied in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Level {
    Avx512Bf16,
    Avx512,
    Avx2,
    Neon,
    Plain,
}

impl Level {
    /// The fastest first.
    const ALL: [Self; 5] = [Self::Avx512Bf16, Self::Avx512, Self::Avx2, Self::Neon, Self::Plain];

    /// The fastest that this processor has for `precision`, or that of the name given; `None` where it has none.
    pub fn choose(precision: Precision, nick: Option<&str>) -> Option<Self> {
        let is_asked = |level: &Self| nick.is_none_or(|nick| nick == level.nick());
        let mut fitting = Self::ALL.into_iter().filter(|level| level.precision() == precision);
        fitting.find(|level| is_asked(level) && level.is_here())
    }

    /// Whether this processor has it.
    pub fn is_here(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512Bf16 => Self::Avx512.is_here() && is_x86_feature_detected!("avx512bf16"),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Self::Neon => cfg!(target_arch = "aarch64"),
            Self::Plain => true,
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Short name, to be asked for by.
    fn nick(self) -> &'static str {
        match self {
            Self::Avx512Bf16 => "avx512-bf16",
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Plain => "plain",
        }
    }

    /// The instructions, as people call them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512Bf16 => "AVX-512 BF16",
            Self::Avx512 => "AVX-512",
            Self::Avx2 => "AVX2",
            Self::Neon => "NEON",
            Self::Plain => "plain Rust",
        }
    }

    /// What is multiplied.
    pub fn precision(self) -> Precision {
        match self {
            Self::Avx512Bf16 => Precision::Bf16,
            _ => Precision::Fp32,
        }
    }
}
