//! `cargo xtask setup`: everything that the build, the tests and the demo need. What is there already is left alone.

mod packages;
pub mod runtimes;
mod swiftshader;

use std::path::Path;

use anyhow::Result;

use crate::{models, progress};

/// System packages, runtimes, models.
///
/// # Errors
/// If something cannot be had; the message says what to do.
pub fn all(root: &Path) -> Result<()> {
    progress::step("system packages, inference runtimes, models");
    packages::install()?;
    runtimes::install(root)?;
    swiftshader::install(root);
    models::make_all(root)
}
