//! SAVE, BGSAVE, LASTSAVE, and what other commands do with the snapshot file: DEBUG RELOAD, FLUSHALL.
//!
//! SAVE writes the file where it runs, with all boxes in hand, for nobody is to change anything meanwhile; so do the others
//! here. BGSAVE is done by the session and the cores (`session/jobs.rs`).

use std::io;
use std::sync::atomic::Ordering::Relaxed;

use super::context::{Context, Keyspaces, SessionContext};
use super::error::CommandError;
use super::load_limits::load_limits;
use super::request::ControlRequest;
use super::spec::{Categories, Command, Flags, Run};
use crate::config::Config;
use crate::keyspace::Keyspace;
use crate::persist::rdb::load::{self, LoadOptions, LoadReport};
use crate::persist::rdb::output::SaveOptions;
use crate::persist::rdb::save;
use crate::script::source::split_library;
use crate::stats::persistence::{SaveFacts, SaveKind};
use crate::stats::server::ServerFacts;

/// The family's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "save",
        arity: 1,
        run: Run::AllShards(save_command),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING).and(Flags::NO_MULTI),
        summary: "Writes a snapshot; everybody waits meanwhile.",
        complexity: "O(N), N keys in all databases",
        ..Command::BASE
    },
    Command {
        name: "bgsave",
        arity: -1,
        run: Run::Control(bgsave),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING),
        summary: "Writes a snapshot of this moment while commands go on.",
        complexity: "O(1)",
        syntax: "[SCHEDULE]@3.2.2",
        history: &[("3.2.2", "Takes the option `SCHEDULE`.")],
        ..Command::BASE
    },
    Command {
        name: "bgrewriteaof",
        arity: 1,
        run: Run::Control(|_| Ok(ControlRequest::RewriteLog)),
        flags: Flags::ADMIN.and(Flags::NOSCRIPT).and(Flags::NO_ASYNC_LOADING),
        summary: "Writes the append-only log anew, as short as it can be, while commands go on.",
        complexity: "O(1)",
        ..Command::BASE
    },
    Command {
        name: "lastsave",
        arity: 1,
        run: Run::Session(lastsave),
        flags: Flags::LOADING.and(Flags::STALE).and(Flags::FAST),
        categories: Categories::ADMIN.and(Categories::DANGEROUS),
        summary: "Returns the Unix time of the last snapshot.",
        tips: &["nondeterministic_output"],
        ..Command::BASE
    },
];

/// What is refused while a snapshot is being made.
pub const SAVING: CommandError = CommandError::Text("ERR Background save already in progress");
/// Redis' reply when a file could not be written; the log says why.
const FAILED: CommandError = CommandError::Text("ERR");

const SNAPSHOT_FAILED: &str = "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to \
disk. Commands that may modify the data set are disabled, because this instance is configured to report errors during writes \
if RDB snapshotting fails (stop-writes-on-bgsave-error option). Please check the Redis logs for details about the RDB error.";

/// Why nothing may be changed now: what was changed last could not be kept.
#[cold]
pub fn writes_refused(server: &ServerFacts, config: &Config) -> Option<CommandError> {
    let alarms = server.saves.alarms();
    if alarms & SaveFacts::SNAPSHOT_FAILED != 0
        && config.get_bool(crate::param!("stop-writes-on-bgsave-error"))
        && !config.save_points().is_empty()
    {
        return Some(CommandError::Text(SNAPSHOT_FAILED));
    }
    if alarms & SaveFacts::LOG_FAILED != 0 {
        let reason = io::Error::from_raw_os_error(server.log.failure().unwrap_or_default()).to_string();
        let reason = reason.split(" (os error").next().unwrap_or_default();
        let text = ["MISCONF Errors writing to the AOF file: ", reason].concat();
        return Some(CommandError::Owned(text.into_bytes()));
    }
    None
}

fn save_command(context: &mut Context<'_>) -> Result<(), CommandError> {
    if context.server.saves.running() == SaveKind::Snapshot {
        return Err(SAVING);
    }
    let now_ms = context.turn.now_ms;
    save_now(&mut context.keyspaces, context.config, context.server, now_ms).map_err(|_| FAILED)?;
    context.server.saves.saves.fetch_add(1, Relaxed);
    context.reply.ok();
    Ok(())
}

fn bgsave(context: &mut SessionContext<'_>) -> Result<ControlRequest, CommandError> {
    match context.args.len() {
        1 => Ok(ControlRequest::Snapshot { schedule: false }),
        2 if context.args.is(1, b"schedule") => Ok(ControlRequest::Snapshot { schedule: true }),
        _ => Err(CommandError::Syntax),
    }
}

fn lastsave(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    context.reply.integer(context.server.saves.last_save_s.load(Relaxed));
    Ok(())
}

/// Writes the snapshot file while all boxes are in hand.
pub fn save_now(keyspaces: &mut Keyspaces<'_>, config: &Config, server: &ServerFacts, now_ms: i64) -> io::Result<()> {
    let all: Vec<&Keyspace> = keyspaces.all().map(|(_, keyspace)| &*keyspace).collect();
    save::save(&all, &SaveOptions::new(config, false, now_ms).with_functions(server.scripts.sources()))?;
    server.saves.saved(now_ms, all.iter().map(|keyspace| keyspace.counters.changes).sum());
    tracing::info!("DB saved on disk");
    Ok(())
}

/// DEBUG RELOAD: saves, empties and loads, as far as the options want it.
pub(super) fn reload(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut saves, mut flushes, mut replaces) = (true, true, false);
    for at in 2..args.len() {
        if args.is(at, b"merge") {
            replaces = true;
        } else if args.is(at, b"noflush") {
            flushes = false;
        } else if args.is(at, b"nosave") {
            saves = false;
        } else {
            return Err(CommandError::Text("ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options."));
        }
    }
    let now_ms = context.turn.now_ms;
    if saves {
        save_now(&mut context.keyspaces, context.config, context.server, now_ms).map_err(|_| FAILED)?;
    }
    if flushes {
        empty(&mut context.keyspaces, now_ms);
    }
    load_now(context, replaces, flushes)?;
    tracing::info!("DB reloaded by DEBUG RELOAD");
    context.reply.ok();
    Ok(())
}

/// Empties all databases without that being a change.
pub fn empty(keyspaces: &mut Keyspaces<'_>, now_ms: i64) {
    for (_, keyspace) in keyspaces.all() {
        let changes = keyspace.counters.changes;
        for database in 0..keyspace.databases_len() as u32 {
            keyspace.flush(database, now_ms);
        }
        keyspace.counters.changes = changes;
    }
}

fn load_now(context: &mut Context<'_>, replaces: bool, flushed: bool) -> Result<(), CommandError> {
    const FAILED: CommandError = CommandError::Text("ERR Error trying to load the RDB dump, check server logs.");
    let (config, server) = (context.config, context.server);
    let limits = load_limits(config, server);
    let options = LoadOptions { replaces, ..LoadOptions::new(config, limits, context.turn.now_ms) };
    let path = SaveOptions::new(config, false, context.turn.now_ms).path;
    let (boxes, hasher) = context.keyspaces.boxes();
    let mut all: Vec<&mut Keyspace> = boxes.iter_mut().filter_map(|slot| slot.as_deref_mut()).collect();
    let report = load::load_path(&path, &mut all, hasher, &options).map_err(|error| {
        tracing::warn!("{}: {error}", path.display());
        FAILED
    })?;
    loaded(&report, server);
    let mut libraries = if flushed { Vec::new() } else { server.scripts.sources() };
    for source in report.functions {
        let name = |source: &[u8]| split_library(source).ok().map(|(name, _)| name);
        let count = libraries.len();
        libraries.retain(|other| name(other) != name(&source));
        if libraries.len() != count && !replaces {
            tracing::warn!("Failed loading a library from a file: it is there already");
            return Err(FAILED);
        }
        libraries.push(source);
    }
    server.scripts.load(libraries);
    Ok(())
}

/// Says what a load came to, in INFO and the log.
pub fn loaded(report: &LoadReport, server: &ServerFacts) {
    server.saves.last_load_keys.store(report.keys, Relaxed);
    server.saves.last_load_expired.store(report.expired, Relaxed);
    let LoadReport { keys, expired, empty, .. } = report;
    if *empty > 0 {
        tracing::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}, empty keys skipped: {empty}.");
    } else {
        tracing::info!("Done loading RDB, keys loaded: {keys}, keys expired: {expired}.");
    }
}
