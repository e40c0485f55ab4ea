//! What operators do to element types, and which of them may compute in fp16.
//!
//! Facts are from ONNX Runtime's table of kernels (docs/OperatorKernels.md): on CUDA, `Range`, `NonMaxSuppression`, `RoiAlign`
//! and `GridSample` have no kernel for fp16. onnxconverter-common and vs-mlrt keep `Min`, `Max`, `TopK` and every `Resize` in
//! fp32 as well, for whose first two and for `Resize` there are kernels today.

use rten_onnx::onnx::NodeProto;

use crate::models::attrs::Attrs;

/// What is to be known of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// It computes in the type of this input, and its first result is of that type.
    Computes,
    /// It only moves what this input holds: its result is the same in any type.
    Moves(usize),
    /// Its first result is of the first input's type, but it stays in fp32: there is no kernel for fp16, or it sums or raises
    /// numbers beyond what fp16 holds.
    Stays,
    /// Its results are no floats, and its inputs stay in fp32.
    Decides,
    /// It does not look at what its input holds.
    Shape,
    /// `Cast`.
    Cast,
}

const COMPUTES: &[&str] = &[
    "Abs",
    "Add",
    "AveragePool",
    "BatchNormalization",
    "Ceil",
    "Celu",
    "Clip",
    "Conv",
    "ConvTranspose",
    "Cos",
    "Div",
    "Dropout",
    "Einsum",
    "Elu",
    "Erf",
    "Floor",
    "Gelu",
    "Gemm",
    "GlobalMaxPool",
    "HardSigmoid",
    "HardSwish",
    "LayerNormalization",
    "LeakyRelu",
    "LogSoftmax",
    "MatMul",
    "Max",
    "MaxPool",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Reciprocal",
    "Relu",
    "Round",
    "Selu",
    "Sigmoid",
    "Sign",
    "Sin",
    "Softmax",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Sum",
    "Tan",
    "Tanh",
    "ThresholdedRelu",
];

const MOVES: &[&str] = &[
    "Concat",
    "DepthToSpace",
    "Expand",
    "Flatten",
    "Gather",
    "GatherElements",
    "GatherND",
    "Identity",
    "Pad",
    "Reshape",
    "ScatterElements",
    "ScatterND",
    "Slice",
    "SpaceToDepth",
    "Split",
    "Squeeze",
    "Tile",
    "Transpose",
    "Unsqueeze",
];

/// Sums over whole pictures pass 65504 and drop what they add; powers pass it too.
const STAYS: &[&str] = &[
    "CumSum",
    "Exp",
    "GlobalAveragePool",
    "GlobalLpPool",
    "GridSample",
    "GroupNormalization",
    "InstanceNormalization",
    "LRN",
    "Log",
    "LpNormalization",
    "LpPool",
    "Mean",
    "MeanVarianceNormalization",
    "Mod",
    "Pow",
    "Range",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSum",
    "ReduceLogSumExp",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
    "ReduceProd",
    "ReduceSum",
    "ReduceSumSquare",
    "RoiAlign",
    "TopK",
    "Upsample",
];

const DECIDES: &[&str] = &[
    "And",
    "ArgMax",
    "ArgMin",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "NonMaxSuppression",
    "NonZero",
    "Not",
    "Or",
    "Xor",
];

/// What is known of `node`'s operator; `None`: nothing.
pub(super) fn rule(node: &NodeProto) -> Option<Rule> {
    if !matches!(node.domain.as_deref(), None | Some("" | "ai.onnx")) {
        return None;
    }
    let op = node.op_type.as_deref().unwrap_or_default();
    let is_in = |list: &[&str]| list.contains(&op);
    Some(match op {
        "Cast" => Rule::Cast,
        "Shape" | "Size" => Rule::Shape,
        "Where" => Rule::Moves(1),
        // The nearest sample is a copy. Between samples, weights are worth their 24 bits.
        "Resize" if Attrs(node).text("mode", "nearest") == "nearest" => Rule::Moves(0),
        "Resize" => Rule::Stays,
        _ if is_in(COMPUTES) => Rule::Computes,
        _ if is_in(MOVES) => Rule::Moves(0),
        _ if is_in(STAYS) => Rule::Stays,
        _ if is_in(DECIDES) => Rule::Decides,
        _ => return None,
    })
}

/// Whether input `index` of a node that runs in fp16 stays in fp32 all the same.
pub(super) fn stays_full(node: &NodeProto, index: usize) -> bool {
    // Regions and factors of `Resize`.
    node.op_type.as_deref() == Some("Resize") && index > 0
}

/// Whether every result of `node` is of the type of the first.
pub(super) fn is_uniform(node: &NodeProto) -> bool {
    node.op_type.as_deref() == Some("Split")
}
