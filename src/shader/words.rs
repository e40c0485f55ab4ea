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

/// Comments as blanks, byte for byte, with their line ends.
pub fn blanked(body: &str) -> String {
    let mut bytes = body.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match &bytes[at..] {
            [b'/', b'/', ..] => bytes[at..].iter().position(|&b| b == b'\n').map(|n| at + n),
            [b'/', b'*', ..] => {
                bytes[at + 2..].windows(2).position(|w| w == b"*/").map(|n| at + n + 4)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        let end = end.unwrap_or(bytes.len());
        bytes[at..end].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        at = end;
    }
    // Bytes beyond ASCII stand in comments alone, or are no GLSL.
    bytes.iter_mut().filter(|b| !b.is_ascii()).for_each(|b| *b = b' ');
    String::from_utf8(bytes).unwrap_or_default()
}
