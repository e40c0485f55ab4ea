//! Our five stages. Each is a file in mpv's format, usable in mpv and libplacebo as it is; the network of the Upscale stage is
//! written as passes from the same ONNX that `kizunasr` embeds.

use std::collections::BTreeMap;

use super::network;
use super::{ShaderError, ShaderFile, parse};
use crate::smallnet::{Net, NotSmall};

/// How much work our stages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Quality {
    /// For small devices.
    Fast,
    /// The Upscale stage is a small network.
    #[default]
    Balanced,
    /// The Upscale stage is a larger network.
    High,
}

/// Which stages run, and how strongly. `None` is a stage that does not run.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Config {
    /// Normalize: strength of debanding, 0..1.
    pub normalize: Option<f64>,
    /// Structural Reconstruction: strength, 0..1.
    pub structure: Option<f64>,
    /// Real-Time Upscale.
    pub upscale: bool,
    /// Perceptual Enhancement: sharpness, 0..1.
    pub enhance: Option<f64>,
    /// Temporal Stabilization: strength, 0..1.
    pub stabilize: Option<f64>,
    /// How much work they are.
    pub quality: Quality,
}

impl Config {
    /// Name of the embedded network that the Upscale stage runs; `None` where it runs none.
    pub fn network(&self) -> Option<&'static str> {
        match self.quality {
            _ if !self.upscale => None,
            Quality::Fast => None,
            Quality::Balanced => Some("anime4k-m"),
            Quality::High => Some("anime4k-vl"),
        }
    }
}

/// A network as a shader file that messages call `name`.
///
/// # Errors
/// [`NotSmall`] where it is too large for passes.
pub fn network_file(net: &Net, name: &str) -> Result<ShaderFile, NotSmall> {
    let text = network::write(net, "Upscale")?;
    parse(name, &text).map_err(|e| NotSmall(e.to_string()))
}

/// The files of all stages that `config` has; `network` is the Upscale stage's, in place of the fastest one.
///
/// # Errors
/// None: the files are ours, which a test parses.
pub fn files(config: &Config, network: Option<ShaderFile>) -> Result<Vec<ShaderFile>, ShaderError> {
    let has = |strength: Option<f64>| strength.is_some();
    let stages = [
        (has(config.normalize), "presets/normalize.glsl", include_str!("normalize.glsl")),
        (has(config.structure), "presets/structure.glsl", include_str!("structure.glsl")),
        (config.upscale && network.is_none(), "presets/upscale.glsl", include_str!("upscale.glsl")),
        (has(config.enhance), "presets/enhance.glsl", include_str!("enhance.glsl")),
        (has(config.stabilize), "presets/stabilize.glsl", include_str!("stabilize.glsl")),
    ];
    // At one hook files run in this order; the network comes behind Structural Reconstruction's.
    let mut files = Vec::new();
    for (_, name, text) in stages.into_iter().filter(|(runs, ..)| *runs) {
        files.push(parse(name, text)?);
    }
    files.extend(network);
    Ok(files)
}

/// Values of the stages' parameters.
pub fn params(config: &Config) -> BTreeMap<String, f64> {
    let is_slow = f64::from(u8::from(config.quality != Quality::Fast));
    let strengths = [
        ("presets/normalize.glsl/deband", config.normalize),
        ("presets/normalize.glsl/chroma_from_luma", config.normalize.map(|_| is_slow)),
        ("presets/structure.glsl/line_strength", config.structure),
        ("presets/enhance.glsl/sharpness", config.enhance),
        ("presets/stabilize.glsl/stability", config.stabilize),
    ];
    strengths.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect()
}
