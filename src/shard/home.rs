//! The home side of a shard: batches and loans in the order they came, holds and who waits for them.
//!
//! Rules that keep it free of deadlock: loans are lent in the order of the desk, the same on every core; a hold is
//! refused at once while a loan is queued or out, and whenever its key is held by another; phase 2 of a scattered command
//! never waits in the queue. So whoever waits, waits for something that is already decided.

use std::collections::VecDeque;

use crate::command::args::Args;
use crate::command::blocking::Waiting;
use crate::command::context::{Context, Keyspaces};
use crate::command::keys;
use crate::command::spec::{Flags, Merge, PartHandler, Run, Scatter};
use crate::command::table::Row;
use crate::config::Config;
use crate::keyspace::Turn;
use crate::keyspace::hold::HoldId;
use crate::keyspace::prefetch::{self, Wanted};
use crate::resp::reply::Reply;
use crate::runtime::clock::Clock;
use crate::stats::core::CoreStats;
use crate::stats::server::ServerFacts;
use crate::stdx::limits::{HELD_KEYS_MAX, PREFETCH_WINDOW};

use super::batch::{Batch, BatchCommand, Outcome, Phase};
use super::call;
use super::exchange::{Event, Exchange};
use super::message::Message;
use super::{record, wait};

/// What running commands takes besides the data.
pub struct Runner<'a> {
    /// Unix time in milliseconds, read once per turn.
    pub now_ms: i64,
    /// The parameters.
    pub config: &'a Config,
    /// Facts and switches of the server.
    pub server: &'a ServerFacts,
    /// This core's counters.
    pub stats: &'a CoreStats,
    /// Measures how long commands take; none where that is measured further out.
    pub clock: Option<&'a Clock>,
}

impl<'a> Runner<'a> {
    /// When commands run, and how they look at keys.
    pub fn turn(&self, touch: bool) -> Turn {
        Turn { now_ms: self.now_ms, touch, keep_expired: self.server.is_paused(self.now_ms) }
    }

    fn monotonic_ns(&self) -> u64 {
        self.clock.map_or(0, Clock::monotonic_ns)
    }

    /// What the handler of a batch's command sees.
    fn context<'c>(
        &self,
        command: BatchCommand,
        (args, reply): (Args<'c>, &'c mut Reply),
        keyspaces: Keyspaces<'c>,
        first_key: Option<(usize, u64)>,
    ) -> Context<'c>
    where
        'a: 'c,
    {
        reply.protocol = command.protocol;
        Context {
            args,
            reply,
            keyspaces,
            database: command.database,
            turn: self.turn(command.touch),
            config: self.config,
            server: self.server,
            first_key,
            command: command.row.full_name,
            waiting: Waiting::Denied,
            wait: None,
        }
    }
}

enum SecondPhase {
    Apply(Box<Batch>),
    Release(HoldId),
    Signal { database: u32, key: Box<[u8]> },
}

/// How far a batch came.
enum BatchEnd {
    /// To its end.
    Done,
    /// It met a held key and must wait.
    Held,
    /// It stands at a command that takes the boxes of these shards.
    Needs(u64),
}

enum Work {
    Batch(Box<Batch>),
    Loan { to: u16 },
}

/// See the file's head.
#[derive(Default)]
pub struct Home {
    queue: VecDeque<Work>,
    /// Phase 2 of scattered commands: never waits behind the queue.
    second_phases: VecDeque<SecondPhase>,
    /// Batches that met a held key, in order.
    suspended: Vec<Box<Batch>>,
    /// Signals of keys that were held, or whose waiters would take held keys: given again after the next release.
    signals_held: Vec<(u32, Box<[u8]>)>,
    /// Core and session of the batches that wait for a loan (`Event::BatchNeeds`).
    away: Vec<(u16, u64)>,
    loans_queued: usize,
    lent: bool,
    /// The queue begins with a loan that waits for held keys: only a second phase can move it.
    waits_for_release: bool,
}

impl Home {
    /// Work is queued or the box is lent: sessions of this core must queue behind it.
    pub fn is_busy(&self) -> bool {
        self.lent || !self.queue.is_empty() || !self.second_phases.is_empty()
    }

    /// There is work for which the box is missing.
    pub(super) fn wants_box(&self) -> bool {
        !self.lent && ((!self.queue.is_empty() && !self.waits_for_release) || !self.second_phases.is_empty())
    }

    pub(super) fn enqueue_loan(&mut self, to: u16) {
        self.loans_queued += 1;
        self.queue.push_back(Work::Loan { to });
    }

    pub(super) fn returned(&mut self) {
        self.lent = false;
    }

    pub(super) fn enqueue_release(&mut self, id: HoldId) {
        self.second_phases.push_back(SecondPhase::Release(id));
    }

    pub(super) fn enqueue_signal(&mut self, database: u32, key: Box<[u8]>) {
        self.second_phases.push_back(SecondPhase::Signal { database, key });
    }

    /// What is not done. For tests and the simulation.
    pub(super) fn leftover(&self) -> Option<&'static str> {
        [
            (!self.queue.is_empty() || !self.second_phases.is_empty(), "queued work at home"),
            (!self.suspended.is_empty(), "a batch that waits for a held key"),
            (!self.signals_held.is_empty(), "a signal that waits for a held key"),
            (!self.away.is_empty(), "a batch that waits for boxes"),
            (self.loans_queued > 0, "a loan not lent"),
            (self.lent, "a lent box"),
        ]
        .into_iter()
        .find_map(|(left, what)| left.then_some(what))
    }

    /// An earlier batch of the same session waits here.
    fn is_behind(&self, batch: &Batch) -> bool {
        self.suspended.iter().any(|other| other.from == batch.from && other.session == batch.session)
            || self.away.contains(&(batch.from, batch.session))
    }

    fn refuses_holds(&self) -> bool {
        self.lent || self.loans_queued > 0
    }
}

impl Exchange {
    pub(super) fn enqueue_batch(&mut self, mut batch: Box<Batch>) {
        match batch.phase {
            Phase::Run => self.home.queue.push_back(Work::Batch(batch)),
            Phase::Hold if self.home.refuses_holds() => {
                batch.outcome = Outcome::Refused;
                self.send(batch.from as usize, Message::BatchDone(batch));
            }
            Phase::Hold => self.home.queue.push_back(Work::Batch(batch)),
            Phase::Apply => self.home.second_phases.push_back(SecondPhase::Apply(batch)),
        }
    }

    /// Does what is queued at home as far as the box is at hand; puts the box on its shelf when nothing is left.
    pub(super) fn run_home(&mut self, runner: &Runner<'_>) {
        while self.home.wants_box() {
            if !self.want_own() {
                return;
            }
            if let Some(phase) = self.home.second_phases.pop_front() {
                self.second_phase(phase, runner);
                continue;
            }
            match self.home.queue.pop_front() {
                Some(Work::Batch(batch)) => self.serve(batch, runner),
                Some(Work::Loan { to }) => {
                    if !self.own().holds.is_empty() {
                        // The releases are on their way; they do not wait in this queue.
                        self.home.queue.push_front(Work::Loan { to });
                        self.home.waits_for_release = true;
                        break;
                    }
                    self.lend(to);
                    return;
                }
                None => break,
            }
        }
        if let Some(keyspace) = self.boxes[self.core].take() {
            self.put(self.core, keyspace);
        }
    }

    fn own(&mut self) -> &mut crate::keyspace::Keyspace {
        self.boxes[self.core].as_deref_mut().expect("the home side works with its box in hand")
    }

    fn lend(&mut self, to: u16) {
        let mut keyspace = self.boxes[self.core].take().expect("the home side works with its box in hand");
        self.leave_hand(self.core, &mut keyspace);
        self.home.loans_queued -= 1;
        self.home.lent = true;
        self.send(to as usize, Message::Lent { keyspace, shard: self.core as u16 });
    }

    /// A batch goes back to its core, with what its replies depend on.
    fn send_back(&mut self, mut batch: Box<Batch>) {
        if let Some(keyspace) = &self.boxes[self.core] {
            batch.chunks = keyspace.journal.chunks();
        }
        self.send(batch.from as usize, Message::BatchDone(batch));
    }

    fn serve(&mut self, mut batch: Box<Batch>, runner: &Runner<'_>) {
        if batch.phase == Phase::Hold {
            self.first_phase(&mut batch, runner);
            self.send_back(batch);
            return;
        }
        if self.home.is_behind(&batch) {
            self.home.suspended.push(batch);
            return;
        }
        match self.run_batch(&mut batch, runner) {
            BatchEnd::Done => self.send_back(batch),
            BatchEnd::Held => self.home.suspended.push(batch),
            BatchEnd::Needs(shards) => {
                self.home.away.push((batch.from, batch.session));
                self.events.push_back(Event::BatchNeeds { batch, shards });
            }
        }
    }

    /// Goes on with a batch of `Event::BatchNeeds` while the boxes are in hand. What it needs further, if anything.
    pub fn continue_batch(&mut self, mut batch: Box<Batch>, runner: &Runner<'_>) -> Option<(Box<Batch>, u64)> {
        match self.run_batch(&mut batch, runner) {
            BatchEnd::Done => {}
            BatchEnd::Held => unreachable!("a loan waits until no key is held"),
            BatchEnd::Needs(shards) => return Some((batch, shards)),
        }
        self.home.away.retain(|&(from, session)| (from, session) != (batch.from, batch.session));
        // What waited behind it goes on before anything that came later.
        for index in (0..self.home.suspended.len()).rev() {
            let other = &self.home.suspended[index];
            if other.from == batch.from && other.session == batch.session {
                let other = self.home.suspended.remove(index);
                self.home.queue.push_front(Work::Batch(other));
            }
        }
        self.send_back(batch);
        None
    }

    /// Runs a batch from where it stands.
    fn run_batch(&mut self, batch: &mut Batch, runner: &Runner<'_>) -> BatchEnd {
        while batch.next < batch.len() {
            let first = batch.next;
            let window_end = (first + PREFETCH_WINDOW).min(batch.len());
            self.prefetch(batch, window_end);
            let started_ns = runner.monotonic_ns();
            let end = self.run_window(batch, window_end, runner);
            if batch.next > first {
                let each_ns = (runner.monotonic_ns() - started_ns) / (batch.next - first) as u64;
                let rows = (first..batch.next).map(|index| batch.command(index).row.id);
                runner.stats.spent(rows, each_ns, runner.config.get_bool(crate::param!("latency-tracking")));
            }
            if batch.outcome == Outcome::Panicked {
                batch.next = batch.len();
            } else if let Some(end) = end {
                return end;
            }
        }
        BatchEnd::Done
    }

    /// Runs commands up to the end of a window; none when it came there. A command that panics ends its batch.
    fn run_window(&mut self, batch: &mut Batch, window_end: usize, runner: &Runner<'_>) -> Option<BatchEnd> {
        while batch.next < window_end {
            let index = batch.next;
            let command = batch.command(index);
            if !self.own().holds.is_empty() && self.is_held(batch, index) {
                return Some(BatchEnd::Held);
            }
            let missing =
                wait::missing_for_waiters(&self.boxes, &self.hasher, Some(self.core), command.row, batch.args(index));
            if missing != 0 {
                // With what was borrowed for it so far: a chain of moves tells of its next box only when the last is there.
                return Some(BatchEnd::Needs(missing | self.in_hand()));
            }
            let threshold_us = runner.config.get_i64(crate::param!("slowlog-log-slower-than"));
            let is_timed = call::is_timed(threshold_us, command.row);
            let keyspaces = Keyspaces::new(&mut self.boxes, &self.hasher, Some(self.core));
            let first_key = Some((command.row.first_key, command.hash));
            let mut context = runner.context(command, batch.command_and_reply(index), keyspaces, first_key);
            let before_ns = if is_timed { runner.monotonic_ns() } else { 0 };
            if call::call(command.row, &mut context, runner.stats).is_err() {
                batch.outcome = Outcome::Panicked;
                return Some(BatchEnd::Done);
            }
            batch.end_reply();
            batch.next += 1;
            if is_timed {
                let spent_ns = runner.monotonic_ns() - before_ns;
                if spent_ns / 1_000 >= threshold_us as u64 {
                    batch.slow.push((index as u32, spent_ns));
                }
            }
        }
        None
    }

    /// The shards whose boxes are in hand.
    fn in_hand(&self) -> u64 {
        self.boxes.iter().enumerate().fold(0, |all, (shard, slot)| all | u64::from(slot.is_some()) << shard)
    }

    fn prefetch(&mut self, batch: &Batch, window_end: usize) {
        let own = self.own();
        for index in batch.next..window_end {
            let command = batch.command(index);
            own.prefetch_bucket(command.database, command.hash);
        }
        let own = &*own;
        prefetch::touch((batch.next..window_end).map(|index| {
            let command = batch.command(index);
            let member = call::member_of(command.row, batch.args(index));
            Wanted { keyspace: own, database: command.database, hash: command.hash, member }
        }));
    }

    fn is_held(&mut self, batch: &Batch, index: usize) -> bool {
        let command = batch.command(index);
        let exclusive = command.row.command.flags.has(Flags::WRITE);
        let args = batch.args(index);
        let hasher = self.hasher.clone();
        let own = self.own();
        // A command over the whole shard (SCAN's part) waits for every hold.
        let mut held = command.row.command.keys.is_empty();
        keys::visit_keys(command.row.command, args, |at| {
            let key = hasher.key(args.get(at));
            held |= own.holds.blocks(key.hash, key.bytes, exclusive, None);
            held |= exclusive && wait::blocked_by_holds(own, &hasher, key.bytes);
        });
        held
    }

    /// Phase 1: holds the items' keys or refuses; reads or checks in the same step.
    fn first_phase(&mut self, batch: &mut Batch, runner: &Runner<'_>) {
        let row = batch.command(0).row;
        let Run::Scatter(scatter) = row.command.run else { unreachable!("only scattered commands hold") };
        let exclusive = row.command.flags.has(Flags::WRITE);
        let hasher = self.hasher.clone();
        let id = batch.hold;
        let behind = self.home.is_behind(batch);
        let args = batch.args(0);
        let own = self.own();
        let keys = (1..args.len()).step_by(scatter.step).map(|at| hasher.key(args.get(at)));
        let crowded = own.holds.len() + (args.len() - 1) / scatter.step > HELD_KEYS_MAX;
        if behind || crowded || keys.clone().any(|key| own.holds.blocks(key.hash, key.bytes, exclusive, Some(id))) {
            batch.outcome = Outcome::Refused;
            return;
        }
        for key in keys {
            own.holds.hold(id, key.hash, key.bytes, exclusive);
        }
        if let Some(unless) = scatter.unless {
            self.run_items(batch, runner, unless);
        } else if !exclusive {
            self.run_items(batch, runner, scatter.part);
        }
    }

    fn second_phase(&mut self, phase: SecondPhase, runner: &Runner<'_>) {
        self.home.waits_for_release = false;
        match phase {
            SecondPhase::Release(id) => self.own().holds.release(id),
            SecondPhase::Signal { database, key } => return self.signal(database, key, runner),
            SecondPhase::Apply(mut batch) => {
                let Run::Scatter(Scatter { part, .. }) = batch.command(0).row.command.run else {
                    unreachable!("only scattered commands have a second phase")
                };
                batch.sum = 0;
                record::before_part(&mut self.own().journal);
                self.run_items(&mut batch, runner, part);
                let database = batch.command(0).database;
                record::after_part(&mut self.own().journal, batch.joint, database, batch.args(0));
                self.own().holds.release(batch.hold);
                self.send_back(batch);
            }
        }
        // Whoever waited for these keys goes on before anything else is looked at, in the order of arrival.
        for (database, key) in std::mem::take(&mut self.home.signals_held) {
            self.signal(database, key, runner);
        }
        let suspended = std::mem::take(&mut self.home.suspended);
        for batch in suspended {
            self.serve(batch, runner);
        }
    }

    /// Tries again to serve who waits for a key, after somebody else was about to.
    fn signal(&mut self, database: u32, key: Box<[u8]>, runner: &Runner<'_>) {
        let hasher = self.hasher.clone();
        let own = self.own();
        let hashed = hasher.key(&key);
        if own.holds.blocks(hashed.hash, hashed.bytes, true, None) || wait::blocked_by_holds(own, &hasher, &key) {
            self.home.signals_held.push((database, key));
            return;
        }
        if let Some(waiters) = &mut own.waiters {
            waiters.signal(database, &key);
        }
        wait::serve(&mut self.boxes, &self.hasher, runner);
    }

    fn prefetch_items(&mut self, batch: &Batch, items: impl ExactSizeIterator<Item = usize> + Clone) {
        let (args, database, hasher) = (batch.args(0), batch.command(0).database, self.hasher.clone());
        let own = self.own();
        for item in items.clone() {
            own.prefetch_bucket(database, hasher.hash(args.get(item)));
        }
        let own = &*own;
        let wanted = |item| Wanted { keyspace: own, database, hash: hasher.hash(args.get(item)), member: None };
        prefetch::touch(items.map(wanted));
    }

    fn run_items(&mut self, batch: &mut Batch, runner: &Runner<'_>, part: PartHandler) {
        let started_ns = runner.monotonic_ns();
        self.run_each_item(batch, runner, part);
        batch.spent_ns += runner.monotonic_ns() - started_ns;
    }

    fn run_each_item(&mut self, batch: &mut Batch, runner: &Runner<'_>, part: PartHandler) {
        let command = batch.command(0);
        let Run::Scatter(scatter) = command.row.command.run else { unreachable!("only scattered commands have items") };
        let each = scatter.merge == Merge::Array;
        let count = batch.args(0).len();
        for (index, item) in (1..count).step_by(scatter.step).enumerate() {
            if index % PREFETCH_WINDOW == 0 {
                self.prefetch_items(batch, (item..count).step_by(scatter.step).take(PREFETCH_WINDOW));
            }
            let keyspaces = Keyspaces::new(&mut self.boxes, &self.hasher, Some(self.core));
            let mut context = runner.context(command, batch.command_and_reply(0), keyspaces, None);
            match call::call_part(command.row, part, &mut context, item, runner.stats) {
                Ok(sum) => batch.sum += sum,
                Err(call::Panicked) => {
                    batch.outcome = Outcome::Panicked;
                    return;
                }
            }
            if each {
                batch.end_reply();
            }
        }
    }
}

/// Whether a row's command can be sent to a single shard as a batch.
pub fn is_batchable(row: &Row) -> bool {
    matches!(
        row.command.run,
        Run::Keyed(_) | Run::Scatter(_) | Run::OneShard { .. } | Run::KeyedOrAllShards { .. }
    )
}
