//! A finished segment's file: coded frames with their exact times.
//!
//! ```text
//! MAGIC, then records: a letter, and
//!   C  length u32, caps as text     once, before the first frame
//!   F  length u32, shown at u64 ns, duration u64 ns (all ones: unknown), key frame u8, the coded frame
//!   E  number of frames u64, SHA-256 of everything before it
//! ```

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};

const MAGIC: &[u8] = b"kizuna segment 1\n";
/// The end: its letter, a number, a checksum.
const END_BYTES: usize = 1 + 8 + 32;
/// What no frame and no caps reach: more is damage.
const LARGEST: usize = 1 << 30;

/// A coded frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// When it is shown, in ns of running time.
    pub time: u64,
    /// How long, in ns, where it is known.
    pub duration: Option<u64>,
    /// Whether decoding can begin here.
    pub is_key: bool,
    /// The frame.
    pub data: Vec<u8>,
}

/// Writes a segment.
pub struct Writer {
    file: BufWriter<File>,
    sum: Sha256,
    frames: u64,
}

impl Writer {
    /// Makes the file.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        let mut writer = Self { file, sum: Sha256::new(), frames: 0 };
        writer.put(MAGIC)?;
        Ok(writer)
    }

    /// Says what the frames are; before the first.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn caps(&mut self, caps: &gst::CapsRef) -> io::Result<()> {
        let text = caps.to_string();
        self.put(b"C")?;
        self.put(&(text.len() as u32).to_le_bytes())?;
        self.put(text.as_bytes())
    }

    /// Adds a frame.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn frame(&mut self, packet: &Packet) -> io::Result<()> {
        self.frames += 1;
        self.put(b"F")?;
        self.put(&(packet.data.len() as u32).to_le_bytes())?;
        self.put(&packet.time.to_le_bytes())?;
        self.put(&packet.duration.unwrap_or(u64::MAX).to_le_bytes())?;
        self.put(&[packet.is_key.into()])?;
        self.put(&packet.data)
    }

    /// Completes the file and waits until the disk has it; the number of frames.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn finish(mut self) -> io::Result<u64> {
        let sum = self.sum.finalize_reset();
        self.file.write_all(b"E")?;
        self.file.write_all(&self.frames.to_le_bytes())?;
        self.file.write_all(&sum)?;
        self.file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        Ok(self.frames)
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sum.update(bytes);
        self.file.write_all(bytes)
    }
}

/// How many frames a segment has, by its end alone.
///
/// # Errors
/// If it is no complete segment.
pub fn count(path: &Path) -> Result<u64> {
    let mut file = File::open(path)?;
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    file.seek(SeekFrom::End(-(END_BYTES as i64)))?;
    let mut end = [0; END_BYTES];
    file.read_exact(&mut end)?;
    ensure!(magic == MAGIC && end[0] == b'E', "{} is no complete segment", path.display());
    let mut number = [0; 8];
    number.copy_from_slice(&end[1..9]);
    Ok(u64::from_le_bytes(number))
}

/// When the frames of a segment are shown, in the order in which they are coded; the frames themselves are not read.
///
/// # Errors
/// If the file is damaged.
pub fn times(path: &Path) -> Result<Vec<u64>> {
    let mut reader = Reader::open(path)?;
    let mut times = Vec::new();
    loop {
        match reader.letter()? {
            b'C' => reader.read_caps()?,
            b'F' => {
                let (packet, length) = reader.head()?;
                times.push(packet.time);
                reader.file.seek_relative(length as i64)?;
            }
            b'E' => return Ok(times),
            _ => bail!("an unknown record"),
        }
    }
}

/// Reads a segment from its beginning.
pub struct Reader {
    file: BufReader<File>,
    sum: Sha256,
    frames: u64,
    /// What the frames are; none before the first, and in a segment without frames.
    pub caps: Option<gst::Caps>,
}

impl Reader {
    /// Opens the file.
    ///
    /// # Errors
    /// If it is no segment.
    pub fn open(path: &Path) -> Result<Self> {
        let file = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut reader = Self { file, sum: Sha256::new(), frames: 0, caps: None };
        ensure!(reader.take(MAGIC.len())? == MAGIC, "it does not begin as a segment does");
        Ok(reader)
    }

    /// The next frame; none at the end.
    ///
    /// # Errors
    /// If the file is damaged.
    pub fn next(&mut self) -> Result<Option<Packet>> {
        loop {
            match self.letter()? {
                b'C' => self.read_caps()?,
                b'F' => {
                    let (mut packet, length) = self.head()?;
                    packet.data = self.take(length)?;
                    self.frames += 1;
                    return Ok(Some(packet));
                }
                b'E' => return self.end().map(|()| None),
                _ => bail!("an unknown record"),
            }
        }
    }

    /// What kind of record comes next.
    fn letter(&mut self) -> Result<u8> {
        let mut letter = [0];
        self.file.read_exact(&mut letter)?;
        if letter != *b"E" {
            self.sum.update(letter);
        }
        Ok(letter[0])
    }

    fn read_caps(&mut self) -> Result<()> {
        let length = self.length()?;
        let text = String::from_utf8(self.take(length)?)?;
        self.caps = Some(text.parse().context("its caps cannot be read")?);
        Ok(())
    }

    /// A frame without its bytes, and how many they are.
    fn head(&mut self) -> Result<(Packet, usize)> {
        let length = self.length()?;
        let time = self.number()?;
        let duration = Some(self.number()?).filter(|&duration| duration != u64::MAX);
        let is_key = self.take(1)? != [0];
        Ok((Packet { time, duration, is_key, data: Vec::new() }, length))
    }

    fn end(&mut self) -> Result<()> {
        let sum = self.sum.finalize_reset();
        let frames = self.number()?;
        ensure!(frames == self.frames && self.take(sum.len())? == sum[..], "its checksum differs");
        Ok(())
    }

    fn length(&mut self) -> Result<usize> {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.take(4)?);
        let length = u32::from_le_bytes(bytes) as usize;
        ensure!(length <= LARGEST, "a record of {length} bytes");
        Ok(length)
    }

    fn number(&mut self) -> Result<u64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.take(8)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.file.read_exact(&mut bytes)?;
        self.sum.update(&bytes);
        Ok(bytes)
    }
}
