//! Layer by layer to ONNX nodes.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail, ensure};

use super::cubic;
use super::param::{self, Layer};
use super::weights::Weights;
use crate::models::onnx::{ConvShape, Graph, INPUT, PadMode, float};

/// Converts a network; its input is first grown by `pad` px, mirrored, as the programs that ship the network do.
///
/// # Errors
/// If a file is broken or holds a layer that is not known here; the message names the layer.
pub fn convert(param: &str, bin: &[u8], pad: usize, metadata: &[(&str, &str)]) -> Result<Vec<u8>> {
    let layers = param::parse(param)?;
    let mut converter = Converter {
        graph: Graph::default(),
        weights: Weights::new(bin),
        blobs: BTreeMap::new(),
        pad,
    };
    let mut last = String::new();
    for layer in &layers {
        last = converter.layer(layer).with_context(|| {
            format!("in the {} layer '{}' of the ncnn network", layer.kind, layer.name)
        })?;
        for blob in &layer.outputs {
            converter.blobs.insert(blob.clone(), last.clone());
        }
    }
    ensure!(
        converter.weights.is_empty(),
        "the .bin file holds more weights than the .param file has layers for"
    );
    converter.graph.finish(&last, metadata)
}

struct Converter<'a> {
    graph: Graph,
    weights: Weights<'a>,
    /// ncnn's blobs by name, and the tensors they became.
    blobs: BTreeMap<String, String>,
    pad: usize,
}

impl Converter<'_> {
    fn layer(&mut self, layer: &Layer) -> Result<String> {
        let inputs = layer
            .inputs
            .iter()
            .map(|b| {
                self.blobs.get(b).cloned().with_context(|| format!("nothing gives the blob '{b}'"))
            })
            .collect::<Result<Vec<_>>>()?;
        let all: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let Some(&x) = all.first() else {
            ensure!(layer.kind == "Input", "the layer reads nothing");
            return Ok(self.input());
        };
        match layer.kind.as_str() {
            "Split" => Ok(x.to_owned()),
            "Convolution" => self.convolution(layer, x),
            "Deconvolution" => self.deconvolution(layer, x),
            "InnerProduct" => self.inner_product(layer, x),
            "PReLU" => self.prelu(layer, x),
            "PixelShuffle" => Ok(self.graph.depth_to_space(x, layer.size(0, 1))),
            "Interp" => self.interp(layer, x),
            "Pooling" => {
                ensure!(
                    layer.int(0) == 1 && layer.int(4) == 1,
                    "only the average of the whole picture is known"
                );
                Ok(self.graph.node("GlobalAveragePool", &[x], vec![]))
            }
            "Concat" => Ok(self.graph.concat(&all)),
            "Crop" => self.crop(layer, x),
            "Scale" => {
                ensure!(
                    layer.int(0) == -233 && all.len() == 2,
                    "only scaling by a second input is known"
                );
                Ok(self.graph.node("Mul", &all, vec![]))
            }
            "BinaryOp" => match layer.int(0) {
                0 => Ok(self.graph.node("Add", &all, vec![])),
                2 => Ok(self.graph.node("Mul", &all, vec![])),
                op => bail!("binary operation {op} is not known"),
            },
            "Eltwise" => self.sum(layer, &all),
            _ => bail!("this type of layer is not known"),
        }
    }

    fn input(&mut self) -> String {
        match self.pad {
            0 => INPUT.to_owned(),
            pad => self.graph.pad(INPUT, PadMode::Reflect, pad, pad),
        }
    }

    fn convolution(&mut self, layer: &Layer, x: &str) -> Result<String> {
        let (shape, weights, bias) = self.kernel(layer)?;
        let y = self.graph.conv(x, shape, &weights, &bias);
        self.activation(layer, y)
    }

    fn deconvolution(&mut self, layer: &Layer, x: &str) -> Result<String> {
        let (shape, weights, bias) = self.kernel(layer)?;
        // ncnn stores (out, in, rows, columns), ONNX wants (in, out, rows, columns).
        let taps = shape.kernel * shape.kernel;
        let (outputs, inputs) = (bias.len(), weights.len() / (bias.len() * taps));
        let transposed: Vec<f32> = (0..inputs)
            .flat_map(|i| (0..outputs).map(move |o| (o * inputs + i) * taps))
            .flat_map(|at| weights[at..at + taps].iter().copied())
            .collect();
        let y = self.graph.conv_transpose(x, shape, &transposed, &bias);
        self.activation(layer, y)
    }

    /// Shape, weights and biases of a convolution, either way.
    fn kernel(&mut self, layer: &Layer) -> Result<(ConvShape, Vec<f32>, Vec<f32>)> {
        ensure!(layer.size(2, 1) == 1, "dilated kernels are not known");
        let kernel = layer.size(1, 0);
        ensure!(kernel > 0 && layer.size(11, kernel) == kernel, "only square kernels are known");
        let shape = ConvShape { kernel, stride: layer.size(3, 1), pad: layer.size(4, 0), group: 1 };
        let (weights, bias) =
            self.weights_and_bias(layer.size(6, 0), layer.size(0, 0), layer.int(5) == 1)?;
        Ok((shape, weights, bias))
    }

    fn weights_and_bias(
        &mut self,
        weights: usize,
        outputs: usize,
        has_bias: bool,
    ) -> Result<(Vec<f32>, Vec<f32>)> {
        ensure!(outputs > 0 && weights > 0, "a layer without weights");
        let weights = self.weights.tagged(weights)?;
        let bias = if has_bias { self.weights.floats(outputs)? } else { vec![0.0; outputs] };
        Ok((weights, bias))
    }

    /// A fully connected layer behind a global average: a 1x1 convolution of a 1x1 picture.
    fn inner_product(&mut self, layer: &Layer, x: &str) -> Result<String> {
        let (weights, bias) =
            self.weights_and_bias(layer.size(2, 0), layer.size(0, 0), layer.int(1) == 1)?;
        let y = self.graph.conv(x, ConvShape::valid(1), &weights, &bias);
        self.activation(layer, y)
    }

    /// The activation that ncnn folds into a layer.
    fn activation(&mut self, layer: &Layer, y: String) -> Result<String> {
        Ok(match layer.int(9) {
            0 => y,
            1 => self.graph.node("Relu", &[&y], vec![]),
            2 => {
                let slope =
                    *layer.values(10).first().context("a leaky rectifier without a slope")?;
                self.graph.node("LeakyRelu", &[&y], vec![float("alpha", slope)])
            }
            4 => self.graph.node("Sigmoid", &[&y], vec![]),
            kind => bail!("activation {kind} is not known"),
        })
    }

    fn prelu(&mut self, layer: &Layer, x: &str) -> Result<String> {
        let slopes = self.weights.floats(layer.size(0, 0))?;
        let slopes = self.graph.floats(&[slopes.len(), 1, 1], &slopes);
        Ok(self.graph.node("PRelu", &[x, &slopes], vec![]))
    }

    fn interp(&mut self, layer: &Layer, x: &str) -> Result<String> {
        let (rows, columns) = (layer.values(1), layer.values(2));
        ensure!(rows == columns && rows.len() == 1, "only one factor for both axes is known");
        match (layer.int(0), rows[0]) {
            (1, factor) if factor >= 1.0 && factor.fract() == 0.0 => {
                Ok(self.graph.resize_nearest(x, factor as usize))
            }
            (3, 0.5) => cubic::resize(&mut self.graph, x, 1, 2),
            (3, 0.75) => cubic::resize(&mut self.graph, x, 3, 4),
            (mode, factor) => bail!("resizing in mode {mode} by {factor} is not known"),
        }
    }

    /// Both of ncnn's ways to write the networks' symmetric crops: starts and ends, or offsets into a second input's size.
    fn crop(&mut self, layer: &Layer, x: &str) -> Result<String> {
        let (starts, ends) = (layer.values(9), layer.values(10));
        let by_offset = starts.is_empty();
        let px = if by_offset { layer.int(0) } else { starts.first().map_or(0, |v| *v as i32) };
        let symmetric = if by_offset {
            layer.int(1) == px && layer.int(2) == 0
        } else {
            starts == [px as f32; 2] && ends == [-px as f32; 2] && layer.values(11) == [-2.0, -1.0]
        };
        ensure!(symmetric && px > 0, "only the same crop on all four sides is known");
        Ok(self.graph.crop(x, px as usize, px as usize))
    }

    fn sum(&mut self, layer: &Layer, inputs: &[&str]) -> Result<String> {
        ensure!(layer.int(0) == 1 && inputs.len() == 2, "only the sum of two is known");
        let factors = layer.values(1);
        ensure!(
            factors.is_empty() || factors.len() == 2,
            "{} factors for two inputs",
            factors.len()
        );
        let mut terms = Vec::new();
        for (i, input) in inputs.iter().enumerate() {
            terms.push(match factors.get(i) {
                None | Some(1.0) => (*input).to_owned(),
                Some(factor) => {
                    let factor = self.graph.floats(&[], &[*factor]);
                    self.graph.node("Mul", &[input, &factor], vec![])
                }
            });
        }
        Ok(self.graph.node("Add", &[&terms[0], &terms[1]], vec![]))
    }
}
