//! What a script can reach: the commands it runs, with the boxes that are in hand, and others as it asks for their keys.
//!
//! A script begins with the boxes of the keys it declares. When it reaches for a key elsewhere, the box is taken from its
//! shelf if it stands there: nothing waits while boxes are held, so nobody waits in a circle. If it does not stand there,
//! the script is stopped (`ScriptRun::missing`), everything it wrote is taken back, and whoever runs it begins anew with the
//! missing boxes borrowed. To be able to take back, the value of each key is kept before its first change, as long as not
//! all boxes are in hand; before a value too large to be kept is changed, all boxes are asked for, since with all of them
//! nothing can be missing any more. Either way the script takes effect once, as a whole, at one point in time.
//!
//! Called by the sessions, which own the interpreter.

use crate::acl::Users;
use crate::acl::log::{Denied, Place};
use crate::client::Client;
use crate::command::acl::check::{check, denied_patterns};
use crate::command::monitor::{Origin, is_shown, write_line};
use crate::command::persist::writes_refused;
use crate::command::args::Args;
use crate::command::blocking::Waiting;
use crate::command::context::{Context, Keyspaces, SessionContext};
use crate::command::error::CommandError;
use crate::command::keys;
use crate::command::spec::{Flags, Run};
use crate::command::table::{Row, TABLE};
use crate::config::Config;
use crate::keyspace::write::Taken;
use crate::keyspace::Turn;
use crate::pubsub::registry::{Publication, Publisher, Registry};
use crate::resp::reply::{Protocol, Reply};
use crate::runtime::clock::Clock;
use crate::script::shared::Running;
use crate::script::scripting::log_line;
use crate::script::{Arguments, Host, LogLevel, Poll, Stop};
use crate::stats::core::CoreStats;
use crate::stats::persistence::SaveFacts;
use crate::stats::server::ServerFacts;
use crate::stdx::limits::{SCRIPT_UNDO_BYTES_MAX, SCRIPT_UNDO_VALUE_BYTES_MAX};

use super::call;
use super::record;
use super::exchange::{Exchange, bits};
use super::route::{Route, all_shards, route};
use super::wait;

/// A key as it was before a script changed it.
struct Undo {
    shard: usize,
    database: u32,
    key: Box<[u8]>,
    value: Option<Taken>,
}

/// What is known of a running script, from its beginning to its end; it may stand still meanwhile.
pub struct ScriptRun {
    /// The script's database, which SELECT changes.
    pub database: u32,
    /// The time does not go on while a script runs.
    pub turn: Turn,
    /// The same in microseconds, once TIME has asked for it.
    now_us: Option<i64>,
    /// It may not write.
    pub reads_only: bool,
    /// It may take memory although that is short.
    pub allows_oom: bool,
    /// It has called a command that writes.
    pub has_written: bool,
    /// The shards whose boxes it has, one bit each: those of the keys it declared, and others it reached for.
    pub touched: u64,
    /// Shards where commands of the same client are under way that come before the script.
    pub behind: u64,
    /// It was stopped because it needs these shards, one bit each.
    pub missing: u64,
    /// One of its commands panicked: its client is to be closed.
    pub panicked: bool,
    /// The only keys it may use, where others are denied.
    pub only_keys: Option<Vec<Box<[u8]>>>,
    /// What it has published; sent when it has ended, and not if it is taken back.
    pub publications: Vec<Publication>,
    /// Its line and those of its commands, when somebody monitors.
    pub shown: Option<String>,
    /// What was denied to it, for the log.
    pub denied: Vec<Denied>,
    /// All boxes are in hand.
    has_all: bool,
    undo: Vec<Undo>,
    undo_bytes: usize,
    /// The changes counted in the shards before the script changed anything there.
    changes_before: Vec<(usize, u64)>,
}

impl ScriptRun {
    /// A script that is about to begin in a database.
    pub fn new(database: u32, turn: Turn, reads_only: bool) -> ScriptRun {
        ScriptRun {
            database,
            turn,
            now_us: None,
            reads_only,
            allows_oom: false,
            has_written: false,
            touched: 0,
            behind: 0,
            missing: 0,
            panicked: false,
            only_keys: None,
            publications: Vec::new(),
            shown: None,
            denied: Vec::new(),
            has_all: false,
            undo: Vec::new(),
            undo_bytes: 0,
            changes_before: Vec::new(),
        }
    }

    /// Keeps the values of the command's keys as they are now; false when one is too large to be kept.
    pub fn keep_values(&mut self, exchange: &mut Exchange, row: &'static Row, args: Args<'_>) -> bool {
        let run = self;
        let mut kept = true;
        keys::visit_keys(row.command, args, |at| {
            let key = exchange.hasher.key(args.get(at));
            let is_known = |undo: &Undo| undo.database == run.database && *undo.key == *key.bytes;
            if !kept || run.undo.iter().any(is_known) {
                return;
            }
            let shard = exchange.hasher.shard_of(&key);
            let keyspace = exchange.boxes[shard].as_deref_mut().expect("taken before the command runs");
            if run.changes_before.iter().all(|(other, _)| *other != shard) {
                run.changes_before.push((shard, keyspace.counters.changes));
            }
            // A key whose time has come goes now, and stays away.
            let entry = keyspace.peek(run.database, &key, run.turn);
            let bytes = entry.as_ref().map_or(0, |entry| entry.memory_bytes());
            if bytes > SCRIPT_UNDO_VALUE_BYTES_MAX || run.undo_bytes + bytes > SCRIPT_UNDO_BYTES_MAX {
                kept = false;
                return;
            }
            run.undo_bytes += bytes;
            let value = entry.map(|entry| Taken::copy_of(&entry).with_access(Some(entry.access())));
            run.undo.push(Undo { shard, database: run.database, key: key.bytes.into(), value });
        });
        kept
    }

    /// Takes back all that the script has written. The boxes it wrote to are in hand.
    pub fn take_back(&mut self, exchange: &mut Exchange) {
        self.publications.clear();
        self.denied.clear();
        while let Some(undo) = self.undo.pop() {
            let key = exchange.hasher.key(&undo.key);
            let keyspace = exchange.boxes[undo.shard].as_deref_mut().expect("a box stays in hand until the script ends");
            let mut guard = keyspace.write(undo.database, key, Turn { touch: false, ..self.turn });
            guard.remove();
            if let Some(value) = undo.value {
                guard.put(value);
            }
        }
        for (shard, changes) in self.changes_before.drain(..) {
            let keyspace = exchange.boxes[shard].as_deref_mut().expect("a box stays in hand until the script ends");
            keyspace.counters.changes = changes;
        }
    }
}

/// See the file's head.
pub struct ScriptHost<'a> {
    /// The script.
    pub run: &'a mut ScriptRun,
    /// The boxes in hand, and the way to others.
    pub exchange: &'a mut Exchange,
    /// The script's client, with the script's database selected.
    pub client: &'a mut Client,
    /// Channels and who listens.
    pub registry: &'a Registry,
    /// The parameters.
    pub config: &'a Config,
    /// Facts about the server and its counters.
    pub server: &'a ServerFacts,
    /// All users.
    pub users: &'a Users,
    /// This core's counters.
    pub stats: &'a CoreStats,
    /// For commands that tell the time.
    pub clock: &'a Clock,
    /// What others see of the script.
    pub running: &'a Running,
    /// It is a function.
    pub is_function: bool,
    /// For so long it may run before it stands still, counted from the first look at the clock: most scripts never come to it.
    pub slice_ns: u64,
    /// When that was, by the monotonic clock; 0: not yet.
    pub began_ns: u64,
}

impl ScriptHost<'_> {
    /// Finds the row, or says why a script may not run this command.
    fn admit(&mut self, args: Args<'_>) -> Result<&'static Row, (CommandError, Option<&'static Row>)> {
        const UNKNOWN: CommandError = CommandError::Text("ERR Unknown Redis command called from script");
        const ARITY: CommandError = CommandError::Text("ERR Wrong number of args calling Redis command from script");
        const DENIED: CommandError = CommandError::Text("ERR This Redis command is not allowed from script");
        const READS_ONLY: CommandError =
            CommandError::Text("ERR Write commands are not allowed from read-only scripts.");
        let mut row = TABLE.find(args.get(0)).ok_or((UNKNOWN, None))?;
        if !row.subcommands.is_empty() && args.len() > 1 {
            row = match row.subcommand(args.get(1)) {
                Some(subcommand) => subcommand,
                None if row.command.flags.has(Flags::HIDDEN_SUBCOMMANDS) => row,
                None => return Err((UNKNOWN, None)),
            };
        }
        if !row.accepts(args.len()) {
            return Err((ARITY, Some(row)));
        }
        let may_all = self.server.scripts_may_all.load(std::sync::atomic::Ordering::Relaxed);
        let never = match row.command.run {
            Run::Control(_) | Run::Transaction(_) | Run::Script(_) | Run::Container => true,
            // These work on the interpreter that is running.
            Run::Session(_) => row.command.group == "scripting",
            _ => false,
        };
        if never || (row.flags.has(Flags::NOSCRIPT) && !may_all) {
            return Err((DENIED, Some(row)));
        }
        if self.client.is_restricted() {
            self.check_user(row, args).map_err(|error| (error, Some(row)))?;
        }
        let writes = row.flags.has(Flags::WRITE);
        if self.run.reads_only && (writes || row.flags.has(Flags::MAY_REPLICATE)) {
            return Err((READS_ONLY, Some(row)));
        }
        if self.server.saves.alarms() != 0
            && !self.run.has_written
            && let Some(error) = self.refusal(row)
        {
            return Err((error, Some(row)));
        }
        Ok(row)
    }

    /// Whether the client's user may run this.
    #[cold]
    fn check_user(&mut self, row: &'static Row, args: Args<'_>) -> Result<(), CommandError> {
        let user = self.client.user();
        match check(user, row, args) {
            Ok(()) => denied_patterns(user, row, args).map_or(Ok(()), Err),
            Err(denial) => {
                self.run.denied.push(denial.noted(user, row, args, Place::Script));
                let text = denial.text(user, row);
                Err(CommandError::Owned([b"ERR ACL failure in script: ", text.as_slice()].concat()))
            }
        }
    }

    /// Why a command cannot run now: what it changes could not be kept, or takes memory.
    #[cold]
    fn refusal(&self, row: &Row) -> Option<CommandError> {
        let is_short = self.server.saves.alarms() & SaveFacts::OVER_MEMORY != 0 && !self.run.allows_oom;
        let lost = row.flags.has(Flags::WRITE).then(|| writes_refused(self.server, self.config)).flatten();
        lost.or((is_short && row.flags.has(Flags::DENYOOM)).then_some(CommandError::OutOfMemory))
    }

    /// Takes boxes, or notes which are missing.
    fn take(&mut self, shards: u64) -> Result<(), Stop> {
        for shard in bits(shards) {
            if self.run.behind & (1 << shard) != 0 || !self.exchange.take(shard) {
                self.run.missing |= 1 << shard;
            }
        }
        if self.run.missing != 0 {
            return Err(Stop);
        }
        self.run.touched |= shards;
        record::join_unit(&mut self.exchange.boxes, shards);
        Ok(())
    }

    /// Sees to it that what the command is about to change can be taken back, or need not be.
    fn prepare_write(&mut self, row: &'static Row, args: Args<'_>) -> Result<(), Stop> {
        let waiters = wait::missing_for_waiters(&self.exchange.boxes, &self.exchange.hasher, None, row, args);
        self.take(waiters)?;
        if !self.run.has_all {
            self.run.has_all = self.exchange.boxes.iter().all(Option::is_some);
        }
        if !self.run.has_all && !self.run.keep_values(self.exchange, row, args) {
            self.take(all_shards(self.exchange.shards()))?;
            self.run.has_all = true;
        }
        if !self.run.has_written {
            self.run.has_written = true;
            self.running.wrote();
        }
        Ok(())
    }

    fn run_session_command(&mut self, row: &'static Row, args: Args<'_>, reply: &mut Reply) {
        let Run::Session(handler) = row.command.run else { unreachable!("chosen by its row") };
        let start = reply.position();
        let mut context = SessionContext {
            args,
            reply,
            client: self.client,
            config: self.config,
            server: self.server,
            now_ms: self.run.turn.now_ms,
            now_us: *self.run.now_us.get_or_insert_with(|| self.clock.unix_us()),
            command: row.full_name,
            publisher: Publisher { registry: self.registry, pending: &mut self.run.publications },
            users: self.users,
            denied: None,
            scripting: None,
        };
        let result = handler(&mut context);
        self.run.database = self.client.database;
        let counters = &self.stats.per_command[row.id];
        counters.calls.add(1);
        if let Err(error) = result {
            reply.truncate(start);
            call::write_error(reply, &error, self.stats);
            counters.failed.add(1);
        }
    }

    fn run_keyed(&mut self, row: &'static Row, args: Args<'_>, route: Route, reply: &mut Reply) -> Result<(), Stop> {
        let (shards, only, hash) = match route {
            Route::Session => unreachable!("it has no keys"),
            Route::Shard { shard, hash } => (1 << shard, Some(shard), hash),
            Route::Shards(shards) => (shards, None, 0),
        };
        self.take(shards)?;
        if row.flags.has(Flags::WRITE) {
            self.prepare_write(row, args)?;
        }
        let mut context = Context {
            args,
            reply,
            keyspaces: Keyspaces::new(&mut self.exchange.boxes, &self.exchange.hasher, only),
            database: self.run.database,
            turn: self.run.turn,
            config: self.config,
            server: self.server,
            first_key: only.map(|_| (row.first_key, hash)).filter(|(at, _)| *at > 0),
            command: row.full_name,
            waiting: Waiting::DeniedToScript,
            wait: None,
        };
        call::run_counted(row, &mut context, self.stats).map_err(|call::Panicked| {
            self.run.panicked = true;
            Stop
        })
    }

    fn dispatch(&mut self, args: Args<'_>, reply: &mut Reply) -> Result<(), Stop> {
        let row = match self.admit(args) {
            Ok(row) => row,
            Err((error, row)) => {
                if let Some(row) = row {
                    self.stats.per_command[row.id].rejected.add(1);
                }
                call::write_error(reply, &error, self.stats);
                return Ok(());
            }
        };
        if let Some(only) = &self.run.only_keys {
            let mut undeclared = matches!(row.command.run, Run::AllShards(_) | Run::OneShard { .. });
            keys::visit_keys(row.command, args, |at| undeclared |= !only.iter().any(|key| **key == *args.get(at)));
            if undeclared {
                const DENIED: &str = "ERR Script attempted to access a key that was not declared (script-undeclared-keys)";
                call::write_error(reply, &CommandError::Text(DENIED), self.stats);
                return Ok(());
            }
        }
        if let Some(lines) = &mut self.run.shown
            && is_shown(row)
        {
            write_line(lines, self.clock.unix_us(), self.run.database, Origin::Script, row, args);
        }
        match route(row, args, &self.exchange.hasher) {
            Route::Session => {
                self.run_session_command(row, args, reply);
                Ok(())
            }
            route => self.run_keyed(row, args, route, reply),
        }
    }
}

impl Host for ScriptHost<'_> {
    fn call(&mut self, arguments: &Arguments, protocol: Protocol, reply: &mut Reply) -> Result<(), Stop> {
        reply.protocol = protocol;
        // The commands of a script are its client's, but in its own protocol.
        let own = std::mem::replace(&mut self.client.protocol, protocol);
        let result = self.dispatch(Args::new(&arguments.buffer, &arguments.ranges, &[]), reply);
        self.client.protocol = own;
        result
    }

    fn may_call(&mut self, arguments: &Arguments) -> Result<bool, Stop> {
        let args = Args::new(&arguments.buffer, &arguments.ranges, &[]);
        let mut row = TABLE.find(args.get(0)).ok_or(Stop)?;
        if let ([_, ..], true) = (row.visible_subcommands(), args.len() > 1) {
            row = row.subcommand(args.get(1)).ok_or(Stop)?;
        }
        Ok(!self.client.is_restricted() || check(self.client.user(), row, args).is_ok())
    }

    fn poll(&mut self) -> Poll {
        if self.running.is_killed() {
            return Poll::Kill(if self.is_function {
                "Script killed by user with FUNCTION KILL..."
            } else {
                "Script killed by user with SCRIPT KILL..."
            });
        }
        let now_ns = self.clock.monotonic_ns();
        if self.began_ns == 0 {
            self.began_ns = now_ns;
        }
        if now_ns - self.began_ns >= self.slice_ns { Poll::Stand } else { Poll::Continue }
    }

    fn log(&mut self, level: LogLevel, line: &[u8]) {
        log_line(level, line);
    }
}
