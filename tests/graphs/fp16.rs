//! From fp32 to fp16.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use gstkizuna::engine::ValueRange;
use gstkizuna::models::test_card::test_picture;
use gstkizuna::onnx::{Ports, RewriteError, to_half};
use gstkizuna::upscale::{Element, Samples, Tensor};
use half::f16;
use proptest::prelude::*;
use rten_onnx::onnx::{DataType, ModelProto, NodeProto, TensorProto};

use crate::installed::MODELS;
use crate::models::{Attr, Net, open, pass_on, same};
use crate::{NCHW, floats, psnr, run, shape, shipped, zoo};

const F32: DataType = DataType::FLOAT;

#[test]
fn shipped_networks_agree_with_fp32() {
    for name in MODELS {
        let Some(bytes) = shipped(name) else { continue };
        let begin = Instant::now();
        let half = to_half(&bytes, Ports::Keep).unwrap().unwrap();
        let taken = begin.elapsed();
        assert_eq!(half.notices, [""; 0], "{name}");
        // Names are as long as they were.
        let names = 20_000;
        assert!(half.bytes.len() < bytes.len() / 2 + names, "{name}: its weights are halves");
        no_casts_in_a_row(name, &half.bytes);
        assert_eq!(to_half(&bytes, Ports::Keep).unwrap().unwrap(), half, "{name}: always the same");

        let side = if name.starts_with("x4plus") { 32 } else { 64 };
        let input = test_picture(shape(3, side), NCHW, Element::F32, ValueRange::Unit, 7);
        let Some(full) = run(name, &bytes, &input) else { return };
        let output = run(name, &half.bytes, &input).unwrap();
        assert_eq!((output.shape, output.element()), (full.shape, Element::F32), "{name}");
        let rounded = run(name, &rounding(&half.bytes), &input).unwrap();
        let db = |other| psnr(&floats(&full), &floats(other), 1.0);
        let (db, rounded) = (db(&output), db(&rounded));
        println!(
            "{name}: {rounded:.1} dB with every tensor rounded, {db:.1} dB on the processor; {} bytes, {taken:?}",
            half.bytes.len()
        );
        assert!(db >= 50.0 && rounded >= 50.0, "{name}: {db} {rounded}");
    }
}

/// A graph of fp16 as one of fp32 in which every tensor is rounded to the 11 bits that fp16 has, as devices store them.
///
/// ONNX Runtime has hardly a kernel for fp16 on the processor. It casts to fp32 and back, and leaves out what it finds
/// superfluous: whole chains of convolutions are not rounded at all.
fn rounding(bytes: &[u8]) -> Arc<[u8]> {
    let mut model = ModelProto::parse_buf(bytes).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let mut halves = HashSet::new();
    for tensor in &mut graph.initializer {
        if tensor.data_type == Some(DataType::FLOAT16) {
            halves.insert(tensor.name.clone().unwrap());
            let raw = tensor.raw_data.take().unwrap().into_inner();
            let wide = raw
                .as_chunks()
                .0
                .iter()
                .flat_map(|&b| f16::from_le_bytes(b).to_f32().to_le_bytes());
            tensor.raw_data = Some(RefCell::new(wide.collect()));
            tensor.data_type = Some(F32);
        }
    }
    let factor = TensorProto {
        name: Some("factor".into()),
        data_type: Some(F32),
        float_data: vec![8193.0],
        ..TensorProto::default()
    };
    graph.initializer.push(factor);
    let mut nodes = Vec::new();
    for mut node in std::mem::take(&mut graph.node) {
        let to = node.attribute.iter().find(|a| a.name.as_deref() == Some("to")).and_then(|a| a.i);
        let is_half = match to {
            Some(to) => to == i64::from(DataType::FLOAT16.0),
            None => node.input.iter().any(|name| halves.contains(name)),
        };
        if to.is_some() {
            node.op_type = Some("Identity".into());
            node.attribute.clear();
        }
        if !is_half {
            nodes.push(node);
            continue;
        }
        // x * 8193 - (x * 8193 - x): the upper 11 of 24 bits, rounded (Veltkamp).
        let name = node.output[0].clone();
        let [raw, large, rest] = ["raw", "large", "rest"].map(|part| format!("{name}/{part}"));
        node.output[0] = raw.clone();
        nodes.push(node);
        for (op, a, b, to) in [
            ("Mul", &raw, &"factor".to_owned(), &large),
            ("Sub", &large, &raw, &rest),
            ("Sub", &large, &rest, &name),
        ] {
            nodes.push(NodeProto {
                op_type: Some(op.into()),
                input: vec![a.clone(), b.clone()],
                output: vec![to.clone()],
                ..NodeProto::default()
            });
        }
        halves.insert(name);
    }
    graph.node = nodes;
    model.write_buf().unwrap().into()
}

#[test]
fn ports_become_fp16_on_request() {
    let Some(bytes) = shipped("anime4k-m") else { return };
    let half = to_half(&bytes, Ports::Half).unwrap().unwrap();
    let input = test_picture(shape(3, 32), NCHW, Element::F16, ValueRange::Unit, 7);
    let Some(output) = run("anime4k-m", &half.bytes, &input) else { return };
    assert_eq!(output.element(), Element::F16);
    let full = Tensor { samples: Samples::F32(floats(&input)), ..input };
    let full = run("anime4k-m", &bytes, &full).unwrap();
    let db = psnr(&floats(&full), &floats(&output), 1.0);
    assert!(db >= 50.0, "{db}");
    let casts = count(&half.bytes, "Cast");
    assert_eq!(casts, 2, "only around the interpolation, which stays in fp32");
}

#[test]
fn every_rule_of_the_zoo_survives() {
    for zoo::Case { name, bytes, expect, .. } in zoo::all() {
        let converted = to_half(&bytes, Ports::Keep).unwrap();
        // What computes nothing, or in fp16 already, is left alone.
        let is_left = matches!(name, "identity" | "linear-x1.5" | "f16-x2");
        assert_eq!(converted.is_none(), is_left, "{name}");
        let Some(half) = converted else { continue };
        no_casts_in_a_row(name, &half.bytes);
        let mut shape = shape(expect.channels, 48);
        (shape.width, shape.height) = expect.fixed.unwrap_or((48, 48));
        shape.batch = expect.batch.unwrap_or(1);
        let input = test_picture(shape, expect.layout, expect.element, expect.range, 7);
        let Some(full) = run(name, &Arc::from(bytes), &input) else { return };
        let output = run(name, &half.bytes, &input).unwrap();
        assert_eq!(output.element(), full.element(), "{name}");
        let peak = expect.range.from_unit().0.into();
        let db = psnr(&floats(&full), &floats(&output), peak);
        println!("{name}: {db:.1} dB");
        assert!(db >= 50.0, "{name}: {db}");
    }
}

/// Sums over the whole picture pass 65504: in fp16 this would be infinite.
#[test]
fn what_fp16_cannot_hold_stays_in_fp32() {
    let [i, o] = same(F32, "3");
    let net = Net::default()
        .conv(F32, "in", "a", [3, 3], &pass_on([3, 3]))
        .weight(F32, "large", &[1], &[255.0])
        .node("Mul", &["a", "large"], "b", &[])
        .node("ReduceSum", &["b"], "sum", &[Attr::Int("keepdims", 1)])
        .node("Identity", &["sum"], "same", &[])
        .node("Log", &["same"], "log", &[])
        .node("Add", &["a", "log"], "out", &[]);
    let source = net.source(i, o);
    let half = to_half(&source.bytes, Ports::Keep).unwrap().unwrap();
    // In, before the sum, behind the logarithm, out.
    assert_eq!(count(&half.bytes, "Cast"), 4, "{:?}", ops(&half.bytes));
    let input = test_picture(shape(3, 64), NCHW, Element::F32, ValueRange::Unit, 7);
    let Some(full) = run("sum", &source.bytes, &input) else { return };
    let output = run("sum", &half.bytes, &input).unwrap();
    // Around 14, steps of fp16 are a 128th.
    let worst = floats(&full).into_iter().zip(floats(&output)).map(|(a, b)| (a - b).abs());
    assert!(worst.fold(0.0, f32::max) < 0.01);
}

#[test]
fn sizes_are_computed_in_fp32() {
    let [i, o] = same(F32, "3");
    // Width 4097 is no number of fp16; the network divides by it.
    let net = Net::default()
        .conv(F32, "in", "a", [3, 3], &pass_on([3, 3]))
        .node("Shape", &["a"], "shape", &[])
        .ints("three", &[3])
        .node("Gather", &["shape", "three"], "width", &[])
        .node("Cast", &["width"], "float", &[Attr::Int("to", 1)])
        .weight(F32, "one", &[1], &[1.0])
        .node("Add", &["float", "one"], "more", &[])
        .node("Sub", &["more", "float"], "step", &[])
        .node("Mul", &["a", "step"], "out", &[]);
    let source = net.source(i, o);
    let half = to_half(&source.bytes, Ports::Keep).unwrap().unwrap();
    let mut wide = shape(3, 4);
    wide.width = 4097;
    let input = test_picture(wide, NCHW, Element::F32, ValueRange::Unit, 7);
    let Some(full) = run("size", &source.bytes, &input) else { return };
    let db = psnr(&floats(&full), &floats(&run("size", &half.bytes, &input).unwrap()), 1.0);
    assert!(db >= 60.0, "{db}");
}

#[test]
fn constants_beyond_the_range_are_clamped_and_said() {
    let [i, o] = same(F32, "1");
    let source = Net::default()
        .weight(F32, "bounds", &[], &[3e38])
        .node("Min", &["in", "bounds"], "out", &[])
        .source(i, o);
    let half = to_half(&source.bytes, Ports::Keep).unwrap().unwrap();
    let [notice] = &half.notices[..] else { panic!("{:?}", half.notices) };
    assert!(notice.contains("1 numbers in 1 constants") && notice.contains("'bounds'"), "{notice}");
    let model = ModelProto::parse_buf(&half.bytes).unwrap();
    let bounds = &model.graph.unwrap().initializer[0];
    assert_eq!(bounds.raw_data.as_ref().unwrap().borrow()[..], f16::MAX.to_le_bytes());
}

#[test]
fn constant_nodes_and_shared_constants_are_converted() {
    let [i, o] = same(F32, "1");
    let mut model = Net::default()
        .conv(F32, "in", "a", [1, 1], &pass_on([1, 1]))
        .node("Mul", &["a", "factor"], "b", &[])
        .node("Pow", &["b", "factor"], "c", &[])
        .node("Add", &["c", "list"], "out", &[])
        .finish(i, o);
    let tensor = TensorProto {
        dims: vec![1],
        data_type: Some(F32),
        float_data: vec![2.0],
        ..TensorProto::default()
    };
    let constant = |output: &str, attribute| NodeProto {
        op_type: Some("Constant".into()),
        output: vec![output.into()],
        attribute: vec![attribute],
        ..NodeProto::default()
    };
    let named = |name: &str| rten_onnx::onnx::AttributeProto {
        name: Some(name.into()),
        ..Default::default()
    };
    let mut value = named("value");
    (value.t, value.r#type) = (Some(tensor), Some(rten_onnx::onnx::AttributeType::TENSOR));
    let mut list = named("value_floats");
    (list.floats, list.r#type) = (vec![0.25], Some(rten_onnx::onnx::AttributeType::FLOATS));
    let nodes = &mut model.graph.as_mut().unwrap().node;
    nodes.splice(0..0, [constant("factor", value), constant("list", list)]);
    let source = crate::models::source(&model);
    let half = to_half(&source.bytes, Ports::Keep).unwrap().unwrap();
    assert_eq!(count(&half.bytes, "Constant"), 1, "the power keeps its exponent");
    let input = test_picture(shape(1, 16), NCHW, Element::F32, ValueRange::Unit, 7);
    let Some(full) = run("constants", &source.bytes, &input) else { return };
    let db = psnr(&floats(&full), &floats(&run("constants", &half.bytes, &input).unwrap()), 1.0);
    assert!(db >= 50.0, "{db}");
}

#[test]
fn what_cannot_be_rewritten_is_said() {
    let external = zoo::with_external("weights.bin");
    assert_eq!(to_half(&external, Ports::Keep), Err(RewriteError::ExternalData));
    let [i, o] = same(F32, "1");
    let relu = || Net::default().node("Relu", &["in"], "out", &[]);
    let mut old = relu().finish(i, o);
    old.opset_import[0].version = Some(6);
    let error = to_half(&old.write_buf().unwrap(), Ports::Keep).unwrap_err();
    assert_eq!(error, RewriteError::Opset { opset: 6, least: 7 });
    let mut branch = relu().finish(i, o);
    let g = rten_onnx::onnx::AttributeProto { g: Some(Default::default()), ..Default::default() };
    branch.graph.as_mut().unwrap().node[0].attribute.push(g);
    let error = to_half(&branch.write_buf().unwrap(), Ports::Keep).unwrap_err();
    assert!(matches!(&error, RewriteError::Subgraph(node) if node.contains("Relu")), "{error}");
    let mut short = relu().weight(F32, "w", &[3], &[1.0]).node("Add", &["in", "w"], "x", &[]);
    short = short.node("Relu", &["x"], "y", &[]);
    let error = to_half(&short.source(i, o).bytes, Ports::Keep).unwrap_err();
    assert!(matches!(error, RewriteError::Constant { numbers: 1, wanted: 3, .. }), "{error}");
    let strange = Net::default().node("Upscale9000", &["in"], "out", &[]).source(i, o);
    assert_eq!(to_half(&strange.bytes, Ports::Half), Ok(None), "nothing of it is known");
}

/// Behind an operator that is not known everything stays as it was, and what comes before is converted.
#[test]
fn unknown_operators_are_surrounded_by_fp32() {
    let (i, o) = (open("1"), open("1"));
    let half =
        |net: Net| to_half(&net.source((F32, i), (F32, o)).bytes, Ports::Keep).unwrap().unwrap();
    let bytes = half(
        Net::default()
            .node("Relu", &["in"], "a", &[])
            .node("Mystery", &["a"], "b", &[])
            .node("Relu", &["b"], "c", &[])
            .node("Add", &["c", "a"], "out", &[]),
    )
    .bytes;
    assert_eq!(ops(&bytes), ["Cast", "Relu", "Cast", "Mystery", "Relu", "Add"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the file, an answer or an error.
    #[test]
    fn damaged_files_do_no_harm(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        half_ports: bool,
    ) {
        let cases = zoo::all();
        let mut bytes = cases[which.index(cases.len())].bytes.clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let ports = if half_ports { Ports::Half } else { Ports::Keep };
        if let Ok(Some(half)) = to_half(&bytes, ports) {
            ModelProto::parse_buf(&half.bytes).unwrap();
        }
    }
}

fn graph(bytes: &[u8]) -> Vec<NodeProto> {
    ModelProto::parse_buf(bytes).unwrap().graph.unwrap().node
}

fn ops(bytes: &[u8]) -> Vec<String> {
    graph(bytes).into_iter().map(|node| node.op_type.unwrap()).collect()
}

fn count(bytes: &[u8], op: &str) -> usize {
    ops(bytes).iter().filter(|other| *other == op).count()
}

/// No cast reads a cast, and none is there twice.
fn no_casts_in_a_row(name: &str, bytes: &[u8]) {
    let nodes = graph(bytes);
    let casts = nodes.iter().filter(|node| node.op_type.as_deref() == Some("Cast"));
    let mut from = BTreeMap::new();
    for cast in casts {
        let to = cast.attribute.iter().find_map(|a| a.i);
        assert!(from.insert((&cast.input[0], to), &cast.output[0]).is_none(), "{name}");
    }
    let chained = from.values().filter(|output| from.keys().any(|(input, _)| input == *output));
    assert_eq!(chained.count(), 0, "{name}: a cast of a cast");
}
