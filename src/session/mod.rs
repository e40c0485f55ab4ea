//! The life of a loaded network: which provider runs it, in what precision and tiles, and what is done when that fails.
//!
//! [`Loaded`] is made once, when an element starts: the model is found and inspected, a provider chosen. A [`Session`] is
//! made from it for every new pair of caps: tiles are planned and engines opened for their one shape. Nothing here knows
//! GStreamer; whatever the user must hear of comes back as a [`Notice`].

mod choose;
mod config;
mod precision;
mod running;
mod tiles;

pub use choose::{Loaded, Verdict};
pub use config::{Config, Fallback, Notice, SessionError};
pub use running::{Session, Stats};
pub use tiles::Border;
