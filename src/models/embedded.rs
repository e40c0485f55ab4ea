//! The models that are compiled in: Anime4K, small enough and cleanly licensed (MIT).

use std::path::Path;
use std::sync::Arc;

use super::card::Card;
use super::error::ModelError;
use crate::engine::ModelSource;

/// The model that runs where none is asked for.
pub const DEFAULT: &str = "anime4k-vl";

/// Name, card and ONNX file of each.
const MODELS: [(&str, &str, &[u8]); 2] = [
    (
        "anime4k-m",
        include_str!("../../models/anime4k-m.toml"),
        include_bytes!("../../models/anime4k-m.onnx"),
    ),
    (
        "anime4k-vl",
        include_str!("../../models/anime4k-vl.toml"),
        include_bytes!("../../models/anime4k-vl.onnx"),
    ),
];

/// Names of the models that are compiled in.
pub fn names() -> impl Iterator<Item = &'static str> {
    MODELS.into_iter().map(|(name, ..)| name)
}

/// The compiled-in model of this name, and its card.
///
/// # Errors
/// [`ModelError::Card`] where the compiled-in card is not a card: a mistake of the build, which a test finds.
pub fn embedded(name: &str) -> Option<Result<(ModelSource, Card), ModelError>> {
    let (name, card, bytes) = MODELS.into_iter().find(|(known, ..)| *known == name)?;
    let source = ModelSource { name: name.into(), path: None, bytes: Arc::from(bytes) };
    let card = Card::parse(card, Path::new(name));
    Some(card.map(|card| (source, card)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_belong_to_their_models() {
        for name in names() {
            let (_, card) = embedded(name).unwrap().unwrap();
            assert_eq!(card.name, name);
        }
        assert!(names().any(|name| name == DEFAULT));
        assert!(embedded("no-such").is_none());
    }
}
