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
const WIDEST: (usize, usize) = (3840, 2160);

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
    /// Frames that are run at most.
    pub frames: usize,
    /// Frames whose result is compared with the same without reuse; with others it is 3 at most.
    pub compared: usize,
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
    if quick {
        let mut cases = vec![
            moving(&COMPACT, SMALL, Precision::Bf16, 96, peers(1)),
            moving(&ANIME4K_M, MIDDLE, Precision::Fp32, 240, peers(1)),
            anime("dialogue", MIDDLE, 72),
        ];
        cases.iter_mut().for_each(|case| case.rounds = 1);
        return cases;
    }
    let mut cases = Vec::new();
    for precision in [Precision::Bf16, Precision::Fp32] {
        cases.push(moving(&COMPACT, SMALL, precision, 96, with_floors(&COMPACT, precision)));
        cases.push(moving(&COMPACT, MIDDLE, precision, 32, peers(2)));
        cases.push(moving(&COMPACT, LARGE, precision, 12, peers(1)));
    }
    for model in [&ANIME4K_M, &ANIME4K_VL] {
        for precision in [Precision::Bf16, Precision::Fp32] {
            cases.push(moving(model, MIDDLE, precision, 480, with_floors(model, precision)));
        }
    }
    for (size, frames) in [(LARGE, 120), (FULL, 90), (WIDEST, 24)] {
        let others = if size == FULL { peers(1) } else { vec![] };
        cases.push(moving(&ANIME4K_M, size, Precision::Bf16, frames, others));
    }
    cases.extend([
        anime("dialogue", MIDDLE, 72),
        anime("action", MIDDLE, 36),
        anime("pan", MIDDLE, 24),
    ]);
    cases.push(film());
    cases.extend([
        anime("dialogue", LARGE, 48),
        anime("action", LARGE, 24),
        anime("pan", LARGE, 8),
    ]);
    cases
}

/// vs-mlrt with OpenVINO, which is the best of them on a CPU, in one or in each number of streams up to `streams`.
fn peers(streams: usize) -> Vec<Runner> {
    (1..=streams).map(|streams| Runner::VsMlrt { engine: "ov", streams }).collect()
}

/// All peers, and the engines alone.
fn with_floors(model: &Model, precision: Precision) -> Vec<Runner> {
    let mut runners = peers(2);
    runners.push(Runner::Bare { engine: "openvino" });
    if precision == Precision::Fp32 {
        runners.push(Runner::VsMlrt { engine: "ort", streams: 1 });
        runners.push(Runner::Bare { engine: "onnxruntime" });
    }
    // The original weights; for Anime4K there are none in ncnn's format.
    if model.name == COMPACT.name {
        runners.push(Runner::Bare { engine: "ncnn" });
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
    if model.provider == "openvino" {
        runners.push(Runner::embedded(&["border=model"]));
        if precision == Precision::Bf16 {
            runners.push(Runner::embedded(&["border=model", "precision=bf16"]));
        }
    }
    if size == MIDDLE && model.provider == "openvino" {
        runners.push(Runner::kizuna(&["border=mirror"]));
        runners.push(Runner::embedded(&["border=mirror"]));
    }
    runners.extend(peers);
    let rounds = if size == SMALL || size == MIDDLE { 3 } else { 2 };
    Case { model, clip: "moving", size, precision, runners, rounds, frames, compared: 3 }
}

/// A part of the anime clip: exact reuse, with a tolerance of 2 codes, and off.
fn anime(part: &'static str, size: (usize, usize), frames: usize) -> Case {
    let is_middle = size == MIDDLE;
    Case {
        model: &COMPACT,
        clip: part,
        size,
        precision: Precision::Bf16,
        runners: [reuse(), peers(1)].concat(),
        rounds: if is_middle { 2 } else { 1 },
        frames,
        compared: if is_middle { 24 } else { 8 },
    }
}

/// All parts, with cuts and a crossfade.
fn film() -> Case {
    let own = [Runner::kizuna, Runner::embedded].map(|runner| runner(&["border=model"]));
    let runners = [own.to_vec(), peers(1)].concat();
    Case { rounds: 1, frames: usize::MAX, runners, ..anime("film", MIDDLE, 0) }
}

fn reuse() -> Vec<Runner> {
    let properties = |tolerance| ["border=model", tolerance];
    let (exact, near) = (properties("reuse-tolerance=0"), properties("reuse-tolerance=2"));
    vec![
        Runner::kizuna(&exact),
        Runner::kizuna(&near),
        Runner::kizuna(&properties("reuse-tolerance=-1")),
        Runner::embedded(&exact),
        Runner::embedded(&near),
        Runner::embedded(&[&near[..], &["precision=bf16"]].concat()),
    ]
}
