//! Eviction: which key goes when memory is short.
//!
//! As in Redis a few keys are drawn and the one that suits the policy best goes. Redis keeps the best ones of earlier draws
//! in a pool; here more are drawn instead (`DRAWS_PER_SAMPLE`), so that nothing outlives the step. Called by whoever has the
//! box in hand (`session/evict.rs`).
//!
//! Unsafe: entries are drawn as raw pointers from the tables, as in `expire.rs`.

use super::database::{Keyspace, hash_of_entry};
use super::entry::EntryPointer;
use super::expire::{idle_seconds, lfu_decayed};

/// Keys drawn for each of `maxmemory-samples`: with three, 5 samples choose as well as Redis' 5 with its pool of 16.
const DRAWS_PER_SAMPLE: usize = 3;

/// What is evicted, as `maxmemory-policy` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// Only keys with an expiry.
    volatile: bool,
    choice: Choice,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Choice {
    /// The one not used for longest.
    Lru,
    /// The one used least often.
    Lfu,
    /// The one that would expire first.
    TimeToLive,
    Random,
}

impl Policy {
    /// The policy of this name; none for `noeviction`.
    pub fn of_name(name: &str) -> Option<Policy> {
        let (volatile, choice) = match name.split_once('-')? {
            ("volatile", choice) => (true, choice),
            (_, choice) => (false, choice),
        };
        let choice = match choice {
            "lru" => Choice::Lru,
            "lfu" => Choice::Lfu,
            "ttl" => Choice::TimeToLive,
            _ => Choice::Random,
        };
        Some(Policy { volatile, choice })
    }

    /// How well an entry suits the policy; the largest goes.
    fn rank(self, pointer: EntryPointer, decay_minutes: u32, now_ms: i64) -> u64 {
        // SAFETY: it was just drawn from a table of a keyspace that nobody has changed since.
        let entry = unsafe { pointer.entry() };
        match self.choice {
            Choice::Lru => u64::from(idle_seconds(entry.access(), now_ms)),
            Choice::Lfu => u64::from(u32::MAX - lfu_decayed(entry.access(), decay_minutes, now_ms)),
            Choice::TimeToLive => u64::MAX - entry.expire_at_ms().map_or(u64::MAX, |at_ms| at_ms.max(0) as u64),
            Choice::Random => 0,
        }
    }
}

impl Keyspace {
    /// Removes one key as the policy wants it; false when there is none that it allows.
    pub fn evict(&mut self, policy: Policy, samples: usize, now_ms: i64) -> bool {
        let draws = if policy.choice == Choice::Random { 1 } else { samples * DRAWS_PER_SAMPLE };
        let first = self.random.below(self.databases.len() as u64) as usize;
        let mut best: Option<(u64, u32, EntryPointer)> = None;
        for offset in 0..self.databases.len() {
            let index = (first + offset) % self.databases.len();
            let tables = &self.databases[index];
            let table = if policy.volatile { &tables.expires } else { &tables.keys };
            let mut consider = |at| {
                // SAFETY: both tables only hold live entries of this database.
                let pointer = unsafe { EntryPointer::from_raw(at) };
                let rank = policy.rank(pointer, self.lfu_curve.decay_minutes, now_ms);
                if best.is_none_or(|(other, ..)| rank > other) {
                    best = Some((rank, index as u32, pointer));
                }
            };
            if draws > 1 && table.len() <= draws {
                table.entries().for_each(&mut consider);
            } else {
                let random = &mut self.random;
                (0..draws).filter_map(|_| table.random(&mut || random.next_u64())).for_each(&mut consider);
            }
            if best.is_some() && policy.choice == Choice::Random {
                break;
            }
        }
        let Some((_, database, pointer)) = best else { return false };
        let hash = hash_of_entry(&self.hasher, pointer.as_raw());
        // SAFETY: it stands in its table until the next statement.
        self.journal.removed(database, unsafe { pointer.entry() }.key());
        self.remove_entry(database, hash, pointer);
        self.counters.evicted_keys += 1;
        true
    }
}

#[cfg(test)]
#[path = "evict_tests.rs"]
mod tests;
