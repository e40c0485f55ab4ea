//! GLSL as words: names and numbers.

/// Whether a name or a number can have this character.
pub const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names and numbers, with the places where they begin.
pub fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + text[at..].find(is_word)?;
        let end = text[begin..].find(|c| !is_word(c)).map_or(text.len(), |n| begin + n);
        at = end;
        Some((begin, &text[begin..end]))
    })
}
