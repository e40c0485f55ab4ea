//! Networks that are rewritten when they are loaded. Pure: bytes of an ONNX file in, bytes of another out, always the same.
//!
//! ```text
//! fp16/    fp32            → the same network computed in fp16
//!   ops.rs       what each operator's result is, and whether it may be computed in fp16
//!   plan.rs      which nodes are, and what comes out of each
//!   numbers.rs   constants
//! wrap/    float pictures  → the same network between raw samples of video formats
//!   decode.rs    samples to what the network is given
//!   encode.rs    what it gives to samples
//!   filters.rs   chroma's kernels and the matrices, as weights
//! build.rs nodes and constants that are added to a graph
//! ```

use std::sync::Arc;

use rten_onnx::onnx::{AttributeProto, DataLocation, GraphProto, ModelProto, TensorProto};

use crate::models::{Rule, graph, wire};

mod build;
mod fp16;
mod wrap;

pub use fp16::{Half, Ports, to_half};
pub use wrap::{Endpoint, PlanePort, Wrap, Wrapped, wrap};

/// Why a network cannot be rewritten. It can still be run as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The file cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Rule),
    /// Weights beside the file.
    #[error("its weights lie in another file; save it with everything in one file")]
    ExternalData,
    /// A part of the standard that reading and writing would lose.
    #[error("it holds {0}, which cannot be rewritten")]
    Lost(&'static str),
    /// A node with a graph inside it.
    #[error("its node {0} holds a graph of its own, which cannot be rewritten")]
    Subgraph(String),
    /// An operator set whose operators are described otherwise.
    #[error("it is written for operator set {opset}; at least {least} is needed")]
    Opset {
        /// The file's.
        opset: i64,
        /// The oldest that is known.
        least: i64,
    },
    /// A constant that is not what its dimensions say.
    #[error("its constant '{name}' has {numbers} numbers where its dimensions ask for {wanted}")]
    Constant {
        /// Its name.
        name: String,
        /// Numbers in the file.
        numbers: usize,
        /// The product of its dimensions.
        wanted: usize,
    },
    /// An output that no node computes.
    #[error("its output '{0}' is no node's result")]
    Output(String),
    /// A format, a size or a network that cannot be brought together with the others.
    #[error("{0}")]
    Unfit(String),
    /// The encoder failed.
    #[error("the new graph cannot be written: {0}")]
    Write(String),
}

/// A file that can be rewritten, and the version of its operator set.
fn read(bytes: &[u8], least: i64) -> Result<(ModelProto, GraphProto, i64), RewriteError> {
    wire::check(bytes)?;
    if let Some(what) = wire::lost(bytes) {
        return Err(RewriteError::Lost(what));
    }
    let mut model = ModelProto::parse_buf(bytes).map_err(|e| Rule::NotOnnx(e.to_string()))?;
    let graph = model.graph.take().ok_or_else(|| Rule::NotOnnx("no graph in it".into()))?;
    let opset = graph::opset(&model);
    if opset < least {
        return Err(RewriteError::Opset { opset, least });
    }
    for node in &graph.node {
        for AttributeProto { g, t, .. } in &node.attribute {
            if g.is_some() {
                return Err(RewriteError::Subgraph(crate::models::title(node)));
            }
            if t.as_ref().is_some_and(is_external) {
                return Err(RewriteError::ExternalData);
            }
        }
    }
    if graph.initializer.iter().any(is_external) {
        return Err(RewriteError::ExternalData);
    }
    Ok((model, graph, opset))
}

/// Whether the numbers of `tensor` lie in another file.
pub(crate) fn is_external(tensor: &TensorProto) -> bool {
    tensor.data_location == Some(DataLocation::EXTERNAL) || !tensor.external_data.is_empty()
}

fn write(mut model: ModelProto, graph: GraphProto) -> Result<Arc<[u8]>, RewriteError> {
    model.graph = Some(graph);
    Ok(model.write_buf().map_err(|e| RewriteError::Write(e.to_string()))?.into())
}
