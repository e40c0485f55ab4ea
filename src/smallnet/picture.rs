//! Pictures while they are being read: sub-pixels in place, an enlarged input, a limit.

use std::collections::HashMap;

use rten_onnx::onnx::NodeProto;

use super::Base;
use super::draft::Source;
use crate::models::attrs::{Attrs, Constant};

/// A picture `factor` times as large as the input.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub factor: usize,
    /// In the order of [`Tail::subpixels`]; empty where it is the base alone.
    pub subpixels: Vec<Source>,
    pub base: Option<Base>,
    pub clip: Option<(f32, f32)>,
}

impl Picture {
    /// A picture as large as the input.
    pub fn of(subpixels: Vec<Source>) -> Self {
        Self { factor: 1, subpixels, base: None, clip: None }
    }

    /// What `DepthToSpace` makes of `sources`.
    pub fn depth_to_space(sources: &[Source], node: &NodeProto) -> Result<Self, String> {
        let attrs = Attrs(node);
        let factor = usize::try_from(attrs.int("blocksize", 0)).unwrap_or(0);
        let area = factor.saturating_mul(factor);
        if !(1..=8).contains(&factor) || !sources.len().is_multiple_of(area) {
            return Err(format!("it has a DepthToSpace by {factor}"));
        }
        let is_crd = match attrs.text("mode", "DCR") {
            "DCR" => false,
            "CRD" => true,
            mode => return Err(format!("it has a DepthToSpace of mode {mode}")),
        };
        let channels = sources.len() / area;
        let place = |i: usize| {
            let (channel, block) = (i / area, i % area);
            sources[if is_crd { i } else { block * channels + channel }]
        };
        let subpixels = (0..sources.len()).map(place).collect();
        Ok(Self { factor, subpixels, base: None, clip: None })
    }

    /// What `Resize` makes of the input.
    pub fn enlarged(node: &NodeProto, constants: &HashMap<&str, Constant>) -> Result<Self, String> {
        let attrs = Attrs(node);
        let scales = node.input.get(2).and_then(|name| constants.get(name.as_str()));
        let factor = match scales.and_then(|c| c.values.as_deref()) {
            Some(&[1.0, 1.0, y, x]) if x == y && x.fract() == 0.0 && (1.0..=8.0).contains(&x) => {
                x as usize
            }
            _ => return Err("it resizes by something else than a whole number".into()),
        };
        let nearest_mode = attrs.text("nearest_mode", "round_prefer_floor");
        let transform = attrs.text("coordinate_transformation_mode", "half_pixel");
        let is_centred = matches!(transform, "half_pixel" | "pytorch_half_pixel");
        let base = match attrs.text("mode", "nearest") {
            "nearest" if transform == "asymmetric" && nearest_mode == "floor" => Base::Nearest,
            "nearest" if is_centred && nearest_mode.starts_with("round") => Base::Nearest,
            "linear" if is_centred => Base::Bilinear,
            mode => return Err(format!("it has a Resize of mode {mode}, {transform}")),
        };
        if attrs.get("axes").is_some() {
            return Err("it has a Resize of some axes".into());
        }
        Ok(Self { factor, subpixels: vec![], base: Some(base), clip: None })
    }

    /// The sum of sub-pixels and an enlarged input.
    pub fn plus(self, other: Self) -> Result<Self, String> {
        let is_limited = self.clip.or(other.clip).is_some();
        if self.factor != other.factor || is_limited {
            return Err("it adds pictures of different sizes, or limited ones".into());
        }
        match (self.subpixels.is_empty(), other.subpixels.is_empty()) {
            (false, true) if self.base.is_none() => Ok(Self { base: other.base, ..self }),
            (true, false) if other.base.is_none() => Ok(Self { base: self.base, ..other }),
            _ => Err("it adds more than one enlarged input".into()),
        }
    }

    /// This picture between `low` and `high`.
    pub fn limited(self, low: f32, high: f32) -> Result<Self, String> {
        if self.clip.is_some() || low > high {
            return Err("it is limited twice".into());
        }
        Ok(Self { clip: Some((low, high)), ..self })
    }
}
