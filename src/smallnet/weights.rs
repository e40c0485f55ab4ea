//! Constants of a graph, of any size, and what is said of convolutions and of the input.

use std::collections::HashMap;

use half::f16;
use rten_onnx::onnx::{DataLocation, DataType, GraphProto, NodeProto, TensorProto};

use super::Edge;
use crate::models::attrs::Attrs;

/// Looks constants up by name: initialisers and `Constant` nodes.
pub(super) struct Weights<'a>(HashMap<&'a str, &'a TensorProto>);

impl<'a> Weights<'a> {
    pub fn of(graph: &'a GraphProto) -> Self {
        let named = graph.initializer.iter().filter_map(|t| Some((t.name.as_deref()?, t)));
        let nodes = graph.node.iter().filter_map(|node| {
            let value = node.attribute.iter().find(|a| a.name.as_deref() == Some("value"))?;
            let is_constant = node.op_type.as_deref() == Some("Constant");
            Some((node.output.first()?.as_str(), value.t.as_ref().filter(|_| is_constant)?))
        });
        Self(named.chain(nodes).collect())
    }

    /// Dimensions and values of a floating-point constant, or why there is none.
    pub fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        let tensor = self.0.get(name).ok_or_else(|| format!("'{name}' is computed"))?;
        if tensor.data_location == Some(DataLocation::EXTERNAL) {
            return Err("its weights lie in another file".into());
        }
        let dims: Vec<_> = tensor.dims.iter().filter_map(|&d| usize::try_from(d).ok()).collect();
        let raw = tensor.raw_data.as_ref().map(|data| data.borrow());
        let raw = raw.as_deref().filter(|data| !data.is_empty());
        let values: Vec<f32> = match (tensor.data_type, raw) {
            (Some(DataType::FLOAT), Some(raw)) => {
                raw.as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect()
            }
            (Some(DataType::FLOAT), None) => tensor.float_data.clone(),
            (Some(DataType::FLOAT16), Some(raw)) => {
                raw.as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32()).collect()
            }
            _ => return Err(format!("'{name}' is no tensor of floats")),
        };
        let elements = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        if elements != Some(values.len()) || dims.len() != tensor.dims.len() {
            return Err(format!("'{name}' is not as long as its shape says"));
        }
        Ok((dims, values))
    }
}

/// Channels of the input: what it says of itself, else what the first convolution reads.
pub(super) fn input_channels(
    graph: &GraphProto,
    name: &str,
    weights: &Weights,
) -> Result<usize, String> {
    let input = graph.input.iter().find(|port| port.name.as_deref() == Some(name));
    let shape = input.and_then(|i| i.r#type.as_ref()?.tensor_type.as_ref()?.shape.as_ref());
    let declared =
        shape.and_then(|s| s.dim.get(1)?.dim_value).and_then(|n| usize::try_from(n).ok());
    let read = || {
        let reads = |n: &&NodeProto| n.input.first().is_some_and(|i| i == name);
        let mut nodes = graph.node.iter().filter(|n| n.op_type.as_deref() == Some("Conv"));
        weights.floats(nodes.find(reads)?.input.get(1)?).ok()?.0.get(1).copied()
    };
    let channels = declared.filter(|&n| n > 0).or_else(read).ok_or("its channels are open")?;
    if channels <= 4 { Ok(channels) } else { Err(format!("its input has {channels} channels")) }
}

/// What a convolution reads beyond the edge, or why it is none that keeps the size.
pub(super) fn window(
    node: &NodeProto,
    side: usize,
    width: usize,
    pad: Option<Edge>,
) -> Result<Edge, String> {
    let attrs = Attrs(node);
    let is_ones = |name| attrs.ints(name).is_none_or(|v| v.iter().all(|&n| n == 1));
    if side != width || !matches!(side, 1 | 3) {
        return Err(format!("it has a convolution of {side}x{width}"));
    }
    if attrs.int("group", 1) != 1 || !is_ones("strides") || !is_ones("dilations") {
        return Err("it has a convolution with groups, strides or dilations".into());
    }
    let is_same = attrs.text("auto_pad", "NOTSET").starts_with("SAME");
    let pads = match attrs.ints("pads").filter(|pads| !pads.is_empty()) {
        _ if is_same => vec![side as i64 / 2; 4],
        pads => pads.unwrap_or_else(|| vec![0; 4]),
    };
    match (side, pad, pads.as_slice()) {
        (1, None, [0, 0, 0, 0]) => Ok(Edge::Clamp),
        (3, None, [1, 1, 1, 1]) => Ok(Edge::Zero),
        (3, Some(edge), [0, 0, 0, 0]) => Ok(edge),
        _ => Err("it has a convolution that changes the picture's size".into()),
    }
}
