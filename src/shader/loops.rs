//! Loops that end: a shader file is a stranger's, and a loop without end would stop the whole device.
//!
//! Where all loops of a body count with literal numbers and their product is small, nothing changes, as counting would keep drivers
//! from unrolling them. Else every loop also ends when all loops of an invocation have turned 16,384 times together.

use std::ops::Range;

use super::words::{blanked, is_word, words};

/// Most loops that are looked into: what they hold is read once for each.
const MAX_PLAIN: usize = 64;
/// Most turns that loops with literal numbers may make without being counted.
const MAX_LITERAL: u64 = 1 << 22;

/// What counts the turns of a bounded body.
pub const COUNTER: &str = "\
int kz_turns = 0;
bool kz_turn() { return kz_turns++ < 16384; }
";

/// `body` with loops that end. It needs [`COUNTER`] where it has `kz_turn`.
///
/// # Errors
/// The line of the body (from 0) with a `for` or `while` that has no parentheses, and what is wrong with it: such a loop cannot be
/// counted.
pub fn bounded(body: &str) -> Result<String, (usize, String)> {
    let loops = find(body)?;
    let turns = loops.iter().map(|l| l.turns.unwrap_or(u64::MAX)).fold(1, u64::saturating_mul);
    if turns <= MAX_LITERAL {
        return Ok(body.into());
    }
    let (mut text, mut end) = (String::new(), 0);
    for Loop { condition, .. } in loops {
        text += &body[end..condition.start];
        let own = body[condition.clone()].trim();
        text += &if own.is_empty() { "kz_turn()".into() } else { format!("({own}) && kz_turn()") };
        // Lines keep their numbers.
        text.extend(body[condition.clone()].matches('\n'));
        end = condition.end;
    }
    Ok(text + &body[end..])
}

/// A loop's condition, and how often it turns where that is plain to see.
struct Loop {
    condition: Range<usize>,
    turns: Option<u64>,
}

fn find(body: &str) -> Result<Vec<Loop>, (usize, String)> {
    let code = blanked(body);
    let line = |at: usize| code[..at].matches('\n').count();
    if let Some((at, what)) = hidden_words(&code) {
        return Err((line(at), what.into()));
    }
    let mut loops: Vec<Loop> = Vec::new();
    for (at, word) in words(&code) {
        if !matches!(word, "for" | "while") {
            continue;
        }
        if loops.last().is_some_and(|outer| at < outer.condition.end) {
            return Err((line(at), format!("'{word}' stands in the condition of another loop")));
        }
        let begin = at + word.len();
        let open = begin + code[begin..].len() - code[begin..].trim_start().len();
        let inside = code[open..].starts_with('(').then(|| closing(&code, open)).flatten();
        let Some(close) = inside else {
            return Err((
                line(at),
                format!("'{word}' must have its condition in parentheses behind it"),
            ));
        };
        let inside = open + 1..close;
        if word == "while" {
            loops.push(Loop { condition: inside, turns: None });
            continue;
        }
        let mut parts = code[inside.clone()].match_indices(';').map(|(i, _)| inside.start + i);
        let (Some(first), Some(second)) = (parts.next(), parts.next()) else {
            return Err((line(at), "a 'for' has three parts, with ';' between them".into()));
        };
        let turns = (loops.len() < MAX_PLAIN).then(|| {
            literal_turns(
                &code[inside.start..first],
                &code[first + 1..second],
                &code[second + 1..close],
                statement(&code, close + 1),
            )
        });
        let turns = turns.flatten();
        loops.push(Loop { condition: first + 1..second, turns });
    }
    Ok(loops)
}

/// Where words are put together that cannot be seen as they stand, and what is wrong with that.
fn hidden_words(code: &str) -> Option<(usize, &'static str)> {
    if let Some(at) = code.find("##") {
        return Some((at, "'##' is no part of GLSL"));
    }
    let is_split = |(at, end): &(usize, &str)| {
        code[..*at].ends_with(is_word) && code[at + end.len()..].starts_with(is_word)
    };
    let ends = code.match_indices("\\\n").chain(code.match_indices("\\\r\n"));
    ends.into_iter().find(is_split).map(|(at, _)| (at, "a word goes on in the next line"))
}

/// How often `for (int i = 0; i < 9; i++)` turns, if it is as plain as that and nothing else changes `i`.
fn literal_turns(start: &str, condition: &str, step: &str, body: &str) -> Option<u64> {
    let start = start.trim();
    let start = start
        .strip_prefix("int ")
        .or(start.strip_prefix("uint "))
        .or(start.strip_prefix("float "))?;
    let (name, first) = start.split_once('=')?;
    let name = name.trim();
    let number = |text: &str| text.trim().trim_end_matches(['u', 'U', 'f']).parse::<f64>().ok();
    let first = number(first)?;
    let (compared, last) = condition.split_once('<')?;
    let (last, is_inclusive) = match last.strip_prefix('=') {
        Some(last) => (last, 1.0),
        None => (last, 0.0),
    };
    let step: String = step.split_whitespace().collect();
    let by = match step.strip_prefix(name) {
        Some("++") => 1.0,
        Some(step) => number(step.strip_prefix("+=")?)?,
        None if step == format!("++{name}") => 1.0,
        None => return None,
    };
    let is_changed = words(body).filter(|(_, word)| *word == name).any(|(at, _)| {
        let after = body[at + name.len()..].trim_start();
        let before = body[..at].trim_end();
        let assigns = after.starts_with('=') && !after.starts_with("==");
        let combines = after.get(1..2) == Some("=") && !after.starts_with(['=', '<', '>', '!']);
        assigns
            || combines
            || after.starts_with("++")
            || after.starts_with("--")
            || before.ends_with("++")
            || before.ends_with("--")
    });
    let turns = (number(last)? - first) / by + is_inclusive;
    let is_plain = compared.trim() == name && by > 0.0 && turns.is_finite() && !is_changed;
    is_plain.then_some(turns.max(0.0).ceil() as u64)
}

/// The statement or block that begins at `at`.
fn statement(code: &str, at: usize) -> &str {
    let rest = &code[at..];
    if rest.trim_start().starts_with('{') {
        let open = at + rest.len() - rest.trim_start().len();
        return match closing(code, open) {
            Some(close) => &code[open..close],
            None => rest,
        };
    }
    // Another loop without braces may follow: then all that follows counts.
    match rest.find(';') {
        Some(end) if !rest[..end].contains("for") => &rest[..end],
        _ => rest,
    }
}

/// The place of the bracket that closes the one at `open`.
fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'(' | b'{' => depth += 1,
            b')' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_loops_stay_as_they_are() {
        for body in [
            "for (int i = 0; i < 9; i++) { for (int j=-1; j <= 1; ++j) sum += i == j; }",
            "// while true\nfor (float x = 0.0; x < 4.0; x += 0.5) { y = x; }",
            "no loop",
        ] {
            assert_eq!(bounded(body).unwrap(), body);
        }
    }

    #[test]
    fn others_are_counted() {
        for (body, wanted) in [
            ("for (;;) {}", "for (;kz_turn();) {}"),
            ("while (true) ;", "while ((true) && kz_turn()) ;"),
            ("do { x++; } while(\nx < 9);", "while((x < 9) && kz_turn()\n);"),
            ("for (int i = 0; i < 9; i++) { i = 0; }", "i < 9) && kz_turn();"),
            ("for (int i = 0; i < 9; i++) i -= 1;", "(i < 9) && kz_turn();"),
            ("for (int i = 0; i < 99999999; i++) {}", "&& kz_turn()"),
            ("for (int i = 0; i < n; i++) {}", "&& kz_turn()"),
            ("for (int i = 0; i < 9; i += 0) {}", "&& kz_turn()"),
            ("#define LOOP for (;;)\nLOOP {}", "#define LOOP for (;kz_turn();)"),
        ] {
            let text = bounded(body).unwrap();
            assert!(text.contains(wanted), "{text}");
            assert_eq!(text.matches('\n').count(), body.matches('\n').count());
        }
        let many = "for (int i = 0; i < 1; i++) { ".repeat(100_000);
        assert!(bounded(&many).unwrap().contains("kz_turn"));
        let nested = "for (int a = 0; a < 4000; a++) for (int b = 0; b < 4000; b++) {}";
        assert_eq!(bounded(nested).unwrap().matches("kz_turn()").count(), 2);
    }

    #[test]
    fn a_loop_in_disguise_is_refused() {
        assert_eq!(bounded("\n#define F for\nF (;;) {}").unwrap_err().0, 1);
        assert!(bounded("for (x) {}").is_err());
        assert!(bounded("while").is_err());
        for hidden in [
            "\nfo\\\nr (;;) {}",
            "\n#define F(a) fo##a",
            "\nfor (int i = while (true); i < 2; i++)",
        ] {
            assert_eq!(bounded(hidden).unwrap_err().0, 1, "{hidden}");
        }
        assert!(bounded("#define A \\\n  b").is_ok());
    }
}
