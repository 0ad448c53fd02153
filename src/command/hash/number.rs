//! Counters in fields: HINCRBY, HINCRBYFLOAT. A field keeps its time of expiry.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::stdx::long_double::LongDouble;
use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, format_i64, parse_i64};
use crate::value::hash::Hash;
use crate::value::listpack::Element;

use super::{HASH, names, open, packed_limits, record_field};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "hincrby",
        run: Run::Keyed(hincrby),
        summary: "Adds a number to the integer value of a field of a hash; a field that does not exist counts as 0.",
        syntax: "key field increment:integer",
        ..COUNTER
    },
    Command {
        name: "hincrbyfloat",
        run: Run::Keyed(hincrbyfloat),
        since: "2.6.0",
        summary: "Adds a number to the floating point value of a field of a hash; a field that does not exist counts as 0.",
        syntax: "key field increment:double",
        ..COUNTER
    },
];

const COUNTER: Command = Command {
    arity: 4,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: spec::KEY_READ_UPDATE,
    member: 2,
    ..HASH
};

fn hincrby(context: &mut Context<'_>) -> Result<(), CommandError> {
    let by = context.args.integer(3)?;
    let (args, limits, now_ms) = (context.args, packed_limits(context.config), context.turn.now_ms);
    let field = args.get(2);
    let (mut key, reply) = open(context, names(args, 2, 2))?;
    let old = match key.collection::<Hash>()?.and_then(|hash| hash.get(field, now_ms)) {
        None => 0,
        Some(Element::Integer(integer)) => integer,
        Some(Element::Bytes(bytes)) => {
            parse_i64(bytes).ok_or(CommandError::Text("ERR hash value is not an integer"))?
        }
    };
    let new = old.checked_add(by).ok_or(CommandError::Overflow)?;
    let mut digits = [0; INTEGER_TEXT_BYTES_MAX];
    key.collection_or(Hash::new)?.set(field, format_i64(&mut digits, new), true, limits);
    key.changed(1);
    reply.integer(new);
    Ok(())
}

fn hincrbyfloat(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits, now_ms) = (context.args, packed_limits(context.config), context.turn.now_ms);
    let by = LongDouble::parse(args.get(3)).ok_or(CommandError::NotAFloat)?;
    if by.is_infinite() {
        return Err(CommandError::Text("ERR value is NaN or Infinity"));
    }
    let field = args.get(2);
    let (mut key, reply) = open(context, names(args, 2, 2))?;
    let old = match key.collection::<Hash>()?.and_then(|hash| hash.get(field, now_ms)) {
        None => LongDouble::ZERO,
        Some(Element::Integer(integer)) => LongDouble::from_i64(integer),
        Some(Element::Bytes(bytes)) => {
            LongDouble::parse(bytes).ok_or(CommandError::Text("ERR hash value is not a float"))?
        }
    };
    let sum = old.add(by);
    if sum.is_nan() || sum.is_infinite() {
        return Err(CommandError::NanOrInfinity);
    }
    let mut text = Vec::with_capacity(64);
    sum.write_human(&mut text);
    key.collection_or(Hash::new)?.set(field, &text, true, limits);
    key.changed(1);
    record_field(&mut key, field, &text, now_ms);
    reply.bulk(&text);
    Ok(())
}
