//! Why a model cannot be used.

use std::path::PathBuf;

use crate::engine::EngineError;

/// Why a model was not found, not read or not taken. Each message says what failed and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// No card has this name, or its file is nowhere.
    #[error("model '{name}' not found: {cause}. {remedy}")]
    NotFound {
        /// The name or path asked for.
        name: String,
        /// What is missing, and where was looked.
        cause: String,
        /// What to run or set.
        remedy: String,
    },
    /// A file is there and cannot be read.
    #[error("cannot read {}: {cause}. {remedy}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: String,
        /// What to do.
        remedy: String,
    },
    /// A card or sidecar that is not what [`Card`](super::Card) describes.
    #[error("{}: {cause}", path.display())]
    Card {
        /// The TOML file.
        path: PathBuf,
        /// Key, line and what is wrong with it.
        cause: String,
    },
    /// The file was read, and its network breaks a rule.
    #[error("model {model} cannot be used: {rule}")]
    Refused {
        /// The model's name or path.
        model: String,
        /// The rule that it breaks.
        rule: Rule,
    },
    /// The network could not be run while it was being measured.
    #[error("model {model} cannot be run: {cause}")]
    Probe {
        /// The model's name or path.
        model: String,
        /// What the engine said.
        #[source]
        cause: EngineError,
    },
}

impl ModelError {
    pub(super) fn refused(model: &str, rule: Rule) -> Self {
        Self::Refused { model: model.into(), rule }
    }
}

/// The rules of the contract between a network and this plugin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rule {
    /// No bytes at all.
    #[error("the file is empty")]
    Empty,
    /// Not a protobuf `ModelProto`.
    #[error("it is not an ONNX file ({0})")]
    NotOnnx(String),
    /// It begins as ONNX and stops half-way.
    #[error("the file is truncated or damaged ({0}); fetch it again")]
    Truncated(String),
    /// Messages inside messages, beyond any honest file.
    #[error("its messages are nested more than {0} deep")]
    TooDeep(usize),
    /// Not exactly one input.
    #[error("has {} inputs{}; a network must have exactly one", .0.len(), list(.0))]
    Inputs(Vec<String>),
    /// Not exactly one output.
    #[error("has {} outputs{}; a network must have exactly one", .0.len(), list(.0))]
    Outputs(Vec<String>),
    /// Not a picture tensor.
    #[error("{port} has rank {rank}; it must have 4 dimensions (NCHW or NHWC)")]
    Rank {
        /// "input 'x'" or "output 'y'".
        port: String,
        /// How many dimensions it has.
        rank: usize,
    },
    /// Not 1, 3 or 4 channels.
    #[error("{port} has {channels} channels; it must have 1 (luma), 3 (RGB) or 4 (RGBA)")]
    Channels {
        /// "input 'x'" or "output 'y'".
        port: String,
        /// How many channels it has.
        channels: usize,
    },
    /// Which dimension holds the channels cannot be told.
    #[error(
        "{port} says neither layout nor channels; give both in the [contract] table of a sidecar NAME.toml"
    )]
    Undecided {
        /// "input 'x'" or "output 'y'".
        port: String,
    },
    /// Input and output differ in channels.
    #[error("takes {input} channels and gives {output}; both must be alike")]
    ChannelsDiffer {
        /// Channels in.
        input: usize,
        /// Channels out.
        output: usize,
    },
    /// An element type that pictures are not made of.
    #[error("{port} is of type {element}; it must be float32, float16 or uint8")]
    Element {
        /// "input 'x'" or "output 'y'".
        port: String,
        /// The type, in ONNX's words.
        element: String,
    },
    /// A fixed dimension that is absurd.
    #[error("{port} has a fixed size of {size} px; at most {max} can be handled")]
    TooLarge {
        /// "input 'x'" or "output 'y'".
        port: String,
        /// The dimension.
        size: u64,
        /// The limit.
        max: u64,
    },
    /// External weights that are not plainly inside the model's folder.
    #[error("external data leads outside the model's folder: '{0}'")]
    ExternalOutside(String),
    /// External weights that are not there, or shorter than the graph says.
    #[error("external data '{location}' cannot be used: {cause}; put it beside the .onnx file")]
    ExternalMissing {
        /// The file as the graph names it.
        location: String,
        /// What is wrong with it.
        cause: String,
    },
    /// Width and height are not scaled alike.
    #[error("scales width by {width} and height by {height}; both must be alike")]
    Anisotropic {
        /// Factor of the width.
        width: String,
        /// Factor of the height.
        height: String,
    },
    /// The output is not the input's size times a factor.
    #[error(
        "gives {output} for an input of {input}; the output must be a fixed multiple of the input"
    )]
    OutputSize {
        /// Width x height that went in.
        input: String,
        /// Width x height that came out.
        output: String,
    },
    /// The network's answer holds NaN or infinity.
    #[error("its output holds NaN or infinite values for an ordinary picture")]
    NotFinite,
}

/// " (a, b)", or nothing for an empty list; long lists are cut.
fn list(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => {
            let shown = names.iter().take(6).map(String::as_str).collect::<Vec<_>>().join(", ");
            format!(" ({shown}{})", if names.len() > 6 { ", …" } else { "" })
        }
    }
}
