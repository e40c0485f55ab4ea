//! What an ONNX file says about itself, read without running it.

use std::collections::{BTreeMap, HashSet};

use rten_onnx::onnx::{DataType, GraphProto, ModelProto, ValueInfoProto};

use super::card::Overrides;
use super::error::{ModelError, Rule};
use super::trace::{Grid, Sight, Trace, follow, scale_and_radius};
use super::{external, wire};
use crate::engine::{ModelSource, Port, ValueRange};
use crate::upscale::{Element, Layout, Ratio};

/// Largest fixed width, height or batch taken.
const MAX_DIMENSION: u64 = 16384;

/// How far an output pixel looks, as far as the graph tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// No farther than this many input pixels; no bit depends on anything beyond.
    Exact(usize),
    /// The whole frame, because of the node named.
    Open(String),
    /// Not known, because of the node named: it has to be measured.
    Unknown(String),
}

/// What an ONNX file says about itself.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Its one input.
    pub input: Port,
    /// Its one output.
    pub output: Port,
    /// Output pixels per input pixel, where the graph tells.
    pub scale: Option<Ratio>,
    /// How far an output pixel looks.
    pub reach: Reach,
    /// Sizes of this multiple stay whole through all downsampling the graph shows. A smaller one may do.
    pub alignment: usize,
    /// Smallest width and height in px that reflected padding takes; at least 1.
    pub min_size: usize,
    /// Peak of live tensors, bytes per input pixel, as 32-bit floats; what an operator needs within itself is not counted.
    pub bytes_per_px: usize,
    /// Multiply-adds of convolutions and matrices per input pixel.
    pub macs_per_px: f64,
    /// How often each operator is used; operators of other domains are `domain::Name`.
    pub ops: BTreeMap<String, usize>,
    /// Version of the standard operator set; 0 if it names none.
    pub opset: i64,
    /// Who wrote the file, e.g. "pytorch 2.6".
    pub producer: String,
    /// Numbers in the floating-point weights.
    pub parameters: usize,
    /// Value range that the metadata state: `Image.NominalPixelRange` of the ONNX standard (`NominalRange_0_255`,
    /// `Normalized_0_1`, `Normalized_1_1`). No other key is read.
    pub range: Option<ValueRange>,
}

impl Graph {
    /// Whether the graph proves that any size will do: nothing is downsampled, and every operator is known.
    pub fn is_aligned(&self) -> bool {
        self.alignment == 1 && !matches!(self.reach, Reach::Unknown(_))
    }
}

/// Reads the graph of `source`. `hints` decide layout and channels where the graph leaves all its dimensions open.
///
/// # Errors
/// [`ModelError::Refused`] with the [`Rule`] that is broken.
pub fn read(source: &ModelSource, hints: &Overrides) -> Result<Graph, ModelError> {
    parse(source, hints).map_err(|rule| ModelError::refused(&source.name, rule))
}

fn parse(source: &ModelSource, hints: &Overrides) -> Result<Graph, Rule> {
    wire::check(&source.bytes)?;
    let model = ModelProto::parse_buf(&source.bytes).map_err(|e| Rule::NotOnnx(e.to_string()))?;
    let graph = model.graph.as_ref().ok_or_else(|| Rule::NotOnnx("no graph in it".into()))?;
    let folder = source.path.as_ref().map(|path| match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => ".".as_ref(),
    });
    external::check(graph, folder)?;

    let input = input_port(graph, hints)?;
    let opset = opset(&model);
    let [result] = graph.output.as_slice() else {
        return Err(Rule::Outputs(graph.output.iter().map(name).collect()));
    };
    let start = (input.name.as_str(), input.layout, input.channels);
    let trace = follow(graph, opset, start, result.name.as_deref().unwrap_or_default());
    let output = output_port(result, &input, &trace)?;
    let (scale, reach) = findings(&trace)?;
    Ok(Graph {
        scale,
        reach,
        alignment: trace.alignment,
        min_size: trace.min_size,
        bytes_per_px: (trace.bytes_per_px.ceil() as usize).max(4),
        macs_per_px: trace.macs_per_px,
        ops: ops(graph),
        opset,
        producer: [&model.producer_name, &model.producer_version]
            .into_iter()
            .flatten()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        parameters: parameters(graph),
        range: nominal_range(&model),
        input,
        output,
    })
}

fn name(info: &ValueInfoProto) -> String {
    info.name.clone().unwrap_or_default()
}

/// The version of the standard operator set.
pub(crate) fn opset(model: &ModelProto) -> i64 {
    let is_standard = |domain: Option<&str>| matches!(domain, None | Some("" | "ai.onnx"));
    let set = model.opset_import.iter().find(|set| is_standard(set.domain.as_deref()));
    set.and_then(|set| set.version).unwrap_or(0)
}

fn ops(graph: &GraphProto) -> BTreeMap<String, usize> {
    let mut ops = BTreeMap::new();
    for node in &graph.node {
        let op = node.op_type.clone().unwrap_or_default();
        let op = match node.domain.as_deref() {
            None | Some("" | "ai.onnx") => op,
            Some(domain) => format!("{domain}::{op}"),
        };
        *ops.entry(op).or_insert(0) += 1;
    }
    ops
}

fn parameters(graph: &GraphProto) -> usize {
    let is_float =
        |kind| matches!(kind, Some(DataType::FLOAT | DataType::FLOAT16 | DataType::BFLOAT16));
    let elements = |dims: &[i64]| {
        dims.iter().fold(1_usize, |n, &d| n.saturating_mul(usize::try_from(d).unwrap_or(0)))
    };
    let weights = graph.initializer.iter().filter(|tensor| is_float(tensor.data_type));
    weights.fold(0, |n: usize, tensor| n.saturating_add(elements(&tensor.dims)))
}

/// What the metadata of the ONNX standard say about images
/// (<https://github.com/onnx/onnx/blob/main/docs/MetadataProps.md>).
fn nominal_range(model: &ModelProto) -> Option<ValueRange> {
    let is_range = |key: &str| key == "Image.NominalPixelRange";
    let entry = model.metadata_props.iter().find(|e| e.key.as_deref().is_some_and(is_range))?;
    match entry.value.as_deref()? {
        "NominalRange_0_255" => Some(ValueRange::Byte),
        "Normalized_0_1" => Some(ValueRange::Unit),
        "Normalized_1_1" => Some(ValueRange::Signed),
        _ => None,
    }
}

/// A port's four dimensions, `None` where they are open, and its element type.
type Declared = ([Option<usize>; 4], Element);

fn declared(info: &ValueInfoProto, title: &str) -> Result<Option<Declared>, Rule> {
    let tensor = info.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let kind = tensor.and_then(|tensor| tensor.elem_type);
    let element = match kind {
        Some(DataType::FLOAT) => Element::F32,
        Some(DataType::FLOAT16) => Element::F16,
        Some(DataType::UINT8) => Element::U8,
        kind => {
            let element =
                kind.map_or("no tensor type".into(), |kind| kind.to_string().to_lowercase());
            return Err(Rule::Element { port: title.into(), element });
        }
    };
    let Some(shape) = tensor.and_then(|tensor| tensor.shape.as_ref()) else { return Ok(None) };
    let rank = shape.dim.len();
    let mut dims = [None; 4];
    if rank != dims.len() {
        return Err(Rule::Rank { port: title.into(), rank });
    }
    for (known, dim) in dims.iter_mut().zip(&shape.dim) {
        // Some exporters write 0 or -1 for "any".
        let size = dim.dim_value.and_then(|v| u64::try_from(v).ok()).filter(|&v| v > 0);
        *known = match size {
            Some(size) if size > MAX_DIMENSION => {
                return Err(Rule::TooLarge { port: title.into(), size, max: MAX_DIMENSION });
            }
            size => size.map(|size| size as usize),
        };
    }
    Ok(Some((dims, element)))
}

/// The one input that is not a weight: older files list their initialisers among the inputs.
fn input_port(graph: &GraphProto, hints: &Overrides) -> Result<Port, Rule> {
    let weights: HashSet<_> = graph.initializer.iter().map(|t| t.name.as_deref()).collect();
    let inputs: Vec<_> =
        graph.input.iter().filter(|i| !weights.contains(&i.name.as_deref())).collect();
    let &[info] = inputs.as_slice() else {
        return Err(Rule::Inputs(inputs.into_iter().map(name).collect()));
    };
    let title = format!("input '{}'", name(info));
    let Some((dims, element)) = declared(info, &title)? else {
        return Err(Rule::Rank { port: title, rank: 0 });
    };
    let is_picture = |dim: Option<usize>| matches!(dim, Some(1 | 3 | 4));
    // The channels are the small dimension.
    let layout = match (dims[1], dims[3]) {
        (first, last) if is_picture(first) && !is_picture(last) => Some(Layout::Nchw),
        (first, last) if is_picture(last) && !is_picture(first) => Some(Layout::Nhwc),
        (Some(first), Some(last)) if first > last => Some(Layout::Nhwc),
        (Some(_), Some(_) | None) => Some(Layout::Nchw),
        (None, Some(_)) => Some(Layout::Nhwc),
        (None, None) => None,
    };
    let guess = layout.is_none().then(|| first_consumer(graph, info)).flatten();
    let layout = layout.or(hints.layout).or(guess.map(|(layout, _)| layout));
    let undecided = || Rule::Undecided { port: title.clone() };
    let layout = layout.ok_or_else(undecided)?;
    let port = port(name(info), layout, element, dims);
    let channels = port.1.or(hints.channels).or(guess.map(|(_, channels)| channels));
    picture_port(port.0, channels.ok_or_else(undecided)?, &title)
}

/// Layout and channels that the first convolution asks for, where it reads the input directly or through a transposition
/// from NHWC.
fn first_consumer(graph: &GraphProto, input: &ValueInfoProto) -> Option<(Layout, usize)> {
    let reads = |name: Option<&str>| {
        let name = name?.to_owned();
        graph.node.iter().find(|node| node.input.first() == Some(&name))
    };
    let mut node = reads(input.name.as_deref())?;
    let mut layout = Layout::Nchw;
    if node.op_type.as_deref() == Some("Transpose") {
        layout = Layout::Nhwc;
        node = reads(node.output.first().map(String::as_str))?;
    }
    let weights = node.input.get(1).filter(|_| node.op_type.as_deref() == Some("Conv"))?;
    let tensor = graph.initializer.iter().find(|t| t.name.as_ref() == Some(weights))?;
    Some((layout, usize::try_from(*tensor.dims.get(1)?).ok()?))
}

fn output_port(info: &ValueInfoProto, input: &Port, trace: &Trace) -> Result<Port, Rule> {
    let title = format!("output '{}'", name(info));
    let (dims, element) = declared(info, &title)?.unwrap_or(([None; 4], input.element));
    let grid = trace.output.grid;
    let is_picture = |dim: Option<usize>| matches!(dim, Some(1 | 3 | 4));
    let other = match input.layout {
        Layout::Nchw => Layout::Nhwc,
        Layout::Nhwc => Layout::Nchw,
    };
    let place = |layout| if layout == Layout::Nchw { 1 } else { 3 };
    let declared = is_picture(dims[place(other)]) && !is_picture(dims[place(input.layout)]);
    let layout = grid.map_or(if declared { other } else { input.layout }, |grid| grid.layout);
    let (port, channels) = port(name(info), layout, element, dims);
    // What the operators make counts for more than what the file declares: declarations go stale when graphs are edited.
    let traced = grid.and(trace.output.channels);
    let port = picture_port(port, traced.or(channels).unwrap_or(input.channels), &title)?;
    if port.channels != input.channels {
        return Err(Rule::ChannelsDiffer { input: input.channels, output: port.channels });
    }
    Ok(port)
}

/// A port of unchecked channels, and the channels declared.
fn port(
    name: String,
    layout: Layout,
    element: Element,
    [batch, a, b, c]: [Option<usize>; 4],
) -> (Port, Option<usize>) {
    let (channels, height, width) = match layout {
        Layout::Nchw => (a, b, c),
        Layout::Nhwc => (c, a, b),
    };
    (Port { name, layout, element, channels: 0, batch, height, width }, channels)
}

fn picture_port(port: Port, channels: usize, title: &str) -> Result<Port, Rule> {
    match channels {
        1 | 3 | 4 => Ok(Port { channels, ..port }),
        channels => Err(Rule::Channels { port: title.into(), channels }),
    }
}

/// Scale and reach of the output.
fn findings(trace: &Trace) -> Result<(Option<Ratio>, Reach), Rule> {
    let Some(grid) = trace.output.grid else { return Ok((None, reach(trace, None))) };
    let (width, height, _) = scale_and_radius(grid);
    if width != height {
        return Err(Rule::Anisotropic { width: width.to_string(), height: height.to_string() });
    }
    Ok((Some(width), reach(trace, Some(grid))))
}

fn reach(trace: &Trace, grid: Option<Grid>) -> Reach {
    match (&trace.output.sight, grid) {
        (Sight::Closed, Some(grid)) => Reach::Exact(scale_and_radius(grid).2),
        (Sight::Open(node), _) => Reach::Open(node.clone()),
        (Sight::Unknown(node), _) => Reach::Unknown(node.clone()),
        (Sight::Closed, None) => {
            Reach::Unknown("an output that does not depend on the input".into())
        }
    }
}
