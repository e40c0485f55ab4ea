//! Writes ONNX graphs: nodes are added in order, the file comes out the same byte for byte on every machine.

use std::cell::RefCell;

use anyhow::{Context, Result};
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TypeProto,
    TypeProtoTensor, ValueInfoProto,
};

/// ONNX opset that every graph is written for: what ONNX Runtime, OpenVINO and rten all read.
const OPSET: i64 = 17;
/// ONNX file format version that goes with it.
const IR_VERSION: i64 = 8;

/// The one input's name.
pub const INPUT: &str = "input";
/// The one output's name.
pub const OUTPUT: &str = "output";

/// Where the networks here pad by themselves, and what with.
#[derive(Debug, Clone, Copy)]
pub enum PadMode {
    /// The edge sample again and again: a texture's clamp to edge.
    Edge,
    /// Mirrored without the edge sample.
    Reflect,
}

/// A convolution's numbers, besides its weights.
#[derive(Debug, Clone, Copy)]
pub struct ConvShape {
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Step.
    pub stride: usize,
    /// Zeros around the input.
    pub pad: usize,
    /// Groups of channels.
    pub group: usize,
}

impl ConvShape {
    /// A convolution with step 1, in one group, that pads nothing.
    pub const fn valid(kernel: usize) -> Self {
        Self { kernel, stride: 1, pad: 0, group: 1 }
    }
}

/// A graph under construction. Every method adds one node and returns the name of its result.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
}

impl Graph {
    /// Adds a node of type `op` with one result.
    pub fn node(&mut self, op: &str, inputs: &[&str], attributes: Vec<AttributeProto>) -> String {
        let result = format!("{}_{}", op.to_lowercase(), self.nodes.len());
        self.nodes.push(NodeProto {
            name: Some(result.clone()),
            op_type: Some(op.into()),
            input: inputs.iter().map(|name| (*name).to_owned()).collect(),
            output: vec![result.clone()],
            attribute: attributes,
            domain: None,
        });
        result
    }

    /// Adds a constant of floats.
    pub fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        self.constant(dims, DataType::FLOAT, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// Adds a constant list of integers.
    pub fn ints(&mut self, values: &[i64]) -> String {
        self.constant(
            &[values.len()],
            DataType::INT64,
            values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        )
    }

    fn constant(&mut self, dims: &[usize], data_type: DataType, raw: Vec<u8>) -> String {
        let name = format!("const_{}", self.initializers.len());
        self.initializers.push(TensorProto {
            name: Some(name.clone()),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: Some(data_type),
            raw_data: Some(RefCell::new(raw)),
            ..TensorProto::default()
        });
        name
    }

    /// Convolution; `weights` are (out, in / group, rows, columns), one bias per output channel.
    pub fn conv(&mut self, x: &str, shape: ConvShape, weights: &[f32], bias: &[f32]) -> String {
        let k = shape.kernel;
        let inputs = weights.len() / (bias.len() * k * k);
        let weights = self.floats(&[bias.len(), inputs, k, k], weights);
        let bias = self.floats(&[bias.len()], bias);
        self.node("Conv", &[x, &weights, &bias], conv_attributes(shape))
    }

    /// Transposed convolution; `weights` are (in, out, rows, columns).
    pub fn conv_transpose(
        &mut self,
        x: &str,
        shape: ConvShape,
        weights: &[f32],
        bias: &[f32],
    ) -> String {
        let k = shape.kernel;
        let inputs = weights.len() / (bias.len() * k * k);
        let weights = self.floats(&[inputs, bias.len(), k, k], weights);
        let bias = self.floats(&[bias.len()], bias);
        self.node("ConvTranspose", &[x, &weights, &bias], conv_attributes(shape))
    }

    /// Grows rows and columns: `before` at the top and left, `after` at the bottom and right.
    pub fn pad(&mut self, x: &str, mode: PadMode, before: usize, after: usize) -> String {
        let (before, after) = (before as i64, after as i64);
        let pads = self.ints(&[0, 0, before, before, 0, 0, after, after]);
        let mode = match mode {
            PadMode::Edge => "edge",
            PadMode::Reflect => "reflect",
        };
        self.node("Pad", &[x, &pads], vec![string("mode", mode)])
    }

    /// Crops rows and columns: `before` from the top and left, `after` from the bottom and right.
    pub fn crop(&mut self, x: &str, before: usize, after: usize) -> String {
        let starts = self.ints(&[before as i64; 2]);
        let ends = self.ints(&[if after == 0 { i64::MAX } else { -(after as i64) }; 2]);
        let axes = self.ints(&[2, 3]);
        self.node("Slice", &[x, &starts, &ends, &axes], vec![])
    }

    /// Channels to pixels, `block` by `block`; channel c's pixels lie next to each other (CRD).
    pub fn depth_to_space(&mut self, x: &str, block: usize) -> String {
        self.node("DepthToSpace", &[x], vec![int("blocksize", block as i64), string("mode", "CRD")])
    }

    /// Enlarges by a whole factor, repeating samples.
    pub fn resize_nearest(&mut self, x: &str, factor: usize) -> String {
        let attributes = vec![
            string("mode", "nearest"),
            string("nearest_mode", "floor"),
            string("coordinate_transformation_mode", "asymmetric"),
        ];
        self.resize(x, factor, attributes)
    }

    /// Enlarges by a whole factor as a texture unit does: bilinear, clamped to the edge.
    pub fn resize_linear(&mut self, x: &str, factor: usize) -> String {
        let attributes =
            vec![string("mode", "linear"), string("coordinate_transformation_mode", "half_pixel")];
        self.resize(x, factor, attributes)
    }

    fn resize(&mut self, x: &str, factor: usize, attributes: Vec<AttributeProto>) -> String {
        let factor = factor as f32;
        let scales = self.floats(&[4], &[1.0, 1.0, factor, factor]);
        self.node("Resize", &[x, "", &scales], attributes)
    }

    /// Joins channels.
    pub fn concat(&mut self, parts: &[&str]) -> String {
        match parts {
            [one] => (*one).to_owned(),
            _ => self.node("Concat", parts, vec![int("axis", 1)]),
        }
    }

    /// The finished file: RGB in, RGB out, any batch, height and width; `result` becomes the output.
    ///
    /// # Errors
    /// If no node gives `result`, or the encoder fails.
    pub fn finish(mut self, result: &str, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
        let last = self
            .nodes
            .iter_mut()
            .find(|n| n.output[0] == result)
            .with_context(|| format!("no node of the graph gives '{result}'"))?;
        last.output[0] = OUTPUT.into();
        let model = ModelProto {
            ir_version: Some(IR_VERSION),
            opset_import: vec![OperatorSetIdProto { domain: None, version: Some(OPSET) }],
            producer_name: Some("kizuna xtask".into()),
            metadata_props: metadata
                .iter()
                .map(|(key, value)| StringStringEntryProto {
                    key: Some((*key).into()),
                    value: Some((*value).into()),
                })
                .collect(),
            graph: Some(GraphProto {
                node: self.nodes,
                initializer: self.initializers,
                input: vec![picture(INPUT, ["height", "width"])],
                output: vec![picture(OUTPUT, ["out_height", "out_width"])],
                value_info: vec![],
            }),
            ..ModelProto::default()
        };
        model.write_buf().context("cannot encode the ONNX graph")
    }
}

fn conv_attributes(shape: ConvShape) -> Vec<AttributeProto> {
    let square = |v: usize, n: usize| vec![v as i64; n];
    vec![
        ints("kernel_shape", square(shape.kernel, 2)),
        ints("strides", square(shape.stride, 2)),
        ints("pads", square(shape.pad, 4)),
        int("group", shape.group as i64),
    ]
}

fn picture(name: &str, [height, width]: [&str; 2]) -> ValueInfoProto {
    let named = |n: &str| Dimension { dim_param: Some(n.into()), dim_value: None };
    let dim = vec![
        named("batch"),
        Dimension { dim_value: Some(3), dim_param: None },
        named(height),
        named(width),
    ];
    let tensor =
        TypeProtoTensor { elem_type: Some(DataType::FLOAT), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { tensor_type: Some(tensor), sequence: None }),
    }
}

/// An integer attribute.
pub fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::INT) }
}

/// A float attribute.
pub fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { f: Some(value), ..attribute(name, AttributeType::FLOAT) }
}

fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { ints: values, ..attribute(name, AttributeType::INTS) }
}

fn string(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..attribute(name, AttributeType::STRING) }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind), ..AttributeProto::default() }
}
