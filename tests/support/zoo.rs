//! A set of small models of our own making: one for every rule of the contract, and the bad ones.
//!
//! All are written in code, so that what each must be found to be is known exactly. Filters are smoothing kernels whose
//! weights add up to one: an upscaled picture still looks like the picture.

#![allow(dead_code, reason = "every test binary uses another part of it")]

mod net;

use std::fs;
use std::path::{Path, PathBuf};

use gstkizuna::engine::{Halo, ValueRange};
use gstkizuna::upscale::{Element, Layout};
use rten_onnx::onnx::DataType;

pub use net::Net;
use net::picture;

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
