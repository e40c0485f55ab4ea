//! Pictures between passes: channels that lie in one texture, or still in several.

use super::super::error::ShaderError;
use super::super::file::{SampleFormat, SampleKind};
use super::super::graph::Texture;
use super::Builder;
use super::own::Own;
use crate::upscale::Size;

/// A texture with a picture in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Image {
    pub texture: Texture,
    pub size: Size,
    /// Channels that mean something, 1 to 4.
    pub components: u8,
    /// What makes samples of it be 0..1.
    pub multiplier: f32,
    /// By how many of its pixels what it shows lies too far right and below.
    pub offset: [f32; 2],
    /// How far of that is undone when it is read.
    pub shift: [f32; 2],
}

/// One channel of a texture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    pub image: Image,
    pub channel: usize,
}

/// A picture whose channels need not lie together. At least one channel, all of one size.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub samples: Vec<Sample>,
}

impl Picture {
    /// All of a texture.
    pub fn of(image: Image) -> Self {
        let channels = 0..usize::from(image.components);
        Self { samples: channels.map(|channel| Sample { image, channel }).collect() }
    }

    pub fn size(&self) -> Size {
        self.samples[0].image.size
    }

    pub fn offset(&self) -> [f32; 2] {
        self.samples[0].image.offset
    }

    /// The channels of both.
    pub fn beside(mut self, other: Self) -> Self {
        self.samples.extend(other.samples);
        self
    }

    /// Its first three channels. A pass may have left fewer: OpenGL reads 0 where a texture has none.
    pub fn colour(mut self) -> Self {
        self.samples.truncate(3);
        while let Some(Sample { image, channel }) = self.samples.last().copied()
            && self.samples.len() < 3
        {
            self.samples.push(Sample { image, channel: channel + 1 });
        }
        self
    }

    /// The texture that it is, if it is all of one.
    pub fn image(&self) -> Option<Image> {
        let image = self.samples[0].image;
        (Self::of(image) == *self).then_some(image)
    }

    /// The textures that it lies in, each once, and GLSL of its channels, which `read` reads from a texture of a name (`T0`,
    /// `T1`…).
    pub fn reads(&self, read: impl Fn(&str, &Image) -> String) -> (Vec<Image>, Vec<String>) {
        let mut images: Vec<Image> = Vec::new();
        let mut channels = Vec::new();
        for sample in &self.samples {
            let known = images.iter().position(|image| *image == sample.image);
            let index = known.unwrap_or_else(|| {
                images.push(sample.image);
                images.len() - 1
            });
            let letter = ["r", "g", "b", "a"][sample.channel];
            channels.push(format!("{}.{letter}", read(&format!("T{index}"), &sample.image)));
        }
        (images, channels)
    }
}

/// A texture's sample at the pixel's own place.
pub fn here(name: &str, _image: &Image) -> String {
    format!("{name}_tex({name}_pos)")
}

impl Builder<'_> {
    /// `picture` in one texture, by a pass that is called `name` if it is in several.
    pub fn materialised(&mut self, picture: &Picture, name: &str) -> Result<Image, ShaderError> {
        if let Some(image) = picture.image() {
            return Ok(image);
        }
        let sources = self.all_of_source(picture);
        let (images, mut channels) = match sources {
            Some(_) => picture.reads(|name, _| format!("textureLod({name}_raw, {name}_pos, 0.0)")),
            None => picture.reads(here),
        };
        let components = channels.len() as u8;
        channels.resize(4, "0.0".into());
        if components < 4 {
            channels[3] = "1.0".into();
        }
        let body = format!("vec4 hook() {{ return vec4({}); }}", channels.join(", "));
        let mut image = self.add_own(&Own {
            name,
            images: &images,
            size: picture.size(),
            components,
            outputs: 1,
            body: &body,
            weights: None,
        })?;
        if let (Some((kind, multiplier)), Some(result)) = (sources, self.results.last_mut()) {
            // The same samples, side by side.
            result.format = SampleFormat { kind, data: kind, ..result.format };
            image.multiplier = multiplier;
        }
        Ok(Image { offset: picture.offset(), ..image })
    }

    /// How samples are stored, where all of them are the source's own.
    fn all_of_source(&self, picture: &Picture) -> Option<(SampleKind, f32)> {
        let is_source = |s: &Sample| matches!(s.image.texture, Texture::Source(_));
        // 16 bits hold 8 exactly, and software mixes neighbours of 8 bits in 8 bits.
        let kind = match self.request.device.has_unorm16 {
            true => SampleKind::Unorm16,
            false => SampleKind::Unorm8,
        };
        picture.samples.iter().all(is_source).then_some((kind, picture.samples[0].image.multiplier))
    }
}
