//! What a core does with all boxes in hand for the append-only log: begin to record, stop, and begin a rewrite.
//!
//! A rewrite is a snapshot in the log's folder. At its moment a sign goes into every shard's journal: the log's thread
//! begins a new file there, so the snapshot and that file together are all there is. What it replaces is deleted when the
//! snapshot is in its place (`server/log_writer`).

use std::fs::File;
use std::sync::atomic::Ordering;

use crate::command::context::Keyspaces;
use crate::command::error::CommandError;
use crate::command::load_limits::load_limits;
use crate::command::persist::empty;
use crate::keyspace::Keyspace;
use crate::persist::aof::commands::replace_by_commands;
use crate::persist::aof::files::LogFiles;
use crate::persist::rdb::load::{self, LoadOptions};
use crate::persist::rdb::output::SaveOptions;
use crate::persist::rdb::snapshot::{self, SnapshotEnd};
use crate::runtime::process::hold_thread_us;
use crate::shard::call;
use crate::shard::exchange::Exchange;
use crate::shard::log::orders::Order;
use crate::shard::record;
use crate::stats::persistence::SaveKind;

use super::core::Core;
use super::jobs::Job;
use super::replay::Replay;
use super::state::{Session, SessionKey, Stall};

/// Minutes that a rewrite which the size asks for is put off after failures: one, then twice as many each time.
const DELAY_MINUTES_MAX: u64 = 60;
/// Failures in a row from which on it is put off, as in Redis.
const FAILURES_BEFORE_DELAY: u64 = 3;

/// Time between two looks at how far the log is, microseconds, and how often it is looked at: ten seconds.
const LOG_LOOK_US: i64 = 200;
const LOG_LOOKS_MAX: usize = 50_000;

const FAILED: CommandError = CommandError::Text(
    "ERR Can't execute an AOF background rewriting. Please check the server logs for more information.",
);

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LogJob {
    /// BGREWRITEAOF; whoever asked for it gets a reply, unless it wants none.
    Rewrite(Option<(SessionKey, bool)>),
    /// DEBUG LOADAOF.
    Reload(SessionKey, bool),
    /// CONFIG SET appendonly yes.
    Start,
    /// CONFIG SET appendonly no.
    Stop,
}

impl Core {
    /// BGREWRITEAOF. True when the session waits for its reply.
    pub(super) fn rewrite_log(&mut self, session: &mut Session, discard: bool) -> bool {
        let log = &self.server.log;
        let is_running = log.is_rewriting();
        if !is_running && self.server.saves.running() == SaveKind::None && !session.in_exec {
            session.stall = Stall::Operation;
            self.start_job(Job::Log(LogJob::Rewrite(Some((session.key, discard)))));
            return true;
        }
        if !is_running {
            log.rewrite_scheduled.store(true, Ordering::Relaxed);
        }
        if !discard {
            if is_running {
                const RUNNING: CommandError =
                    CommandError::Text("ERR Background append only file rewriting already in progress");
                call::write_error(session.reply(), &RUNNING, self.stats());
            } else {
                session.reply().simple("Background append only file rewriting scheduled");
            }
        }
        false
    }

    /// All boxes are in hand.
    pub(super) fn run_log_job(&mut self, job: LogJob) {
        match job {
            LogJob::Rewrite(asker) => {
                let result = self.begin_rewrite(false);
                if let Some((key, discard)) = asker {
                    self.reply_to(key, |reply, stats| match &result {
                        _ if discard => {}
                        Ok(()) => reply.simple("Background append only file rewriting started"),
                        Err(error) => call::write_error(reply, error, stats),
                    });
                }
            }
            LogJob::Reload(key, discard) => {
                const FAILED: CommandError =
                    CommandError::Text("ERR Error trying to load the AOF files, check server logs.");
                let is_loaded = self.reload_log().is_some();
                self.reply_to(key, |reply, stats| match is_loaded {
                    _ if discard => {}
                    true => reply.ok(),
                    false => call::write_error(reply, &FAILED, stats),
                });
            }
            LogJob::Start => {
                let wanted = self.config.get_bool(crate::param!("appendonly"));
                self.server.log.start_scheduled.store(false, Ordering::Relaxed);
                if wanted && !self.server.log.enabled.load(Ordering::Relaxed) && self.begin_rewrite(true).is_err() {
                    // As soon as what is running has ended.
                    self.server.log.start_scheduled.store(true, Ordering::Relaxed);
                }
            }
            LogJob::Stop => self.stop_log(),
        }
    }

    fn begin_rewrite(&mut self, starts: bool) -> Result<(), CommandError> {
        let facts = self.server.log.clone();
        let Some(log) = self.log.clone() else { return Err(FAILED) };
        if self.server.saves.running() != SaveKind::None || facts.rewrite_started_ms.load(Ordering::Relaxed) != 0 {
            return Err(FAILED);
        }
        let now_ms = self.clock.unix_ms();
        let folder = LogFiles::folder_of(&self.config);
        if LogFiles::make_folder_at(&folder).is_err() {
            return Err(FAILED);
        }
        let options = SaveOptions::new(&self.config, true, now_ms)
            .with_functions(self.server.scripts.sources())
            .for_log_base(LogFiles::base_path(&folder));
        let path = options.path.clone();
        let orders = log.clone();
        let is_snapshot = self.config.get_bool(crate::param!("aof-use-rdb-preamble"));
        let stamp_s = facts.stamps.load(Ordering::Relaxed).then_some(now_ms as u64 / 1000);
        let on_end = move |end: &SnapshotEnd| {
            let mut is_made = matches!(end, SnapshotEnd::Saved);
            if is_made && !is_snapshot {
                let made = replace_by_commands(&path, stamp_s);
                is_made = made.is_ok();
                made.unwrap_or_else(|error| tracing::warn!("Can't write the base of the log as commands: {error}"));
            }
            orders.send(Order::Base(is_made.then_some(path)));
        };
        let mut all: Vec<&mut Keyspace> =
            self.exchange.boxes.iter_mut().filter_map(|slot| slot.as_deref_mut()).collect();
        let saves = (&self.server.saves, &self.clock);
        if let Err(error) = snapshot::begin(&mut all, options, SaveKind::LogBase, saves, Box::new(on_end)) {
            tracing::warn!("Can't rewrite append only file in background: {error}");
            return Err(FAILED);
        }
        tracing::info!("Background append only file rewriting started by pid {}", std::process::id());
        if starts {
            for keyspace in self.exchange.boxes.iter_mut().flatten() {
                keyspace.journal.switch(Some(log.meeting().marks.clone()));
            }
            facts.awaits_first_base.store(true, Ordering::Relaxed);
            facts.enabled.store(true, Ordering::Release);
        }
        facts.rewrite_scheduled.store(false, Ordering::Relaxed);
        facts.rewrite_started_ms.store(now_ms.max(1), Ordering::Relaxed);
        facts.rewrites.fetch_add(1, Ordering::Relaxed);
        if facts.enabled.load(Ordering::Relaxed) {
            let ticket = log.meeting().marks.take_ticket();
            log.send(Order::Rotate(ticket));
            record::sign(&mut self.exchange.boxes, ticket);
        }
        self.wake_walks();
        Ok(())
    }

    /// Writes all there is, empties the boxes and loads the log into them.
    fn reload_log(&mut self) -> Option<()> {
        self.await_log();
        let files = LogFiles::find(&self.config).ok().filter(|files| !files.manifest.is_empty())?;
        let now_ms = self.clock.unix_ms();
        let limits = load_limits(&self.config, &self.server);
        let options = LoadOptions { drops_expired: false, ..LoadOptions::new(&self.config, limits, now_ms) };
        let hasher = self.exchange.hasher.clone();
        let boxes = &mut self.exchange.boxes;
        empty(&mut Keyspaces::new(boxes, &hasher, None), now_ms);
        let log = boxes[0].as_deref_mut().and_then(|keyspace| keyspace.journal.log().cloned());
        boxes.iter_mut().flatten().for_each(|keyspace| keyspace.journal.switch(None));
        let load = |file: File, boxes: &mut [Option<Box<Keyspace>>]| {
            let mut all: Vec<&mut Keyspace> = boxes.iter_mut().filter_map(|slot| slot.as_deref_mut()).collect();
            load::load(file, &mut all, &hasher, &options)
        };
        let (config, server) = (&*self.config, &*self.server);
        let replay = Replay { meeting: None, hasher: &hasher, config, server, now_ms, clock: &self.clock, load: &load };
        let result = replay.run(&files, boxes);
        boxes.iter_mut().flatten().for_each(|keyspace| keyspace.journal.switch(log.clone()));
        // What was loaded may be waited for.
        self.serve_waiters(now_ms);
        result.ok()?;
        tracing::info!("Append Only File loaded by DEBUG LOADAOF");
        Some(())
    }

    /// Gives what the boxes in hand have recorded to the log and waits until it is written.
    fn await_log(&mut self) {
        for _ in 0..LOG_LOOKS_MAX {
            let Exchange { boxes, log, .. } = &mut self.exchange;
            let Some(log) = log else { return };
            for (shard, keyspace) in boxes.iter_mut().enumerate() {
                if let Some(keyspace) = keyspace {
                    log.ship(shard, &mut keyspace.journal);
                }
            }
            let is_safe = |(shard, slot): (usize, &Option<Box<Keyspace>>)| {
                slot.as_ref().is_none_or(|keyspace| log.marks().durable(shard) >= keyspace.journal.chunks())
            };
            if !log.is_waiting() && boxes.iter().enumerate().all(is_safe) {
                return;
            }
            self.settle_log();
            hold_thread_us(LOG_LOOK_US);
        }
    }

    fn stop_log(&mut self) {
        let facts = &self.server.log;
        facts.start_scheduled.store(false, Ordering::Relaxed);
        facts.awaits_first_base.store(false, Ordering::Relaxed);
        let wanted = self.config.get_bool(crate::param!("appendonly"));
        if wanted || !facts.enabled.swap(false, Ordering::AcqRel) {
            return;
        }
        if let Some(log) = &self.log {
            let ticket = log.meeting().marks.take_ticket();
            log.send(Order::Close(ticket));
            record::sign(&mut self.exchange.boxes, ticket);
        }
        if facts.rewrite_started_ms.load(Ordering::Relaxed) != 0 {
            tracing::info!("Killing AOF child");
            for keyspace in self.exchange.boxes.iter_mut().flatten() {
                keyspace.abort_snapshot();
            }
        }
        for keyspace in self.exchange.boxes.iter_mut().flatten() {
            keyspace.journal.switch(None);
        }
    }

    /// Some parameter was set.
    pub(super) fn apply_to_log(&mut self) {
        let wanted = self.config.get_bool(crate::param!("appendonly"));
        let always = self.config.get_word(crate::param!("appendfsync")) == "always";
        let facts = &self.server.log;
        facts.always.store(always, Ordering::Relaxed);
        facts.stamps.store(self.config.get_bool(crate::param!("aof-timestamp-enabled")), Ordering::Relaxed);
        if self.log.is_some() && wanted != facts.enabled.load(Ordering::Acquire) {
            // INFO says so at once.
            facts.start_scheduled.store(wanted, Ordering::Relaxed);
            self.start_job(Job::Log(if wanted { LogJob::Start } else { LogJob::Stop }));
        }
    }

    /// The first core's cron: begins a rewrite if it was put off, or if the log has grown enough.
    pub(super) fn consider_rewriting(&mut self) {
        let facts = &self.server.log;
        if self.server.saves.running() != SaveKind::None
            || facts.rewrite_started_ms.load(Ordering::Relaxed) != 0
            || self.jobs_waiting > 0
        {
            return;
        }
        if facts.start_scheduled.swap(false, Ordering::Relaxed) {
            return self.start_job(Job::Log(LogJob::Start));
        }
        let scheduled = facts.rewrite_scheduled.load(Ordering::Relaxed);
        if scheduled || self.log_has_grown() {
            self.start_job(Job::Log(LogJob::Rewrite(None)));
        }
    }

    fn log_has_grown(&self) -> bool {
        let facts = &self.server.log;
        let percentage = self.config.get_i64(crate::param!("auto-aof-rewrite-percentage"));
        let bytes = facts.bytes.load(Ordering::Relaxed);
        let min_bytes = self.config.get_i64(crate::param!("auto-aof-rewrite-min-size"));
        if percentage == 0 || !facts.enabled.load(Ordering::Relaxed) || (bytes as i64) <= min_bytes {
            return false;
        }
        let base = facts.base_bytes.load(Ordering::Relaxed).max(1);
        let growth = (bytes as i128 - i128::from(base)) * 100 / i128::from(base);
        let failures = facts.rewrites_failed.load(Ordering::Relaxed);
        if failures >= FAILURES_BEFORE_DELAY {
            let minutes = 1u64.checked_shl((failures - FAILURES_BEFORE_DELAY) as u32).unwrap_or(DELAY_MINUTES_MAX);
            let since_ms = self.clock.unix_ms() - facts.last_failure_ms.load(Ordering::Relaxed);
            if since_ms < minutes.min(DELAY_MINUTES_MAX) as i64 * 60_000 {
                return false;
            }
        }
        let due = growth >= i128::from(percentage);
        if due {
            tracing::info!("Starting automatic rewriting of AOF on {growth}% growth");
        }
        due
    }
}
