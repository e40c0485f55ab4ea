//! Tiny ONNX files, written here so that every number in them is known.

#![allow(dead_code, reason = "every test binary uses another part of it")]

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use gstkizuna::engine::ModelSource;
use half::f16;
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataLocation, DataType, Dimension, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, TypeProtoTensor, ValueInfoProto,
};

/// A graph that grows node by node, from "in" to "out".
#[derive(Default)]
pub struct Net(GraphProto);

/// Dimensions of a port: numbers are fixed, names are not.
pub type Dims<'a> = [&'a str; 4];

/// Dimensions that take any batch and size of `channels` channels.
pub const fn open(channels: &str) -> Dims<'_> {
    ["n", channels, "h", "w"]
}

impl Net {
    /// Adds `output = op(inputs)`.
    pub fn node(mut self, op: &str, inputs: &[&str], output: &str, attrs: &[Attr]) -> Self {
        self.0.node.push(NodeProto {
            name: Some(format!("{op}-{output}")),
            op_type: Some(op.into()),
            input: inputs.iter().map(ToString::to_string).collect(),
            output: vec![output.into()],
            attribute: attrs.iter().map(Attr::proto).collect(),
            ..NodeProto::default()
        });
        self
    }

    /// Adds weights of type `kind`.
    pub fn weight(mut self, kind: DataType, name: &str, dims: &[usize], values: &[f32]) -> Self {
        let raw: Vec<u8> = match kind {
            DataType::FLOAT16 => {
                values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect()
            }
            _ => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        self.0.initializer.push(TensorProto {
            name: Some(name.into()),
            dims: dims.iter().map(|&n| n as i64).collect(),
            data_type: Some(kind),
            raw_data: Some(RefCell::new(raw)),
            ..TensorProto::default()
        });
        self
    }

    /// Adds a list of whole numbers.
    pub fn ints(mut self, name: &str, values: &[i64]) -> Self {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.0.initializer.push(TensorProto {
            name: Some(name.into()),
            dims: vec![values.len() as i64],
            data_type: Some(DataType::INT64),
            raw_data: Some(RefCell::new(raw)),
            ..TensorProto::default()
        });
        self
    }

    /// Adds a convolution with a 3x3 kernel that keeps the size: `weights` is output, input, row, column.
    pub fn conv(self, kind: DataType, from: &str, to: &str, io: [usize; 2], w: &[f32]) -> Self {
        let name = format!("{to}.w");
        let attrs = [Attr::Ints("kernel_shape", &[3, 3]), Attr::Ints("pads", &[1, 1, 1, 1])];
        self.weight(kind, &name, &[io[1], io[0], 3, 3], w).node("Conv", &[from, &name], to, &attrs)
    }

    /// Adds an enlargement by `factor`, by repetition.
    pub fn nearest(self, factor: f32, from: &str, to: &str) -> Self {
        let name = format!("{to}.scales");
        let attrs = [
            Attr::String("mode", "nearest"),
            Attr::String("coordinate_transformation_mode", "asymmetric"),
            Attr::String("nearest_mode", "floor"),
        ];
        self.weight(DataType::FLOAT, &name, &[4], &[1.0, 1.0, factor, factor]).node(
            "Resize",
            &[from, "", &name],
            to,
            &attrs,
        )
    }

    /// The file, with one input and one output of these types and dimensions.
    pub fn finish(mut self, input: (DataType, Dims), output: (DataType, Dims)) -> ModelProto {
        self.0.input.push(port("in", input));
        self.0.output.push(port("out", output));
        ModelProto {
            ir_version: Some(8),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(17) }],
            graph: Some(self.0),
            ..ModelProto::default()
        }
    }

    /// [`Self::finish`] as an engine takes it.
    pub fn source(self, input: (DataType, Dims), output: (DataType, Dims)) -> ModelSource {
        source(&self.finish(input, output))
    }
}

/// An attribute of a node.
pub enum Attr<'a> {
    Float(&'a str, f32),
    Int(&'a str, i64),
    Ints(&'a str, &'a [i64]),
    String(&'a str, &'a str),
}

impl Attr<'_> {
    fn proto(&self) -> AttributeProto {
        let new = |name: &str, kind| AttributeProto {
            name: Some(name.into()),
            r#type: Some(kind),
            ..AttributeProto::default()
        };
        match *self {
            Self::Float(name, f) => {
                AttributeProto { f: Some(f), ..new(name, AttributeType::FLOAT) }
            }
            Self::Int(name, i) => AttributeProto { i: Some(i), ..new(name, AttributeType::INT) },
            Self::Ints(name, v) => {
                AttributeProto { ints: v.to_vec(), ..new(name, AttributeType::INTS) }
            }
            Self::String(name, s) => {
                AttributeProto { s: Some(s.into()), ..new(name, AttributeType::STRING) }
            }
        }
    }
}

fn port(name: &str, (kind, dims): (DataType, Dims)) -> ValueInfoProto {
    let dim = |dim: &str| match dim.parse() {
        Ok(n) => Dimension { dim_value: Some(n), dim_param: None },
        Err(_) => Dimension { dim_value: None, dim_param: Some(dim.into()) },
    };
    let shape = TensorShapeProto { dim: dims.into_iter().map(dim).collect() };
    let tensor = TypeProtoTensor { elem_type: Some(kind), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..TypeProto::default() }),
    }
}

/// `model` as an engine takes it.
pub fn source(model: &ModelProto) -> ModelSource {
    let bytes = Arc::from(model.write_buf().unwrap());
    ModelSource { name: "test".into(), path: None, bytes }
}

/// Writes `model` to `folder` with its weights in a file beside it.
pub fn source_with_external_data(mut model: ModelProto, folder: &Path) -> ModelSource {
    let mut data = Vec::new();
    for weight in &mut model.graph.as_mut().unwrap().initializer {
        let raw = weight.raw_data.take().unwrap().into_inner();
        let entry = |key: &str, value: String| StringStringEntryProto {
            key: Some(key.into()),
            value: Some(value),
        };
        weight.external_data = vec![
            entry("location", "weights.onnx.data".into()),
            entry("offset", data.len().to_string()),
            entry("length", raw.len().to_string()),
        ];
        weight.data_location = Some(DataLocation::EXTERNAL);
        data.extend(raw);
    }
    std::fs::write(folder.join("weights.onnx.data"), data).unwrap();
    let path = folder.join("model.onnx");
    let source = source(&model);
    std::fs::write(&path, &source.bytes).unwrap();
    ModelSource { path: Some(path), ..source }
}

/// `n` numbers around zero, always the same.
pub fn noise(n: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

/// Input and output, each of `kind` with any batch and size of `channels` channels.
pub fn same<'a>(kind: DataType, channels: &'a str) -> [(DataType, Dims<'a>); 2] {
    [(kind, open(channels)), (kind, ["n", channels, "oh", "ow"])]
}

/// Weights of a 3x3 convolution that hands the channels on as they are: output `o` is input `o % inputs`.
pub fn pass_on([inputs, outputs]: [usize; 2]) -> Vec<f32> {
    let mut w = vec![0.0; inputs * outputs * 9];
    for o in 0..outputs {
        w[(o * inputs + o % inputs) * 9 + 4] = 1.0;
    }
    w
}

/// `layers` convolutions of 64 channels that hand one channel on: slow, and its result is its input.
pub fn heavy(layers: usize) -> ModelSource {
    let f = DataType::FLOAT;
    let mut net = Net::default().conv(f, "in", "0", [1, 64], &pass_on([1, 64]));
    for i in 1..layers {
        let (from, to) = ((i - 1).to_string(), i.to_string());
        net = net.conv(f, &from, &to, [64, 64], &pass_on([64, 64]));
    }
    let last = (layers - 1).to_string();
    let [input, output] = same(f, "1");
    net.conv(f, &last, "out", [64, 1], &pass_on([64, 1])).source(input, output)
}

/// A network of the shape of realesr-animevideov3 (SRVGGNetCompact, 64 features, 16 convolutions, x2), with noise for
/// weights.
pub fn compact() -> ModelSource {
    let f = DataType::FLOAT;
    let conv = |net: Net, from: &str, to: &str, io: [usize; 2]| {
        let gain = (12.0 * 2.0 / (io[0] * 9) as f32).sqrt();
        let w: Vec<_> = noise(io[0] * io[1] * 9).into_iter().map(|v| v * gain).collect();
        net.conv(f, from, to, io, &w)
    };
    let mut net = Net::default();
    let mut from = "in".to_owned();
    for i in 0..17 {
        let (to, slope) = (format!("act{i}"), format!("slope{i}"));
        net = conv(net, &from, &format!("conv{i}"), [if i == 0 { 3 } else { 64 }, 64])
            .weight(f, &slope, &[64, 1, 1], &[0.2; 64])
            .node("PRelu", &[&format!("conv{i}"), &slope], &to, &[]);
        from = to;
    }
    let [input, output] = same(f, "3");
    conv(net, &from, "last", [64, 12])
        .node(
            "DepthToSpace",
            &["last"],
            "shuffled",
            &[Attr::Int("blocksize", 2), Attr::String("mode", "CRD")],
        )
        .nearest(2.0, "in", "base")
        .node("Add", &["shuffled", "base"], "out", &[])
        .source(input, output)
}
