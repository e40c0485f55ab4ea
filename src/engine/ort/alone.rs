//! WebGPU one at a time. All of its sessions share one device and one list of commands, without a lock: a session that is opened
//! or run while another one's run still goes on (left behind, or another element's) fails or brings the process down.

use parking_lot::{Mutex, MutexGuard};

use crate::engine::{Cancel, Engine, EngineError, EngineInfo, Provider};
use crate::upscale::Tensor;

/// Waits until `provider` may be used; whoever waits is a thread that nobody else waits for.
pub(super) fn wait(provider: Provider) -> Option<MutexGuard<'static, ()>> {
    static WEBGPU: Mutex<()> = Mutex::new(());
    (provider == Provider::WebGpu).then(|| WEBGPU.lock())
}

/// `engine` as it may be used beside others of its provider.
pub(super) fn wrap(engine: Box<dyn Engine>) -> Box<dyn Engine> {
    match engine.info().provider {
        Provider::WebGpu => {
            let info = engine.info().clone();
            Box::new(Alone { info, engine: Some(engine) })
        }
        _ => engine,
    }
}

struct Alone {
    info: EngineInfo,
    /// `None` only while dropping.
    engine: Option<Box<dyn Engine>>,
}

impl Engine for Alone {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn run(
        &mut self,
        input: &Tensor,
        output: &mut Tensor,
        cancel: &Cancel,
    ) -> Result<(), EngineError> {
        let _alone = wait(self.info.provider);
        match &mut self.engine {
            Some(engine) => engine.run(input, output, cancel),
            None => Err(EngineError::Cancelled),
        }
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _alone = wait(self.info.provider);
        self.engine = None;
    }
}
