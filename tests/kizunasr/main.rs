//! `kizunasr` from outside: through a harness, in real pipelines, and in programs of their own.

#[path = "../support/skip.rs"]
#[macro_use]
mod skip;

#[path = "../support/pipelines.rs"]
mod pipelines;

#[path = "../support/software.rs"]
mod software;

#[path = "../support/zoo.rs"]
mod zoo;

mod caps;
mod errors;
mod flow;
mod formats;
mod interrupts;
mod metas;
#[cfg(target_os = "linux")]
mod missing;
mod properties;
mod resources;
mod support;
mod swaps;
mod webgpu;
