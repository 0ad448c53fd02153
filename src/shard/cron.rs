//! What the home core does for its shard ten times a second: keys whose time has come, values that wait to be freed.
//!
//! Both have a budget of time, so that no turn is held up; what is left waits for the next round.

use crate::keyspace::entry::EntryPointer;
use crate::runtime::clock::Clock;
use crate::stats::server::ServerFacts;

use super::exchange::Exchange;

/// Longest time one round may spend on expiry and on freeing, each: 2 ms of every 100 ms, a fiftieth of the core.
const ROUND_BUDGET_NS: u64 = 2_000_000;
/// Buckets of volatile keys looked at between two looks at the clock.
const SLICES_PER_LOOK: usize = 16;

/// Where the rounds go on.
#[derive(Default)]
pub struct Cron {
    database: u32,
    due: Vec<EntryPointer>,
}

impl Exchange {
    /// One round; true when it ran out of its budget and should come again soon. Skipped when the box is out: whoever
    /// has it works with it.
    pub fn cron(&mut self, cron: &mut Cron, now_ms: i64, clock: &Clock, server: &ServerFacts) -> bool {
        let shard = self.core;
        if !self.take(shard) {
            self.put_all();
            return false;
        }
        let mut more = false;
        let lfu = server.lfu_policy.load(std::sync::atomic::Ordering::Relaxed);
        let Some(keyspace) = self.boxes[shard].as_deref_mut() else { unreachable!("taken above") };
        keyspace.lfu = lfu;
        if server.active_expire.load(std::sync::atomic::Ordering::Relaxed) {
            let end_ns = clock.monotonic_ns() + ROUND_BUDGET_NS;
            let databases = keyspace.databases_len() as u32;
            let mut done = 0;
            'round: while done < databases {
                for _ in 0..SLICES_PER_LOOK {
                    let slice = keyspace.expire_slice(cron.database, now_ms, &mut cron.due);
                    if slice.round_done {
                        cron.database = (cron.database + 1) % databases;
                        done += 1;
                        if done == databases {
                            break 'round;
                        }
                    }
                }
                if clock.monotonic_ns() >= end_ns {
                    more = true;
                    break;
                }
            }
        }
        self.put_all();
        self.free_some(clock) || more
    }

    /// Frees what waits, slice by slice, giving the box back in between so that nobody waits for the whole. True when
    /// something is left.
    fn free_some(&mut self, clock: &Clock) -> bool {
        let shard = self.core;
        let end_ns = clock.monotonic_ns() + ROUND_BUDGET_NS;
        while self.take(shard) {
            let Some(keyspace) = self.boxes[shard].as_deref_mut() else { unreachable!("taken above") };
            let more = keyspace.graveyard.free_slice();
            self.put_all();
            if !more {
                return false;
            }
            if clock.monotonic_ns() >= end_ns {
                return true;
            }
        }
        self.put_all();
        true
    }
}
