//! The whole server on one thread, decided by a seed: the same cores, rings, shelves and doorbells as in the process, with
//! clients in memory and a clock that is told the time. Each step is drawn: deliver bytes, pump a core, let output
//! leave, take a shard's box away for a while (a *ghost*, standing in for a core that has it just now), run a cron.
//!
//! A core is pumped only when the process would pump it: after its sessions ran, after its doorbell rang, after its cron.
//! So a wake-up that is lost here leaves clients without replies, and `rest` says so. Whatever two worlds of one seed are
//! asked, they do the same. For tests only; nothing else calls this.

mod log;
mod rest;
mod schedule;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::acl::Users;
use crate::command::table::TABLE;
use crate::config::Config;
use crate::config::shared::SharedConfig;
use crate::keyspace::{KeyHasher, Keyspace};
use crate::runtime::clock::{Clock, SimulatedClock};
use crate::runtime::doorbell::Doorbell;
use crate::runtime::ring::Sender;
use crate::runtime::shelf::{PutResult, Shelf};
use crate::pubsub::registry::Registry;
use crate::script::shared::SharedScripts;
use crate::session::core::{Core, Progress};
use crate::session::state::{Session, SessionKey};
use crate::shard::exchange::{Exchange, Meeting};
use crate::shard::message::{Connection, Message};
use crate::stats::persistence::SaveKind;
use crate::stats::server::ServerFacts;
use crate::stdx::random::Random;

use super::start::lay_rings;
use log::SimulatedLog;
use schedule::{Character, Ghosts, Step, pick};

/// Unix time at which every world begins, in microseconds.
const START_US: i64 = 1_700_000_000_000_000;
/// Pumps in a row before sessions get their turn, as in the process.
const PUMPS_IN_A_ROW_MAX: u64 = 8;
/// Pumps after which a core that nobody disturbs must have come to rest.
const PUMPS_ALONE_MAX: usize = 64;

/// What a world is made of.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Decides every step.
    pub seed: u64,
    /// Cores, and so shards.
    pub cores: usize,
    /// Slots of each ring, a power of two. Small ones overflow.
    pub ring_slots: usize,
    /// Databases.
    pub databases: usize,
    /// Whether boxes are taken away for a while.
    pub ghosts: bool,
}

/// Where a connection's reader stands; see `connection::serve`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reader {
    Reading,
    Waiting,
    Yielded,
    Closed,
}

struct Pipe {
    core: usize,
    key: SessionKey,
    reader: Reader,
    /// The reader was notified and has not looked yet.
    notified: bool,
    inbound: VecDeque<u8>,
    /// The client sends nothing more.
    ended: bool,
    received: Vec<u8>,
}

/// A server with its clients. See the file's head.
pub struct World {
    random: Random,
    character: Character,
    cores: Vec<Core>,
    /// The core would pump again without being rung.
    awake: Vec<bool>,
    pipes: Vec<Pipe>,
    ghosts: Vec<Option<Box<Keyspace>>>,
    meeting: Arc<Meeting>,
    server: Arc<ServerFacts>,
    clock: Arc<SimulatedClock>,
    time: Clock,
    hasher: KeyHasher,
    /// All connections look like this one but for their number.
    connection: Connection,
    _outside: Vec<Sender<Message>>,
    candidates: Vec<(Step, u64)>,
    /// The append-only log, in half of the worlds.
    log: Option<SimulatedLog>,
}

impl World {
    /// A server without clients. Fails when `/dev/null` cannot be opened, or for more databases than can be configured.
    pub fn new(options: &Options) -> std::io::Result<World> {
        crate::value::member_hash::fix_seed(0);
        let mut random = Random::new(options.seed);
        let (clock, handle) = Clock::simulated(START_US);
        let server = Arc::new(ServerFacts::new(options.cores, TABLE.count(), "0".repeat(40), START_US / 1000));
        let mut config = Config::new();
        let databases = options.databases.to_string();
        config
            .set_words(crate::param!(index of "databases"), &[databases.as_bytes()])
            .map_err(|_| std::io::ErrorKind::InvalidInput)?;
        // Nothing is written that nobody asks for.
        config.set_words(crate::param!(index of "save"), &[]).map_err(|_| std::io::ErrorKind::InvalidInput)?;
        let config = Arc::new(SharedConfig::new(config));
        let hasher = KeyHasher::new(options.cores, random.next_u64());
        // Not drawn from the world's own randomness: what else happens in a world stays what it was without a log.
        let mut kind = Random::new(!options.seed);
        let log = (kind.below(2) == 0)
            .then(|| SimulatedLog::new(options.cores, options.ring_slots, &mut kind, &server));
        let (log, mut links) = log.map_or((None, Vec::new()), |(log, links)| (Some(log), links));
        let shelf = |seed| {
            let mut keyspace = Keyspace::new(options.databases, hasher.clone(), seed);
            keyspace.journal.switch(log.as_ref().map(|log| log.marks().clone()));
            Shelf::new(Box::new(keyspace))
        };
        let meeting = Arc::new(Meeting {
            shelves: (0..options.cores).map(|_| shelf(random.next_u64())).collect(),
            doorbells: (0..options.cores).map(|_| Doorbell::silent()).collect(),
        });
        let (rings, outside) = lay_rings(options.cores, options.ring_slots);
        let scripts = Arc::new(SharedScripts::new(options.cores, server.scripts.clone()));
        let registry = Arc::new(Registry::new(server.pubsub.clone()));
        let users = Arc::new(Users::new());
        let misses_max = random.below(3).saturating_sub(1) as u32;
        let cores = rings.into_iter().enumerate().map(|(id, (senders, receivers))| {
            let mut exchange = Exchange::new(id, meeting.clone(), hasher.clone(), senders, receivers);
            exchange.log = (!links.is_empty()).then(|| links.remove(0));
            let parts = (server.clone(), config.clone(), clock.clone(), scripts.clone(), registry.clone());
            let mut core = Core::new(exchange, parts.0, parts.1, parts.2, parts.3, parts.4, users.clone());
            // Mostly at once to the rings: what happens there is what wants to be seen.
            core.misses_max = misses_max;
            core.walk_looks_max = 1 + options.seed as usize % 4;
            core
        });
        let connection = Connection {
            descriptor: std::fs::File::open("/dev/null")?.into(),
            unix_socket: true,
            address: "simulated:0".to_string(),
            local_address: "simulated:0".to_string(),
            id: 0,
        };
        let character = Character::draw(&mut random, options.cores, options.ghosts);
        Ok(World {
            character,
            cores: cores.collect(),
            awake: vec![true; options.cores],
            pipes: Vec::new(),
            ghosts: (0..options.cores).map(|_| None).collect(),
            meeting,
            server,
            clock: handle,
            time: clock,
            hasher,
            connection,
            _outside: outside,
            candidates: Vec::new(),
            log,
            random,
        })
    }

    /// Connects a client to a core; returns its number.
    pub fn connect(&mut self, core: usize) -> usize {
        self.connection.id = self.server.next_client_id();
        self.server.clients.fetch_add(1, Ordering::Relaxed);
        let key = self.cores[core].connect(&self.connection, -1);
        self.pipes.push(Pipe {
            core,
            key,
            reader: Reader::Reading,
            notified: false,
            inbound: VecDeque::new(),
            ended: false,
            received: Vec::new(),
        });
        self.pipes.len() - 1
    }

    /// The client sends bytes. They arrive in later steps, in pieces.
    pub fn send(&mut self, client: usize, bytes: &[u8]) {
        if self.is_open(client) {
            self.pipes[client].inbound.extend(bytes);
        }
    }

    /// The client closes its sending side: after what it sent comes the end.
    pub fn end_input(&mut self, client: usize) {
        self.pipes[client].ended = true;
    }

    /// The connection breaks: what is under way in either direction is lost.
    pub fn cut(&mut self, client: usize) {
        let pipe = &mut self.pipes[client];
        if pipe.reader != Reader::Closed {
            pipe.reader = Reader::Closed;
            pipe.inbound.clear();
            self.cores[pipe.core].disconnect(pipe.key);
            self.awake[pipe.core] = true;
        }
    }

    /// What the client has received and not yet removed.
    pub fn received(&mut self, client: usize) -> &mut Vec<u8> {
        &mut self.pipes[client].received
    }

    /// The server has not closed this connection.
    pub fn is_open(&self, client: usize) -> bool {
        self.pipes[client].reader != Reader::Closed
    }

    /// Takes a shard's box away until the world is to come to rest. False when someone has it.
    pub fn take_away(&mut self, shard: usize) -> bool {
        self.ghosts[shard] = self.ghosts[shard].take().or_else(|| self.meeting.shelves[shard].try_take(false, 0));
        self.ghosts[shard].is_some()
    }

    /// Bytes of replies that wait in the client's session for earlier ones.
    pub fn late_bytes(&mut self, client: usize) -> usize {
        let pipe = &self.pipes[client];
        self.cores[pipe.core].session(pipe.key).map_or(0, |session| session.late_bytes())
    }

    /// The shard of a key.
    pub fn shard_of(&self, key: &[u8]) -> usize {
        self.hasher.shard_of(&self.hasher.key(key))
    }

    /// What the cores count.
    pub fn facts(&self) -> &ServerFacts {
        &self.server
    }

    /// Every core walks its box for a running snapshot for a while. False when none is being made, so that the last one
    /// has its file, or has none.
    pub fn walk(&mut self) -> bool {
        for (core, awake) in self.cores.iter_mut().zip(&mut self.awake) {
            core.walk();
            *awake = true;
        }
        self.server.saves.running() != SaveKind::None
    }

    /// What a power cut, or where that is not what replies wait for a kill, would leave of the log now; none without a log.
    pub fn surviving_log(&self, random: &mut Random) -> Option<Vec<u8>> {
        self.log.as_ref().map(|log| log.survivor(random))
    }

    /// From now on the log's disk fails now and then, a limited number of times.
    pub fn let_disk_fail(&self) {
        self.log.iter().for_each(SimulatedLog::let_disk_fail);
    }

    /// What the log is like, for a person.
    pub fn log_kind(&self) -> String {
        self.log.as_ref().map(SimulatedLog::kind).unwrap_or_default()
    }

    /// The disk fails, and replies do not wait for it: the log may lack what was told.
    pub fn may_log_owe(&self) -> bool {
        self.log.as_ref().is_some_and(SimulatedLog::may_owe)
    }

    /// One step. False when nothing can happen until a client sends something.
    pub fn step(&mut self) -> Result<bool, String> {
        self.step_with(if self.character.ghost_takes > 0 { Ghosts::Come } else { Ghosts::Stay })
    }

    fn step_with(&mut self, ghosts: Ghosts) -> Result<bool, String> {
        let Some(step) = self.draw(ghosts) else { return Ok(false) };
        match step {
            Step::Deliver(client) => self.deliver(client),
            Step::Resume(client) => self.run(client),
            Step::Flush(client) => self.flush(client),
            Step::Pump(core) => self.pump(core)?,
            Step::GhostTakes(shard) => self.ghosts[shard] = self.meeting.shelves[shard].try_take(false, 0),
            Step::GhostPuts(shard) => self.ghost_puts(shard),
            Step::Deadline(core) => {
                if let Some(at_ms) = self.cores[core].next_deadline_ms() {
                    let left_ms = at_ms - self.time.unix_ms();
                    self.clock.advance(Duration::from_millis(left_ms.max(0) as u64));
                }
                self.awake[core] = true;
            }
            Step::Log => {
                if let Some(log) = &mut self.log {
                    log.step(&mut self.random, &self.meeting);
                }
            }
            Step::Cron(core) => {
                self.clock.advance(Duration::from_micros(self.random.below(20_000)));
                self.cores[core].cron();
                self.cores[core].walk();
                self.awake[core] = true;
            }
        }
        Ok(true)
    }

    /// Draws what happens next. Ghosts coming and crons alone are no reason to go on.
    fn draw(&mut self, ghosts: Ghosts) -> Option<Step> {
        let mut candidates = std::mem::take(&mut self.candidates);
        candidates.clear();
        for (client, pipe) in self.pipes.iter().enumerate() {
            let has_input = !pipe.inbound.is_empty() || pipe.ended;
            match pipe.reader {
                Reader::Closed => continue,
                Reader::Reading if has_input => candidates.push((Step::Deliver(client), self.character.deliver)),
                Reader::Waiting if pipe.notified => candidates.push((Step::Resume(client), self.character.deliver)),
                Reader::Yielded => candidates.push((Step::Resume(client), self.character.deliver)),
                Reader::Reading | Reader::Waiting => {}
            }
            if self.cores[pipe.core].session(pipe.key).is_some_and(|session| session.may_send()) {
                candidates.push((Step::Flush(client), self.character.flush));
            }
        }
        if self.log.as_ref().is_some_and(SimulatedLog::has_work) {
            candidates.push((Step::Log, self.character.pump[0]));
        }
        for core in 0..self.cores.len() {
            self.awake[core] |= self.meeting.doorbells[core].take_rung();
            if self.awake[core] {
                candidates.push((Step::Pump(core), self.character.pump[core]));
            }
            if self.cores[core].next_deadline_ms().is_some() {
                candidates.push((Step::Deadline(core), self.character.deadline));
            }
            if ghosts != Ghosts::Stay && self.ghosts[core].is_some() {
                candidates.push((Step::GhostPuts(core), self.character.ghost_puts));
            }
        }
        let chosen = (!candidates.is_empty()).then(|| {
            if ghosts == Ghosts::Come {
                for core in (0..self.cores.len()).filter(|&core| self.ghosts[core].is_none()) {
                    candidates.push((Step::GhostTakes(core), self.character.ghost_takes));
                }
                candidates.push((Step::Cron(0), self.character.cron));
            }
            pick(&mut self.random, &candidates)
        });
        self.candidates = candidates;
        match chosen {
            Some(Step::Cron(_)) => Some(Step::Cron(self.random.below(self.cores.len() as u64) as usize)),
            other => other,
        }
    }

    fn deliver(&mut self, client: usize) {
        let whole = self.random.below(self.character.whole) == 0;
        let pipe = &mut self.pipes[client];
        let Some(session) = self.cores[pipe.core].session(pipe.key) else { return };
        let mut count = pipe.inbound.len();
        if count == 0 {
            session.input_ended = true;
        } else if !whole {
            count = 1 + self.random.below(count.min(64) as u64) as usize;
        }
        if let Some(big) = &mut session.big {
            let (mut buffer, room) = big.lend();
            let count = count.min(room);
            buffer.extend(pipe.inbound.drain(..count));
            big.take_back(buffer);
        } else {
            session.buffer.extend(pipe.inbound.drain(..count));
        }
        self.run(client);
    }

    /// The reader's turn, as in `connection::serve`.
    fn run(&mut self, client: usize) {
        let pipe = &mut self.pipes[client];
        pipe.notified = false;
        let core = &mut self.cores[pipe.core];
        let progress = core.process(pipe.key);
        self.awake[pipe.core] |= core.needs_pump();
        let reader = match progress {
            Progress::Read => Reader::Reading,
            Progress::Again => Reader::Yielded,
            Progress::Send | Progress::Wait | Progress::Blocked => Reader::Waiting,
            Progress::Close => {
                // The last replies leave first.
                self.flush(client);
                let pipe = &self.pipes[client];
                let waits = |session: &mut Session| !session.killed && !session.out.is_empty();
                if !self.cores[pipe.core].session(pipe.key).is_some_and(waits) {
                    return self.cut(client);
                }
                Reader::Waiting
            }
        };
        self.pipes[client].reader = reader;
    }

    /// What is ready leaves, and arrives.
    fn flush(&mut self, client: usize) {
        let pipe = &mut self.pipes[client];
        let Some(session) = self.cores[pipe.core].sendable(pipe.key) else { return };
        let (bytes, shared) = session.out.take_parts();
        let mut sent = 0;
        for (at, large) in shared {
            pipe.received.extend_from_slice(&bytes[sent..at]);
            pipe.received.extend_from_slice(&large);
            sent = at;
        }
        pipe.received.extend_from_slice(&bytes[sent..]);
        pipe.notified = true;
    }

    /// The pump's turn, as in `Worker::run`.
    fn pump(&mut self, core: usize) -> Result<(), String> {
        self.meeting.doorbells[core].cancel_park();
        for _ in 0..1 + self.random.below(PUMPS_IN_A_ROW_MAX) {
            self.pump_once(core);
        }
        if self.random.below(16) == 0 {
            let alone = (0..PUMPS_ALONE_MAX).any(|_| {
                self.pump_once(core);
                !self.cores[core].exchange.has_work()
            });
            if !alone {
                return Err(format!("core {core} does not come to rest although nobody disturbs it"));
            }
        }
        self.meeting.doorbells[core].prepare_to_park();
        self.awake[core] = self.cores[core].exchange.has_work();
        Ok(())
    }

    fn pump_once(&mut self, core: usize) {
        self.cores[core].pump();
        // Orders come from outside and from SHUTDOWN; there is no process here that could obey them.
        self.cores[core].orders.clear();
        for key in std::mem::take(&mut self.cores[core].woken) {
            let killed = self.cores[core].session(key).is_some_and(|session| session.killed);
            if let Some(pipe) = self.pipes.iter_mut().find(|pipe| pipe.core == core && pipe.key == key) {
                pipe.notified = true;
                if killed {
                    pipe.inbound.clear();
                    pipe.ended = true;
                }
            }
        }
    }

    fn ghost_puts(&mut self, shard: usize) {
        if let Some(keyspace) = self.ghosts[shard].take()
            && self.meeting.shelves[shard].put(keyspace) == PutResult::Wanted
        {
            self.meeting.doorbells[shard].ring_if_parked();
        }
    }
}
