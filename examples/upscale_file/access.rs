//! Where decoding can begin: coded pictures after which nothing needs what came before.
//!
//! "No delta unit" is not enough. GStreamer's parsers say it of every H.264 and HEVC picture that is coded by itself, but
//! later pictures may still look at what lies before such a one: x264 writes them at scene cuts.

/// Whether a decoder that is given this picture first gives all pictures that are shown from it on.
pub fn is_entry(caps: &gst::CapsRef, buffer: &gst::BufferRef) -> bool {
    if buffer.flags().contains(gst::BufferFlags::DELTA_UNIT) {
        return false;
    }
    let Some(format) = caps.structure(0) else { return false };
    match format.name().as_str() {
        "video/x-h264" => has_nal(format, buffer, is_h264_entry, is_h264_head),
        "video/x-h265" => has_nal(format, buffer, is_h265_entry, is_h265_head),
        // Pictures look back over one anchor at most.
        "video/mpeg" => true,
        // Key frames clear everything.
        "video/x-vp8" | "video/x-vp9" | "video/x-av1" | "video/x-ffv" => true,
        // Every picture by itself.
        "image/jpeg" | "image/png" | "video/x-prores" | "video/x-dnxhd" | "video/x-huffyuv"
        | "video/x-dv" | "video/x-raw" => true,
        // Of others too little is known: they are not cut.
        _ => false,
    }
}

/// An IDR picture (5), or a message (6) that says that all is exact from here on.
fn is_h264_entry(nal: &[u8]) -> bool {
    match nal.first().map(|head| head & 0x1f) {
        Some(5) => true,
        Some(6) => recovers_at_once(&nal[1..]),
        _ => false,
    }
}

/// A sequence parameter set, without which no picture can be decoded.
fn is_h264_head(nal: &[u8]) -> bool {
    nal.first().is_some_and(|head| head & 0x1f == 7)
}

/// The same.
fn is_h265_head(nal: &[u8]) -> bool {
    nal.first().is_some_and(|head| head >> 1 & 0x3f == 33)
}

/// An intra random access point: BLA, IDR and CRA.
fn is_h265_entry(nal: &[u8]) -> bool {
    nal.first().is_some_and(|head| (16..=21).contains(&(head >> 1 & 0x3f)))
}

/// Whether one of these messages is a recovery point (6) of no frames.
fn recovers_at_once(messages: &[u8]) -> bool {
    /// The number of frames is in the first bits: 1 is none.
    const NO_FRAMES: u8 = 0x80;
    let mut bytes = messages.iter().copied();
    // Numbers above 254 are written as a row of 255 and the rest.
    let number = |bytes: &mut dyn Iterator<Item = u8>| {
        let mut sum = 0usize;
        for byte in bytes {
            sum += usize::from(byte);
            if byte != 0xff {
                return Some(sum);
            }
        }
        None
    };
    while let (Some(kind), Some(size)) = (number(&mut bytes), number(&mut bytes)) {
        match kind {
            6 => return bytes.next().is_some_and(|first| first & NO_FRAMES != 0),
            _ if size == 0 => {}
            _ if bytes.nth(size - 1).is_none() => return false,
            _ => {}
        }
    }
    false
}

/// Whether one of the units is a `wanted` one. Where their head is not in the caps, it must be there too.
fn has_nal(
    format: &gst::StructureRef,
    buffer: &gst::BufferRef,
    wanted: fn(&[u8]) -> bool,
    head: fn(&[u8]) -> bool,
) -> bool {
    let Ok(map) = buffer.map_readable() else { return false };
    let Some(bytes) = prefix(format) else {
        let has = |unit: fn(&[u8]) -> bool| {
            between_start_codes(&map).any(|nal| unit(&without_stuffing(nal)))
        };
        return has(wanted) && has(head);
    };
    Prefixed { rest: &map, bytes }.any(|nal| wanted(&without_stuffing(nal)))
}

/// Bytes of the length before each unit; none where start codes lie between them.
fn prefix(format: &gst::StructureRef) -> Option<usize> {
    // Where avcC and hvcC say it.
    let at = match format.get::<&str>("stream-format").ok()? {
        "avc" | "avc3" => 4,
        "hvc1" | "hev1" => 21,
        _ => return None,
    };
    let head = format.get::<gst::Buffer>("codec_data").ok();
    let byte = head.and_then(|head| head.map_readable().ok()?.get(at).copied());
    Some(byte.map_or(4, |byte| usize::from(byte & 3) + 1))
}

/// Units with their lengths before them.
struct Prefixed<'a> {
    rest: &'a [u8],
    bytes: usize,
}

impl<'a> Iterator for Prefixed<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_at_checked(self.bytes)?;
        let length = length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let (unit, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(unit)
    }
}

/// Units behind 00 00 01.
fn between_start_codes(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut starts = bytes.windows(3).enumerate().filter(|(_, three)| *three == [0, 0, 1]);
    let mut next = starts.next();
    std::iter::from_fn(move || {
        let (start, _) = next?;
        next = starts.next();
        Some(&bytes[start + 3..next.map_or(bytes.len(), |(end, _)| end)])
    })
}

/// The first bytes of a unit without the 3 that is put between 00 00 and a small byte; messages are never longer.
fn without_stuffing(unit: &[u8]) -> Vec<u8> {
    const ENOUGH: usize = 4096;
    let mut plain = Vec::with_capacity(unit.len().min(ENOUGH));
    for &byte in &unit[..unit.len().min(ENOUGH)] {
        if byte != 3 || !plain.ends_with(&[0, 0]) {
            plain.push(byte);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_entry_of(form: &str, bytes: &[u8]) -> bool {
        gst::init().expect("GStreamer");
        let caps = gst::Caps::builder("video/x-h264").field("stream-format", form).build();
        is_entry(&caps, &gst::Buffer::from_slice(bytes.to_vec()))
    }

    #[test]
    fn behind_start_codes_the_head_must_be_there() {
        let (head, recovery, idr): (&[u8], &[u8], &[u8]) =
            (&[0, 0, 1, 0x67, 1], &[0, 0, 1, 6, 6, 1, 0x80], &[0, 0, 1, 0x65, 1]);
        for picture in [recovery, idr] {
            assert!(!is_entry_of("byte-stream", picture));
            assert!(is_entry_of("byte-stream", &[head, picture].concat()));
        }
        assert!(!is_entry_of("byte-stream", head));
        assert!(is_entry_of("avc", &[0, 0, 0, 2, 0x65, 1]));
    }
}
