//! A flag that one thread raises and another looks at; once raised it stays so.

use std::sync::atomic::{AtomicBool, Ordering};

/// See the file's head.
#[derive(Debug, Default)]
pub struct Flag(AtomicBool);

impl Flag {
    /// Raises it. What happened before is seen by whoever sees it raised.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether it was raised.
    pub fn is_raised(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
