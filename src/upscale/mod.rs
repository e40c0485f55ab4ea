//! One frame's journey, a file per stage. Pure: no GStreamer, no inference runtime, no GL.

pub mod geometry;

pub mod tensor;

pub use geometry::{Ratio, Rect, Size};
pub use tensor::{Element, Layout, Samples, Shape, Tensor};
