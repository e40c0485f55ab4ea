//! The one input and the one output of an ONNX file, as far as an engine must know them before it opens the file. Pure.

use rten_onnx::onnx::{
    AttributeProto, DataType, Dimension, GraphProto, ModelProto, NodeProto, ValueInfoProto,
};

use super::{EngineError, ModelSource, failure};
use crate::onnx::is_external;
use crate::upscale::Element;

/// What a graph asks for and gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    /// The one input.
    pub input: Outlet,
    /// The one output.
    pub output: Outlet,
    /// Whether weights lie in another file.
    pub external_data: bool,
    /// Whether a `Resize` is cubic, which rten reads as linear without a word.
    pub cubic_resize: bool,
}

/// An input or output of a graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outlet {
    /// Its name in the graph.
    pub name: String,
    /// Type of its elements.
    pub element: Element,
    /// Its four dimensions; empty where the graph does not say.
    pub dims: Vec<Dim>,
}

/// One dimension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Dim {
    /// A number.
    Fixed(usize),
    /// A name that stands for the same number wherever it appears.
    Symbol(String),
    /// Anything.
    Any,
}

impl Signature {
    /// Reads it from the file's bytes.
    ///
    /// # Errors
    /// [`EngineError::Model`] where the bytes are no ONNX file, or the graph has not exactly one input and one output of
    /// four dimensions and a type that [`Element`] knows.
    pub fn read(model: &ModelSource) -> Result<Self, EngineError> {
        Self::parse(&model.bytes).map_err(|cause| failure::model("Kizuna", model, cause))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let proto =
            ModelProto::parse_buf(bytes).map_err(|e| format!("this is not an ONNX file ({e})"))?;
        let graph = proto.graph.ok_or("this is not an ONNX file: it holds no graph")?;
        // Old exporters list the weights among the inputs.
        let weight = |port: &&ValueInfoProto| graph.initializer.iter().any(|w| w.name == port.name);
        let inputs: Vec<_> = graph.input.iter().filter(|port| !weight(port)).collect();
        let outputs: Vec<_> = graph.output.iter().collect();
        Ok(Self {
            input: Outlet::only("input", &inputs)?,
            output: Outlet::only("output", &outputs)?,
            external_data: has_external_data(&graph),
            cubic_resize: graph.node.iter().any(is_cubic_resize),
        })
    }
}

impl Outlet {
    fn only(what: &str, ports: &[&ValueInfoProto]) -> Result<Self, String> {
        let &[port] = ports else {
            return Err(format!("it has {} {what}s, but an upscaler has one", ports.len()));
        };
        let name = port.name.clone().unwrap_or_default();
        let tensor = port
            .r#type
            .as_ref()
            .and_then(|t| t.tensor_type.as_ref())
            .ok_or_else(|| format!("its {what} '{name}' is not a tensor"))?;
        let element = match tensor.elem_type {
            Some(DataType::FLOAT) => Element::F32,
            Some(DataType::FLOAT16) => Element::F16,
            Some(DataType::UINT8) => Element::U8,
            other => {
                let other = other.map_or("nothing".to_owned(), |t| t.to_string());
                return Err(format!(
                    "its {what} '{name}' is of {other}, not FLOAT, FLOAT16 or UINT8"
                ));
            }
        };
        let dims: Vec<_> = tensor.shape.iter().flat_map(|s| &s.dim).map(Dim::from).collect();
        if !matches!(dims.len(), 0 | 4) {
            return Err(format!("its {what} '{name}' has {} dimensions, not 4", dims.len()));
        }
        Ok(Self { name, element, dims })
    }

    /// `Ok` where a tensor of `dims` can be this input, else why not.
    pub fn check(&self, dims: [usize; 4]) -> Result<(), String> {
        let fits =
            self.dims.iter().zip(dims).all(|(dim, n)| !matches!(dim, Dim::Fixed(f) if *f != n));
        if fits {
            return Ok(());
        }
        let takes: Vec<_> = self.dims.iter().map(Dim::to_string).collect();
        Err(format!("its input '{}' takes [{}], not {dims:?}", self.name, takes.join(", ")))
    }
}

impl From<&Dimension> for Dim {
    fn from(dim: &Dimension) -> Self {
        match (dim.dim_value, &dim.dim_param) {
            (Some(value), _) if value > 0 => usize::try_from(value).map_or(Self::Any, Self::Fixed),
            (_, Some(name)) if !name.is_empty() => Self::Symbol(name.clone()),
            _ => Self::Any,
        }
    }
}

impl std::fmt::Display for Dim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fixed(n) => write!(f, "{n}"),
            Self::Symbol(name) => f.write_str(name),
            Self::Any => f.write_str("?"),
        }
    }
}

fn is_cubic_resize(node: &NodeProto) -> bool {
    let cubic =
        |a: &AttributeProto| a.name.as_deref() == Some("mode") && a.s.as_deref() == Some("cubic");
    node.op_type.as_deref() == Some("Resize") && node.attribute.iter().any(cubic)
}

fn has_external_data(graph: &GraphProto) -> bool {
    let constants = graph.node.iter().flat_map(|n| &n.attribute).filter_map(|a| a.t.as_ref());
    graph.initializer.iter().chain(constants).any(is_external)
}
