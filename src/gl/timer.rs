//! How long passes take on the device, measured without waiting for it.

use glow::NativeQuery;

use super::context::Gl;

/// Time of one pass.
#[derive(Debug, Default)]
pub struct Timer {
    query: Option<NativeQuery>,
    is_waiting: bool,
    is_running: bool,
    is_warm: bool,
    nanoseconds: u64,
    samples: u64,
}

impl Timer {
    /// A timer; one that measures nothing where the context cannot.
    pub fn new(gl: &Gl) -> Self {
        let (_, is_es) = gl.version();
        let query = if is_es { None } else { gl.create_query().ok() };
        Self { query, ..Self::default() }
    }

    /// Begins, unless an earlier result is still on its way.
    pub fn begin(&mut self, gl: &Gl) {
        let Some(query) = self.query else { return };
        if self.is_waiting {
            if gl.get_query_parameter_u32(query, glow::QUERY_RESULT_AVAILABLE) == 0 {
                return;
            }
            let nanoseconds = gl.get_query_parameter_u32(query, glow::QUERY_RESULT);
            // The first one has compiling in it.
            if std::mem::replace(&mut self.is_warm, true) {
                self.nanoseconds += u64::from(nanoseconds);
                self.samples += 1;
            }
            self.is_waiting = false;
        }
        gl.begin_query(glow::TIME_ELAPSED, query);
        self.is_running = true;
    }

    /// Ends what [`Timer::begin`] began.
    pub fn end(&mut self, gl: &Gl) {
        if std::mem::take(&mut self.is_running) {
            gl.end_query(glow::TIME_ELAPSED);
            self.is_waiting = true;
        }
    }

    /// Mean time in milliseconds; `None` before the first result.
    pub fn milliseconds(&self) -> Option<f64> {
        (self.samples > 0).then(|| self.nanoseconds as f64 / self.samples as f64 / 1e6)
    }

    pub fn delete(self, gl: &Gl) {
        self.query.into_iter().for_each(|query| gl.delete_query(query));
    }
}
