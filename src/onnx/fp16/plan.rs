//! Which nodes compute in fp16, and what every tensor is.

use std::borrow::Cow;
use std::collections::HashMap;

use rten_onnx::onnx::{DataType, GraphProto, NodeProto, TensorProto, ValueInfoProto};

use super::Ports;
use super::numbers::constant;
use super::ops::{self, Rule};
use crate::models::attrs::Attrs;

/// What a tensor's elements are in the graph as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// fp32.
    Float,
    /// Anything else.
    Other,
    /// Not known: whatever reads it stays as it was.
    Unknown,
}

/// One of the two forms that a tensor of floats can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    Full,
    Half,
}

/// What becomes of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It reads and gives floats of this form.
    Runs(Form),
    /// It reads them as they are.
    Reads,
    /// It is a constant of floats, and is made anew in the forms that are asked for.
    Constant,
}

/// What is known of a tensor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value {
    pub kind: Kind,
    /// Whether it depends on what the pixels are. What does not (sizes, factors, grids) stays in fp32: it costs nothing.
    picture: bool,
    /// The form that it is made in.
    pub form: Form,
}

/// What becomes of a graph.
pub(super) struct Plan<'a> {
    pub values: HashMap<&'a str, Value>,
    pub fates: Vec<Fate>,
    pub constants: HashMap<&'a str, Cow<'a, TensorProto>>,
}

impl<'a> Plan<'a> {
    pub fn new(graph: &'a GraphProto, ports: Ports) -> Self {
        let mut plan =
            Self { values: HashMap::new(), fates: Vec::new(), constants: HashMap::new() };
        plan.read_ports(graph, ports);
        let declared: HashMap<_, _> =
            graph.output.iter().chain(&graph.value_info).filter_map(declared).collect();
        for node in &graph.node {
            plan.read(node, &declared);
        }
        plan.settle_moves(graph, ports);
        plan
    }

    fn read_ports(&mut self, graph: &'a GraphProto, ports: Ports) {
        let form = if ports == Ports::Half { Form::Half } else { Form::Full };
        for input in &graph.input {
            let name = input.name.as_deref().unwrap_or_default();
            let kind = declared(input).map_or(Kind::Unknown, |(_, kind)| kind);
            self.values.insert(name, Value { kind, picture: true, form });
        }
        // Old exporters list the weights among the inputs: what is said here is said last.
        for tensor in &graph.initializer {
            let name = tensor.name.as_deref().unwrap_or_default();
            let kind = kind(tensor.data_type);
            self.values.insert(name, Value { kind, picture: false, form: Form::Full });
            if kind == Kind::Float {
                self.constants.insert(name, Cow::Borrowed(tensor));
            }
        }
    }

    fn read(&mut self, node: &'a NodeProto, declared: &HashMap<&str, Kind>) {
        let name = |i: usize| node.output.get(i).map(String::as_str).unwrap_or_default();
        if let Some(tensor) = constant(node) {
            self.fates.push(Fate::Constant);
            self.values
                .insert(name(0), Value { kind: Kind::Float, picture: false, form: Form::Full });
            self.constants.insert(name(0), Cow::Owned(tensor));
            return;
        }
        let rule = ops::rule(node);
        let inputs = node.input.iter().filter(|name| !name.is_empty());
        let all: Vec<_> = inputs.map(|name| self.value(name)).collect();
        let picture = all.iter().any(|v| v.picture) && rule != Some(Rule::Shape);
        let kind = self.result(node, rule);
        let is_known = all.iter().all(|v| v.kind != Kind::Unknown);
        let fate = match rule {
            Some(Rule::Computes | Rule::Moves(_)) if kind == Kind::Float && picture && is_known => {
                Fate::Runs(Form::Half)
            }
            Some(Rule::Cast) if kind == Kind::Float && picture => Fate::Runs(Form::Half),
            Some(Rule::Cast) if kind == Kind::Other => Fate::Reads,
            Some(Rule::Shape) => Fate::Reads,
            _ => Fate::Runs(Form::Full),
        };
        self.fates.push(fate);
        let form = if fate == Fate::Runs(Form::Half) { Form::Half } else { Form::Full };
        for (i, name) in node.output.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let mut own = if i == 0 || ops::is_uniform(node) { kind } else { Kind::Unknown };
            if own == Kind::Unknown {
                own = declared.get(name.as_str()).copied().unwrap_or(Kind::Unknown);
            }
            // Only what is typed as the first input follows it into fp16.
            let form = if i == 0 || ops::is_uniform(node) { form } else { Form::Full };
            self.values.insert(name, Value { kind: own, picture, form });
        }
    }

    /// What the first result of `node` is.
    fn result(&self, node: &NodeProto, rule: Option<Rule>) -> Kind {
        let of = |i: usize| node.input.get(i).map_or(Kind::Unknown, |name| self.value(name).kind);
        match rule {
            Some(Rule::Computes | Rule::Stays) => of(0),
            Some(Rule::Moves(i)) => of(i),
            Some(Rule::Decides | Rule::Shape) => Kind::Other,
            Some(Rule::Cast) => match Attrs(node).get("to").and_then(|a| a.i) {
                Some(to) if to == i64::from(DataType::FLOAT.0) => Kind::Float,
                Some(_) => Kind::Other,
                None => Kind::Unknown,
            },
            None => Kind::Unknown,
        }
    }

    /// What is known of tensor `name`.
    pub fn value(&self, name: &str) -> Value {
        let unknown = Value { kind: Kind::Unknown, picture: false, form: Form::Full };
        self.values.get(name).copied().unwrap_or(unknown)
    }

    /// What is only moved between nodes in fp32 is moved in fp32: a cast to fp16 and one back would change it for nothing.
    fn settle_moves(&mut self, graph: &'a GraphProto, ports: Ports) {
        let moves = |node| match ops::rule(node) {
            Some(Rule::Moves(i)) => Some(i),
            _ => None,
        };
        let mut half_wanted: HashMap<&str, bool> = HashMap::new();
        for output in graph.output.iter().filter_map(|output| output.name.as_deref()) {
            half_wanted.insert(output, ports == Ports::Half);
        }
        let wants_half = |wanted: &HashMap<&str, bool>, node: &NodeProto| {
            node.output.iter().any(|name| wanted.get(name.as_str()).copied().unwrap_or(false))
        };
        for (node, fate) in graph.node.iter().zip(&self.fates).rev() {
            let half = match fate {
                Fate::Runs(Form::Half) => moves(node).is_none() || wants_half(&half_wanted, node),
                _ => false,
            };
            for name in &node.input {
                *half_wanted.entry(name).or_insert(false) |= half;
            }
        }
        for (i, node) in graph.node.iter().enumerate() {
            let Some(from) = moves(node) else { continue };
            let source = node.input.get(from).map(|name| self.value(name).form);
            let is_full = source == Some(Form::Full) && !wants_half(&half_wanted, node);
            if self.fates[i] == Fate::Runs(Form::Half) && is_full {
                self.fates[i] = Fate::Runs(Form::Full);
                for name in &node.output {
                    if let Some(value) = self.values.get_mut(name.as_str()) {
                        value.form = Form::Full;
                    }
                }
            }
        }
    }

    /// Whether anything is computed in fp16.
    pub fn is_worthwhile(&self, graph: &GraphProto) -> bool {
        let computes = |node: &NodeProto| ops::rule(node) == Some(Rule::Computes);
        graph
            .node
            .iter()
            .zip(&self.fates)
            .any(|(node, fate)| *fate == Fate::Runs(Form::Half) && computes(node))
    }
}

fn declared(port: &ValueInfoProto) -> Option<(&str, Kind)> {
    let tensor = port.r#type.as_ref()?.tensor_type.as_ref()?;
    tensor.elem_type?;
    Some((port.name.as_deref()?, kind(tensor.elem_type)))
}

fn kind(element: Option<DataType>) -> Kind {
    match element {
        Some(DataType::FLOAT) => Kind::Float,
        Some(_) => Kind::Other,
        None => Kind::Unknown,
    }
}
