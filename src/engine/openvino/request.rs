//! Runs of a compiled network.
//!
//! OpenVINO works on threads of its own, so the caller can leave at any time. What was begun is cancelled, but ends only between
//! two kernels (measured: after more than two seconds on a busy machine): it is left behind, and the next run waits for it.

use std::sync::mpsc::channel;
use std::time::Duration;

use half::f16;
use openvino::{
    ElementType, InferRequest, InferenceError, InferenceErrorKind, Shape, Tensor as OvTensor,
};

use super::{message, signed};
use crate::engine::{Cancel, Engine, EngineError, EngineInfo, buffer, failure};
use crate::upscale::{Element, Samples, Tensor};

/// How long one wait for a request lasts, in milliseconds. A result ends the wait at once.
const POLL_MS: i64 = 20;

/// How long a drop waits for a run that was left behind, so that its memory is back before smaller tiles are tried.
const RELEASE: Duration = Duration::from_millis(50);

/// A compiled network with one request.
pub(super) struct OpenVino {
    info: EngineInfo,
    /// `None` only while dropping.
    request: Option<Request>,
    /// Whether a run was left behind, which may still go on.
    left_behind: bool,
}

/// A request and its input.
struct Request {
    request: InferRequest,
    /// In OpenVINO's memory.
    input: OvTensor,
    /// The input's dimensions, once they are known.
    input_dims: Option<[usize; 4]>,
    element: Element,
}

impl OpenVino {
    /// Runs `request`, which takes tensors of `dims` (`None`: any) of `element`.
    pub fn new(
        info: EngineInfo,
        request: InferRequest,
        dims: Option<[usize; 4]>,
        element: Element,
    ) -> Result<Self, InferenceError> {
        let input = request.get_input_tensor()?;
        let request = Request { request, input, input_dims: dims, element };
        Ok(Self { info, request: Some(request), left_behind: false })
    }

    fn run_request(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let request = self.request.as_mut().ok_or_else(|| failure::run("it is released"))?;
        if self.left_behind {
            // Its result, or its end without one, is nobody's.
            let _ = request.wait(cancel)?;
            self.left_behind = false;
        }
        request.fill(input)?;
        request.request.infer_async().map_err(failed)?;
        match request.wait(cancel) {
            Ok(result) => take(&result?, output),
            Err(cancelled) => {
                self.left_behind = true;
                request.request.cancel().map_err(failed)?;
                Err(cancelled)
            }
        }
    }
}

impl Engine for OpenVino {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        if cancel.is_raised() {
            return Err(EngineError::Cancelled);
        }
        failure::guard(|| self.run_request(input, output, cancel), failure::run)
    }
}

impl Drop for OpenVino {
    fn drop(&mut self) {
        let Some(request) = self.request.take().filter(|_| self.left_behind) else { return };
        // Releasing it waits for the run.
        let (sender, released) = channel();
        let release = move || {
            drop(request);
            let _ = sender.send(());
        };
        let thread = std::thread::Builder::new().name("kizuna-release".into()).spawn(release);
        if thread.is_ok() {
            let _ = released.recv_timeout(RELEASE);
        }
    }
}

impl Request {
    /// Waits until nothing runs: the outer error is that `cancel` was raised before, the inner one that of the run.
    fn wait(&mut self, cancel: &Cancel) -> Result<Result<OvTensor, EngineError>, EngineError> {
        use InferenceErrorKind::{InferCancelled, RequestBusy, ResultNotReady};
        loop {
            match self.request.wait(POLL_MS) {
                Err(e) if !matches!(e.kind, ResultNotReady | InferCancelled) => {
                    return Ok(Err(failed(e)));
                }
                _ => {}
            }
            // The C API does not promise what a wait that has timed out answers; the output does: as long as the request is
            // at work it is kept back, with "busy", or "cancelled" once it is.
            match self.request.get_output_tensor() {
                Ok(tensor) => return Ok(Ok(tensor)),
                Err(e) if matches!(e.kind, RequestBusy | InferCancelled) => {}
                Err(e) => return Ok(Err(failed(e))),
            }
            if cancel.is_raised() {
                return Err(EngineError::Cancelled);
            }
        }
    }

    /// Copies `input` to the request.
    fn fill(&mut self, input: &Tensor) -> Result<(), EngineError> {
        let dims = input.dims();
        if input.element() != self.element {
            let (is, wants) = (input.element(), self.element);
            return Err(failure::run(format!("the input is of {is:?}, not of {wants:?}")));
        }
        if self.input_dims != Some(dims) {
            let element = match self.element {
                Element::F32 => ElementType::F32,
                Element::F16 => ElementType::F16,
                Element::U8 => ElementType::U8,
            };
            let shape = Shape::new(&signed(dims)).map_err(failed)?;
            let tensor = OvTensor::new(element, &shape).map_err(failed)?;
            self.request.set_input_tensor(&tensor).map_err(failed)?;
            self.input = tensor;
            self.input_dims = Some(dims);
        }
        match &input.samples {
            Samples::F32(v) => put(v, self.input.get_data_mut::<f32>().map_err(failed)?),
            Samples::F16(v) => put(v, self.input.get_data_mut::<f16>().map_err(failed)?),
            Samples::U8(v) => put(v, self.input.get_data_mut::<u8>().map_err(failed)?),
        }
    }
}

fn put<T: Copy>(src: &[T], dst: &mut [T]) -> Result<(), EngineError> {
    if src.len() != dst.len() {
        let (is, wants) = (src.len(), dst.len());
        return Err(failure::run(format!("the input has {is} samples, but its shape {wants}")));
    }
    dst.copy_from_slice(src);
    Ok(())
}

/// Copies the result to `output`.
fn take(result: &OvTensor, output: &mut Tensor) -> Result<(), EngineError> {
    let samples = &mut output.samples;
    match result.get_element_type().map_err(failed)? {
        ElementType::F32 => buffer::store(result.get_data::<f32>().map_err(failed)?, samples),
        ElementType::F16 => buffer::store(result.get_data::<f16>().map_err(failed)?, samples),
        ElementType::U8 => buffer::store(result.get_data::<u8>().map_err(failed)?, samples),
        other => {
            return Err(failure::run(format!("the output is of {other}, which is no picture")));
        }
    }
    buffer::set_dims(output, result.get_shape().map_err(failed)?.get_dimensions())
}

fn failed(error: InferenceError) -> EngineError {
    failure::run(message(&error))
}
