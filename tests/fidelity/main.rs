//! What comes out is what the network says, however it is cut into tiles: sessions with real models and real runtimes.
//!
//! A model or runtime that is not installed is skipped aloud. `KIZUNA_TEST_FULL=1` runs whole matrices (minutes, in release).

#[path = "../support/skip.rs"]
#[macro_use]
mod skip;

#[path = "../support/mod.rs"]
mod support;
#[path = "../support/zoo.rs"]
mod zoo;

#[path = "../engines/models.rs"]
mod graphs;

mod common;
mod failure;
mod meaning;
mod precision;
mod reference;
mod remembered;
mod reuse;
mod scaling;
mod tiles;
