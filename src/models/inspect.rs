//! All that can be found out about a model, and where each fact came from.

use std::fmt;

use super::card::{Card, Overrides};
use super::error::ModelError;
use super::graph::{self, Graph, Reach};
use super::probe::{Known, Measured, Runner, probe};
use crate::engine::{Contract, Halo, ModelSource, ValueRange};
use crate::upscale::{Element, Layout};

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The graph, without running it.
    Graph,
    /// A run.
    Probe,
    /// The model's card.
    Card,
    /// The TOML file beside a user's model.
    Sidecar,
    /// The ONNX file's metadata.
    Metadata,
    /// Nobody: it is assumed.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Graph => "graph",
            Self::Probe => "measured",
            Self::Card => "card",
            Self::Sidecar => "sidecar",
            Self::Metadata => "metadata",
            Self::Default => "assumed",
        })
    }
}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, e.g. "halo".
    pub name: &'static str,
    /// For people, with unit.
    pub value: String,
    /// Who says so.
    pub origin: Origin,
}

/// What was found out about a model. Its `Display` is a table for people.
#[derive(Debug, Clone)]
pub struct Report {
    /// Card's name, or path.
    pub model: String,
    /// Title of card or sidecar.
    pub title: Option<String>,
    /// Licence of card or sidecar.
    pub licence: Option<String>,
    /// What tiling and conversion depend on.
    pub contract: Contract,
    /// Each fact and its origin.
    pub facts: Vec<Fact>,
    /// What is odd, but stops nothing.
    pub warnings: Vec<String>,
    /// What the graph says about itself: operators, cost, producer.
    pub graph: Graph,
}

/// Finds out everything about `source` by reading it and running it with `run`, which must take any size that the graph
/// takes. `card` is its card or sidecar.
///
/// Value range, halo, alignment and smallest size: card or sidecar, then graph, then measurement. Scale, channels and
/// layout: the graph, then measurement; a card that says otherwise is not believed, with a warning.
///
/// # Errors
/// [`ModelError::Refused`] with the rule that the network breaks, or [`ModelError::Probe`] where it cannot be run.
pub fn inspect(
    source: &ModelSource,
    card: Option<&Card>,
    run: &mut Runner,
) -> Result<Report, ModelError> {
    inspect_with(source, card, |graph, known| probe(source, graph, known, run))
}

/// [`inspect`], with `measure` instead of runs: for who knows already what they would show.
///
/// # Errors
/// As [`inspect`]; what `measure` says.
pub fn inspect_with(
    source: &ModelSource,
    card: Option<&Card>,
    measure: impl FnOnce(&Graph, Known) -> Result<Measured, ModelError>,
) -> Result<Report, ModelError> {
    let nothing = Overrides::default();
    let overrides = card.map_or(&nothing, |card| &card.contract);
    let graph = graph::read(source, overrides)?;
    let by_card =
        if card.is_some_and(|card| card.is_sidecar) { Origin::Sidecar } else { Origin::Card };

    let mut facts = Facts::default();
    let (range, from) = range(overrides, &graph, by_card);
    facts.add("value range", show_range(range), from);
    let known = Known { range, has_halo: overrides.halo.is_some(), alignment: overrides.alignment };
    let measured = measure(&graph, known)?;

    let input = &graph.input;
    facts.add("input", port_text(input), Origin::Graph);
    facts.add("output", port_text(&graph.output), Origin::Graph);
    let from = if graph.scale.is_some() { Origin::Graph } else { Origin::Probe };
    facts.add("scale", format!("{}x", measured.scale), from);
    let (halo, from) = match (overrides.halo, measured.halo) {
        (Some(halo), _) => (halo, by_card),
        (None, halo) => (halo.unwrap_or(Halo::Open), halo_origin(halo, &graph.reach)),
    };
    facts.add("halo", show_halo(halo), from);
    let alignment = measured.alignment;
    let from = match overrides.alignment {
        Some(_) => by_card,
        None if graph.is_aligned() => Origin::Graph,
        None => Origin::Probe,
    };
    facts.add("alignment", format!("{alignment} px"), from);
    let (min_size, from) = match overrides.min_size {
        Some(px) => (px.next_multiple_of(alignment), by_card),
        None if measured.has_run => (measured.min_size, Origin::Probe),
        None => (measured.min_size, Origin::Graph),
    };
    facts.add("smallest size", format!("{min_size} px"), from);
    facts.add("memory", format!("{} bytes per input pixel", graph.bytes_per_px), Origin::Graph);

    let mut warnings = contradictions(overrides, &graph, measured.scale, by_card);
    warnings.extend(measured.warnings);
    if let (Halo::Open, Reach::Open(node)) = (halo, &graph.reach) {
        warnings.push(format!("{node} looks at the whole frame: tiles cannot agree exactly"));
    }
    Ok(Report {
        model: source.name.clone(),
        title: card.and_then(|card| card.title.clone()),
        licence: card.and_then(|card| card.licence.clone()),
        contract: Contract {
            input: graph.input.clone(),
            output: graph.output.clone(),
            scale: measured.scale,
            range,
            alignment,
            min_size,
            halo,
            bytes_per_px: graph.bytes_per_px,
        },
        facts: facts.0,
        warnings,
        graph,
    })
}

#[derive(Default)]
struct Facts(Vec<Fact>);

impl Facts {
    fn add(&mut self, name: &'static str, value: String, origin: Origin) {
        self.0.push(Fact { name, value, origin });
    }
}

fn range(overrides: &Overrides, graph: &Graph, by_card: Origin) -> (ValueRange, Origin) {
    match (overrides.range, graph.range) {
        (Some(range), _) => (range, by_card),
        (None, Some(range)) => (range, Origin::Metadata),
        // A byte holds nothing but 0 to 255.
        (None, None) if graph.input.element == Element::U8 => (ValueRange::Byte, Origin::Graph),
        (None, None) => (ValueRange::Unit, Origin::Default),
    }
}

fn halo_origin(halo: Option<Halo>, reach: &Reach) -> Origin {
    match (halo, reach) {
        (Some(Halo::Exact(_)), _) | (_, Reach::Open(_)) => Origin::Graph,
        _ => Origin::Probe,
    }
}

/// What a card says that is not so.
fn contradictions(
    said: &Overrides,
    graph: &Graph,
    scale: crate::upscale::Ratio,
    by_card: Origin,
) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |key: &str, said: Option<String>, is: String| {
        if let Some(said) = said.filter(|said| *said != is) {
            found.push(format!("the {by_card} says {key} {said}, but it is {is}"));
        }
    };
    compare("scale", said.scale.map(|s| s.to_string()), scale.to_string());
    compare("channels", said.channels.map(|c| c.to_string()), graph.input.channels.to_string());
    let layout = |layout| show_layout(layout).to_owned();
    compare("layout", said.layout.map(layout), layout(graph.input.layout));
    found
}

fn port_text(port: &crate::engine::Port) -> String {
    let any = |size: Option<usize>| size.map_or("any".into(), |n| n.to_string());
    let size = match (port.width, port.height) {
        (None, None) => "any size".into(),
        (width, height) => format!("{}x{}", any(width), any(height)),
    };
    let element = match port.element {
        Element::F32 => "float32",
        Element::F16 => "float16",
        Element::U8 => "uint8",
    };
    format!(
        "'{}', {} channels, {} {element}, {size}, batch {}",
        port.name,
        port.channels,
        show_layout(port.layout),
        any(port.batch)
    )
}

const fn show_layout(layout: Layout) -> &'static str {
    match layout {
        Layout::Nchw => "NCHW",
        Layout::Nhwc => "NHWC",
    }
}

fn show_range(range: ValueRange) -> String {
    match range {
        ValueRange::Unit => "0 to 1",
        ValueRange::Signed => "-1 to 1",
        ValueRange::Byte => "0 to 255",
    }
    .into()
}

fn show_halo(halo: Halo) -> String {
    match halo {
        Halo::Exact(px) => format!("{px} px, exact"),
        Halo::Measured(px) => format!("{px} px, to half a code of 255"),
        Halo::Open => "open: it looks at the whole frame".into(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.model)?;
        if let Some(title) = &self.title {
            write!(f, ": {title}")?;
        }
        if let Some(licence) = &self.licence {
            write!(f, " ({licence})")?;
        }
        writeln!(f)?;
        for Fact { name, value, origin } in &self.facts {
            writeln!(f, "  {name:<14} {value} [{origin}]")?;
        }
        let graph = &self.graph;
        writeln!(
            f,
            "  {:<14} {} parameters, {:.0} multiply-adds per input pixel",
            "cost", graph.parameters, graph.macs_per_px
        )?;
        let ops: Vec<_> = graph.ops.iter().map(|(op, n)| format!("{op} {n}")).collect();
        writeln!(f, "  {:<14} opset {}: {}", "operators", graph.opset, ops.join(", "))?;
        if !graph.producer.is_empty() {
            writeln!(f, "  {:<14} {}", "written by", graph.producer)?;
        }
        for warning in &self.warnings {
            writeln!(f, "  warning: {warning}")?;
        }
        Ok(())
    }
}
