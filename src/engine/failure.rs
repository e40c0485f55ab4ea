//! Runtimes' messages and panics, sorted into [`EngineError`].

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{EngineError, ModelSource, Precision, Provider};

/// Parts of messages that mean "no memory", in lower case: the C++ library, ONNX Runtime's arenas, CUDA and cuDNN,
/// OpenVINO, Vulkan and Direct3D; and WebGPU, whose buffers have limits, where a smaller tile helps as well.
const OUT_OF_MEMORY: [&str; 14] = [
    "bad_alloc",
    "out of memory",
    "out_of_memory",
    "outofmemory",
    "failed to allocate",
    "memory allocation",
    "alloc_failed",
    "cannot allocate",
    "can't allocate",
    // An arena of ONNX Runtime's at its limit, and Direct3D's E_OUTOFMEMORY.
    "is smaller than requested bytes",
    "8007000e",
    "[invalid buffer",
    "too many storage buffers",
    "narrowing_error",
];

/// Whether `message` says that memory ran out.
pub(super) fn is_out_of_memory(message: &str) -> bool {
    let message = message.to_lowercase();
    OUT_OF_MEMORY.iter().any(|part| message.contains(part))
}

/// A run that failed with `message`.
pub(super) fn run(message: impl Into<String>) -> EngineError {
    let message = message.into();
    if is_out_of_memory(&message) {
        EngineError::OutOfMemory(message)
    } else {
        EngineError::Run(message)
    }
}

/// A model that `runtime` refuses for `cause`; or memory that ran out while it was opened.
pub(super) fn model(runtime: &str, model: &ModelSource, cause: impl Into<String>) -> EngineError {
    let cause = cause.into();
    if is_out_of_memory(&cause) {
        EngineError::OutOfMemory(cause)
    } else {
        EngineError::Model { runtime: runtime.into(), model: model.name.clone(), cause }
    }
}

/// `Ok` where `asked` is fp32 (or `Auto`, which engines take as fp32), else the error that `provider` has nothing else.
pub(super) fn only_fp32(provider: Provider, asked: Precision) -> Result<(), EngineError> {
    match asked {
        Precision::Auto | Precision::Fp32 => Ok(()),
        Precision::Fp16 | Precision::Bf16 => Err(EngineError::Provider {
            provider,
            cause: format!("it computes a model as it is typed and has no precision={asked}"),
            remedy: "Set precision=auto or precision=fp32, or choose an fp16 model".into(),
        }),
    }
}

/// Runs `work`, and turns a panic inside it into the error that `failed` makes of its message.
///
/// The runtimes' bindings assert on what a broken library answers; such a panic must not reach the element.
pub(super) fn guard<T>(
    work: impl FnOnce() -> Result<T, EngineError>,
    failed: impl FnOnce(String) -> EngineError,
) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(failed(format!("it panicked: {}", text(&*panic)))))
}

fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_about_memory_are_told_from_others() {
        for message in [
            "std::bad_alloc",
            "Failed to allocate memory for requested buffer of size 9663676416",
            "Check 'ptr' failed at cpu_memory.cpp:257: Failed to allocate 26214400000000 bytes of memory",
            "CUDA failure 2: out of memory ; GPU=0 ; hostname=anime",
            "CUBLAS_STATUS_ALLOC_FAILED",
            "VK_ERROR_OUT_OF_DEVICE_MEMORY: Out_Of_Memory",
            "Non-zero status code returned while running Conv node. Name:'c1' Status Message: Available memory of 5242880 is smaller \
             than requested bytes of 530841600",
            "DmlCommittedResourceAllocator.cpp(22) Exception(1) tid(1c) 8007000E Not enough memory resources are available",
            "Failed to download data from buffer. wgpu::MapAsyncStatus value: 3, message: [Invalid Buffer (unlabeled)] is \
             invalid due to a previous error.",
            "Too many storage buffers in shader. Current: 14, Max is 12",
        ] {
            assert!(matches!(run(message), EngineError::OutOfMemory(_)), "{message}");
        }
        assert!(matches!(run("Got invalid dimensions for input: x"), EngineError::Run(_)));
    }

    #[test]
    fn a_panic_becomes_an_error() {
        let result: Result<(), _> = guard(|| panic!("row {} is missing", 3), run);
        assert!(matches!(result, Err(EngineError::Run(text)) if text.contains("row 3 is missing")));
    }
}
