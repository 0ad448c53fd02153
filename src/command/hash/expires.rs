//! Asking when fields expire: HTTL, HPTTL, HEXPIRETIME, HPEXPIRETIME.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::hash::{FieldTime, Hash};

use super::HASH;
use super::expire::{NO_FIELD, NO_TIME, NOT_POSITIVE, Origin, Unit, fields_at};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "httl",
        run: Run::Keyed(|context| expires(context, Unit::Seconds, Origin::Now)),
        summary: "Returns the time to live of fields of a hash in seconds.",
        ..ASKS
    },
    Command {
        name: "hpttl",
        run: Run::Keyed(|context| expires(context, Unit::Milliseconds, Origin::Now)),
        summary: "Returns the time to live of fields of a hash in milliseconds.",
        ..ASKS
    },
    Command {
        name: "hexpiretime",
        run: Run::Keyed(|context| expires(context, Unit::Seconds, Origin::Epoch)),
        summary: "Returns when fields of a hash expire, as Unix times in seconds.",
        ..ASKS
    },
    Command {
        name: "hpexpiretime",
        run: Run::Keyed(|context| expires(context, Unit::Milliseconds, Origin::Epoch)),
        summary: "Returns when fields of a hash expire, as Unix times in milliseconds.",
        ..ASKS
    },
];

const ASKS: Command = Command {
    arity: -5,
    flags: Flags::READONLY.and(Flags::FAST),
    keys: spec::KEY_READ,
    since: "7.4.0",
    complexity: "O(N), N fields named",
    syntax: "key FIELDS fields{numfields:integer field...}",
    ..HASH
};

fn expires(context: &mut Context<'_>, unit: Unit, origin: Origin) -> Result<(), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let base_ms = if origin == Origin::Now { now_ms } else { 0 };
    let (hash, reply) = context.read_collection::<Hash>(1)?;
    let names = fields_at(args, 2, NOT_POSITIVE)?;
    reply.array(names.len());
    for index in names {
        let time = hash.map_or(FieldTime::NoField, |hash| hash.time(args.get(index), now_ms));
        reply.integer(match (time, unit) {
            (FieldTime::NoField, _) => NO_FIELD,
            (FieldTime::Never, _) => NO_TIME,
            (FieldTime::At(at_ms), Unit::Milliseconds) => at_ms - base_ms,
            (FieldTime::At(at_ms), Unit::Seconds) => (at_ms + 999 - base_ms) / 1000,
        });
    }
    Ok(())
}
