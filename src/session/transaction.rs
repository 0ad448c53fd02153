//! Transactions of one session: the queue of MULTI, the watched keys, and EXEC.
//!
//! EXEC runs with the boxes of all keys of the queued commands and of all watched keys in hand: when they lie on their
//! shelves at once, else as a loan. A script among them that reaches for other keys is the reason that all is taken back
//! and begun anew with their boxes, too. So the check of the watched keys and all the commands are one step for everybody
//! else. Clients that wait for keys are served when the last command is done.

use std::sync::Arc;

use crate::command::args::Args;
use crate::command::blocking::Waiting;
use crate::command::context::{Context, Keyspaces};
use crate::command::error::CommandError;
use crate::command::spec::{Flags, Run, Step};
use crate::command::table::Row;
use crate::keyspace::Turn;
use crate::runtime::flag::Flag;
use crate::shard::batch::Batch;
use crate::shard::call;
use crate::shard::route::{Route, all_shards, route};
use crate::shard::record;
use crate::shard::script::ScriptRun;
use crate::shard::wait;
use crate::stdx::limits::WATCHED_KEYS_MAX;

use super::core::Core;
use super::script::Ran;
use super::state::{Segment, Session, Stall};

/// What a session has queued since MULTI.
#[derive(Default)]
pub struct Transaction {
    queue: Batch,
    /// A command could not be queued: EXEC refuses.
    aborted: bool,
    /// The shards of all queued commands, one bit each.
    shards: u64,
    /// One of them writes.
    writes: bool,
    /// One of them takes memory.
    takes_memory: bool,
    /// One of them runs a script.
    has_script: bool,
    /// One of them is neither a script nor a command with keys: it cannot be taken back.
    has_others: bool,
}

impl Transaction {
    /// Number of queued commands.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Nothing is queued.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Bytes of memory the queue takes.
    pub fn memory_bytes(&self) -> usize {
        self.queue.memory_bytes()
    }
}

/// The keys a session watches.
#[derive(Default)]
pub struct Watch {
    flag: Arc<Flag>,
    keys: Vec<(u32, Box<[u8]>)>,
    shards: u64,
}

impl Watch {
    /// Number of watched keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// No key is watched.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// One of them was changed.
    pub fn is_touched(&self) -> bool {
        self.flag.is_raised()
    }
}

impl Session {
    /// Whether this command is queued instead of run.
    #[inline]
    pub(super) fn queues(&self, row: &Row) -> bool {
        self.transaction.is_some()
            && !matches!(row.command.run, Run::Transaction(_))
            && !matches!(row.full_name, "quit" | "reset")
    }

    /// A command was refused before it ran: its transaction cannot be run any more. EXEC itself ends it, and says why.
    pub(super) fn refused(&mut self, row: Option<&Row>, error: CommandError) -> CommandError {
        if row.is_some_and(|row| matches!(row.command.run, Run::Transaction(Step::Exec))) {
            (self.transaction, self.watch) = (None, None);
            let reason = error.text();
            let reason = reason.strip_prefix(b"ERR ").unwrap_or(&reason);
            return CommandError::Owned([b"EXECABORT Transaction discarded because of: ", reason].concat());
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.aborted = true;
        }
        error
    }

    /// The transaction has a command that runs a script.
    pub(super) fn transaction_has_script(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.has_script)
    }

    /// The transaction has a command that takes memory.
    pub(super) fn transaction_takes_memory(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.takes_memory)
    }

    /// The transaction has a command that writes.
    pub(super) fn transaction_writes(&self) -> bool {
        self.transaction.as_ref().is_some_and(|transaction| transaction.writes)
    }
}

impl Core {
    /// Puts a command into the queue of its session's transaction.
    pub(super) fn queue_command(&mut self, session: &mut Session, row: &'static Row, args: Args<'_>) {
        let discard = session.discards_reply();
        let (protocol, database, touch) = (session.client.protocol, session.client.database, !session.client.no_touch);
        let limit_bytes = self.config.get_u64(crate::param!("client-query-buffer-limit"));
        let is_script = matches!(row.command.run, Run::Script(_));
        let has_keys = matches!(row.command.run, Run::Keyed(_) | Run::Scatter(_));
        let shards = match route(row, args, &self.exchange.hasher) {
            Route::Session => 0,
            Route::Shard { shard, .. } => 1 << shard,
            Route::Shards(shards) => shards,
        };
        session.client.last_command = row.full_name;
        let Some(transaction) = &mut session.transaction else { unreachable!("only a session in MULTI queues") };
        transaction.queue.push(row, args, 0..args.len(), database, 0, protocol, touch);
        transaction.shards |= shards;
        transaction.has_script |= is_script;
        transaction.takes_memory |= row.flags.has(Flags::DENYOOM);
        transaction.has_others |= !is_script && !has_keys;
        transaction.writes |= row.flags.has(Flags::WRITE) || row.flags.has(Flags::MAY_REPLICATE);
        if transaction.memory_bytes() as u64 > limit_bytes {
            // As Redis counts the queue to the query buffer.
            session.over_limit = true;
            session.requests = None;
        }
        session.next += 1;
        if !discard {
            session.reply().simple("QUEUED");
        }
    }

    /// MULTI, EXEC, DISCARD, WATCH, UNWATCH.
    pub(super) fn transaction_step(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        step: Step,
        args: Args<'_>,
        now_ms: i64,
    ) {
        match self.shards_of_step(session, step, args) {
            Ok(0) if step != Step::Exec || !session.transaction_has_script() => {
                self.count_one(session, row);
                let before_ns = self.clock.monotonic_ns();
                self.run_step(session, row, step, args, now_ms);
                self.note_spent(session, row, args, self.clock.monotonic_ns() - before_ns);
                session.next += 1;
            }
            Ok(shards) => self.run_over_shards(session, row, args, shards, now_ms),
            Err(error) => {
                if self.is_monitored() {
                    self.show(session, row, args);
                }
                self.count_one(session, row);
                let stats = &self.server.cores[self.id];
                stats.per_command[row.id].calls.add(1);
                stats.per_command[row.id].failed.add(1);
                if !session.discards_reply() {
                    call::write_error(session.reply(), &error, stats);
                }
                session.next += 1;
            }
        }
    }

    /// The shards a step needs in hand, or what is wrong with it. A wrong EXEC ends its transaction.
    fn shards_of_step(&self, session: &mut Session, step: Step, args: Args<'_>) -> Result<u64, CommandError> {
        match (step, &session.transaction) {
            (Step::Multi, Some(_)) => Err(CommandError::Text("ERR MULTI calls can not be nested")),
            (Step::Watch, Some(_)) => Err(CommandError::Text("ERR WATCH inside MULTI is not allowed")),
            (Step::Discard, None) => Err(CommandError::Text("ERR DISCARD without MULTI")),
            (Step::Exec, None) => Err(CommandError::Text("ERR EXEC without MULTI")),
            (Step::Exec, Some(transaction)) if transaction.aborted => {
                session.transaction = None;
                session.watch = None;
                Err(CommandError::Text("EXECABORT Transaction discarded because of previous errors."))
            }
            // What its scripts turn out to need cannot be fetched once it has begun, unless it can be taken back. Its own
            // writes would count as changes of the keys it watches.
            (Step::Exec, Some(transaction)) if transaction.has_script && (transaction.has_others || session.watch.is_some()) => {
                Ok(all_shards(self.exchange.shards()))
            }
            (Step::Exec, Some(transaction)) => {
                Ok(transaction.shards | session.watch.as_ref().map_or(0, |watch| watch.shards))
            }
            (Step::Watch, None) => {
                if session.watch.as_ref().map_or(0, |watch| watch.len()) + args.len() > WATCHED_KEYS_MAX {
                    return Err(CommandError::Text("ERR too many watched keys"));
                }
                Ok(args.iter_from(1).fold(0, |all, key| all | 1 << self.shard_of(key)))
            }
            (Step::Multi | Step::Discard | Step::Unwatch, _) => Ok(0),
        }
    }

    fn shard_of(&self, key: &[u8]) -> usize {
        self.exchange.hasher.shard_of(&self.exchange.hasher.key(key))
    }

    /// The shards, beyond those in hand, that the step needs for the sake of clients who wait for keys.
    pub(super) fn missing_for_transaction(&self, session: &Session) -> u64 {
        let Some(transaction) = &session.transaction else { return 0 };
        let queue = &transaction.queue;
        (0..queue.len())
            .fold(0, |all, index| all | self.missing_for_waiters(None, queue.command(index).row, queue.args(index)))
    }

    /// Does a step whose boxes are in hand.
    pub(super) fn run_step(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        step: Step,
        args: Args<'_>,
        now_ms: i64,
    ) -> Ran {
        let reply_mode = session.client.reply_mode;
        let discard = session.discards_reply();
        match step {
            Step::Multi => session.transaction = Some(Box::default()),
            Step::Discard => {
                session.transaction = None;
                session.watch = None;
            }
            Step::Unwatch => session.watch = None,
            Step::Watch => self.watch(session, args, now_ms),
            Step::Exec => {
                let shown = self.shown.len();
                let ran = self.exec(session, now_ms, discard);
                if let Ran::Missing(_) = ran {
                    session.client.reply_mode = reply_mode;
                    self.shown.truncate(shown);
                    return ran;
                }
            }
        }
        self.stats().per_command[row.id].calls.add(1);
        if self.is_monitored() {
            self.show(session, row, args);
        }
        if !discard && step != Step::Exec {
            session.reply().ok();
        }
        Ran::Done
    }

    fn watch(&mut self, session: &mut Session, args: Args<'_>, now_ms: i64) {
        let database = session.client.database;
        let watch = session.watch.get_or_insert_default();
        for bytes in args.iter_from(1) {
            let key = self.exchange.hasher.key(bytes);
            let shard = self.exchange.hasher.shard_of(&key);
            let keyspace =
                self.exchange.boxes[shard].as_deref_mut().expect("the boxes of all watched keys are in hand");
            // A key whose time has come already goes now; its going later would count as a change.
            keyspace.peek(database, &key, Turn::at(now_ms, false));
            keyspace.watchers.get_or_insert_default().watch(database, bytes, &watch.flag);
            watch.keys.push((database, bytes.into()));
            watch.shards |= 1 << shard;
        }
        self.serve_waiters(now_ms);
    }

    fn exec(&mut self, session: &mut Session, now_ms: i64, discard: bool) -> Ran {
        let Some(transaction) = session.transaction.take() else { unreachable!("EXEC without MULTI was refused") };
        session.saw_data = true;
        if let Some(watch) = session.watch.take() {
            for (database, bytes) in &watch.keys {
                let key = self.exchange.hasher.key(bytes);
                let shard = self.exchange.hasher.shard_of(&key);
                let keyspace =
                    self.exchange.boxes[shard].as_deref_mut().expect("the boxes of all watched keys are in hand");
                // A watched key whose time has come is a changed key.
                keyspace.peek(*database, &key, Turn::at(now_ms, false));
            }
            if watch.is_touched() {
                self.serve_waiters(now_ms);
                if !discard {
                    session.reply().null_array();
                }
                return Ran::Done;
            }
        }
        let start = session.reply().position();
        if !discard {
            session.reply().array(transaction.queue.len());
        }
        session.in_exec = true;
        let all = all_shards(self.exchange.shards());
        record::begin_unit(&mut self.exchange.boxes, all);
        let started_ns = self.clock.monotonic_ns();
        if transaction.has_script && self.exchange.boxes.iter().any(Option::is_none) {
            self.tentative = Some(Vec::new());
        }
        for index in 0..transaction.queue.len() {
            let before_ns = self.clock.monotonic_ns();
            if let Ran::Missing(shards) = self.run_queued(session, &transaction.queue, index, now_ms, discard) {
                session.transaction = Some(transaction);
                self.take_back_transaction(session, start, now_ms);
                return Ran::Missing(shards);
            }
            self.note_queued(session, &transaction.queue, index, self.clock.monotonic_ns() - before_ns);
        }
        self.tentative = None;
        self.spent_queued(&transaction.queue, self.clock.monotonic_ns() - started_ns);
        record::end_unit(&mut self.exchange.boxes);
        session.in_exec = false;
        debug_assert!(!discard || session.reply().position() == start || !session.segments.is_empty());
        if session.segments.iter().any(|segment| matches!(segment, Segment::Awaited(_))) {
            session.stall = Stall::Operation;
        }
        self.stats().commands.add(transaction.queue.len() as u64);
        self.serve_waiters(now_ms);
        self.send_publications(Some(session));
        Ran::Done
    }

    /// A script of the transaction needs further boxes: as if nothing had been done yet. Its reply began at `start`.
    fn take_back_transaction(&mut self, session: &mut Session, start: usize, now_ms: i64) {
        for mut run in self.tentative.take().unwrap_or_default().into_iter().rev() {
            run.take_back(&mut self.exchange);
        }
        record::forget_unit(&mut self.exchange.boxes);
        session.in_exec = false;
        session.reply().truncate(start);
        self.publications.clear();
        self.serve_waiters(now_ms);
    }

    /// Keeps what a command of a transaction that may be taken back is about to change. The shards that it needs for that.
    fn keep_for_taking_back(&mut self, row: &'static Row, args: Args<'_>, database: u32, turn: Turn) -> u64 {
        let Some(runs) = &mut self.tentative else { return 0 };
        if !row.flags.has(Flags::WRITE) {
            return 0;
        }
        let mut run = ScriptRun::new(database, turn, false);
        if !run.keep_values(&mut self.exchange, row, args) {
            return all_shards(self.exchange.shards());
        }
        runs.push(run);
        0
    }

    fn run_queued(&mut self, session: &mut Session, queue: &Batch, index: usize, now_ms: i64, discard: bool) -> Ran {
        let (row, args) = (queue.command(index).row, queue.args(index));
        if session.client.is_restricted()
            && let Some(error) = self.denied_in_transaction(session, row, args)
        {
            self.write_denial(session, &error, discard);
            return Ran::Done;
        }
        if let Run::Session(_) | Run::Control(_) = row.command.run {
            self.run_handler(session, row, args, now_ms, discard);
            return Ran::Done;
        }
        if let Run::Script(call) = row.command.run {
            let declared = self.declared_shards(row, args);
            return self.run_script(session, row, call, args, declared, now_ms, false);
        }
        if self.is_monitored() {
            self.show(session, row, args);
        }
        let only = match row.command.run {
            Run::OneShard { pick, .. } => Some(pick(&args, self.exchange.shards())),
            _ => None,
        };
        let (database, touch) = (session.client.database, !session.client.no_touch);
        let turn = Turn { now_ms, touch, keep_expired: self.server.is_paused(now_ms) };
        let missing = self.keep_for_taking_back(row, args, database, turn);
        if missing != 0 {
            return Ran::Missing(missing);
        }
        let reply = session.reply();
        let start = reply.position();
        let mut context = Context {
            args,
            reply,
            keyspaces: Keyspaces::new(&mut self.exchange.boxes, &self.exchange.hasher, only),
            database,
            turn,
            config: &self.config,
            server: &self.server,
            first_key: None,
            command: row.full_name,
            waiting: Waiting::Denied,
            wait: None,
        };
        let result = call::run_counted(row, &mut context, &self.server.cores[self.id]);
        if discard {
            context.reply.truncate(start);
        }
        if result.is_err() {
            session.killed = true;
        }
        Ran::Done
    }

    /// For the slow log; handlers on the session write themselves down.
    fn note_queued(&self, session: &Session, queue: &Batch, index: usize, spent_ns: u64) {
        let row = queue.command(index).row;
        if !matches!(row.command.run, Run::Session(_) | Run::Control(_)) {
            self.note_spent(session, row, queue.args(index), spent_ns);
        }
    }

    /// The commands of a transaction share its time evenly, as those of a window do.
    fn spent_queued(&self, queue: &Batch, spent_ns: u64) {
        let rows = (0..queue.len()).map(|index| queue.command(index).row);
        // What works on the session was measured by itself.
        let rows = rows.filter(|row| !matches!(row.command.run, Run::Session(_) | Run::Control(_)));
        let each_ns = spent_ns / queue.len().max(1) as u64;
        self.stats().spent(rows.map(|row| row.id), each_ns, self.config.get_bool(crate::param!("latency-tracking")));
    }

    /// Serves whoever waits for what was written with the boxes in hand.
    pub(super) fn serve_waiters(&mut self, now_ms: i64) {
        let runner = crate::shard::home::Runner {
            now_ms,
            config: &self.config,
            server: &self.server,
            stats: &self.server.cores[self.id],
            clock: None,
        };
        wait::serve(&mut self.exchange.boxes, &self.exchange.hasher, &runner);
    }
}
