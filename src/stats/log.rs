//! What is known of the append-only log, for INFO and for admission. Written by the log's thread, read by every core.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicU64, Ordering};

/// See the file's head.
#[derive(Default)]
pub struct LogFacts {
    /// Changes are recorded.
    pub enabled: AtomicBool,
    /// Replies wait until what they tell is on the disk (`appendfsync always`).
    pub always: AtomicBool,
    /// Annotations of the time are wanted.
    pub stamps: AtomicBool,
    /// The error number of the last write; 0: it came to a good end.
    pub write_error: AtomicI32,
    /// The error number of a sync that failed; it stays.
    pub sync_error: AtomicI32,
    /// Bytes of all files of the log.
    pub bytes: AtomicU64,
    /// Those there were after the last rewrite, or at the start.
    pub base_bytes: AtomicU64,
    /// Bytes recorded and not written.
    pub buffer_bytes: AtomicU64,
    /// A sync is under way.
    pub syncing: AtomicBool,
    /// Syncs that took longer than a second.
    pub delayed_syncs: AtomicU64,
    /// A rewrite shall begin as soon as nothing else is being saved.
    pub rewrite_scheduled: AtomicBool,
    /// Recording has begun while the server ran, and the snapshot that it begins with is not there yet: without that the
    /// log is not worth anything.
    pub awaits_first_base: AtomicBool,
    /// Recording shall begin as soon as nothing else is being saved.
    pub start_scheduled: AtomicBool,
    /// When a rewrite failed last, Unix milliseconds.
    pub last_failure_ms: AtomicI64,
    /// Microseconds to wait before each write (DEBUG AOF-FLUSH-SLEEP).
    pub write_sleep_us: AtomicI64,
    /// Rewrites begun since the start.
    pub rewrites: AtomicU64,
    /// Rewrites that failed since the last good one.
    pub rewrites_failed: AtomicU64,
    /// Seconds that the last rewrite took, and one more; 0 without one.
    pub last_rewrite_s: AtomicI64,
    /// When the rewrite that is under way began, Unix milliseconds; 0: none is.
    pub rewrite_started_ms: AtomicI64,
}

impl LogFacts {
    /// A rewrite is under way, or about to begin because recording has begun.
    pub fn is_rewriting(&self) -> bool {
        self.rewrite_started_ms.load(Ordering::Relaxed) != 0 || self.start_scheduled.load(Ordering::Relaxed)
    }

    /// Why nothing may be written: the number of the error.
    #[inline]
    pub fn failure(&self) -> Option<i32> {
        let failure = self.write_error.load(Ordering::Relaxed) | self.sync_error.load(Ordering::Relaxed);
        if failure == 0 { None } else { Some(self.first_failure()) }
    }

    #[cold]
    fn first_failure(&self) -> i32 {
        match self.sync_error.load(Ordering::Relaxed) {
            0 => self.write_error.load(Ordering::Relaxed),
            error => error,
        }
    }

    /// Replies wait until what they tell is in the log: on the disk, or with the kernel where that is enough.
    #[inline]
    pub fn gates_replies(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }
}
