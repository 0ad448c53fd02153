//! What a core does with all boxes in hand on behalf of the server: it begins snapshots, and writes the last one.
//!
//! A job waits for a loan like a command over all shards; only one core's loan is under way for it, so it sees one moment of
//! all data. Besides, here are the slices in which each core walks its own box for a running snapshot.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::command::context::Keyspaces;
use crate::command::error::CommandError;
use crate::command::persist::{SAVING, save_now};
use crate::config::SavePoint;
use crate::keyspace::Keyspace;
use crate::keyspace::snapshot::SnapshotSlice;
use crate::persist::rdb::output::SaveOptions;
use crate::persist::rdb::snapshot;
use crate::resp::reply::Reply;
use crate::shard::call;
use crate::shard::message::Message;
use crate::stats::persistence::SaveKind;

use super::core::Core;
use super::log_jobs::LogJob;
use super::state::{Session, SessionKey, Stall};
use crate::shard::route::all_shards;

/// Seconds after a failed background snapshot before a save point tries again, as in Redis.
const RETRY_SECONDS: i64 = 5;

/// Time a core walks its box before its clients have their turn: when they are busy, and when they are not.
const WALK_BUSY_NS: u64 = 1_000_000;
const WALK_IDLE_NS: u64 = 4_000_000;
/// The rest between two such times.
const REST_BUSY: Duration = Duration::from_millis(2);
const REST_IDLE: Duration = Duration::from_millis(1);
/// Buckets walked between two looks at the clock.
const SLICES_PER_LOOK: usize = 8;

/// See the file's head.
pub(super) enum Job {
    /// Begin a snapshot; whoever asked for it gets a reply, unless it wants none.
    Snapshot(Option<(SessionKey, bool)>),
    /// Something for the append-only log.
    Log(LogJob),
    /// The server is about to end: give a running snapshot up, and write the last one if asked to. `force`: nothing is
    /// written afterwards even if that fails.
    LastSave {
        /// Write one.
        save: bool,
        /// Go even if that fails.
        force: bool,
    },
}

/// Where this core's walk for a snapshot stands.
#[derive(Default)]
pub(super) struct WalkState {
    /// Commands this core had run when it last walked: more of them now means that clients are busy.
    commands: u64,
    /// The snapshot that waits until a time (`rdb-key-save-delay`), by its number and in nanoseconds.
    delayed: Option<(u64, u64)>,
}

impl Core {
    pub(super) fn start_job(&mut self, job: Job) {
        self.jobs_waiting += 1;
        self.borrow_for_job(job, all_shards(self.exchange.shards()));
    }

    /// BGSAVE. True when the session waits for its reply.
    pub(super) fn background_save(&mut self, session: &mut Session, schedule: bool, discard: bool) -> bool {
        let saves = &self.server.saves;
        let error = match saves.running() {
            SaveKind::Snapshot => Some(SAVING),
            SaveKind::None if !session.in_exec => {
                session.stall = Stall::Operation;
                self.start_job(Job::Snapshot(Some((session.key, discard))));
                return true;
            }
            SaveKind::LogBase if !schedule && !session.in_exec => Some(CommandError::Text(
                "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE in order to \
                 schedule a BGSAVE whenever possible.",
            )),
            SaveKind::None | SaveKind::LogBase => {
                saves.scheduled.store(true, Ordering::Relaxed);
                None
            }
        };
        if !discard {
            match error {
                Some(error) => call::write_error(session.reply(), &error, self.stats()),
                None => session.reply().simple("Background saving scheduled"),
            }
        }
        false
    }

    /// Runs a job; all boxes are in hand. True when they are never to leave it again.
    pub(super) fn run_job(&mut self, job: Job) -> bool {
        self.jobs_waiting -= 1;
        self.refresh_config();
        match job {
            Job::Snapshot(asker) => {
                let result = self.begin_snapshot();
                if let Some((key, discard)) = asker {
                    self.reply_to(key, |reply, stats| match &result {
                        _ if discard => {}
                        Ok(()) => reply.simple("Background saving started"),
                        Err(error) => call::write_error(reply, error, stats),
                    });
                }
                false
            }
            Job::Log(job) => {
                self.run_log_job(job);
                false
            }
            Job::LastSave { save, force } => {
                for keyspace in self.exchange.boxes.iter_mut().flatten() {
                    keyspace.abort_snapshot();
                }
                let is_saved = !save || self.save_last();
                self.orders.push_back(Message::LastSaved(is_saved));
                is_saved || force
            }
        }
    }

    fn begin_snapshot(&mut self) -> Result<(), CommandError> {
        if self.server.saves.running() != SaveKind::None {
            return Err(SAVING);
        }
        let options = SaveOptions::new(&self.config, true, self.clock.unix_ms())
            .with_functions(self.server.scripts.sources());
        let mut all: Vec<&mut Keyspace> =
            self.exchange.boxes.iter_mut().filter_map(|slot| slot.as_deref_mut()).collect();
        let facts = (&self.server.saves, &self.clock);
        let begun = snapshot::begin(&mut all, options, SaveKind::Snapshot, facts, Box::new(|_| {}));
        if let Err(error) = begun {
            tracing::warn!("Can't save in background: {error}");
            return Err(CommandError::Text("ERR"));
        }
        tracing::info!("Background saving started by pid {}", std::process::id());
        self.wake_walks();
        Ok(())
    }

    /// Every core looks at its box soon, whatever it does now.
    pub(super) fn wake_walks(&mut self) {
        for core in 0..self.exchange.shards() {
            self.exchange.send(core, Message::Resume);
        }
    }

    fn save_last(&mut self) -> bool {
        tracing::info!("Saving the final RDB snapshot before exiting.");
        let now_ms = self.clock.unix_ms();
        let mut keyspaces = Keyspaces::new(&mut self.exchange.boxes, &self.exchange.hasher, None);
        save_now(&mut keyspaces, &self.config, &self.server, now_ms).is_ok()
    }

    /// Answers a session that waits for something outside, if it is still there.
    pub(super) fn reply_to(&mut self, key: SessionKey, write: impl FnOnce(&mut Reply, &crate::stats::core::CoreStats)) {
        let Some(mut session) = self.take_session(key) else { return };
        write(session.reply(), self.stats());
        session.stall = Stall::None;
        self.wake(key);
        self.put_session(session);
    }

    /// The first core's cron: begins a snapshot if a save point has come, or if one was put off.
    pub(super) fn consider_saving(&mut self) {
        let saves = &self.server.saves;
        if saves.running() != SaveKind::None || self.jobs_waiting > 0 {
            return;
        }
        let now_s = self.clock.unix_ms() / 1000;
        let may_try = saves.is_last_ok() || now_s - saves.last_try_s.load(Ordering::Relaxed) > RETRY_SECONDS;
        if !may_try {
            return;
        }
        let is_scheduled = saves.scheduled.swap(false, Ordering::Relaxed);
        let changes = saves.changes_unsaved(&self.server.cores);
        let since_s = now_s - saves.last_save_s.load(Ordering::Relaxed);
        let is_due = |point: &&SavePoint| changes >= point.changes as u64 && since_s > point.seconds;
        let point = self.config.save_points().iter().find(is_due);
        if let Some(point) = point {
            tracing::info!("{} changes in {} seconds. Saving...", point.changes, point.seconds);
        }
        if is_scheduled || point.is_some() {
            self.start_job(Job::Snapshot(None));
        }
    }

    /// Walks this core's box for a running snapshot for a while. When to go on; none when there is nothing to do.
    pub fn walk(&mut self) -> Option<Duration> {
        if self.server.saves.running() == SaveKind::None && !self.is_walking {
            return None;
        }
        self.refresh_config();
        let now_ns = self.clock.monotonic_ns();
        let commands = self.stats().commands.get();
        let is_busy = std::mem::replace(&mut self.walk_state.commands, commands) != commands;
        let (budget_ns, rest) = if is_busy { (WALK_BUSY_NS, REST_BUSY) } else { (WALK_IDLE_NS, REST_IDLE) };
        let (shard, shards) = (self.exchange.core, self.exchange.shards() as u64);
        if !self.exchange.take(shard) {
            self.exchange.put_all();
            return Some(rest);
        }
        let Some(keyspace) = self.exchange.boxes[shard].as_deref_mut() else { unreachable!("taken above") };
        let id = keyspace.snapshot.as_ref().filter(|snapshot| !snapshot.is_given_up()).map(|snapshot| snapshot.id);
        let delay_us = self.config.get_i64(crate::param!("rdb-key-save-delay")).max(0) as u64;
        let delays = id.is_some() && delay_us > 0;
        let mut pause = Some(rest);
        match self.walk_state.delayed {
            Some((delayed, until_ns)) if delays && Some(delayed) == id && now_ns < until_ns => {
                pause = Some(Duration::from_nanos(until_ns - now_ns));
            }
            _ => {
                let mut looks = 0;
                let has_time = || {
                    looks += 1;
                    !delays && looks < self.walk_looks_max && self.clock.monotonic_ns() - now_ns < budget_ns
                };
                let slice = walk_box(keyspace, if delays { 1 } else { SLICES_PER_LOOK }, has_time);
                if let (SnapshotSlice::Met(met), Some(id), true) = (slice, id, delays) {
                    // The snapshot as a whole shall take so long; the others wait, too.
                    let delay = Duration::from_micros(met as u64 * delay_us * shards);
                    self.walk_state.delayed = Some((id, now_ns + delay.as_nanos() as u64));
                    pause = Some(delay);
                }
                if slice == SnapshotSlice::Done {
                    pause = None;
                }
            }
        }
        keyspace.pause_snapshot();
        self.is_walking = keyspace.snapshot.is_some();
        self.exchange.put_all();
        pause
    }
}

/// Goes on slice by slice while there is time, which it asks for after so many slices.
fn walk_box(keyspace: &mut Keyspace, slices_per_look: usize, mut has_time: impl FnMut() -> bool) -> SnapshotSlice {
    let mut met_all = 0;
    loop {
        for _ in 0..slices_per_look {
            match keyspace.snapshot_slice() {
                SnapshotSlice::Met(met) => met_all += met,
                other => return other,
            }
        }
        if !has_time() {
            return SnapshotSlice::Met(met_all);
        }
    }
}
