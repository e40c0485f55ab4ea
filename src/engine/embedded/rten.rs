//! rten: pure Rust, inside the plugin, for networks that are not small.
//!
//! rten knows f32, i32, i8 and u8. It reads an fp16 graph as an fp32 one, so fp16 tensors are widened on the way in and
//! narrowed on the way out, and the arithmetic between is fp32. It cannot be cancelled: hence the worker.

use half::f16;
use half::slice::HalfFloatSliceExt;
use rten::{DataType, Model, ModelOptions, NodeId, Value, ValueOrView, ValueType, ValueView};

use super::super::signature::Signature;
use super::super::worker::Worker;
use super::super::{
    Cancel, Engine, EngineError, EngineInfo, ModelSource, Precision, Provider, failure,
};
use crate::upscale::{Element, Samples, Shape, Tensor};

/// Its name and version.
pub(super) const RUNTIME: &str = "rten 0.27";

/// What an engine says of itself.
pub(super) fn info() -> EngineInfo {
    EngineInfo {
        provider: Provider::Embedded,
        runtime: RUNTIME.into(),
        device: "CPU".into(),
        precision: Precision::Fp32,
    }
}

/// Opens `model` in rten; its shapes may change from run to run at no cost.
pub(super) fn open(
    model: &ModelSource,
    signature: &Signature,
) -> Result<Box<dyn Engine>, EngineError> {
    let refused = |cause: String| failure::model(RUNTIME, model, cause);
    if signature.cubic_resize {
        return Err(refused("it has no cubic Resize; use provider cpu or openvino".into()));
    }
    let graph = load(model, signature).map_err(refused)?;
    let node = |name| graph.node_id(name).map_err(|e| refused(e.to_string()));
    let (input, output) = (node(&signature.input.name)?, node(&signature.output.name)?);
    let engine = Embedded { info: info(), graph, input, output, element: signature.output.element };
    Ok(Box::new(Worker::spawn(Box::new(engine), Box::new(|| ()))?))
}

fn load(model: &ModelSource, signature: &Signature) -> Result<Model, String> {
    let mut options = ModelOptions::with_all_ops();
    options.prepack_weights(true);
    // From a file rten opens external data only below the file's own folder; from memory it opens none.
    match &model.path {
        Some(path) if signature.external_data => options.load_file(path),
        _ => options.load(model.bytes.to_vec()),
    }
    .map_err(|e| e.to_string())
}

struct Embedded {
    info: EngineInfo,
    graph: Model,
    input: NodeId,
    output: NodeId,
    /// Type of the output in the graph, which rten does not keep.
    element: Element,
}

impl Engine for Embedded {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(&mut self, input: &Tensor, output: &mut Tensor, _: &Cancel) -> Result<(), EngineError> {
        let value = value(input)?;
        let [result] = self
            .graph
            .run_n(vec![(self.input, value)], [self.output], None)
            .map_err(|e| failure::run(e.to_string()))?;
        let (dims, samples) = samples(result, self.element)?;
        output.shape = Shape::from_dims(dims, output.layout);
        output.samples = samples;
        Ok(())
    }
}

/// `input` as rten takes it, without a copy where the type allows.
fn value(input: &Tensor) -> Result<ValueOrView<'_>, EngineError> {
    let dims = input.dims();
    match &input.samples {
        Samples::F32(v) => ValueView::from_shape(dims, v).map(Into::into).map_err(run_failed),
        Samples::U8(v) => ValueView::from_shape(dims, v).map(Into::into).map_err(run_failed),
        Samples::F16(v) => {
            Value::from_shape(dims, v.to_f32_vec()).map(Into::into).map_err(run_failed)
        }
    }
}

/// Dimensions and elements of `value`, whose type in the graph is `element`.
fn samples(value: Value, element: Element) -> Result<([usize; 4], Samples), EngineError> {
    match value.dtype() {
        ValueType::Tensor(DataType::Float) => {
            let (dims, v) = value.into_shape_vec::<f32, 4>().map_err(run_failed)?;
            let samples = match element {
                Element::F16 => Samples::F16(v.into_iter().map(f16::from_f32).collect()),
                _ => Samples::F32(v),
            };
            Ok((dims, samples))
        }
        ValueType::Tensor(DataType::UInt8) => {
            let (dims, v) = value.into_shape_vec::<u8, 4>().map_err(run_failed)?;
            Ok((dims, Samples::U8(v)))
        }
        other => Err(failure::run(format!("the output is a {other}, which is no picture"))),
    }
}

fn run_failed(error: impl std::error::Error) -> EngineError {
    failure::run(error.to_string())
}
