//! Commands that need several shards at once: direct when all boxes are on their shelves, else scattered in two phases,
//! else as a loan of whole keyspaces. The session stalls at the command until it is done; its arguments stay in place.

use crate::command::args::Args;
use crate::command::error::CommandError;
use crate::command::scatter;
use crate::command::spec::{Flags, Merge, Run, Scatter, Step};
use crate::command::table::Row;
use crate::keyspace::Keyspace;
use crate::keyspace::hold::HoldId;
use crate::keyspace::journal::Joint;
use crate::resp::reply::Reply;
use crate::shard::batch::{Batch, Outcome, Phase};
use crate::shard::call;
use crate::shard::exchange::bits;
use crate::shard::home::Runner;
use crate::shard::message::Message;
use crate::shard::wait;
use crate::stdx::limits::{COMMANDS_PER_LOAN_MAX, SCATTERED_ITEMS_MAX, SHARDS_MAX};

use super::control::Gather;
use super::core::Core;
use super::jobs::Job;
use super::run::args_of;
use super::script::Ran;
use super::state::{Session, SessionKey, Stall};

/// A command over several cores that is under way. Its session stands still until it is done.
pub(super) enum Operation {
    /// Keys are being held, or let go.
    Scatter(Scattering),
    /// Other cores are being asked about their clients.
    Gather(Gather),
}

/// This core's loan: at most one is asked for at a time, and it serves every session that waits for boxes. So a loan's
/// messages are paid once for many commands when many sessions contend.
#[derive(Default)]
pub(super) struct Loan {
    /// Who waits, and for which shards.
    borrowers: Vec<(Borrower, u64)>,
    /// The shards that were asked for; 0: no loan is under way.
    asked: u64,
    lent: Vec<(usize, Box<Keyspace>)>,
}

impl Loan {
    /// Nothing waits and nothing is lent.
    pub(super) fn is_idle(&self) -> bool {
        self.borrowers.is_empty() && self.asked == 0 && self.lent.is_empty()
    }
}

/// Who waits for boxes.
enum Borrower {
    /// A session, with the command it stands at.
    Session(SessionKey, &'static Row),
    /// A batch at its home, this core (`Event::BatchNeeds`).
    Batch(Box<Batch>),
    /// The server itself.
    Job(Job),
}

/// See `Operation::Scatter`.
pub(super) struct Scattering {
    session: SessionKey,
    row: &'static Row,
    shards: u64,
    second_phase: bool,
    awaited: usize,
    returned: Vec<Box<Batch>>,
    /// For each item, its shard.
    item_shards: Vec<u8>,
}

impl Core {
    /// Runs, or starts, a command over several shards.
    pub(super) fn run_over_shards(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        args: Args<'_>,
        shards: u64,
        now_ms: i64,
    ) {
        if session.batches_out > 0 {
            // What this session sent before must be done before.
            session.stall = Stall::Drain;
            return;
        }
        if self.waits_for_script(session, row) {
            return;
        }
        let mut shards = shards | session.needs;
        while self.exchange.take_all(shards) {
            let mut missing = self.missing_boxes(session, row, args);
            if missing == 0 {
                session.misses = 0;
                match self.run_alone_with_boxes(session, row, args, now_ms) {
                    Ran::Missing(further) => missing = further,
                    Ran::Done | Ran::Standing => return,
                }
            }
            shards |= missing;
        }
        if session.misses < self.misses_max {
            // Whoever has the missing box is busy for some microseconds; messages would take longer.
            session.misses += 1;
            session.stall = Stall::Retry;
            return;
        }
        session.misses = 0;
        // With a loan of this core under way, holds would be refused.
        if let Run::Scatter(scatter) = &row.command.run
            && self.loan.asked == 0
            && !self.is_monitored()
            && (args.len() - 1) / scatter.step <= SCATTERED_ITEMS_MAX
        {
            self.count_one(session, row);
            if !(args.len() - 1).is_multiple_of(scatter.step) {
                let discard = session.discards_reply();
                if !discard {
                    call::write_error(session.reply(), &CommandError::Arity(row.full_name), self.stats());
                }
                session.next += 1;
                return;
            }
            self.start_scatter(session, row, scatter, args, shards);
        } else {
            self.borrow_boxes(session.key, row, shards);
        }
        session.stall = Stall::Operation;
    }

    /// Runs a command whose boxes are all in hand, as far as is known, and ends it unless it needs more.
    fn run_alone_with_boxes(&mut self, session: &mut Session, row: &'static Row, args: Args<'_>, now_ms: i64) -> Ran {
        session.client.last_command = row.full_name;
        let started_ns = self.clock.monotonic_ns();
        let ran = match row.command.run {
            Run::Transaction(step) => self.run_step(session, row, step, args, now_ms),
            Run::Script(call) => {
                let declared = self.declared_shards(row, args);
                self.run_script(session, row, call, args, declared, now_ms, true)
            }
            Run::Session(_) => {
                let discard = session.discards_reply();
                self.run_handler(session, row, args, now_ms, discard);
                session.needs = 0;
                session.next += 1;
                self.count_one(session, row);
                return Ran::Done;
            }
            _ => {
                self.run_direct(session, row, args, None, now_ms);
                if self.is_monitored() {
                    self.show(session, row, args);
                }
                Ran::Done
            }
        };
        match ran {
            Ran::Missing(further) => {
                session.needs |= further;
                return ran;
            }
            Ran::Standing => session.stall = Stall::Operation,
            Ran::Done => {
                session.needs = 0;
                session.next += 1;
            }
        }
        self.count_one(session, row);
        let spent_ns = self.clock.monotonic_ns() - started_ns;
        self.spent_alone(row, spent_ns);
        if session.blocked.is_none() {
            self.note_spent(session, row, args, spent_ns);
        }
        if let Some(blocked) = &mut session.blocked {
            blocked.spent_ns = spent_ns;
        }
        ran
    }

    /// The shards, beyond those in hand, that a command needs for the sake of clients who wait for its keys.
    fn missing_boxes(&self, session: &Session, row: &'static Row, args: Args<'_>) -> u64 {
        match row.command.run {
            Run::Transaction(Step::Exec) => self.missing_for_transaction(session),
            _ => self.missing_for_waiters(None, row, args),
        }
    }

    pub(super) fn borrow_boxes(&mut self, session: SessionKey, row: &'static Row, shards: u64) {
        self.loan.borrowers.push((Borrower::Session(session, row), shards));
        if self.loan.asked == 0 {
            self.request_loan();
        }
    }

    /// A batch at home stands at a command that takes further boxes.
    pub(super) fn borrow_for_batch(&mut self, batch: Box<Batch>, shards: u64) {
        self.loan.borrowers.push((Borrower::Batch(batch), shards));
        if self.loan.asked == 0 {
            self.request_loan();
        }
    }

    pub(super) fn borrow_for_job(&mut self, job: Job, shards: u64) {
        self.loan.borrowers.push((Borrower::Job(job), shards));
        if self.loan.asked == 0 {
            self.request_loan();
        }
    }

    /// The shards, beyond those in hand, that a command needs for the sake of clients who wait for its keys; `only`: the
    /// one shard of its keys.
    pub(super) fn missing_for_waiters(&self, only: Option<usize>, row: &'static Row, args: Args<'_>) -> u64 {
        wait::missing_for_waiters(&self.exchange.boxes, &self.exchange.hasher, only, row, args)
    }

    /// Asks for the shards of everybody who waits.
    fn request_loan(&mut self) {
        self.stats().loans.add(1);
        self.loan.asked = self.loan.borrowers.iter().fold(0, |all, (_, shards)| all | shards);
        self.exchange.request_loan(self.loan.asked);
    }

    /// A borrowed box arrived; with the last one the commands run.
    pub(super) fn box_lent(&mut self, shard: usize, keyspace: Box<Keyspace>) {
        self.loan.lent.push((shard, keyspace));
        if self.loan.lent.len() < self.loan.asked.count_ones() as usize {
            return;
        }
        // Whatever is in hand of this turn goes back first; the borrowed boxes take its place.
        self.end_turn();
        let shards = std::mem::take(&mut self.loan.asked);
        for (shard, keyspace) in self.loan.lent.drain(..) {
            self.exchange.boxes[shard] = Some(keyspace);
        }
        self.borrowed_in_hand = shards;
        let mut left = COMMANDS_PER_LOAN_MAX;
        let waiting = std::mem::take(&mut self.loan.borrowers);
        for (borrower, needed) in waiting {
            if needed & !self.borrowed_in_hand != 0 || left == 0 {
                self.loan.borrowers.push((borrower, needed));
                continue;
            }
            match borrower {
                Borrower::Session(key, row) => self.serve_borrower(key, row, shards, &mut left),
                Borrower::Batch(batch) => self.continue_batch(batch),
                Borrower::Job(job) => {
                    if self.run_job(job) {
                        self.frozen.extend(self.exchange.boxes.iter_mut().filter_map(Option::take));
                        return;
                    }
                }
            }
        }
        // A script that stands still keeps what it needs.
        self.exchange.return_borrowed(std::mem::take(&mut self.borrowed_in_hand));
        self.end_turn();
        // A session that went on may have asked anew already.
        if self.loan.asked == 0 && !self.loan.borrowers.is_empty() {
            self.request_loan();
        }
    }

    /// Runs the command that a session stands at, with the boxes that are here, and what follows it as far as it goes.
    fn serve_borrower(&mut self, key: SessionKey, row: &'static Row, shards: u64, left: &mut usize) {
        let Some(mut session) = self.take_session(key) else { return };
        let missing = match &session.requests {
            Some(requests) => self.missing_boxes(&session, row, args_of(&session.buffer, requests, session.next)),
            None => unreachable!("the session stalled at a command"),
        };
        if missing != 0 {
            self.loan.borrowers.push((Borrower::Session(key, row), shards | missing));
            return self.put_session(session);
        }
        self.run_borrowed(&mut session, row, shards);
        if session.stall == Stall::Operation {
            return self.put_session(session);
        }
        // While the boxes are here, the rest of its pipeline needs no messages either.
        *left -= 1;
        self.process_session(&mut session, left);
        self.gate_by_boxes(&mut session);
        self.send_batches();
        self.put_session(session);
        self.wake(key);
    }

    fn continue_batch(&mut self, batch: Box<Batch>) {
        let runner = Runner {
            now_ms: self.clock.unix_ms(),
            config: &self.config,
            server: &self.server,
            stats: &self.server.cores[self.id],
            clock: Some(&self.clock),
        };
        if let Some((batch, shards)) = self.exchange.continue_batch(batch, &runner) {
            self.loan.borrowers.push((Borrower::Batch(batch), shards));
        }
    }

    fn run_borrowed(&mut self, session: &mut Session, row: &'static Row, shards: u64) {
        session.stall = Stall::None;
        if self.waits_for_script(session, row) {
            return;
        }
        let Some(requests) = session.requests.take() else { unreachable!("the session stalled at a command") };
        let buffer = std::mem::take(&mut session.buffer);
        let now_ms = self.clock.unix_ms();
        let ran = self.run_alone_with_boxes(session, row, args_of(&buffer, &requests, session.next), now_ms);
        session.buffer = buffer;
        session.requests = Some(requests);
        if let Ran::Missing(further) = ran {
            self.loan.borrowers.push((Borrower::Session(session.key, row), shards | further));
            session.stall = Stall::Operation;
        }
    }

    fn start_scatter(&mut self, session: &mut Session, row: &'static Row, scatter: &Scatter, args: Args<'_>, shards: u64) {
        self.stats().scatters.add(1);
        let mut item_shards = Vec::with_capacity((args.len() - 1) / scatter.step);
        for item in (1..args.len()).step_by(scatter.step) {
            let key = self.exchange.hasher.key(args.get(item));
            item_shards.push(self.exchange.hasher.shard_of(&key) as u8);
        }
        let operation = self.operations.insert(Operation::Scatter(Scattering {
            session: session.key,
            row,
            shards,
            second_phase: false,
            awaited: shards.count_ones() as usize,
            returned: Vec::new(),
            item_shards: Vec::new(),
        })) as u32;
        for shard in bits(shards) {
            let mut batch = self.exchange.new_batch(shard, operation, session.key.as_u64());
            batch.phase = Phase::Hold;
            batch.hold = HoldId { core: self.id as u16, operation };
            let picked = item_shards
                .iter()
                .enumerate()
                .filter(|&(_, &of)| of as usize == shard)
                .flat_map(|(item, _)| (0..scatter.step).map(move |offset| 1 + item * scatter.step + offset));
            let (protocol, touch) = (session.client.protocol, !session.client.no_touch);
            batch.push(row, args, std::iter::once(0).chain(picked), session.client.database, 0, protocol, touch);
            self.exchange.send(shard, Message::Batch(batch));
        }
        if let Some(Operation::Scatter(scattering)) = self.operations.get_mut(operation as usize) {
            scattering.item_shards = item_shards;
        }
    }

    /// A batch of a scattered command came back from one of its phases.
    pub(super) fn scatter_returned(&mut self, batch: Box<Batch>) {
        let operation = batch.ticket as usize;
        let Some(Operation::Scatter(scattering)) = self.operations.get_mut(operation) else {
            unreachable!("a scattered command stays registered until its last batch is back")
        };
        scattering.returned.push(batch);
        scattering.awaited -= 1;
        if scattering.awaited > 0 {
            return;
        }
        let Operation::Scatter(scattering) = self.operations.remove(operation) else { unreachable!("matched above") };
        if scattering.second_phase {
            self.finish_scatter(scattering);
        } else {
            self.decide_scatter(operation as u32, scattering);
        }
    }

    /// Phase 1 is over: apply, or let go.
    fn decide_scatter(&mut self, operation: u32, mut scattering: Scattering) {
        let Run::Scatter(scatter) = scattering.row.command.run else { unreachable!("a scattered command") };
        let refused = scattering.returned.iter().any(|batch| batch.outcome == Outcome::Refused);
        let exists = scatter.unless.is_some() && scattering.returned.iter().any(|batch| batch.sum != 0);
        let writes = scattering.row.command.flags.has(Flags::WRITE);
        if writes && !refused && !exists {
            scattering.awaited = scattering.returned.len();
            scattering.second_phase = true;
            let joint = self.exchange.log.as_ref().map(|log| Joint {
                ticket: log.marks().take_ticket(),
                shards: scattering.shards,
                is_sign: false,
            });
            for mut batch in scattering.returned.drain(..) {
                batch.phase = Phase::Apply;
                batch.joint = joint;
                let shard = batch.shard as usize;
                self.exchange.send(shard, Message::Batch(batch));
            }
            // The slot was freed a moment ago and nothing was inserted since, so the number stays the same.
            let again = self.operations.insert(Operation::Scatter(scattering));
            assert_eq!(again, operation as usize, "a slab reuses the slot that was freed last");
            return;
        }
        let id = HoldId { core: self.id as u16, operation };
        for batch in &scattering.returned {
            if batch.outcome != Outcome::Refused {
                self.exchange.send(batch.shard as usize, Message::Release(id));
            }
        }
        if refused {
            for batch in scattering.returned.drain(..) {
                self.exchange.recycle(batch);
            }
            self.borrow_boxes(scattering.session, scattering.row, scattering.shards);
        } else {
            self.finish_scatter(scattering);
        }
    }

    /// All parts are done: the reply is put together in the order of the items, and the session goes on.
    fn finish_scatter(&mut self, mut scattering: Scattering) {
        let Run::Scatter(scatter) = scattering.row.command.run else { unreachable!("a scattered command") };
        if let Some(mut session) = self.take_session(scattering.session) {
            if scattering.returned.iter().any(|batch| batch.outcome == Outcome::Panicked) {
                session.killed = true;
            } else if !session.discards_reply() {
                write_scattered(&scatter, &scattering, session.reply());
            }
            self.gate_by_chunks(&mut session, scattering.returned.iter().map(|batch| (batch.shard, batch.chunks)));
            self.stats().per_command[scattering.row.id].calls.add(1);
            let spent_ns = scattering.returned.iter().map(|batch| batch.spent_ns).sum();
            self.spent_alone(scattering.row, spent_ns);
            if let Some(requests) = &session.requests {
                let args = args_of(&session.buffer, requests, session.next);
                self.note_spent(&session, scattering.row, args, spent_ns);
            }
            session.next += 1;
            session.stall = Stall::None;
            self.put_session(session);
            self.wake(scattering.session);
        }
        for batch in scattering.returned.drain(..) {
            self.exchange.recycle(batch);
        }
    }
}

fn write_scattered(scatter: &Scatter, scattering: &Scattering, reply: &mut Reply) {
    let sum: i64 = scattering.returned.iter().map(|batch| batch.sum).sum();
    if scatter.unless.is_some() && !scattering.second_phase {
        reply.integer(0);
        return;
    }
    if scatter.merge == Merge::Array {
        reply.array(scattering.item_shards.len());
        let mut used = [0usize; SHARDS_MAX];
        for &shard in &scattering.item_shards {
            let batch = scattering.returned.iter().find(|batch| batch.shard == u16::from(shard));
            let batch = batch.expect("every shard with an item returned its batch");
            let index = used[shard as usize];
            used[shard as usize] += 1;
            let (from, to) = batch.reply_range(index, index + 1);
            reply.append_range(&batch.reply, from, to);
        }
    }
    scatter::finish_merge(scatter, sum, reply);
}
