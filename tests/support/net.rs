//! Writes small ONNX networks node by node.

use std::cell::RefCell;

use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataLocation, DataType, Dimension, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, TypeProtoTensor, ValueInfoProto,
};

use super::{Case, Expect};

/// A network that grows node by node; `last` is the tensor that the next node reads.
pub struct Net {
    pub graph: GraphProto,
    channels: usize,
    last: String,
    kind: DataType,
    dims: [Option<usize>; 4],
    is_nhwc: bool,
    sidecar: Option<&'static str>,
    metadata: Vec<StringStringEntryProto>,
    pub more_outputs: Vec<String>,
}

impl Net {
    pub fn new(channels: usize) -> Self {
        Self {
            graph: GraphProto::default(),
            channels,
            last: "x".into(),
            kind: DataType::FLOAT,
            dims: [None, Some(channels), None, None],
            is_nhwc: false,
            sidecar: None,
            metadata: Vec::new(),
            more_outputs: Vec::new(),
        }
    }

    pub fn element(self, kind: DataType) -> Self {
        Self { kind, ..self }
    }

    pub fn batch(mut self, n: usize) -> Self {
        self.dims[0] = Some(n);
        self
    }

    pub fn size(mut self, width: usize, height: usize) -> Self {
        (self.dims[2], self.dims[3]) = (Some(height), Some(width));
        self
    }

    pub fn sidecar(self, sidecar: &'static str) -> Self {
        Self { sidecar: Some(sidecar), ..self }
    }

    pub fn metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata
            .push(StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) });
        self
    }

    /// A node that reads `last` and `more`.
    pub fn op(mut self, op: &str, more: &[&str], attribute: Vec<AttributeProto>) -> Self {
        let output = format!("t{}", self.graph.node.len());
        let mut input = vec![self.last.clone()];
        input.extend(more.iter().map(|&name| name.to_owned()));
        self.graph.node.push(NodeProto {
            name: Some(format!("{op}_{}", self.graph.node.len())),
            op_type: Some(op.into()),
            input,
            output: vec![output.clone()],
            attribute,
            ..NodeProto::default()
        });
        self.last = output;
        self
    }

    /// A new initialiser of floats, in the network's own float type; its name.
    pub fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let is_half = self.kind == DataType::FLOAT16;
        let raw: Vec<u8> = match is_half {
            true => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
            false => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        self.weights(if is_half { DataType::FLOAT16 } else { DataType::FLOAT }, dims, raw)
    }

    pub fn ints(&mut self, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.weights(DataType::INT64, &[values.len()], raw)
    }

    pub fn weights(&mut self, kind: DataType, dims: &[usize], raw: Vec<u8>) -> String {
        let name = format!("w{}", self.graph.initializer.len());
        self.graph.initializer.push(TensorProto {
            name: Some(name.clone()),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: Some(kind),
            raw_data: Some(RefCell::new(raw)),
            ..TensorProto::default()
        });
        name
    }

    /// Filters that pass input channel `o % channels` to output `o` through a smoothing kernel.
    pub fn filters(&mut self, out: usize, side: usize, centre: f32) -> String {
        let (channels, area) = (self.channels, side * side);
        let mut values = vec![0.0; out * channels * area];
        for o in 0..out {
            let kernel = &mut values[(o * channels + o % channels) * area..][..area];
            kernel.fill((1.0 - centre) / (area - 1).max(1) as f32);
            kernel[area / 2] = if area == 1 { 1.0 } else { centre };
        }
        self.floats(&[out, channels, side, side], &values)
    }

    pub fn conv(mut self, out: usize, side: usize) -> Self {
        let weights = self.filters(out, side, 0.6);
        let pad = side as i64 / 2;
        let net = self.op("Conv", &[&weights], window(1, pad));
        Self { channels: out, ..net }
    }

    pub fn conv_valid(mut self, side: usize) -> Self {
        let weights = self.filters(self.channels, side, 0.3);
        self.op("Conv", &[&weights], window(1, 0))
    }

    /// A 3x3 convolution into sub-pixels, and those put in place. Of the four (nine, sixteen) filters of a channel all are
    /// alike, in the order that `DCR` wants: block first, then channel.
    pub fn upscale(self, factor: usize) -> Self {
        let channels = self.channels;
        let net = self.conv(channels * factor * factor, 3);
        let net = net.op("DepthToSpace", &[], vec![int("blocksize", factor as i64)]);
        Self { channels, ..net }
    }

    pub fn resize(mut self, mode: &str, factor: f32) -> Self {
        let scales: Vec<u8> =
            [1.0, 1.0, factor, factor].iter().flat_map(|v: &f32| v.to_le_bytes()).collect();
        let scales = self.weights(DataType::FLOAT, &[4], scales);
        let place = match mode {
            "nearest" => vec![
                text("coordinate_transformation_mode", "asymmetric"),
                text("nearest_mode", "floor"),
            ],
            _ => vec![text("coordinate_transformation_mode", "half_pixel")],
        };
        let mode = text("mode", mode);
        self.op("Resize", &["", &scales], [vec![mode], place].concat())
    }

    /// Scales the width alone.
    pub fn stretch(mut self) -> Self {
        let scales: Vec<u8> =
            [1.0_f32, 1.0, 1.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let scales = self.weights(DataType::FLOAT, &[4], scales);
        self.op("Resize", &["", &scales], vec![text("mode", "nearest")])
    }

    pub fn transposed_input(mut self) -> Self {
        self.is_nhwc = true;
        self.op("Transpose", &[], vec![ints("perm", &[0, 3, 1, 2])])
    }

    pub fn transposed_output(self) -> Self {
        self.op("Transpose", &[], vec![ints("perm", &[0, 2, 3, 1])])
    }

    pub fn bytes_to_unit(mut self) -> Self {
        let white = self.floats(&[1], &[255.0]);
        let net = self.op("Cast", &[], vec![int("to", DataType::FLOAT.0.into())]);
        net.op("Div", &[&white], vec![])
    }

    pub fn unit_to_bytes(mut self) -> Self {
        let white = self.floats(&[1], &[255.0]);
        let net = self.op("Mul", &[&white], vec![]).op("Round", &[], vec![]).clip(0.0, 255.0);
        net.op("Cast", &[], vec![int("to", DataType::UINT8.0.into())])
    }

    pub fn clip(mut self, low: f32, high: f32) -> Self {
        let (low, high) = (self.floats(&[], &[low]), self.floats(&[], &[high]));
        self.op("Clip", &[&low, &high], vec![])
    }

    /// x * sigmoid(mean of x): every pixel hangs on every other.
    pub fn squeeze_excite(self) -> Self {
        let picture = self.last.clone();
        let net = self.op("GlobalAveragePool", &[], vec![]);
        let channels = net.channels;
        net.conv(channels, 1).op("Sigmoid", &[], vec![]).op("Mul", &[&picture], vec![])
    }

    /// Mixes channels by a matrix that is itself made by `ScatterND`: the identity.
    pub fn einsum_of_scatter(mut self) -> Self {
        let (n, picture) = (self.channels, self.last.clone());
        let zeros = self.floats(&[n, n], &vec![0.0; n * n]);
        let places: Vec<i64> = (0..n as i64).flat_map(|i| [i, i]).collect();
        let places = self.ints(&places);
        if let Some(tensor) = self.graph.initializer.last_mut() {
            tensor.dims = vec![n as i64, 2];
        }
        let ones = self.floats(&[n], &vec![1.0; n]);
        self.last = zeros;
        let mut net = self.op("ScatterND", &[&places, &ones], vec![]);
        let matrix = std::mem::replace(&mut net.last, picture);
        net.op("Einsum", &[&matrix], vec![text("equation", "nchw,kc->nkhw")])
    }

    pub fn reflect(mut self, px: i64) -> Self {
        let pads = self.ints(&[0, 0, px, px, 0, 0, px, px]);
        self.op("Pad", &[&pads], vec![text("mode", "reflect")])
    }

    pub fn reshape_as_it_is(mut self) -> Self {
        let shape = self.ints(&[0; 4]);
        self.op("Reshape", &[&shape], vec![])
    }

    /// Down by 2 `levels` times and up again, averaged with what came in: any other size does not fit together again.
    pub fn hourglass(self, levels: usize) -> Self {
        let picture = self.last.clone();
        let mut net = self;
        for _ in 0..levels {
            let weights = net.filters(net.channels, 2, 0.25);
            net = net.op("Conv", &[&weights], window(2, 0));
        }
        for _ in 0..levels {
            let n = net.channels;
            let identity: Vec<f32> =
                (0..n * n * 4).map(|i| if i / 4 % n == i / 4 / n { 1.0 } else { 0.0 }).collect();
            let weights = net.floats(&[n, n, 2, 2], &identity);
            net = net.op("ConvTranspose", &[&weights], window(2, 0));
        }
        let half = net.floats(&[1], &[0.5]);
        net.op("Add", &[&picture], vec![]).op("Mul", &[&half], vec![])
    }

    /// A 1x1 convolution whose weights lie elsewhere.
    pub fn external(mut self, location: &str) -> Self {
        let weights = self.floats(&[3, 3, 1, 1], &[]);
        let entry =
            StringStringEntryProto { key: Some("location".into()), value: Some(location.into()) };
        if let Some(tensor) = self.graph.initializer.last_mut() {
            tensor.raw_data = None;
            tensor.data_location = Some(DataLocation::EXTERNAL);
            tensor.external_data = vec![entry];
        }
        self.op("Conv", &[&weights], window(1, 0))
    }

    pub fn bytes(mut self) -> Vec<u8> {
        let [n, c, h, w] = self.dims;
        let order = |[n, c, h, w]: [Option<usize>; 4]| {
            if self.is_nhwc { [n, h, w, c] } else { [n, c, h, w] }
        };
        if self.graph.input.is_empty() {
            self.graph.input = vec![picture("x", self.kind, &order([n, c, h, w]))];
        } else if self.graph.input.iter().all(|i| i.name.as_deref() != Some("x")) {
            self.graph.input.insert(0, picture("x", self.kind, &order([n, c, h, w])));
        }
        self.graph.output = vec![picture(&self.last, self.kind, &order([n, c, None, None]))];
        for name in &self.more_outputs {
            self.graph.output.push(picture(name, self.kind, &[None; 4]));
        }
        let opset = OperatorSetIdProto { domain: Some(String::new()), version: Some(17) };
        let model = ModelProto {
            ir_version: Some(8),
            producer_name: Some("kizuna zoo".into()),
            graph: Some(self.graph),
            opset_import: vec![opset],
            metadata_props: self.metadata,
            ..ModelProto::default()
        };
        model.write_buf().unwrap()
    }

    pub fn case(self, name: &'static str, expect: Expect) -> Case {
        let sidecar = self.sidecar;
        Case { name, sidecar, expect, bytes: self.bytes() }
    }
}

pub fn picture(name: &str, kind: DataType, dims: &[Option<usize>]) -> ValueInfoProto {
    let dim = |(i, size): (usize, &Option<usize>)| Dimension {
        dim_value: size.map(|n| n as i64),
        dim_param: size.is_none().then(|| format!("{name}{i}")),
    };
    let shape = TensorShapeProto { dim: dims.iter().enumerate().map(dim).collect() };
    let tensor_type = TypeProtoTensor { elem_type: Some(kind), shape: Some(shape) };
    ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(TypeProto { tensor_type: Some(tensor_type), ..TypeProto::default() }),
    }
}

fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
    AttributeProto { name: Some(name.into()), r#type: Some(kind), ..AttributeProto::default() }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { i: Some(value), ..attribute(name, AttributeType::INT) }
}

fn ints(name: &str, values: &[i64]) -> AttributeProto {
    AttributeProto { ints: values.to_vec(), ..attribute(name, AttributeType::INTS) }
}

/// Attributes of a convolution. All are written, as exporters do: rten 0.27 does not know the standard's defaults.
fn window(stride: i64, pad: i64) -> Vec<AttributeProto> {
    vec![
        ints("strides", &[stride; 2]),
        ints("dilations", &[1; 2]),
        ints("pads", &[pad; 4]),
        int("group", 1),
    ]
}

fn text(name: &str, value: &str) -> AttributeProto {
    AttributeProto { s: Some(value.into()), ..attribute(name, AttributeType::STRING) }
}
