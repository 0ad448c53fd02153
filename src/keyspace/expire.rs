//! Expiry and the access clock: when keys go, and when they were last used.
//!
//! Expired keys go in two ways: lazily, when a command meets them (`Keyspace::find_live`), and actively, when the home
//! core's cron walks the `expires` tables under a budget. While clients are paused neither happens
//! (`Turn::keep_expired`). The walk uses the table's own cursor, so it meets every volatile key once per round however
//! the table grows.

use super::database::{Keyspace, Turn, hash_of_entry};
use super::entry::{Entry, EntryPointer};

/// Volatile keys that INFO's average time to live is estimated from.
const TTL_SAMPLES: usize = 16;

/// Initial LFU counter of a new key, as Redis' `LFU_INIT_VAL`.
const LFU_COUNTER_INITIAL: u32 = 5;
const LFU_COUNTER_MAX: u32 = 255;

/// Bits of the access field that hold the clock in seconds.
const SECONDS_MASK: u32 = 0x00ff_ffff;
/// Bits of the access field, above the LFU counter, that hold the clock in minutes.
const MINUTES_MASK: u32 = 0xffff;

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

/// How the LFU counter grows and decays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LfuCurve {
    /// `lfu-log-factor`: the larger, the more uses it takes to reach the top.
    pub log_factor: u64,
    /// `lfu-decay-time`: minutes after which the counter loses one; 0: it never does.
    pub decay_minutes: u32,
}

impl LfuCurve {
    /// What Redis' parameters are by default.
    pub const DEFAULT: LfuCurve = LfuCurve { log_factor: 10, decay_minutes: 1 };
}

/// What another server tells of the use of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Seconds since the last one.
    Idle(u64),
    /// The LFU counter.
    Frequency(u8),
}

/// What one step of SCAN did.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct ScanStep {
    /// Where to go on; 0 at the end.
    pub cursor: u64,
    /// Keys met, expired ones included.
    pub met: u64,
}

impl Keyspace {
    /// Looks at the volatile keys of a few buckets of one database and removes those whose time has come. `due` is
    /// scratch space that keeps its memory between calls.
    pub fn expire_slice(&mut self, database: u32, now_ms: i64, due: &mut Vec<EntryPointer>) -> ExpireSlice {
        let mut slice = ExpireSlice::default();
        due.clear();
        if self.keeps_all {
            slice.round_done = true;
            return slice;
        }
        let tables = &mut self.databases[database as usize];
        tables.expire_cursor = tables.expires.scan(tables.expire_cursor, |at| {
            slice.looked_at += 1;
            // SAFETY: the expires table only holds live entries of this database.
            let pointer = unsafe { EntryPointer::from_raw(at) };
            // SAFETY: as above.
            if unsafe { pointer.entry() }.is_expired(now_ms) {
                due.push(pointer);
            }
        });
        slice.round_done = tables.expire_cursor == 0;
        slice.removed = due.len();
        self.remove_expired(database, due);
        slice
    }

    /// One step of SCAN: calls `see` with the keys of at least one bucket. Expired ones are not shown but removed.
    pub fn scan_step(&mut self, database: u32, cursor: u64, turn: Turn, mut see: impl FnMut(Entry<'_>)) -> ScanStep {
        // Allocates only when it meets an expired key.
        let mut due = Vec::new();
        let mut step = ScanStep::default();
        step.cursor = self.databases[database as usize].keys.scan(cursor, |at| {
            step.met += 1;
            // SAFETY: the table only holds live entries of this database.
            let pointer = unsafe { EntryPointer::from_raw(at) };
            // SAFETY: as above; nothing is changed while the walk is in its bucket.
            let entry = unsafe { pointer.entry() };
            if !entry.is_expired(turn.now_ms) {
                see(entry);
            } else if !turn.keep_expired {
                due.push(pointer);
            }
        });
        self.remove_expired(database, &due);
        step
    }

    /// Removes entries of one database that were just found in a walk, and counts them.
    fn remove_expired(&mut self, database: u32, due: &[EntryPointer]) {
        for &pointer in due {
            let hash = hash_of_entry(&self.hasher, pointer.as_raw());
            // SAFETY: it stands in its table until the next statement.
            self.journal.removed(database, unsafe { pointer.entry() }.key());
            self.remove_entry(database, hash, pointer);
        }
        self.counters.expired_keys += due.len() as u64;
    }

    /// Average time to live of a few volatile keys in milliseconds (INFO's `avg_ttl`), 0 without any.
    pub fn average_ttl_ms(&mut self, database: u32, now_ms: i64) -> i64 {
        let (mut sum_ms, mut count) = (0i128, 0i128);
        let tables = &self.databases[database as usize];
        let random = &mut self.random;
        for _ in 0..TTL_SAMPLES.min(tables.expires.len()) {
            let Some(at) = tables.expires.random(&mut || random.next_u64()) else { break };
            // SAFETY: the expires table only holds live entries.
            let at_ms = unsafe { EntryPointer::from_raw(at).entry() }.expire_at_ms().unwrap_or(now_ms);
            sum_ms += i128::from(at_ms.saturating_sub(now_ms).max(0));
            count += 1;
        }
        // An average of numbers of 64 bits is one.
        if count == 0 { 0 } else { (sum_ms / count) as i64 }
    }

    /// The access field of a key that is created now.
    pub fn access_of_new(&self, now_ms: i64) -> u32 {
        let now_ms = now_ms.max(self.replayed_at_ms);
        if self.lfu { (minutes(now_ms) << 8) | LFU_COUNTER_INITIAL } else { seconds(now_ms) }
    }

    /// The access field of a key that was used as its origin says; none when that says nothing under the present policy.
    pub fn access_as_of(&self, last_use: Use, now_ms: i64) -> Option<u32> {
        match last_use {
            Use::Frequency(counter) if self.lfu => Some((minutes(now_ms) << 8) | u32::from(counter)),
            Use::Idle(ago_seconds) if !self.lfu => {
                // Longer ago than the clock can tell is as long ago as it can.
                let ago_seconds = ago_seconds.min(u64::from(SECONDS_MASK / 2)) as u32;
                Some(seconds(now_ms).wrapping_sub(ago_seconds) & SECONDS_MASK)
            }
            _ => None,
        }
    }

    /// The access field after a use: the clock in seconds, or Redis' logarithmic counter.
    pub(super) fn access_after_use(&mut self, old: u32, now_ms: i64) -> u32 {
        let now_ms = now_ms.max(self.replayed_at_ms);
        if !self.lfu {
            return seconds(now_ms);
        }
        let LfuCurve { log_factor, decay_minutes } = self.lfu_curve;
        let counter = lfu_decayed(old, decay_minutes, now_ms);
        let grown = if counter >= LFU_COUNTER_MAX {
            LFU_COUNTER_MAX
        } else {
            let base = u64::from(counter.saturating_sub(LFU_COUNTER_INITIAL));
            counter + u32::from(self.random.below(base * log_factor + 1) == 0)
        };
        (minutes(now_ms) << 8) | grown
    }
}

/// Seconds since the last use of a key (OBJECT IDLETIME), from its access field. The field's clock wraps after 194 days.
pub fn idle_seconds(access: u32, now_ms: i64) -> u32 {
    passed(seconds(now_ms), access, SECONDS_MASK)
}

/// The LFU counter after the time since its last change has been taken off (OBJECT FREQ).
pub fn lfu_decayed(access: u32, decay_minutes: u32, now_ms: i64) -> u32 {
    let passed = passed(minutes(now_ms), access >> 8, MINUTES_MASK);
    (access & LFU_COUNTER_MAX).saturating_sub(passed.checked_div(decay_minutes).unwrap_or(0))
}

/// How far a clock that wraps is past an earlier reading. Another core's reading may be ahead of ours by a moment, which
/// would be nearly a whole turn of the clock: a reading from its upper half counts as just now.
fn passed(now: u32, then: u32, mask: u32) -> u32 {
    let passed = now.wrapping_sub(then) & mask;
    if passed > mask / 2 { 0 } else { passed }
}

fn seconds(now_ms: i64) -> u32 {
    (now_ms / 1000) as u32 & SECONDS_MASK
}

fn minutes(now_ms: i64) -> u32 {
    (now_ms / 60_000) as u32 & MINUTES_MASK
}

#[cfg(test)]
#[path = "expire_tests.rs"]
mod tests;
