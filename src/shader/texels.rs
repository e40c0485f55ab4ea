//! Which textures a body reads at the middle of texels alone: those need no mixing of neighbours, which costs software and small
//! devices four times as many reads. Where in doubt the answer is no.

use super::words::{blanked, is_word, words};

/// Most macros whose calls are looked for: for each the whole body is read.
const MAX_MACROS: usize = 64;

/// Whether `body` reads the texture of these `names` only at its own place (`NAME_tex(NAME_pos)`) and whole texels beside it
/// (`NAME_texOff(vec2(-1.0, 0.0))`, also by a macro that is called with whole numbers). The texture has the result's size.
pub fn reads_whole_texels(body: &str, names: &[String]) -> bool {
    let body = blanked(&body.replace("\\\n", " ").replace("\\\r\n", " "));
    let mut macros: Vec<&str> = Vec::new();
    let (mut code, mut bodies) = (String::new(), String::new());
    for line in body.lines() {
        let definition = line.trim_start().strip_prefix('#').map(str::trim_start);
        let Some(definition) = definition.and_then(|d| d.strip_prefix("define")) else {
            code += line;
            code.push('\n');
            continue;
        };
        let definition = definition.trim_start();
        let end = definition.find(|c: char| !is_word(c)).unwrap_or(definition.len());
        let (name, rest) = definition.split_at(end);
        let (parameters, text) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
        {
            Some((parameters, text)) => (parameters.split(',').map(str::trim).collect(), text),
            None => (vec![], rest),
        };
        bodies += text;
        bodies.push('\n');
        match uses(text, names, &parameters) {
            None => return false,
            Some(true) => macros.push(name),
            Some(false) => {}
        }
    }
    // Macros may call macros.
    let all = code.clone() + &bodies;
    uses(&code, names, &[]).is_some()
        && macros.len() <= MAX_MACROS
        && macros.iter().all(|name| is_called_with_numbers(&all, name))
}

/// Whether `text` uses `parameters` as offsets into the textures; `None` where it uses the textures in another way than allowed.
fn uses(text: &str, names: &[String], parameters: &[&str]) -> Option<bool> {
    let mut has_parameters = false;
    for (at, word) in words(text) {
        let Some((name, what)) = names
            .iter()
            .find_map(|name| Some((name, word.strip_prefix(name.as_str())?.strip_prefix('_')?)))
        else {
            continue;
        };
        let after = &text[at + word.len()..];
        match what {
            "size" | "pt" | "mul" | "off" | "rot" => {}
            // Handled with what it stands in.
            "pos" if text[..at].trim_end().ends_with(&format!("{name}_tex(")) => {}
            "tex" if argument(after)?.trim() == format!("{name}_pos") => {}
            "texOff" => {
                let offset = argument(after)?.trim();
                let both = offset.strip_prefix("vec2").and_then(argument).unwrap_or(offset);
                for part in both.split(',').map(str::trim) {
                    if parameters.contains(&part) {
                        has_parameters = true;
                    } else if !is_whole(part) {
                        return None;
                    }
                }
            }
            _ => return None,
        }
    }
    Some(has_parameters)
}

/// Whether every call of macro `name` has whole numbers for arguments.
fn is_called_with_numbers(code: &str, name: &str) -> bool {
    words(code).filter(|(_, word)| *word == name).all(|(at, word)| {
        let arguments = argument(&code[at + word.len()..]);
        arguments.is_some_and(|arguments| arguments.split(',').map(str::trim).all(is_whole))
    })
}

/// What stands between the parentheses that `text` begins with.
fn argument(text: &str) -> Option<&str> {
    let text = text.trim_start().strip_prefix('(')?;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 0 => return Some(&text[..at]),
            ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// `-1`, `2.0`, `0.`
fn is_whole(text: &str) -> bool {
    let digits = text.trim_start_matches(['-', '+']).trim_start();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    !whole.is_empty()
        && whole.bytes().all(|b| b.is_ascii_digit())
        && fraction.bytes().all(|b| b == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> bool {
        reads_whole_texels(body, &["HOOKED".into(), "MAIN".into()])
    }

    #[test]
    fn networks_read_whole_texels() {
        assert!(check(
            "vec4 hook() { return MAIN_texOff(vec2(-1.0, 1)) + HOOKED_tex(HOOKED_pos); }"
        ));
        assert!(check("vec4 hook() { return MAIN_texOff(0) * MAIN_size.x; } // MAIN_raw"));
        assert!(check(
            "#define go_0(x_off, y_off) (max((MAIN_texOff(vec2(x_off, y_off))), 0.0))\n\
             vec4 hook() { return mat4(1.0) * go_0(-1.0, 0.0) + OTHER_tex(vec2(0.3)); }"
        ));
    }

    #[test]
    fn everything_else_may_mix() {
        assert!(!check("vec4 hook() { return MAIN_texOff(vec2(0.5, 0.0)); }"));
        assert!(!check("vec4 hook() { return MAIN_tex(MAIN_pos + 0.1 * MAIN_pt); }"));
        assert!(!check("vec4 hook() { vec2 p = MAIN_pos; return MAIN_tex(p); }"));
        assert!(!check("vec4 hook() { return texture(MAIN_raw, MAIN_pos); }"));
        assert!(!check("#define t(o) MAIN_texOff(o)\nvec4 hook() { return t(vec2(0.25)); }"));
        assert!(!check(
            "#define a(x) MAIN_texOff(vec2(x, 0.0))\n#define b(y) a(y)\nvec4 hook() { return b(0.5); }"
        ));
        assert!(!check("#define T MAIN_tex\nvec4 hook() { return T(vec2(0.25)); }"));
        assert!(!check(
            "vec4 hook() { for (float x = 0.0; x < 2.0; x += 0.5) MAIN_texOff(vec2(x, 0.0)); }"
        ));
    }
}
