//! The string family.

use crate::keyspace::entry::{Entry, ValueRef};
use crate::keyspace::write::Expiry;
use crate::resp::reply::Reply;
use crate::value::object::Value;

use super::context::Context;
use super::error::CommandError;
use super::spec::{self, Categories, Command, Flags, Merge, Run, Scatter};

/// The family's rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "get",
        arity: 2,
        run: Run::Keyed(get),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Categories::STRING,
        keys: spec::KEY_READ,
        group: "string",
        summary: "Returns the string value of a key.",
        syntax: "key",
        ..Command::BASE
    },
    Command {
        name: "set",
        arity: -3,
        run: Run::Keyed(set),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Categories::STRING,
        keys: spec::KEY_READ_UPDATE,
        group: "string",
        summary: "Sets the string value of a key.",
        syntax: "key value",
        ..Command::BASE
    },
    Command {
        name: "mget",
        arity: -2,
        run: Run::Scatter(Scatter { part: mget_one, step: 1, merge: Merge::Array, unless: None }),
        flags: Flags::READONLY.and(Flags::FAST),
        categories: Categories::STRING,
        keys: spec::KEYS_READ,
        group: "string",
        summary: "Returns the string values of several keys.",
        syntax: "key [key ...]",
        ..Command::BASE
    },
    Command {
        name: "mset",
        arity: -3,
        run: Run::Scatter(Scatter { part: mset_one, step: 2, merge: Merge::Ok, unless: None }),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        categories: Categories::STRING,
        keys: spec::KEYS_OVERWRITE_PAIRS,
        group: "string",
        summary: "Sets several keys to their string values.",
        syntax: "key value [key value ...]",
        ..Command::BASE
    },
];

/// Replies with a string value; other types are an error.
pub fn reply_string(reply: &mut Reply, entry: &Entry<'_>) -> Result<(), CommandError> {
    match entry.value() {
        ValueRef::Inline(bytes) => reply.bulk(bytes),
        ValueRef::Integer(integer) => reply.bulk_integer(integer),
        ValueRef::Boxed(Value::String(string)) => reply.bulk(string.as_bytes()),
    }
    Ok(())
}

fn get(context: &mut Context<'_>) -> Result<(), CommandError> {
    let key = context.key(1);
    let (database, turn) = (context.database, context.turn);
    match context.keyspaces.of(&key).read(database, &key, turn) {
        Some(entry) => reply_string(context.reply, &entry),
        None => {
            context.reply.null();
            Ok(())
        }
    }
}

fn set(context: &mut Context<'_>) -> Result<(), CommandError> {
    let value = context.args.get(2);
    let shared = context.args.shared(2).cloned();
    let mut key = context.write(1);
    match shared {
        Some(bytes) => key.set_shared(bytes, Expiry::Never),
        None => key.set_string(value, Expiry::Never),
    }
    drop(key);
    context.reply.ok();
    Ok(())
}

fn mget_one(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    let key = context.key(item);
    let (database, turn) = (context.database, context.turn);
    match context.keyspaces.of(&key).read(database, &key, turn) {
        Some(entry) => reply_string(context.reply, &entry).unwrap_or_else(|_| context.reply.null()),
        None => context.reply.null(),
    }
    Ok(0)
}

fn mset_one(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    let value = context.args.get(item + 1);
    context.write(item).set_string(value, Expiry::Never);
    Ok(0)
}
