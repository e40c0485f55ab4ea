//! Planes of frames in memory, to textures and back.

use super::context::Gl;
use super::texture::{Format, Texture};
use crate::upscale::{FrameView, FrameViewMut, Size};

/// Copies plane `plane` of `frame` into `texture`.
pub fn upload(gl: &Gl, frame: &FrameView, plane: usize, texture: &Texture) {
    let size = frame.format().texels(plane, frame.size());
    let (data, stride) = frame.plane(plane);
    let Format { channels, kind, bytes, .. } = texture.format;
    gl.bind_texture(texture.target, Some(texture.native));
    let rows = Rows::new(size, stride, bytes);
    rows.store(gl, glow::UNPACK_ALIGNMENT, glow::UNPACK_ROW_LENGTH);
    match rows.is_direct {
        true => {
            let sides = [size.width as i32, size.height as i32, 1];
            gl.tex_sub_image(texture.target, sides, (channels, kind), data, rows.needed);
        }
        // A stride that no number of texels makes: rows one after the other.
        false => {
            let row = size.width * bytes;
            let packed: Vec<u8> = data.chunks(stride).flat_map(|r| &r[..row]).copied().collect();
            let sides = [size.width as i32, size.height as i32, 1];
            gl.tex_sub_image(texture.target, sides, (channels, kind), &packed, packed.len());
        }
    }
    Rows::restore(gl, glow::UNPACK_ALIGNMENT, glow::UNPACK_ROW_LENGTH);
}

/// Copies the framebuffer that is bound for reading into plane `plane` of `frame`.
pub fn download(gl: &Gl, frame: &mut FrameViewMut, plane: usize, format: Format) {
    let size = frame.format().texels(plane, frame.size());
    let sides = (size.width as i32, size.height as i32);
    let passed = (format.channels, format.kind);
    let step = frame.format().info().step(plane);
    let (data, stride) = frame.plane_mut(plane);
    let rows = Rows::new(size, stride, format.bytes);
    if rows.is_direct && can_read(gl, passed) {
        rows.store(gl, glow::PACK_ALIGNMENT, glow::PACK_ROW_LENGTH);
        gl.read_pixels(sides, passed, data, rows.needed);
        Rows::restore(gl, glow::PACK_ALIGNMENT, glow::PACK_ROW_LENGTH);
        return;
    }
    // Four channels can be read everywhere.
    let sample = format.bytes / step;
    let texel = 4 * sample;
    let mut all = vec![0; size.area() * texel];
    gl.pixel_store_i32(glow::PACK_ALIGNMENT, 1);
    let needed = all.len();
    gl.read_pixels(sides, (glow::RGBA, format.kind), &mut all, needed);
    gl.pixel_store_i32(glow::PACK_ALIGNMENT, 4);
    for (from, to) in all.chunks_exact(size.width * texel).zip(data.chunks_mut(stride)) {
        let texels = from.chunks_exact(texel).zip(to.chunks_exact_mut(format.bytes));
        texels.for_each(|(from, to)| to.copy_from_slice(&from[..to.len()]));
    }
}

/// Whether the framebuffer can be read as such samples. ES promises four channels, and one more choice of the driver's.
fn can_read(gl: &Gl, (channels, kind): (u32, u32)) -> bool {
    let (_, is_es) = gl.version();
    let own = |parameter| gl.get_parameter_i32(parameter) as u32;
    !is_es
        || (channels, kind) == (glow::RGBA, glow::UNSIGNED_BYTE)
        || (channels, kind)
            == (
                own(glow::IMPLEMENTATION_COLOR_READ_FORMAT),
                own(glow::IMPLEMENTATION_COLOR_READ_TYPE),
            )
}

/// How rows lie in memory, as OpenGL says it.
struct Rows {
    /// Bytes from the first to the last.
    needed: usize,
    alignment: i32,
    /// Texels from row to row.
    length: i32,
    is_direct: bool,
}

impl Rows {
    fn new(size: Size, stride: usize, bytes: usize) -> Self {
        let needed = stride * (size.height - 1) + size.width * bytes;
        // Rows of `length` texels, rounded up to the alignment, must be the stride.
        let fits =
            |&alignment: &usize| (stride / bytes * bytes).next_multiple_of(alignment) == stride;
        let alignment = [1, 2, 4, 8].into_iter().find(fits);
        Self {
            needed,
            alignment: alignment.unwrap_or(1) as i32,
            length: (stride / bytes) as i32,
            is_direct: alignment.is_some(),
        }
    }

    fn store(&self, gl: &Gl, alignment: u32, row_length: u32) {
        gl.pixel_store_i32(alignment, self.alignment);
        gl.pixel_store_i32(row_length, if self.is_direct { self.length } else { 0 });
    }

    fn restore(gl: &Gl, alignment: u32, row_length: u32) {
        gl.pixel_store_i32(alignment, 4);
        gl.pixel_store_i32(row_length, 0);
    }
}
