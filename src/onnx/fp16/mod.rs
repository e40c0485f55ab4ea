//! From fp32 to fp16.
//!
//! Weights and the tensors between nodes become fp16; nodes that may not compute in it ([`ops`]) stay as they are, and what
//! goes in or out of them is cast, once a tensor. Nothing is cast to fp16 and back on the way from one such node to the next.
//! What does not depend on pixels (sizes, factors) stays in fp32 too, and so does everything behind an operator that is not
//! known.

mod numbers;
mod ops;
mod plan;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use rten_onnx::onnx::{DataType, GraphProto, NodeProto, TensorProto, ValueInfoProto};

use self::numbers::halved;
use self::plan::{Fate, Form, Kind, Plan};
use super::build::{Names, int, node};
use super::{RewriteError, read, write};

/// The oldest operator set whose types are known: since it, operators say what they broadcast.
const LEAST_OPSET: i64 = 7;

/// Since this version of the format, constants need not be listed among the inputs.
const FREE_CONSTANTS: i64 = 4;

/// What the inputs and outputs of a network that is converted are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ports {
    /// What they were.
    #[default]
    Keep,
    /// fp16 where they were fp32.
    Half,
}

/// A network in fp16.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Half {
    /// The ONNX file.
    pub bytes: Arc<[u8]>,
    /// What was lost on the way, for people.
    pub notices: Vec<String>,
}

/// The network of `bytes`, an ONNX file, in fp16; `None` where nothing in it computes in fp32.
///
/// # Errors
/// [`RewriteError`]; the network can be run as it is then.
pub fn to_half(bytes: &[u8], ports: Ports) -> Result<Option<Half>, RewriteError> {
    let (mut model, graph, _) = read(bytes, LEAST_OPSET)?;
    let plan = Plan::new(&graph, ports);
    if !plan.is_worthwhile(&graph) {
        return Ok(None);
    }
    let mut writer = Writer::new(&graph, &plan, ports)?;
    for (node, &fate) in graph.node.iter().zip(&plan.fates) {
        writer.take(node, fate)?;
    }
    writer.finish_outputs()?;
    let notices = writer.notices();
    let graph = writer.graph();
    model.ir_version = model.ir_version.max(Some(FREE_CONSTANTS));
    Ok(Some(Half { bytes: write(model, graph)?, notices }))
}

/// The new graph, node by node.
struct Writer<'a> {
    old: &'a GraphProto,
    plan: &'a Plan<'a>,
    /// The form of each output of the graph that is of floats.
    outputs: HashMap<&'a str, Form>,
    names: Names,
    /// What each form of each tensor of floats is called, as far as it is there.
    made: HashMap<(&'a str, Form), String>,
    nodes: Vec<NodeProto>,
    halves: Vec<TensorProto>,
    /// Constants that fp32 nodes read.
    full_constants: HashSet<&'a str>,
    /// Constants that had numbers out of range, and how many.
    clamped: Vec<(&'a str, usize)>,
    ports: Ports,
}

impl<'a> Writer<'a> {
    fn new(old: &'a GraphProto, plan: &'a Plan<'a>, ports: Ports) -> Result<Self, RewriteError> {
        let mut writer = Self {
            old,
            plan,
            outputs: HashMap::new(),
            names: Names::of(old),
            made: HashMap::new(),
            nodes: Vec::new(),
            halves: Vec::new(),
            full_constants: HashSet::new(),
            clamped: Vec::new(),
            ports,
        };
        let form = if ports == Ports::Half { Form::Half } else { Form::Full };
        let computed: HashSet<_> = old.node.iter().flat_map(|n| &n.output).collect();
        for name in old.output.iter().filter_map(|output| output.name.as_ref()) {
            if plan.value(name).kind == Kind::Float {
                if !computed.contains(name) || plan.constants.contains_key(name.as_str()) {
                    return Err(RewriteError::Output(name.clone()));
                }
                writer.outputs.insert(name, form);
            }
        }
        for name in old.input.iter().filter_map(|input| input.name.as_deref()) {
            if !plan.constants.contains_key(name) {
                writer.made.insert((name, form), name.into());
            }
        }
        Ok(writer)
    }

    /// Adds what becomes of `old`.
    fn take(&mut self, old: &'a NodeProto, fate: Fate) -> Result<(), RewriteError> {
        let form = match fate {
            Fate::Constant => return Ok(()),
            Fate::Runs(form) => Some(form),
            Fate::Reads => None,
        };
        let mut new = old.clone();
        for (i, (name, input)) in old.input.iter().zip(&mut new.input).enumerate() {
            let value = self.plan.value(name);
            if name.is_empty() || value.kind != Kind::Float {
                continue;
            }
            let form = form.unwrap_or(value.form);
            let form = if ops::stays_full(old, i) { Form::Full } else { form };
            *input = self.in_form(name, form)?;
        }
        for (name, output) in old.output.iter().zip(&mut new.output) {
            let value = self.plan.value(name);
            if !name.is_empty() && value.kind == Kind::Float {
                *output = self.name(name, value.form);
            }
        }
        if fate == Fate::Runs(Form::Half) && ops::rule(old) == Some(ops::Rule::Cast) {
            let to = new.attribute.iter_mut().filter(|a| a.name.as_deref() == Some("to"));
            to.for_each(|a| a.i = Some(DataType::FLOAT16.0.into()));
        }
        self.nodes.push(new);
        Ok(())
    }

    /// The name that `form` of the tensor `name` has or gets.
    fn name(&mut self, name: &'a str, form: Form) -> String {
        if let Some(name) = self.made.get(&(name, form)) {
            return name.clone();
        }
        let own = match self.outputs.get(name) {
            Some(&wanted) => wanted == form,
            None => self.plan.value(name).form == form,
        };
        let suffix = if form == Form::Half { "fp16" } else { "fp32" };
        let new = if own { name.into() } else { self.names.fresh(format!("{name}/{suffix}")) };
        self.made.insert((name, form), new.clone());
        new
    }

    /// The tensor `name` in `form`, cast if need be.
    fn in_form(&mut self, name: &'a str, form: Form) -> Result<String, RewriteError> {
        let is_made = self.made.contains_key(&(name, form));
        if let Some(full) = self.plan.constants.get(name) {
            if form == Form::Full {
                self.full_constants.insert(name);
            } else if !is_made {
                let new = self.name(name, form);
                let (half, clamped) = halved(new.clone(), full)?;
                self.halves.push(half);
                if clamped > 0 {
                    self.clamped.push((name, clamped));
                }
                return Ok(new);
            }
            return Ok(self.name(name, form));
        }
        let made_in = self.plan.value(name).form;
        if is_made || made_in == form {
            return Ok(self.name(name, form));
        }
        let (from, to) = (self.name(name, made_in), self.name(name, form));
        let kind = if form == Form::Half { DataType::FLOAT16 } else { DataType::FLOAT };
        self.nodes.push(node("Cast", &[&from], to.clone(), vec![int("to", kind.0.into())]));
        Ok(to)
    }

    fn finish_outputs(&mut self) -> Result<(), RewriteError> {
        for name in self.old.output.iter().filter_map(|output| output.name.as_deref()) {
            if let Some(&form) = self.outputs.get(name) {
                self.in_form(name, form)?;
            }
        }
        Ok(())
    }

    fn notices(&self) -> Vec<String> {
        let Some((first, _)) = self.clamped.first() else { return Vec::new() };
        let numbers: usize = self.clamped.iter().map(|(_, n)| n).sum();
        vec![format!(
            "{numbers} numbers in {} constants (the first is '{first}') lie beyond the range of fp16 and are clamped to it",
            self.clamped.len()
        )]
    }

    fn graph(self) -> GraphProto {
        let Self { old, plan, mut nodes, mut halves, full_constants, ports, outputs, .. } = self;
        let is_used = |name: Option<&str>| name.is_some_and(|name| full_constants.contains(name));
        let is_float = |name: &Option<String>| {
            name.as_deref().is_some_and(|name| plan.constants.contains_key(name))
        };
        let mut initializer: Vec<_> = old
            .initializer
            .iter()
            .filter(|t| !is_float(&t.name) || is_used(t.name.as_deref()))
            .cloned()
            .collect();
        initializer.append(&mut halves);
        let constants = old.node.iter().zip(&plan.fates).filter(|(node, fate)| {
            **fate == Fate::Constant && is_used(node.output.first().map(String::as_str))
        });
        let mut node: Vec<_> = constants.map(|(node, _)| node.clone()).collect();
        node.append(&mut nodes);
        let weights: HashSet<_> = old.initializer.iter().map(|t| &t.name).collect();
        let input = old.input.iter().filter(|port| !weights.contains(&port.name));
        let retyped = |port: &ValueInfoProto, half: bool| {
            let mut port = port.clone();
            let tensor = port.r#type.as_mut().and_then(|kind| kind.tensor_type.as_mut());
            if let Some(tensor) = tensor.filter(|t| half && t.elem_type == Some(DataType::FLOAT)) {
                tensor.elem_type = Some(DataType::FLOAT16);
            }
            port
        };
        let is_half = ports == Ports::Half;
        let value_info = old.value_info.iter().filter(|port| !is_float(&port.name)).map(|port| {
            let name = port.name.as_deref().unwrap_or_default();
            let value = plan.value(name);
            let form = outputs.get(name).copied().unwrap_or(value.form);
            retyped(port, value.kind == Kind::Float && form == Form::Half)
        });
        GraphProto {
            node,
            initializer,
            input: input.map(|port| retyped(port, is_half)).collect(),
            output: old.output.iter().map(|port| retyped(port, is_half)).collect(),
            value_info: value_info.collect(),
        }
    }
}
