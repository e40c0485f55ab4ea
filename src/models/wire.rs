//! Is a file safe to hand to the protobuf parser?
//!
//! `rten_onnx` trusts lengths (it allocates what a field claims to hold) and recurses as deep as messages are nested, so a
//! damaged or hostile file could abort the process. This walk, which every file goes through first, follows the messages
//! that the parser descends into and checks both. The inference runtimes get the same bytes, and are the safer for it.

use super::error::Rule;

/// Deepest nesting taken: subgraphs of `If` and `Loop` cost three levels each.
const MAX_DEPTH: usize = 48;

/// The messages that the parser descends into.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
    ValueInfo,
    Type,
    TensorType,
    Sequence,
    Shape,
    Leaf,
}

impl Message {
    /// What field `number` holds, where it is a message. Numbers are those of onnx.proto.
    fn field(self, number: u64) -> Option<Self> {
        Some(match (self, number) {
            (Self::Model, 7) | (Self::Attribute, 6) => Self::Graph,
            (Self::Graph, 1) => Self::Node,
            (Self::Graph, 5) | (Self::Attribute, 5) => Self::Tensor,
            (Self::Graph, 11..=13) => Self::ValueInfo,
            (Self::Node, 5) => Self::Attribute,
            (Self::ValueInfo, 2) | (Self::Sequence, 1) => Self::Type,
            (Self::Type, 1) => Self::TensorType,
            (Self::Type, 4) => Self::Sequence,
            (Self::TensorType, 2) => Self::Shape,
            (Self::Model, 8 | 14) | (Self::Tensor, 13) | (Self::Shape, 1) => Self::Leaf,
            _ => return None,
        })
    }

    /// What field `number` holds, where it is something that `rten_onnx` skips and a graph may not work without.
    fn lost(self, number: u64) -> Option<&'static str> {
        Some(match (self, number) {
            (Self::Model, 25) => "functions of its own",
            (Self::Graph, 15) | (Self::Attribute, 22 | 23) => "sparse tensors",
            (Self::Attribute, 10 | 11 | 14 | 15) => "lists of tensors, graphs or types",
            (Self::Attribute, 21) => "references to a function's attributes",
            (Self::Tensor, 6) => "strings",
            (Self::Tensor, 11) => "unsigned 64-bit numbers",
            (Self::Type, 5 | 8 | 9) => "maps, sparse tensors or optional values",
            _ => return None,
        })
    }
}

/// What `bytes`, which [`check`] has passed, hold that would be missing from a file that is parsed and written again.
pub(crate) fn lost(bytes: &[u8]) -> Option<&'static str> {
    let mut seen = Seen::default();
    // Faults were found before.
    let _ = descend(bytes, Message::Model, 0, 0, &mut seen);
    seen.lost
}

/// Checks that every length in `bytes` fits where it stands and that nesting is bounded.
///
/// # Errors
/// [`Rule::Empty`], [`Rule::NotOnnx`], [`Rule::Truncated`] or [`Rule::TooDeep`].
pub(crate) fn check(bytes: &[u8]) -> Result<(), Rule> {
    if bytes.is_empty() {
        return Err(Rule::Empty);
    }
    if bytes.starts_with(b"version https://git-lfs") {
        return Err(Rule::NotOnnx("a Git LFS pointer; fetch the file itself".into()));
    }
    let mut seen = Seen::default();
    match descend(bytes, Message::Model, 0, 0, &mut seen) {
        Err(Fault::Deep) => Err(Rule::TooDeep(MAX_DEPTH)),
        // Whatever stops half-way and began with a version is a damaged model; the rest was never one.
        Err(Fault::Cut(at)) if seen.header => Err(Rule::Truncated(format!(
            "what starts at byte {at} of {} does not fit",
            bytes.len()
        ))),
        Err(Fault::Cut(_)) => Err(Rule::NotOnnx("no ONNX header".into())),
        Ok(()) if !seen.graph => Err(Rule::NotOnnx("no graph in it".into())),
        Ok(()) => Ok(()),
    }
}

/// Which of a model's own fields came by.
#[derive(Default)]
struct Seen {
    header: bool,
    graph: bool,
    lost: Option<&'static str>,
}

enum Fault {
    /// A field that is malformed or longer than its message; its place in the file.
    Cut(usize),
    Deep,
}

/// Follows `message`, whose first byte is the file's byte `base`.
fn descend(
    bytes: &[u8],
    message: Message,
    base: usize,
    depth: usize,
    seen: &mut Seen,
) -> Result<(), Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::Deep);
    }
    let mut at = 0;
    while at < bytes.len() {
        let cut = Fault::Cut(base + at);
        let Some((tag, next)) = varint(bytes, at) else { return Err(cut) };
        let (number, kind) = (tag >> 3, tag & 7);
        seen.lost = seen.lost.or_else(|| message.lost(number));
        let end = match kind {
            0 => varint(bytes, next).map(|(_, end)| end),
            1 => next.checked_add(8),
            5 => next.checked_add(4),
            2 => {
                let Some((len, start)) = varint(bytes, next) else { return Err(cut) };
                let body = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
                let Some(body) = body.and_then(|end| bytes.get(start..end)) else {
                    return Err(cut);
                };
                seen.graph |= matches!((message, number), (Message::Model, 7));
                if let Some(inner) = message.field(number) {
                    descend(body, inner, base + start, depth + 1, seen)?;
                }
                Some(start + body.len())
            }
            _ => None,
        };
        at = match end {
            Some(end) if end <= bytes.len() && number != 0 => end,
            _ => return Err(cut),
        };
        // `ir_version`, the field that every writer puts first.
        seen.header |= matches!(message, Message::Model) && kind == 0 && number == 1;
    }
    Ok(())
}

/// The varint at `at` and the index after it.
fn varint(bytes: &[u8], at: usize) -> Option<(u64, usize)> {
    let mut value = 0;
    for (i, byte) in bytes.get(at..)?.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Some((value, at + i + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_must_fit() {
        assert_eq!(check(&[]), Err(Rule::Empty));
        // ir_version 8, then a producer name that claims 2^63 bytes.
        let liar = [8, 8, 18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert!(matches!(check(&liar), Err(Rule::Truncated(_))));
        assert!(matches!(check(b"<html>no such model</html>"), Err(Rule::NotOnnx(_))));
        assert!(matches!(check(&[8, 8]), Err(Rule::NotOnnx(_))));
        assert_eq!(check(&[8, 8, 58, 0]), Ok(()));
    }

    #[test]
    fn nesting_is_bounded() {
        let mut body = Vec::new();
        for _ in 0..200 {
            // graph { node { attribute { g: body } } }, outermost field first when wrapped.
            for tag in [50, 42, 10] {
                let mut outer = vec![tag];
                let mut len = body.len();
                while len > 0x7f {
                    outer.push((len as u8 & 0x7f) | 0x80);
                    len >>= 7;
                }
                outer.push(len as u8);
                outer.extend(&body);
                body = outer;
            }
        }
        let mut len = body.len();
        let mut model = vec![8, 8, 58];
        while len > 0x7f {
            model.push((len as u8 & 0x7f) | 0x80);
            len >>= 7;
        }
        model.push(len as u8);
        model.extend(body);
        assert_eq!(check(&model), Err(Rule::TooDeep(MAX_DEPTH)));
    }
}
