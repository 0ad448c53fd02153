//! What is known of loading and saving, for INFO, LASTSAVE and the save points. Written by whoever loads or saves, read by
//! every core.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU8, AtomicU64, Ordering};

use super::core::CoreStats;

/// What is being written in the background.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum SaveKind {
    /// Nothing.
    None = 0,
    /// A snapshot (BGSAVE).
    Snapshot = 1,
    /// A new base file of the log (BGREWRITEAOF).
    LogBase = 2,
}

/// See the file's head. Times are Unix seconds unless their names say otherwise.
pub struct SaveFacts {
    /// A `SaveKind` as a number.
    running: AtomicU8,
    /// When what is running began, Unix milliseconds.
    pub started_ms: AtomicI64,
    /// The last good snapshot (LASTSAVE).
    pub last_save_s: AtomicI64,
    /// The last attempt of a background snapshot.
    pub last_try_s: AtomicI64,
    /// Why commands may have to be refused: `LOADING`, `SNAPSHOT_FAILED`, `LOG_FAILED`, `OVER_MEMORY`.
    alarms: AtomicU8,
    /// Snapshots begun in the background; numbers them.
    begun: AtomicU64,
    /// Seconds that the last background snapshot took; -1 without one.
    pub last_duration_s: AtomicI64,
    /// Snapshots that SAVE and BGSAVE began since the start.
    pub saves: AtomicU64,
    /// Changes that are in the last good snapshot, of those counted since the start.
    pub changes_saved: AtomicU64,
    /// A background snapshot shall begin as soon as nothing else is running (BGSAVE SCHEDULE).
    pub scheduled: AtomicBool,
    /// Keys that what is running has written.
    pub keys_written: AtomicU64,
    /// Keys there were when it began.
    pub keys_total: AtomicU64,
    /// Memory of the entries that it had to write before they changed, bytes.
    pub copied_bytes: AtomicU64,
    /// The most of them there were in a snapshot.
    pub copied_bytes_peak: AtomicU64,
    /// Those of the last background snapshot.
    pub last_copied_bytes: AtomicU64,
    /// When loading began, Unix milliseconds.
    pub load_started_ms: AtomicI64,
    /// Bytes of the file.
    pub load_bytes_total: AtomicU64,
    /// Those that were read.
    pub load_bytes: AtomicU64,
    /// Keys the last load took in.
    pub last_load_keys: AtomicU64,
    /// Keys the last load left out since their time had come.
    pub last_load_expired: AtomicU64,
}

impl SaveFacts {
    /// Of a server that starts now; the start counts as a save, as in Redis.
    pub fn new(now_ms: i64) -> SaveFacts {
        SaveFacts {
            running: AtomicU8::new(SaveKind::None as u8),
            started_ms: AtomicI64::new(0),
            last_save_s: AtomicI64::new(now_ms / 1000),
            last_try_s: AtomicI64::new(0),
            alarms: AtomicU8::new(0),
            begun: AtomicU64::new(0),
            last_duration_s: AtomicI64::new(-1),
            saves: AtomicU64::new(0),
            changes_saved: AtomicU64::new(0),
            scheduled: AtomicBool::new(false),
            keys_written: AtomicU64::new(0),
            keys_total: AtomicU64::new(0),
            copied_bytes: AtomicU64::new(0),
            copied_bytes_peak: AtomicU64::new(0),
            last_copied_bytes: AtomicU64::new(0),
            load_started_ms: AtomicI64::new(0),
            load_bytes_total: AtomicU64::new(0),
            load_bytes: AtomicU64::new(0),
            last_load_keys: AtomicU64::new(0),
            last_load_expired: AtomicU64::new(0),
        }
    }

    /// What is being written in the background.
    pub fn running(&self) -> SaveKind {
        match self.running.load(Ordering::Acquire) {
            1 => SaveKind::Snapshot,
            2 => SaveKind::LogBase,
            _ => SaveKind::None,
        }
    }

    /// Something begins at this time. Only who has all boxes in hand may call this, and only while nothing is running.
    /// Returns its number.
    pub fn begin(&self, kind: SaveKind, now_ms: i64, keys: u64) -> u64 {
        self.started_ms.store(now_ms, Ordering::Relaxed);
        self.keys_written.store(0, Ordering::Relaxed);
        self.keys_total.store(keys, Ordering::Relaxed);
        self.copied_bytes.store(0, Ordering::Relaxed);
        if kind == SaveKind::Snapshot {
            self.last_try_s.store(now_ms / 1000, Ordering::Relaxed);
            self.saves.fetch_add(1, Ordering::Relaxed);
        }
        self.running.store(kind as u8, Ordering::Release);
        self.begun.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// It has ended, and its file is there as a whole or not at all.
    pub fn end(&self) {
        let copied_bytes = self.copied_bytes.swap(0, Ordering::Relaxed);
        if self.running() == SaveKind::Snapshot {
            self.last_copied_bytes.store(copied_bytes, Ordering::Relaxed);
        }
        self.keys_written.store(0, Ordering::Relaxed);
        self.keys_total.store(0, Ordering::Relaxed);
        self.running.store(SaveKind::None as u8, Ordering::Release);
    }

    /// A snapshot is on disk that holds so many of the changes counted since the start.
    pub fn saved(&self, now_ms: i64, changes: u64) {
        self.last_save_s.store(now_ms / 1000, Ordering::Relaxed);
        self.changes_saved.store(changes, Ordering::Relaxed);
        self.set_alarm(SaveFacts::SNAPSHOT_FAILED, false);
    }

    /// Data is being loaded: only some commands are answered.
    pub const LOADING: u8 = 1;
    /// The last background snapshot could not be written.
    pub const SNAPSHOT_FAILED: u8 = 2;

    /// The append-only log cannot be written, or could not be synced.
    pub const LOG_FAILED: u8 = 4;

    /// More memory is used than `maxmemory` allows, and nothing may be evicted.
    pub const OVER_MEMORY: u8 = 8;

    /// Sets or takes back one of the alarms above.
    pub fn set_alarm(&self, alarm: u8, is_on: bool) {
        if is_on {
            self.alarms.fetch_or(alarm, Ordering::Release);
        } else {
            self.alarms.fetch_and(!alarm, Ordering::Release);
        }
    }

    /// The alarms that are on; nearly always none.
    #[inline]
    pub fn alarms(&self) -> u8 {
        self.alarms.load(Ordering::Acquire)
    }

    /// Whether data is being loaded.
    #[inline]
    pub fn is_loading(&self) -> bool {
        self.alarms() & SaveFacts::LOADING != 0
    }

    /// The last background snapshot came to a good end, or there was none.
    pub fn is_last_ok(&self) -> bool {
        self.alarms() & SaveFacts::SNAPSHOT_FAILED == 0
    }

    /// Changes since the last good snapshot, as far as the cores have told them.
    pub fn changes_unsaved(&self, cores: &[CoreStats]) -> u64 {
        let changes: u64 = cores.iter().map(|core| core.changes.get()).sum();
        changes.saturating_sub(self.changes_saved.load(Ordering::Relaxed))
    }
}
