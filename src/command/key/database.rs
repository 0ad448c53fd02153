//! Whole databases: KEYS, RANDOMKEY, DBSIZE, FLUSHDB, FLUSHALL, SWAPDB.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::persist::save_now;
use crate::command::spec::{Categories, Command, Flags, Run};
use crate::stats::persistence::SaveKind;
use crate::stdx::glob::Glob;
use crate::stdx::limits::RANDOM_KEY_DRAWS_MAX;

/// The module's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        // 2 in Redis; KEYS alone means all keys.
        name: "keys",
        arity: -1,
        run: Run::AllShards(keys),
        flags: Flags::READONLY,
        categories: Categories::KEYSPACE.and(Categories::DANGEROUS),
        summary: "Returns all keys, or those whose names match a pattern.",
        complexity: "O(N), N keys in the database; O(1) for a pattern without wildcards",
        syntax: "[pattern:pattern]",
        tips: &["request_policy:all_shards", "nondeterministic_output_order"],
        ..super::BASE
    },
    Command {
        name: "randomkey",
        arity: 1,
        run: Run::AllShards(random_key),
        flags: Flags::READONLY,
        summary: "Returns the name of a key, drawn at random.",
        tips: &["request_policy:all_shards", "response_policy:special", "nondeterministic_output"],
        ..super::BASE
    },
    Command {
        name: "dbsize",
        arity: 1,
        run: Run::AllShards(size),
        flags: Flags::READONLY.and(Flags::FAST),
        group: "server",
        summary: "Returns the number of keys in the database.",
        tips: &["request_policy:all_shards", "response_policy:agg_sum"],
        ..super::BASE
    },
    Command {
        name: "flushdb",
        run: Run::AllShards(flush_one),
        summary: "Removes all keys of the database.",
        complexity: "O(1); the memory is freed in slices afterwards, O(N), N keys in the database",
        ..FLUSHES
    },
    Command {
        name: "flushall",
        run: Run::AllShards(flush_all),
        summary: "Removes all keys of all databases.",
        complexity: "O(1); the memory is freed in slices afterwards, O(N), N keys in all databases",
        ..FLUSHES
    },
    Command {
        name: "swapdb",
        arity: 3,
        run: Run::AllShards(swap),
        flags: Flags::WRITE.and(Flags::FAST),
        categories: Categories::KEYSPACE.and(Categories::DANGEROUS),
        group: "server",
        since: "4.0.0",
        summary: "Exchanges two databases: all clients see the other's keys at once.",
        complexity: "O(N), N clients that watch or wait for keys of the two databases",
        syntax: "index1:integer index2:integer",
        ..super::BASE
    },
];

const FLUSHES: Command = Command {
    arity: -1,
    flags: Flags::WRITE,
    categories: Categories::KEYSPACE.and(Categories::DANGEROUS),
    group: "server",
    syntax: "[flush-type(ASYNC@4.0.0 | SYNC@6.2.0)]",
    history: &[("4.0.0", "Takes ASYNC."), ("6.2.0", "Takes SYNC.")],
    tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
    ..super::BASE
};

fn keys(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (database, now_ms) = (context.database, context.turn.now_ms);
    let pattern = match context.args.len() {
        1 => b"*",
        2 => context.args.get(1),
        _ => return Err(CommandError::Arity("keys")),
    };
    let glob = Glob::new(pattern);
    if glob.literal().is_some_and(|literal| literal == pattern) {
        // One key can match, and it is the argument itself.
        let (key, turn) = (context.key(1), context.turn);
        let exists = context.keyspaces.of(&key).peek(database, &key, turn).is_some();
        context.reply.array(usize::from(exists));
        if exists {
            context.reply.bulk(key.bytes);
        }
        return Ok(());
    }
    let everything = glob.is_star();
    let (reply, mut count) = (&mut *context.reply, 0);
    let mark = reply.deferred();
    for (_, keyspace) in context.keyspaces.all() {
        let mut cursor = 0;
        loop {
            cursor = keyspace.scan(database, cursor, |entry| {
                if (everything || glob.matches(entry.key())) && !entry.is_expired(now_ms) {
                    reply.bulk(entry.key());
                    count += 1;
                }
            });
            if cursor == 0 {
                break;
            }
        }
    }
    reply.finish_array(mark, count);
    Ok(())
}

/// Every key of the server is drawn with the same probability: first a shard by its size, then one of its keys; both are
/// drawn again when the key had expired.
fn random_key(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (database, turn) = (context.database, context.turn);
    for _ in 0..RANDOM_KEY_DRAWS_MAX {
        let Some(shard) = draw_shard(context) else { break };
        if let Some(entry) = context.keyspaces.shard(shard).draw(database, turn) {
            context.reply.bulk(entry.key());
            return Ok(());
        }
    }
    context.reply.null();
    Ok(())
}

/// A shard drawn by the number of its keys; none when there are no keys.
fn draw_shard(context: &mut Context<'_>) -> Option<usize> {
    let database = context.database;
    let total = key_count(context);
    let mut left = context.keyspaces.all().next()?.1.random_below(total);
    context.keyspaces.all().find_map(|(shard, keyspace)| {
        let count = keyspace.database(database).len() as u64;
        if left < count {
            return Some(shard);
        }
        left -= count;
        None
    })
}

fn key_count(context: &mut Context<'_>) -> u64 {
    let database = context.database;
    context.keyspaces.all().map(|(_, keyspace)| keyspace.database(database).len() as u64).sum()
}

fn size(context: &mut Context<'_>) -> Result<(), CommandError> {
    let count = key_count(context);
    context.reply.integer(count as i64);
    Ok(())
}

/// Both ways of freeing are one here: what was flushed is freed in slices, and nobody waits for it.
fn check_flush_type(args: Args<'_>) -> Result<(), CommandError> {
    match args.len() {
        1 => Ok(()),
        2 if args.is(1, b"async") || args.is(1, b"sync") => Ok(()),
        _ => Err(CommandError::Syntax),
    }
}

fn flush_one(context: &mut Context<'_>) -> Result<(), CommandError> {
    check_flush_type(context.args)?;
    let now_ms = context.turn.now_ms;
    for (_, keyspace) in context.keyspaces.all() {
        keyspace.flush(context.database, now_ms);
    }
    context.reply.ok();
    Ok(())
}

pub(super) fn flush_all(context: &mut Context<'_>) -> Result<(), CommandError> {
    check_flush_type(context.args)?;
    let now_ms = context.turn.now_ms;
    for (_, keyspace) in context.keyspaces.all() {
        if context.server.saves.running() == SaveKind::Snapshot {
            keyspace.abort_snapshot();
        }
        for database in 0..keyspace.databases_len() as u32 {
            keyspace.flush(database, now_ms);
        }
    }
    if !context.config.save_points().is_empty() {
        // As in Redis: what was flushed shall not come back; a failure has been logged.
        let _ = save_now(&mut context.keyspaces, context.config, context.server, now_ms);
    }
    context.reply.ok();
    Ok(())
}

fn swap(context: &mut Context<'_>) -> Result<(), CommandError> {
    let databases = context.keyspaces.databases_len();
    let index = |at: usize, words: &'static str| {
        let number = context.args.integer(at).ok().and_then(|number| i32::try_from(number).ok());
        number.ok_or(CommandError::Text(words))
    };
    let one = index(1, "ERR invalid first DB index")?;
    let other = index(2, "ERR invalid second DB index")?;
    let in_range = |number: i32| {
        let number = u32::try_from(number).ok().filter(|&number| (number as usize) < databases);
        number.ok_or(CommandError::DatabaseOutOfRange)
    };
    let (one, other) = (in_range(one)?, in_range(other)?);
    let now_ms = context.turn.now_ms;
    for (_, keyspace) in context.keyspaces.all() {
        keyspace.swap_databases(one, other, now_ms);
    }
    if let Some((_, first)) = context.keyspaces.all().next() {
        first.counters.changes += 1;
    }
    context.reply.ok();
    Ok(())
}
