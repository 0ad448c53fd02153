//! The generic family: what concerns keys whatever they hold. Here: removing keys, asking whether they are there, and
//! their types; the other modules have the rest.

pub mod database;
pub mod dialect;
pub mod dump;
pub mod expire;
pub mod object;
pub mod rename;
pub mod scan;

use crate::keyspace::Turn;

use super::context::Context;
use super::error::CommandError;
use super::spec::{self, Categories, Command, Flags, Merge, PartHandler, Run, Scatter};

/// The module's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "del",
        arity: -2,
        run: each_key(remove_one),
        flags: Flags::WRITE,
        keys: spec::KEYS_REMOVE,
        summary: "Removes keys and returns how many there were.",
        complexity: "O(N), N keys; large values are freed in slices afterwards",
        syntax: "key...",
        tips: COUNTED_OVER_SHARDS,
        ..BASE
    },
    Command {
        name: "unlink",
        arity: -2,
        run: each_key(remove_one),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: spec::KEYS_REMOVE,
        since: "4.0.0",
        summary: "Removes keys without waiting until their memory is free.",
        complexity: "O(N), N keys; large values are freed in slices afterwards",
        syntax: "key...",
        tips: COUNTED_OVER_SHARDS,
        ..BASE
    },
    Command {
        name: "exists",
        arity: -2,
        run: each_key(exists_one),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEYS_LOOK,
        summary: "Counts which of the given keys exist; a key given twice counts twice.",
        complexity: "O(N), N keys",
        syntax: "key...",
        history: &[("3.0.3", "Takes several keys.")],
        tips: COUNTED_OVER_SHARDS,
        ..BASE
    },
    Command {
        name: "touch",
        arity: -2,
        run: each_key(touch_one),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEYS_LOOK,
        since: "3.2.1",
        summary: "Marks keys as used just now and returns how many exist.",
        complexity: "O(N), N keys",
        syntax: "key...",
        tips: COUNTED_OVER_SHARDS,
        ..BASE
    },
    Command {
        name: "type",
        arity: 2,
        run: Run::Keyed(type_of),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        summary: "Returns the type of the value of a key.",
        syntax: "key",
        ..BASE
    },
];

/// What the rows of the family share.
const BASE: Command = Command { categories: Categories::KEYSPACE, group: "generic", ..Command::BASE };

/// Tips of the commands whose parts are summed up.
const COUNTED_OVER_SHARDS: &[&str] = &["request_policy:multi_shard", "response_policy:agg_sum"];

const fn each_key(part: PartHandler) -> Run {
    Run::Scatter(Scatter { part, step: 1, merge: Merge::Sum, unless: None })
}

fn remove_one(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    Ok(i64::from(context.write(item).remove()))
}

fn exists_one(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    Ok(i64::from(context.look(item).is_some()))
}

/// TOUCH touches for CLIENT NO-TOUCH too.
fn touch_one(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    let (key, database) = (context.key(item), context.database);
    let turn = Turn { touch: true, ..context.turn };
    Ok(i64::from(context.keyspaces.of(&key).read(database, &key, turn).is_some()))
}

fn type_of(context: &mut Context<'_>) -> Result<(), CommandError> {
    let name = context.look(1).map_or("none", |entry| entry.object_type().name());
    context.reply.simple(name);
    Ok(())
}
