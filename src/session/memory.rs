//! What was found out about a model on a provider, remembered on disk.

use serde::{Deserialize, Serialize};

use crate::cache::{self, Cache, Key};
use crate::engine::{EngineInfo, EngineOptions, ModelSource, Precision};
use crate::models::{Card, Measured};

/// Knows one model on one provider; the default knows nothing and keeps nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Memory {
    cache: Cache,
    depends_on: Vec<(&'static str, String)>,
}

/// What became of a reduced precision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Validated {
    /// What is used.
    pub precision: Precision,
    /// Why it is not what was asked for.
    pub refused: Option<String>,
}

impl Memory {
    /// What is known of `source` with `card` on the provider that calls itself `info` and is opened with `options`.
    pub fn new(
        source: &ModelSource,
        card: Option<&Card>,
        info: &EngineInfo,
        options: &EngineOptions,
    ) -> Self {
        let depends_on = vec![
            ("model", source.sha256()),
            ("card", format!("{:?}", card.map(|card| &card.contract))),
            ("provider", info.provider.to_string()),
            ("options", format!("{:?}", options.provider_options)),
            ("runtime", info.runtime.clone()),
            ("device", info.device.clone()),
            ("processor", cache::processor()),
        ];
        Self { cache: options.cache.clone(), depends_on }
    }

    /// What runs have shown.
    pub fn measured(&self) -> Option<Measured> {
        self.cache.get(&self.key("inspection"))
    }

    /// Remembers what runs have shown.
    pub fn keep_measured(&self, measured: &Measured) {
        self.cache.put(&self.key("inspection"), measured);
    }

    /// What became of `asked`.
    pub fn validated(&self, asked: Precision) -> Option<Validated> {
        self.cache.get(&self.key("precision").with("asked", asked))
    }

    /// Remembers what became of `asked`.
    pub fn keep_validated(&self, asked: Precision, validated: &Validated) {
        self.cache.put(&self.key("precision").with("asked", asked), validated);
    }

    fn key(&self, what: &'static str) -> Key {
        self.depends_on.iter().fold(Key::new(what), |key, (name, value)| key.with(name, value))
    }
}
