//! A bench for handlers: runs command lines against keyspaces directly, without sessions, rings or clocks.
//!
//! Only for unit tests. `check` runs a table with one shard and with several; `Harness` gives the same step by step.
//! Commands for one client (`Run::Session`) run too; what a `Run::Control` command asks for comes from `control`.

use std::sync::Arc;

use bytes::Bytes;

use crate::acl::Users;
use crate::client::Client;
use crate::config::{self, Config};
use crate::keyspace::database::KeyspaceCounters;
use crate::keyspace::entry::Entry;
use crate::keyspace::{KeyHasher, Keyspace, Turn};
use crate::pubsub::registry::{Publication, Publisher, Registry};
use crate::resp::reply::{Protocol, Reply};
use crate::resp::request::ArgRange;
use crate::runtime::clock::Clock;
use crate::script::scripting::Scripting;
use crate::script::shared::SharedScripts;
use crate::stats::server::ServerFacts;
use crate::stdx::limits::{BIG_ARGUMENT_BYTES_MIN, DATABASES_DEFAULT};
use crate::stdx::quote;

use super::args::Args;
use super::blocking::Waiting;
use super::context::{Context, Keyspaces, SessionContext};
use super::error::CommandError;
use super::request::ControlRequest;
use super::scatter;
use super::spec::{Flags, Run};
use super::table::{Row, TABLE};

/// Unix time at which tests begin, milliseconds.
pub const START_MS: i64 = 1_700_000_000_000;

/// Runs each line of the table, with one shard and with four, and compares its reply.
#[track_caller]
pub fn check(table: &[(&str, &str)]) {
    for shards in [1, 4] {
        Harness::new(shards).check(table);
    }
}

/// What `shard/record` does around a command, for its tests.
pub type Recorder = (fn(&mut Keyspaces<'_>) -> bool, fn(&'static Row, &mut Context<'_>, bool));

/// A server without cores: one client, its keyspaces all at hand.
pub struct Harness {
    boxes: Vec<Option<Box<Keyspace>>>,
    hasher: KeyHasher,
    /// Facts and counters of the server.
    pub server: ServerFacts,
    /// The parameters.
    pub config: Config,
    /// The client: its database and protocol count.
    pub client: Client,
    /// The time, Unix milliseconds. Tests move it.
    pub now_ms: i64,
    scripting: Scripting,
    /// All users.
    pub users: Users,
    registry: Registry,
    publications: Vec<Publication>,
    /// Records what commands do.
    pub recorder: Option<Recorder>,
}

/// The arguments of one command as the parser hands them on: large ones in buffers of their own.
struct Line {
    buffer: Vec<u8>,
    ranges: Vec<ArgRange>,
    bigs: Vec<Bytes>,
}

impl Line {
    fn new<'a>(arguments: impl Iterator<Item = &'a [u8]>) -> Line {
        let mut line = Line { buffer: Vec::new(), ranges: Vec::new(), bigs: Vec::new() };
        for argument in arguments {
            if argument.len() >= BIG_ARGUMENT_BYTES_MIN {
                line.ranges.push(ArgRange::big(line.bigs.len()));
                line.bigs.push(Bytes::copy_from_slice(argument));
            } else {
                let start = line.buffer.len() as u32;
                line.ranges.push(ArgRange { start, len: argument.len() as u32 });
                line.buffer.extend_from_slice(argument);
            }
        }
        line
    }

    fn args(&self) -> Args<'_> {
        Args::new(&self.buffer, &self.ranges, &self.bigs)
    }
}

impl Harness {
    /// An empty server with so many shards.
    pub fn new(shards: usize) -> Harness {
        let hasher = KeyHasher::new(shards, 7);
        let keyspace = |shard| Keyspace::new(DATABASES_DEFAULT as usize, hasher.clone(), shard as u64);
        let mut config = Config::new();
        config.set_words(crate::param!(index of "save"), &[]).expect("never is a time");
        Harness {
            boxes: (0..shards).map(|shard| Some(Box::new(keyspace(shard)))).collect(),
            server: ServerFacts::new(1, TABLE.count(), "0".repeat(40), START_MS),
            config,
            client: Client::new(1, "127.0.0.1:1".into(), "127.0.0.1:2".into(), START_MS),
            now_ms: START_MS,
            recorder: None,
            users: Users::new(),
            registry: Registry::new(Arc::default()),
            publications: Vec::new(),
            scripting: Scripting::new(Arc::new(SharedScripts::new(1, Arc::default())), Clock::simulated(START_MS * 1000).0),
            hasher,
        }
    }

    /// All keyspaces.
    pub fn boxes(&mut self) -> &mut [Option<Box<Keyspace>>] {
        &mut self.boxes
    }

    /// Runs lines in order and compares their replies.
    #[track_caller]
    pub fn check(&mut self, table: &[(&str, &str)]) {
        for (line, expected) in table {
            assert_eq!(self.run(line), *expected, "{line} with {} shard(s)", self.boxes.len());
        }
    }

    /// Runs a line, quoted as in redis-cli, and returns the reply as it would be sent.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> String {
        String::from_utf8_lossy(&self.run_for_reply(line).to_vec()).into_owned()
    }

    /// As `run`, with the reply in its parts.
    #[track_caller]
    pub fn run_for_reply(&mut self, line: &str) -> Reply {
        let arguments = quote::split_arguments(line.as_bytes()).expect("a test's quotes are balanced");
        self.dispatch(&Line::new(arguments.iter().map(Vec::as_slice)))
    }

    /// Runs a command given as its arguments.
    pub fn run_args(&mut self, arguments: &[&[u8]]) -> Vec<u8> {
        self.dispatch(&Line::new(arguments.iter().copied())).to_vec()
    }

    /// As `run_args`; returns the buffers that large arguments arrived in.
    pub fn run_args_keeping_bigs(&mut self, arguments: &[&[u8]]) -> Vec<Bytes> {
        let line = Line::new(arguments.iter().copied());
        self.dispatch(&line);
        line.bigs
    }

    /// What a `Run::Control` command asks for.
    #[track_caller]
    pub fn control(&mut self, line: &str) -> Result<ControlRequest, CommandError> {
        let arguments = quote::split_arguments(line.as_bytes()).expect("a test's quotes are balanced");
        let line = Line::new(arguments.iter().map(Vec::as_slice));
        let row = find(line.args()).expect("the command exists");
        let Run::Control(handler) = row.command.run else { panic!("{} is no control command", row.full_name) };
        let mut reply = Reply::new(self.client.protocol);
        handler(&mut self.session_context(row, line.args(), &mut reply))
    }

    /// What all shards counted together.
    pub fn counters(&self) -> KeyspaceCounters {
        let mut sum = KeyspaceCounters::default();
        for keyspace in self.boxes.iter().flatten() {
            sum.hits += keyspace.counters.hits;
            sum.misses += keyspace.counters.misses;
            sum.expired_keys += keyspace.counters.expired_keys;
            sum.expired_fields += keyspace.counters.expired_fields;
            sum.changes += keyspace.counters.changes;
        }
        sum
    }

    /// Looks at a key's entry without counting.
    pub fn look<T>(&mut self, key: &str, look: impl FnOnce(Option<Entry<'_>>) -> T) -> T {
        let key = self.hasher.key(key.as_bytes());
        let turn = Turn::at(self.now_ms, false);
        let keyspace = self.boxes[self.hasher.shard_of(&key)].as_deref_mut().expect("all boxes are at hand");
        look(keyspace.peek(self.client.database, &key, turn))
    }

    /// Sets a parameter.
    #[track_caller]
    pub fn configure(&mut self, name: &str, value: &str) {
        let named = config::find(name.as_bytes()).expect("the parameter exists");
        self.config.set_words(named.index, &[value.as_bytes()]).expect("the value is allowed");
    }

    /// Speaks RESP3 from now on.
    pub fn resp3(&mut self) {
        self.client.protocol = Protocol::Resp3;
    }

    /// The large strings that the reply to a line keeps by reference.
    #[track_caller]
    pub fn run_for_shared(&mut self, line: &str) -> Vec<Bytes> {
        self.run_for_reply(line).take_parts().1.into_iter().map(|(_, bytes)| bytes).collect()
    }

    fn dispatch(&mut self, line: &Line) -> Reply {
        let mut reply = Reply::new(self.client.protocol);
        let result = find(line.args()).and_then(|row| self.run_row(row, line.args(), &mut reply));
        if let Err(error) = result {
            reply.truncate(0);
            reply.error(error.text());
        }
        reply
    }

    fn run_row(&mut self, row: &'static Row, args: Args<'_>, reply: &mut Reply) -> Result<(), CommandError> {
        if let Run::Session(handler) = row.command.run {
            return handler(&mut self.session_context(row, args, reply));
        }
        // With one shard as the router has it, with the first key's hash; with several as in a loan.
        let (mut only, mut first_key) = (None, None);
        if self.boxes.len() == 1 && row.first_key > 0 && row.first_key < args.len() {
            only = Some(0);
            first_key = Some((row.first_key, self.hasher.hash(args.get(row.first_key))));
        }
        if let Run::OneShard { pick, .. } = row.command.run {
            only = Some(pick(&args, self.boxes.len()));
        }
        let mut context = Context {
            args,
            reply,
            keyspaces: Keyspaces::new(&mut self.boxes, &self.hasher, only),
            database: self.client.database,
            turn: Turn::at(self.now_ms, !self.client.no_touch),
            config: &self.config,
            server: &self.server,
            first_key,
            command: row.full_name,
            waiting: Waiting::Denied,
            wait: None,
        };
        let recorder = self.recorder.filter(|(before, _)| before(&mut context.keyspaces));
        let result = match &row.command.run {
            Run::Keyed(handler)
            | Run::AllShards(handler)
            | Run::OneShard { handler, .. }
            | Run::KeyedOrAllShards { handler, .. } => handler(&mut context),
            Run::Scatter(scattered) => scatter::run_whole(scattered, &mut context),
            Run::Session(_) | Run::Control(_) | Run::Transaction(_) | Run::Script(_) | Run::Container => panic!("{} writes no reply here", row.full_name),
        };
        if let Some((_, after)) = recorder {
            after(row, &mut context, result.is_err());
        }
        result
    }

    fn session_context<'a>(&'a mut self, row: &'static Row, args: Args<'a>, reply: &'a mut Reply) -> SessionContext<'a> {
        SessionContext {
            args,
            reply,
            client: &mut self.client,
            config: &self.config,
            server: &self.server,
            now_ms: self.now_ms,
            now_us: self.now_ms * 1000,
            command: row.full_name,
            publisher: Publisher { registry: &self.registry, pending: &mut self.publications },
            users: &self.users,
            denied: None,
            scripting: Some(&mut self.scripting),
        }
    }
}

/// The row of a command, subcommands included, whose arity fits.
fn find(args: Args<'_>) -> Result<&'static Row, CommandError> {
    let mut row = TABLE.find(args.get(0)).ok_or(CommandError::Text("ERR unknown command"))?;
    if !row.subcommands.is_empty() && args.len() > 1 {
        let is_whole = row.command.flags.has(Flags::HIDDEN_SUBCOMMANDS);
        row = match row.subcommand(args.get(1)) {
            Some(subcommand) => subcommand,
            None if is_whole => row,
            None => return Err(CommandError::Text("ERR unknown subcommand")),
        };
    }
    if row.accepts(args.len()) { Ok(row) } else { Err(CommandError::Arity(row.full_name)) }
}
