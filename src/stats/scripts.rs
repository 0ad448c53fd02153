//! What is known of scripts and functions: figures for INFO, and the libraries' sources on their way to and from files.
//! Written by whoever changes the catalogue or loads a file, read by every core.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

/// See the file's head.
#[derive(Default)]
pub struct ScriptFacts {
    /// Scripts that EVALSHA finds.
    pub scripts: AtomicU64,
    /// Bytes of their sources.
    pub scripts_bytes: AtomicU64,
    /// Scripts dropped because EVAL brought too many.
    pub evicted: AtomicU64,
    /// Function libraries.
    pub libraries: AtomicU64,
    /// Functions of all libraries.
    pub functions: AtomicU64,
    /// Bytes of the libraries' sources.
    pub libraries_bytes: AtomicU64,
    /// A script has run for longer than `busy-reply-threshold`.
    pub is_busy: AtomicBool,
    /// The libraries, as files hold them.
    sources: Mutex<Vec<Bytes>>,
    /// They were loaded from a file, and the catalogue does not have them yet.
    are_loaded: AtomicBool,
}

impl ScriptFacts {
    fn lock(&self) -> MutexGuard<'_, Vec<Bytes>> {
        // Replaced as a whole: a panic leaves nothing half done.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The libraries, as files hold them.
    pub fn sources(&self) -> Vec<Bytes> {
        self.lock().clone()
    }

    /// The catalogue has these libraries.
    pub fn set_sources(&self, sources: Vec<Bytes>) {
        *self.lock() = sources;
    }

    /// A file brought these libraries, which take the place of all others.
    pub fn load(&self, sources: Vec<Bytes>) {
        *self.lock() = sources;
        self.are_loaded.store(true, Ordering::Release);
    }

    /// Whether a file brought libraries since this was asked the last time.
    #[inline]
    pub fn take_loaded(&self) -> Option<Vec<Bytes>> {
        if !self.are_loaded.load(Ordering::Acquire) || !self.are_loaded.swap(false, Ordering::AcqRel) {
            return None;
        }
        Some(self.sources())
    }
}
