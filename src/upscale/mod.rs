//! One frame's journey, a file per stage. Pure: no GStreamer, no inference runtime, no GL.

pub mod geometry;

pub mod color;
pub mod format;
pub mod frame;
pub mod picture;

pub mod decode;
pub mod encode;
pub mod resize;

pub mod tensor;
pub mod tile;

pub mod change;
mod compare;
pub mod cover;
pub mod patch;
pub mod reference;
mod region;

pub mod gather;

pub mod blend;

pub mod network;

pub mod finish;

pub mod upscaler;

pub use color::{ChromaSite, ColorSpec, Matrix, Range, Siting};
pub use decode::decode;
pub use encode::encode;
pub use format::PixelFormat;
pub use frame::{FrameError, FrameView, FrameViewMut};
pub use geometry::{Ratio, Rect, Size};
pub use network::{Network, UpscaleError};
pub use picture::{ColorModel, Picture, Plane};
pub use resize::{Filter, resize, resize_picture};
pub use tensor::{Element, Layout, Samples, Shape, Tensor};
pub use upscaler::{Upscaler, VideoSpec};
