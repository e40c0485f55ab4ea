//! Arrays read and written within their bounds. GLSL leaves open what happens beyond them, and on a processor that is any memory.

use std::collections::HashMap;

use super::words::{blanked, is_word};

/// What indexes of a guarded body go through.
pub const GUARD: &str = "\
int kz_at(int i, int n) { return clamp(i, 0, n - 1); }
int kz_at(uint i, int n) { return int(min(i, uint(n - 1))); }
";

/// Longest text of a size: it is repeated wherever its array is used.
const MAX_SIZE: usize = 64;
/// Most sizes of an array behind each other; drivers take long over very many.
const MAX_SIZES: usize = 8;

/// Words that stand before a name without being its type.
const NO_TYPES: [&str; 5] = ["return", "else", "case", "do", "define"];

/// Where a token begins, and what it is: a word, or one other character.
type Token<'a> = (usize, &'a str);

/// `body` with the indexes of arrays that it declares as `float name[4]` kept within their sizes, any number of these behind each
/// other; literal indexes are the compiler's to check. It needs [`GUARD`] where it has `kz_at`.
///
/// # Errors
/// The line of the body (from 0) with an array whose size is too long a text, and what is wrong with it.
pub fn guarded(body: &str) -> Result<String, (usize, String)> {
    let code = blanked(body);
    let tokens = tokens(&code);
    let closing = closing(&tokens);
    let mut arrays: HashMap<&str, Vec<&str>> = HashMap::new();
    let mut changes = Vec::new();
    for (i, &(at, name)) in tokens.iter().enumerate() {
        if !name.starts_with(is_word) {
            continue;
        }
        let brackets = brackets(&tokens, &closing, i + 1);
        if brackets.is_empty() {
            continue;
        }
        let between = |&(open, close): &(usize, usize)| code[open + 1..close].trim();
        let kind = i.checked_sub(1).map_or("", |before| tokens[before].1);
        if kind.starts_with(is_word) && !NO_TYPES.contains(&kind) {
            let sizes: Vec<&str> = brackets.iter().map(between).collect();
            if sizes.len() > MAX_SIZES || sizes.iter().any(|size| size.len() > MAX_SIZE) {
                let line = code[..at].matches('\n').count();
                return Err((line, format!("the array '{name}' has sizes too many or too long")));
            }
            arrays.insert(name, sizes);
            continue;
        }
        let Some(sizes) = arrays.get(name) else { continue };
        for (bracket, size) in brackets.iter().zip(sizes) {
            let is_literal = between(bracket).bytes().all(|byte| byte.is_ascii_digit());
            // `float a[] = float[](...)` has as many as it is given.
            if !is_literal && !size.is_empty() {
                changes.push((bracket.0 + 1, "kz_at(".to_owned()));
                changes.push((bracket.1, format!(", int({size}))")));
            }
        }
    }
    changes.sort_by_key(|(at, _)| *at);
    let (mut text, mut end) = (String::new(), 0);
    for (at, change) in changes {
        text += &body[end..at];
        text += &change;
        end = at;
    }
    Ok(text + &body[end..])
}

/// Words, and other characters one by one; blanks are left out.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        let rest = &code[at..];
        let length = match is_word(c) {
            true => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            false => c.len_utf8(),
        };
        if !c.is_whitespace() {
            tokens.push((at, &rest[..length]));
        }
        at += length;
    }
    tokens
}

/// For each token that opens a bracket the one that closes it.
fn closing(tokens: &[Token]) -> HashMap<usize, usize> {
    let (mut open, mut closing) = (Vec::new(), HashMap::new());
    for (i, (_, token)) in tokens.iter().enumerate() {
        match *token {
            "[" => open.push(i),
            "]" => closing.extend(open.pop().map(|open| (open, i))),
            _ => {}
        }
    }
    closing
}

/// Where the brackets open and close that follow each other from token `first` on.
fn brackets(
    tokens: &[Token],
    closing: &HashMap<usize, usize>,
    mut first: usize,
) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    while let Some(&close) = closing.get(&first) {
        found.push((tokens[first].0, tokens[close].0));
        first = close + 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_stay_within_arrays() {
        for (body, wanted) in [
            ("float a[4]; a[i] = a[3];", "float a[4]; a[kz_at(i, int(4))] = a[3];"),
            (
                "shared vec3 r[8][2 * n];\nr[id.y][x + 1];",
                "shared vec3 r[8][2 * n];\nr[kz_at(id.y, int(8))][kz_at(x + 1, int(2 * n))];",
            ),
            ("int a[2]; float b[3]; b[a[i]];", "b[kz_at(a[kz_at(i, int(2))], int(3))];"),
            ("float a[2]; /* a[i] */ return a[i];", "/* a[i] */ return a[kz_at(i, int(2))];"),
        ] {
            let text = guarded(body).unwrap();
            assert!(text.ends_with(wanted), "{text}");
        }
    }

    #[test]
    fn the_rest_stays_as_it_is() {
        for body in [
            "vec4 c; c[i] = 1.0;",
            "float a[3]; a[2];",
            "float a[] = float[](1.0); a[i];",
            "a[[",
            "float a[",
        ] {
            assert_eq!(guarded(body).unwrap(), body);
        }
    }

    #[test]
    fn what_would_grow_without_end_is_refused() {
        let long = format!("\nfloat a[{}];", "1 + ".repeat(99));
        assert_eq!(guarded(&long).unwrap_err().0, 1);
        assert!(guarded(&format!("float a{};", "[1]".repeat(9))).is_err());
        assert!(guarded(&"a[".repeat(1 << 20)).is_ok());
    }
}
