//! `maxmemory`: before commands run, room is made, or what would take more is refused.
//!
//! What counts is the bytes in use by the whole process (`stats/memory.rs`), so a write to one shard may evict from
//! another: shards give a key each in turn, those whose boxes are at hand. As keys are spread evenly, that comes to the
//! order one keyspace would have. A large value that goes is freed before the next key is looked for, or too many would go.

use std::sync::atomic::Ordering;

use crate::command::spec::{Flags, Run, Step};
use crate::command::table::Row;
use crate::keyspace::evict::Policy;
use crate::shard::home::Runner;
use crate::shard::wait;
use crate::stats::memory;
use crate::stats::persistence::SaveFacts;

use super::core::Core;
use super::state::Session;


/// Whether a command is refused while memory is short and nothing can be evicted: what takes memory, the queue of a
/// transaction included.
pub(super) fn takes_memory(session: &Session, row: &Row) -> bool {
    match row.command.run {
        Run::Transaction(Step::Exec) => session.transaction_takes_memory(),
        Run::Transaction(_) => false,
        _ => row.flags.has(Flags::DENYOOM) || session.queues(row),
    }
}

/// How it went.
enum Evicted {
    /// A key was removed, or more of what is dead was freed.
    Some,
    /// No box that is at hand has a key that the policy allows.
    Nothing,
    /// As before, but some boxes are elsewhere.
    Busy,
}

impl Core {
    /// Evicts until the data fits into `maxmemory`, or the time for one go is over (`maxmemory-eviction-tenacity`): then
    /// the next command goes on. Sets or takes back the alarm that refuses commands.
    pub(super) fn make_room(&mut self) {
        let limit_bytes = self.config.get_u64(crate::param!("maxmemory"));
        let since_ms = self.server.over_memory_since_ms.load(Ordering::Relaxed);
        let is_over = || limit_bytes != 0 && memory::used_bytes() as u64 > limit_bytes;
        if (since_ms == 0 && !is_over()) || self.server.saves.is_loading() {
            return;
        }
        let is_short = is_over() && self.evict_down_to(limit_bytes);
        let saves = &self.server.saves;
        if is_short != (saves.alarms() & SaveFacts::OVER_MEMORY != 0) {
            saves.set_alarm(SaveFacts::OVER_MEMORY, is_short);
        }
        let now_ms = self.clock.unix_ms();
        match is_over() {
            true if since_ms == 0 => self.server.over_memory_since_ms.store(now_ms, Ordering::Relaxed),
            false if since_ms != 0 => {
                self.server.over_memory_ms.fetch_add(now_ms - since_ms, Ordering::Relaxed);
                self.server.over_memory_since_ms.store(0, Ordering::Relaxed);
            }
            _ => {}
        }
    }

    /// True when too much is used still, and nothing can be done.
    fn evict_down_to(&mut self, limit_bytes: u64) -> bool {
        let Some(policy) = Policy::of_name(self.config.get_word(crate::param!("maxmemory-policy"))) else {
            return true;
        };
        let samples = self.config.get_u64(crate::param!("maxmemory-samples")) as usize;
        let end_ns = self.clock.monotonic_ns().saturating_add(self.eviction_ns_max());
        let mut is_short = false;
        while memory::used_bytes() as u64 > limit_bytes {
            match self.evict_one(policy, samples) {
                Evicted::Some => {}
                Evicted::Nothing => {
                    is_short = true;
                    break;
                }
                Evicted::Busy => break,
            }
            if self.clock.monotonic_ns() >= end_ns {
                break;
            }
        }
        self.serve_after_eviction();
        is_short
    }

    /// One key of the next shard whose box can be had.
    fn evict_one(&mut self, policy: Policy, samples: usize) -> Evicted {
        let (shards, now_ms) = (self.exchange.shards(), self.clock.unix_ms());
        let mut is_busy = false;
        for _ in 0..shards {
            let shard = self.evict_next % shards;
            self.evict_next = shard + 1;
            if !self.exchange.take(shard) {
                is_busy = true;
                continue;
            }
            let Some(keyspace) = self.exchange.boxes[shard].as_deref_mut() else { unreachable!("taken above") };
            if !keyspace.graveyard.is_empty() {
                keyspace.graveyard.free_slice();
                self.evict_next = shard;
                return Evicted::Some;
            }
            if keyspace.evict(policy, samples, now_ms) {
                return Evicted::Some;
            }
        }
        if is_busy { Evicted::Busy } else { Evicted::Nothing }
    }

    /// Clients may wait for a key to go (XREADGROUP).
    fn serve_after_eviction(&mut self) {
        let runner = Runner {
            now_ms: self.clock.unix_ms(),
            config: &self.config,
            server: &self.server,
            stats: &self.server.cores[self.id],
            clock: Some(&self.clock),
        };
        wait::serve(&mut self.exchange.boxes, &self.exchange.hasher, &runner);
    }

    /// The longest go, as in Redis: 50 µs for each step of the tenacity up to 10, then 15 % more with each; at 100 there is
    /// no end.
    fn eviction_ns_max(&self) -> u64 {
        match self.config.get_i64(crate::param!("maxmemory-eviction-tenacity")) {
            steps @ ..=10 => steps.max(0) as u64 * 50_000,
            steps @ ..100 => (500_000.0 * 1.15f64.powi(steps as i32 - 10)) as u64,
            _ => u64::MAX,
        }
    }
}
