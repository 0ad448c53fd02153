//! Expiry and the access clock: when keys go, and when they were last used.
//!
//! Expired keys go in two ways: lazily, when a command meets them (`Keyspace::find_live`), and actively, when the home
//! core's cron walks the `expires` tables under a budget. The walk uses the table's own cursor, so it meets every
//! volatile key once per round however the table grows.

use super::database::{Keyspace, hash_of_entry};
use super::entry::EntryPointer;
use super::hash::Key;

/// Initial LFU counter of a new key, as Redis' `LFU_INIT_VAL`.
const LFU_COUNTER_INITIAL: u32 = 5;

/// What one slice of active expiry did.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct ExpireSlice {
    /// Volatile keys looked at.
    pub looked_at: usize,
    /// Keys removed.
    pub removed: usize,
    /// The walk of this database came to its end.
    pub round_done: bool,
}

impl Keyspace {
    /// Looks at the volatile keys of a few buckets of one database and removes those whose time has come.
    pub fn expire_slice(&mut self, database: u32, now_ms: i64, due: &mut Vec<EntryPointer>) -> ExpireSlice {
        let mut slice = ExpireSlice::default();
        due.clear();
        let tables = &mut self.databases[database as usize];
        if tables.expires.is_empty() {
            slice.round_done = true;
            return slice;
        }
        tables.expire_cursor = tables.expires.scan(tables.expire_cursor, |at| {
            slice.looked_at += 1;
            // SAFETY: the expires table only holds live entries of this database.
            let pointer = unsafe { EntryPointer::from_raw(at) };
            // SAFETY: as above.
            if unsafe { pointer.entry() }.expire_at_ms().is_some_and(|at_ms| at_ms <= now_ms) {
                due.push(pointer);
            }
        });
        slice.round_done = tables.expire_cursor == 0;
        for &pointer in due.iter() {
            let hash = hash_of_entry(&self.hasher, pointer.as_raw());
            self.remove_entry(database, hash, pointer);
        }
        slice.removed = due.len();
        self.counters.expired_keys += due.len() as u64;
        slice
    }

    /// Average time to live of a few volatile keys in milliseconds (INFO's `avg_ttl`), 0 without any.
    pub fn average_ttl_ms(&mut self, database: u32, now_ms: i64) -> i64 {
        const SAMPLES: i64 = 16;
        let (mut sum, mut count) = (0i64, 0i64);
        let tables = &self.databases[database as usize];
        let random = &mut self.random;
        for _ in 0..SAMPLES.min(tables.expires.len() as i64) {
            let Some(at) = tables.expires.random(&mut || random.next_u64()) else { break };
            // SAFETY: the expires table only holds live entries.
            let at_ms = unsafe { EntryPointer::from_raw(at).entry() }.expire_at_ms().unwrap_or(now_ms);
            sum = sum.saturating_add((at_ms.saturating_sub(now_ms)).max(0) / SAMPLES);
            count += 1;
        }
        if count == 0 { 0 } else { sum.saturating_mul(SAMPLES) / count }
    }

    /// The access field of a key that is created now.
    pub fn access_of_new(&self, now_ms: i64) -> u32 {
        if self.lfu { (minutes(now_ms) << 8) | LFU_COUNTER_INITIAL } else { seconds(now_ms) }
    }

    /// The access field after a use: the clock in seconds, or Redis' logarithmic counter (factor 10, decay one per
    /// minute: the defaults of `lfu-log-factor` and `lfu-decay-time`).
    pub(super) fn access_after_use(&mut self, old: u32, now_ms: i64) -> u32 {
        if !self.lfu {
            return seconds(now_ms);
        }
        let counter = lfu_decayed(old, now_ms);
        let grown = if counter >= 255 {
            255
        } else {
            let base = counter.saturating_sub(LFU_COUNTER_INITIAL) as u64;
            counter + u32::from(self.random.below(base * 10 + 1) == 0)
        };
        (minutes(now_ms) << 8) | grown
    }

    /// Seconds since the last use of a key (OBJECT IDLETIME).
    pub fn idle_seconds(access: u32, now_ms: i64) -> u32 {
        seconds(now_ms).wrapping_sub(access) & 0x00ff_ffff
    }

    /// Whether the key is there and volatile; for INFO and DEBUG.
    pub fn expiry_of(&mut self, database: u32, key: &Key<'_>, now_ms: i64) -> Option<i64> {
        let pointer = self.find_live(database, key, now_ms)?;
        // SAFETY: just found.
        unsafe { pointer.entry() }.expire_at_ms()
    }
}

/// The LFU counter after the time since its last change has been taken off (OBJECT FREQ).
pub fn lfu_decayed(access: u32, now_ms: i64) -> u32 {
    let passed = minutes(now_ms).wrapping_sub(access >> 8) & 0xffff;
    (access & 0xff).saturating_sub(passed)
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & 0x00ff_ffff
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & 0xffff
}
