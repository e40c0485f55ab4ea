//! ncnn networks (`.param` text and `.bin` weights) to ONNX.

mod convert;
mod cubic;
mod param;
mod weights;

pub use convert::convert;
