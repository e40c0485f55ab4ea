//! Properties: what was typed, and the validated [`Config`] that is made of it.

use std::path::{Path, PathBuf};

use gst::glib;
use gst::prelude::*;

use crate::cache::Cache;
use crate::elements::fields::property_fields;
use crate::engine::{EngineOptions, Precision, Provider};
use crate::models;
use crate::session::{self, Config};
use crate::upscale::Finish;
use crate::upscale::blend;

/// Who does the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstKizunaProvider")]
pub enum ProviderChoice {
    /// The first that runs the model: tensorrt, cuda, migraphx, directml, coreml, openvino, cpu, embedded; embedded before
    /// openvino where it has kernels of its own for the model.
    #[default]
    #[enum_value(name = "The fastest that runs the model", nick = "auto")]
    Auto,
    #[enum_value(name = "Embedded engine, always there", nick = "embedded")]
    Embedded,
    #[enum_value(name = "ONNX Runtime on the CPU", nick = "cpu")]
    Cpu,
    #[enum_value(name = "OpenVINO", nick = "openvino")]
    OpenVino,
    #[enum_value(name = "ONNX Runtime with CUDA (NVIDIA)", nick = "cuda")]
    Cuda,
    #[enum_value(name = "ONNX Runtime with TensorRT (NVIDIA)", nick = "tensorrt")]
    TensorRt,
    #[enum_value(name = "ONNX Runtime with DirectML (Windows)", nick = "directml")]
    DirectMl,
    #[enum_value(name = "ONNX Runtime with CoreML (macOS)", nick = "coreml")]
    CoreMl,
    #[enum_value(name = "ONNX Runtime with MIGraphX (AMD)", nick = "migraphx")]
    MiGraphX,
    #[enum_value(name = "ONNX Runtime with WebGPU (experimental)", nick = "webgpu")]
    WebGpu,
}

impl ProviderChoice {
    fn provider(self) -> Option<Provider> {
        Some(match self {
            Self::Auto => return None,
            Self::Embedded => Provider::Embedded,
            Self::Cpu => Provider::Cpu,
            Self::OpenVino => Provider::OpenVino,
            Self::Cuda => Provider::Cuda,
            Self::TensorRt => Provider::TensorRt,
            Self::DirectMl => Provider::DirectMl,
            Self::CoreMl => Provider::CoreMl,
            Self::MiGraphX => Provider::MiGraphX,
            Self::WebGpu => Provider::WebGpu,
        })
    }
}

/// Arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstKizunaPrecision")]
pub enum PrecisionChoice {
    #[default]
    #[enum_value(name = "The fastest that passes validation", nick = "auto")]
    Auto,
    #[enum_value(name = "32-bit float", nick = "fp32")]
    Fp32,
    #[enum_value(name = "16-bit float", nick = "fp16")]
    Fp16,
    #[enum_value(name = "bfloat16", nick = "bf16")]
    Bf16,
}

/// How neighbouring tiles are put together where they overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstKizunaBlend")]
pub enum BlendChoice {
    #[default]
    #[enum_value(name = "Cross-fade where tiles do not agree exactly", nick = "feather")]
    Feather,
    #[enum_value(name = "Crop in the middle of the overlap", nick = "crop")]
    Crop,
}

/// What lies beyond the frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, glib::Enum)]
#[enum_type(name = "GstKizunaBorder")]
pub enum BorderChoice {
    #[default]
    #[enum_value(
        name = "4 px of the frame's mirror image, then the network's own padding",
        nick = "mirror"
    )]
    Mirror,
    #[enum_value(name = "The network's own padding", nick = "model")]
    Model,
}

/// What may be done when resources run out.
#[glib::flags(name = "GstKizunaFallback")]
pub enum Fallback {
    #[flags_value(name = "Smaller tiles", nick = "tile")]
    TILE = 0b001,
    #[flags_value(name = "Another provider: cpu, then embedded", nick = "cpu")]
    CPU = 0b010,
    #[flags_value(name = "Plain scaling", nick = "resize")]
    RESIZE = 0b100,
}

/// Types to be documented with the plugin.
pub fn types() -> [glib::Type; 5] {
    [
        ProviderChoice::static_type(),
        PrecisionChoice::static_type(),
        BlendChoice::static_type(),
        BorderChoice::static_type(),
        Fallback::static_type(),
    ]
}

/// What was typed.
#[derive(Debug, Clone)]
pub struct Settings {
    model: Option<String>,
    model_dir: Option<String>,
    provider: ProviderChoice,
    device: Option<String>,
    provider_options: Option<gst::Structure>,
    runtime_library: Option<String>,
    precision: PrecisionChoice,
    tile_size: u32,
    overlap: i32,
    blend: BlendChoice,
    border: BorderChoice,
    batch_size: u32,
    queue_depth: u32,
    /// Target factor, 0 is the model's own.
    pub scale: f64,
    strength: f64,
    sharpness: f64,
    reuse_tolerance: i32,
    memory_limit: u64,
    fallback: Fallback,
    /// Whether somebody chose it: see [`Settings::config`].
    is_fallback_set: bool,
    /// Counts changes of what a network depends on.
    revision: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            model: None,
            model_dir: None,
            provider: ProviderChoice::Auto,
            device: None,
            provider_options: None,
            runtime_library: None,
            precision: PrecisionChoice::Auto,
            tile_size: 0,
            overlap: -1,
            blend: BlendChoice::Feather,
            border: BorderChoice::Mirror,
            batch_size: 0,
            queue_depth: 0,
            scale: 0.0,
            strength: 1.0,
            sharpness: 0.0,
            reuse_tolerance: 0,
            memory_limit: 0,
            fallback: default_fallback(),
            is_fallback_set: false,
            revision: 0,
        }
    }
}

/// What `fallback` is until it is set.
fn default_fallback() -> Fallback {
    Fallback::TILE | Fallback::CPU
}

const ANY: &str = "May change at any time; while frames flow the network before goes on until the new one is loaded.";

/// The writable properties.
pub fn properties() -> Vec<glib::ParamSpec> {
    let d = Settings::default();
    let string = |name: &'static str, nick, blurb: String| {
        glib::ParamSpecString::builder(name).nick(nick).blurb(&blurb).mutable_playing().build()
    };
    vec![
        string("model", "model", format!(
            "A model's name (e.g. animevideov3-x2) or the path of an .onnx file; none is the embedded anime4k-vl. {ANY}")),
        string("model-dir", "model directory", format!(
            "Directory searched first for models; then KIZUNA_MODEL_PATH, the user's and the system's data directories, those of the plugin's own prefix, and models/ of a checkout. {ANY}")),
        glib::ParamSpecEnum::builder_with_default("provider", d.provider)
            .nick("provider")
            .blurb(&format!("Who does the arithmetic; one that is named and cannot run is an error unless fallback has cpu. {ANY}"))
            .mutable_playing()
            .build(),
        string("device", "device", format!("Device id as the provider names it (e.g. 0 for CUDA, GPU for OpenVINO); none is the provider's default. {ANY}")),
        glib::ParamSpecBoxed::builder::<gst::Structure>("provider-options")
            .nick("provider options")
            .blurb(&format!("Fields are passed to the provider as they are, e.g. 'options,INFERENCE_NUM_THREADS=4'. Ours: 'wrapped', 1 or 0, whether ONNX Runtime's device converts colours too (default: 1 for cuda and tensorrt), and 'streams', 1 to 4, how many frames then go to it at once (default: 2 for these). {ANY}"))
            .mutable_playing()
            .build(),
        string("runtime-library", "runtime library", format!(
            "Absolute path of libonnxruntime (of libopenvino_c for provider=openvino); none searches ORT_DYLIB_PATH, beside the plugin, the data directories and the system. {ANY}")),
        glib::ParamSpecEnum::builder_with_default("precision", d.precision)
            .nick("precision")
            .blurb(&format!("Arithmetic of the network; a reduced one is used only if it agrees with fp32 to 50 dB, else fp32 with a warning. {ANY}"))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("tile-size")
            .nick("tile size")
            .blurb(&format!("Side of a tile in input pixels, context included; 0 is chosen from memory and model. {ANY}"))
            .maximum(16384)
            .default_value(d.tile_size)
            .mutable_playing()
            .build(),
        glib::ParamSpecInt::builder("overlap")
            .nick("overlap")
            .blurb(&format!("Context around a tile in input pixels; -1 is the network's measured halo, and less may show seams. {ANY}"))
            .minimum(-1)
            .maximum(1024)
            .default_value(d.overlap)
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder_with_default("blend", d.blend)
            .nick("blend")
            .blurb(&format!("How neighbouring tiles are put together where they overlap. {ANY}"))
            .mutable_playing()
            .build(),
        glib::ParamSpecEnum::builder_with_default("border", d.border)
            .nick("border")
            .blurb(&format!("What the network sees beyond the frame's border. {ANY}"))
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("batch-size")
            .nick("batch size")
            .blurb(&format!("Tiles per run; 0 is chosen; a model with a fixed batch overrides it, with a warning. {ANY}"))
            .maximum(64)
            .default_value(d.batch_size)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt::builder("queue-depth")
            .nick("queue depth")
            .blurb("Frames on their way at once, so that conversion and inference overlap; 0 is chosen (3, or 5 where two frames are worked on at once). Each needs memory for its pictures. May change at any time.")
            .maximum(64)
            .default_value(d.queue_depth)
            .mutable_playing()
            .build(),
        glib::ParamSpecDouble::builder("scale")
            .nick("scale")
            .blurb(&format!("Target factor from the input's size to the output's; 0 is the model's own. A size that downstream fixes wins. {ANY}"))
            .minimum(0.0)
            .maximum(16.0)
            .default_value(d.scale)
            .mutable_playing()
            .build(),
        glib::ParamSpecDouble::builder("strength")
            .nick("strength")
            .blurb("Share of the network in the result: 1 is the network alone, 0 is Catmull-Rom scaling alone, between is mixed. May change at any time.")
            .minimum(0.0)
            .maximum(1.0)
            .default_value(d.strength)
            .mutable_playing()
            .build(),
        glib::ParamSpecDouble::builder("sharpness")
            .nick("sharpness")
            .blurb("Below 0: Gaussian blur, -1 is a sigma of 0.5 px; above 0: limited sharpening. May change at any time.")
            .minimum(-1.0)
            .maximum(1.0)
            .default_value(d.sharpness)
            .mutable_playing()
            .build(),
        glib::ParamSpecInt::builder("reuse-tolerance")
            .nick("reuse tolerance")
            .blurb(&format!("Reuse of what did not change: -1 is off, 0 where the input is bit-identical, n where it differs by at most n codes of 255 from what the kept output was made from, so that errors never add up. {ANY}"))
            .minimum(-1)
            .maximum(255)
            .default_value(d.reuse_tolerance)
            .mutable_playing()
            .build(),
        glib::ParamSpecUInt64::builder("memory-limit")
            .nick("memory limit")
            .blurb(&format!("Bytes for inference, of the memory of the device that does it (on a processor with the pictures); 0 takes a share of what is free. {ANY}"))
            .default_value(d.memory_limit)
            .mutable_playing()
            .build(),
        glib::ParamSpecFlags::builder("fallback")
            .default_value(default_fallback())
            .nick("fallback")
            .blurb(&format!("What may be done when resources run out; each use is a warning message. A provider that is asked for by name is replaced only where fallback is set and has cpu. {ANY}"))
            .mutable_playing()
            .build(),
    ]
}

property_fields! { Settings {
    "model" => model,
    "model-dir" => model_dir,
    "provider" => provider,
    "device" => device,
    "provider-options" => provider_options,
    "runtime-library" => runtime_library,
    "precision" => precision,
    "tile-size" => tile_size,
    "overlap" => overlap,
    "blend" => blend,
    "border" => border,
    "batch-size" => batch_size,
    "queue-depth" => queue_depth,
    "scale" => scale,
    "strength" => strength,
    "sharpness" => sharpness,
    "reuse-tolerance" => reuse_tolerance,
    "memory-limit" => memory_limit,
    "fallback" => fallback,
} }

impl Settings {
    /// Sets a property.
    pub fn set(&mut self, name: &str, value: &glib::Value) {
        self.is_fallback_set |= name == "fallback";
        self.revision += u64::from(!matches!(name, "strength" | "sharpness" | "queue-depth"));
        self.set_field(name, value);
    }

    /// Differs where a network has to be loaded anew.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What may be done when resources run out. A live source waits for nobody: unless somebody chose, frames may be scaled
    /// plainly then.
    pub fn fallback(&self, is_live: bool) -> Fallback {
        let resize =
            if is_live && !self.is_fallback_set { Fallback::RESIZE } else { Fallback::empty() };
        self.fallback | resize
    }

    /// What is done to the network's result.
    pub fn finish(&self) -> Finish {
        // GObject lets NaN through.
        let number = |v: f64, or| if v.is_finite() { v as f32 } else { or };
        Finish { strength: number(self.strength, 1.0), sharpness: number(self.sharpness, 0.0) }
    }

    /// Frames on their way at once; 0 is chosen.
    pub fn queue_depth(&self) -> usize {
        self.queue_depth as usize
    }

    /// The validated settings; `plugin_dir` is where the plugin's file lies.
    pub fn config(&self, plugin_dir: Option<&Path>) -> Config {
        let path = |s: &Option<String>| s.as_deref().filter(|s| !s.is_empty()).map(PathBuf::from);
        Config {
            model: self.model.clone().filter(|m| !m.is_empty()),
            search: models::data_dirs(plugin_dir, path(&self.model_dir).as_deref()),
            provider: self.provider.provider(),
            engine: EngineOptions {
                device: self.device.clone().filter(|d| !d.is_empty()),
                provider_options: self.provider_options.as_ref().map(options).unwrap_or_default(),
                runtime_library: path(&self.runtime_library),
                cache: Cache::of_user(),
                ..Default::default()
            },
            precision: match self.precision {
                PrecisionChoice::Auto => Precision::Auto,
                PrecisionChoice::Fp32 => Precision::Fp32,
                PrecisionChoice::Fp16 => Precision::Fp16,
                PrecisionChoice::Bf16 => Precision::Bf16,
            },
            tile_size: Some(self.tile_size as usize).filter(|&n| n > 0),
            overlap: usize::try_from(self.overlap).ok(),
            blend: match self.blend {
                BlendChoice::Feather => blend::Blend::Feather,
                BlendChoice::Crop => blend::Blend::Crop,
            },
            border: match self.border {
                BorderChoice::Mirror => session::Border::Mirror,
                BorderChoice::Model => session::Border::Model,
            },
            batch_size: Some(self.batch_size as usize).filter(|&n| n > 0),
            memory_limit: Some(self.memory_limit).filter(|&n| n > 0),
            reuse_tolerance: u8::try_from(self.reuse_tolerance).ok(),
            fallback: session::Fallback {
                tile: self.fallback.contains(Fallback::TILE),
                cpu: self.fallback.contains(Fallback::CPU),
                resize: self.fallback.contains(Fallback::RESIZE),
            },
            // Who names a provider and says nothing more wants that one or an error.
            replace_provider: self.is_fallback_set && self.fallback.contains(Fallback::CPU),
        }
    }
}

/// A structure's fields as text.
fn options(structure: &gst::Structure) -> Vec<(String, String)> {
    structure
        .iter()
        .map(|(key, value)| {
            let text = value
                .get::<String>()
                .or_else(|_| value.serialize().map(|s| s.to_string()))
                .unwrap_or_default();
            (key.to_string(), text)
        })
        .collect()
}
