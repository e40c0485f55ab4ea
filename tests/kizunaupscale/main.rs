//! `kizunaupscale` from outside, in real pipelines.

#[path = "../support/pipelines.rs"]
mod pipelines;

mod hybrid;
mod profiles;
mod support;
