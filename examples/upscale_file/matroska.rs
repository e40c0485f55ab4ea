//! What GStreamer's Matroska muxer cannot do, done to its finished file by Matroska's specification (RFC 9559): attachments are
//! copied, text in tags is brought back from the form in which the muxer writes it, and names that it made up are taken away.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, ensure};

const SEGMENT: u32 = 0x1853_8067;
const ATTACHMENTS: u32 = 0x1941_A469;
const INFO: u32 = 0x1549_A966;
const SEEK_ID: u32 = 0x53AB;
const SEEK_POSITION: u32 = 0x53AC;
const TAG_STRING: u32 = 0x4487;
const TRACK_NAME: u32 = 0x536E;
/// Elements that hold the ones above: SeekHead, Seek, Tags, Tag, SimpleTag, Tracks, TrackEntry.
const OUTER: [u32; 7] = [0x114D_9B74, 0x4DBB, 0x1254_C367, 0x7373, 0x67C8, 0x1654_AE6B, 0xAE];
/// What the muxer calls tracks without a name.
const MADE_UP: [&[u8]; 3] = [b"Video", b"Audio", b"Subtitle"];
/// Text beyond this is left as it is.
const LONGEST_TEXT: u64 = 1 << 20;

/// Repairs a file that the muxer wrote for the film `source`.
///
/// # Errors
/// If one of them cannot be read, or the file not be written.
pub fn finish(file: &Path, source: &Path) -> Result<()> {
    let attachments = attachments(source).context("its attachments cannot be read")?;
    let mut mkv = File::options().read(true).write(true).open(file)?;
    let end = mkv.metadata()?.len();
    let segment = segment(&mut mkv, end)?.context("the new file has no segment")?;
    let mut repair = Repair { mkv: &mut mkv, info: None };
    repair.within(segment.begin, segment.end)?;
    let info = repair.info;
    let Some((attachments, info)) = attachments.zip(info) else { return Ok(()) };
    // What lies behind the pictures must be in the list of places, which is full; nobody looks for the head there, as it follows.
    put(&mut mkv, end, &attachments)?;
    put(&mut mkv, info.0, &ATTACHMENTS.to_be_bytes())?;
    put(&mut mkv, info.1, &(end - segment.begin).to_be_bytes())?;
    let size = end + attachments.len() as u64 - segment.begin;
    put(&mut mkv, segment.begin - 8, &(size | 1 << 56).to_be_bytes())
}

/// The attachments of a Matroska file, as they are in it; none of another kind of file.
///
/// # Errors
/// If the system refuses.
pub fn attachments(source: &Path) -> Result<Option<Vec<u8>>> {
    let mut film = File::open(source)?;
    let end = film.metadata()?.len();
    let Some(segment) = segment(&mut film, end).unwrap_or_default() else { return Ok(None) };
    let mut at = segment.begin;
    while at < segment.end {
        // A file that ends early has none behind the damage.
        let Ok(element) = head(&mut film, at, segment.end) else { return Ok(None) };
        if element.id == ATTACHMENTS {
            let mut bytes = vec![0; usize::try_from(element.end - at)?];
            film.seek(SeekFrom::Start(at))?;
            film.read_exact(&mut bytes)?;
            return Ok(Some(bytes));
        }
        at = element.end;
    }
    Ok(None)
}

/// An element: where its content lies.
struct Element {
    id: u32,
    begin: u64,
    end: u64,
}

struct Repair<'a> {
    mkv: &'a mut File,
    /// Where the list of places says what and where the head is.
    info: Option<(u64, u64)>,
}

impl Repair<'_> {
    fn within(&mut self, mut at: u64, end: u64) -> Result<()> {
        let mut is_info = None;
        while at < end {
            let element = head(self.mkv, at, end)?;
            let size = element.end - element.begin;
            match element.id {
                SEEK_ID if size == 4 => {
                    let is_head = self.content(&element)? == INFO.to_be_bytes();
                    is_info = is_head.then_some(element.begin);
                }
                SEEK_POSITION if size == 8 => {
                    self.info = self.info.or(is_info.map(|id| (id, element.begin)));
                }
                TAG_STRING if size < LONGEST_TEXT => self.unwrap(&element)?,
                TRACK_NAME if size < 64 => self.remove_made_up(at, &element)?,
                id if OUTER.contains(&id) => self.within(element.begin, element.end)?,
                _ => {}
            }
            at = element.end;
        }
        Ok(())
    }

    fn content(&mut self, element: &Element) -> Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(element.end - element.begin)?];
        self.mkv.seek(SeekFrom::Start(element.begin))?;
        self.mkv.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The muxer puts text with spaces in quotes, as GStreamer's command line has it. Zeros may follow a text.
    fn unwrap(&mut self, element: &Element) -> Result<()> {
        let wrapped = self.content(element)?;
        let Some(mut text) = unwrapped(&wrapped) else { return Ok(()) };
        text.resize(wrapped.len(), 0);
        put(self.mkv, element.begin, &text)
    }

    fn remove_made_up(&mut self, at: u64, element: &Element) -> Result<()> {
        let name = self.content(element)?;
        if element.begin - at == 3 && MADE_UP.contains(&without_zeros(&name)) {
            // An empty element of the same size, whose head is one byte for what it is and two for its size.
            put(self.mkv, at, &[0xEC, 0x40, name.len() as u8])?;
        }
        Ok(())
    }
}

/// Text may end with zeros, and the muxer's does.
fn without_zeros(text: &[u8]) -> &[u8] {
    let length = text.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &text[..length]
}

/// The text within quotes, without backslashes: these stand before single characters, and before bytes in octal digits.
fn unwrapped(text: &[u8]) -> Option<Vec<u8>> {
    let mut rest = without_zeros(text).strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'\\', [a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..]) => {
                plain.push((a - b'0') << 6 | (b - b'0') << 3 | (c - b'0'));
                rest = after;
            }
            (b'\\', [escaped, after @ ..]) => {
                plain.push(*escaped);
                rest = after;
            }
            _ => plain.push(byte),
        }
    }
    Some(plain)
}

/// The one element that holds the film.
fn segment(mkv: &mut File, end: u64) -> Result<Option<Element>> {
    let mut at = 0;
    while at < end {
        let element = head(mkv, at, end)?;
        if element.id == SEGMENT {
            return Ok(Some(element));
        }
        at = element.end;
    }
    Ok(None)
}

/// What begins at `at`.
fn head(mkv: &mut File, at: u64, end: u64) -> Result<Element> {
    mkv.seek(SeekFrom::Start(at))?;
    let (id, id_bytes) = number(mkv, 4, true)?;
    let (size, size_bytes) = number(mkv, 8, false)?;
    let begin = at + id_bytes + size_bytes;
    // All ones: up to the end.
    let is_open = size == (1 << (7 * size_bytes)) - 1;
    let next = if is_open { Some(end) } else { begin.checked_add(size) };
    let next = next.filter(|&next| next <= end);
    let id = u32::try_from(id)?;
    Ok(Element { id, begin, end: next.context("an element is longer than what it lies in")? })
}

/// A number that says by its first bits how many bytes it has; with these bits, or without.
fn number(mkv: &mut File, most: u32, with_marker: bool) -> Result<(u64, u64)> {
    let mut byte = [0];
    mkv.read_exact(&mut byte)?;
    let zeros = byte[0].leading_zeros();
    ensure!(zeros < most, "what is no element");
    let marker = 0x80u8 >> zeros;
    let mut number = u64::from(if with_marker { byte[0] } else { byte[0] ^ marker });
    for _ in 0..zeros {
        mkv.read_exact(&mut byte)?;
        number = number << 8 | u64::from(byte[0]);
    }
    Ok((number, u64::from(zeros) + 1))
}

fn put(mkv: &mut File, at: u64, bytes: &[u8]) -> Result<()> {
    let write = |mkv: &mut File| -> io::Result<()> {
        mkv.seek(SeekFrom::Start(at))?;
        mkv.write_all(bytes)
    };
    write(mkv).context("cannot write to the work folder")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_out_of_quotes() {
        let cases: [(&[u8], Option<&str>); 4] = [
            (b"\"The\\ Film\"\0", Some("The Film")),
            (br#""\347\265\206\ \"x\"""#, Some("絆 \"x\"")),
            (b"Somebody", None),
            (b"\"", None),
        ];
        for (wrapped, plain) in cases {
            assert_eq!(unwrapped(wrapped), plain.map(|text| text.as_bytes().to_vec()));
        }
    }
}
