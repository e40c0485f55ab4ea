//! Nodes and constants that are added to a graph.

use std::cell::RefCell;
use std::collections::HashSet;

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, NodeProto, TensorProto,
    TensorShapeProto, TypeProto, TypeProtoTensor, ValueInfoProto,
};

/// Names that a graph does not use yet.
pub(super) struct Names(HashSet<String>);

impl Names {
    pub fn of(graph: &GraphProto) -> Self {
        let nodes = graph.node.iter().flat_map(|n| n.input.iter().chain(&n.output).chain(&n.name));
        let ports = graph.input.iter().chain(&graph.output).filter_map(|port| port.name.as_ref());
        let constants = graph.initializer.iter().filter_map(|tensor| tensor.name.as_ref());
        Self(nodes.chain(ports).chain(constants).cloned().collect())
    }

    /// `wanted`, or what is nearest to it and free.
    pub fn fresh(&mut self, wanted: String) -> String {
        let mut name = wanted;
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// A chain of new nodes. Each method adds one and returns the name of its result.
pub(super) struct Builder {
    names: Names,
    opset: i64,
    prefix: &'static str,
    pub nodes: Vec<NodeProto>,
    pub constants: Vec<TensorProto>,
}

impl Builder {
    pub fn new(names: Names, opset: i64, prefix: &'static str) -> Self {
        Self { names, opset, prefix, nodes: Vec::new(), constants: Vec::new() }
    }

    pub fn fresh(&mut self, name: &str) -> String {
        self.names.fresh(format!("{}/{name}", self.prefix))
    }

    pub fn node(&mut self, op: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let output = self.fresh(&op.to_lowercase());
        self.nodes.push(node(op, inputs, output.clone(), attribute));
        output
    }

    /// A node whose result is called `output`.
    pub fn named(
        &mut self,
        op: &str,
        inputs: &[&str],
        output: &str,
        attribute: Vec<AttributeProto>,
    ) {
        self.nodes.push(node(op, inputs, output.into(), attribute));
    }

    pub fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(DataType::FLOAT, dims, raw)
    }

    pub fn ints(&mut self, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(DataType::INT64, &[values.len()], raw)
    }

    fn constant(&mut self, kind: DataType, dims: &[usize], raw: Vec<u8>) -> String {
        let name = self.fresh("constant");
        self.constants.push(tensor(name.clone(), kind, dims.iter().map(|&n| n as i64), raw));
        name
    }

    pub fn cast(&mut self, x: &str, to: DataType) -> String {
        self.node("Cast", &[x], vec![int("to", to.0.into())])
    }

    /// `x` and one number: `op` is `Add`, `Sub`, `Mul` or `Div`. What changes nothing is left out.
    pub fn with(&mut self, op: &str, x: &str, number: f32) -> String {
        let neutral = if matches!(op, "Add" | "Sub") { 0.0 } else { 1.0 };
        if number == neutral {
            return x.into();
        }
        let number = self.floats(&[], &[number]);
        self.node(op, &[x, &number], vec![])
    }

    pub fn clip(&mut self, x: &str, low: f32, high: f32) -> String {
        let (low, high) = (self.floats(&[], &[low]), self.floats(&[], &[high]));
        self.node("Clip", &[x, &low, &high], vec![])
    }

    pub fn transpose(&mut self, x: &str, perm: &[i64]) -> String {
        self.node("Transpose", &[x], vec![ints("perm", perm)])
    }

    pub fn reshape(&mut self, x: &str, shape: &[usize]) -> String {
        let shape: Vec<_> = shape.iter().map(|&n| n as i64).collect();
        let shape = self.ints(&shape);
        self.node("Reshape", &[x, &shape], vec![])
    }

    /// Channels `indices` of `x`, in that order.
    pub fn channels(&mut self, x: &str, indices: &[i64]) -> String {
        let indices = self.ints(indices);
        self.node("Gather", &[x, &indices], vec![int("axis", 1)])
    }

    pub fn concat(&mut self, parts: &[&str]) -> String {
        match parts {
            [one] => (*one).into(),
            _ => self.node("Concat", parts, vec![int("axis", 1)]),
        }
    }

    /// The mean of all of `x`.
    pub fn mean(&mut self, x: &str) -> String {
        self.node("ReduceMean", &[x], vec![int("keepdims", 1)])
    }

    /// The sum over the channels of `x`.
    pub fn sum(&mut self, x: &str) -> String {
        let mut attributes = vec![int("keepdims", 1)];
        if self.opset < 13 {
            attributes.push(ints("axes", &[1]));
            return self.node("ReduceSum", &[x], attributes);
        }
        let axes = self.ints(&[1]);
        self.node("ReduceSum", &[x, &axes], attributes)
    }

    /// A convolution; `weights` are output, input, row, column, and `bias` one number an output.
    pub fn conv(&mut self, x: &str, conv: &Conv) -> String {
        let [rows, columns] = conv.kernel;
        let inputs = conv.weights.len() / (conv.bias.len() * rows * columns);
        let weights = self.floats(&[conv.bias.len(), inputs, rows, columns], &conv.weights);
        let bias = self.floats(&[conv.bias.len()], &conv.bias);
        let signed = |v: &[usize]| v.iter().map(|&n| n as i64).collect::<Vec<_>>();
        let attributes = vec![
            ints("kernel_shape", &signed(&conv.kernel)),
            ints("strides", &signed(&conv.strides)),
            ints("pads", &signed(&conv.pads)),
            ints("dilations", &[1, 1]),
            int("group", 1),
        ];
        self.node("Conv", &[x, &weights, &bias], attributes)
    }
}

/// A convolution's numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Conv {
    pub kernel: [usize; 2],
    pub strides: [usize; 2],
    /// Zeros above, left, below and right.
    pub pads: [usize; 4],
    pub weights: Vec<f32>,
    pub bias: Vec<f32>,
}

pub(super) fn node(
    op: &str,
    inputs: &[&str],
    output: String,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        name: Some(output.clone()),
        op_type: Some(op.into()),
        input: inputs.iter().map(ToString::to_string).collect(),
        output: vec![output],
        attribute,
        domain: None,
    }
}

pub(super) fn tensor(
    name: String,
    kind: DataType,
    dims: impl IntoIterator<Item = i64>,
    raw: Vec<u8>,
) -> TensorProto {
    TensorProto {
        name: Some(name),
        dims: dims.into_iter().collect(),
        data_type: Some(kind),
        raw_data: Some(RefCell::new(raw)),
        ..TensorProto::default()
    }
}

pub(super) fn port(name: &str, kind: DataType, dims: &[usize]) -> ValueInfoProto {
    let dim = |&n: &usize| Dimension { dim_value: Some(n as i64), dim_param: None };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TypeProtoTensor { elem_type: Some(kind), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}

pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::INT) }
}

pub(super) fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::INTS) }
}

pub(super) fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..attribute(name, AttributeType::STRING) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind), ..AttributeProto::default() }
}
