//! What finished segments depend on. A run with another manifest cannot use them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use crate::options::Options;
use crate::survey::Stream;

/// Everything that a segment's bytes depend on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Checksum of the coded video and its times.
    film: String,
    /// SHA-256 of the network, and what its card says about it.
    model: String,
    /// Our version, GStreamer's and those of the plugins that decode and encode.
    versions: BTreeMap<String, String>,
    /// What the user asked for.
    options: BTreeMap<String, String>,
}

impl Manifest {
    /// That of this run.
    ///
    /// # Errors
    /// If there is no such model.
    pub fn new(options: &Options, video: &Stream) -> Result<Self> {
        let typed = options.properties.iter().cloned();
        let own = [
            ("--crf", options.crf.to_string()),
            ("--deinterlace", options.deinterlace.to_string()),
            ("--segment", options.segment.to_string()),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value));
        Ok(Self {
            film: video.sum(),
            model: model(options)?,
            versions: versions(),
            options: typed.chain(own).collect(),
        })
    }

    /// What is not the same `now`, in words.
    pub fn difference(&self, now: &Self) -> Option<String> {
        let other =
            |is_other: bool, what: &str| is_other.then(|| format!("{what} is another one now"));
        other(self.film != now.film, "the film")
            .or_else(|| changed(&self.options, &now.options))
            .or_else(|| other(self.model != now.model, "the model"))
            .or_else(|| changed(&self.versions, &now.versions))
    }

    /// A number that is another one for another film.
    pub fn seed(&self) -> u32 {
        u32::from_str_radix(self.film.get(..8).unwrap_or_default(), 16).unwrap_or(1)
    }
}

/// "--crf was 16 and is 30 now"
fn changed(then: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Option<String> {
    let mut names = then.keys().chain(now.keys());
    let name = names.find(|&name| then.get(name) != now.get(name))?;
    let value = |of: &BTreeMap<_, String>| of.get(name).cloned().unwrap_or("not given".into());
    Some(format!("{name} was {} and is {} now", value(then), value(now)))
}

/// The network that `kizunasr` will find, and what is not left to be found out about it: it looks in the same places.
fn model(options: &Options) -> Result<String> {
    let typed = |name: &str| {
        let mut given = options.properties.iter().rev();
        given.find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    };
    let program = std::env::current_exe().ok();
    let beside = program.as_deref().and_then(std::path::Path::parent);
    let dirs = gstkizuna::models::data_dirs(beside, typed("model-dir").map(std::path::Path::new));
    let found = gstkizuna::models::resolve(typed("model"), &dirs).context("--model")?;
    let contract = found.card.map(|card| card.contract).unwrap_or_default();
    Ok(format!("{} {contract:?}", found.source.sha256()))
}

fn versions() -> BTreeMap<String, String> {
    let registry = gst::Registry::get();
    let plugin = |name: &str| {
        let version = registry.find_plugin(name).map(|plugin| plugin.version().to_string());
        (name.to_owned(), version.unwrap_or("missing".into()))
    };
    let mut versions: BTreeMap<_, _> =
        ["kizuna", "x264", "libav", "deinterlace"].map(plugin).into();
    versions.insert("gstreamer".into(), gst::version_string().into());
    versions
}
