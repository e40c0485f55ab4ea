//! Pictures while they are being read: sub-pixels in place, an enlarged input, a limit.

use std::collections::HashMap;

use rten_onnx::onnx::NodeProto;

use super::draft::Source;
use super::{Base, Reduction};
use crate::models::attrs::{Attrs, Constant};

/// A picture `factor` times as large as the input.
#[derive(Debug, Clone)]
pub(super) struct Picture {
    pub factor: usize,
    /// In the order of [`super::Tail::subpixels`]; empty where it is the base alone.
    pub subpixels: Vec<Source>,
    pub base: Option<Base>,
    /// Samples put around it, before and after on each axis, its edge repeated.
    pub pad: Option<(usize, usize)>,
    /// What makes it smaller; whether its samples are in place by now.
    pub reduction: Option<(Reduction, bool)>,
    pub clip: Option<(f32, f32)>,
}

impl Picture {
    /// A picture as large as the input.
    pub fn of(subpixels: Vec<Source>) -> Self {
        Self { factor: 1, subpixels, base: None, pad: None, reduction: None, clip: None }
    }

    /// What `DepthToSpace` makes of `sources`.
    pub fn depth_to_space(sources: &[Source], node: &NodeProto) -> Result<Self, String> {
        let (factor, is_crd) = block(node)?;
        let area = factor * factor;
        if !sources.len().is_multiple_of(area) {
            return Err(format!("it has a DepthToSpace by {factor}"));
        }
        let channels = sources.len() / area;
        let place = |i: usize| {
            let (channel, block) = (i / area, i % area);
            sources[if is_crd { i } else { block * channels + channel }]
        };
        let subpixels = (0..sources.len()).map(place).collect();
        Ok(Self { factor, ..Self::of(subpixels) })
    }

    /// What `DepthToSpace` makes of the samples of a reduction.
    pub fn in_place(self, node: &NodeProto) -> Result<Self, String> {
        match self.reduction {
            Some((reduction, false)) if block(node)? == (reduction.up, true) => {
                Ok(Self { reduction: Some((reduction, true)), ..self })
            }
            _ => Err("it enlarges twice".into()),
        }
    }

    /// What `Pad` makes of it: `pads` as ONNX has them.
    pub fn padded(self, pads: &[f64], mode: &str) -> Result<Self, String> {
        let &[0.0, 0.0, top, left, 0.0, 0.0, bottom, right] = pads else {
            return Err("it has a Pad of something else than a picture's edge".into());
        };
        let is_even = top == left && bottom == right && top >= 0.0 && bottom >= 0.0;
        let is_fresh = self.pad.is_none() && self.reduction.is_none() && self.clip.is_none();
        if !is_even || !is_fresh || mode != "edge" || top > 8.0 || bottom > 8.0 {
            return Err("it pads its picture otherwise than by its edge, once".into());
        }
        Ok(Self { pad: Some((top as usize, bottom as usize)), ..self })
    }

    /// What a `Conv` of each channel by itself makes of it.
    pub fn reduced(
        self,
        node: &NodeProto,
        dims: &[usize],
        weights: Vec<f32>,
    ) -> Result<Self, String> {
        let attrs = Attrs(node);
        let channels = self.subpixels.len() / self.factor.pow(2);
        let strides = attrs.ints("strides").unwrap_or_else(|| vec![1, 1]);
        let is = |name, value| attrs.ints(name).is_none_or(|v| v.iter().all(|&n| n == value));
        let is_bare =
            is("pads", 0) && is("dilations", 1) && attrs.text("auto_pad", "NOTSET") == "NOTSET";
        let (&[outputs, 1, side, width], &[stride, across]) = (dims, strides.as_slice()) else {
            return Err("it goes on after it has enlarged".into());
        };
        let ((before, after), stride) = (self.pad.unwrap_or_default(), stride.max(0) as usize);
        let up = (outputs / channels.max(1)).isqrt();
        let divides = stride > 0 && self.factor.is_multiple_of(stride);
        let keeps = before + after + stride == side && across == stride as i64;
        let is_own = attrs.int("group", 1) == channels as i64 && outputs == channels * up * up;
        let is_fresh = self.reduction.is_none() && self.clip.is_none();
        if !(is_bare && side == width && divides && keeps && is_own && is_fresh && up > 0) {
            return Err("it goes on after it has enlarged".into());
        }
        let reduction = Reduction { stride, up, side, before, weights };
        Ok(Self { pad: None, reduction: Some((reduction, up == 1)), ..self })
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
        Ok(Self { factor, base: Some(base), ..Self::of(vec![]) })
    }

    /// The sum of sub-pixels and an enlarged input.
    pub fn plus(self, other: Self) -> Result<Self, String> {
        let is_bare = |p: &Self| p.clip.is_none() && p.pad.is_none() && p.reduction.is_none();
        if self.factor != other.factor || !is_bare(&self) || !is_bare(&other) {
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

/// Factor of a `DepthToSpace`, and whether a channel's samples lie together.
fn block(node: &NodeProto) -> Result<(usize, bool), String> {
    let attrs = Attrs(node);
    let factor = usize::try_from(attrs.int("blocksize", 0)).unwrap_or(0);
    if !(1..=8).contains(&factor) {
        return Err(format!("it has a DepthToSpace by {factor}"));
    }
    match attrs.text("mode", "DCR") {
        "DCR" => Ok((factor, false)),
        "CRD" => Ok((factor, true)),
        mode => Err(format!("it has a DepthToSpace of mode {mode}")),
    }
}
