//! What is measured.

use super::runners::{Precision, Runner};

/// A network of `models/`.
#[derive(Debug)]
pub struct Model {
    /// Its card's name.
    pub name: &'static str,
    /// Floating-point operations per input pixel: two for each multiply-add of its convolutions, without negated copies of
    /// filters (CReLU), which need no arithmetic.
    pub flop: f64,
    /// The provider that is to be fast with it.
    pub provider: &'static str,
}

const COMPACT: Model = Model { name: "animevideov3-x2", flop: 1.24e6, provider: "openvino" };
const ANIME4K_VL: Model = Model { name: "anime4k-vl", flop: 17.0e3, provider: "embedded" };
const ANIME4K_M: Model = Model { name: "anime4k-m", flop: 4.12e3, provider: "embedded" };

const SMALL: (usize, usize) = (320, 180);
const MIDDLE: (usize, usize) = (640, 360);
const LARGE: (usize, usize) = (1280, 720);
const FULL: (usize, usize) = (1920, 1080);

/// One network on one clip, by several runners side by side.
#[derive(Debug)]
pub struct Case {
    /// Network.
    pub model: &'static Model,
    /// `moving`, or a part of the anime clip.
    pub clip: &'static str,
    /// Pixels of the clip.
    pub size: (usize, usize),
    /// Arithmetic of all runners that can choose it.
    pub precision: Precision,
    /// Our settings and the peers.
    pub runners: Vec<Runner>,
    /// Runs of ours and the best peer, alternating.
    pub rounds: usize,
    /// Frames of a `moving` clip.
    pub frames: usize,
}

impl Case {
    /// One phrase, also what `--only` looks in.
    pub fn name(&self) -> String {
        let (width, height) = self.size;
        format!("{} {} {width}x{height} {}", self.model.name, self.clip, self.precision)
    }
}

/// All cases, or for `quick` a few.
pub fn all(quick: bool) -> Vec<Case> {
    let mut cases = Vec::new();
    if quick {
        cases.push(moving(&COMPACT, SMALL, Precision::Bf16, 96, peers(1)));
        cases.push(moving(&ANIME4K_M, MIDDLE, Precision::Fp32, 240, peers(1)));
        cases.push(anime("dialogue", MIDDLE));
        for case in &mut cases {
            case.rounds = 1;
        }
        return cases;
    }
    for precision in [Precision::Bf16, Precision::Fp32] {
        cases.push(moving(&COMPACT, SMALL, precision, 96, with_floors(precision)));
        cases.push(moving(&COMPACT, MIDDLE, precision, 32, peers(2)));
        cases.push(moving(&COMPACT, LARGE, precision, 12, peers(1)));
        cases.push(moving(&ANIME4K_M, MIDDLE, precision, 480, with_floors(precision)));
        cases.push(moving(&ANIME4K_VL, MIDDLE, precision, 480, with_floors(precision)));
    }
    for precision in [Precision::Bf16, Precision::Fp32] {
        cases.push(moving(&ANIME4K_M, LARGE, precision, 120, vec![]));
        cases.push(moving(&ANIME4K_M, FULL, precision, 90, peers(1)));
        cases.push(moving(&ANIME4K_M, (3840, 2160), precision, 24, vec![]));
    }
    for part in ["dialogue", "action", "pan", "cuts", "crossfade", "film"] {
        cases.push(anime(part, MIDDLE));
    }
    for part in ["dialogue", "action", "pan"] {
        cases.push(anime(part, LARGE));
    }
    cases
}

/// vs-mlrt with OpenVINO, which is the best of them on a CPU, in one or in each number of streams up to `streams`.
fn peers(streams: usize) -> Vec<Runner> {
    (1..=streams).map(|streams| Runner::VsMlrt { engine: "ov", streams }).collect()
}

/// All peers, and the engines alone.
fn with_floors(precision: Precision) -> Vec<Runner> {
    let mut runners = peers(2);
    runners.push(Runner::Bare { engine: "openvino" });
    if precision == Precision::Fp32 {
        runners.push(Runner::VsMlrt { engine: "ort", streams: 1 });
        runners.push(Runner::Bare { engine: "onnxruntime" });
    }
    runners
}

fn moving(
    model: &'static Model,
    size: (usize, usize),
    precision: Precision,
    frames: usize,
    peers: Vec<Runner>,
) -> Case {
    let mut runners = vec![Runner::kizuna(&["border=model"])];
    if size == MIDDLE && model.provider == "openvino" {
        runners.push(Runner::kizuna(&["border=mirror"]));
    }
    runners.extend(peers);
    Case { model, clip: "moving", size, precision, runners, rounds: 3, frames }
}

/// A part of the anime clip: reuse off, exact, and with a tolerance of 2 codes.
fn anime(part: &'static str, size: (usize, usize)) -> Case {
    let is_main = matches!(part, "dialogue" | "action" | "pan");
    let mut runners: Vec<_> = ["0", "2", "-1"]
        .into_iter()
        .map(|n| Runner::kizuna(&["border=model", &format!("reuse-tolerance={n}")]))
        .collect();
    runners.extend(peers(1));
    let rounds = if is_main && size == MIDDLE { 2 } else { 1 };
    Case {
        model: &COMPACT,
        clip: part,
        size,
        precision: Precision::Bf16,
        runners,
        rounds,
        frames: 0,
    }
}
