//! A network made ready for the kernels: weights in the order in which they are read, and a place for every row.

use super::super::simd::paired;
use super::kernel::Kernels;
use crate::smallnet::{Base, Edge, Form, Layer, Net, NotSmall, Read};

/// A network made ready. Places are counted in planes of one row; plane 0 is all zeros.
pub(super) struct Plan {
    pub net: Net,
    pub features: Vec<Feature>,
    pub layers: Vec<Weights>,
    /// The input's own rows in plain floats, which the base is made of.
    pub input: Ring,
    /// Where the last layer's row lies in plain floats.
    pub last: usize,
    /// Number of planes.
    pub planes: usize,
}

/// Rows of which only the newest are kept.
pub(super) struct Ring {
    /// First plane.
    pub place: usize,
    /// Planes of one row.
    pub planes: usize,
    /// How many rows are kept.
    pub rows: usize,
}

impl Ring {
    /// First plane of row `y`.
    pub fn row(&self, y: usize) -> usize {
        self.place + y % self.rows * self.planes
    }
}

/// How a feature is kept.
pub(super) struct Feature {
    /// How many pixels around the part are needed of it.
    pub margin: usize,
    /// What lies beyond the picture's edge.
    pub edge: Edge,
    /// In which forms it is read; one after the other in a row of `ring`.
    pub forms: Vec<Form>,
    /// Planes of one form.
    pub planes: usize,
    pub ring: Ring,
}

/// A layer's weights, as the kernel reads them.
pub(super) struct Weights {
    pub blocks: Vec<usize>,
    pub cells: Vec<f32>,
    pub bias: Vec<f32>,
    /// Planes that are read: feature and plane in a row of it.
    pub planes: Vec<(usize, usize)>,
}

impl Plan {
    /// # Errors
    /// [`NotSmall`] where features are read in a way that is not kept.
    pub fn new(net: Net, kernels: &Kernels) -> Result<Self, NotSmall> {
        let margins = net.margins();
        // Plane 0 is the one of zeros.
        let mut end = 1;
        let mut take = |planes: usize, rows: usize| {
            let place = end;
            end += planes * rows;
            Ring { place, planes, rows }
        };
        let base_rows = match net.tail.base {
            None => 1,
            Some(Base::Nearest) => margins[0] + 1,
            Some(Base::Bilinear) => margins[0] + 2,
        };
        let input = take(net.channels.next_multiple_of(2), base_rows);
        let mut features = Vec::new();
        for (feature, &margin) in margins.iter().enumerate() {
            let (forms, edge) = (forms(&net, feature), edge(&net, feature)?);
            let pairs = net.channels_of(feature).div_ceil(2);
            let planes = if kernels.is_paired { pairs } else { 2 * pairs };
            let ring = take(planes * forms.len(), rows(&net, feature, &margins));
            features.push(Feature { margin, edge, forms, planes, ring });
        }
        let outputs = net.layers.last().map_or(0, |layer| layer.outputs);
        let last = take(outputs.next_multiple_of(2), 1).place;
        let layers =
            net.layers.iter().map(|layer| Weights::pack(&net, layer, &features, kernels)).collect();
        Ok(Self { net, features, layers, input, last, planes: end })
    }
}

/// The forms in which `feature` is read.
fn forms(net: &Net, feature: usize) -> Vec<Form> {
    let reads = net.layers.iter().flat_map(|layer| layer.reads.iter().chain(&layer.add));
    let mut forms = Vec::new();
    for read in reads.filter(|read| read.feature == feature) {
        if !forms.contains(&read.form) {
            forms.push(read.form);
        }
    }
    forms
}

/// What lies beyond the edge of `feature`: all 3x3 layers that read it must agree.
pub(super) fn edge(net: &Net, feature: usize) -> Result<Edge, NotSmall> {
    let reads = |layer: &&Layer| layer.reads.iter().any(|read| read.feature == feature);
    let mut edges = net.layers.iter().filter(|l| l.side == 3).filter(reads).map(|l| l.edge);
    let edge = edges.next().unwrap_or(Edge::Zero);
    if edges.any(|other| other != edge) {
        return Err(NotSmall("it pads the same feature in two ways".into()));
    }
    Ok(edge)
}

/// How many rows of `feature` are alive at a time: all layers advance in step, each ahead of the output by its own margin.
fn rows(net: &Net, feature: usize, margins: &[usize]) -> usize {
    let mut rows = 1;
    for (layer, own) in net.layers.iter().zip(&margins[1..]) {
        let is_it = |read: &&Read| read.feature == feature;
        if let Some(reach) = layer.reads.iter().find(is_it).map(|_| layer.side / 2) {
            rows = rows.max(margins[feature] + reach + 1 - own);
        }
        if layer.add.iter().any(|read| is_it(&read)) {
            rows = rows.max(margins[feature] + 1 - own);
        }
    }
    rows
}

impl Weights {
    fn pack(net: &Net, layer: &Layer, features: &[Feature], kernels: &Kernels) -> Self {
        let area = layer.side * layer.side;
        let inputs = layer.weights.len() / (layer.outputs * area);
        // The channels of each plane, as inputs of the layer.
        let mut planes = Vec::new();
        let mut channels: Vec<[Option<usize>; 2]> = Vec::new();
        let mut first = 0;
        for read in &layer.reads {
            let feature = &features[read.feature];
            let form = feature.forms.iter().position(|f| *f == read.form).unwrap_or(0);
            let count = net.channels_of(read.feature);
            let step = if kernels.is_paired { 2 } else { 1 };
            for channel in (0..count).step_by(step) {
                planes.push((read.feature, form * feature.planes + channel / step));
                let second = kernels.is_paired && channel + 1 < count;
                channels.push([Some(first + channel), second.then_some(first + channel + 1)]);
            }
            first += count;
        }
        let blocks = blocks(layer.outputs, kernels.many_registers);
        let all: usize = blocks.iter().sum();
        let mut cells = Vec::with_capacity(all * channels.len() * area);
        let mut output = 0;
        for &block in &blocks {
            for (plane, tap) in channels.iter().flat_map(|c| (0..area).map(move |tap| (c, tap))) {
                for o in output..output + block {
                    let weight = |input: Option<usize>| match input.filter(|_| o < layer.outputs) {
                        Some(input) => layer.weights[(o * inputs + input) * area + tap],
                        None => 0.0,
                    };
                    let pair = plane.map(weight);
                    cells.push(if kernels.is_paired { paired(pair) } else { pair[0] });
                }
            }
            output += block;
        }
        let mut bias = layer.bias.clone();
        bias.resize(all, 0.0);
        Self { blocks, cells, bias, planes }
    }
}

/// How many outputs are computed together: as many as registers hold sums for.
fn blocks(outputs: usize, many_registers: bool) -> Vec<usize> {
    let mut rest = outputs;
    let mut blocks = Vec::new();
    while rest > 0 {
        let block = match rest {
            _ if !many_registers => 4,
            ..=4 => 4,
            5..=8 | 13..=16 => 8,
            _ => 12,
        };
        blocks.push(block);
        rest = rest.saturating_sub(block);
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_cover_all_outputs() {
        for outputs in 1..=64 {
            for many in [false, true] {
                let all: usize = blocks(outputs, many).iter().sum();
                assert!((outputs..outputs + 12).contains(&all), "{outputs}: {all}");
            }
        }
    }
}
