//! The `.param` file: one layer a line.
//!
//! `Type name inputs outputs INPUT… OUTPUT… id=value…`; an array with id n is written as `-23300-n=count,value,…`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

/// First line of every text `.param` file.
const MAGIC: &str = "7767517";
/// Ids from here down are arrays.
const ARRAY_BASE: i32 = -23300;

/// One layer.
#[derive(Debug)]
pub struct Layer {
    /// What it does, e.g. `Convolution`.
    pub kind: String,
    /// Its name, for messages.
    pub name: String,
    /// Blobs that it reads.
    pub inputs: Vec<String>,
    /// Blobs that it gives.
    pub outputs: Vec<String>,
    params: BTreeMap<i32, Vec<f32>>,
}

impl Layer {
    /// A whole number, or 0 where the file leaves it out: ncnn's own default for nearly all.
    pub fn int(&self, id: i32) -> i32 {
        self.params.get(&id).and_then(|v| v.first()).map_or(0, |v| *v as i32)
    }

    /// A size, or `default` where the file leaves it out.
    pub fn size(&self, id: i32, default: usize) -> usize {
        self.params.get(&id).and_then(|v| v.first()).map_or(default, |v| *v as usize)
    }

    /// A number or an array; empty where the file leaves it out.
    pub fn values(&self, id: i32) -> &[f32] {
        self.params.get(&id).map_or(&[], Vec::as_slice)
    }
}

/// Reads a whole `.param` file; line ends may be CRLF.
///
/// # Errors
/// If it is no such file; the message names the line.
pub fn parse(text: &str) -> Result<Vec<Layer>> {
    let mut lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    ensure!(lines.next() == Some(MAGIC), "not an ncnn .param file: it does not start with {MAGIC}");
    let counts = lines.next().context("an ncnn .param file without layers")?;
    let expected: usize = counts
        .split_whitespace()
        .next()
        .and_then(|n| n.parse().ok())
        .context("the second line gives no layer count")?;
    let layers = lines
        .map(|line| parse_layer(line).with_context(|| format!("in the line '{line}'")))
        .collect::<Result<Vec<_>>>()?;
    ensure!(layers.len() == expected, "{} layers where {expected} are announced", layers.len());
    Ok(layers)
}

fn parse_layer(line: &str) -> Result<Layer> {
    let mut words = line.split_whitespace();
    let mut word = || words.next().context("the line is too short");
    let (kind, name) = (word()?.to_owned(), word()?.to_owned());
    let (inputs, outputs): (usize, usize) = (word()?.parse()?, word()?.parse()?);
    let inputs = (0..inputs).map(|_| word().map(str::to_owned)).collect::<Result<_>>()?;
    let outputs = (0..outputs).map(|_| word().map(str::to_owned)).collect::<Result<_>>()?;
    let params = words.map(parse_param).collect::<Result<_>>()?;
    Ok(Layer { kind, name, inputs, outputs, params })
}

fn parse_param(word: &str) -> Result<(i32, Vec<f32>)> {
    let (id, list) = word.split_once('=').with_context(|| format!("'{word}' is not id=value"))?;
    let id: i32 = id.parse()?;
    let mut values = list.split(',').map(str::parse).collect::<Result<Vec<f32>, _>>()?;
    if id > ARRAY_BASE {
        return Ok((id, values));
    }
    let count = values.remove(0) as usize;
    ensure!(values.len() == count, "'{word}' holds {} values", values.len());
    Ok((ARRAY_BASE - id, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crlf_arrays_and_defaults() {
        let text = "7767517\r\n1 2\r\nConvolution c1 1 1 in out 0=16 1=3 -23310=1,0.100000\r\n";
        let layers = parse(text).unwrap();
        assert_eq!(layers[0].inputs, ["in"]);
        assert_eq!(layers[0].outputs, ["out"]);
        assert_eq!((layers[0].int(0), layers[0].int(5), layers[0].size(3, 1)), (16, 0, 1));
        assert_eq!(layers[0].values(10), [0.1]);
    }

    #[test]
    fn broken_files_are_errors() {
        for text in [
            "",
            "7767517",
            "hello\n1 1\n",
            "7767517\n1 1\nConv c 1 1 in\n",
            "7767517\n2 2\nA a 0 1 x\n",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
