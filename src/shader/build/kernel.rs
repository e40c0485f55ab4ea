//! Resampling by a separable kernel: where each output sample begins to read, and by which weights.

/// A kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Keys' cubic with a = -1/2.
    CatmullRom,
    /// Sinc windowed by sinc, three lobes a side.
    Lanczos3,
}

impl Kernel {
    const fn radius(self) -> f64 {
        match self {
            Self::CatmullRom => 2.0,
            Self::Lanczos3 => 3.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        let x = x.abs();
        if x >= self.radius() {
            return 0.0;
        }
        match self {
            Self::CatmullRom if x < 1.0 => (1.5 * x - 2.5) * x * x + 1.0,
            Self::CatmullRom => ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0,
            Self::Lanczos3 => sinc(x) * sinc(x / 3.0),
        }
    }
}

/// Most taps: what is made more than 300 times smaller is a dot, whatever it is made of.
const MAX_TAPS: f64 = 2000.0;

fn sinc(x: f64) -> f64 {
    let x = x * std::f64::consts::PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}

/// How `to` samples are made of `from`, read `offset` samples further on: the number of taps, and for each sample the first tap
/// and then all weights, whose sum is 1. Where there are fewer samples than before the kernel is wider, so that nothing aliases.
pub fn table(kernel: Kernel, from: usize, to: usize, offset: f32) -> (usize, Vec<f32>) {
    let step = from as f64 / to as f64;
    let widening = step.clamp(1.0, MAX_TAPS / (2.0 * kernel.radius()));
    let reach = kernel.radius() * widening;
    let taps = (2.0 * reach).ceil() as usize;
    let mut table = Vec::with_capacity(to * (taps + 1));
    for i in 0..to {
        let centre = (i as f64 + 0.5) * step - 0.5 + f64::from(offset);
        let first = (centre - reach).floor() + 1.0;
        let weight = |k: usize| kernel.weight((first + k as f64 - centre) / widening);
        let sum: f64 = (0..taps).map(weight).sum();
        table.push(first as f32);
        table.extend((0..taps).map(|k| (weight(k) / sum) as f32));
    }
    (taps, table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_one() {
        for (from, to, offset) in [(320, 640, 0.0), (640, 320, 0.25), (7, 9, -0.5), (5, 5, 0.5)] {
            for kernel in [Kernel::CatmullRom, Kernel::Lanczos3] {
                let (taps, table) = table(kernel, from, to, offset);
                for row in table.chunks_exact(taps + 1) {
                    let sum: f32 = row[1..].iter().sum();
                    assert!((sum - 1.0).abs() < 1e-5, "{kernel:?} {from} {to} {row:?}");
                }
            }
        }
    }

    #[test]
    fn doubling_is_symmetric() {
        let (taps, table) = table(Kernel::CatmullRom, 8, 16, 0.0);
        let rows: Vec<_> = table.chunks_exact(taps + 1).collect();
        let mirrored: Vec<_> = rows[6][1..].iter().rev().copied().collect();
        assert_eq!(&rows[7][1..], &mirrored[..]);
        assert_eq!((rows[6][0], rows[7][0]), (1.0, 2.0));
    }
}
