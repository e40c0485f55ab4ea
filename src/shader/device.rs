//! What runs the passes: which GLSL it speaks, and how much it can take.

/// What a GL context can do, as far as text and sizes of passes depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// Version of its GLSL: 330, 430, 300 (ES)…
    pub glsl: u32,
    /// Whether it is OpenGL ES.
    pub is_es: bool,
    /// Whether there are compute shaders.
    pub has_compute: bool,
    /// Whether there is `textureGather`.
    pub has_gather: bool,
    /// Whether textures may have samples of 16 bits.
    pub has_unorm16: bool,
    /// Longest side of a texture, in px.
    pub max_side: usize,
    /// Most textures that a pass can read.
    pub max_samplers: usize,
    /// Most invocations of a work group.
    pub max_invocations: u32,
    /// Extensions that texts ask for, where they are there.
    pub extensions: Vec<String>,
}

impl Device {
    /// OpenGL 4.3 with its least limits: what desktop computers have.
    pub fn desktop() -> Self {
        Self {
            glsl: 430,
            is_es: false,
            has_compute: true,
            has_gather: true,
            has_unorm16: true,
            max_side: 16384,
            max_samplers: 16,
            max_invocations: 1024,
            extensions: vec![],
        }
    }

    /// The first lines of every text.
    pub(super) fn version(&self) -> String {
        let profile = if self.is_es { "es" } else { "core" };
        let mut text = format!("#version {} {profile}\n", self.glsl);
        for extension in &self.extensions {
            text += &format!("#extension {extension} : enable\n");
        }
        text
    }

    /// What ES wants said about precision.
    pub(super) fn precision(&self) -> String {
        if !self.is_es {
            return String::new();
        }
        let mut text = String::from("precision highp float;\nprecision highp int;\n");
        let images = if self.has_compute { "image2D image3D" } else { "" };
        for sampler in "sampler2D sampler3D".split(' ').chain(images.split_terminator(' ')) {
            text += &format!("precision highp {sampler};\n");
        }
        text
    }
}
