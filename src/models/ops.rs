//! What each ONNX operator does to how far its output looks, and what it costs.
//!
//! Definitions: <https://onnx.ai/onnx/operators/>.

use std::collections::HashMap;

use rten_onnx::onnx::NodeProto;

use super::attrs::{Attrs, Constant};
use super::trace::{Grid, Value};
use crate::upscale::{Layout, Ratio};

/// One node and what it reads.
pub(super) struct Call<'a> {
    pub node: &'a NodeProto,
    pub inputs: &'a [Value],
    pub constants: &'a HashMap<&'a str, Constant>,
    pub opset: i64,
}

/// What a node makes of it.
pub(super) struct Effect {
    pub value: Value,
    /// Multiply-adds per input pixel.
    pub macs: f64,
    /// Smallest input size in px that it takes.
    pub min_size: usize,
}

impl From<Value> for Effect {
    fn from(value: Value) -> Self {
        Self { value, macs: 0.0, min_size: 1 }
    }
}

/// Operators whose every output sample depends on the input samples at its own place alone.
const POINTWISE: [&str; 58] = [
    "Abs",
    "Add",
    "And",
    "BatchNormalization",
    "Cast",
    "CastLike",
    "Ceil",
    "Celu",
    "Clip",
    "Cos",
    "DequantizeLinear",
    "Div",
    "Dropout",
    "Elu",
    "Equal",
    "Erf",
    "Exp",
    "Floor",
    "Gelu",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "IsNaN",
    "LRN",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Mean",
    "Min",
    "Mish",
    "Mod",
    "Mul",
    "Neg",
    "Not",
    "Or",
    "PRelu",
    "Pow",
    "QuantizeLinear",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
    "Where",
];

/// Operators that normalise or average over all positions.
const WHOLE_FRAME: [&str; 7] = [
    "GlobalAveragePool",
    "GlobalLpPool",
    "GlobalMaxPool",
    "GroupNormalization",
    "InstanceNormalization",
    "LpNormalization",
    "MeanVarianceNormalization",
];

/// What `call` gives.
pub(super) fn apply(call: &Call) -> Effect {
    let node = call.node;
    let all = Value::join(node, call.inputs);
    let op = node.op_type.as_deref().unwrap_or_default();
    let is_standard = matches!(node.domain.as_deref(), None | Some("" | "ai.onnx"));
    // Sizes are known before the first pixel is; so is everything made of constants.
    if all.is_constant || matches!(op, "Shape" | "Size") {
        return Value::constant().into();
    }
    if !is_standard {
        return all.unknown(node).into();
    }
    let known = match op {
        _ if POINTWISE.contains(&op) => Some(all.clone().into()),
        _ if WHOLE_FRAME.contains(&op) => Some(whole_frame(call, all.clone(), op)),
        "Conv" => conv(call),
        "ConvTranspose" => conv_transpose(call),
        "MaxPool" | "AveragePool" | "LpPool" => pool(call),
        "DepthToSpace" | "SpaceToDepth" => shuffle(call, op == "DepthToSpace"),
        "Resize" | "Upsample" => super::resize::apply(call),
        "Pad" => pad(call),
        "Slice" => slice(call),
        "Concat" => concat(call, all.clone()),
        "Split" => split(call),
        "Transpose" => transpose(call),
        "Softmax" | "LogSoftmax" | "Hardmax" | "LayerNormalization" => over_axis(call, op),
        _ if op.starts_with("Reduce") => reduce(call),
        "MatMul" | "Gemm" => matmul(call, all.clone()),
        "Einsum" => einsum(call, all.clone()),
        _ => None,
    };
    known.unwrap_or_else(|| all.unknown(node).into())
}

impl<'a> Call<'a> {
    pub fn attrs(&self) -> Attrs<'a> {
        Attrs(self.node)
    }

    /// Input `i`, where it is a constant.
    pub fn constant(&self, i: usize) -> Option<&'a Constant> {
        self.constants.get(self.node.input.get(i)?.as_str())
    }

    /// Small constant input `i`, or what the attribute `name` of older operator sets holds.
    pub fn numbers(&self, i: usize, name: &str) -> Option<Vec<f64>> {
        let ints = || Some(self.attrs().ints(name)?.into_iter().map(|v| v as f64).collect());
        self.constant(i).and_then(|c| c.values.clone()).or_else(ints)
    }

    /// The first input and its grid.
    pub fn picture(&self) -> Option<(&'a Value, Grid)> {
        let value = self.inputs.first()?;
        Some((value, value.grid?))
    }

    /// The first input and its grid, for operators that know no layout but NCHW.
    fn nchw(&self) -> Option<(&'a Value, Grid)> {
        self.picture().filter(|(_, grid)| grid.layout == Layout::Nchw)
    }
}

/// Places of rows and columns among four dimensions.
pub(super) fn spatial(layout: Layout) -> [usize; 2] {
    match layout {
        Layout::Nchw => [2, 3],
        Layout::Nhwc => [1, 2],
    }
}

fn channel_axis(layout: Layout) -> i64 {
    match layout {
        Layout::Nchw => 1,
        Layout::Nhwc => 3,
    }
}

/// A dimension counted from the front, of four.
fn from_front(axis: i64) -> i64 {
    if axis < 0 { axis + 4 } else { axis }
}

/// A sliding window along one axis.
struct Window {
    /// Samples that it spans, dilation counted.
    span: f64,
    stride: usize,
    /// Least and most padding in front.
    pad: (f64, f64),
}

/// The windows of a convolution or pooling along rows and columns.
fn windows(attrs: Attrs, kernel: &[usize]) -> Option<[Window; 2]> {
    let list = |name: &str, len: usize, default: i64| {
        let list = attrs.ints(name).unwrap_or_default();
        if list.is_empty() { vec![default; len] } else { list }
    };
    let (strides, dilations, pads) =
        (list("strides", 2, 1), list("dilations", 2, 1), list("pads", 4, 0));
    let window = |i: usize| {
        let kernel = i64::try_from(*kernel.get(i)?).ok().filter(|k| (1..=1 << 16).contains(k))?;
        let dilation = dilations.get(i).copied().filter(|d| (1..=1 << 16).contains(d))?;
        let span = (dilation * (kernel - 1)) as f64;
        let pad = match attrs.text("auto_pad", "NOTSET") {
            "NOTSET" => (*pads.get(i)? as f64, *pads.get(i)? as f64),
            "VALID" => (0.0, 0.0),
            // How much goes in front depends on the size; with stride 1 it does not.
            _ if strides.get(i) == Some(&1) => ((span / 2.0).floor(), (span / 2.0).ceil()),
            _ => (0.0, (span / 2.0).ceil()),
        };
        let stride = strides.get(i).copied().filter(|s| (1..=1 << 10).contains(s))?;
        Some(Window { span, stride: stride as usize, pad })
    };
    if kernel.len() == 2 { Some([window(0)?, window(1)?]) } else { None }
}

/// Weights of input 1 and their dimensions.
fn weights<'a>(call: &Call<'a>) -> Option<(&'a Constant, [usize; 4])> {
    let weights = call.constant(1)?;
    Some((weights, weights.dims.as_slice().try_into().ok()?))
}

fn per_px(grid: Grid) -> f64 {
    1.0 / (grid.y.step.as_f64() * grid.x.step.as_f64())
}

fn slide(grid: Grid, windows: &[Window; 2]) -> Option<Grid> {
    let ratios = [Ratio::whole(windows[0].stride)?, Ratio::whole(windows[1].stride)?];
    Some(grid.map(|i, axis| {
        let window = &windows[i];
        axis.read(ratios[i], -window.pad.1, window.span - window.pad.0)
    }))
}

fn conv(call: &Call) -> Option<Effect> {
    let (weights, [out, _, ky, kx]) = weights(call)?;
    let value = call.inputs.first()?;
    let channels = Some(out);
    // Behind a global pooling there are no rows and columns left to slide over.
    let Some(grid) = value.grid else {
        let is_squeezed = (ky, kx) == (1, 1);
        return is_squeezed.then(|| Value { channels, ..value.clone() }.into());
    };
    if grid.layout != Layout::Nchw {
        return None;
    }
    let grid = slide(grid, &windows(call.attrs(), &[ky, kx])?)?;
    let macs = weights.elements() as f64 * per_px(grid);
    Some(Effect { macs, ..Value { grid: Some(grid), channels, ..value.clone() }.into() })
}

fn conv_transpose(call: &Call) -> Option<Effect> {
    let (weights, [_, out, ky, kx]) = weights(call)?;
    let (value, grid) = call.nchw()?;
    let attrs = call.attrs();
    let is_plain = matches!(attrs.text("auto_pad", "NOTSET"), "NOTSET" | "VALID");
    if !is_plain || attrs.get("output_shape").is_some() {
        return None;
    }
    let windows = windows(attrs, &[ky, kx])?;
    let steps = [Ratio::new(1, windows[0].stride)?, Ratio::new(1, windows[1].stride)?];
    let groups = usize::try_from(attrs.int("group", 1)).ok()?;
    let macs = weights.elements() as f64 * per_px(grid);
    // Output o is made of the inputs i with stride * i + k = o + pad, 0 <= k <= span.
    let grid = grid.map(|i, axis| {
        let Window { span, stride, pad } = &windows[i];
        let stride = *stride as f64;
        axis.read(steps[i], (pad.0 - span) / stride, pad.1 / stride)
    });
    let channels = out.checked_mul(groups);
    Some(Effect { macs, ..Value { grid: Some(grid), channels, ..value.clone() }.into() })
}

fn pool(call: &Call) -> Option<Effect> {
    let (value, grid) = call.nchw()?;
    let kernel: Vec<_> = call
        .attrs()
        .ints("kernel_shape")?
        .into_iter()
        .map(|k| usize::try_from(k).unwrap_or(0))
        .collect();
    let grid = slide(grid, &windows(call.attrs(), &kernel)?)?;
    Some(Value { grid: Some(grid), ..value.clone() }.into())
}

fn shuffle(call: &Call, is_up: bool) -> Option<Effect> {
    let (value, grid) = call.nchw()?;
    let block = call.attrs().get("blocksize")?.i.filter(|b| (1..=64).contains(b))? as usize;
    let reach = (block - 1) as f64;
    let (step, from, to) = if is_up {
        (Ratio::new(1, block)?, -reach / block as f64, 0.0)
    } else {
        (Ratio::whole(block)?, 0.0, reach)
    };
    let grid = grid.map(|_, axis| axis.read(step, from, to));
    let area = block * block;
    let channels =
        value.channels.and_then(|c| if is_up { Some(c / area) } else { c.checked_mul(area) });
    Some(Value { grid: Some(grid), channels, ..value.clone() }.into())
}

fn pad(call: &Call) -> Option<Effect> {
    let (value, grid) = call.picture()?;
    let attrs = call.attrs();
    let pads = call.numbers(1, "pads")?;
    let axes = call.numbers(3, "").unwrap_or_else(|| vec![0.0, 1.0, 2.0, 3.0]);
    let mode = attrs.text("mode", "constant");
    if pads.len() != 2 * axes.len() || mode == "wrap" {
        return None;
    }
    let mut channels = value.channels;
    let mut min_size = 1;
    let mut front = [0.0; 2];
    for (i, &axis) in axes.iter().enumerate() {
        let axis = from_front(axis as i64);
        let (before, after) = (pads[i], pads[i + axes.len()]);
        let place = spatial(grid.layout).into_iter().position(|s| s as i64 == axis);
        if let Some(place) = place {
            front[place] = before;
            if mode == "reflect" {
                // Reflection needs more samples than it pads.
                let step = [grid.y, grid.x][place].step.as_f64();
                min_size = min_size.max((before.max(after).clamp(0.0, 1e6) * step) as usize + 1);
            }
        } else if axis == channel_axis(grid.layout) {
            channels = channels.map(|c| (c as f64 + before + after).max(0.0) as usize);
        } else if (before, after) != (0.0, 0.0) {
            return None;
        }
    }
    let grid = grid.map(|i, axis| axis.read(Ratio::ONE, -front[i], -front[i]));
    Some(Effect { min_size, ..Value { grid: Some(grid), channels, ..value.clone() }.into() })
}

fn slice(call: &Call) -> Option<Effect> {
    let (value, grid) = call.picture()?;
    let (starts, ends) = (call.numbers(1, "starts")?, call.numbers(2, "ends")?);
    let axes =
        call.numbers(3, "axes").unwrap_or_else(|| (0..starts.len()).map(|i| i as f64).collect());
    let steps = call.numbers(4, "steps").unwrap_or_else(|| vec![1.0; starts.len()]);
    let mut channels = value.channels;
    let mut cut: [(usize, f64); 2] = [(1, 0.0); 2];
    for (i, &axis) in axes.iter().enumerate() {
        let axis = from_front(axis as i64);
        let (start, end, step) = (*starts.get(i)?, *ends.get(i)?, *steps.get(i)?);
        if let Some(place) = spatial(grid.layout).into_iter().position(|s| s as i64 == axis) {
            // Counted from the end, where it starts depends on the size.
            if start < 0.0 || !(1.0..=64.0).contains(&step) {
                return None;
            }
            cut[place] = (step as usize, start);
        } else if axis == channel_axis(grid.layout) {
            let clamp = |v: f64, n: f64| (if v < 0.0 { v + n } else { v }).clamp(0.0, n);
            channels = channels.map(|c| {
                let n = c as f64;
                ((clamp(end, n) - clamp(start, n)) / step.max(1.0)).ceil().max(0.0) as usize
            });
        } else {
            return None;
        }
    }
    let ratios = [Ratio::whole(cut[0].0)?, Ratio::whole(cut[1].0)?];
    let grid = grid.map(|i, axis| axis.read(ratios[i], cut[i].1, cut[i].1));
    Some(Value { grid: Some(grid), channels, ..value.clone() }.into())
}

fn concat(call: &Call, all: Value) -> Option<Effect> {
    let axis = from_front(call.attrs().int("axis", 1));
    let Some(grid) = all.grid else { return Some(all.into()) };
    if axis != channel_axis(grid.layout) {
        return None;
    }
    let channels = |(i, value): (usize, &Value)| match value.is_constant {
        true => call.constant(i)?.dims.get(axis as usize).copied(),
        false => value.channels,
    };
    let channels = call.inputs.iter().enumerate().map(channels).sum();
    Some(Value { channels, ..all }.into())
}

fn split(call: &Call) -> Option<Effect> {
    let (value, grid) = call.picture()?;
    if from_front(call.attrs().int("axis", 0)) != channel_axis(grid.layout) {
        return None;
    }
    // Parts of different size share one description: the largest.
    let parts = call.numbers(1, "split");
    let largest = parts.map(|parts| parts.into_iter().fold(0.0, f64::max) as usize);
    let even = value.channels.map(|c| c.div_ceil(call.node.output.len().max(1)));
    Some(Value { channels: largest.or(even), ..value.clone() }.into())
}

fn transpose(call: &Call) -> Option<Effect> {
    let (value, grid) = call.picture()?;
    let layout = match (grid.layout, call.attrs().ints("perm")?.as_slice()) {
        (layout, [0, 1, 2, 3]) => layout,
        (Layout::Nchw, [0, 2, 3, 1]) => Layout::Nhwc,
        (Layout::Nhwc, [0, 3, 1, 2]) => Layout::Nchw,
        _ => return None,
    };
    Some(Value { grid: Some(Grid { layout, ..grid }), ..value.clone() }.into())
}

fn whole_frame(call: &Call, all: Value, op: &str) -> Effect {
    // Pooling leaves one sample; normalising keeps the picture.
    let grid = if op.starts_with("Global") { None } else { all.grid };
    Value { grid, ..all }.open(call.node).into()
}

/// Operators that work along one axis: harmless along channels, all-seeing along rows or columns.
fn over_axis(call: &Call, op: &str) -> Option<Effect> {
    let (value, grid) = call.picture()?;
    let axis = from_front(call.attrs().int("axis", if call.opset < 13 { 1 } else { -1 }));
    // LayerNormalization and old softmax work along all that follows the axis, too.
    let is_one = op != "LayerNormalization" && call.opset >= 13 || axis == 3;
    let is_local = is_one && axis == channel_axis(grid.layout);
    Some(if is_local { value.clone() } else { value.clone().open(call.node) }.into())
}

fn reduce(call: &Call) -> Option<Effect> {
    let (value, grid) = call.picture()?;
    let attrs = call.attrs();
    let axes = call.numbers(1, "axes").unwrap_or_else(|| vec![0.0, 1.0, 2.0, 3.0]);
    let channel = channel_axis(grid.layout);
    let is_local = axes.iter().all(|&axis| from_front(axis as i64) == channel);
    if is_local && attrs.int("keepdims", 1) == 1 {
        return Some(Value { channels: Some(1), ..value.clone() }.into());
    }
    // Reduced over rows alone, columns would be left: no picture network does so.
    Some(Value { grid: None, ..value.clone() }.open(call.node).into())
}

fn matmul(call: &Call, all: Value) -> Option<Effect> {
    let Some(grid) = all.grid else { return Some(all.unknown(call.node).into()) };
    let is_mixing = call.constant(1).filter(|_| grid.layout == Layout::Nhwc);
    let Some([rows, columns]) =
        is_mixing.and_then(|c| <[usize; 2]>::try_from(c.dims.as_slice()).ok())
    else {
        return Some(all.open(call.node).into());
    };
    let macs = (rows.saturating_mul(columns)) as f64 * per_px(grid);
    Some(Effect { macs, ..Value { channels: Some(columns), ..all }.into() })
}

/// "nchw,kc->nkhw" mixes channels, as a 1x1 convolution does; what sums over rows or columns sees the whole frame.
fn einsum(call: &Call, all: Value) -> Option<Effect> {
    let (_, grid) = call.picture()?;
    let equation: String =
        call.attrs().text("equation", "").chars().filter(|c| !c.is_whitespace()).collect();
    let (terms, result) = equation.split_once("->")?;
    let term: Vec<_> = terms.split(',').next()?.chars().collect();
    let result: Vec<_> = result.chars().collect();
    let others_are_constant = call.inputs.iter().skip(1).all(|value| value.is_constant);
    if term.len() != 4 || term.contains(&'.') || !others_are_constant {
        return None;
    }
    let keeps = |i: usize| result.get(i) == term.get(i);
    if result.len() != 4 || !spatial(grid.layout).into_iter().all(keeps) {
        return Some(all.open(call.node).into());
    }
    let mixed = result.get(channel_axis(grid.layout) as usize)?;
    let size = |i: usize, letters: &str| {
        let place = letters.chars().position(|letter| letter == *mixed)?;
        call.constant(i)?.dims.get(place).copied()
    };
    let channels = if term.contains(mixed) {
        all.channels
    } else {
        terms.split(',').enumerate().skip(1).find_map(|(i, letters)| size(i, letters))
    };
    let weights: usize =
        (1..call.inputs.len()).filter_map(|i| Some(call.constant(i)?.elements())).sum();
    Some(Effect { macs: weights as f64 * per_px(grid), ..Value { channels, ..all }.into() })
}
