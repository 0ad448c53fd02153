//! Setting and removing fields: HSET, HMSET, HSETNX, HDEL.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::hash::Hash;

use super::{HASH, names, open, packed_limits};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "hset",
        arity: -4,
        run: Run::Keyed(hset),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        member: 2,
        summary: "Sets fields of a hash, and makes the hash if there is none.",
        complexity: "O(N), N fields set",
        syntax: "key data{field value}...",
        history: &[("4.0.0", "Takes several fields with their values.")],
        ..HASH
    },
    Command {
        name: "hmset",
        arity: -4,
        run: Run::Keyed(hmset),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: spec::KEY_UPDATE,
        member: 2,
        summary: "Sets fields of a hash, and makes the hash if there is none.",
        complexity: "O(N), N fields set",
        syntax: "key data{field value}...",
        deprecated: Some(("4.0.0", "`HSET` with multiple field-value pairs")),
        ..HASH
    },
    Command {
        name: "hsetnx",
        arity: 4,
        run: Run::Keyed(hsetnx),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: &[spec::one(&["RW", "insert"])],
        member: 2,
        summary: "Sets a field of a hash that does not exist yet.",
        syntax: "key field value",
        ..HASH
    },
    Command {
        name: "hdel",
        arity: -3,
        run: Run::Keyed(hdel),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "delete"])],
        member: 2,
        summary: "Removes fields of a hash, and the hash when it has no other.",
        complexity: "O(N), N fields to remove",
        syntax: "key field...",
        history: &[("2.4.0", "Takes several fields.")],
        ..HASH
    },
];

fn hset(context: &mut Context<'_>) -> Result<(), CommandError> {
    let created = set_pairs(context)?;
    context.reply.integer(created);
    Ok(())
}

fn hmset(context: &mut Context<'_>) -> Result<(), CommandError> {
    set_pairs(context)?;
    context.reply.ok();
    Ok(())
}

/// Sets the fields from argument 2 on; returns how many are new.
#[inline]
fn set_pairs(context: &mut Context<'_>) -> Result<i64, CommandError> {
    let (args, limits) = (context.args, packed_limits(context.config));
    if args.len() % 2 == 1 {
        return Err(CommandError::Arity(context.command));
    }
    let (mut key, _) = open(context, names(args, 2, 2))?;
    let hash = key.collection_or(Hash::new)?;
    let pairs = (args.len() - 2) / 2;
    if pairs > 1 {
        let lengths = args.iter_from(2).map(<[u8]>::len);
        let (longest, all) = lengths.fold((0, 0), |(longest, all), len| (longest.max(len), all + len));
        hash.make_room(pairs, longest, all, limits);
    } else {
        hash.make_room(1, 0, 0, limits);
    }
    let mut created = 0;
    for index in names(args, 2, 2) {
        created += i64::from(hash.set(args.get(index), args.get(index + 1), false, limits));
    }
    key.changed(pairs);
    Ok(created)
}

fn hsetnx(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits, now_ms) = (context.args, packed_limits(context.config), context.turn.now_ms);
    let (field, value) = (args.get(2), args.get(3));
    let (mut key, reply) = open(context, names(args, 2, 2))?;
    let exists = key.collection::<Hash>()?.is_some_and(|hash| hash.get(field, now_ms).is_some());
    if !exists {
        let hash = key.collection_or(Hash::new)?;
        hash.make_room(1, 0, 0, limits);
        hash.set(field, value, false, limits);
        key.changed(1);
    }
    reply.integer(i64::from(!exists));
    Ok(())
}

fn hdel(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    // A field whose time has come is removed, and counted, like any other, as in Redis.
    let (mut key, reply) = context.open(1);
    let removed = match key.collection::<Hash>()? {
        Some(hash) => args.iter_from(2).filter(|field| hash.remove(field)).count(),
        None => 0,
    };
    key.changed(removed);
    key.remove_if_empty::<Hash>();
    reply.integer(removed as i64);
    Ok(())
}
