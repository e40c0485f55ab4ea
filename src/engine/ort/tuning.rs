//! What providers are told that nobody asked for: what makes them fast, and their results the same every time.

use std::path::Path;

use super::loader::Loaded;
use super::make::Recipe;
use crate::cache::Key;
use crate::engine::{EngineOptions, Precision, Provider, library, nvidia};

/// How a session is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tuning<'a> {
    /// Whether its runs are recorded and repeated as one command: its tensors stay where they are.
    pub records: bool,
    /// Where compiled models are kept.
    pub folder: Option<&'a Path>,
}

impl Tuning<'_> {
    /// Options of `provider`'s classic form, in its words.
    pub fn settings(
        &self,
        provider: Provider,
        options: &EngineOptions,
    ) -> Vec<(&'static str, String)> {
        let mut pairs = match provider {
            Provider::Cuda => cuda(options.precision),
            Provider::TensorRt => self.tensorrt(),
            _ => return Vec::new(),
        };
        if self.records {
            let key = if provider == Provider::Cuda {
                "enable_cuda_graph"
            } else {
                "trt_cuda_graph_enable"
            };
            pairs.push((key, "1".into()));
        }
        if let Some(bytes) = options.device_memory {
            let key =
                if provider == Provider::Cuda { "gpu_mem_limit" } else { "trt_max_workspace_size" };
            pairs.push((key, bytes.to_string()));
        }
        pairs
    }

    fn tensorrt(&self) -> Vec<(&'static str, String)> {
        let Some(folder) = self.folder.and_then(Path::to_str) else { return Vec::new() };
        let set = |name, value: &str| (name, value.to_owned());
        vec![
            set("trt_engine_cache_enable", "1"),
            set("trt_engine_cache_path", folder),
            set("trt_timing_cache_enable", "1"),
            set("trt_timing_cache_path", folder),
        ]
    }
}

fn cuda(precision: Precision) -> Vec<(&'static str, String)> {
    let mut pairs = vec![
        // An exhaustive search takes what was fastest that time, so results would differ from run to run.
        ("cudnn_conv_algo_search", "HEURISTIC".to_owned()),
        // Tiles have one shape: the arena never needs more than the first run took.
        ("arena_extend_strategy", "kSameAsRequested".to_owned()),
        // fp32 is what others are compared with.
        ("use_tf32", "0".to_owned()),
    ];
    if precision == Precision::Fp16 {
        // As tensor cores take pictures; else each convolution turns its picture round and back.
        pairs.push(("prefer_nhwc", "1".to_owned()));
    }
    pairs
}

/// The key of what `recipe` compiles; `None` where nothing is compiled, or its bytes are not all that counts.
///
/// ONNX Runtime names TensorRT's files by the names in a graph alone (microsoft/onnxruntime#32254), so that another model's
/// or another shape's would be taken for its own: hence a folder for each.
pub(super) fn key(recipe: &Recipe, loaded: &Loaded) -> Option<Key> {
    let Recipe { provider, model, file, dims, is_fixed, options, .. } = recipe;
    let is_users = options.provider_options.iter().any(|(key, _)| key.contains("cache"));
    let is_compiled = *provider == Provider::TensorRt && *is_fixed && file.is_none();
    if !is_compiled || is_users || options.cache.is_off() {
        return None;
    }
    let gpu = nvidia::gpu(options)?;
    let key = Key::new("tensorrt")
        .with("model", model.sha256())
        .with("dims", dims)
        .with("precision", options.precision)
        .with("options", &options.provider_options)
        .with("memory", options.device_memory)
        .with("runtime", &loaded.name)
        .with("tensorrt", library::version_of("nvinfer", loaded.path.parent()))
        .with("device", (&gpu.name, &gpu.capability))
        .with("driver", &gpu.driver);
    Some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(provider: Provider, tuning: Tuning, options: &EngineOptions) -> String {
        let pairs = tuning.settings(provider, options);
        pairs.iter().map(|(key, value)| format!("{key}={value} ")).collect()
    }

    #[test]
    fn options_of_the_provider_have_the_last_word_on_its_device() {
        let mut options = EngineOptions::default();
        assert_eq!(options.cuda_device(), "0");
        options.device = Some("1".into());
        assert_eq!(options.cuda_device(), "1");
        options.provider_options.push(("device_id".into(), "2".into()));
        assert_eq!(options.cuda_device(), "2");
    }

    #[test]
    fn limits_folders_and_precisions_are_told() {
        let half = EngineOptions {
            precision: Precision::Fp16,
            device_memory: Some(512 << 20),
            ..EngineOptions::default()
        };
        let recorded = Tuning { records: true, folder: Some(Path::new("/cache/x.d")) };
        let text = settings(Provider::Cuda, recorded, &half);
        for part in ["gpu_mem_limit=536870912 ", "enable_cuda_graph=1 ", "prefer_nhwc=1 "] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let text = settings(Provider::TensorRt, recorded, &half);
        for part in ["trt_engine_cache_path=/cache/x.d ", "trt_max_workspace_size=536870912 "] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let plain = settings(Provider::Cuda, Tuning::default(), &EngineOptions::default());
        assert!(plain.contains("use_tf32=0 "), "{plain}");
        assert!(
            !["gpu_mem_limit", "cuda_graph", "nhwc"].iter().any(|w| plain.contains(w)),
            "{plain}"
        );
        assert_eq!(settings(Provider::DirectMl, recorded, &half), "");
    }
}
