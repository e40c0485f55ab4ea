//! `kizunaupscale` from outside, in real pipelines.

#[path = "../support/skip.rs"]
#[macro_use]
mod skip;

#[path = "../support/pipelines.rs"]
mod pipelines;
#[path = "../support/screen.rs"]
mod screen;

#[path = "../support/zoo.rs"]
mod zoo;

mod hybrid;
mod profiles;
mod support;
mod window;
