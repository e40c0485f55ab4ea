//! All elements in the hands of others: players, editors, transcoders, live chains, and all that applications do to a pipeline.

#[path = "../support/skip.rs"]
#[macro_use]
mod skip;

#[path = "../support/pipelines.rs"]
mod pipelines;

mod editors;
mod journal;
mod leaks;
mod live;
mod players;
mod scene;
mod seeks;
mod steps;
mod streams;
mod table;
mod transcoders;
