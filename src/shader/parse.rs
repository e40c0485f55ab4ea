//! From the text of a shader file to [`ShaderFile`].
//!
//! The format is mpv's (`DOCS/man/options.rst`, `--glsl-shaders`) with libplacebo's additions
//! (`docs/custom-shaders.md`). A block is a run of lines that begin with `//!`, and a body that goes on to the next `//!`
//! wherever that stands. What is unknown is refused, as both do.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::error::{Place, ShaderError};
use super::file::{
    Border, Compute, FileTexture, HookPass, Number, Offset, Param, ParamKind, SampleFormat,
    ShaderFile,
};
use super::graph::Static;
use super::rpn::Expression;
use super::{arrays, loops};

/// The largest file: seven times the largest one known.
pub const MAX_BYTES: usize = 32 << 20;
/// Most blocks of a file: ten times the most known.
const MAX_BLOCKS: usize = 1024;
/// Most `HOOK` and most `BIND` lines of a pass, as in mpv.
const MAX_LINES: usize = 16;
/// Longest side of a texture in a file.
const MAX_SIDE: u32 = 16384;
/// Most names that an enumeration has.
const MAX_MEMBERS: usize = 256;

/// What begins a line of a header.
const MARK: &str = "//!";

/// Reads a shader file.
///
/// # Errors
/// [`ShaderError`], where it cannot be read or is not right.
pub fn load(path: &Path) -> Result<ShaderFile, ShaderError> {
    let refused = |reason: String| ShaderError::Read { path: path.into(), reason };
    let file = File::open(path).map_err(|e| refused(e.to_string()))?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|e| refused(e.to_string()))?;
    // Comments may be in any encoding; headers and GLSL are ASCII.
    parse(&path.display().to_string(), &String::from_utf8_lossy(&bytes))
}

/// Reads the text of a shader file; `name` is what messages call it.
///
/// # Errors
/// [`ShaderError::Line`] at the first line that is not right.
pub fn parse(name: &str, text: &str) -> Result<ShaderFile, ShaderError> {
    let mut file =
        ShaderFile { name: name.into(), passes: vec![], textures: vec![], params: vec![] };
    if text.len() > MAX_BYTES {
        let message = format!("the file has {} bytes; at most {MAX_BYTES} are read", text.len());
        return Err(Place { file: name.into(), line: 1 }.error(message));
    }
    // Neither drivers nor messages can have it.
    if let Some(at) = text.find('\0') {
        let line = 1 + newlines(&text[..at]);
        return Err(Place { file: name.into(), line }.error("there is a byte 0: this is no text"));
    }
    let Some(first) = text.find(MARK) else {
        let place = Place { file: name.into(), line: 1 };
        return Err(place.error("there is no //! header: this is no mpv shader"));
    };
    let mut rest = Cursor { name, text: &text[first..], line: 1 + newlines(&text[..first]) };
    let mut blocks = 0;
    while !rest.text.is_empty() {
        let block = rest.block();
        blocks += 1;
        if blocks > MAX_BLOCKS {
            return Err(block.place().error(format!("there are more than {MAX_BLOCKS} blocks")));
        }
        match block.header.first().map(|line| line.directive) {
            Some("TEXTURE") => file.textures.push(texture(&block)?),
            Some("PARAM") => file.params.push(param(&block)?),
            Some("BUFFER") => {
                let message = "a BUFFER is not supported; keep data in a TEXTURE with STORAGE";
                return Err(block.place().error(message));
            }
            _ => file.passes.push(pass(&block)?),
        }
    }
    check_names(&file)?;
    Ok(file)
}

/// What is called the same would hide one another.
fn check_names(file: &ShaderFile) -> Result<(), ShaderError> {
    let textures = file.textures.iter().map(|t| (&t.name, &t.place));
    let named: Vec<_> = textures.chain(file.params.iter().map(|p| (&p.name, &p.place))).collect();
    for (i, (name, place)) in named.iter().enumerate() {
        if named[..i].iter().any(|(other, _)| other == name) {
            return Err(place.error(format!("there are two things called {name}")));
        }
    }
    Ok(())
}

/// What is left of the text.
struct Cursor<'a> {
    name: &'a str,
    text: &'a str,
    line: usize,
}

/// A header and what follows it.
struct Block<'a> {
    name: &'a str,
    header: Vec<Line<'a>>,
    body: &'a str,
    body_line: usize,
}

/// `//!DIRECTIVE argument`.
#[derive(Clone, Copy)]
struct Line<'a> {
    file: &'a str,
    number: usize,
    directive: &'a str,
    argument: &'a str,
}

impl<'a> Cursor<'a> {
    /// Takes the next block; the text begins with its mark.
    fn block(&mut self) -> Block<'a> {
        let mut header = Vec::new();
        while let Some(line) = self.header_line() {
            header.push(line);
        }
        let body_line = self.line;
        let end = self.text.find(MARK).unwrap_or(self.text.len());
        Block { name: self.name, header, body: self.take(end), body_line }
    }

    fn header_line(&mut self) -> Option<Line<'a>> {
        let end = self.text.find('\n').map_or(self.text.len(), |at| at + 1);
        let line = self.text[..end].trim().strip_prefix(MARK)?;
        let number = self.line;
        self.take(end);
        let (directive, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        Some(Line { file: self.name, number, directive, argument: argument.trim() })
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.text.split_at(bytes);
        self.line += newlines(taken);
        self.text = rest;
        taken
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|&b| b == b'\n').count()
}

impl Block<'_> {
    fn place(&self) -> Place {
        let line = self.header.first().map_or(self.body_line, |line| line.number);
        Place { file: self.name.into(), line }
    }
}

impl<'a> Line<'a> {
    fn error(&self, message: impl Into<String>) -> ShaderError {
        Place { file: self.file.into(), line: self.number }.error(message)
    }

    fn unknown(&self, block: &str) -> ShaderError {
        self.error(format!("{block} knows no //!{}", self.directive))
    }

    /// The argument, which is a name.
    fn name(&self) -> Result<String, ShaderError> {
        let mut chars = self.argument.chars();
        let starts = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if starts && chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Ok(self.argument.into());
        }
        Err(self.error(format!("{} wants a name, not '{}'", self.directive, self.argument)))
    }

    fn expression(&self) -> Result<Expression, ShaderError> {
        Expression::parse(self.argument).map_err(|reason| {
            self.error(format!("the expression '{}' {reason}", shortened(self.argument)))
        })
    }

    /// The argument's words as numbers, of which there are `least` to `most`.
    fn numbers<T: std::str::FromStr>(
        &self,
        least: usize,
        most: usize,
    ) -> Result<Vec<T>, ShaderError> {
        let words: Vec<_> = self.argument.split_ascii_whitespace().collect();
        let numbers: Result<Vec<T>, _> = words.iter().map(|word| word.parse()).collect();
        match numbers {
            Ok(numbers) if (least..=most).contains(&numbers.len()) => Ok(numbers),
            _ => {
                let wanted =
                    if least == most { least.to_string() } else { format!("{least} to {most}") };
                let got = shortened(self.argument);
                Err(self.error(format!("{} wants {wanted} numbers, not '{got}'", self.directive)))
            }
        }
    }

    /// The argument as one finite number.
    fn number(&self) -> Result<f64, ShaderError> {
        let number = self.numbers::<f64>(1, 1)?[0];
        if number.is_finite() {
            return Ok(number);
        }
        Err(self.error(format!("{} wants a finite number", self.directive)))
    }

    /// One of `choices`, by its name.
    fn choice<T: Copy>(&self, choices: &[(&str, T)]) -> Result<T, ShaderError> {
        let found = choices.iter().find(|(name, _)| *name == self.argument);
        found.map(|(_, value)| *value).ok_or_else(|| {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            let (names, got) = (names.join(", "), shortened(self.argument));
            self.error(format!("{} is one of {names}; not '{got}'", self.directive))
        })
    }
}

/// Enough of a text to recognise it by.
fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into(),
    }
}

fn pass(block: &Block) -> Result<HookPass, ShaderError> {
    let place = block.place();
    let mut pass = HookPass {
        place: place.clone(),
        name: String::new(),
        hooks: vec![],
        binds: vec![],
        save: None,
        width: None,
        height: None,
        when: None,
        components: None,
        offset: Offset::None,
        compute: None,
        body: block.body.into(),
        body_line: block.body_line,
    };
    for line in &block.header {
        match line.directive {
            "HOOK" => pass.hooks.push(line.name()?),
            "BIND" => pass.binds.push(line.name()?),
            "SAVE" => pass.save = Some(line.name()?),
            "DESC" => pass.name = line.argument.into(),
            "WIDTH" => pass.width = Some(line.expression()?),
            "HEIGHT" => pass.height = Some(line.expression()?),
            "WHEN" => pass.when = Some(line.expression()?),
            "COMPONENTS" => {
                let components = line.numbers::<u8>(1, 1)?[0];
                if !(1..=4).contains(&components) {
                    return Err(line.error(format!("COMPONENTS is 1 to 4, not {components}")));
                }
                pass.components = Some(components);
            }
            "OFFSET" => pass.offset = offset(line)?,
            "COMPUTE" => pass.compute = Some(compute(line)?),
            _ => return Err(line.unknown("a pass")),
        }
        for (lines, what) in [(&pass.hooks, "HOOK"), (&pass.binds, "BIND")] {
            if lines.len() > MAX_LINES {
                return Err(line.error(format!("a pass has at most {MAX_LINES} {what} lines")));
            }
        }
    }
    if pass.hooks.is_empty() {
        return Err(place.error("the pass has no HOOK line: it would never run"));
    }
    if pass.name.is_empty() {
        pass.name = pass.save.clone().unwrap_or_else(|| pass.hooks[0].clone());
    }
    if !pass.body.contains("hook") {
        return Err(place.error("the pass has no function hook()"));
    }
    let bounded = arrays::guarded(block.body).and_then(|body| loops::bounded(&body));
    let body = bounded.map_err(|(line, what)| {
        Place { line: block.body_line + line, ..place.clone() }.error(what)
    })?;
    pass.body = body.into();
    Ok(pass)
}

fn offset(line: &Line) -> Result<Offset, ShaderError> {
    if line.argument == "ALIGN" {
        return Ok(Offset::Align);
    }
    let numbers = line.numbers::<f32>(2, 2)?;
    // Further than any picture is wide.
    if numbers.iter().all(|n| n.abs() <= MAX_SIDE as f32) {
        return Ok(Offset::By(numbers[0], numbers[1]));
    }
    Err(line.error("OFFSET wants ALIGN, or two numbers of pixels"))
}

fn compute(line: &Line) -> Result<Compute, ShaderError> {
    let numbers = line.numbers::<u32>(2, 4)?;
    let block = (numbers[0], numbers[1]);
    let threads = match numbers[2..] {
        [] => block,
        [width, height] => (width, height),
        _ => return Err(line.error("COMPUTE wants 2 numbers, or 4")),
    };
    let all = [block.0, block.1, threads.0, threads.1];
    if all.iter().all(|side| (1..=MAX_SIDE).contains(side)) {
        return Ok(Compute { block, threads });
    }
    Err(line.error(format!("blocks and groups of COMPUTE have 1 to {MAX_SIDE} px a side")))
}

fn texture(block: &Block) -> Result<FileTexture, ShaderError> {
    let place = block.place();
    let (mut name, mut size, mut format) = (String::new(), vec![], None);
    let (mut is_linear, mut border, mut is_storage) = (true, Border::Clamp, false);
    for line in &block.header {
        match line.directive {
            "TEXTURE" => name = line.name()?,
            "SIZE" => {
                size = line.numbers::<u32>(1, 3)?;
                if !size.iter().all(|side| (1..=MAX_SIDE).contains(side)) {
                    return Err(line.error(format!("SIZE is 1 to {MAX_SIDE} px a side")));
                }
            }
            "FORMAT" => {
                let known = SampleFormat::from_name(line.argument);
                format = Some(known.ok_or_else(|| {
                    let got = shortened(line.argument);
                    line.error(format!("FORMAT is e.g. rgba8, r16, rgba16f or rg32f; not '{got}'"))
                })?);
            }
            "FILTER" => is_linear = line.choice(&[("LINEAR", true), ("NEAREST", false)])?,
            "BORDER" => {
                border = line.choice(&[
                    ("CLAMP", Border::Clamp),
                    ("REPEAT", Border::Repeat),
                    ("MIRROR", Border::Mirror),
                ])?;
            }
            "STORAGE" => is_storage = true,
            _ => return Err(line.unknown("a TEXTURE")),
        }
    }
    let Some(format) = format else { return Err(place.error("the TEXTURE has no FORMAT")) };
    if size.is_empty() {
        return Err(place.error("the TEXTURE has no SIZE"));
    }
    let bytes = size.iter().map(|&side| side as usize).try_fold(format.bytes(), usize::checked_mul);
    let bytes = bytes.filter(|&n| n <= MAX_BYTES);
    let Some(bytes) = bytes else {
        return Err(place.error(format!("the TEXTURE has more than {MAX_BYTES} bytes")));
    };
    let body_place = Place { line: block.body_line, ..place.clone() };
    let mut data = hex(block.body).map_err(|what| body_place.error(what))?;
    if data.is_empty() && is_storage {
        data.resize(bytes, 0);
    }
    if data.len() != bytes {
        let got = data.len();
        return Err(body_place.error(format!("the TEXTURE's data has {got} bytes, not {bytes}")));
    }
    let content = Static { size, format, is_linear, border, is_storage, data: data.into() };
    Ok(FileTexture { place, name, content })
}

/// Bytes written as pairs of hexadecimal digits, which blanks may stand between.
fn hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = text.bytes().filter(|b| !b.is_ascii_whitespace());
    let digit = |b: u8| {
        let value = char::from(b).to_digit(16);
        value.map(|d| d as u8).ok_or_else(|| {
            format!("the TEXTURE's data has '{}', no hexadecimal digit", b.escape_ascii())
        })
    };
    let mut bytes = Vec::with_capacity(text.len() / 2);
    while let Some(high) = digits.next() {
        let low = digits.next().ok_or("the TEXTURE's data ends in half a byte")?;
        bytes.push(digit(high)? << 4 | digit(low)?);
    }
    Ok(bytes)
}

fn param(block: &Block) -> Result<Param, ShaderError> {
    let place = block.place();
    let mut param = Param {
        place: place.clone(),
        name: String::new(),
        description: String::new(),
        kind: ParamKind::Constant(Number::Float),
        minimum: None,
        maximum: None,
        default: 0.0,
        members: vec![],
    };
    let mut kind = None;
    for line in &block.header {
        match line.directive {
            "PARAM" => param.name = line.name()?,
            "DESC" => param.description = line.argument.into(),
            "TYPE" => kind = Some(param_type(line)?),
            "MINIMUM" => param.minimum = Some(line.number()?),
            "MAXIMUM" => param.maximum = Some(line.number()?),
            _ => return Err(line.unknown("a PARAM")),
        }
    }
    let Some((kind, is_enum)) = kind else { return Err(place.error("the PARAM has no TYPE")) };
    param.kind = kind;
    let body_place = Place { line: block.body_line, ..place };
    if is_enum {
        param.members = block.body.split_ascii_whitespace().map(Into::into).collect();
        let is_name = |m: &String| m.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let count = param.members.len();
        if !(1..=MAX_MEMBERS).contains(&count) || !param.members.iter().all(is_name) {
            return Err(body_place.error("an ENUM wants a name on each line"));
        }
        if let Some(twice) = (1..count).find(|&i| param.members[..i].contains(&param.members[i])) {
            let name = &param.members[twice];
            return Err(body_place.error(format!("the ENUM has two members {name}")));
        }
        (param.minimum, param.maximum) = (Some(0.0), Some((count - 1) as f64));
        return Ok(param);
    }
    let text = block.body.trim();
    let default = text.parse::<f64>().map_err(|_| {
        body_place.error(format!("the default of {} is '{}'", param.name, shortened(text)))
    })?;
    param.default = param
        .check(default)
        .map_err(|what| body_place.error(format!("the default of {} {what}", param.name)))?;
    Ok(param)
}

/// What a `TYPE` line says, and whether the body names the members of an enumeration.
fn param_type(line: &Line) -> Result<(ParamKind, bool), ShaderError> {
    let (mut is_enum, mut is_dynamic, mut is_define, mut number) = (false, false, false, None);
    for word in line.argument.split_ascii_whitespace() {
        match word {
            "ENUM" => is_enum = true,
            "DYNAMIC" => is_dynamic = true,
            "CONSTANT" => is_dynamic = false,
            "DEFINE" => is_define = true,
            "float" => number = Some(Number::Float),
            "int" => number = Some(Number::Int),
            "uint" => number = Some(Number::Uint),
            _ => {
                let got = shortened(word);
                return Err(line.error(format!("TYPE is float, int, uint or DEFINE; not '{got}'")));
            }
        }
    }
    let kind = match number {
        _ if is_define => ParamKind::Define,
        Some(number) if is_dynamic => ParamKind::Dynamic(number),
        Some(number) => ParamKind::Constant(number),
        None => return Err(line.error("TYPE is float, int, uint or DEFINE")),
    };
    if is_enum && number == Some(Number::Float) {
        return Err(line.error("an ENUM is int or uint"));
    }
    Ok((kind, is_enum))
}
