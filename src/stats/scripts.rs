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
    sources: Mutex<Sources>,
    /// They were loaded from a file, and the catalogue does not have them yet.
    are_loaded: AtomicBool,
}

/// The libraries' sources, as files hold them.
#[derive(Default)]
struct Sources {
    /// What a file brought, until the catalogue has it.
    loaded: Vec<Bytes>,
    /// Asks the catalogue.
    catalogue: Option<Box<dyn Fn() -> Vec<Bytes> + Send>>,
}

impl ScriptFacts {
    fn lock(&self) -> MutexGuard<'_, Sources> {
        // Replaced as a whole: a panic leaves nothing half done.
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is to be asked for the libraries from now on.
    pub fn ask_for_sources(&self, catalogue: impl Fn() -> Vec<Bytes> + Send + 'static) {
        self.lock().catalogue = Some(Box::new(catalogue));
    }

    /// The libraries, as files hold them.
    pub fn sources(&self) -> Vec<Bytes> {
        let sources = self.lock();
        match &sources.catalogue {
            Some(ask) if !self.are_loaded.load(Ordering::Acquire) => ask(),
            _ => sources.loaded.clone(),
        }
    }

    /// A file brought these libraries, which take the place of all others.
    pub fn load(&self, sources: Vec<Bytes>) {
        self.lock().loaded = sources;
        self.are_loaded.store(true, Ordering::Release);
    }

    /// Whether a file brought libraries since this was asked the last time.
    #[inline]
    pub fn take_loaded(&self) -> Option<Vec<Bytes>> {
        if !self.are_loaded.load(Ordering::Acquire) {
            return None;
        }
        let mut sources = self.lock();
        self.are_loaded.swap(false, Ordering::AcqRel).then(|| std::mem::take(&mut sources.loaded))
    }
}
