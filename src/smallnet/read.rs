//! From ONNX to [`Net`], node by node: each tensor is followed as the channels of features that it consists of.

use std::collections::HashMap;

use rten_onnx::onnx::{DataType, GraphProto, ModelProto, NodeProto};

use super::draft::{Draft, Source, rectify_early, share};
use super::picture::Picture;
use super::weights::{Weights, input_channels, window};
use super::{Activation, Base, Edge, Form, MAX_CHANNELS, Net, NotSmall, Read, Tail};
use crate::models::attrs::{Attrs, Constant, constants};
use crate::models::wire;

/// The input as it is.
const INPUT: Read = Read { feature: 0, form: Form::Plain };

/// Most channels that one convolution may read, before twins are found.
const MAX_INPUTS: usize = 512;

/// Recognises a plain network in the bytes of any ONNX file: convolutions of 1x1 and 3x3 (stride 1, padded by themselves or by
/// a `Pad` with zeros or the edge), rectifiers, concatenations and sums of features; then `DepthToSpace`, an enlarged input,
/// a reduction and a limit. Definitions: <https://onnx.ai/onnx/operators/>.
///
/// # Errors
/// [`NotSmall`] says what it is that a small network has not.
pub fn read(bytes: &[u8]) -> Result<Net, NotSmall> {
    parse(bytes).map_err(NotSmall)
}

/// What a tensor is.
#[derive(Debug, Clone)]
enum Value {
    /// Channels of features, and what was put around them.
    Features { sources: Vec<Source>, pad: Option<Edge> },
    /// What the output is made of.
    Picture(Picture),
}

struct Reader<'a> {
    weights: Weights<'a>,
    constants: HashMap<&'a str, Constant>,
    /// How many nodes (and outputs of the graph) read a tensor.
    uses: HashMap<&'a str, usize>,
    values: HashMap<&'a str, Value>,
    channels: usize,
    drafts: Vec<Draft>,
}

fn parse(bytes: &[u8]) -> Result<Net, String> {
    wire::check(bytes).map_err(|rule| rule.to_string())?;
    let model = ModelProto::parse_buf(bytes).map_err(|e| e.to_string())?;
    let graph = model.graph.as_ref().ok_or("it has no graph")?;
    let opset = crate::models::graph::opset(&model);
    if opset < 11 {
        return Err(format!("its operator set is {opset}, older than 11"));
    }
    let mut reader = Reader::new(graph)?;
    for node in graph.node.iter().filter(|n| n.op_type.as_deref() != Some("Constant")) {
        let value = reader.node(node)?;
        let name = node.output.first().ok_or("a node gives nothing")?;
        reader.values.insert(name, value);
    }
    let [output] = graph.output.as_slice() else { return Err("it has several outputs".into()) };
    let name = output.name.as_deref().unwrap_or_default();
    let value = reader.values.remove(name).ok_or("nothing computes its output")?;
    reader.finish(value)
}

impl<'a> Reader<'a> {
    fn new(graph: &'a GraphProto) -> Result<Self, String> {
        let is_weight = |name: &Option<String>| graph.initializer.iter().any(|t| t.name == *name);
        let inputs: Vec<_> = graph.input.iter().filter(|port| !is_weight(&port.name)).collect();
        let &[input] = inputs.as_slice() else { return Err("it has several inputs".into()) };
        let kind = input.r#type.as_ref().and_then(|t| t.tensor_type.as_ref());
        if kind.and_then(|t| t.elem_type) != Some(DataType::FLOAT) {
            return Err("its input is not of 32-bit floats".into());
        }
        let name = input.name.as_deref().unwrap_or_default();
        let weights = Weights::of(graph);
        let channels = input_channels(graph, name, &weights)?;
        let mut uses = HashMap::new();
        let outputs = graph.output.iter().filter_map(|o| o.name.as_ref());
        for tensor in graph.node.iter().flat_map(|n| &n.input).chain(outputs) {
            *uses.entry(tensor.as_str()).or_insert(0) += 1;
        }
        let sources = (0..channels).map(|c| Source::plain(0, c)).collect();
        Ok(Self {
            weights,
            constants: constants(graph),
            uses,
            values: HashMap::from([(name, Value::Features { sources, pad: None })]),
            channels,
            drafts: Vec::new(),
        })
    }

    fn node(&mut self, node: &'a NodeProto) -> Result<Value, String> {
        let op = node.op_type.as_deref().unwrap_or_default();
        if !matches!(node.domain.as_deref(), None | Some("" | "ai.onnx")) {
            return Err(format!("it has a {op} of another operator set"));
        }
        match op {
            "Identity" => self.input(node, 0).cloned(),
            "Conv" => self.conv(node),
            "Relu" => match self.input(node, 0)?.clone() {
                Value::Features { sources, pad } => {
                    let sources: Option<_> = sources.into_iter().map(Source::rectified).collect();
                    let sources = sources.ok_or("it negates what is rectified")?;
                    Ok(Value::Features { sources, pad })
                }
                Value::Picture(picture) => picture.limited(0.0, f32::INFINITY).map(Value::Picture),
            },
            "Neg" => {
                let sources = self.features(node, 0)?.iter().map(|s| s.negated()).collect();
                Ok(Value::Features { sources, pad: None })
            }
            "PRelu" | "LeakyRelu" => self.slopes(node, op),
            "Concat" => self.concat(node),
            "Pad" => self.pad(node),
            "Add" => self.add(node),
            "DepthToSpace" => match self.input(node, 0)?.clone() {
                Value::Picture(picture) => picture.in_place(node).map(Value::Picture),
                Value::Features { .. } => {
                    Picture::depth_to_space(self.features(node, 0)?, node).map(Value::Picture)
                }
            },
            "Resize" => match whole(self.features(node, 0)?, self.channels) {
                Some(INPUT) => Picture::enlarged(node, &self.constants).map(Value::Picture),
                _ => Err("it resizes something else than its input".into()),
            },
            "Clip" => self.clip(node).map(Value::Picture),
            _ => Err(format!("it has a {op}")),
        }
    }

    fn input(&self, node: &NodeProto, i: usize) -> Result<&Value, String> {
        let name = node.input.get(i).ok_or("a node lacks an input")?;
        self.values.get(name.as_str()).ok_or_else(|| format!("'{name}' is no picture"))
    }

    /// The channels that input `i` consists of.
    fn features(&self, node: &NodeProto, i: usize) -> Result<&[Source], String> {
        match self.input(node, i)? {
            Value::Features { sources, pad: None } => Ok(sources),
            Value::Features { .. } => Err("it pads for something else than a convolution".into()),
            Value::Picture(_) => Err("it goes on after it has enlarged".into()),
        }
    }

    /// The last layer, if input `i` is its whole feature and nothing else reads that.
    fn fresh_layer(&self, node: &NodeProto, i: usize) -> Option<usize> {
        let sources = self.features(node, i).ok()?;
        let last = self.drafts.len();
        let draft = self.drafts.last()?;
        let is_whole = whole(sources, draft.outputs)? == Read { feature: last, form: Form::Plain };
        (is_whole && self.uses.get(node.input[i].as_str()) == Some(&1)).then_some(last - 1)
    }

    fn conv(&mut self, node: &NodeProto) -> Result<Value, String> {
        let (dims, weights) = self.weights.floats(node.input.get(1).map_or("", String::as_str))?;
        let (sources, pad) = match self.input(node, 0)? {
            Value::Features { sources, pad } => (sources.clone(), *pad),
            Value::Picture(picture) => {
                let picture = picture.clone();
                let bias = node.input.get(2).filter(|name| !name.is_empty());
                let bias =
                    bias.map_or(Ok(vec![]), |name| self.weights.floats(name).map(|b| b.1))?;
                return match bias.iter().all(|&b| b == 0.0) {
                    true => picture.reduced(node, &dims, weights).map(Value::Picture),
                    false => Err("it goes on after it has enlarged".into()),
                };
            }
        };
        let &[outputs, inputs, side, width] = dims.as_slice() else {
            return Err("it has a convolution that is not in two dimensions".into());
        };
        if inputs != sources.len() || inputs > MAX_INPUTS || !(1..=MAX_CHANNELS).contains(&outputs)
        {
            return Err(format!("it has a convolution of {inputs} channels to {outputs}"));
        }
        let edge = window(node, side, width, pad)?;
        let bias = match node.input.get(2).filter(|name| !name.is_empty()) {
            Some(name) => self.weights.floats(name)?.1,
            None => vec![0.0; outputs],
        };
        if bias.len() != outputs {
            return Err("it has a bias of another length".into());
        }
        let (activation, add) = (Activation::None, None);
        self.drafts.push(Draft { sources, outputs, side, weights, bias, activation, edge, add });
        let feature = self.drafts.len();
        let sources = (0..outputs).map(|c| Source::plain(feature, c)).collect();
        Ok(Value::Features { sources, pad: None })
    }

    fn slopes(&mut self, node: &NodeProto, op: &str) -> Result<Value, String> {
        let layer = self.fresh_layer(node, 0);
        let layer =
            layer.ok_or_else(|| format!("it has a {op} after something else than a Conv"))?;
        let draft = &mut self.drafts[layer];
        if draft.add.is_some() || draft.activation != Activation::None {
            return Err(format!("it has a {op} after something else than a Conv"));
        }
        let slopes = match op {
            "LeakyRelu" => {
                let alpha = Attrs(node).get("alpha").and_then(|a| a.f).unwrap_or(0.01);
                vec![alpha; draft.outputs]
            }
            _ => {
                let (dims, slopes) =
                    self.weights.floats(node.input.get(1).map_or("", String::as_str))?;
                let is_per_channel = dims.len() >= 3 && dims[dims.len() - 3] == slopes.len();
                match slopes.as_slice() {
                    [slope] => vec![*slope; draft.outputs],
                    _ if is_per_channel && slopes.len() == draft.outputs => slopes,
                    _ => return Err("it has a PRelu that is not per channel".into()),
                }
            }
        };
        draft.activation = Activation::Slopes(slopes);
        self.input(node, 0).cloned()
    }

    fn concat(&mut self, node: &NodeProto) -> Result<Value, String> {
        if !matches!(Attrs(node).int("axis", 0), 1 | -3) {
            return Err("it has a Concat along another axis than the channels".into());
        }
        let parts: Result<Vec<_>, _> =
            (0..node.input.len()).map(|i| self.features(node, i)).collect();
        Ok(Value::Features { sources: parts?.concat(), pad: None })
    }

    fn pad(&mut self, node: &NodeProto) -> Result<Value, String> {
        let constant = |i: usize| {
            let name = node.input.get(i).filter(|name| !name.is_empty())?;
            Some(self.constants.get(name.as_str()).and_then(|c| c.values.clone()))
        };
        if let Value::Picture(picture) = self.input(node, 0)?.clone() {
            let pads = constant(1).flatten().filter(|_| constant(3).is_none()).unwrap_or_default();
            let mode = Attrs(node);
            return picture.padded(&pads, mode.text("mode", "constant")).map(Value::Picture);
        }
        let sources = self.features(node, 0)?.to_vec();
        let by_one = [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0];
        if constant(1).flatten().as_deref() != Some(&by_one) || constant(3).is_some() {
            return Err("it has a Pad that is not by one pixel on each side".into());
        }
        let edge = match (Attrs(node).text("mode", "constant"), constant(2)) {
            ("edge", _) => Edge::Clamp,
            ("constant", None) => Edge::Zero,
            ("constant", Some(Some(value))) if value == [0.0] => Edge::Zero,
            (mode, _) => return Err(format!("it has a Pad of mode {mode}, or not with zero")),
        };
        Ok(Value::Features { sources, pad: Some(edge) })
    }

    fn add(&mut self, node: &NodeProto) -> Result<Value, String> {
        match (self.input(node, 0)?.clone(), self.input(node, 1)?.clone()) {
            (Value::Picture(a), Value::Picture(b)) => a.plus(b).map(Value::Picture),
            (Value::Features { .. }, Value::Features { .. }) => self.add_features(node),
            _ => Err("it adds tensors of different sizes".into()),
        }
    }

    fn add_features(&mut self, node: &NodeProto) -> Result<Value, String> {
        let unlike = "it has an Add that is not of a Conv and an earlier feature";
        for (fresh, other) in [(0, 1), (1, 0)] {
            let Some(layer) = self.fresh_layer(node, fresh) else { continue };
            let read = whole(self.features(node, other)?, self.drafts[layer].outputs);
            let read = read.filter(|read| read.feature <= layer).ok_or(unlike)?;
            let channels = match read.feature {
                0 => self.channels,
                feature => self.drafts[feature - 1].outputs,
            };
            if channels != self.drafts[layer].outputs || self.drafts[layer].add.is_some() {
                return Err(unlike.into());
            }
            self.drafts[layer].add = Some(read);
            return self.input(node, fresh).cloned();
        }
        Err(unlike.into())
    }

    fn clip(&self, node: &NodeProto) -> Result<Picture, String> {
        let limit = |i: usize, default: f32| match node.input.get(i).filter(|n| !n.is_empty()) {
            None => Ok(default),
            Some(name) => match self.weights.floats(name)?.1.as_slice() {
                [value] => Ok(*value),
                _ => Err("it has a Clip by several numbers".to_owned()),
            },
        };
        let (low, high) = (limit(1, f32::NEG_INFINITY)?, limit(2, f32::INFINITY)?);
        let picture = match self.input(node, 0)?.clone() {
            Value::Picture(picture) => picture,
            Value::Features { sources, pad: None } => Picture::of(sources),
            Value::Features { .. } => return Err("it limits what is padded".into()),
        };
        picture.limited(low, high)
    }

    fn finish(mut self, value: Value) -> Result<Net, String> {
        let mut picture = match value {
            Value::Picture(picture) => picture,
            Value::Features { sources, pad: None } => Picture::of(sources),
            Value::Features { .. } => return Err("its output is padded".into()),
        };
        self.add_to_base(&mut picture);
        share(&mut self.drafts, &mut picture.subpixels);
        rectify_early(&mut self.drafts, &mut picture.subpixels);
        let last = self.drafts.len();
        let is_shown = |s: &Source| *s == Source::plain(last, s.channel);
        if last == 0 || picture.subpixels.is_empty() || !picture.subpixels.iter().all(is_shown) {
            return Err("its output is not what its last convolution gives".into());
        }
        let outputs: Vec<_> = self.drafts.iter().map(|draft| draft.outputs).collect();
        let channels = self.channels;
        let channels_of =
            |feature: usize| if feature == 0 { channels } else { outputs[feature - 1] };
        let layers = self.drafts.into_iter().map(|draft| draft.finish(channels_of)).collect();
        let mut subpixels: Vec<_> = picture.subpixels.iter().map(|s| s.channel).collect();
        let Picture { factor, base, pad, reduction, clip, .. } = picture;
        let reduction = match reduction {
            Some((_, false)) => return Err("its picture is not put in place".into()),
            _ if pad.is_some() => return Err("its output is padded".into()),
            reduction => reduction.map(|(reduction, _)| reduction),
        };
        // One channel that is added to several is added to each.
        if base.is_some() && subpixels.len() == factor * factor {
            subpixels = subpixels.repeat(channels);
        }
        let net = Net { channels, layers, tail: Tail { factor, subpixels, base, reduction, clip } };
        if base.is_some() && net.outputs() != channels {
            return Err("it adds pictures of different channels".into());
        }
        Ok(net)
    }

    /// The input, added by the last layer to something of its own size, is a base as others are.
    fn add_to_base(&mut self, picture: &mut Picture) {
        let last = self.drafts.len();
        let Some(draft) = self.drafts.last_mut() else { return };
        let is_whole = whole(&picture.subpixels, draft.outputs)
            == Some(Read { feature: last, form: Form::Plain });
        let is_base = draft.add == Some(INPUT) && picture.base.is_none();
        if picture.factor == 1 && is_whole && is_base {
            (draft.add, picture.base) = (None, Some(Base::Nearest));
        }
    }
}

/// The one feature and form that `sources` are, channel by channel from 0 to `channels`.
fn whole(sources: &[Source], channels: usize) -> Option<Read> {
    let first = sources.first()?;
    let is_next = |(c, s): (usize, &Source)| *s == Source { channel: c, ..*first };
    let is_whole = sources.len() == channels && sources.iter().enumerate().all(is_next);
    (is_whole && !first.is_negated).then_some(Read { feature: first.feature, form: first.form })
}
