//! Providers by name, the order in which `auto` tries them, and precisions. Pure.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Who does the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Provider {
    /// rten, inside the plugin.
    Embedded,
    /// ONNX Runtime on the CPU.
    Cpu,
    /// OpenVINO.
    OpenVino,
    /// ONNX Runtime with CUDA.
    Cuda,
    /// ONNX Runtime with TensorRT.
    TensorRt,
    /// ONNX Runtime with DirectML (Windows).
    DirectMl,
    /// ONNX Runtime with CoreML (macOS).
    CoreMl,
    /// ONNX Runtime with MIGraphX (AMD).
    MiGraphX,
    /// ONNX Runtime with WebGPU.
    WebGpu,
}

impl Provider {
    /// All providers, in the order of the property's enum.
    pub const ALL: [Self; 9] = [
        Self::Embedded,
        Self::Cpu,
        Self::OpenVino,
        Self::Cuda,
        Self::TensorRt,
        Self::DirectMl,
        Self::CoreMl,
        Self::MiGraphX,
        Self::WebGpu,
    ];

    /// The order in which `auto` tries them: fastest hardware first, the one that is always there last.
    ///
    /// WebGPU is left out: its provider is experimental upstream, so it runs only where it is asked for by name.
    pub const AUTO: [Self; 8] = [
        Self::TensorRt,
        Self::Cuda,
        Self::MiGraphX,
        Self::DirectMl,
        Self::CoreMl,
        Self::OpenVino,
        Self::Cpu,
        Self::Embedded,
    ];

    /// Whether its device has memory of its own.
    pub const fn has_own_memory(self) -> bool {
        match self {
            Self::Embedded | Self::Cpu | Self::OpenVino | Self::CoreMl => false,
            Self::Cuda | Self::TensorRt | Self::DirectMl | Self::MiGraphX | Self::WebGpu => true,
        }
    }

    /// Its nick, as the `provider` property spells it.
    pub const fn nick(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Cpu => "cpu",
            Self::OpenVino => "openvino",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
            Self::DirectMl => "directml",
            Self::CoreMl => "coreml",
            Self::MiGraphX => "migraphx",
            Self::WebGpu => "webgpu",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.nick())
    }
}

impl FromStr for Provider {
    type Err = String;

    fn from_str(nick: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|p| p.nick() == nick)
            .ok_or_else(|| format!("no provider is called '{nick}'"))
    }
}

/// Arithmetic of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// The fastest that passes validation.
    #[default]
    Auto,
    /// 32-bit float.
    Fp32,
    /// 16-bit float.
    Fp16,
    /// bfloat16.
    Bf16,
}

impl Precision {
    /// Its nick, as the `precision` property spells it.
    pub const fn nick(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.nick())
    }
}
