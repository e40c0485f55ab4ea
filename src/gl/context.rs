//! The functions of OpenGL that are used, as safe methods, and what a context can do.

use std::ffi::c_void;
use std::sync::atomic::{AtomicUsize, Ordering};

use glow::{
    HasContext, NativeFramebuffer, NativeProgram, NativeQuery, NativeSampler, NativeShader,
    NativeTexture, NativeUniformLocation, NativeVertexArray, PixelPackData, PixelUnpackData,
    ProgramBinary,
};

use super::GlError;
use crate::shader::Device;

/// Objects of all contexts that are not deleted yet.
static LIVE: AtomicUsize = AtomicUsize::new(0);

/// How many OpenGL objects exist that were made here: 0 once every renderer is gone.
pub fn live_objects() -> usize {
    LIVE.load(Ordering::Relaxed)
}

/// The functions of one context.
pub struct Gl {
    raw: glow::Context,
}

impl std::fmt::Debug for Gl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gl")
    }
}

/// Safe methods of the same name for functions that take numbers and handles alone.
macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
        impl Gl {
            $(
                #[doc = concat!("OpenGL's `", stringify!($name), "`.")]
                #[allow(clippy::too_many_arguments, reason = "OpenGL's own")]
                pub(super) fn $name(&self, $($argument: $type),*) $(-> $result)? {
                    // SAFETY: the context is current, as `Gl::new` asks. No pointer is passed; wrong numbers and handles are
                    // errors that OpenGL defines.
                    unsafe { self.raw.$name($($argument),*) }
                }
            )*
        }
    };
}

/// The same for what makes objects, and for what deletes them; both are counted.
macro_rules! objects {
    ($($create:ident() -> $object:ty, $delete:ident;)*) => {
        impl Gl {
            $(
                #[doc = concat!("OpenGL's `", stringify!($create), "`.")]
                pub(super) fn $create(&self) -> Result<$object, GlError> {
                    // SAFETY: the context is current, as `Gl::new` asks.
                    let made = unsafe { self.raw.$create() };
                    let made = made.map_err(|_| GlError::OutOfMemory("another object".into()))?;
                    LIVE.fetch_add(1, Ordering::Relaxed);
                    Ok(made)
                }

                #[doc = concat!("OpenGL's `", stringify!($delete), "`.")]
                pub(super) fn $delete(&self, object: $object) {
                    // SAFETY: the context is current, as `Gl::new` asks; handles that are no object's are ignored.
                    unsafe { self.raw.$delete(object) };
                    LIVE.fetch_sub(1, Ordering::Relaxed);
                }
            )*
        }
    };
}

objects! {
    create_texture() -> NativeTexture, delete_texture;
    create_sampler() -> NativeSampler, delete_sampler;
    create_framebuffer() -> NativeFramebuffer, delete_framebuffer;
    create_vertex_array() -> NativeVertexArray, delete_vertex_array;
    create_program() -> NativeProgram, delete_program;
    create_query() -> NativeQuery, delete_query;
}

functions! {
    active_texture(unit: u32);
    attach_shader(program: NativeProgram, shader: NativeShader);
    begin_query(target: u32, query: NativeQuery);
    bind_framebuffer(target: u32, framebuffer: Option<NativeFramebuffer>);
    bind_image_texture(unit: u32, texture: Option<NativeTexture>, level: i32, layered: bool, layer: i32, access: u32, format: u32);
    bind_sampler(unit: u32, sampler: Option<NativeSampler>);
    bind_texture(target: u32, texture: Option<NativeTexture>);
    bind_vertex_array(array: Option<NativeVertexArray>);
    check_framebuffer_status(target: u32) -> u32;
    compile_shader(shader: NativeShader);
    delete_shader(shader: NativeShader);
    detach_shader(program: NativeProgram, shader: NativeShader);
    disable(capability: u32);
    dispatch_compute(x: u32, y: u32, z: u32);
    draw_arrays(mode: u32, first: i32, count: i32);
    draw_buffers(buffers: &[u32]);
    end_query(target: u32);
    framebuffer_texture_2d(target: u32, attachment: u32, texture_target: u32, texture: Option<NativeTexture>, level: i32);
    get_error() -> u32;
    get_parameter_i32(parameter: u32) -> i32;
    get_parameter_string(parameter: u32) -> String;
    get_program_binary(program: NativeProgram) -> Option<ProgramBinary>;
    get_program_info_log(program: NativeProgram) -> String;
    get_program_link_status(program: NativeProgram) -> bool;
    get_query_parameter_u32(query: NativeQuery, parameter: u32) -> u32;
    get_shader_compile_status(shader: NativeShader) -> bool;
    get_shader_info_log(shader: NativeShader) -> String;
    get_uniform_location(program: NativeProgram, name: &str) -> Option<NativeUniformLocation>;
    link_program(program: NativeProgram);
    memory_barrier(barriers: u32);
    pixel_store_i32(parameter: u32, value: i32);
    program_binary(program: NativeProgram, binary: &ProgramBinary);
    program_binary_retrievable_hint(program: NativeProgram, value: bool);
    sampler_parameter_i32(sampler: NativeSampler, name: u32, value: i32);
    shader_source(shader: NativeShader, source: &str);
    tex_parameter_i32(target: u32, parameter: u32, value: i32);
    tex_storage_2d(target: u32, levels: i32, format: u32, width: i32, height: i32);
    tex_storage_3d(target: u32, levels: i32, format: u32, width: i32, height: i32, depth: i32);
    uniform_1_f32(location: Option<&NativeUniformLocation>, value: f32);
    uniform_1_i32(location: Option<&NativeUniformLocation>, value: i32);
    uniform_2_f32(location: Option<&NativeUniformLocation>, x: f32, y: f32);
    uniform_1_u32(location: Option<&NativeUniformLocation>, value: u32);
    use_program(program: Option<NativeProgram>);
    viewport(x: i32, y: i32, width: i32, height: i32);
}

impl Gl {
    /// The functions of the context that is current on this thread; `address` finds them.
    ///
    /// # Safety
    /// `address` gives pointers to OpenGL's functions (or null). All methods are called on this thread alone, or on one where the
    /// same context is current.
    pub unsafe fn new(address: impl FnMut(&str) -> *const c_void) -> Self {
        // SAFETY: as asked of the caller.
        let raw = unsafe { glow::Context::from_loader_function(address) };
        Self { raw }
    }

    /// OpenGL's `glCreateShader`. The caller deletes it; programs keep what they need.
    pub(super) fn create_shader(&self, kind: u32) -> Result<NativeShader, GlError> {
        // SAFETY: the context is current, as `Gl::new` asks.
        let made = unsafe { self.raw.create_shader(kind) };
        made.map_err(|_| GlError::OutOfMemory("a shader".into()))
    }

    /// A texture's memory, where immutable memory is not to be had; undefined content.
    pub(super) fn tex_image_2d(
        &self,
        internal: u32,
        (width, height): (i32, i32),
        format: u32,
        kind: u32,
    ) {
        let none = PixelUnpackData::Slice(None);
        // SAFETY: the context is current, and no pixels are passed.
        unsafe {
            self.raw.tex_image_2d(
                glow::TEXTURE_2D,
                0,
                internal as i32,
                width,
                height,
                0,
                format,
                kind,
                none,
            );
        }
    }

    /// A row of samples, which `data` has all of (`needed` bytes).
    pub(super) fn tex_image_1d(
        &self,
        internal: u32,
        width: i32,
        (format, kind): (u32, u32),
        data: &[u8],
        needed: usize,
    ) {
        assert!(data.len() >= needed, "{} bytes where {needed} are needed", data.len());
        let pixels = PixelUnpackData::Slice(Some(data));
        // SAFETY: the context is current, no buffer is bound for unpacking, and OpenGL reads `needed` bytes at most.
        unsafe {
            self.raw.tex_image_1d(
                glow::TEXTURE_1D,
                0,
                internal as i32,
                width,
                0,
                format,
                kind,
                pixels,
            );
        }
    }

    /// Copies rows of `data` into the texture that is bound. `data` holds at least the bytes that the size, the format and the
    /// pixel storage in force ask for, which `transfer.rs` and `texture.rs` check.
    pub(super) fn tex_sub_image(
        &self,
        target: u32,
        size: [i32; 3],
        (format, kind): (u32, u32),
        data: &[u8],
        needed: usize,
    ) {
        assert!(data.len() >= needed, "{} bytes where {needed} are needed", data.len());
        let pixels = PixelUnpackData::Slice(Some(data));
        let [width, height, depth] = size;
        // SAFETY: the context is current, no buffer is bound for unpacking, and OpenGL reads `needed` bytes at most.
        unsafe {
            match target {
                glow::TEXTURE_3D => self.raw.tex_sub_image_3d(
                    target, 0, 0, 0, 0, width, height, depth, format, kind, pixels,
                ),
                _ => {
                    self.raw.tex_sub_image_2d(target, 0, 0, 0, width, height, format, kind, pixels)
                }
            }
        }
    }

    /// Copies the framebuffer that is bound for reading into `data`, which has at least `needed` bytes, as many as the size, the
    /// format and the pixel storage in force write.
    pub(super) fn read_pixels(
        &self,
        (width, height): (i32, i32),
        (format, kind): (u32, u32),
        data: &mut [u8],
        needed: usize,
    ) {
        assert!(data.len() >= needed, "{} bytes where {needed} are needed", data.len());
        let pixels = PixelPackData::Slice(Some(data));
        // SAFETY: the context is current, no buffer is bound for packing, and OpenGL writes `needed` bytes at most.
        unsafe { self.raw.read_pixels(0, 0, width, height, format, kind, pixels) };
    }

    /// Whether the driver has an extension.
    pub(super) fn has(&self, extension: &str) -> bool {
        self.raw.supported_extensions().contains(extension)
    }

    /// Version (major, minor), and whether it is ES.
    pub(super) fn version(&self) -> ((u32, u32), bool) {
        let version = self.raw.version();
        ((version.major, version.minor), version.is_embedded)
    }

    /// What the driver calls itself: version and device.
    pub(super) fn description(&self) -> String {
        let version = self.get_parameter_string(glow::VERSION);
        format!("{version}, {}", self.get_parameter_string(glow::RENDERER))
    }

    /// What the context can do.
    ///
    /// # Errors
    /// [`GlError::Unsupported`] where it is older than 3.3 (ES 3.0), or cannot draw into float textures.
    pub(super) fn device(&self) -> Result<Device, GlError> {
        let (version, is_es) = self.version();
        let unsupported = |reason: &str| GlError::Unsupported {
            version: self.description(),
            reason: reason.into(),
        };
        if version < if is_es { (3, 0) } else { (3, 3) } {
            return Err(unsupported("OpenGL 3.3 or OpenGL ES 3.0 is needed"));
        }
        let float = ["GL_EXT_color_buffer_half_float", "GL_EXT_color_buffer_float"];
        if is_es && version < (3, 2) && !float.iter().any(|name| self.has(name)) {
            return Err(unsupported(
                "it cannot draw into float textures (GL_EXT_color_buffer_half_float)",
            ));
        }
        let has_compute = version >= if is_es { (3, 1) } else { (4, 3) };
        let known = ["GL_EXT_shader_implicit_conversions", "GL_EXT_gpu_shader5"];
        let extensions = known.into_iter().filter(|name| is_es && self.has(name));
        let limit = |parameter, least: i32| self.get_parameter_i32(parameter).max(least);
        Ok(Device {
            // OpenGL's and GLSL's numbers are the same from 3.3 and ES 3.0 on.
            glsl: version.0 * 100 + version.1 * 10,
            is_es,
            has_compute,
            has_gather: version >= if is_es { (3, 1) } else { (4, 0) },
            has_unorm16: !is_es || self.has("GL_EXT_texture_norm16"),
            max_side: limit(glow::MAX_TEXTURE_SIZE, 2048) as usize,
            max_samplers: limit(glow::MAX_TEXTURE_IMAGE_UNITS, 16) as usize,
            max_invocations: if has_compute {
                limit(glow::MAX_COMPUTE_WORK_GROUP_INVOCATIONS, 128) as u32
            } else {
                0
            },
            extensions: extensions.map(Into::into).collect(),
        })
    }

    /// Whether textures can have memory that never changes its size, which images on ES need.
    pub(super) fn has_storage(&self) -> bool {
        let (version, is_es) = self.version();
        is_es || version >= (4, 2) || self.has("GL_ARB_texture_storage")
    }

    /// The first error since the last call, and no other is left.
    ///
    /// # Errors
    /// [`GlError::OutOfMemory`] or [`GlError::Driver`].
    pub(super) fn check(&self, doing: &'static str) -> Result<(), GlError> {
        let first = self.get_error();
        // A lost context reports errors for ever.
        for _ in 0..16 {
            if self.get_error() == glow::NO_ERROR {
                break;
            }
        }
        match first {
            glow::NO_ERROR => Ok(()),
            glow::OUT_OF_MEMORY => Err(GlError::OutOfMemory(doing.into())),
            code => Err(GlError::Driver { code, doing }),
        }
    }
}
