//! Anime4K's upscaling networks: from the text of the shader to ONNX.
//!
//! A network there is a chain of passes. Each pass gives four features: a sum of `mat4(…) * go_k(dx, dy)`, where `go_k` is
//! a macro that reads four features of an earlier pass, rectified (`max(x, 0)`) or negated and rectified (`max(-x, 0)`).
//! Passes with the same inputs are one layer of the network. Textures clamp to the edge, so each 3x3 layer pads that way.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::onnx::{ConvShape, Graph, INPUT, PadMode};

/// Converts the passes of the network whose description holds `tag`, e.g. `Upscale-CNN-x2-(M)`.
///
/// # Errors
/// If the shader's text has another form than this converter knows; the message names the pass.
pub fn convert(shader: &str, tag: &str, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
    let passes = parse(shader, tag)?;
    let layers: Vec<&[Pass]> = passes.chunk_by(|a, b| a.inputs == b.inputs).collect();
    let (last, hidden) =
        layers.split_last().with_context(|| format!("the shader has no pass called {tag}"))?;

    let mut graph = Graph::default();
    let mut features = Features::default();
    for layer in hidden {
        let result = layer_node(&mut graph, &features, layer, true)?;
        features.add(&graph.node("Relu", &[&result], vec![]), layer);
    }
    let residual = layer_node(&mut graph, &features, last, false)?;
    let residual = graph.depth_to_space(&residual, 2);
    let base = graph.resize_linear(INPUT, 2);
    let output = graph.node("Add", &[&base, &residual], vec![]);
    graph.finish(&output, metadata)
}

/// What a macro reads: a texture, or its negative.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Source {
    texture: String,
    negated: bool,
}

/// `mat4(…) * macro(dx, dy)`.
#[derive(Debug)]
struct Term {
    columns: [f32; 16],
    source: usize,
    dx: i32,
    dy: i32,
}

/// One pass: four features.
#[derive(Debug)]
struct Pass {
    save: String,
    inputs: Vec<Source>,
    terms: Vec<Term>,
    bias: [f32; 4],
}

/// Where the features computed so far lie: one rectified tensor per layer, negatives after positives.
#[derive(Debug, Default)]
struct Features {
    tensors: Vec<(String, usize)>,
    place: BTreeMap<String, (usize, usize)>,
}

impl Features {
    fn add(&mut self, tensor: &str, layer: &[Pass]) {
        for (i, pass) in layer.iter().enumerate() {
            self.place.insert(pass.save.clone(), (self.tensors.len(), 4 * i));
        }
        self.tensors.push((tensor.to_owned(), 8 * layer.len()));
    }

    /// Tensors that `sources` need, in order, and the first channel of each source in their concatenation.
    fn gather(&self, sources: &[Source]) -> Result<(Vec<&str>, Vec<usize>)> {
        let mut used = Vec::new();
        let places = sources
            .iter()
            .map(|s| {
                self.place.get(&s.texture).with_context(|| format!("no pass saves {}", s.texture))
            })
            .collect::<Result<Vec<_>>>()?;
        for (tensor, _) in &places {
            if !used.contains(tensor) {
                used.push(*tensor);
            }
        }
        used.sort_unstable();
        let start = |tensor: usize| -> usize {
            used.iter().take_while(|&&t| t < tensor).map(|&t| self.tensors[t].1).sum()
        };
        let channels = sources.iter().zip(&places).map(|(source, &&(tensor, channel))| {
            start(tensor) + channel + if source.negated { self.tensors[tensor].1 / 2 } else { 0 }
        });
        Ok((used.iter().map(|&t| self.tensors[t].0.as_str()).collect(), channels.collect()))
    }
}

/// The convolution of a layer; with `mirrored`, followed by the same filters negated, as what comes next rectifies both.
fn layer_node(
    graph: &mut Graph,
    features: &Features,
    layer: &[Pass],
    mirrored: bool,
) -> Result<String> {
    let sources = &layer[0].inputs;
    let is_first = sources.iter().all(|s| s.texture == "MAIN");
    let (tensors, channels) =
        if is_first { (vec![INPUT], vec![0]) } else { features.gather(sources)? };
    let inputs = if is_first { 3 } else { 4 * sources.len() };
    let reach = layer.iter().flat_map(|p| &p.terms).any(|t| t.dx != 0 || t.dy != 0);
    let kernel = if reach { 3 } else { 1 };

    let mut weights = Vec::new();
    for pass in layer {
        weights.extend(filters(pass, &channels, inputs, kernel)?);
    }
    let mut bias: Vec<f32> = layer.iter().flat_map(|p| p.bias).collect();
    if mirrored {
        weights.extend(weights.clone().iter().map(|w| -w));
        bias.extend(bias.clone().iter().map(|b| -b));
    }
    let mut x = graph.concat(&tensors);
    if reach {
        x = graph.pad(&x, PadMode::Edge, 1, 1);
    }
    Ok(graph.conv(&x, ConvShape::valid(kernel), &weights, &bias))
}

/// A pass's filters as (4, inputs, rows, columns). GLSL matrices are written column by column: column = input channel.
fn filters(pass: &Pass, channels: &[usize], inputs: usize, kernel: usize) -> Result<Vec<f32>> {
    let mut weights = vec![0.0; 4 * inputs * kernel * kernel];
    let middle = (kernel / 2) as i32;
    for term in &pass.terms {
        let tap = ((term.dy + middle) as usize) * kernel + (term.dx + middle) as usize;
        for (i, column) in term.columns.chunks_exact(4).enumerate() {
            let channel = channels[term.source] + i;
            if channel >= inputs {
                // The picture's alpha; its weights must be zero, as there is no alpha here.
                ensure!(column.iter().all(|w| *w == 0.0), "pass {} reads alpha", pass.save);
                continue;
            }
            for (o, w) in column.iter().enumerate() {
                weights[(o * inputs + channel) * kernel * kernel + tap] += w;
            }
        }
    }
    Ok(weights)
}

/// The convolution passes of the network `tag`, in order.
fn parse(shader: &str, tag: &str) -> Result<Vec<Pass>> {
    shader
        .split("//!DESC ")
        .filter(|text| {
            let title = text.lines().next().unwrap_or_default();
            title.contains(tag) && title.contains("-Conv-")
        })
        .map(|text| parse_pass(text).with_context(|| format!("in the pass '{}'", first_line(text))))
        .collect()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn parse_pass(text: &str) -> Result<Pass> {
    let mut macros: Vec<(String, Source)> = Vec::new();
    let mut pass = Pass { save: String::new(), inputs: vec![], terms: vec![], bias: [0.0; 4] };
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("//!SAVE ") {
            pass.save = name.trim().to_owned();
        } else if let Some(definition) = line.strip_prefix("#define ") {
            macros.push(parse_macro(definition)?);
        } else if let Some((_, matrix)) = line.split_once("mat4(") {
            pass.terms.push(parse_term(matrix, &macros)?);
        } else if let Some(bias) = line.strip_prefix("result += vec4(") {
            pass.bias = numbers(bias.trim_end_matches(");"))?;
        }
    }
    ensure!(!pass.save.is_empty() && !pass.terms.is_empty(), "no SAVE line or no mat4 terms");
    pass.inputs = macros.into_iter().map(|(_, source)| source).collect();
    Ok(pass)
}

/// `go_0(x_off, y_off) (max(-(NAME_texOff(…)), 0.0))`, `g_0 (max((NAME_tex(NAME_pos)), 0.0))` or `go_0(…) (MAIN_texOff(…))`.
fn parse_macro(definition: &str) -> Result<(String, Source)> {
    let (head, body) = definition.split_once(" (").context("a macro without a body")?;
    // The argument list of `go_0(x_off, y_off)` itself has no " (" in it.
    let name = head.split('(').next().unwrap_or(head).trim().to_owned();
    let call = body.find("_tex").context("a macro that reads no texture")?;
    let before = &body[..call];
    let texture = before.rsplit(['(', '-', ' ']).next().unwrap_or_default().to_owned();
    ensure!(!texture.is_empty(), "a macro that names no texture: {definition}");
    ensure!(
        texture == "MAIN" || body.contains("max("),
        "features that are not rectified: {definition}"
    );
    Ok((name, Source { texture, negated: before.contains("max(-") }))
}

fn parse_term(matrix: &str, macros: &[(String, Source)]) -> Result<Term> {
    let (values, call) = matrix.split_once(") * ").context("a matrix that multiplies nothing")?;
    let call = call.trim_end_matches(';');
    let (name, offsets) = call.split_once('(').unwrap_or((call, "0.0, 0.0)"));
    let source = macros
        .iter()
        .position(|(m, _)| m == name)
        .with_context(|| format!("{name} is not defined"))?;
    let [dx, dy]: [f32; 2] = numbers(offsets.trim_end_matches(')'))?;
    ensure!(dx.abs() <= 1.0 && dy.abs() <= 1.0, "offset ({dx}, {dy}) lies outside 3x3");
    Ok(Term { columns: numbers(values)?, source, dx: dx as i32, dy: dy as i32 })
}

fn numbers<const N: usize>(list: &str) -> Result<[f32; N]> {
    let values = list
        .split(',')
        .map(|v| v.trim().parse::<f32>().with_context(|| format!("'{v}' is not a number")))
        .collect::<Result<Vec<_>>>()?;
    match values.try_into() {
        Ok(values) => Ok(values),
        Err(values) => bail!("{} numbers where {N} belong", values.len()),
    }
}
