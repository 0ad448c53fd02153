//! From parsed commands to replies, window by window: first every command's bucket is touched, then every entry, then
//! they run. What cannot run on one shard stops the window and runs alone.

use crate::acl::log::Denied;
use crate::client::ReplyMode;
use crate::command::acl::check::{Denial, denied_patterns};
use crate::command::args::Args;
use crate::command::blocking::Waiting;
use crate::command::context::{Context, Keyspaces, SessionContext};
use crate::command::error::CommandError;
use crate::command::spec::{Flags, Run, Step};
use crate::command::table::Row;
use crate::keyspace::Turn;
use crate::keyspace::prefetch::{self, Wanted};
use crate::pubsub::registry::Publisher;
use crate::resp::reply::Reply;
use crate::resp::request::Requests;
use crate::shard::batch::Phase;
use crate::shard::call;
use crate::shard::route::{Route, route};
use crate::shard::message::Message;
use crate::shard::record;
use crate::stdx::limits::{BATCHES_PER_SESSION_MAX, PREFETCH_WINDOW};

use super::admit::{Admission, admit, refusal};
use super::core::{Core, Planned};
use super::output::Ticket;
use super::script::Ran;
use super::state::{Session, Stall};

/// Why a window ended before a command.
pub(super) enum Stop {
    /// The command is answered with an error.
    Refused(CommandError, Option<&'static Row>),
    /// The user may not run it.
    Denied(&'static Row, Denial),
    /// The connection is closed without a word.
    Attack,
    /// Clients are paused for this command.
    Paused,
    /// It concerns only its client, or the server.
    Session(&'static Row),
    /// It waits in the queue of a transaction.
    Queue(&'static Row),
    /// A step of a transaction.
    Transaction(&'static Row, Step),
    /// It needs several shards at once.
    Shards(&'static Row, u64),
}

fn is_script(row: &Row) -> bool {
    matches!(row.command.run, Run::Script(_))
}

/// The arguments of one parsed command.
pub(super) fn args_of<'a>(buffer: &'a [u8], requests: &'a Requests, index: usize) -> Args<'a> {
    let span = requests.commands[index];
    let first = span.first_arg as usize;
    Args::new(buffer, &requests.args[first..first + span.arg_count as usize], &requests.bigs)
}

impl Core {
    /// Runs parsed commands from `session.next` on, window by window, until they are done or the session stalls.
    pub(super) fn run(&mut self, session: &mut Session, buffer: &[u8], requests: &Requests, now_ms: i64) {
        session.argument_bytes = 0;
        let is_limited = self.config.get_u64(crate::param!("maxmemory")) != 0;
        while session.next < requests.commands.len()
            && session.stall == Stall::None
            && !session.closing
            && !session.killed
        {
            if is_limited {
                self.make_room();
            }
            let stopped = self.plan_window(session, buffer, requests);
            if !self.window.is_empty() && !self.run_window(session, buffer, requests, now_ms) {
                continue;
            }
            if session.batches_out >= BATCHES_PER_SESSION_MAX {
                session.stall = Stall::Drain;
            } else if let Some(stop) = stopped
                && !session.killed
            {
                let args = args_of(buffer, requests, session.next);
                session.input_bytes = buffer.len();
                self.run_alone(session, stop, args, now_ms);
            }
        }
    }

    /// Collects commands that run on one shard each, touching their buckets, up to the first that does not.
    fn plan_window(&mut self, session: &mut Session, buffer: &[u8], requests: &Requests) -> Option<Stop> {
        self.window.clear();
        let end = requests.commands.len().min(session.next + PREFETCH_WINDOW);
        let pausing = self.is_pausing();
        for index in session.next..end {
            let args = args_of(buffer, requests, index);
            let row = match admit(&session.client, &self.config, session.last_row, args) {
                Admission::Run(row) => row,
                Admission::Deny(row, denial) => return Some(Stop::Denied(row, denial)),
                Admission::Refuse(error, row) => return Some(Stop::Refused(error, row)),
                Admission::Attack => return Some(Stop::Attack),
            };
            if row.parent.is_none() {
                session.last_row = Some(row);
            }
            if self.server.saves.alarms() != 0
                && let Some(error) = refusal(&self.server, &self.config, session, row)
            {
                return Some(Stop::Refused(error, Some(row)));
            }
            if let Some(error) = self.busy_error(row) {
                return Some(Stop::Refused(error, Some(row)));
            }
            if session.queues(row) {
                if row.flags.has(Flags::NO_MULTI) {
                    const NOT_HERE: CommandError = CommandError::Text("ERR Command not allowed inside a transaction");
                    return Some(Stop::Refused(NOT_HERE, Some(row)));
                }
                return Some(Stop::Queue(row));
            }
            if pausing && self.is_paused_for(session, row) {
                return Some(Stop::Paused);
            }
            if let Run::Transaction(step) = row.command.run {
                return Some(Stop::Transaction(row, step));
            }
            if session.client.is_restricted()
                && let Some(error) = denied_patterns(session.client.user(), row, args)
            {
                return Some(Stop::Refused(error, Some(row)));
            }
            match route(row, args, &self.exchange.hasher) {
                Route::Shard { shard, .. } if row.flags.has(Flags::BLOCKING) => return Some(Stop::Shards(row, 1 << shard)),
                Route::Shard { shard, .. } if is_script(row) && !self.runs_among_others(session, shard) => {
                    return Some(Stop::Shards(row, 1 << shard));
                }
                Route::Shard { shard, hash } => {
                    let direct = session.remote_shards & (1 << shard) == 0 && self.exchange.take(shard);
                    if direct && let Some(keyspace) = &self.exchange.boxes[shard] {
                        keyspace.prefetch_bucket(session.client.database, hash);
                        if keyspace.waiters.is_some() {
                            let missing = self.missing_for_waiters(Some(shard), row, args);
                            if missing != 0 {
                                return Some(Stop::Shards(row, missing | 1 << shard));
                            }
                        }
                    }
                    self.window.push(Planned { row, index, shard, hash, direct });
                }
                Route::Session => return Some(Stop::Session(row)),
                Route::Shards(shards) => return Some(Stop::Shards(row, shards)),
            }
        }
        None
    }

    /// Runs a window: direct commands at once, the others into the open batch of their shard. A shard's box is either in
    /// hand for the whole turn or missed for the whole turn, so a session's commands for it keep their order. False when a
    /// script was not done at once, and the window ended there.
    fn run_window(&mut self, session: &mut Session, buffer: &[u8], requests: &Requests, now_ms: i64) -> bool {
        let window = std::mem::take(&mut self.window);
        self.look_ahead(session, &window, buffer, requests);
        let monitored = self.is_monitored();
        let started_ns = self.clock.monotonic_ns();
        let (mut done, mut counted) = (window.len(), window.len());
        for (index, planned) in window.iter().enumerate() {
            let args = args_of(buffer, requests, planned.index);
            session.client.last_command = planned.row.full_name;
            if let Run::Script(call) = planned.row.command.run {
                let before_ns = self.clock.monotonic_ns();
                match self.run_script(session, planned.row, call, args, 1 << planned.shard, now_ms, true) {
                    Ran::Done => {
                        self.note_spent(session, planned.row, args, self.clock.monotonic_ns() - before_ns);
                        continue;
                    }
                    Ran::Missing(shards) => {
                        session.needs |= shards;
                        counted = index;
                    }
                    Ran::Standing => {
                        session.stall = Stall::Operation;
                        counted = index + 1;
                    }
                }
                done = index;
                break;
            }
            if planned.direct && self.is_timed(planned.row) {
                let before_ns = self.clock.monotonic_ns();
                self.run_direct(session, planned.row, args, Some((planned.shard, planned.hash)), now_ms);
                self.note_spent(session, planned.row, args, self.clock.monotonic_ns() - before_ns);
            } else if planned.direct {
                self.run_direct(session, planned.row, args, Some((planned.shard, planned.hash)), now_ms);
            } else {
                self.add_to_batch(session, planned, args);
            }
            if monitored {
                self.show(session, planned.row, args);
            }
        }
        let each_ns = (self.clock.monotonic_ns() - started_ns) / counted.max(1) as u64;
        let stats = &self.server.cores[self.id];
        // What travels is measured where it runs.
        let rows = window[..counted].iter().filter(|planned| planned.direct).map(|planned| planned.row.id);
        stats.spent(rows, each_ns, self.config.get_bool(crate::param!("latency-tracking")));
        stats.commands.add(counted as u64);
        session.client.commands += counted as u64;
        session.next += done;
        self.window = window;
        done == self.window.len()
    }

    /// The script of a request can run in its window, at once: the box is in hand, and it is not known to need others.
    fn runs_among_others(&mut self, session: &Session, shard: usize) -> bool {
        self.standing_script.is_none()
            && session.needs == 0
            && session.remote_shards & (1 << shard) == 0
            && self.exchange.take(shard)
    }

    /// Touches what the direct commands of a window will look at.
    #[inline]
    fn look_ahead(&self, session: &Session, window: &[Planned], buffer: &[u8], requests: &Requests) {
        // Boxes are missed for a whole turn, so in nearly all windows all commands are direct or none is.
        if !window.iter().all(|planned| planned.direct) {
            return;
        }
        prefetch::touch(window.iter().map(|planned| Wanted {
            keyspace: self.exchange.boxes[planned.shard].as_deref().expect("a direct command's box is in hand"),
            database: session.client.database,
            hash: planned.hash,
            member: call::member_of(planned.row, args_of(buffer, requests, planned.index)),
        }));
    }

    /// Runs a command whose boxes are in hand; `only`: the one shard that has all its keys, and the first key's hash.
    pub(super) fn run_direct(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        args: Args<'_>,
        only: Option<(usize, u64)>,
        now_ms: i64,
    ) {
        session.saw_data |= row.full_name != "info";
        let discard = session.discards_reply();
        let (database, touch) = (session.client.database, !session.client.no_touch);
        let reply = session.reply();
        let start = reply.position();
        let mut context = Context {
            args,
            reply,
            keyspaces: Keyspaces::new(&mut self.exchange.boxes, &self.exchange.hasher, only.map(|(shard, _)| shard)),
            database,
            turn: Turn { now_ms, touch, keep_expired: self.server.is_paused(now_ms) },
            config: &self.config,
            server: &self.server,
            first_key: only.map(|(_, hash)| (row.first_key, hash)).filter(|_| row.first_key > 0),
            command: row.full_name,
            waiting: if row.flags.has(Flags::BLOCKING) { Waiting::Allowed } else { Waiting::Denied },
            wait: None,
        };
        let result = call::call(row, &mut context, &self.server.cores[self.id]);
        if discard {
            context.reply.truncate(start);
        }
        let wait = context.wait.take();
        if result.is_err() {
            session.killed = true;
        } else if let Some(wait) = wait {
            self.block(session, row, args, &wait, discard);
        }
    }

    fn add_to_batch(&mut self, session: &mut Session, planned: &Planned, args: Args<'_>) {
        let shard = planned.shard;
        if self.open_batches[shard].as_ref().is_some_and(|batch| batch.is_full()) {
            self.send_batch(shard);
        }
        if self.open_batches[shard].is_none() {
            let ticket = self.tickets.insert(Ticket { session: session.key, batch: None, unused: 0 }) as u32;
            self.open_batches[shard] = Some(self.exchange.new_batch(shard, ticket, session.key.as_u64()));
            session.batches_out += 1;
            session.remote_shards |= 1 << shard;
        }
        let discard = session.discards_reply();
        let Some(batch) = &mut self.open_batches[shard] else { unreachable!("opened above") };
        debug_assert_eq!(batch.session, session.key.as_u64(), "a batch belongs to one session");
        let (protocol, database, touch) =
            (session.client.protocol, session.client.database, !session.client.no_touch);
        batch.push(planned.row, args, 0..args.len(), database, planned.hash, protocol, touch);
        let (ticket, index) = (batch.ticket, batch.len() as u32 - 1);
        self.tickets[ticket as usize].unused += 1;
        session.expect_remote(ticket, index, discard);
    }

    fn send_batch(&mut self, shard: usize) {
        if let Some(batch) = self.open_batches[shard].take() {
            debug_assert_eq!(batch.phase, Phase::Run);
            self.server.cores[self.id].batches.add(1);
            self.exchange.send(shard, Message::Batch(batch));
        }
    }

    /// Ends a turn of the session side: open batches leave, boxes go back to their shelves.
    pub(super) fn end_turn(&mut self) {
        self.send_batches();
        self.send_shown();
        self.exchange.put_all();
    }

    /// Ends one session's part of a turn: a batch belongs to one session.
    pub(super) fn send_batches(&mut self) {
        for shard in 0..self.open_batches.len() {
            if self.open_batches[shard].is_some() {
                self.send_batch(shard);
            }
        }
    }

    /// Runs the command that ended a window.
    fn run_alone(&mut self, session: &mut Session, stop: Stop, args: Args<'_>, now_ms: i64) {
        session.argument_bytes = (0..args.len()).map(|at| args.get(at).len()).sum();
        match stop {
            Stop::Refused(error, row) => self.refuse(session, error, row),
            Stop::Denied(row, denial) => {
                let error = self.denied(session, row, args, denial);
                self.refuse(session, error, Some(row));
            }
            Stop::Attack => {
                tracing::warn!(
                    "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: commands to this \
                     server. Connection from {} aborted.",
                    session.client.address
                );
                // Not even what was answered before in the same read.
                session.out.clear();
                session.killed = true;
                session.next += 1;
            }
            Stop::Paused => {
                session.stall = Stall::Paused;
                self.paused.push(session.key);
                self.stats().blocked.add(1);
            }
            Stop::Session(row) if session.batches_out > 0 && row.flags.has(Flags::PUBSUB) => {
                // Who gets the message must see what this client did before.
                session.stall = Stall::Drain;
            }
            Stop::Session(row) => {
                self.count_one(session, row);
                self.run_session_command(session, row, args, now_ms);
            }
            Stop::Queue(row) => self.queue_command(session, row, args),
            Stop::Transaction(row, step) => self.transaction_step(session, row, step, args, now_ms),
            Stop::Shards(row, shards) => self.run_over_shards(session, row, args, shards, now_ms),
        }
    }

    fn refuse(&mut self, session: &mut Session, error: CommandError, row: Option<&'static Row>) {
        let error = session.refused(row, error);
        if let Some(row) = row {
            self.server.cores[self.id].per_command[row.id].rejected.add(1);
        }
        if !session.discards_reply() {
            call::write_error(session.reply(), &error, &self.server.cores[self.id]);
        }
        session.next += 1;
    }

    /// RESET.
    fn forget_what_it_follows(&mut self, session: &mut Session) {
        (session.transaction, session.watch) = (None, None);
        self.forget_subscriptions(session);
        self.end_monitoring(session);
    }

    /// A command that ran by itself took so long.
    pub(super) fn spent_alone(&self, row: &'static Row, spent_ns: u64) {
        let track = self.config.get_bool(crate::param!("latency-tracking"));
        self.stats().spent(std::iter::once(row.id), spent_ns, track);
    }

    pub(super) fn count_one(&self, session: &mut Session, row: &'static Row) {
        session.client.last_command = row.full_name;
        session.client.commands += 1;
        self.stats().commands.add(1);
    }

    /// A command that concerns only its client, or asks for something to be done.
    fn run_session_command(&mut self, session: &mut Session, row: &'static Row, args: Args<'_>, now_ms: i64) {
        session.next += 1;
        let discard = session.discards_reply();
        self.run_handler(session, row, args, now_ms, discard);
    }

    /// Runs a handler that works on the session, or asks for something.
    pub(super) fn run_handler(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        args: Args<'_>,
        now_ms: i64,
        mut discard: bool,
    ) {
        // The handler works on the client and writes to the reply; both live in the session.
        let protocol = session.client.protocol;
        let mut reply = std::mem::replace(session.reply(), Reply::new(protocol));
        let start = reply.position();
        let mut context = SessionContext {
            args,
            reply: &mut reply,
            client: &mut session.client,
            config: &self.config,
            server: &self.server,
            now_ms,
            now_us: self.clock.unix_us(),
            command: row.full_name,
            publisher: Publisher { registry: &self.registry, pending: &mut self.publications },
            users: &self.users,
            denied: None,
            scripting: Some(&mut self.scripting),
        };
        let started_ns = self.clock.monotonic_ns();
        let result = match row.command.run {
            Run::Session(handler) => handler(&mut context).map(|()| None),
            Run::Control(handler) => handler(&mut context).map(Some),
            _ => unreachable!("routed by its row"),
        };
        let denied = context.denied.take();
        self.stats().per_command[row.id].calls.add(1);
        let spent_ns = self.clock.monotonic_ns() - started_ns;
        self.spent_alone(row, spent_ns);
        // These end CLIENT REPLY OFF and are the first to be answered again.
        if discard && matches!(row.full_name, "client|reply" | "reset") && result.is_ok() {
            discard = session.client.reply_mode == ReplyMode::Off;
        }
        let was_reset = row.full_name == "reset" && result.is_ok();
        session.saw_data |= result.is_ok() && record::besides(row, &mut self.exchange.boxes, args);
        let request = result.unwrap_or_else(|error| {
            reply.truncate(start);
            call::write_error(&mut reply, &error, self.stats());
            self.stats().per_command[row.id].failed.add(1);
            None
        });
        if discard {
            reply.truncate(start);
        }
        *session.reply() = reply;
        if let Some(denied) = denied {
            self.note_denial(session, Denied { place: session.place(), ..denied });
        }
        if self.is_monitored() {
            self.show(session, row, args);
        }
        if was_reset {
            self.forget_what_it_follows(session);
        }
        if !self.publications.is_empty() && !session.in_exec {
            self.send_publications(Some(session));
        }
        if let Some(request) = request {
            self.control(session, row, request, discard, now_ms);
        }
        // What CONFIG SET has set counts for itself.
        self.note_spent(session, row, args, spent_ns);
    }
}
