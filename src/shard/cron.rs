//! What the home core does for its shard ten times a second: keys and fields of hashes whose time has come, values that wait
//! to be freed.
//!
//! Each has a budget of time, so that no turn is held up; what is left waits for the next round.

use std::sync::atomic::Ordering;

use crate::keyspace::Keyspace;
use crate::keyspace::entry::EntryPointer;
use crate::keyspace::expire::{ExpireSlice, LfuCurve};
use crate::runtime::clock::Clock;
use super::exchange::Exchange;
use super::home::Runner;
use super::wait;

/// Longest time one round may spend on the expiry of keys, on that of fields, and on freeing, each: 2 ms of every 100 ms, a
/// fiftieth of the core. Expiry may take more when `active-expire-effort` says so.
const ROUND_BUDGET_NS: u64 = 2_000_000;
/// Expiry is behind when its time is over and at least one in so many of the keys it looked at was due.
const DUE_SHARE: usize = 4;
/// What one round counts for in the share of keys whose time had come, as in Redis.
const STALE_WEIGHT: f64 = 0.05;
/// Buckets of volatile keys, or of keys with volatile fields, looked at between two looks at the clock.
const SLICES_PER_LOOK: usize = 16;

/// Rounds between two sweeps of waits and watches that have ended: their number is bounded by what clients began meanwhile.
const ROUNDS_PER_SWEEP: u32 = 16;

/// Where the rounds go on.
#[derive(Default)]
pub struct Cron {
    keys: Walk,
    fields: Walk,
    rounds: u32,
}

/// A walk over what expires, database by database.
#[derive(Default)]
struct Walk {
    database: u32,
    due: Vec<EntryPointer>,
}

/// What looks at a few buckets of one database.
type ExpireStep = fn(&mut Keyspace, u32, i64, &mut Vec<EntryPointer>) -> ExpireSlice;

impl Exchange {
    /// One round; true when it could not do all there was to do, so that the next one should come soon. Skipped when the
    /// box is out: whoever has it works with it.
    pub fn cron(&mut self, cron: &mut Cron, clock: &Clock, runner: &Runner<'_>) -> bool {
        let (now_ms, server) = (runner.now_ms, runner.server);
        let shard = self.core;
        if !self.take(shard) {
            self.put_all();
            return false;
        }
        let lfu = server.lfu_policy.load(Ordering::Relaxed);
        let Some(keyspace) = self.boxes[shard].as_deref_mut() else { unreachable!("taken above") };
        keyspace.lfu = lfu;
        keyspace.lfu_curve = LfuCurve {
            log_factor: runner.config.get_u64(crate::param!("lfu-log-factor")),
            decay_minutes: runner.config.get_u64(crate::param!("lfu-decay-time")) as u32,
        };
        runner.stats.changes.set(keyspace.counters.changes);
        let expires = server.active_expire.load(Ordering::Relaxed) && !server.is_paused(now_ms);
        let budget_ns = expire_budget_ns(runner.config.get_u64(crate::param!("active-expire-effort")));
        let expiry_behind = expires && expire_some(keyspace, cron, now_ms, clock, budget_ns);
        cron.rounds = cron.rounds.wrapping_add(1);
        if cron.rounds.is_multiple_of(ROUNDS_PER_SWEEP) {
            sweep(keyspace);
        }
        // What has expired may be waited for.
        wait::serve(&mut self.boxes, &self.hasher, runner);
        self.put_all();
        self.free_some(clock) || expiry_behind
    }

    /// Frees what waits, slice by slice, giving the box back in between so that nobody waits for the whole. True when
    /// something is left.
    fn free_some(&mut self, clock: &Clock) -> bool {
        let shard = self.core;
        let end_ns = clock.monotonic_ns() + ROUND_BUDGET_NS;
        let mut more = true;
        while more && clock.monotonic_ns() < end_ns {
            let taken = self.take(shard);
            more = taken && self.boxes[shard].as_deref_mut().is_some_and(|keyspace| keyspace.graveyard.free_slice());
            self.put_all();
        }
        more
    }
}

/// Removes waits and watches that have ended.
fn sweep(keyspace: &mut Keyspace) {
    if keyspace.waiters.as_mut().is_some_and(|waiters| waiters.sweep()) {
        keyspace.waiters = None;
    }
    if keyspace.watchers.as_mut().is_some_and(|watchers| watchers.sweep()) {
        keyspace.watchers = None;
    }
}

/// What one round may spend on keys, and on fields, for an `active-expire-effort` of 1 to 10: a quarter more with each step,
/// as Redis looks at a quarter more keys.
fn expire_budget_ns(effort: u64) -> u64 {
    ROUND_BUDGET_NS + ROUND_BUDGET_NS / 4 * effort.saturating_sub(1)
}

/// Removes keys and fields of hashes whose time has come. True when time was over although much was due.
fn expire_some(keyspace: &mut Keyspace, cron: &mut Cron, now_ms: i64, clock: &Clock, budget_ns: u64) -> bool {
    let keys = cron.keys.round(keyspace, Keyspace::expire_slice, now_ms, clock, budget_ns);
    if keys.looked_at > 0 {
        let share = keys.removed as f64 / keys.looked_at as f64;
        let counters = &mut keyspace.counters;
        counters.stale_share += STALE_WEIGHT * (share - counters.stale_share);
    }
    let fields = cron.fields.round(keyspace, Keyspace::expire_fields_slice, now_ms, clock, budget_ns);
    keys.is_behind() || fields.is_behind()
}

/// What a round of one walk did.
struct Round {
    looked_at: usize,
    removed: usize,
    /// Its time was over.
    cut_short: bool,
}

impl Round {
    fn is_behind(&self) -> bool {
        self.cut_short && self.removed * DUE_SHARE >= self.looked_at.max(1)
    }
}

impl Walk {
    /// Goes on, database by database, from where the last round stopped.
    fn round(
        &mut self,
        keyspace: &mut Keyspace,
        step: ExpireStep,
        now_ms: i64,
        clock: &Clock,
        budget_ns: u64,
    ) -> Round {
        let started_ns = clock.monotonic_ns();
        let databases = keyspace.databases_len() as u32;
        let (mut databases_done, mut looked_at, mut removed) = (0, 0, 0);
        let cut_short = 'round: loop {
            for _ in 0..SLICES_PER_LOOK {
                let slice = step(keyspace, self.database, now_ms, &mut self.due);
                looked_at += slice.looked_at;
                removed += slice.removed;
                if slice.round_done {
                    self.database = (self.database + 1) % databases;
                    databases_done += 1;
                    if databases_done == databases {
                        break 'round false;
                    }
                }
            }
            if clock.monotonic_ns() >= started_ns + budget_ns {
                break true;
            }
        };
        let counters = &mut keyspace.counters;
        counters.expiry_ns += clock.monotonic_ns() - started_ns;
        counters.expiry_cut_short += u64::from(cut_short);
        Round { looked_at, removed, cut_short }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn effort_is_time() {
        let budgets: Vec<u64> = [1, 2, 10].map(expire_budget_ns).to_vec();
        assert_eq!(budgets, [2_000_000, 2_500_000, 6_500_000]);
    }
}
