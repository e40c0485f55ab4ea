//! Plain convolutional networks as one description. Pure.
//!
//! Anime4K is a handful of 1x1 and 3x3 convolutions of a few channels, the compact networks of Real-ESRGAN are a chain of 3x3
//! convolutions of many: kernels that are made for just that are faster than any general runtime. A [`Net`] says what such a
//! network computes and nothing of how; a back end makes SIMD kernels (or shader passes) of it, of those that are not too large
//! for it.
//!
//! ```text
//! read.rs     ONNX bytes → Net, node by node (or why it is not small)
//!   draft.rs  what is being read: filters that are computed once, features that are stored once
//!   picture.rs  what the output is made of
//!   weights.rs  constants of any size
//! naive.rs    Net → picture, in plain loops: what every back end is compared with
//! ```

mod draft;
pub mod naive;
mod picture;
mod read;
mod weights;

pub use read::read;

/// Most channels of a feature.
pub const MAX_CHANNELS: usize = 256;

/// A network: layers that read features and make one each, and a tail that makes a picture of the last.
///
/// Feature 0 is the input; feature `i + 1` is what `layers[i]` makes. All are as large as the input.
#[derive(Debug, Clone, PartialEq)]
pub struct Net {
    /// Channels of the input.
    pub channels: usize,
    /// The layers, each reading earlier features only; at least one.
    pub layers: Vec<Layer>,
    /// What becomes of the last layer's feature.
    pub tail: Tail,
}

/// One convolution over the concatenation of what it reads: `activation(filters * reads + bias) + add`.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// What is read, in the order of the weights.
    pub reads: Vec<Read>,
    /// Number of filters, and of channels of the feature.
    pub outputs: usize,
    /// 1 or 3: the convolution is `side` by `side`.
    pub side: usize,
    /// Weights as (output, input, row, column); inputs count through all channels of all `reads`.
    pub weights: Vec<f32>,
    /// One number per output.
    pub bias: Vec<f32>,
    /// What the sum goes through.
    pub activation: Activation,
    /// What is read beyond the picture's edge, by 3x3 filters.
    pub edge: Edge,
    /// A feature of as many channels that is added last.
    pub add: Option<Read>,
}

/// A feature as a layer reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Read {
    /// Which feature.
    pub feature: usize,
    /// What is done to it on the way.
    pub form: Form,
}

/// What is done to a feature when it is read.
///
/// A layer that reads a feature as [`Form::Rectified`] and as [`Form::NegatedRectified`] has what is called CReLU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// `x`
    Plain,
    /// `max(x, 0)`
    Rectified,
    /// `max(-x, 0)`
    NegatedRectified,
}

impl Form {
    /// This form of `x`. NaN stays NaN.
    pub fn of(self, x: f32) -> f32 {
        match self {
            Self::Plain => x,
            Self::Rectified => rectified(x),
            Self::NegatedRectified => rectified(-x),
        }
    }
}

/// `max(x, 0)`, but NaN stays NaN.
fn rectified(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// What a sum goes through.
#[derive(Debug, Clone, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(x, 0)`
    Relu,
    /// `x` where positive, else `x` times the channel's slope (PReLU, leaky ReLU).
    Slopes(Vec<f32>),
}

impl Activation {
    /// The activation of `x`, a sample of `channel`.
    pub fn of(&self, channel: usize, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Relu => rectified(x),
            Self::Slopes(slopes) if x < 0.0 => slopes[channel] * x,
            Self::Slopes(_) => x,
        }
    }
}

/// What lies beyond the picture's edge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Edge {
    /// Zeros.
    Zero,
    /// The nearest sample of the feature.
    Clamp,
}

/// Sub-pixels put in place, over an enlarged input, perhaps made smaller again.
#[derive(Debug, Clone, PartialEq)]
pub struct Tail {
    /// Output pixels per input pixel on each axis; 1 where nothing is enlarged.
    pub factor: usize,
    /// Which output of the last layer is the sub-pixel: `subpixels[(channel * factor + row) * factor + column]`.
    /// Several may be the same output.
    pub subpixels: Vec<usize>,
    /// The enlarged input that is added, if any.
    pub base: Option<Base>,
    /// What then makes the picture smaller, if anything does.
    pub reduction: Option<Reduction>,
    /// Least and greatest value of the result, if it is limited.
    pub clip: Option<(f32, f32)>,
}

/// A picture made smaller by a convolution, each channel by itself: `stride` samples become `up`, on each axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Reduction {
    /// Samples that the window moves by; a divisor of the factor.
    pub stride: usize,
    /// Samples of the result for each of its places.
    pub up: usize,
    /// The window has `side` by `side` samples.
    pub side: usize,
    /// How many of them lie before the `stride` ones that are replaced. Beyond the picture its edge is repeated.
    pub before: usize,
    /// Weights as (channel, row and column of the result's sample, row and column in the window).
    pub weights: Vec<f32>,
}

impl Reduction {
    /// How many samples it looks beyond those that are replaced.
    pub fn reach(&self) -> usize {
        self.before.max(self.side.saturating_sub(self.before + self.stride))
    }
}

/// How the input is enlarged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Base {
    /// Every pixel becomes `factor` by `factor` pixels.
    Nearest,
    /// Bilinear, sample centres at half pixels, clamped at the edge.
    Bilinear,
}

/// Why a network is not small, in words that end a sentence: "it has a Sigmoid".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotSmall(pub String);

impl Net {
    /// Channels of a feature.
    pub fn channels_of(&self, feature: usize) -> usize {
        if feature == 0 { self.channels } else { self.layers[feature - 1].outputs }
    }

    /// Channels of the output.
    pub fn outputs(&self) -> usize {
        self.tail.subpixels.len() / self.tail.factor.pow(2)
    }

    /// Output pixels per input pixel on each axis.
    pub fn scale(&self) -> usize {
        let Tail { factor, reduction, .. } = &self.tail;
        reduction.as_ref().map_or(*factor, |reduction| factor / reduction.stride * reduction.up)
    }

    /// How many pixels beyond the output each feature is needed, on each side.
    pub fn margins(&self) -> Vec<usize> {
        let mut margins = vec![0; self.layers.len() + 1];
        let reach = self.tail.reduction.as_ref().map_or(0, Reduction::reach);
        let reach = reach.div_ceil(self.tail.factor);
        margins[0] = reach + usize::from(self.tail.base == Some(Base::Bilinear));
        margins[self.layers.len()] = margins[self.layers.len()].max(reach);
        for (i, layer) in self.layers.iter().enumerate().rev() {
            let own = margins[i + 1];
            for read in &layer.reads {
                margins[read.feature] = margins[read.feature].max(own + layer.side / 2);
            }
            if let Some(add) = layer.add {
                margins[add.feature] = margins[add.feature].max(own);
            }
        }
        margins
    }

    /// How far an output pixel looks, in input pixels.
    pub fn halo(&self) -> usize {
        self.margins()[0]
    }

    /// Multiply-adds per input pixel.
    pub fn macs(&self) -> usize {
        self.layers.iter().map(|layer| layer.weights.len()).sum()
    }
}
