//! Properties: what was typed, and the [`Config`] that is made of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use gst::glib;
use gst::prelude::*;

use crate::elements::fields::property_fields;
use crate::shader::presets;

/// The five stages.
#[glib::flags(name = "GstKizunaStages")]
pub enum Stages {
    #[flags_value(
        name = "Normalize: banding smoothed, chroma sharpened by luma",
        nick = "normalize"
    )]
    NORMALIZE = 0b0_0001,
    #[flags_value(name = "Structural Reconstruction: lines refined", nick = "structure")]
    STRUCTURE = 0b0_0010,
    #[flags_value(name = "Real-Time Upscale: twice the size", nick = "upscale")]
    UPSCALE = 0b0_0100,
    #[flags_value(name = "Perceptual Enhancement: sharpened without ringing", nick = "enhance")]
    ENHANCE = 0b0_1000,
    #[flags_value(
        name = "Temporal Stabilization: flicker of held shots calmed",
        nick = "stabilize"
    )]
    STABILIZE = 0b1_0000,
}

/// How much work our stages are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstKizunaQuality")]
pub enum QualityChoice {
    #[enum_value(name = "For small devices", nick = "fast")]
    Fast,
    #[default]
    #[enum_value(name = "A small network upscales", nick = "balanced")]
    Balanced,
    #[enum_value(name = "A larger network upscales", nick = "high")]
    High,
}

/// Types to be documented with the plugin.
pub fn types() -> [glib::Type; 2] {
    [Stages::static_type(), QualityChoice::static_type()]
}

/// What was typed.
#[derive(Debug, Clone)]
pub struct Settings {
    stages: Stages,
    /// Target factor; 0 is 2.
    pub scale: f64,
    quality: QualityChoice,
    model: Option<String>,
    shaders: Option<String>,
    shader_params: Option<gst::Structure>,
    deband: f64,
    line_strength: f64,
    sharpness: f64,
    stability: f64,
    program_cache: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stages: Stages::all(),
            scale: 0.0,
            quality: QualityChoice::Balanced,
            model: None,
            shaders: None,
            shader_params: None,
            deband: 0.5,
            line_strength: 0.3,
            sharpness: 0.4,
            stability: 0.5,
            program_cache: None,
        }
    }
}

/// Everything that the passes of a frame depend on beside the video.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Our own stages.
    pub own: presets::Config,
    /// A network for the Upscale stage in place of ours: a card's name or a path.
    pub model: Option<String>,
    /// The user's files, in order.
    pub shaders: Vec<PathBuf>,
    /// Values of the files' parameters.
    pub params: BTreeMap<String, f64>,
    /// Where compiled programs are kept.
    pub program_cache: Option<PathBuf>,
}

const READY: &str = "May change in NULL and READY.";
const ANY: &str = "May change at any time.";

/// The writable properties.
pub fn properties() -> Vec<glib::ParamSpec> {
    let d = Settings::default();
    let string = |name: &'static str, nick, blurb: String| {
        glib::ParamSpecString::builder(name).nick(nick).blurb(&blurb).mutable_playing().build()
    };
    let strength = |name: &'static str, nick, blurb: &str, default| {
        glib::ParamSpecDouble::builder(name)
            .nick(nick)
            .blurb(&format!("{blurb} From 0, where that leaves the picture as it is, to 1. {ANY}"))
            .minimum(0.0)
            .maximum(1.0)
            .default_value(default)
            .mutable_playing()
            .build()
    };
    vec![
        glib::ParamSpecFlags::builder("stages")
            .default_value(d.stages)
            .nick("stages")
            .blurb(&format!("Stages of our own that run, beside the files of 'shaders'. {ANY}"))
            .mutable_playing()
            .build(),
        glib::ParamSpecDouble::builder("scale")
            .nick("scale")
            .blurb(&format!("Target factor from the input's size to the output's; 0 is 2. A size that downstream fixes wins. {READY}"))
            .minimum(0.0)
            .maximum(16.0)
            .default_value(d.scale)
            .mutable_ready()
            .build(),
        glib::ParamSpecEnum::builder_with_default("quality", d.quality)
            .nick("quality")
            .blurb(&format!("How much work our own stages are. {ANY}"))
            .mutable_playing()
            .build(),
        string("model", "model", format!(
            "A small network for the Upscale stage: a model's name (e.g. anime4k-m) or the path of an .onnx file; none is by quality. {ANY}")),
        string("shaders", "shaders", format!(
            "Files of mpv user shaders, with ':' between them (';' on Windows); each pass runs at its own hook, before ours. {ANY}")),
        glib::ParamSpecBoxed::builder::<gst::Structure>("shader-params")
            .nick("shader parameters")
            .blurb(&format!("Values of parameters (//!PARAM) by their names, e.g. 'params,strength=0.5'; 'file.glsl/strength' is that file's alone. {ANY}"))
            .mutable_playing()
            .build(),
        strength("deband", "deband", "How strongly banding is smoothed in the Normalize stage.", d.deband),
        strength("line-strength", "line strength", "How strongly lines are refined in the Structural Reconstruction stage.", d.line_strength),
        strength("sharpness", "sharpness", "How strongly the Perceptual Enhancement stage sharpens.", d.sharpness),
        strength("stability", "stability", "How strongly the Temporal Stabilization stage calms what stands still.", d.stability),
        glib::ParamSpecString::builder("program-cache")
            .nick("program cache")
            .blurb(&format!("Directory in which compiled programs are kept for the next start; none or empty keeps none. {READY}"))
            .mutable_ready()
            .build(),
    ]
}

property_fields! { Settings {
    "stages" => stages,
    "scale" => scale,
    "quality" => quality,
    "model" => model,
    "shaders" => shaders,
    "shader-params" => shader_params,
    "deband" => deband,
    "line-strength" => line_strength,
    "sharpness" => sharpness,
    "stability" => stability,
    "program-cache" => program_cache,
} }

impl Settings {
    /// Factor from input to output size.
    pub fn factor(&self) -> f64 {
        if self.scale > 0.0 { self.scale } else { 2.0 }
    }

    /// The validated settings.
    ///
    /// # Errors
    /// What is wrong with `shader-params`.
    pub fn config(&self) -> Result<Config, String> {
        let text = |s: &Option<String>| s.clone().filter(|s| !s.is_empty());
        // GObject lets NaN through.
        let strength = |v: f64| if v.is_finite() { v } else { 0.0 };
        let has = |stage| self.stages.contains(stage);
        let own = presets::Config {
            normalize: has(Stages::NORMALIZE).then_some(strength(self.deband)),
            structure: has(Stages::STRUCTURE).then_some(strength(self.line_strength)),
            upscale: has(Stages::UPSCALE),
            enhance: has(Stages::ENHANCE).then_some(strength(self.sharpness)),
            stabilize: has(Stages::STABILIZE).then_some(strength(self.stability)),
            quality: match self.quality {
                QualityChoice::Fast => presets::Quality::Fast,
                QualityChoice::Balanced => presets::Quality::Balanced,
                QualityChoice::High => presets::Quality::High,
            },
        };
        // Names in a file go before those of all files.
        let mut params = presets::params(&own);
        params.extend(self.shader_params.as_ref().map_or(Ok(BTreeMap::new()), |s| numbers(s))?);
        Ok(Config {
            own,
            model: text(&self.model),
            shaders: text(&self.shaders)
                .map(|list| std::env::split_paths(&list).collect())
                .unwrap_or_default(),
            params,
            program_cache: text(&self.program_cache).map(PathBuf::from),
        })
    }
}

/// A structure's fields as numbers.
fn numbers(structure: &gst::StructureRef) -> Result<BTreeMap<String, f64>, String> {
    let mut numbers = BTreeMap::new();
    for (name, value) in structure.iter() {
        let number = value
            .get::<f64>()
            .or_else(|_| value.get::<f32>().map(f64::from))
            .or_else(|_| value.get::<i32>().map(f64::from))
            .or_else(|_| value.get::<u32>().map(f64::from))
            .ok()
            .or_else(|| value.get::<String>().ok()?.parse().ok());
        let number = number.ok_or_else(|| format!("shader-params: '{name}' is no number"))?;
        numbers.insert(name.to_string(), number);
    }
    Ok(numbers)
}
