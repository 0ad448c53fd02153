//! Reading fields: HGET, HMGET, HGETALL, HKEYS, HVALS, HLEN, HSTRLEN, HEXISTS.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::hash::Hash;
use crate::value::listpack::Element;

use super::{HASH, names, remove_due, reply_element, reply_element_or_null};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "hget",
        arity: 3,
        run: Run::Keyed(hget),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        member: 2,
        summary: "Returns the value of a field of a hash.",
        syntax: "key field",
        ..HASH
    },
    Command {
        name: "hmget",
        arity: -3,
        run: Run::Keyed(hmget),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        member: 2,
        summary: "Returns the values of fields of a hash.",
        complexity: "O(N), N fields asked for",
        syntax: "key field...",
        ..HASH
    },
    Command {
        name: "hgetall",
        run: Run::Keyed(|context| all(context, true, true)),
        summary: "Returns all fields of a hash with their values.",
        ..WHOLE
    },
    Command {
        name: "hkeys",
        run: Run::Keyed(|context| all(context, true, false)),
        summary: "Returns all fields of a hash.",
        ..WHOLE
    },
    Command {
        name: "hvals",
        run: Run::Keyed(|context| all(context, false, true)),
        summary: "Returns the values of all fields of a hash.",
        ..WHOLE
    },
    Command {
        name: "hlen",
        arity: 2,
        run: Run::Keyed(hlen),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        summary: "Returns the number of fields of a hash.",
        syntax: "key",
        ..HASH
    },
    Command {
        name: "hstrlen",
        arity: 3,
        run: Run::Keyed(|context| measure(context, |value| value.len() as i64)),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        member: 2,
        since: "3.2.0",
        summary: "Returns the length of the value of a field of a hash in bytes.",
        syntax: "key field",
        ..HASH
    },
    Command {
        name: "hexists",
        arity: 3,
        run: Run::Keyed(|context| measure(context, |_| 1)),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        member: 2,
        summary: "Tells whether a hash has a field.",
        syntax: "key field",
        ..HASH
    },
];

const WHOLE: Command = Command {
    arity: 2,
    flags: Flags::READONLY,
    keys: spec::KEY_READ,
    complexity: "O(N), N fields in the hash",
    syntax: "key",
    tips: &["nondeterministic_output_order"],
    ..HASH
};

fn hget(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    let Some(hash) = hash else {
        reply.null();
        return Ok(());
    };
    reply_element_or_null(reply, hash.get(args.get(2), now_ms));
    if hash.is_due(now_ms) {
        remove_due(context, names(args, 2, 1));
    }
    Ok(())
}

fn hmget(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    reply.array(args.len() - 2);
    for field in args.iter_from(2) {
        reply_element_or_null(reply, hash.and_then(|hash| hash.get(field, now_ms)));
    }
    if hash.is_some_and(|hash| hash.is_due(now_ms)) {
        remove_due(context, names(args, 2, 1));
    }
    Ok(())
}

/// HGETALL, HKEYS and HVALS.
fn all(context: &mut Context<'_>, shows_fields: bool, shows_values: bool) -> Result<(), CommandError> {
    let now_ms = context.turn.now_ms;
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    let is_map = shows_fields && shows_values;
    let Some(hash) = hash else {
        if is_map {
            reply.map(0)
        } else {
            reply.array(0)
        }
        return Ok(());
    };
    // How many there are is known in advance unless some of them have expired.
    let deferred = hash.is_due(now_ms).then(|| reply.deferred());
    match deferred {
        None if is_map => reply.map(hash.len()),
        None => reply.array(hash.len()),
        Some(_) => {}
    }
    let mut count = 0;
    hash.iter(now_ms).for_each(|(field, value)| {
        count += 1;
        if shows_fields {
            reply_element(reply, field);
        }
        if shows_values {
            reply_element(reply, value);
        }
    });
    match deferred {
        Some(deferred) if is_map => reply.finish_map(deferred, count),
        Some(deferred) => reply.finish_array(deferred, count),
        None => debug_assert_eq!(count, hash.len()),
    }
    Ok(())
}

fn hlen(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    reply.integer(hash.map_or(0, Hash::len) as i64);
    Ok(())
}

/// Replies with a number about the field at argument 2, 0 when there is none.
fn measure(context: &mut Context<'_>, number: impl Fn(Element<'_>) -> i64) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    reply.integer(hash.and_then(|hash| hash.get(args.get(2), now_ms)).map_or(0, number));
    if hash.is_some_and(|hash| hash.is_due(now_ms)) {
        remove_due(context, names(args, 2, 1));
    }
    Ok(())
}
