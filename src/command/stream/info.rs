//! XINFO: what is known of a stream, its groups and their consumers.

use crate::command::args::Args;
use crate::command::context::{Context, SessionContext};
use crate::command::error::CommandError;
use crate::command::help::reply_help;
use crate::command::spec::{Categories, Command, Flags, KeySpec, Run, key_at};
use crate::resp::reply::Reply;
use crate::value::stream::group::{Consumer, Group};
use crate::value::stream::log::Log;
use crate::value::stream::{Entry, Stream, StreamId};

use crate::command::help::bad_subcommand;
use super::{STREAM, no_group, reply_entries, reply_entry, reply_id};

const KEY: &[KeySpec] = &[key_at(2, &["RO", "access"])];

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "xinfo",
    arity: -2,
    categories: Categories::NONE,
    summary: "Tells about streams.",
    complexity: "That of the subcommand.",
    subcommands: SUBCOMMANDS,
    ..STREAM
}];

const SUBCOMMANDS: &[Command] = &[
    Command {
        name: "consumers",
        arity: 4,
        run: Run::Keyed(consumers),
        flags: Flags::READONLY,
        keys: KEY,
        summary: "Lists the consumers of a group.",
        complexity: "O(N), N consumers",
        syntax: "key group",
        history: &[("7.2.0", "Field `inactive`; `idle` counts from the last attempt.")],
        tips: &["nondeterministic_output"],
        ..STREAM
    },
    Command {
        name: "groups",
        arity: 3,
        run: Run::Keyed(groups),
        flags: Flags::READONLY,
        keys: KEY,
        summary: "Lists the consumer groups of a stream.",
        complexity: "O(N), N groups",
        syntax: "key",
        history: &[("7.0.0", "Fields `entries-read` and `lag`.")],
        ..STREAM
    },
    Command {
        name: "help",
        arity: 2,
        run: Run::Session(help),
        flags: Flags::LOADING.and(Flags::STALE),
        summary: "Describes the subcommands.",
        ..STREAM
    },
    Command {
        name: "stream",
        arity: -3,
        run: Run::Keyed(stream),
        flags: Flags::READONLY,
        keys: KEY,
        summary: "Tells about a stream.",
        complexity: "O(N), N nodes of the stream, each of which has many entries",
        syntax: "key [full-block{FULL [COUNT count:integer]}]",
        history: &[
            ("6.0.0", "Option `FULL`."),
            (
                "7.0.0",
                "Fields `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read`, `lag`.",
            ),
            ("7.2.0", "Field `active-time`; `seen-time` is that of the last attempt."),
        ],
        ..STREAM
    },
];

fn field_integer(reply: &mut Reply, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

fn field_id(reply: &mut Reply, name: &str, id: StreamId) {
    reply.bulk(name.as_bytes());
    reply_id(reply, id);
}

fn field_text(reply: &mut Reply, name: &str, text: &[u8]) {
    reply.bulk(name.as_bytes());
    reply.bulk(text);
}

fn field_integer_or_null(reply: &mut Reply, name: &str, value: Option<i64>) {
    reply.bulk(name.as_bytes());
    match value {
        Some(value) => reply.integer(value),
        None => reply.null(),
    }
}

fn existing<'c>(context: &'c mut Context<'_>) -> Result<(&'c Stream, &'c mut Reply), CommandError> {
    let (stream, reply) = context.read_collection::<Stream>(2)?;
    Ok((stream.ok_or(CommandError::NoSuchKey)?, reply))
}

fn consumers(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (stream, reply) = existing(context)?;
    let group = stream.group(args.get(3)).ok_or_else(|| no_group(args.get(2), args.get(3)))?;
    reply.array(group.consumers().len());
    for consumer in group.consumers() {
        reply.map(4);
        field_text(reply, "name", consumer.name());
        field_integer(reply, "pending", consumer.pending_count() as i64);
        field_integer(reply, "idle", now_ms.saturating_sub(consumer.seen_ms).max(0));
        let inactive_ms = match consumer.active_ms {
            -1 => -1,
            active_ms => now_ms.wrapping_sub(active_ms),
        };
        field_integer(reply, "inactive", inactive_ms);
    }
    Ok(())
}

fn groups(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (stream, reply) = existing(context)?;
    reply.array(stream.groups().len());
    for group in stream.groups() {
        reply.map(6);
        field_text(reply, "name", group.name());
        field_integer(reply, "consumers", group.consumers().len() as i64);
        field_integer(reply, "pending", group.pending_count() as i64);
        reply_progress(reply, group, stream.log());
    }
    Ok(())
}

/// How far a group has read: three fields.
fn reply_progress(reply: &mut Reply, group: &Group, log: &Log) {
    field_id(reply, "last-delivered-id", group.last_id);
    field_integer_or_null(reply, "entries-read", group.entries_read.map(|read| read as i64));
    field_integer_or_null(reply, "lag", group.lag(log));
}

/// None for the short form, else how much of everything the long form shows.
fn parse_full(args: Args<'_>) -> Result<Option<usize>, CommandError> {
    const COUNT_DEFAULT: i64 = 10;
    let count = match args.len() {
        3 => return Ok(None),
        4 if args.is(3, b"FULL") => COUNT_DEFAULT,
        6 if args.is(3, b"FULL") && args.is(4, b"COUNT") => args.integer(5)?,
        _ => return Err(bad_subcommand(args, "XINFO")),
    };
    Ok(Some(match count {
        ..0 => COUNT_DEFAULT as usize,
        0 => usize::MAX,
        count => count as usize,
    }))
}

fn stream(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (stream, reply) = existing(context)?;
    let full = parse_full(args)?;
    let log = stream.log();
    reply.map(if full.is_some() { 9 } else { 10 });
    field_integer(reply, "length", log.len() as i64);
    field_integer(reply, "radix-tree-keys", log.nodes_count() as i64);
    field_integer(reply, "radix-tree-nodes", radix_tree_nodes(log.nodes().map(|(id, _)| id.to_bytes())) as i64);
    field_id(reply, "last-generated-id", log.last_id());
    field_id(reply, "max-deleted-entry-id", log.max_deleted_id());
    field_integer(reply, "entries-added", log.entries_added() as i64);
    field_id(reply, "recorded-first-entry-id", log.first_id());
    match full {
        Some(count) => {
            reply.bulk(b"entries");
            reply_entries(reply, log.iter().take(count));
            reply.bulk(b"groups");
            reply.array(stream.groups().len());
            stream.groups().for_each(|group| reply_full_group(reply, group, log, count));
        }
        None => {
            field_integer(reply, "groups", stream.groups().len() as i64);
            field_entry(reply, "first-entry", log.iter().next());
            field_entry(reply, "last-entry", log.range_reversed(StreamId::MIN, StreamId::MAX).next());
        }
    }
    Ok(())
}

fn field_entry(reply: &mut Reply, name: &str, entry: Option<Entry<'_>>) {
    reply.bulk(name.as_bytes());
    match entry {
        Some(entry) => reply_entry(reply, &entry),
        None => reply.null(),
    }
}

fn reply_full_group(reply: &mut Reply, group: &Group, log: &Log, count: usize) {
    reply.map(7);
    field_text(reply, "name", group.name());
    reply_progress(reply, group, log);
    field_integer(reply, "pel-count", group.pending_count() as i64);
    reply.bulk(b"pending");
    reply.array(group.pending_count().min(count));
    for (id, pending) in group.all_pending().take(count) {
        reply.array(4);
        reply_id(reply, id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.integer(pending.delivered_ms);
        reply.integer(pending.deliveries as i64);
    }
    reply.bulk(b"consumers");
    reply.array(group.consumers().len());
    group.consumers().for_each(|consumer| reply_full_consumer(reply, group, consumer, count));
}

fn reply_full_consumer(reply: &mut Reply, group: &Group, consumer: &Consumer, count: usize) {
    reply.map(5);
    field_text(reply, "name", consumer.name());
    field_integer(reply, "seen-time", consumer.seen_ms);
    field_integer(reply, "active-time", consumer.active_ms);
    field_integer(reply, "pel-count", consumer.pending_count() as i64);
    reply.bulk(b"pending");
    reply.array(consumer.pending_count().min(count));
    for (id, pending) in consumer.pending_ids().take(count).filter_map(|id| Some((id, group.pending(id)?))) {
        reply.array(3);
        reply_id(reply, id);
        reply.integer(pending.delivered_ms);
        reply.integer(pending.deliveries as i64);
    }
}

/// Nodes of the radix tree in which Redis would keep these keys, which must be in order: a leaf for each key, a node for
/// each place where keys part, and one for each run of bytes between two of those (the byte right behind a parting
/// belongs to the parting).
fn radix_tree_nodes(mut keys: impl Iterator<Item = [u8; 16]>) -> usize {
    const KEY_BYTES: i32 = 16;
    /// Above the root, from where a run begins at byte 0.
    const TOP: i32 = -1;
    let Some(mut last) = keys.next() else { return 1 };
    let with_run = |depth: i32, parent: i32| 1 + usize::from(depth - parent > 1);
    // Where the path to the last key parts, from the root on.
    let mut partings = vec![TOP];
    let mut nodes = 0;
    let close = |partings: &mut Vec<i32>, shared: i32| {
        let mut nodes = 0;
        while let Some(&deepest) = partings.last().filter(|&&deepest| deepest > shared) {
            partings.pop();
            nodes += with_run(deepest, shared.max(partings.last().copied().unwrap_or(TOP)));
        }
        nodes
    };
    for key in keys {
        let shared = last.iter().zip(&key).take_while(|(left, right)| left == right).count() as i32;
        // The last key's leaf hangs from where it parts from its nearer neighbour.
        nodes += with_run(KEY_BYTES, shared.max(partings.last().copied().unwrap_or(TOP)));
        nodes += close(&mut partings, shared);
        if partings.last() != Some(&shared) {
            partings.push(shared);
        }
        last = key;
    }
    nodes += with_run(KEY_BYTES, partings.last().copied().unwrap_or(TOP));
    nodes + close(&mut partings, TOP)
}

const HELP: &[&str] = &[
    "CONSUMERS <key> <groupname>",
    "    Lists the consumers of a group.",
    "GROUPS <key>",
    "    Lists the consumer groups of a stream.",
    "STREAM <key> [FULL [COUNT <count>]",
    "    Tells about a stream.",
];

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "XINFO", HELP);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As stock Redis 7.4 says of streams with one entry per node and these milliseconds.
    #[test]
    fn radix_trees_of_redis() {
        let table: &[(&[u64], usize)] = &[
            (&[], 1),
            (&[1], 2),
            (&[1, 2], 6),
            (&[1, 2, 3], 8),
            (&[1, 256], 6),
            (&[1, 2, 256, 257, 65536], 15),
            (&[1, 1 << 56, 2 << 56], 7),
            (&[1, 2 << 56, (2 << 56) + 1], 9),
        ];
        for (keys, nodes) in table {
            assert_eq!(radix_tree_nodes(keys.iter().map(|ms| StreamId::new(*ms, 0).to_bytes())), *nodes, "{keys:?}");
        }
    }
}
