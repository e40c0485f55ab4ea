//! A set of small models of our own making: one for every rule of the contract, and the bad ones.
//!
//! All are written in code, so that what each must be found to be is known exactly. Filters are smoothing kernels whose
//! weights add up to one: an upscaled picture still looks like the picture.

#![allow(dead_code, reason = "every test binary uses another part of it")]

use std::cell::RefCell;
use std::fs;
use std::path::{Path, PathBuf};

use gstkizuna::engine::{Halo, ValueRange};
use gstkizuna::upscale::{Element, Layout};
use rten_onnx::onnx::{
    AttributeProto, AttributeType, DataLocation, DataType, Dimension, GraphProto, ModelProto,
    NodeProto, OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto,
    TypeProto, TypeProtoTensor, ValueInfoProto,
};

/// A model that works, and what must be found out about it.
pub struct Case {
    /// File name without extension.
    pub name: &'static str,
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// The TOML file beside it, if it needs one.
    pub sidecar: Option<&'static str>,
    /// What it is.
    pub expect: Expect,
}

/// What a model is.
#[derive(Debug, Clone, Copy)]
pub struct Expect {
    pub scale: (usize, usize),
    pub channels: usize,
    pub layout: Layout,
    pub element: Element,
    pub alignment: usize,
    pub min_size: usize,
    pub halo: Halo,
    pub range: ValueRange,
    /// Whether the graph alone proves the halo.
    pub is_proven: bool,
    /// Fixed width and height.
    pub fixed: Option<(usize, usize)>,
    pub batch: Option<usize>,
}

impl Expect {
    /// A three-channel float network of any size, factor `scale` and exact radius `halo`.
    const fn plain(scale: usize, halo: usize) -> Self {
        Self {
            scale: (scale, 1),
            channels: 3,
            layout: Layout::Nchw,
            element: Element::F32,
            alignment: 1,
            min_size: 1,
            halo: Halo::Exact(halo),
            range: ValueRange::Unit,
            is_proven: true,
            fixed: None,
            batch: None,
        }
    }
}

/// All models that work.
pub fn all() -> Vec<Case> {
    let plain = Expect::plain;
    let rgb = || Net::new(3);
    let mut cases = vec![
        rgb().op("Identity", &[], vec![]).case("identity", plain(1, 0)),
        Net::new(1).upscale(2).case("luma-x2", Expect { channels: 1, ..plain(2, 1) }),
        rgb().upscale(2).case("rgb-x2", plain(2, 1)),
        rgb().upscale(3).case("rgb-x3", plain(3, 1)),
        rgb().upscale(4).case("rgb-x4", plain(4, 1)),
        rgb().conv(3, 3).conv(3, 3).case("rgb-x1", plain(1, 2)),
        Net::new(4).upscale(2).case("rgba-x2", Expect { channels: 4, ..plain(2, 1) }),
        rgb().resize("linear", 1.5).case(
            "linear-x1.5",
            Expect { scale: (3, 2), alignment: 2, min_size: 2, ..plain(1, 1) },
        ),
        rgb().resize("nearest", 4.0).conv(3, 3).case("nearest-x4", plain(4, 1)),
        rgb()
            .transposed_input()
            .upscale(2)
            .transposed_output()
            .case("nhwc-x2", Expect { layout: Layout::Nhwc, ..plain(2, 1) }),
        rgb()
            .element(DataType::FLOAT16)
            .upscale(2)
            .case("f16-x2", Expect { element: Element::F16, ..plain(2, 1) }),
        rgb()
            .element(DataType::UINT8)
            .bytes_to_unit()
            .upscale(2)
            .unit_to_bytes()
            .case("u8-x2", Expect { element: Element::U8, range: ValueRange::Byte, ..plain(2, 1) }),
        rgb()
            .size(64, 48)
            .upscale(2)
            .case("fixed-64x48", Expect { fixed: Some((64, 48)), min_size: 48, ..plain(2, 1) }),
        rgb().batch(2).upscale(2).case("batch-2", Expect { batch: Some(2), ..plain(2, 1) }),
        rgb()
            .squeeze_excite()
            .upscale(2)
            .case("global-pooling", Expect { halo: Halo::Open, ..plain(2, 1) }),
        rgb().einsum_of_scatter().upscale(2).case("einsum-scatter", plain(2, 1)),
        rgb().reflect(7).conv_valid(15).case("reflect-7", Expect { min_size: 8, ..plain(1, 7) }),
        rgb().conv(3, 3).reshape_as_it_is().case(
            "unknown-op",
            Expect { is_proven: false, halo: Halo::Measured(1), ..plain(1, 1) },
        ),
        rgb()
            .clip(-1.0, 1.0)
            .upscale(2)
            .sidecar("[contract]\nrange = 'signed'\n")
            .case("signed-x2", Expect { range: ValueRange::Signed, ..plain(2, 1) }),
        rgb()
            .clip(0.0, 255.0)
            .upscale(2)
            .sidecar("[contract]\nrange = 'byte'\n")
            .case("byte-x2", Expect { range: ValueRange::Byte, ..plain(2, 1) }),
        rgb()
            .metadata("Image.NominalPixelRange", "NominalRange_0_255")
            .upscale(2)
            .case("metadata-range", Expect { range: ValueRange::Byte, ..plain(2, 1) }),
    ];
    for (levels, name) in
        [(1, "multiple-2"), (2, "multiple-4"), (3, "multiple-8"), (4, "multiple-16")]
    {
        let step = 1 << levels;
        let expect = Expect { alignment: step, min_size: step, ..plain(1, step - 1) };
        cases.push(rgb().hourglass(levels).case(name, expect));
    }
    cases
}

/// The model of this name. Panics if there is none.
pub fn case(name: &str) -> Case {
    all().into_iter().find(|case| case.name == name).unwrap_or_else(|| panic!("no case {name}"))
}

/// Models that must be refused while they are read, and a part of what must be said.
pub fn bad() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let good = Net::new(3).upscale(2).bytes();
    let mut garbled = good.clone();
    // Lengths of the graph and of what is in it lie here.
    garbled[2..40].fill(0xff);
    let mut two_inputs = Net::new(3).upscale(2);
    two_inputs.graph.input.push(picture("noise", DataType::FLOAT, &[None, Some(1), None, None]));
    let mut two_outputs = Net::new(3).upscale(2);
    two_outputs.more_outputs.push("x".into());
    let mut rank3 = Net::new(3).upscale(2);
    rank3.graph.input = vec![picture("x", DataType::FLOAT, &[Some(3), None, None])];
    vec![
        ("empty", Vec::new(), "is empty"),
        ("text", b"<html><body>404 Not Found</body></html>".to_vec(), "not an ONNX file"),
        ("png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec(), "not an ONNX file"),
        ("lfs", b"version https://git-lfs.github.com/spec/v1\noid".to_vec(), "Git LFS"),
        ("truncated", good[..good.len() / 2].to_vec(), "truncated"),
        ("corrupt", garbled, "damaged"),
        ("two-inputs", two_inputs.bytes(), "has 2 inputs"),
        ("two-outputs", two_outputs.bytes(), "has 2 outputs"),
        ("rank-3", rank3.bytes(), "rank 3"),
        ("five-channels", Net::new(5).conv(5, 3).bytes(), "5 channels"),
        (
            "f64",
            Net::new(3).element(DataType::DOUBLE).op("Identity", &[], vec![]).bytes(),
            "double",
        ),
        ("external-up", Net::new(3).external("../../../etc/passwd").bytes(), "outside the model's"),
        ("external-root", Net::new(3).external("/etc/passwd").bytes(), "outside the model's"),
        ("external-gone", Net::new(3).external("weights.bin").bytes(), "weights.bin"),
        ("anisotropic", Net::new(3).stretch().bytes(), "must be alike"),
    ]
}

/// A model whose external weights have this location.
pub fn with_external(location: &str) -> Vec<u8> {
    Net::new(3).external(location).bytes()
}

/// Writes `case` and its sidecar into `dir`; the ONNX file's path.
pub fn write(case: &Case, dir: &Path) -> PathBuf {
    let path = dir.join(case.name).with_added_extension("onnx");
    fs::write(&path, &case.bytes).unwrap();
    if let Some(sidecar) = case.sidecar {
        fs::write(path.with_extension("toml"), sidecar).unwrap();
    }
    path
}

/// A network that grows node by node; `last` is the tensor that the next node reads.
struct Net {
    graph: GraphProto,
    channels: usize,
    last: String,
    kind: DataType,
    dims: [Option<usize>; 4],
    is_nhwc: bool,
    sidecar: Option<&'static str>,
    metadata: Vec<StringStringEntryProto>,
    more_outputs: Vec<String>,
}

impl Net {
    fn new(channels: usize) -> Self {
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

    fn element(self, kind: DataType) -> Self {
        Self { kind, ..self }
    }

    fn batch(mut self, n: usize) -> Self {
        self.dims[0] = Some(n);
        self
    }

    fn size(mut self, width: usize, height: usize) -> Self {
        (self.dims[2], self.dims[3]) = (Some(height), Some(width));
        self
    }

    fn sidecar(self, sidecar: &'static str) -> Self {
        Self { sidecar: Some(sidecar), ..self }
    }

    fn metadata(mut self, key: &str, value: &str) -> Self {
        self.metadata
            .push(StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) });
        self
    }

    /// A node that reads `last` and `more`.
    fn op(mut self, op: &str, more: &[&str], attribute: Vec<AttributeProto>) -> Self {
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
    fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let is_half = self.kind == DataType::FLOAT16;
        let raw: Vec<u8> = match is_half {
            true => values.iter().flat_map(|&v| half::f16::from_f32(v).to_le_bytes()).collect(),
            false => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        self.weights(if is_half { DataType::FLOAT16 } else { DataType::FLOAT }, dims, raw)
    }

    fn ints(&mut self, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.weights(DataType::INT64, &[values.len()], raw)
    }

    fn weights(&mut self, kind: DataType, dims: &[usize], raw: Vec<u8>) -> String {
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
    fn filters(&mut self, out: usize, side: usize, centre: f32) -> String {
        let (channels, area) = (self.channels, side * side);
        let mut values = vec![0.0; out * channels * area];
        for o in 0..out {
            let kernel = &mut values[(o * channels + o % channels) * area..][..area];
            kernel.fill((1.0 - centre) / (area - 1).max(1) as f32);
            kernel[area / 2] = if area == 1 { 1.0 } else { centre };
        }
        self.floats(&[out, channels, side, side], &values)
    }

    fn conv(mut self, out: usize, side: usize) -> Self {
        let weights = self.filters(out, side, 0.6);
        let pad = side as i64 / 2;
        let net = self.op("Conv", &[&weights], window(1, pad));
        Self { channels: out, ..net }
    }

    fn conv_valid(mut self, side: usize) -> Self {
        let weights = self.filters(self.channels, side, 0.3);
        self.op("Conv", &[&weights], window(1, 0))
    }

    /// A 3x3 convolution into sub-pixels, and those put in place. Of the four (nine, sixteen) filters of a channel all are
    /// alike, in the order that `DCR` wants: block first, then channel.
    fn upscale(self, factor: usize) -> Self {
        let channels = self.channels;
        let net = self.conv(channels * factor * factor, 3);
        let net = net.op("DepthToSpace", &[], vec![int("blocksize", factor as i64)]);
        Self { channels, ..net }
    }

    fn resize(mut self, mode: &str, factor: f32) -> Self {
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
    fn stretch(mut self) -> Self {
        let scales: Vec<u8> =
            [1.0_f32, 1.0, 1.0, 2.0].iter().flat_map(|v| v.to_le_bytes()).collect();
        let scales = self.weights(DataType::FLOAT, &[4], scales);
        self.op("Resize", &["", &scales], vec![text("mode", "nearest")])
    }

    fn transposed_input(mut self) -> Self {
        self.is_nhwc = true;
        self.op("Transpose", &[], vec![ints("perm", &[0, 3, 1, 2])])
    }

    fn transposed_output(self) -> Self {
        self.op("Transpose", &[], vec![ints("perm", &[0, 2, 3, 1])])
    }

    fn bytes_to_unit(mut self) -> Self {
        let white = self.floats(&[1], &[255.0]);
        let net = self.op("Cast", &[], vec![int("to", DataType::FLOAT.0.into())]);
        net.op("Div", &[&white], vec![])
    }

    fn unit_to_bytes(mut self) -> Self {
        let white = self.floats(&[1], &[255.0]);
        let net = self.op("Mul", &[&white], vec![]).op("Round", &[], vec![]).clip(0.0, 255.0);
        net.op("Cast", &[], vec![int("to", DataType::UINT8.0.into())])
    }

    fn clip(mut self, low: f32, high: f32) -> Self {
        let (low, high) = (self.floats(&[], &[low]), self.floats(&[], &[high]));
        self.op("Clip", &[&low, &high], vec![])
    }

    /// x * sigmoid(mean of x): every pixel hangs on every other.
    fn squeeze_excite(self) -> Self {
        let picture = self.last.clone();
        let net = self.op("GlobalAveragePool", &[], vec![]);
        let channels = net.channels;
        net.conv(channels, 1).op("Sigmoid", &[], vec![]).op("Mul", &[&picture], vec![])
    }

    /// Mixes channels by a matrix that is itself made by `ScatterND`: the identity.
    fn einsum_of_scatter(mut self) -> Self {
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

    fn reflect(mut self, px: i64) -> Self {
        let pads = self.ints(&[0, 0, px, px, 0, 0, px, px]);
        self.op("Pad", &[&pads], vec![text("mode", "reflect")])
    }

    fn reshape_as_it_is(mut self) -> Self {
        let shape = self.ints(&[0; 4]);
        self.op("Reshape", &[&shape], vec![])
    }

    /// Down by 2 `levels` times and up again, averaged with what came in: any other size does not fit together again.
    fn hourglass(self, levels: usize) -> Self {
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
    fn external(mut self, location: &str) -> Self {
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

    fn bytes(mut self) -> Vec<u8> {
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

    fn case(self, name: &'static str, expect: Expect) -> Case {
        let sidecar = self.sidecar;
        Case { name, sidecar, expect, bytes: self.bytes() }
    }
}

fn picture(name: &str, kind: DataType, dims: &[Option<usize>]) -> ValueInfoProto {
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
