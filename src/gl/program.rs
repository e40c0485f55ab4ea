//! From a pass's text to a program.

use std::path::{Path, PathBuf};

use glow::{NativeProgram, NativeUniformLocation, ProgramBinary};
use serde::{Deserialize, Serialize};

use super::GlError;
use super::context::Gl;
use crate::cache::{self, Cache, Key};
use crate::shader::OWN_LINES;
use crate::shader::graph::{Pass, Value, Work};

/// A triangle that covers everything, out of nothing but its vertices' numbers.
const VERTEX: &str = "\
void main() {
    vec2 corner = vec2(float(gl_VertexID & 1), float(gl_VertexID >> 1));
    gl_Position = vec4(corner * 4.0 - 1.0, 0.0, 1.0);
}
";

/// A program, and where its uniforms are.
#[derive(Debug)]
pub struct Program {
    pub native: NativeProgram,
    frame: Option<NativeUniformLocation>,
    random: Option<NativeUniformLocation>,
    others: Vec<Option<NativeUniformLocation>>,
}

/// Programs as the driver compiled them, in a directory; [`ProgramCache::default`] keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct ProgramCache(Cache);

impl ProgramCache {
    /// One in `directory`, which need not exist.
    pub fn at(directory: &Path) -> Self {
        Self(Cache::at(PathBuf::from(directory)))
    }
}

/// A program as the driver wrote it; the text is hexadecimal.
#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    binary: String,
}

impl Program {
    /// Compiles `pass`, or takes what `cache` has of it.
    ///
    /// # Errors
    /// [`GlError::Shader`] with file and line, or [`GlError::Own`].
    pub fn new(gl: &Gl, pass: &Pass, cache: &ProgramCache) -> Result<Self, GlError> {
        let key = Key::new("program")
            .with("driver", gl.description())
            .with("text", cache::hex(pass.text.as_bytes()));
        let native = match kept(gl, cache, &key) {
            Some(native) => native,
            None => {
                let native = link(gl, pass)?;
                keep(gl, cache, &key, native);
                native
            }
        };
        let location = |name: &str| gl.get_uniform_location(native, name);
        gl.use_program(Some(native));
        for unit in 0..pass.reads.len() {
            gl.uniform_1_i32(location(&format!("kz_texture{unit}")).as_ref(), unit as i32);
        }
        let others = pass.uniforms.iter().map(|(name, _)| location(name)).collect();
        Ok(Self { native, frame: location("frame"), random: location("random"), others })
    }

    /// Sets the uniforms; the program is in use.
    pub fn set(&self, gl: &Gl, frame: u32, random: f32, pass: &Pass) {
        // OpenGL ignores uniforms that a program does not have.
        gl.uniform_1_i32(self.frame.as_ref(), frame as i32);
        gl.uniform_1_f32(self.random.as_ref(), random);
        for (location, (_, value)) in self.others.iter().zip(&pass.uniforms) {
            match value {
                Value::Float(value) => gl.uniform_1_f32(location.as_ref(), *value),
                Value::Int(value) => gl.uniform_1_i32(location.as_ref(), *value),
                Value::Pair([x, y]) => gl.uniform_2_f32(location.as_ref(), *x, *y),
                Value::Uint(value) => gl.uniform_1_u32(location.as_ref(), *value),
            }
        }
    }
}

fn kept(gl: &Gl, cache: &ProgramCache, key: &Key) -> Option<NativeProgram> {
    let Kept { format, binary } = cache.0.get(key)?;
    let digits = binary.as_bytes().as_chunks::<2>().0;
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let buffer: Option<Vec<u8>> = digits.iter().map(byte).collect();
    let native = gl.create_program().ok()?;
    gl.program_binary(native, &ProgramBinary { buffer: buffer?, format });
    // Another driver's program is refused, which is no error.
    while gl.get_error() != glow::NO_ERROR {}
    if gl.get_program_link_status(native) {
        return Some(native);
    }
    gl.delete_program(native);
    None
}

fn keep(gl: &Gl, cache: &ProgramCache, key: &Key, native: NativeProgram) {
    if cache.0.is_off() || gl.get_parameter_i32(glow::NUM_PROGRAM_BINARY_FORMATS) == 0 {
        return;
    }
    if let Some(ProgramBinary { buffer, format }) = gl.get_program_binary(native) {
        let binary = buffer.iter().map(|byte| format!("{byte:02x}")).collect();
        cache.0.put(key, &Kept { format, binary });
    }
    while gl.get_error() != glow::NO_ERROR {}
}

fn link(gl: &Gl, pass: &Pass) -> Result<NativeProgram, GlError> {
    let mut shaders = Vec::new();
    let native = gl.create_program()?;
    let result = (|| {
        match pass.work {
            Work::Draw => {
                let version = pass.text.lines().next().unwrap_or_default();
                shaders.push(compile(
                    gl,
                    glow::VERTEX_SHADER,
                    &format!("{version}\n{VERTEX}"),
                    pass,
                )?);
                shaders.push(compile(gl, glow::FRAGMENT_SHADER, &pass.text, pass)?);
            }
            Work::Dispatch { .. } => {
                shaders.push(compile(gl, glow::COMPUTE_SHADER, &pass.text, pass)?);
            }
        }
        shaders.iter().for_each(|&shader| gl.attach_shader(native, shader));
        gl.program_binary_retrievable_hint(native, true);
        gl.link_program(native);
        if gl.get_program_link_status(native) {
            return Ok(());
        }
        Err(refusal(pass, &gl.get_program_info_log(native)))
    })();
    for shader in shaders {
        gl.detach_shader(native, shader);
        gl.delete_shader(shader);
    }
    match result {
        Ok(()) => Ok(native),
        Err(e) => {
            gl.delete_program(native);
            // Detaching what was never attached is an error that nobody needs to hear of.
            let _ = gl.check("compiling");
            Err(e)
        }
    }
}

fn compile(gl: &Gl, kind: u32, text: &str, pass: &Pass) -> Result<glow::NativeShader, GlError> {
    let shader = gl.create_shader(kind)?;
    gl.shader_source(shader, text);
    gl.compile_shader(shader);
    let log = gl.get_shader_info_log(shader);
    if gl.get_shader_compile_status(shader) {
        if !log.trim().is_empty() {
            log::debug!("pass '{}': {}", pass.name, log.trim());
        }
        return Ok(shader);
    }
    gl.delete_shader(shader);
    log::debug!("text of pass '{}':\n{text}", pass.name);
    Err(refusal(pass, &log))
}

/// The error for what a driver's log says of `pass`.
fn refusal(pass: &Pass, log: &str) -> GlError {
    let log = log.trim_matches(['\0', '\n', ' ']);
    let Some(mut place) = pass.place.clone() else {
        return GlError::Own { name: pass.name.clone(), log: log.into() };
    };
    // What the text around it is refused for is found in the pass's header; what is never closed ends with the body.
    if let Some(line) = line_of(log).filter(|line| (1..OWN_LINES).contains(line)) {
        place.line = last_line(&pass.text).map_or(line, |last| line.min(last));
    }
    place.error(format!("the driver refuses pass '{}': {log}", pass.name)).into()
}

/// The line of the body that a log complains of first: drivers write `1:12(3)`, `1(12)` or `1:12:`, as bodies are source string 1;
/// Mesa 22 has a 0 there.
fn line_of(log: &str) -> Option<usize> {
    log.lines().find_map(|line| {
        let line = line.trim_start_matches("ERROR: ");
        let rest = line.strip_prefix(['0', '1'])?.strip_prefix([':', '('])?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        rest[..digits].parse().ok()
    })
}

/// The last line of a text's body, as its file counts them.
fn last_line(text: &str) -> Option<usize> {
    let (before, _) = text.rsplit_once(&format!("\n#line {OWN_LINES} 2\n"))?;
    let mut lines = before.lines();
    let first = lines.find_map(|line| line.strip_prefix("#line ")?.strip_suffix(" 1"))?;
    Some((first.parse::<usize>().ok()? + lines.count()).saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::{OWN_LINES, last_line, line_of};

    #[test]
    fn the_last_line_is_the_bodys() {
        let text = format!(
            "#version 330\n#line {OWN_LINES} 2\nuniform int a;\n#line 7 1\nvec4 hook() {{\n}}\n#line {OWN_LINES} 2\nvoid main() {{}}\n"
        );
        assert_eq!(last_line(&text), Some(8));
    }

    #[test]
    fn logs_of_all_drivers_name_the_line() {
        assert_eq!(line_of("1:37(12): error: `foo' undeclared"), Some(37));
        assert_eq!(line_of("1(37) : error C1503: undefined variable \"foo\""), Some(37));
        assert_eq!(line_of("ERROR: 1:37: 'foo' : undeclared identifier"), Some(37));
        assert_eq!(line_of("0:11(1): error: x\n1:5(1): error: y"), Some(11));
        assert_eq!(line_of("error: linking with uncompiled shader"), None);
    }
}
