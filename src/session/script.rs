//! Scripts of one core's sessions: EVAL, EVALSHA, FCALL. One script runs at a time on a core.
//!
//! A script that runs for long stands still from time to time, with its boxes, so that the core can serve its other clients
//! (BUSY, SCRIPT KILL). It goes on with `resume_script`, which whoever drives the core calls while `has_standing_script`.
//! A script that needs boxes that are out is taken back and begins anew once they were borrowed: see `shard/script`.

use std::sync::Arc;

use crate::acl::User;
use crate::client::{Client, ReplyMode};
use crate::command::persist::writes_refused;
use crate::command::args::Args;
use crate::command::error::CommandError;
use crate::command::script::eval::{BUSY_FUNCTION, BUSY_SCRIPT};
use crate::command::script::request::{FIRST_KEY, key_count};
use crate::command::spec::{Flags, Run, ScriptCall};
use crate::command::table::Row;
use crate::keyspace::{Keyspace, Turn};
use crate::resp::reply::Reply;
use crate::script::engine::Ended;
use crate::script::scripting::Callee;
use crate::script::source::ScriptFlags;
use crate::shard::call;
use crate::shard::exchange::bits;
use crate::shard::record;
use crate::shard::route::{all_shards, route, Route};
use crate::shard::script::{ScriptHost, ScriptRun};
use crate::stats::persistence::SaveFacts;
use crate::stdx::limits::{SCRIPT_MISSES_MAX, SCRIPT_SLICE_FIRST_MS, SCRIPT_SLICE_MS};

use super::core::Core;
use super::state::{Session, SessionKey, Stall};

/// What came of a command whose boxes were in hand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ran {
    /// It is done.
    Done,
    /// It did nothing yet: it needs these shards too.
    Missing(u64),
    /// It stands still and goes on later.
    Standing,
}

/// Where a script's reply goes, and what else its end needs.
struct Caller {
    session: SessionKey,
    row: &'static Row,
    /// As it was before the command.
    reply_mode: ReplyMode,
    discard: bool,
    callee: Callee,
    /// The shards of the keys it declared.
    declared: u64,
    now_ms: i64,
    /// Who runs it, should the session go while it stands still.
    user: Option<Arc<User>>,
}

impl Caller {
    /// A client for a script that goes on without its session.
    fn nobody(&self) -> Client {
        let mut client = Client::new(0, String::new(), String::new(), self.now_ms);
        if let Some(user) = &self.user {
            client.set_user(user.clone());
        }
        client
    }
}

/// A script that stands still, with its boxes.
pub(super) struct Standing {
    caller: Caller,
    run: ScriptRun,
    boxes: Vec<(usize, Box<Keyspace>)>,
    /// Those of them that were borrowed.
    borrowed: u64,
    began_ns: u64,
    said_slow: bool,
}

/// Keys and further arguments of a script.
type Arguments<'a> = (&'a [&'a [u8]], &'a [&'a [u8]]);

/// So many keys and arguments of a script are handed over without a list of their own.
const ARGUMENTS_FEW: usize = 16;

/// How one slice of a script ended.
enum Slice {
    Ended,
    Missing(u64),
    Standing,
}

impl Core {
    /// A script stands still and must be resumed.
    pub fn has_standing_script(&self) -> bool {
        self.standing_script.is_some()
    }

    /// The shards of a request that runs a script, as far as it declares its keys.
    pub(super) fn declared_shards(&self, row: &'static Row, args: Args<'_>) -> u64 {
        match route(row, args, &self.exchange.hasher) {
            Route::Shards(shards) => shards,
            Route::Shard { shard, .. } => 1 << shard,
            Route::Session => 0,
        }
    }

    /// Another script stands still on this core: the session waits for its end.
    pub(super) fn waits_for_script(&mut self, session: &mut Session, row: &Row) -> bool {
        let runs_script = match row.command.run {
            Run::Script(_) => true,
            Run::Transaction(_) => session.transaction_has_script(),
            _ => false,
        };
        if !runs_script || self.standing_script.is_none() {
            return false;
        }
        session.stall = Stall::Operation;
        self.script_queue.push(session.key);
        true
    }

    /// What others get while a script runs for too long.
    #[inline]
    pub(super) fn busy_error(&self, row: &Row) -> Option<CommandError> {
        let is_function = self.shared_scripts.busy()?;
        let text = if is_function { BUSY_FUNCTION } else { BUSY_SCRIPT };
        (!row.flags.has(Flags::ALLOW_BUSY)).then_some(CommandError::Text(text))
    }

    /// Finds what a request is to run, and how many keys it declares, or says why it may not.
    fn prepare_script(
        &mut self,
        call: ScriptCall,
        args: Args<'_>,
        reads_only: bool,
    ) -> Result<(Callee, usize), CommandError> {
        let (callee, keys) = self.find_script(call, args)?;
        if callee.flags.is_declared() && !callee.flags.has_no_writes() {
            // One that says what it does is refused as a whole.
            if reads_only {
                return Err(CommandError::Text("ERR Can not execute a script with write flag using *_ro command."));
            }
            if self.server.saves.alarms() != 0
                && let Some(error) = self.script_refusal(callee.flags)
            {
                return Err(error);
            }
        }
        Ok((callee, keys))
    }

    fn find_script(&mut self, call: ScriptCall, args: Args<'_>) -> Result<(Callee, usize), CommandError> {
        // In Redis' order: a function is looked up before its keys are counted, a script behind it.
        if call == ScriptCall::Function {
            let callee = self.scripting.function(args.get(1)).ok_or(CommandError::Text("ERR Function not found"))?;
            return Ok((callee, key_count(call, args)?));
        }
        const UNKNOWN: CommandError = CommandError::Text("NOSCRIPT No matching script. Please use EVAL.");
        if call == ScriptCall::Digest && args.get(1).len() != 40 {
            return Err(UNKNOWN);
        }
        let key_count = key_count(call, args)?;
        let callee = match call {
            ScriptCall::Digest => self.scripting.script(args.get(1)).map_err(CommandError::Owned)?.ok_or(UNKNOWN)?,
            _ => self.scripting.source(args.get(1)).map_err(CommandError::Owned)?,
        };
        Ok((callee, key_count))
    }

    /// Why a script that says what it does, and may write, cannot run now.
    fn script_refusal(&self, flags: ScriptFlags) -> Option<CommandError> {
        let is_short = self.server.saves.alarms() & SaveFacts::OVER_MEMORY != 0 && !flags.allows_oom();
        writes_refused(&self.server, &self.config).or(is_short.then_some(CommandError::OutOfMemory))
    }

    /// Runs the script of a request whose boxes, of the shards `declared`, are in hand; `stands`: it may stand still.
    pub(super) fn run_script(
        &mut self,
        session: &mut Session,
        row: &'static Row,
        call: ScriptCall,
        args: Args<'_>,
        declared: u64,
        now_ms: i64,
        stands: bool,
    ) -> Ran {
        session.saw_data = true;
        let reply_mode = session.client.reply_mode;
        let discard = session.discards_reply();
        let reads_only = row.flags.has(Flags::READONLY);
        let (callee, keys) = match self.prepare_script(call, args, reads_only) {
            Ok(prepared) => prepared,
            Err(error) => {
                self.fail_script(session, row, args, &error, discard);
                return Ran::Done;
            }
        };
        if callee.misses() >= SCRIPT_MISSES_MAX {
            let lacks = |&shard: &usize| self.exchange.boxes[shard].is_none();
            let missing = bits(all_shards(self.exchange.shards())).filter(lacks).fold(0, |all, shard| all | 1 << shard);
            if missing != 0 {
                session.client.reply_mode = reply_mode;
                return Ran::Missing(missing);
            }
        }
        let turn = Turn { now_ms, touch: !session.client.no_touch, keep_expired: self.server.is_paused(now_ms) };
        let reads_only = reads_only || callee.flags.has_no_writes();
        let mut run = ScriptRun::new(session.client.database, turn, reads_only);
        run.allows_oom = callee.flags.is_declared() && callee.flags.allows_oom();
        run.touched = declared;
        run.shown = self.is_monitored().then(|| self.line_of(session, row, args));
        run.behind = session.remote_shards;
        let caller = Caller { session: session.key, row, reply_mode, discard, callee, declared, now_ms, user: None };
        let (mut few, many);
        let count = args.len() - FIRST_KEY;
        let arguments = if count <= ARGUMENTS_FEW {
            few = [&[][..]; ARGUMENTS_FEW];
            few.iter_mut().zip(args.iter_from(FIRST_KEY)).for_each(|(place, argument)| *place = argument);
            &few[..count]
        } else {
            many = args.iter_from(FIRST_KEY).collect::<Vec<_>>();
            &many[..]
        };
        let (keys, values) = arguments.split_at(keys);
        if self.config.get_word(crate::param!("script-undeclared-keys")) == "deny" {
            run.only_keys = Some(keys.iter().map(|key| (*key).into()).collect());
        }
        self.shared_scripts.running[self.id].begin(now_ms, call == ScriptCall::Function);
        if !session.in_exec {
            record::begin_unit(&mut self.exchange.boxes, declared);
        }
        let slice_ms = if stands { SCRIPT_SLICE_FIRST_MS } else { u64::MAX };
        let slice = self.run_slice(Some(session), &mut run, &caller, Some((keys, values)), slice_ms);
        match slice {
            Slice::Ended => self.ended_script(run),
            Slice::Missing(shards) => Ran::Missing(shards),
            Slice::Standing => {
                let command = (0..args.len()).map(|at| args.get(at).to_vec()).collect();
                self.shared_scripts.running[self.id].describe(caller.callee.name(), command);
                self.stand(Caller { user: Some(session.client.user().clone()), ..caller }, run);
                Ran::Standing
            }
        }
    }

    #[inline]
    fn ended_script(&mut self, run: ScriptRun) -> Ran {
        if let Some(runs) = &mut self.tentative {
            runs.push(run);
        }
        Ran::Done
    }

    /// A request that never came to run its script.
    fn fail_script(&mut self, session: &mut Session, row: &'static Row, args: Args<'_>, error: &CommandError, discard: bool) {
        if self.is_monitored() {
            let line = self.line_of(session, row, args);
            self.shown.push_str(&line);
        }
        let stats = &self.server.cores[self.id];
        stats.per_command[row.id].calls.add(1);
        stats.per_command[row.id].failed.add(1);
        if discard {
            let mut thrown_away = Reply::new(session.client.protocol);
            call::write_error(&mut thrown_away, error, stats);
        } else {
            call::write_error(session.reply(), error, stats);
        }
    }

    /// Runs a script from its beginning (`start`: keys and arguments) or from where it stands, for a while. A session that
    /// is gone lets its script go on without it, as in Redis.
    fn run_slice(
        &mut self,
        mut session: Option<&mut Session>,
        run: &mut ScriptRun,
        caller: &Caller,
        start: Option<Arguments<'_>>,
        slice_ms: u64,
    ) -> Slice {
        let protocol = session.as_ref().map_or(Default::default(), |session| session.client.protocol);
        let mut reply = match &mut session {
            Some(session) => std::mem::replace(session.reply(), Reply::new(protocol)),
            None => Reply::new(protocol),
        };
        reply.protocol = protocol;
        let position = reply.position();
        let client = match &mut session {
            Some(session) => &mut session.client,
            None => &mut caller.nobody(),
        };
        let own_database = std::mem::replace(&mut client.database, run.database);
        let stats = &self.server.cores[self.id];
        let mut host = ScriptHost {
            run: &mut *run,
            exchange: &mut self.exchange,
            registry: &self.registry,
            client: &mut *client,
            config: &self.config,
            server: &self.server,
            users: &self.users,
            stats,
            clock: &self.clock,
            running: &self.shared_scripts.running[self.id],
            is_function: matches!(caller.row.command.run, Run::Script(ScriptCall::Function)),
            slice_ns: slice_ms.saturating_mul(1_000_000),
            began_ns: 0,
        };
        let ended = match start {
            Some((keys, values)) => self.scripting.run(&mut host, &caller.callee, (keys, values), &mut reply),
            None => self.scripting.resume(&mut host, &mut reply),
        };
        client.database = own_database;
        let counters = &stats.per_command[caller.row.id];
        let mut slice = Slice::Ended;
        match ended {
            Ended::Done => counters.calls.add(1),
            Ended::Failed(text, counted) => {
                counters.calls.add(1);
                counters.failed.add(1);
                if counted {
                    reply.error(&text);
                } else {
                    call::write_error(&mut reply, &CommandError::Owned(text), stats);
                }
            }
            Ended::Stopped => {
                reply.truncate(position);
                slice = Slice::Missing(std::mem::take(&mut run.missing));
            }
            Ended::Standing => slice = Slice::Standing,
        }
        if caller.discard {
            reply.truncate(position);
        }
        if let Some(session) = &mut session {
            *session.reply() = reply;
            session.killed |= run.panicked;
        }
        self.after_slice(session, run, caller, slice)
    }

    fn after_slice(
        &mut self,
        session: Option<&mut Session>,
        run: &mut ScriptRun,
        caller: &Caller,
        slice: Slice,
    ) -> Slice {
        if let Slice::Standing = slice {
            return slice;
        }
        self.shared_scripts.running[self.id].end();
        self.shared_scripts.set_busy(self.id, false);
        let is_missing = matches!(slice, Slice::Missing(_)) && !run.panicked;
        if is_missing {
            run.take_back(&mut self.exchange);
            if session.as_ref().is_none_or(|session| !session.in_exec) {
                record::forget_unit(&mut self.exchange.boxes);
            }
            caller.callee.missed();
            self.stats().scripts_anew.add(1);
            if let Some(session) = session {
                session.client.reply_mode = caller.reply_mode;
                if !session.in_exec {
                    self.serve_waiters(caller.now_ms);
                }
            }
            return slice;
        }
        if let Some(lines) = run.shown.take() {
            self.shown.push_str(&lines);
        }
        if let Some(session) = session.as_deref() {
            run.denied.drain(..).for_each(|denied| self.note_denial(session, denied));
        }
        if run.touched == caller.declared {
            caller.callee.kept_to_its_keys();
        }
        self.publications.append(&mut run.publications);
        if session.as_ref().is_none_or(|session| !session.in_exec) {
            record::end_unit(&mut self.exchange.boxes);
            self.serve_waiters(caller.now_ms);
            self.send_publications(session);
        }
        Slice::Ended
    }

    /// Takes the boxes of a script that stands still out of the hand.
    fn stand(&mut self, caller: Caller, run: ScriptRun) {
        let borrowed = self.borrowed_in_hand & run.touched;
        self.borrowed_in_hand &= !borrowed;
        let mut boxes = Vec::new();
        for shard in bits(run.touched) {
            if let Some(keyspace) = self.exchange.boxes[shard].take() {
                boxes.push((shard, keyspace));
            }
        }
        let began_ns = self.clock.monotonic_ns();
        self.standing_script = Some(Box::new(Standing { caller, run, boxes, borrowed, began_ns, said_slow: false }));
    }

    /// Goes on with the script that stands still, for a while.
    pub fn resume_script(&mut self) {
        let Some(mut standing) = self.standing_script.take() else { return };
        self.refresh_config();
        self.refresh_users(None);
        self.end_turn();
        for (shard, keyspace) in standing.boxes.drain(..) {
            self.exchange.boxes[shard] = Some(keyspace);
        }
        let key = standing.caller.session;
        let mut session = self.take_session(key);
        let slice = self.run_slice(session.as_deref_mut(), &mut standing.run, &standing.caller, None, SCRIPT_SLICE_MS);
        if let Slice::Standing = slice {
            if let Some(session) = session {
                self.put_session(session);
            }
            return self.stand_again(standing);
        }
        if let Some(session) = &mut session {
            session.saw_data = true;
            self.gate_by_boxes(session);
        }
        let touched = standing.run.touched;
        let row = standing.caller.row;
        for shard in bits(touched) {
            if standing.borrowed & (1 << shard) != 0 {
                self.exchange.return_borrowed(1 << shard);
            }
        }
        self.end_turn();
        if let Some(mut session) = session {
            match slice {
                Slice::Missing(shards) => {
                    session.needs |= shards;
                    let shards = session.needs | standing.caller.declared;
                    self.borrow_boxes(key, row, shards);
                }
                _ => {
                    session.next += 1;
                    session.stall = Stall::None;
                    session.needs = 0;
                    self.wake(key);
                }
            }
            self.put_session(session);
        }
        for key in std::mem::take(&mut self.script_queue) {
            if let Some(session) = self.session(key) {
                session.stall = Stall::None;
                self.wake(key);
            }
        }
    }

    fn stand_again(&mut self, mut standing: Box<Standing>) {
        for shard in bits(standing.run.touched) {
            if let Some(keyspace) = self.exchange.boxes[shard].take() {
                standing.boxes.push((shard, keyspace));
            }
        }
        self.end_turn();
        let elapsed_ms = (self.clock.monotonic_ns() - standing.began_ns) / 1_000_000;
        if !standing.said_slow && elapsed_ms >= self.config.get_u64(crate::param!("busy-reply-threshold")) {
            standing.said_slow = true;
            self.shared_scripts.set_busy(self.id, true);
            let is_function = matches!(standing.caller.row.command.run, Run::Script(ScriptCall::Function));
            tracing::warn!(
                "Slow script detected: still in execution after {elapsed_ms} milliseconds. You can try killing the script \
                 using the {} command. Script name is: {}.",
                if is_function { "FUNCTION KILL" } else { "SCRIPT KILL" },
                String::from_utf8_lossy(standing.caller.callee.name())
            );
        }
        self.standing_script = Some(standing);
    }
}
