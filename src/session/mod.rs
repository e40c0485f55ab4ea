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
