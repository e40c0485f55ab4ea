//! `cargo xtask bundle`: a folder, and an archive of it, that runs where nothing is installed and no network is: the plugin with its
//! programs, runtimes and models, and on request GStreamer itself with every library that it needs.

mod archive;
mod contents;
mod elf;
mod gpu;
mod scripts;
mod split;
mod system;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

pub use self::split::parse_size;

use crate::{deb, progress};

/// What goes in.
#[derive(Debug, Default)]
pub struct Options {
    /// The bundle's folder; its archive lies beside it.
    pub out: Option<PathBuf>,
    /// Bytes of a part of the archive.
    pub split: Option<u64>,
    /// Whether GStreamer goes in, with all that it needs.
    pub gstreamer: bool,
    /// Whether the runtimes for graphics devices go in.
    pub gpu: bool,
    /// Whether NVIDIA's libraries for CUDA go in.
    pub cuda: bool,
    /// Whether the programs of `benches/gpu` go in.
    pub benches: bool,
    /// Folders of `runtimes/`; none is all.
    pub runtimes: Option<Vec<String>>,
    /// Names of models; none is all.
    pub models: Option<Vec<String>>,
    /// Where the plugin and the programs are built already.
    pub built: Option<PathBuf>,
}

/// Builds the plugin, gathers everything into a folder, and packs it.
///
/// # Errors
/// If something does not build, is missing, or cannot be written.
pub fn run(root: &Path, options: &Options) -> Result<()> {
    ensure!(cfg!(target_os = "linux"), "a bundle is made of Linux's libraries: this is no Linux");
    let built = match &options.built {
        Some(folder) => folder.clone(),
        None => {
            deb::build(root)?;
            root.join("target/release")
        }
    };
    let name = format!("kizuna-{}-{}", contents::version(root)?, std::env::consts::ARCH);
    let folder = options.out.clone().unwrap_or_else(|| root.join("target/bundle").join(name));
    // Folders are given to other programs, which run elsewhere.
    let folder = std::path::absolute(&folder)
        .with_context(|| format!("cannot tell where {} is", folder.display()))?;

    progress::step("gathering the bundle");
    make_empty(&folder)?;
    scripts::write_readme(&folder)?;
    contents::gather(root, &built, &folder, options)?;
    if options.gpu {
        gpu::gather_runtimes(root, &folder)?;
    }
    if options.cuda {
        gpu::gather_cuda(root, &folder)?;
    }
    let interpreter = options.gstreamer.then(|| system::gather(&folder)).transpose()?;
    scripts::write(&folder, interpreter.as_deref())?;

    let packed = beside(&folder, ".tar.gz")?;
    let spinner = progress::spinner("packing");
    archive::write(&folder, &packed)?;
    spinner.finish_and_clear();
    println!("{}: {}", folder.display(), megabytes(contents::size(&folder)?));
    println!("{}: {}", packed.display(), megabytes(fs::metadata(&packed)?.len()));
    if let Some(size) = options.split {
        let parts = beside(&folder, ".parts")?;
        make_empty(&parts)?;
        let count = split::write(&packed, size, &parts)?;
        println!("{}: {count} parts; join.sh there joins them", parts.display());
    }
    Ok(())
}

/// `folder` with an ending.
fn beside(folder: &Path, ending: &str) -> Result<PathBuf> {
    let mut name = folder.file_name().with_context(|| no_name(folder))?.to_owned();
    name.push(ending);
    Ok(folder.with_file_name(name))
}

fn no_name(folder: &Path) -> String {
    format!("{} has no name that a bundle could have", folder.display())
}

/// Makes `folder` new. Only what is plainly an older one of ours is removed.
fn make_empty(folder: &Path) -> Result<()> {
    let is_ours = scripts::is_bundle(folder) || folder.join("SHA256SUMS").is_file();
    let is_empty = fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    ensure!(
        is_ours || is_empty,
        "{} holds something else than a bundle; name another folder, or remove it",
        folder.display()
    );
    if folder.exists() {
        fs::remove_dir_all(folder)
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))
}

#[expect(clippy::cast_precision_loss, reason = "a size to be read")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
