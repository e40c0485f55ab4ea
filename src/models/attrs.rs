//! Attributes of nodes, and small constants that stand for them in newer operator sets.

use std::collections::HashMap;

use rten_onnx::onnx::{AttributeProto, DataType, GraphProto, NodeProto, TensorProto};

/// Largest constant looked into, in elements: pads, scales, axes and starts have a dozen.
const MAX_ELEMENTS: usize = 64;

/// Reads attributes of one node.
#[derive(Clone, Copy)]
pub(crate) struct Attrs<'a>(pub &'a NodeProto);

impl<'a> Attrs<'a> {
    pub fn get(self, name: &str) -> Option<&'a AttributeProto> {
        self.0.attribute.iter().find(|a| a.name.as_deref() == Some(name))
    }

    pub fn int(self, name: &str, default: i64) -> i64 {
        self.get(name).and_then(|a| a.i).unwrap_or(default)
    }

    pub fn ints(self, name: &str) -> Option<Vec<i64>> {
        self.get(name).map(|a| a.ints.clone())
    }

    pub fn floats(self, name: &str) -> Option<Vec<f64>> {
        self.get(name).map(|a| a.floats.iter().map(|&v| v.into()).collect())
    }

    pub fn text(self, name: &str, default: &'a str) -> &'a str {
        self.get(name).and_then(|a| a.s.as_deref()).unwrap_or(default)
    }
}

/// A constant: its dimensions, and its values where it is small.
#[derive(Debug, Clone, Default)]
pub(crate) struct Constant {
    pub dims: Vec<usize>,
    pub values: Option<Vec<f64>>,
}

impl Constant {
    pub fn elements(&self) -> usize {
        self.dims.iter().fold(1, |n: usize, &d| n.saturating_mul(d))
    }

    fn of(tensor: &TensorProto) -> Self {
        let dims: Vec<_> =
            tensor.dims.iter().map(|&d| usize::try_from(d).unwrap_or(usize::MAX)).collect();
        let constant = Self { dims, values: None };
        let values = if constant.elements() <= MAX_ELEMENTS { numbers(tensor) } else { None };
        Self { values, ..constant }
    }
}

/// All constants of a graph by tensor name: initialisers and `Constant` nodes.
pub(crate) fn constants(graph: &GraphProto) -> HashMap<&str, Constant> {
    let mut all = HashMap::new();
    for tensor in &graph.initializer {
        all.insert(tensor.name.as_deref().unwrap_or_default(), Constant::of(tensor));
    }
    for node in graph.node.iter().filter(|n| n.op_type.as_deref() == Some("Constant")) {
        let attrs = Attrs(node);
        let list = |values: Vec<f64>| Constant { dims: vec![values.len()], values: Some(values) };
        let scalar = |value: f64| Constant { dims: vec![], values: Some(vec![value]) };
        let ints = |a: &AttributeProto| list(a.ints.iter().map(|&v| v as f64).collect());
        let value = attrs
            .get("value")
            .and_then(|a| a.t.as_ref())
            .map(Constant::of)
            .or_else(|| attrs.get("value_ints").map(ints))
            .or_else(|| attrs.floats("value_floats").map(list))
            .or_else(|| attrs.get("value_int").and_then(|a| a.i).map(|v| scalar(v as f64)))
            .or_else(|| attrs.get("value_float").and_then(|a| a.f).map(|v| scalar(v.into())));
        if let (Some(name), Some(value)) = (node.output.first(), value) {
            all.insert(name, value);
        }
    }
    all
}

/// A small tensor's numbers, where its type is one that shapes, pads or scales have.
fn numbers(tensor: &TensorProto) -> Option<Vec<f64>> {
    let raw = tensor.raw_data.as_ref().map(|data| data.borrow());
    let raw = raw.as_deref().filter(|data| !data.is_empty());
    let kind = tensor.data_type?;
    Some(match (kind, raw) {
        (DataType::INT64, Some(raw)) => words(raw, |b| i64::from_le_bytes(b) as f64),
        (DataType::INT64, None) => tensor.int64_data.iter().map(|&v| v as f64).collect(),
        (DataType::INT32, Some(raw)) => words(raw, |b| i32::from_le_bytes(b).into()),
        (DataType::INT32, None) => tensor.int32_data.iter().map(|&v| v.into()).collect(),
        (DataType::FLOAT, Some(raw)) => words(raw, |b| f32::from_le_bytes(b).into()),
        (DataType::FLOAT, None) => tensor.float_data.iter().map(|&v| v.into()).collect(),
        _ => return None,
    })
}

fn words<const N: usize>(raw: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    raw.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
}
