//! The life of a loaded network: which provider runs it, in what precision and tiles, and what is done when that fails.
//!
//! [`Loaded`] is made once, when an element starts: the model is found and inspected, a provider chosen. A [`Session`] is
//! made from it for every new pair of caps: tiles are planned and engines opened for their one shape. Nothing here knows
//! GStreamer; whatever the user must hear of comes back as a [`Notice`].
//!
//! ```
//! use std::sync::Arc;
//! use gstkizuna::engine::{Cancel, Provider};
//! use gstkizuna::session::{Config, Loaded, Session};
//! use gstkizuna::upscale::upscaler::Finish;
//! use gstkizuna::upscale::{
//!     ChromaSite, ColorSpec, FrameView, FrameViewMut, Matrix, PixelFormat, Range, Size, VideoSpec,
//! };
//!
//! # #[cfg(feature = "embedded")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let color = ColorSpec { matrix: Matrix::Bt709, range: Range::Full, site: ChromaSite::LEFT };
//! let input = VideoSpec { format: PixelFormat::Rgb, size: Size::new(16, 9), color };
//! let output = VideoSpec { size: Size::new(32, 18), ..input };
//!
//! let config =
//!     Config { model: Some("anime4k-m".into()), provider: Some(Provider::Embedded), ..Config::default() };
//! let cancel = Cancel::new();
//! let (loaded, _) = Loaded::open(&config, &cancel)?;
//! let (mut session, _) = Session::new(Arc::new(loaded), config, input, output, Finish::default(), &cancel)?;
//!
//! let gray = vec![128; 16 * 9 * 3];
//! let mut upscaled = vec![0; 32 * 18 * 3];
//! let src = FrameView::new(input.format, input.size, &[&gray], &[16 * 3])?;
//! let mut dst = FrameViewMut::new(output.format, output.size, vec![&mut upscaled], &[32 * 3])?;
//! let mut notices = Vec::new();
//! session.process(&src, &mut dst, &cancel, &mut notices)?;
//! assert!(upscaled.iter().all(|&v| v.abs_diff(128) <= 1));
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```

mod choose;
mod config;
mod fallback;
mod memory;
mod precision;
mod running;
mod tiles;

pub use choose::{Loaded, Verdict};
pub use config::{Config, Fallback, Notice, SessionError};
pub use running::{Session, Stats};
pub use tiles::Border;

#[cfg(test)]
mod testing {
    use crate::engine::{Contract, Halo, Port, ValueRange};
    use crate::upscale::{Element, Layout, Ratio};

    /// A plain network of three channels and an exact halo of 8 px; of a fixed size, if one is given.
    pub fn contract(fixed: Option<usize>) -> Contract {
        let port = Port {
            name: "x".into(),
            layout: Layout::Nchw,
            element: Element::F32,
            channels: 3,
            batch: None,
            height: fixed,
            width: fixed,
        };
        Contract {
            input: port.clone(),
            output: port,
            scale: Ratio::ONE,
            range: ValueRange::Unit,
            alignment: 1,
            min_size: 1,
            halo: Halo::Exact(8),
            bytes_per_px: 24,
        }
    }
}
