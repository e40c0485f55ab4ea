//! One frame's journey, a file per stage. Pure: no GStreamer, no inference runtime, no GL.

pub mod geometry;

pub mod color;
pub mod format;
pub mod frame;
pub mod picture;

pub(crate) mod chroma;
pub mod decode;
pub mod direct;
pub mod encode;
pub(crate) mod kernels;
mod layout;
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

pub mod read;

pub mod video;

pub mod slot;

pub mod raw;

pub mod stream;

mod held;

pub mod write;

pub use color::{ChromaSite, ColorSpec, Matrix, Range, Siting};
pub use decode::{Decoder, decode};
pub use encode::{Encoder, PartRows, encode};
pub use finish::Finish;
pub use format::PixelFormat;
pub use frame::{BandMut, FrameError, FrameView, FrameViewMut};
pub use geometry::{Ratio, Rect, Size};
pub use kernels::all_finite;
pub use network::{Network, UpscaleError};
pub use picture::{ColorModel, Picture, Plane};
pub use read::{Prepared, Reader};
pub use resize::{Filter, resize, resize_picture};
pub use tensor::{Element, Layout, Samples, Shape, Tensor};
pub use video::VideoSpec;
pub use write::Writer;
