//! Model cards, the search path, and what can be found out about an ONNX file. Pure.
//!
//! ```text
//! search.rs    a name or a path         → the file's bytes, and the card or sidecar that belongs to it
//! card.rs      TOML                     → Card: names, licence, and what cannot be measured
//! wire.rs      is it safe to parse?       (lengths nest, depth is bounded)
//! graph.rs     bytes                    → Graph: ports, scale, reach, cost; no run needed
//!   trace.rs   how far every tensor looks, node by node
//!   ops.rs     what each operator does to that (resize.rs: how far Resize looks)
//!   attrs.rs   reading attributes and small constants
//!   external.rs  weights kept beside the file
//! probe.rs     Graph and a runner       → Measured: what only running can tell
//! inspect.rs   all of it together       → Report and Contract
//! ```
//!
//! The graph is believed over names and cards; what the graph proves is not measured again.

pub mod card;
pub mod embedded;
pub mod graph;
pub mod inspect;
pub mod probe;
pub mod search;
pub mod test_card;

pub(crate) mod attrs;
mod error;
mod external;
mod ops;
mod resize;
mod trace;
pub(crate) mod wire;

pub use card::{Card, Overrides};
pub use error::{ModelError, Rule};
pub use graph::{Graph, Reach};
pub use inspect::{Fact, Origin, Report, inspect, inspect_with};
pub use probe::{Measured, probe, proven};
pub use search::{Found, data_dirs, resolve};
pub(crate) use trace::title;
