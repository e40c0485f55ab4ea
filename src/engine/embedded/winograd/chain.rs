//! Which networks are chains of 3x3 convolutions, and their weights as the kernels read them.

use super::super::aligned::Floats;
use super::super::simd::paired;
use super::kernel::{Kernels, Weights};
use super::transform::{self, POINTS};
use crate::smallnet::{Activation, Base, Edge, Form, Layer, Net, NotSmall, Read, Reduction, Tail};

/// A network made ready: each layer reads what the one before made.
pub(super) struct Chain {
    /// Channels of the input.
    pub channels: usize,
    /// Output pixels per input pixel on each axis.
    pub scale: usize,
    /// Channels of the output.
    pub outputs: usize,
    pub layers: Vec<Weights>,
    pub tail: Tail,
    /// Rows of the last feature above and below that the tail looks at: 0 or 1.
    reach: usize,
}

impl Chain {
    /// # Errors
    /// [`NotSmall`] where `net` is another kind of network.
    pub fn new(net: Net, kernels: &Kernels) -> Result<Self, NotSmall> {
        check(&net)?;
        let (scale, outputs, channels) = (net.scale(), net.outputs(), net.channels);
        let (reach, tail) = (reach(&net.tail), net.tail);
        let layers = net.layers.iter().map(|layer| weights(layer, kernels)).collect();
        Ok(Self { channels, scale, outputs, layers, tail, reach })
    }

    /// How many rows the output is behind the input.
    pub fn behind(&self) -> usize {
        self.layers.len() + self.reach
    }

    /// Floats of a pixel of `feature`; 0 is the input.
    pub fn step(&self, feature: usize) -> usize {
        match feature {
            0 => self.layers.first().map_or(0, |layer| layer.input_step),
            _ => self.layers[feature - 1].output_step,
        }
    }
}

/// Whether `net` is a chain.
///
/// # Errors
/// [`NotSmall`] says why it is not.
pub(in super::super) fn check(net: &Net) -> Result<(), NotSmall> {
    for (feature, layer) in net.layers.iter().enumerate() {
        let is_next = layer.reads == [Read { feature, form: Form::Plain }];
        if !is_next || layer.add.is_some() {
            return Err(NotSmall("its layers do not read one after the other".into()));
        }
        if layer.side != 3 || layer.edge != Edge::Zero {
            return Err(NotSmall("it has a layer that is not 3x3 with zeros around".into()));
        }
    }
    if reach(&net.tail) > 1 || net.tail.base == Some(Base::Bilinear) {
        return Err(NotSmall("it enlarges otherwise than by sub-pixels".into()));
    }
    Ok(())
}

fn reach(tail: &Tail) -> usize {
    tail.reduction.as_ref().map_or(0, Reduction::reach).div_ceil(tail.factor)
}

fn weights(layer: &Layer, kernels: &Kernels) -> Weights {
    let outputs = layer.outputs;
    let inputs = layer.weights.len() / (9 * outputs);
    let (lanes, channels) = (kernels.lanes, kernels.channels);
    let (output_step, cells) = (outputs.next_multiple_of(lanes), inputs.div_ceil(channels));
    let points: Vec<_> = layer.weights.chunks_exact(9).map(transform::filter).collect();
    let mut filters = Floats::zeros(POINTS * cells * output_step);
    for (i, row) in filters.chunks_exact_mut(output_step).enumerate() {
        let (point, cell) = (i / cells, i % cells);
        for (output, filter) in row.iter_mut().take(outputs).enumerate() {
            let of = &points[output * inputs..][..inputs];
            let weight = |input: usize| of.get(input).map_or(0.0, |points| points[point]);
            *filter = match channels {
                1 => weight(cell),
                _ => paired([weight(2 * cell), weight(2 * cell + 1)]),
            };
        }
    }
    let mut bias = Floats::zeros(output_step);
    bias[..outputs].copy_from_slice(&layer.bias);
    let mut slopes = Floats::zeros(output_step);
    match &layer.activation {
        Activation::None => slopes[..outputs].fill(1.0),
        Activation::Relu => {}
        Activation::Slopes(all) => slopes[..outputs].copy_from_slice(all),
    }
    let input_step = inputs.next_multiple_of(lanes);
    Weights { cells, input_step, output_step, filters, bias, slopes }
}
