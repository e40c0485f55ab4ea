//! Compiled models, kept on disk.
//!
//! OpenVINO writes them by itself into its `CACHE_DIR`, but not atomically, and believes what it finds there. So each model
//! with all that its compilation depends on has a folder of its own, made under another name and checked before it is used.

use openvino::{CompiledModel, Core, InferenceError, Model, RwPropertyKey};

use super::{device_type, message};
use crate::cache::{self, Key};
use crate::engine::signature::Signature;
use crate::engine::{EngineInfo, EngineOptions, ModelSource, failure};

/// The property that names the folder. Where `provider-options` hold it, it is the user's affair.
const CACHE_DIR: &str = "CACHE_DIR";

/// The key of `model` compiled for `dims`; `None` where its bytes are not all that counts.
pub(super) fn key(
    model: &ModelSource,
    signature: &Signature,
    dims: [usize; 4],
    options: &EngineOptions,
    info: &EngineInfo,
) -> Option<Key> {
    let is_users = options.provider_options.iter().any(|(key, _)| key == CACHE_DIR);
    if signature.external_data || is_users || options.cache.is_off() {
        return None;
    }
    let key = Key::new("openvino")
        .with("model", model.sha256())
        .with("dims", dims)
        .with("precision", options.precision)
        .with("options", &options.provider_options)
        .with("runtime", &info.runtime)
        .with("device", &info.device)
        .with("processor", cache::processor())
        .with("threads", std::thread::available_parallelism().ok());
    Some(key)
}

/// Compiles `graph`, or takes what was compiled before under `key`.
pub(super) fn compile(
    core: &mut Core,
    graph: &Model,
    device: &str,
    key: Option<Key>,
    options: &EngineOptions,
) -> Result<CompiledModel, InferenceError> {
    let is_refusal = |e: &InferenceError| !failure::is_out_of_memory(&message(e));
    options.cache.compiled(key.as_ref(), is_refusal, |folder| {
        if let Some(folder) = folder.and_then(std::path::Path::to_str) {
            let property = RwPropertyKey::Other(CACHE_DIR.into());
            core.set_property(&device_type(device), &property, folder)?;
        }
        let compiled = core.compile_model(graph, device_type(device))?;
        let loaded = RwPropertyKey::Other("LOADED_FROM_CACHE".into());
        let loaded = compiled.get_property(&loaded.into()).unwrap_or_default();
        log::debug!("OpenVINO loaded it from its cache: {loaded}");
        Ok(compiled)
    })
}
