//! What every graph of a context uses, and the context's state around a frame.

use std::collections::HashMap;

use glow::{NativeFramebuffer, NativeSampler, NativeTexture, NativeVertexArray};

use super::GlError;
use super::context::Gl;
use crate::shader::Border;
use crate::shader::graph::Sampler;

/// Most textures that a pass draws into at once.
const MAX_OUTPUTS: u32 = 4;

/// Objects that graphs share.
#[derive(Debug)]
pub struct Tools {
    pub gl: Gl,
    vertices: NativeVertexArray,
    /// For textures that are not ours.
    framebuffer: NativeFramebuffer,
    samplers: HashMap<(bool, Border), NativeSampler>,
}

impl Tools {
    pub fn new(gl: Gl) -> Result<Self, GlError> {
        let vertices = gl.create_vertex_array()?;
        match gl.create_framebuffer() {
            Ok(framebuffer) => Ok(Self { gl, vertices, framebuffer, samplers: HashMap::new() }),
            Err(e) => {
                gl.delete_vertex_array(vertices);
                Err(e)
            }
        }
    }

    /// Makes what [`Tools::bind`] needs for `read`.
    pub fn prepare(&mut self, read: &Sampler) -> Result<(), GlError> {
        let key = (read.is_linear, read.border);
        if !self.samplers.contains_key(&key) {
            self.samplers.insert(key, sampler(&self.gl, read.is_linear, read.border)?);
        }
        Ok(())
    }

    /// Makes `texture` what passes read at `unit`, in the way of `read`.
    pub fn bind(&self, unit: u32, read: &Sampler, (texture, target): (NativeTexture, u32)) {
        self.gl.active_texture(glow::TEXTURE0 + unit);
        self.gl.bind_texture(target, Some(texture));
        self.gl.bind_sampler(unit, self.samplers.get(&(read.is_linear, read.border)).copied());
    }

    /// What passes take for granted.
    pub fn set_state(&self) {
        self.gl.bind_vertex_array(Some(self.vertices));
        for capability in [glow::BLEND, glow::SCISSOR_TEST, glow::DEPTH_TEST, glow::CULL_FACE] {
            self.gl.disable(capability);
        }
    }

    /// OpenGL's defaults, for whoever uses the context next; the first `units` were used.
    pub fn reset_state(&self, units: usize) {
        let gl = &self.gl;
        for unit in (0..units as u32).rev() {
            gl.active_texture(glow::TEXTURE0 + unit);
            gl.bind_sampler(unit, None);
            for target in [glow::TEXTURE_2D, glow::TEXTURE_3D] {
                gl.bind_texture(target, None);
            }
        }
        gl.use_program(None);
        gl.bind_vertex_array(None);
        gl.bind_framebuffer(glow::FRAMEBUFFER, Some(self.framebuffer));
        self.attach_only(&[]);
        gl.bind_framebuffer(glow::FRAMEBUFFER, None);
    }

    /// Makes passes draw into `textures` of others, until the next frame at most.
    pub fn attach_foreign(&self, textures: &[NativeTexture]) -> Result<(), GlError> {
        self.gl.bind_framebuffer(glow::FRAMEBUFFER, Some(self.framebuffer));
        self.attach_only(textures);
        check_framebuffer(&self.gl, textures.len())
    }

    /// What an earlier pass drew into must not stay attached.
    fn attach_only(&self, textures: &[NativeTexture]) {
        for i in 0..MAX_OUTPUTS {
            attach(&self.gl, i, textures.get(i as usize).copied());
        }
    }

    /// Gives everything back.
    pub fn delete(self) {
        let Self { gl, vertices, framebuffer, samplers } = self;
        samplers.values().for_each(|&sampler| gl.delete_sampler(sampler));
        gl.delete_framebuffer(framebuffer);
        gl.delete_vertex_array(vertices);
    }
}

/// A framebuffer of `textures`, bound.
pub fn framebuffer(gl: &Gl, textures: &[NativeTexture]) -> Result<NativeFramebuffer, GlError> {
    let framebuffer = gl.create_framebuffer()?;
    gl.bind_framebuffer(glow::FRAMEBUFFER, Some(framebuffer));
    (0..).zip(textures).for_each(|(i, &texture)| attach(gl, i, Some(texture)));
    check_framebuffer(gl, textures.len()).map(|()| framebuffer).inspect_err(|_| {
        gl.delete_framebuffer(framebuffer);
    })
}

fn attach(gl: &Gl, i: u32, texture: Option<NativeTexture>) {
    let point = glow::COLOR_ATTACHMENT0 + i;
    gl.framebuffer_texture_2d(glow::FRAMEBUFFER, point, glow::TEXTURE_2D, texture, 0);
}

fn check_framebuffer(gl: &Gl, outputs: usize) -> Result<(), GlError> {
    let points: Vec<_> = (0..outputs as u32).map(|i| glow::COLOR_ATTACHMENT0 + i).collect();
    gl.draw_buffers(&points);
    match gl.check_framebuffer_status(glow::FRAMEBUFFER) {
        glow::FRAMEBUFFER_COMPLETE => Ok(()),
        code => Err(GlError::Driver { code, doing: "attaching a texture to draw into" }),
    }
}

fn sampler(gl: &Gl, is_linear: bool, border: Border) -> Result<NativeSampler, GlError> {
    let sampler = gl.create_sampler()?;
    let filter = if is_linear { glow::LINEAR } else { glow::NEAREST } as i32;
    let wrap = match border {
        Border::Clamp => glow::CLAMP_TO_EDGE,
        Border::Repeat => glow::REPEAT,
        Border::Mirror => glow::MIRRORED_REPEAT,
    } as i32;
    for (name, value) in [
        (glow::TEXTURE_MIN_FILTER, filter),
        (glow::TEXTURE_MAG_FILTER, filter),
        (glow::TEXTURE_WRAP_S, wrap),
        (glow::TEXTURE_WRAP_T, wrap),
        (glow::TEXTURE_WRAP_R, wrap),
    ] {
        gl.sampler_parameter_i32(sampler, name, value);
    }
    Ok(sampler)
}
