//! `Core`: one core with its sessions and its way to the data.
//!
//! Driven from outside: `connect`, bytes into `session.buffer` followed by `process`, `pump` when messages may have come
//! in, `cron` ten times a second; `woken` tells which sessions have something to send or can go on.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use slab::Slab;

use crate::acl::Users;
use crate::client::Client;
use crate::command::connection::first_protocol;
use crate::command::table::Row;
use crate::config::Config;
use crate::config::shared::SharedConfig;
use crate::keyspace::wait::Waiter;
use crate::pubsub::registry::{Publication, Registry};
use crate::pubsub::subscribers::CoreSubscriptions;
use crate::resp::request::{ParseEnd, RequestLimits, Requests};
use crate::runtime::clock::Clock;
use crate::script::scripting::Scripting;
use crate::script::shared::SharedScripts;
use crate::shard::batch::Batch;
use crate::shard::exchange::Exchange;
use crate::shard::log::orders::LogOrders;
use crate::shard::script::ScriptRun;
use crate::shard::message::{Connection, Message};
use crate::stats::core::CoreStats;
use crate::stats::server::ServerFacts;
use crate::stdx::limits::{
    BATCHES_PER_SESSION_MAX, COMMANDS_PER_TURN_MAX, MISSES_MAX, OUTPUT_BYTES_PAUSE, OUTPUT_BYTES_PAUSE_UNAUTHENTICATED, READ_BUFFER_BYTES,
    READ_BUFFER_BYTES_KEPT_MAX,
};

use super::multi::{Loan, Operation};
use super::output::Ticket;
use super::script::Standing;
use super::state::{Session, SessionKey, Stall};

/// What a session can do next, as `process` leaves it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It needs more input.
    Read,
    /// It had its share of this turn; call `process` again after the others.
    Again,
    /// Its output is full; it can go on when that has been sent.
    Send,
    /// It waits for something inside the server; `woken` will name it.
    Wait,
    /// It waits for a key, perhaps for long; `woken` will name it. The connection may end meanwhile.
    Blocked,
    /// Nothing more will be run; close the connection when the output has left.
    Close,
}

/// One command of a window that runs on one shard.
pub(super) struct Planned {
    pub(super) row: &'static Row,
    pub(super) index: usize,
    pub(super) shard: usize,
    pub(super) hash: u64,
    /// The shard's box is in hand.
    pub(super) direct: bool,
}

/// See the file's head.
pub struct Core {
    /// This core's number.
    pub id: usize,
    /// The way to the data.
    pub exchange: Exchange,
    /// Facts and switches of the server.
    pub server: Arc<ServerFacts>,
    /// Turns in which a command over several shards tries to find all boxes on their shelves; the simulation lowers it.
    pub misses_max: u32,
    /// Looks at the clock in one walk for a snapshot, at the most; the simulation, whose clock stands still, lowers it.
    pub walk_looks_max: usize,
    /// Sessions that have output or can go on; whoever drives the core empties this after each call.
    pub woken: Vec<SessionKey>,
    /// Connections and orders from outside, for whoever drives the core.
    pub orders: VecDeque<Message>,
    /// The way to the log's thread, if there is one.
    pub log: Option<LogOrders>,
    pub(super) config: Arc<Config>,
    pub(super) shared_config: Arc<SharedConfig>,
    /// All users, and the generation that the sessions of this core have.
    pub(super) users: Arc<Users>,
    pub(super) users_generation: u64,
    pub(super) clock: Clock,
    pub(super) tickets: Slab<Ticket>,
    pub(super) operations: Slab<Operation>,
    pub(super) loan: Loan,
    /// Shards whose boxes in hand were borrowed.
    pub(super) borrowed_in_hand: u64,
    pub(super) scripting: Scripting,
    /// What the scripts of all cores have in common.
    pub(super) shared_scripts: Arc<SharedScripts>,
    /// Channels, as all cores share them.
    pub(super) registry: Arc<Registry>,
    pub(super) subscriptions: CoreSubscriptions,
    /// What was published and waits for the end of its command, transaction or script.
    pub(super) publications: Vec<Publication>,
    /// What was done so far by a transaction that may have to be taken back.
    pub(super) tentative: Option<Vec<ScriptRun>>,
    /// Commands that were run in this turn, for those who monitor; and who does so on this core.
    pub(super) shown: String,
    pub(super) monitors: Vec<SessionKey>,
    pub(super) standing_script: Option<Box<Standing>>,
    /// Sessions that wait for the end of that script to run their own.
    pub(super) script_queue: Vec<SessionKey>,
    sessions: Vec<(u32, Option<Box<Session>>)>,
    free_slots: Vec<u32>,
    scratch: Box<Requests>,
    pub(super) window: Vec<Planned>,
    pub(super) open_batches: Vec<Option<Box<Batch>>>,
    pub(super) paused: Vec<SessionKey>,
    /// Sessions whose replies wait for the disk.
    pub(super) gated: Vec<SessionKey>,
    /// When waits end (Unix time in milliseconds), with their sessions.
    pub(super) deadlines: BTreeSet<(i64, u64)>,
    /// The shard that gives up a key next when memory is short.
    pub(super) evict_next: usize,
    /// Waits of closed connections that somebody was about to serve.
    pub(super) orphans: Vec<Arc<Waiter>>,
    pub(super) cron: crate::shard::cron::Cron,
    /// Used by the first core.
    pub(super) sampler: super::sample::Sampler,
    pub(super) client_peaks: super::sample::ClientPeaks,
    /// Jobs that wait for a loan.
    pub(super) jobs_waiting: usize,
    pub(super) walk_state: super::jobs::WalkState,
    /// This core's box may still be part of a snapshot.
    pub(super) is_walking: bool,
    /// Whoever drives the core shall call `walk` now.
    pub walk_now: bool,
    /// All boxes, once the last snapshot was written: nobody is to change anything any more.
    pub(super) frozen: Vec<Box<crate::keyspace::Keyspace>>,
}

impl Core {
    /// A core without sessions.
    pub fn new(
        exchange: Exchange,
        server: Arc<ServerFacts>,
        shared_config: Arc<SharedConfig>,
        clock: Clock,
        scripts: Arc<SharedScripts>,
        registry: Arc<Registry>,
        users: Arc<Users>,
    ) -> Core {
        let (core, shards) = (exchange.core, exchange.shards());
        let scripting = Scripting::new(scripts.clone(), clock.clone());
        let mut sampler = super::sample::Sampler::default();
        if exchange.core == 0 {
            sampler.sample(&clock, &server);
        }
        Core {
            id: core,
            exchange,
            server,
            misses_max: MISSES_MAX,
            walk_looks_max: usize::MAX,
            woken: Vec::new(),
            orders: VecDeque::new(),
            log: None,
            config: shared_config.current(),
            shared_config,
            users_generation: users.generation(),
            users,
            clock,
            tickets: Slab::new(),
            operations: Slab::new(),
            loan: Loan::default(),
            borrowed_in_hand: 0,
            scripting,
            shared_scripts: scripts,
            registry,
            subscriptions: CoreSubscriptions::default(),
            publications: Vec::new(),
            tentative: None,
            shown: String::new(),
            monitors: Vec::new(),
            standing_script: None,
            script_queue: Vec::new(),
            sessions: Vec::new(),
            free_slots: Vec::new(),
            scratch: Box::default(),
            window: Vec::new(),
            open_batches: (0..shards).map(|_| None).collect(),
            paused: Vec::new(),
            gated: Vec::new(),
            deadlines: BTreeSet::new(),
            orphans: Vec::new(),
            evict_next: core,
            cron: Default::default(),
            sampler,
            client_peaks: Default::default(),
            jobs_waiting: 0,
            walk_state: Default::default(),
            is_walking: false,
            walk_now: false,
            frozen: Vec::new(),
        }
    }

    /// This core's counters.
    pub fn stats(&self) -> &CoreStats {
        &self.server.cores[self.id]
    }

    /// The parameters as this core sees them.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Unix time in milliseconds.
    pub fn now_ms(&self) -> i64 {
        self.clock.unix_ms()
    }

    /// Takes a connection in.
    pub fn connect(&mut self, connection: &Connection, descriptor: i32) -> SessionKey {
        // Another core may have set a password a moment ago.
        self.refresh_config();
        let slot = self.free_slots.pop().unwrap_or_else(|| {
            self.sessions.push((0, None));
            (self.sessions.len() - 1) as u32
        });
        let generation = self.sessions[slot as usize].0;
        let key = SessionKey { slot, generation };
        let now_ms = self.clock.unix_ms();
        let mut client =
            Client::new(connection.id, connection.address.clone(), connection.local_address.clone(), now_ms);
        client.unix_socket = connection.unix_socket;
        client.protocol = first_protocol(&self.config);
        client.descriptor = descriptor;
        client.set_default_user(self.users.default_user());
        self.sessions[slot as usize].1 = Some(Box::new(Session::new(key, client)));
        self.stats().connections.add(1);
        self.stats().adopted.add(1);
        self.stats().clients.add(1);
        key
    }

    /// Forgets a session whose connection is gone. What it has under way elsewhere is finished without it.
    pub fn disconnect(&mut self, key: SessionKey) {
        let Some(mut session) = self.take_session(key) else { return };
        self.forget_blocked(&mut session);
        self.forget_subscriptions(&mut session);
        self.end_monitoring(&mut session);
        self.sessions[key.slot as usize].0 = key.generation.wrapping_add(1);
        self.free_slots.push(key.slot);
        self.forget_segments(&session);
        self.forget_paused(key);
        self.stats().clients.subtract(1);
        self.server.clients.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }

    fn forget_segments(&mut self, session: &Session) {
        for segment in &session.segments {
            if let super::state::Segment::Remote { ticket, from, to, .. } = segment {
                let entry = &mut self.tickets[*ticket as usize];
                entry.unused -= (to - from) as usize;
                // A batch still out is recycled when it returns and finds no session.
                if entry.unused == 0 && entry.batch.is_some() {
                    let entry = self.tickets.remove(*ticket as usize);
                    if let Some(batch) = entry.batch {
                        self.exchange.recycle(batch);
                    }
                }
            }
        }
    }

    /// The session of this name, if it is still there.
    pub fn session(&mut self, key: SessionKey) -> Option<&mut Session> {
        let (generation, session) = self.sessions.get_mut(key.slot as usize)?;
        if *generation != key.generation {
            return None;
        }
        session.as_deref_mut()
    }

    /// All sessions of this core.
    pub(super) fn sessions(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut().filter_map(|(_, session)| session.as_deref_mut())
    }

    pub(super) fn take_session(&mut self, key: SessionKey) -> Option<Box<Session>> {
        let (generation, session) = self.sessions.get_mut(key.slot as usize)?;
        if *generation != key.generation {
            return None;
        }
        session.take()
    }

    pub(super) fn put_session(&mut self, session: Box<Session>) {
        let slot = session.key.slot as usize;
        self.sessions[slot].1 = Some(session);
    }

    /// Something waits that only a pump can do.
    pub fn needs_pump(&mut self) -> bool {
        self.exchange.shards() > 1 || !self.woken.is_empty() || !self.orders.is_empty() || self.exchange.has_work()
    }

    /// What is not done or not put away; nothing once all sessions have their replies. For tests and the simulation.
    pub fn leftover(&mut self) -> Option<&'static str> {
        let sessions = self.sessions.iter().filter(|(_, session)| session.is_some()).count();
        let counts = self.sessions.iter().flat_map(|(_, session)| session).map(|session| session.client.subscriptions);
        let subscriptions = counts.map(|of| of.channels + of.patterns + of.shard_channels).sum::<usize>();
        [
            (!self.tickets.is_empty(), "a ticket"),
            (!self.operations.is_empty(), "an operation"),
            (!self.loan.is_idle(), "a loan"),
            (self.open_batches.iter().any(Option::is_some), "an open batch"),
            (self.standing_script.is_some(), "a script that stands still"),
            (!self.script_queue.is_empty(), "a session that waits for a script"),
            (!self.paused.is_empty(), "a paused session"),
            (!self.gated.is_empty(), "a reply that waits for the disk"),
            (!self.deadlines.is_empty(), "the end of a wait"),
            (!self.orphans.is_empty(), "an orphaned wait"),
            (!self.shown.is_empty(), "a command that was not shown"),
            (!self.publications.is_empty(), "a message that was not sent"),
            (self.subscriptions.len() != subscriptions, "a wrong number of subscriptions"),
            (sessions + self.free_slots.len() != self.sessions.len(), "a lost session slot"),
            (sessions as u64 != self.stats().clients.get(), "a wrong number of clients"),
        ]
        .into_iter()
        .find_map(|(left, what)| left.then_some(what))
        .or_else(|| self.exchange.leftover())
    }

    pub(super) fn wake(&mut self, key: SessionKey) {
        self.woken.push(key);
    }

    /// Runs what the session has received, up to its share of the turn.
    pub fn process(&mut self, key: SessionKey) -> Progress {
        let Some(mut session) = self.take_session(key) else { return Progress::Close };
        self.refresh_config();
        session.killed |= self.refresh_users(Some(&mut session));
        let mut share = COMMANDS_PER_TURN_MAX;
        let progress = self.process_session(&mut session, &mut share);
        self.gate_by_boxes(&mut session);
        self.end_turn();
        self.put_session(session);
        progress
    }

    pub(super) fn refresh_config(&mut self) {
        if self.shared_config.generation() != self.config.generation() {
            self.config = self.shared_config.current();
        }
    }

    /// Runs what the session has received, up to `share` commands, with whatever boxes are in hand or on their shelves.
    pub(super) fn process_session(&mut self, session: &mut Session, share: &mut usize) -> Progress {
        let now_ms = self.clock.unix_ms();
        session.client.last_used_ms = now_ms;
        let mut fresh = true;
        loop {
            if session.killed {
                return Progress::Close;
            }
            if session.closing && session.requests.is_none() {
                return self.after_input(session);
            }
            if !self.try_gate(session) {
                return Progress::Wait;
            }
            match session.stall {
                Stall::Drain if session.batches_out == 0 => session.stall = Stall::None,
                Stall::Retry if fresh => session.stall = Stall::None,
                Stall::Retry => return Progress::Again,
                _ => {}
            }
            match session.stall {
                Stall::None => {}
                Stall::Blocked => return Progress::Blocked,
                _ => return Progress::Wait,
            }
            if self.exchange.is_congested()
                || session.batches_out >= BATCHES_PER_SESSION_MAX
                || session.is_held_up()
            {
                session.stall = Stall::Drain;
                return if session.batches_out > 0 { Progress::Wait } else { Progress::Again };
            }
            if session.out.len_bytes() >= self.output_bytes_max(session) {
                return Progress::Send;
            }
            if *share == 0 {
                return Progress::Again;
            }
            let mut requests = match session.requests.take() {
                Some(requests) => requests,
                None => {
                    let mut requests = std::mem::take(&mut self.scratch);
                    requests.clear();
                    if !self.parse(session, &mut requests, *share) {
                        self.scratch = requests;
                        return self.after_input(session);
                    }
                    requests
                }
            };
            let before = session.next;
            // The buffer is lent out of the session while its commands run: arguments are slices of it.
            let buffer = std::mem::take(&mut session.buffer);
            self.run(session, &buffer, &requests, now_ms);
            session.buffer = buffer;
            fresh = false;
            *share = share.saturating_sub(session.next - before);
            if session.next < requests.commands.len() && !session.closing {
                session.requests = Some(requests);
            } else {
                self.drop_used_input(session);
                requests.clear();
                self.scratch = requests;
            }
        }
    }

    /// Bytes of output with which a session runs nothing more.
    fn output_bytes_max(&self, session: &Session) -> usize {
        if session.client.must_authenticate() {
            OUTPUT_BYTES_PAUSE_UNAUTHENTICATED
        } else {
            OUTPUT_BYTES_PAUSE
        }
    }

    /// Parses the next commands; false when there is none.
    fn parse(&mut self, session: &mut Session, requests: &mut Requests, commands_max: usize) -> bool {
        if session.closing {
            return false;
        }
        if let Some(big) = session.big.take() {
            if !big.is_complete() {
                session.big = Some(big);
                return false;
            }
            session.parser.supply_big(big.finish());
        }
        let authenticated = !session.client.must_authenticate();
        let limits = RequestLimits {
            bulk_bytes_max: self.config.get_u64(crate::param!("proto-max-bulk-len")),
            query_buffer_bytes_max: self.config.get_u64(crate::param!("client-query-buffer-limit")),
            authenticated,
        };
        let (end, consumed) = session.parser.parse(&session.buffer, 0, &limits, commands_max, requests);
        session.consumed = consumed;
        session.next = 0;
        session.more_input = false;
        match end {
            ParseEnd::NeedMore => {}
            ParseEnd::CommandLimit => session.more_input = true,
            ParseEnd::BigArgument(big) => session.big = Some(big),
            ParseEnd::QueryBufferLimit => session.over_limit = true,
            ParseEnd::Error(error) => {
                session.protocol_error = Some(error);
            }
        }
        let any = !requests.commands.is_empty();
        if !any {
            self.drop_used_input(session);
        }
        any
    }

    /// No complete command is left: what now?
    fn after_input(&mut self, session: &mut Session) -> Progress {
        if session.closing {
            return if session.segments.is_empty() { Progress::Close } else { Progress::Wait };
        }
        if let Some(error) = session.protocol_error.take() {
            self.stats().count_error(b"ERR");
            error.write(session.reply());
            session.closing = true;
            return self.after_input(session);
        }
        if session.over_limit {
            tracing::warn!(
                "Closing client that reached max query buffer length: id={} addr={}",
                session.client.id,
                session.client.address
            );
            self.stats().query_limit_disconnections.add(1);
            session.closing = true;
            return self.after_input(session);
        }
        if session.input_ended {
            session.closing = true;
            return self.after_input(session);
        }
        Progress::Read
    }

    /// Removes the bytes of commands that are done; the unfinished request moves to the front.
    fn drop_used_input(&mut self, session: &mut Session) {
        let used = std::mem::take(&mut session.consumed);
        if used > 0 {
            let left = session.buffer.len() - used;
            session.buffer.copy_within(used.., 0);
            session.buffer.truncate(left);
        }
        session.next = 0;
        if session.buffer.capacity() > READ_BUFFER_BYTES_KEPT_MAX && session.buffer.len() < READ_BUFFER_BYTES {
            session.buffer.shrink_to(READ_BUFFER_BYTES);
        }
    }
}
