//! The life of a loaded network: which provider runs it, in what precision and tiles, and what is done when that fails.
//!
//! [`Loaded`] is made once, when an element starts: the model is found and inspected, a provider chosen. [`Opened`] is made from
//! it for every new pair of caps: tiles are planned and engines opened for their one shape. Both take time, and can be made on
//! any thread. A [`Session`] is started with it. Nothing here knows GStreamer; whatever the user must hear of comes back as a
//! [`Notice`].
//!
//! Frames flow through a session in stages that overlap: read, infer, write, deliver (`running.rs`).
//!
//! ```
//! use std::sync::Arc;
//! use gstkizuna::engine::{Cancel, Provider};
//! use gstkizuna::session::{Config, Finished, Frames, Loaded, Opened, Session, Stats, Treatment};
//! use gstkizuna::upscale::{
//!     ChromaSite, ColorSpec, FrameError, FrameView, FrameViewMut, Matrix, PixelFormat, Range, Size, VideoSpec,
//! };
//!
//! const COLOR: ColorSpec = ColorSpec { matrix: Matrix::Bt709, range: Range::Full, site: ChromaSite::LEFT };
//! const SMALL: VideoSpec = VideoSpec { format: PixelFormat::Rgb, size: Size::new(16, 9), color: COLOR };
//! const LARGE: VideoSpec = VideoSpec { size: Size::new(32, 18), ..SMALL };
//!
//! /// A frame and what it becomes.
//! struct Pair(Vec<u8>, Vec<u8>);
//!
//! impl Frames for Pair {
//!     fn with(
//!         &mut self,
//!         work: &mut dyn FnMut(&FrameView, &mut FrameViewMut) -> Result<(), FrameError>,
//!     ) -> Result<(), FrameError> {
//!         let src = FrameView::new(SMALL.format, SMALL.size, &[&self.0], &[16 * 3])?;
//!         let mut dst = FrameViewMut::new(LARGE.format, LARGE.size, vec![&mut self.1], &[32 * 3])?;
//!         work(&src, &mut dst)
//!     }
//! }
//!
//! # #[cfg(feature = "embedded")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config =
//!     Config { model: Some("anime4k-m".into()), provider: Some(Provider::Embedded), ..Config::default() };
//! let cancel = Cancel::new();
//! let (loaded, _) = Loaded::open(&config, &cancel)?;
//! let deliver = |frame: Finished<Pair>| {
//!     assert!(frame.result.is_ok());
//!     assert!(frame.frames.1.iter().all(|&v| v.abs_diff(128) <= 1));
//! };
//! let (opened, _) = Opened::networks(Arc::new(loaded), config, (SMALL, LARGE), &cancel)?;
//! let mut session = Session::start(opened, Stats::default(), cancel, deliver)?;
//! session.submit(Pair(vec![128; 16 * 9 * 3], vec![0; 32 * 18 * 3]), Treatment::default(), 2)?;
//! session.drain();
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "embedded"))]
//! # fn main() {}
//! ```

mod choose;
mod config;
mod direct;
mod fallback;
mod inference;
mod memory;
mod opened;
mod precision;
mod running;
mod stages;
mod tiles;

pub use choose::{Loaded, Verdict};
pub use config::{Config, Fallback, Notice, SessionError};
pub use inference::Setup;
pub use opened::Opened;
pub use running::{Finished, Frames, Session, Stats, Times, Treatment};
#[cfg(feature = "plugin")]
pub(crate) use stages::spawn;
pub use tiles::Border;
