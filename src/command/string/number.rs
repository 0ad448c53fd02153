//! Strings as numbers: INCR, DECR, INCRBY, DECRBY, INCRBYFLOAT.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::keyspace::entry::StringValue;
use crate::keyspace::write::Expiry;
use crate::stdx::long_double::LongDouble;
use crate::stdx::number;

use super::STRING;

/// What the rows of this file have in common.
const COUNTER: Command = Command {
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: spec::KEY_READ_UPDATE,
    ..STRING
};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "incr",
        arity: 2,
        run: Run::Keyed(incr),
        summary: "Adds one to the integer value of a key; a key that does not exist counts as 0.",
        syntax: "key",
        ..COUNTER
    },
    Command {
        name: "decr",
        arity: 2,
        run: Run::Keyed(decr),
        summary: "Subtracts one from the integer value of a key; a key that does not exist counts as 0.",
        syntax: "key",
        ..COUNTER
    },
    Command {
        name: "incrby",
        arity: 3,
        run: Run::Keyed(incrby),
        summary: "Adds a number to the integer value of a key; a key that does not exist counts as 0.",
        syntax: "key increment:integer",
        ..COUNTER
    },
    Command {
        name: "decrby",
        arity: 3,
        run: Run::Keyed(decrby),
        summary: "Subtracts a number from the integer value of a key; a key that does not exist counts as 0.",
        syntax: "key decrement:integer",
        ..COUNTER
    },
    Command {
        name: "incrbyfloat",
        arity: 3,
        run: Run::Keyed(incrbyfloat),
        since: "2.6.0",
        summary: "Adds a number to the floating point value of a key; a key that does not exist counts as 0.",
        syntax: "key increment:double",
        ..COUNTER
    },
];

fn incr(context: &mut Context<'_>) -> Result<(), CommandError> {
    add(context, 1)
}

fn decr(context: &mut Context<'_>) -> Result<(), CommandError> {
    add(context, -1)
}

fn incrby(context: &mut Context<'_>) -> Result<(), CommandError> {
    let by = context.args.integer(2)?;
    add(context, by)
}

fn decrby(context: &mut Context<'_>) -> Result<(), CommandError> {
    let by = context.args.integer(2)?;
    add(context, by.checked_neg().ok_or(CommandError::Text("ERR decrement would overflow"))?)
}

#[inline]
fn add(context: &mut Context<'_>, by: i64) -> Result<(), CommandError> {
    let (mut key, reply) = context.open(1);
    let old = match key.string() {
        Some(StringValue::Integer(integer)) => integer,
        None => 0,
        Some(StringValue::Short(bytes)) => number::parse_i64(bytes).ok_or(CommandError::NotAnInteger)?,
        Some(StringValue::Long(string)) => number::parse_i64(string.as_bytes()).ok_or(CommandError::NotAnInteger)?,
        Some(StringValue::Other) => return Err(CommandError::WrongType),
    };
    let new = old.checked_add(by).ok_or(CommandError::Overflow)?;
    key.set_integer(new, Expiry::Keep);
    reply.integer(new);
    Ok(())
}

fn incrbyfloat(context: &mut Context<'_>) -> Result<(), CommandError> {
    let by = context.args.get(2);
    let (mut key, reply) = context.open(1);
    let old = match key.string() {
        None => Some(LongDouble::ZERO),
        Some(StringValue::Integer(integer)) => Some(LongDouble::from_i64(integer)),
        Some(StringValue::Short(bytes)) => LongDouble::parse(bytes),
        Some(StringValue::Long(string)) => LongDouble::parse(string.as_bytes()),
        Some(StringValue::Other) => return Err(CommandError::WrongType),
    };
    let (Some(old), Some(by)) = (old, LongDouble::parse(by)) else { return Err(CommandError::NotAFloat) };
    let sum = old.add(by);
    if sum.is_nan() || sum.is_infinite() {
        return Err(CommandError::NanOrInfinity);
    }
    let mut text = Vec::with_capacity(64);
    sum.write_human(&mut text);
    key.set_text(&text, Expiry::Keep);
    // Another machine may round differently.
    key.effect("SET", &[&text, b"KEEPTTL"]);
    reply.bulk(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};
    use crate::keyspace::entry::ValueRef;

    const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";
    const NO_FLOAT: &str = "-ERR value is not a valid float\r\n";
    const OVERFLOW: &str = "-ERR increment or decrement would overflow\r\n";

    #[test]
    fn counting() {
        check(&[
            ("INCR n", ":1\r\n"),
            ("INCRBY n 41", ":42\r\n"),
            ("DECR n", ":41\r\n"),
            ("DECRBY n -9", ":50\r\n"),
            ("GET n", "$2\r\n50\r\n"),
            ("INCRBY n 1.5", NO_INTEGER),
            ("INCRBY n 9223372036854775808", NO_INTEGER),
            ("SET n 9223372036854775806", "+OK\r\n"),
            ("INCR n", ":9223372036854775807\r\n"),
            ("INCR n", OVERFLOW),
            ("INCRBY n 9223372036854775807", OVERFLOW),
            ("DECRBY n -1", OVERFLOW),
            ("DECRBY n -9223372036854775808", "-ERR decrement would overflow\r\n"),
            ("SET n -9223372036854775808", "+OK\r\n"),
            ("DECR n", OVERFLOW),
            ("GET n", "$20\r\n-9223372036854775808\r\n"),
            ("INCRBY n 9223372036854775807", ":-1\r\n"),
        ]);
        for text in ["abc", "'12 '", "' 12'", "012", "+12", "-0", "1.0", "''", "9223372036854775808"] {
            check(&[(&format!("SET s {text}"), "+OK\r\n"), ("INCR s", NO_INTEGER)]);
        }
    }

    #[test]
    fn floats() {
        check(&[
            ("INCRBYFLOAT f 1.5", "$3\r\n1.5\r\n"),
            ("INCRBYFLOAT f 1.5", "$1\r\n3\r\n"),
            ("INCR f", ":4\r\n"),
            ("INCRBYFLOAT f 0.1", "$3\r\n4.1\r\n"),
            ("INCR f", NO_INTEGER),
            ("INCRBYFLOAT f nan", NO_FLOAT),
            ("INCRBYFLOAT f ' 1'", NO_FLOAT),
            ("INCRBYFLOAT f inf", "-ERR increment would produce NaN or Infinity\r\n"),
            ("INCRBYFLOAT f -inf", "-ERR increment would produce NaN or Infinity\r\n"),
            ("SET f abc", "+OK\r\n"),
            ("INCRBYFLOAT f 1", NO_FLOAT),
            ("SET f 5.0e3", "+OK\r\n"),
            ("INCRBYFLOAT f 2.0e2", "$4\r\n5200\r\n"),
        ]);
        let mut harness = Harness::new(1);
        harness.run("INCRBYFLOAT f 1");
        let large = harness.run("INCRBYFLOAT f 1e4931");
        assert_eq!(large.len(), "$4932\r\n\r\n".len() + 4932);
        assert_eq!(harness.run("GET f"), large);
    }

    #[test]
    fn counters_are_changed_in_place_and_keep_their_expiry() {
        let mut harness = Harness::new(1);
        harness.run("SET n 5 PX 10");
        for _ in 0..3 {
            harness.run("INCR n");
        }
        harness.look("n", |entry| {
            let entry = entry.expect("the key exists");
            assert!(matches!(entry.value(), ValueRef::Integer(8)));
            assert!(entry.expire_at_ms().is_some());
        });
        harness.run("INCRBYFLOAT n 1");
        harness.look("n", |entry| {
            let entry = entry.expect("the key exists");
            assert!(matches!(entry.value(), ValueRef::Inline(b"9")), "Redis keeps it as text");
            assert!(entry.expire_at_ms().is_some());
        });
        assert_eq!(harness.counters().changes, 5);
        harness.run("INCRBY n x");
        assert_eq!(harness.counters().changes, 5, "an error changes nothing");
    }
}
