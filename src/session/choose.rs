//! Which model, and which provider runs it.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::config::{Config, Notice, SessionError};
use super::direct;
use super::memory::Memory;
use crate::engine::{
    self, Cancel, Contract, EngineError, EngineInfo, EngineOptions, ModelSource, Precision,
    Provider,
};
use crate::models::{self, Card, ModelError, Report};
use crate::upscale::Tensor;

/// What became of one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The provider.
    pub provider: Provider,
    /// Why it was not taken; `None` is the one that was.
    pub refused: Option<String>,
}

/// A model that was found and inspected, and the provider that ran it.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The ONNX file.
    pub source: ModelSource,
    /// What was found out about it.
    pub report: Report,
    /// The same, for tiling.
    pub contract: Arc<Contract>,
    /// What runs it.
    pub info: EngineInfo,
    /// Every provider that was tried, in order; the last one is taken.
    pub verdicts: Vec<Verdict>,
    /// For each precision that was asked for, the one that passed validation; found out once.
    pub(super) validated: Arc<Mutex<HashMap<Precision, Precision>>>,
    /// What was found out at other times.
    pub(super) memory: Memory,
}

impl Loaded {
    /// Finds and inspects the model and chooses the provider.
    ///
    /// # Errors
    /// The model's own faults; what a provider that was asked for by name says, unless it may be replaced.
    pub fn open(config: &Config, cancel: &Cancel) -> Result<(Self, Vec<Notice>), SessionError> {
        let models::Found { source, card, warnings } =
            models::resolve(config.model.as_deref(), &config.search)?;
        let mut notices: Vec<Notice> = warnings.into_iter().map(Notice).collect();
        let mut verdicts = Vec::new();
        let mut why_not_asked = String::new();
        for provider in candidates(config, &source) {
            match inspect_on(provider, &source, card.as_ref(), config, cancel) {
                Ok(Inspected { report, info, memory }) => {
                    if let Some(asked) = config.provider.filter(|&asked| asked != provider) {
                        notices.push(Notice(format!(
                            "provider {asked} cannot be used, {provider} runs instead: {why_not_asked}"
                        )));
                    }
                    notices.extend(report.warnings.iter().cloned().map(Notice));
                    notices.extend(other_batch(config, &report));
                    verdicts.push(Verdict { provider, refused: None });
                    let contract = Arc::new(report.contract.clone());
                    let validated = Arc::default();
                    return Ok((
                        Self { source, report, contract, info, verdicts, validated, memory },
                        notices,
                    ));
                }
                // The model itself is at fault: the next provider would say the same.
                Err(e) if e.is_models_fault() => return Err(e),
                Err(e) if e.is_cancelled() => return Err(e),
                Err(e) if config.provider.is_some() && !config.replace_provider => return Err(e),
                Err(e) => {
                    if config.provider == Some(provider) {
                        why_not_asked = e.cause();
                    }
                    verdicts.push(Verdict { provider, refused: Some(e.brief()) });
                }
            }
        }
        let reasons: Vec<_> = verdicts
            .iter()
            .map(|v| format!("{}: {}", v.provider, v.refused.as_deref().unwrap_or("-")))
            .collect();
        Err(SessionError::NoProvider { model: source.name, reasons: reasons.join("; ") })
    }

    /// One line for `active-provider`: what runs, and why the others before it do not.
    pub fn describe_provider(&self, info: &EngineInfo) -> String {
        let mut text =
            format!("{} ({}, {}, {})", info.provider, info.runtime, info.device, info.precision);
        // Those that lack the same thing (ONNX Runtime, mostly) are told together.
        for same in self.verdicts.chunk_by(|a, b| a.refused == b.refused) {
            if let Some(Verdict { refused: Some(why), .. }) = same.first() {
                let names: Vec<_> = same.iter().map(|v| v.provider.nick()).collect();
                text.push_str(&format!("; not {}: {why}", names.join(", ")));
            }
        }
        text
    }
}

/// What is to be said where the model's fixed batch is not what was asked for.
fn other_batch(config: &Config, report: &Report) -> Option<Notice> {
    let (asked, fixed) = config.batch_size.zip(report.contract.input.batch)?;
    (asked != fixed).then(|| {
        Notice(format!("batch-size {asked} is not used: the model's batch is fixed to {fixed}"))
    })
}

/// Providers in the order in which they are tried.
fn candidates(config: &Config, source: &ModelSource) -> Vec<Provider> {
    match config.provider {
        None => engine::auto_order(source, &engine_options(config, Precision::Fp32)),
        Some(asked) if config.replace_provider => {
            let mut all = vec![asked];
            all.extend([Provider::Cpu, Provider::Embedded].into_iter().filter(|&p| p != asked));
            all
        }
        Some(asked) => vec![asked],
    }
}

/// Options for an engine of this session.
pub(super) fn engine_options(config: &Config, precision: Precision) -> EngineOptions {
    let mut options =
        EngineOptions { precision, search: config.search.clone(), ..config.engine.clone() };
    options.provider_options.retain(|(key, _)| !direct::OPTIONS.contains(&key.as_str()));
    options
}

/// A model that a provider runs, as far as is known.
struct Inspected {
    report: Report,
    info: EngineInfo,
    memory: Memory,
}

/// Inspects the model on `provider`: from memory, or from the graph alone where that is enough, or by running it.
fn inspect_on(
    provider: Provider,
    source: &ModelSource,
    card: Option<&Card>,
    config: &Config,
    cancel: &Cancel,
) -> Result<Inspected, SessionError> {
    let options = engine_options(config, Precision::Fp32);
    let (mut info, mut memory) = (None, Memory::default());
    let report = models::inspect_with(source, card, |graph, known| {
        let fault = |cause| ModelError::Probe { model: source.name.clone(), cause };
        info = engine::identify(provider, source, &options).map_err(fault)?;
        if let Some(info) = &info {
            memory = Memory::new(source, card, info, &options);
            let proven =
                || models::proven(graph, known).filter(|_| is_shipped(source, card, config));
            if let Some(measured) = memory.measured().or_else(proven) {
                return Ok(measured);
            }
        }
        let mut opened = engine::open_unless_cancelled(provider, source, None, &options, cancel)
            .map_err(fault)?;
        let measured = models::probe(source, graph, known, &mut |input| {
            let mut output = Tensor::zeros(input.shape, input.layout, input.element());
            opened.run(input, &mut output, cancel)?;
            Ok(output)
        })?;
        info = Some(opened.info().clone());
        memory.keep_measured(&measured);
        Ok(measured)
    })?;
    let info = info.ok_or_else(|| EngineError::Run("nothing ran".into()))?;
    Ok(Inspected { report, info, memory })
}

/// Whether it is one of ours, unchanged, on a processor: those are known to run and to keep to what their graphs say.
fn is_shipped(source: &ModelSource, card: Option<&Card>, config: &Config) -> bool {
    let is_cpu = config.engine.device.as_deref().is_none_or(|device| device == "CPU");
    let sum = card.filter(|card| !card.is_sidecar).and_then(|card| card.sha256.as_deref());
    is_cpu && sum.is_some_and(|sum| sum.eq_ignore_ascii_case(&source.sha256()))
}
