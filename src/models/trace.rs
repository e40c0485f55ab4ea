//! How far every tensor of a graph looks, from input to output, without running it.
//!
//! Along one axis, sample `i` of a tensor depends on no input pixel outside `step * i + lo ..= step * i + hi`. Every operator
//! turns the bounds of its inputs into those of its output (`ops.rs`); at the end they say scale and halo exactly. Two
//! things cannot be followed: what looks at the whole frame ([`Sight::Open`]), and what this file does not know
//! ([`Sight::Unknown`]), which has to be measured. Padding by reflection or by the edge only shifts: what a reflected sample
//! shows lies no farther from a pixel inside the frame than the sample's own place.

use std::collections::HashMap;

use rten_onnx::onnx::{GraphProto, NodeProto};

use super::attrs::{Constant, constants};
use super::ops;
use crate::upscale::{Layout, Ratio};

/// One axis of a tensor's grid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    /// Input pixels per sample.
    pub step: Ratio,
    /// First input pixel seen by sample 0.
    pub lo: f64,
    /// Last input pixel seen by sample 0.
    pub hi: f64,
}

impl Axis {
    const INPUT: Self = Self { step: Ratio::ONE, lo: 0.0, hi: 0.0 };

    /// The axis of a tensor whose sample `o` reads samples `step * o + from ..= step * o + to` of this one.
    pub fn read(self, step: Ratio, from: f64, to: f64) -> Self {
        let a = self.step.as_f64();
        Self { step: self.step.times(step), lo: self.lo + a * from, hi: self.hi + a * to }
    }

    fn join(self, other: Self) -> Self {
        Self { lo: self.lo.min(other.lo), hi: self.hi.max(other.hi), ..self }
    }

    /// Farthest input pixel that the outputs of one input pixel read. Outputs of pixel `p` lie at `p <= step * o < p + 1`,
    /// the last of them at `p + 1 - 1/num` at most, where `num` is the numerator of the scale.
    fn radius(self) -> usize {
        let before = -self.lo;
        let after = 1.0 - 1.0 / self.step.den() as f64 + self.hi;
        (before.max(after) + 1e-6).floor().clamp(0.0, 1e9) as usize
    }
}

/// Rows and columns of a tensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Grid {
    pub layout: Layout,
    pub y: Axis,
    pub x: Axis,
}

impl Grid {
    /// Both axes changed; `change` is told which: 0 rows, 1 columns.
    pub fn map(self, mut change: impl FnMut(usize, Axis) -> Axis) -> Self {
        Self { y: change(0, self.y), x: change(1, self.x), ..self }
    }

    /// Samples per input pixel.
    fn density(self) -> f64 {
        1.0 / (self.y.step.as_f64() * self.x.step.as_f64())
    }

    fn fits(self, other: Self) -> bool {
        self.layout == other.layout && self.y.step == other.y.step && self.x.step == other.x.step
    }
}

/// What is known about how far a tensor looks; the worse is the greater.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sight {
    /// No farther than its grid says.
    Closed,
    /// Not known, because of this node.
    Unknown(String),
    /// The whole frame, because of this node.
    Open(String),
}

/// One tensor.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Value {
    /// Whether it depends on pixels at all.
    pub is_constant: bool,
    /// Its rows and columns; `None` where it has none, or they are not known.
    pub grid: Option<Grid>,
    pub channels: Option<usize>,
    pub sight: Sight,
}

impl Value {
    pub fn constant() -> Self {
        Self { is_constant: true, grid: None, channels: None, sight: Sight::Closed }
    }

    /// What depends on all of `values` at the same place.
    pub fn join<'a>(node: &NodeProto, values: impl IntoIterator<Item = &'a Self>) -> Self {
        values.into_iter().fold(Self::constant(), |a, b| {
            let (grid, clash) = match (a.grid, b.grid) {
                (Some(a), Some(b)) if a.fits(b) => {
                    (Some(Grid { y: a.y.join(b.y), x: a.x.join(b.x), ..a }), false)
                }
                (Some(_), Some(_)) => (None, true),
                (a, b) => (a.or(b), false),
            };
            let mut sight = a.sight.max(b.sight.clone());
            if clash {
                sight = sight.max(Sight::Unknown(title(node)));
            }
            let channels = if a.is_constant || b.is_constant {
                a.channels.or(b.channels)
            } else {
                a.channels.zip(b.channels).map(|(a, b)| a.max(b))
            };
            Self { is_constant: a.is_constant && b.is_constant, grid, channels, sight }
        })
    }

    /// The same, but looking at the whole frame because of `node`.
    pub fn open(self, node: &NodeProto) -> Self {
        Self { sight: self.sight.max(Sight::Open(title(node))), ..self }
    }

    /// What depends on this in a way that is not known, because of `node`.
    pub fn unknown(self, node: &NodeProto) -> Self {
        let sight = self.sight.max(Sight::Unknown(title(node)));
        Self { sight, grid: None, channels: None, ..self }
    }

    /// 32-bit floats per input pixel; what has no grid counts as nothing unless its size is not known.
    fn floats_per_px(&self, otherwise: f64) -> f64 {
        match (self.grid, self.channels, &self.sight) {
            (Some(grid), Some(channels), _) => grid.density() * channels as f64,
            (None, _, Sight::Open(_)) => 0.0,
            _ if self.is_constant => 0.0,
            _ => otherwise,
        }
    }
}

/// "Conv 'features.0'": a node in messages.
pub(crate) fn title(node: &NodeProto) -> String {
    let op = node.op_type.as_deref().unwrap_or("?");
    let name = node.name.as_deref().filter(|name| !name.is_empty());
    name.or(node.output.first().map(String::as_str))
        .map_or(op.into(), |name| format!("{op} '{name}'"))
}

/// What following a graph from input to output has shown.
#[derive(Debug)]
pub(super) struct Trace {
    pub output: Value,
    /// Least common multiple of all downsampling: sizes of this multiple are sure to stay whole.
    pub alignment: usize,
    /// Smallest size that reflected padding takes, px.
    pub min_size: usize,
    /// Multiply-adds per input pixel.
    pub macs_per_px: f64,
    /// Peak of live tensors, bytes per input pixel, as 32-bit floats.
    pub bytes_per_px: f64,
}

/// Follows `graph` from its tensor `input` to `output`.
pub(super) fn follow(
    graph: &GraphProto,
    opset: i64,
    (input, layout, channels): (&str, Layout, usize),
    output: &str,
) -> Trace {
    let constants = constants(graph);
    let grid = Grid { layout, y: Axis::INPUT, x: Axis::INPUT };
    let start = Value {
        is_constant: false,
        grid: Some(grid),
        channels: Some(channels),
        sight: Sight::Closed,
    };
    let mut walk = Walk::new(graph, &constants, opset, output);
    walk.put(input, start);
    for (at, node) in graph.node.iter().enumerate() {
        walk.step(at, node);
    }
    let fallback = Value { is_constant: false, ..Value::constant() };
    Trace {
        output: walk.values.remove(output).unwrap_or(fallback),
        alignment: walk.alignment,
        min_size: walk.min_size,
        macs_per_px: walk.macs,
        bytes_per_px: walk.peak * 4.0,
    }
}

struct Walk<'a> {
    constants: &'a HashMap<&'a str, Constant>,
    opset: i64,
    values: HashMap<&'a str, Value>,
    /// The last node that reads each tensor.
    last_use: HashMap<&'a str, usize>,
    alignment: usize,
    min_size: usize,
    macs: f64,
    live: f64,
    peak: f64,
    /// Largest tensor so far; stands for those whose size is not known.
    largest: f64,
}

impl<'a> Walk<'a> {
    fn new(
        graph: &'a GraphProto,
        constants: &'a HashMap<&'a str, Constant>,
        opset: i64,
        output: &'a str,
    ) -> Self {
        let mut last_use = HashMap::new();
        for (at, node) in graph.node.iter().enumerate() {
            last_use.extend(node.input.iter().map(|name| (name.as_str(), at)));
        }
        last_use.insert(output, usize::MAX);
        let values = HashMap::new();
        Self {
            constants,
            opset,
            values,
            last_use,
            alignment: 1,
            min_size: 1,
            macs: 0.0,
            live: 0.0,
            peak: 0.0,
            largest: 0.0,
        }
    }

    fn put(&mut self, name: &'a str, value: Value) {
        let size = value.floats_per_px(self.largest);
        self.largest = self.largest.max(size);
        self.live += size;
        self.peak = self.peak.max(self.live);
        if let Some(grid) = value.grid {
            for axis in [grid.y, grid.x] {
                self.alignment = lcm(self.alignment, axis.step.num());
            }
        }
        self.values.insert(name, value);
    }

    fn step(&mut self, at: usize, node: &'a NodeProto) {
        let inputs: Vec<_> = node.input.iter().map(|name| self.value(name)).collect();
        let effect = ops::apply(&ops::Call {
            node,
            inputs: &inputs,
            constants: self.constants,
            opset: self.opset,
        });
        self.macs += effect.macs;
        self.min_size = self.min_size.max(effect.min_size);
        for name in node.output.iter().filter(|name| !name.is_empty()) {
            self.put(name, effect.value.clone());
        }
        for name in &node.input {
            if self.last_use.get(name.as_str()) == Some(&at)
                && let Some(value) = self.values.remove(name.as_str())
            {
                self.live -= value.floats_per_px(self.largest);
            }
        }
    }

    fn value(&self, name: &str) -> Value {
        self.values.get(name).cloned().unwrap_or_else(Value::constant)
    }
}

/// Scale and halo that the bounds of an output say.
pub(super) fn scale_and_radius(grid: Grid) -> (Ratio, Ratio, usize) {
    let inverse = |step: Ratio| Ratio::new(step.den(), step.num()).unwrap_or(Ratio::ONE);
    (inverse(grid.x.step), inverse(grid.y.step), grid.y.radius().max(grid.x.radius()))
}

fn lcm(a: usize, b: usize) -> usize {
    // a / gcd(a, b) is the reduced numerator of a / b. Absurd graphs stop at a bound that no picture has.
    let reduced = Ratio::new(a, b).map_or(1, Ratio::num);
    reduced.saturating_mul(b).min(1 << 20)
}
