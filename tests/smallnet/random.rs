//! Random small networks, written as ONNX in the ways in which exporters write them.

use gstkizuna::engine::ModelSource;
use proptest::prelude::*;
use rten_onnx::onnx::DataType;

use crate::models::{Attr, Net, same};

const F: DataType = DataType::FLOAT;

/// What follows a hidden convolution.
#[derive(Debug, Clone, Copy)]
enum After {
    Nothing,
    Relu,
    /// The feature beside its negative, rectified.
    Mirrored,
    /// Filters beside their negatives, rectified: the same, but hidden in the weights.
    MirroredFilters,
    PRelu,
    LeakyRelu,
    /// The input of the convolution is added.
    Residual,
}

/// A network, and the seed of its weights.
#[derive(Debug, Clone)]
pub struct Recipe {
    channels: usize,
    width: usize,
    hidden: Vec<(After, bool)>,
    /// Whether convolutions pad with zeros by themselves, or a node before them repeats the edge.
    pads_itself: bool,
    factor: usize,
    is_crd: bool,
    base: Option<&'static str>,
    clips: bool,
    /// Whether the last convolution reads all layers.
    reads_all: bool,
    seed: u32,
}

impl Arbitrary for Recipe {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        use After::*;
        let after = prop::sample::select(vec![
            Nothing,
            Relu,
            Mirrored,
            MirroredFilters,
            PRelu,
            LeakyRelu,
            Residual,
        ]);
        let hidden = prop::collection::vec((after, any::<bool>()), 1..5);
        let base = prop::sample::select(vec![None, Some("nearest"), Some("linear")]);
        let shape = (1..5_usize, 1..9_usize, 1..5_usize, any::<u32>());
        (hidden, base, shape, any::<[bool; 4]>())
            .prop_map(|(hidden, base, (channels, width, factor, seed), flags)| {
                let [pads_itself, is_crd, clips, reads_all] = flags;
                Self {
                    channels,
                    width,
                    hidden,
                    pads_itself,
                    factor,
                    is_crd,
                    base,
                    clips,
                    reads_all,
                    seed,
                }
            })
            .boxed()
    }
}

/// A network that is being written, with the tensor that comes next.
struct Writer {
    net: Net,
    seed: u32,
    nodes: usize,
}

impl Writer {
    fn name(&mut self) -> String {
        self.nodes += 1;
        format!("t{}", self.nodes)
    }

    fn numbers(&mut self, n: usize, gain: f32) -> Vec<f32> {
        let mut next = || {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            ((self.seed >> 8) as f32 / (1 << 23) as f32 - 1.0) * gain
        };
        (0..n).map(|_| next()).collect()
    }

    fn node(&mut self, op: &str, inputs: &[&str], attrs: &[Attr]) -> String {
        let name = self.name();
        self.net = std::mem::take(&mut self.net).node(op, inputs, &name, attrs);
        name
    }

    fn weight(&mut self, dims: &[usize], values: &[f32]) -> String {
        let name = self.name();
        self.net = std::mem::take(&mut self.net).weight(F, &name, dims, values);
        name
    }

    fn conv(
        &mut self,
        from: &str,
        io: [usize; 2],
        side: usize,
        pads_itself: bool,
        twice: bool,
    ) -> String {
        let [inputs, outputs] = io;
        let gain = (2.0 / (inputs * side * side) as f32).sqrt();
        let mut weights = self.numbers(inputs * outputs * side * side, gain);
        let mut bias = self.numbers(outputs, 0.1);
        if twice {
            weights.extend(weights.clone().iter().map(|w| -w));
            bias.extend(bias.clone().iter().map(|b| -b));
        }
        let outputs = bias.len();
        let weights = self.weight(&[outputs, inputs, side, side], &weights);
        let bias = self.weight(&[outputs], &bias);
        let mut from = from.to_owned();
        let mut pad = 0;
        if side == 3 && pads_itself {
            pad = 1;
        } else if side == 3 {
            let name = self.name();
            self.net = std::mem::take(&mut self.net).ints(&name, &[0, 0, 1, 1, 0, 0, 1, 1]);
            from = self.node("Pad", &[&from, &name], &[Attr::String("mode", "edge")]);
        }
        let side = side as i64;
        let attrs = [
            Attr::Ints("kernel_shape", &[side, side]),
            Attr::Ints("pads", &[pad; 4]),
            Attr::Ints("strides", &[1, 1]),
            Attr::Ints("dilations", &[1, 1]),
            Attr::Int("group", 1),
        ];
        self.node("Conv", &[&from, &weights, &bias], &attrs)
    }

    /// A hidden layer; its tensor and how many channels that has.
    fn layer(
        &mut self,
        recipe: &Recipe,
        from: &(String, usize),
        after: After,
        side: usize,
    ) -> (String, usize) {
        let (input, inputs) = from;
        let outputs = if matches!(after, After::Residual) { *inputs } else { recipe.width };
        let twice = matches!(after, After::MirroredFilters);
        let made = self.conv(input, [*inputs, outputs], side, recipe.pads_itself, twice);
        match after {
            After::Nothing => (made, outputs),
            After::Relu => (self.node("Relu", &[&made], &[]), outputs),
            After::MirroredFilters => (self.node("Relu", &[&made], &[]), 2 * outputs),
            After::Mirrored => {
                let negative = self.node("Neg", &[&made], &[]);
                let both = self.node("Concat", &[&made, &negative], &[Attr::Int("axis", 1)]);
                (self.node("Relu", &[&both], &[]), 2 * outputs)
            }
            After::PRelu => {
                let slopes = self.numbers(outputs, 0.5);
                let slopes = self.weight(&[outputs, 1, 1], &slopes);
                (self.node("PRelu", &[&made, &slopes], &[]), outputs)
            }
            After::LeakyRelu => {
                (self.node("LeakyRelu", &[&made], &[Attr::Float("alpha", 0.2)]), outputs)
            }
            After::Residual => (self.node("Add", &[&made, input], &[]), outputs),
        }
    }
}

impl Recipe {
    /// Chains of 3x3 convolutions of more channels than streaming kernels take, padded with zeros.
    pub fn chains() -> impl Strategy<Value = Self> {
        let after =
            prop::sample::select(vec![After::Nothing, After::Relu, After::PRelu, After::LeakyRelu]);
        let hidden = prop::collection::vec(after.prop_map(|after| (after, true)), 1..5);
        let base = prop::sample::select(vec![None, Some("nearest")]);
        let shape = (1..5_usize, 17..70_usize, 1..5_usize, any::<u32>());
        (hidden, base, shape, any::<[bool; 2]>()).prop_map(
            |(hidden, base, (channels, width, factor, seed), [is_crd, clips])| Self {
                hidden,
                base,
                channels,
                width,
                factor,
                seed,
                is_crd,
                clips,
                ..Self::chain_of(width, 2)
            },
        )
    }

    /// A chain of so many `layers`, with `width` channels between.
    pub fn chain_of(width: usize, layers: usize) -> Self {
        Self {
            channels: 3,
            width,
            hidden: vec![(After::Relu, true); layers - 1],
            pads_itself: true,
            factor: 2,
            is_crd: true,
            base: None,
            clips: false,
            reads_all: false,
            seed: 1,
        }
    }

    /// The network as ONNX.
    pub fn source(&self) -> ModelSource {
        let mut writer = Writer { net: Net::default(), seed: self.seed, nodes: 0 };
        let mut last = ("in".to_owned(), self.channels);
        let mut all = Vec::new();
        let mut is_mirrored = false;
        for &(after, is_wide) in &self.hidden {
            // Both halves of a CReLU are no feature that can be added.
            let after = match after {
                After::Residual if is_mirrored => After::Nothing,
                after => after,
            };
            is_mirrored = matches!(after, After::Mirrored | After::MirroredFilters);
            last = writer.layer(self, &last, after, if is_wide { 3 } else { 1 });
            all.push(last.clone());
        }
        if self.reads_all && all.len() > 1 {
            let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
            let both = writer.node("Concat", &names, &[Attr::Int("axis", 1)]);
            last = (both, all.iter().map(|(_, n)| n).sum());
        }
        let outputs = self.channels * self.factor * self.factor;
        let mut result = writer.conv(&last.0, [last.1, outputs], 3, self.pads_itself, false);
        if self.factor > 1 {
            let mode = Attr::String("mode", if self.is_crd { "CRD" } else { "DCR" });
            let size = Attr::Int("blocksize", self.factor as i64);
            result = writer.node("DepthToSpace", &[&result], &[size, mode]);
        }
        if let Some(mode) = self.base.filter(|_| self.factor > 1) {
            let factor = self.factor as f32;
            let scales = writer.weight(&[4], &[1.0, 1.0, factor, factor]);
            let transform = if mode == "linear" { "half_pixel" } else { "asymmetric" };
            let attrs = [
                Attr::String("mode", mode),
                Attr::String("coordinate_transformation_mode", transform),
                Attr::String("nearest_mode", "floor"),
            ];
            let base = writer.node("Resize", &["in", "", &scales], &attrs);
            result = writer.node("Add", &[&base, &result], &[]);
        } else if self.base.is_some() {
            result = writer.node("Add", &["in", &result], &[]);
        }
        if self.clips {
            let (low, high) = (writer.weight(&[], &[0.1]), writer.weight(&[], &[0.8]));
            result = writer.node("Clip", &[&result, &low, &high], &[]);
        }
        let channels = self.channels.to_string();
        let [input, output] = same(F, &channels);
        writer.net.node("Identity", &[&result], "out", &[]).source(input, output)
    }
}
