//! Textures: their formats, and those that are made here.

use glow::NativeTexture;

use super::GlError;
use super::context::Gl;
use crate::shader::graph::{Slot, Static};
use crate::shader::{SampleFormat, SampleKind};
use crate::upscale::Size;

/// How OpenGL names a sample format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// Of the texture's memory.
    pub internal: u32,
    /// Channels of samples that are passed.
    pub channels: u32,
    /// Type of samples that are passed.
    pub kind: u32,
    /// Bytes of a texel that is passed.
    pub bytes: usize,
}

impl Format {
    /// Textures of `format`, whose samples are passed as files have them.
    pub fn of(format: SampleFormat) -> Self {
        let internal = match (format.kind, format.channels) {
            (SampleKind::Unorm8, 1) => glow::R8,
            (SampleKind::Unorm8, 2) => glow::RG8,
            (SampleKind::Unorm8, _) => glow::RGBA8,
            (SampleKind::Unorm16, 1) => glow::R16,
            (SampleKind::Unorm16, 2) => glow::RG16,
            (SampleKind::Unorm16, _) => glow::RGBA16,
            (SampleKind::Half, 1) => glow::R16F,
            (SampleKind::Half, 2) => glow::RG16F,
            (SampleKind::Half, _) => glow::RGBA16F,
            (SampleKind::Float, 1) => glow::R32F,
            (SampleKind::Float, 2) => glow::RG32F,
            (SampleKind::Float, _) => glow::RGBA32F,
        };
        let kind = match format.data {
            SampleKind::Unorm8 => glow::UNSIGNED_BYTE,
            SampleKind::Unorm16 => glow::UNSIGNED_SHORT,
            SampleKind::Half => glow::HALF_FLOAT,
            SampleKind::Float => glow::FLOAT,
        };
        let channels = channels(usize::from(format.data_channels));
        Self { internal, channels, kind, bytes: format.bytes() }
    }

    /// A plane whose texels are `channels` samples of `bytes` bytes each. What is drawn into cannot have three channels, and has
    /// four.
    pub fn of_plane(count: usize, bytes: usize, is_drawn: bool) -> Self {
        let internal = match (bytes, count) {
            (1, 1) => glow::R8,
            (1, 2) => glow::RG8,
            (1, 3) if !is_drawn => glow::RGB8,
            (1, _) => glow::RGBA8,
            (_, 1) => glow::R16,
            (_, 2) => glow::RG16,
            (_, _) => glow::RGBA16,
        };
        let kind = if bytes == 1 { glow::UNSIGNED_BYTE } else { glow::UNSIGNED_SHORT };
        Self { internal, channels: channels(count), kind, bytes: count * bytes }
    }
}

const fn channels(count: usize) -> u32 {
    match count {
        1 => glow::RED,
        2 => glow::RG,
        3 => glow::RGB,
        _ => glow::RGBA,
    }
}

/// A texture of ours.
#[derive(Debug, Clone, Copy)]
pub struct Texture {
    pub native: NativeTexture,
    pub target: u32,
    pub format: Format,
}

impl Texture {
    /// An empty texture of two dimensions.
    pub fn new(gl: &Gl, size: Size, format: Format) -> Result<Self, GlError> {
        let what = format!("a texture of {size} px");
        let (width, height) = (size.width as i32, size.height as i32);
        Self::with(gl, glow::TEXTURE_2D, format, &what, || match gl.has_storage() {
            true => gl.tex_storage_2d(glow::TEXTURE_2D, 1, format.internal, width, height),
            false => {
                gl.tex_image_2d(format.internal, (width, height), format.channels, format.kind);
                gl.tex_parameter_i32(glow::TEXTURE_2D, glow::TEXTURE_MAX_LEVEL, 0);
            }
        })
    }

    /// A texture for a pass's results.
    pub fn for_slot(gl: &Gl, slot: &Slot) -> Result<Self, GlError> {
        Self::new(gl, slot.size, Format::of(slot.format))
    }

    /// A texture with a file's samples.
    pub fn for_static(gl: &Gl, known: &Static) -> Result<Self, GlError> {
        let format = Format::of(known.format);
        let side = |i: usize| known.size.get(i).map_or(1, |&px| px as i32);
        let (width, height, depth) = (side(0), side(1), side(2));
        let passed = (format.channels, format.kind);
        let needed = known.size.iter().map(|&px| px as usize).product::<usize>() * format.bytes;
        let (_, is_es) = gl.version();
        gl.pixel_store_i32(glow::UNPACK_ALIGNMENT, 1);
        let texture = match known.size.len() {
            1 if is_es => Err(GlError::Unsupported {
                version: gl.description(),
                reason: "OpenGL ES has no textures of one dimension".into(),
            }),
            1 => Self::with(gl, glow::TEXTURE_1D, format, "a texture of a file", || {
                gl.tex_image_1d(format.internal, width, passed, &known.data, needed);
                gl.tex_parameter_i32(glow::TEXTURE_1D, glow::TEXTURE_MAX_LEVEL, 0);
            }),
            3 if !gl.has_storage() => Err(GlError::Unsupported {
                version: gl.description(),
                reason: "textures of three dimensions need GL_ARB_texture_storage".into(),
            }),
            3 => Self::with(gl, glow::TEXTURE_3D, format, "a texture of a file", || {
                gl.tex_storage_3d(glow::TEXTURE_3D, 1, format.internal, width, height, depth);
            }),
            _ => Self::new(gl, Size::new(width as usize, height as usize), format),
        };
        if let Ok(texture) = texture
            && texture.target != glow::TEXTURE_1D
        {
            gl.bind_texture(texture.target, Some(texture.native));
            gl.tex_sub_image(texture.target, [width, height, depth], passed, &known.data, needed);
            gl.bind_texture(texture.target, None);
        }
        gl.pixel_store_i32(glow::UNPACK_ALIGNMENT, 4);
        texture
    }

    fn with(
        gl: &Gl,
        target: u32,
        format: Format,
        what: &str,
        allocate: impl FnOnce(),
    ) -> Result<Self, GlError> {
        gl.check("working")?;
        let native = gl.create_texture()?;
        gl.bind_texture(target, Some(native));
        allocate();
        gl.bind_texture(target, None);
        let checked = gl.check("making textures").map_err(|e| match e {
            GlError::OutOfMemory(_) => GlError::OutOfMemory(what.into()),
            e => e,
        });
        match checked {
            Ok(()) => Ok(Self { native, target, format }),
            Err(e) => {
                gl.delete_texture(native);
                Err(e)
            }
        }
    }
}
