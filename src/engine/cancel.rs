//! A flag that stops a run from another thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A shared flag: raised by flush, seek and stop; looked at between tiles and inside a run.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A flag that is not raised.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks whoever holds a clone to stop.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Lets work go on again.
    pub fn clear(&self) {
        self.0.store(false, Ordering::Release);
    }

    /// Whether work should stop.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
