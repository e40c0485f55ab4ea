//! Keys, by the names that X gives them, and what they do.

/// What the viewer asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Action {
    Quit,
    Pause,
    /// By so many seconds.
    Seek(i64),
    /// A stage, 0 to 4, on or off.
    Toggle(usize),
    Better,
    Faster,
    /// Before and after side by side, on or off.
    Split,
    /// The line between them, by so much of the width.
    MoveSplit(f64),
    /// The network for the frame on pause, on or off.
    Network,
    /// Figures on or off.
    Figures,
    Help,
}

pub const HELP: &str = "\
1 2 3 4 5     normalize, structure, upscale, enhance, stabilize: on or off
up, down      quality
s             before on the left, after on the right; , and . move the line
n             the network for the frame on pause, on or off
i             figures on or off
left, right   5 seconds back or on
space         pause
h             this help
q, Escape     quit";

/// How far a key moves the line.
const STEP: f64 = 0.02;

/// What the key `name` does. Windows give names of keys in their own ways, the terminal gives those of X.
pub fn action(name: &str) -> Option<Action> {
    let action = match name.to_ascii_lowercase().as_str() {
        "q" | "escape" => Action::Quit,
        "space" | " " => Action::Pause,
        "left" => Action::Seek(-5),
        "right" => Action::Seek(5),
        "up" => Action::Better,
        "down" => Action::Faster,
        "s" => Action::Split,
        "comma" | "," => Action::MoveSplit(-STEP),
        "period" | "." => Action::MoveSplit(STEP),
        "n" => Action::Network,
        "i" => Action::Figures,
        "h" => Action::Help,
        digit => Action::Toggle(["1", "2", "3", "4", "5"].iter().position(|d| *d == digit)?),
    };
    Some(action)
}

/// Names of the keys whose bytes a terminal sent at once.
pub fn names(mut bytes: &[u8]) -> Vec<String> {
    const ARROWS: [(&[u8], &str); 4] =
        [(b"\x1b[A", "Up"), (b"\x1b[B", "Down"), (b"\x1b[C", "Right"), (b"\x1b[D", "Left")];
    let mut names = Vec::new();
    while let [first, rest @ ..] = bytes {
        let arrow = ARROWS.iter().find(|(code, _)| bytes.starts_with(code));
        names.push(match (arrow, first) {
            (Some((_, name)), _) => (*name).into(),
            (None, 0x1b) => "Escape".into(),
            (None, byte) => char::from(*byte).into(),
        });
        bytes = arrow.map_or(rest, |(code, _)| &bytes[code.len()..]);
        // Any other sequence is a key that nobody asks for, not Escape and letters.
        if arrow.is_none() && *first == 0x1b && !bytes.is_empty() {
            names.pop();
            break;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_and_terminals_mean_the_same() {
        for (window, terminal) in
            [("comma", ","), ("period", "."), ("space", " "), ("Up", "\x1b[A"), ("Escape", "\x1b")]
        {
            let name = names(terminal.as_bytes());
            assert_eq!(name.len(), 1, "{terminal:?}");
            assert!(action(window).is_some());
            assert_eq!(action(window), action(&name[0]), "{window}");
        }
    }

    #[test]
    fn stages_have_the_first_five_digits() {
        assert_eq!(action("1"), Some(Action::Toggle(0)));
        assert_eq!(action("5"), Some(Action::Toggle(4)));
        for name in ["0", "6", "", "Shift_L", "11"] {
            assert_eq!(action(name), None, "{name}");
        }
    }

    #[test]
    fn keys_that_were_typed_fast_come_one_by_one() {
        assert_eq!(names(b"s1\x1b[D\n"), ["s", "1", "Left", "\n"]);
        assert!(names(b"\x1b[5~").is_empty(), "Page Up must not quit");
        assert!(names(b"").is_empty());
    }
}
