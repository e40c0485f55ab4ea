//! One frame's journey, a file per stage. Pure: no GStreamer, no inference runtime, no GL.

pub mod geometry;

pub mod color;
pub mod picture;

pub mod tensor;
pub mod tile;

pub mod gather;

pub mod blend;
pub mod finish;
pub mod network;
pub mod upscaler;

pub use color::Matrix;
pub use geometry::{Ratio, Rect, Size};
pub use frame::{FrameView, FrameViewMut};
pub use network::{Network, UpscaleError};
pub use picture::{ColorModel, Picture, Plane};
pub use tensor::{Element, Layout, Samples, Shape, Tensor};
pub use upscaler::VideoSpec;
