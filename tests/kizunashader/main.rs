//! `kizunashader` from outside, with real OpenGL: through a harness, in real pipelines, and in programs of their own.

#[path = "../support/skip.rs"]
#[macro_use]
mod skip;

#[path = "../support/hostile.rs"]
mod generated;
#[path = "../support/pipelines.rs"]
mod pipelines;
#[path = "../support/screen.rs"]
mod screen;

mod clients;
mod conformance;
mod errors;
mod held;
mod hostile;
mod lifecycle;
mod memories;
mod networks;
mod support;
