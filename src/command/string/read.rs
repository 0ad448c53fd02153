//! Reading one string: GET, STRLEN, GETRANGE, SUBSTR, and GETEX and GETDEL, which also change when or whether it lives.

use std::ops::Range;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, KeySpec, Run};
use crate::keyspace::entry::StringValue;
use crate::resp::reply::Reply;
use crate::stdx::limits::SHARED_VALUE_BYTES_MIN;
use crate::stdx::number;

use super::options::Lifetime;
use super::{STRING, reply_string, reply_string_or_null};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "get",
        arity: 2,
        run: Run::Keyed(get),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        summary: "Returns the string value of a key.",
        syntax: "key",
        ..STRING
    },
    Command {
        name: "getex",
        arity: -2,
        run: Run::Keyed(getex),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[KeySpec { notes: "RW and UPDATE because it changes the TTL", ..spec::one(&["RW", "access", "update"]) }],
        since: "6.2.0",
        summary: "Returns the string value of a key and sets or removes the key's expiration.",
        syntax: "key [expiration(EX seconds:integer | PX milliseconds:integer | EXAT unix-time-seconds:unix-time | \
                 PXAT unix-time-milliseconds:unix-time | PERSIST)]",
        ..STRING
    },
    Command {
        name: "getdel",
        arity: 2,
        run: Run::Keyed(getdel),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "access", "delete"])],
        since: "6.2.0",
        summary: "Returns the string value of a key and deletes the key.",
        syntax: "key",
        ..STRING
    },
    Command {
        name: "strlen",
        arity: 2,
        run: Run::Keyed(strlen),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        since: "2.2.0",
        summary: "Returns the length of a string value in bytes.",
        syntax: "key",
        ..STRING
    },
    Command {
        name: "getrange",
        arity: 4,
        run: Run::Keyed(getrange),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.4.0",
        summary: "Returns a part of a string value.",
        complexity: "O(N), N bytes returned",
        syntax: "key start:integer end:integer",
        ..STRING
    },
    Command {
        name: "substr",
        arity: 4,
        run: Run::Keyed(getrange),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns a part of a string value.",
        complexity: "O(N), N bytes returned",
        syntax: "key start:integer end:integer",
        deprecated: Some(("2.0.0", "`GETRANGE`")),
        ..STRING
    },
];

fn get(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (value, reply) = context.read_string(1);
    reply_string_or_null(reply, value)
}

fn getex(context: &mut Context<'_>) -> Result<(), CommandError> {
    let lifetime = Lifetime::parse_getex(context.args)?;
    let (args, now_ms, command) = (context.args, context.turn.now_ms, context.command);
    let (mut key, reply) = context.open(1);
    let Some(value) = key.read_string() else {
        reply.null();
        return Ok(());
    };
    // An error below takes the reply back.
    reply_string(reply, value)?;
    match lifetime {
        Lifetime::Until(unit, index) => {
            let at_ms = unit.expire_at_ms(args, index, now_ms, command)?;
            if unit.is_absolute() && at_ms <= now_ms {
                key.remove();
                key.effect("DEL", &[]);
            } else {
                key.set_expiry(Some(at_ms));
                key.effect_number("PEXPIREAT", at_ms);
            }
        }
        Lifetime::Persist if key.entry().is_some_and(|entry| entry.expire_at_ms().is_some()) => {
            key.set_expiry(None);
            key.effect("PERSIST", &[]);
        }
        Lifetime::Unsaid | Lifetime::Keep | Lifetime::Persist => {}
    }
    Ok(())
}

fn getdel(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (mut key, reply) = context.open(1);
    reply_string_or_null(reply, key.read_string())?;
    if key.remove() {
        key.effect("DEL", &[]);
    }
    Ok(())
}

fn strlen(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (value, reply) = context.read_string(1);
    reply.integer(match value {
        None => 0,
        Some(StringValue::Short(bytes)) => bytes.len() as i64,
        Some(StringValue::Integer(integer)) => number::signed_digits_count(integer) as i64,
        Some(StringValue::Long(string)) => string.as_bytes().len() as i64,
        Some(StringValue::Other) => return Err(CommandError::WrongType),
    });
    Ok(())
}

fn getrange(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (start, end) = (context.args.integer(2)?, context.args.integer(3)?);
    let (value, reply) = context.read_string(1);
    match value {
        None => reply.bulk(b""),
        Some(StringValue::Short(bytes)) => reply.bulk(&bytes[part(start, end, bytes.len())]),
        Some(StringValue::Integer(integer)) => {
            let mut digits = [0; number::INTEGER_TEXT_BYTES_MAX];
            let digits = number::format_i64(&mut digits, integer);
            reply.bulk(&digits[part(start, end, digits.len())]);
        }
        Some(StringValue::Long(string)) => {
            let part = part(start, end, string.as_bytes().len());
            if part.len() < SHARED_VALUE_BYTES_MIN {
                reply.bulk(&string.as_bytes()[part]);
            } else {
                reply_shared_part(reply, string.share(), part);
            }
        }
        Some(StringValue::Other) => return Err(CommandError::WrongType),
    }
    Ok(())
}

fn reply_shared_part(reply: &mut Reply, whole: bytes::Bytes, part: Range<usize>) {
    reply.bulk_shared(whole.slice(part));
}

/// The bytes from `start` to `end`, both included and counted from the end when negative, of a string of `len` bytes. Both
/// are moved into the string when they lie before it, as in Redis up to 7.4; 8.0 has an empty part where `end` does.
fn part(start: i64, end: i64, len: usize) -> Range<usize> {
    if len == 0 || (start < 0 && end < 0 && start > end) {
        return 0..0;
    }
    // A string is far shorter than 2^63 bytes, and a negative number plus a length cannot overflow.
    let len = len as i64;
    let place = |index: i64| if index < 0 { (index + len).max(0) } else { index };
    let (start, end) = (place(start), place(end).min(len - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Harness, check};

    #[test]
    fn parts() {
        let table: &[(i64, i64, usize, Range<usize>)] = &[
            (0, -1, 5, 0..5),
            (0, 0, 5, 0..1),
            (-2, -1, 5, 3..5),
            (3, 100, 5, 3..5),
            (5, 5, 5, 0..0),
            (3, 2, 5, 0..0),
            (-1, -2, 5, 0..0),
            (-100, -100, 5, 0..1),
            (-100, -101, 5, 0..0),
            (i64::MIN, i64::MAX, 5, 0..5),
            (i64::MAX, i64::MIN, 5, 0..0),
            (0, -1, 0, 0..0),
        ];
        for (start, end, len, expected) in table {
            assert_eq!(part(*start, *end, *len), *expected, "{start} {end} of {len}");
        }
    }

    #[test]
    fn reads() {
        check(&[
            ("SET s hello", "+OK\r\n"),
            ("SET n 12345", "+OK\r\n"),
            ("GET s", "$5\r\nhello\r\n"),
            ("GET n", "$5\r\n12345\r\n"),
            ("GET missing", "$-1\r\n"),
            ("GET", "-ERR wrong number of arguments for 'get' command\r\n"),
            ("STRLEN s", ":5\r\n"),
            ("STRLEN n", ":5\r\n"),
            ("STRLEN missing", ":0\r\n"),
            ("GETRANGE n 1 -2", "$3\r\n234\r\n"),
            ("GETRANGE s x 1", "-ERR value is not an integer or out of range\r\n"),
            ("SUBSTR s -3 -1", "$3\r\nllo\r\n"),
            ("GETDEL n", "$5\r\n12345\r\n"),
            ("GETDEL n", "$-1\r\n"),
        ]);
    }

    #[test]
    fn getex_sets_removes_and_passes_expiries() {
        check(&[
            ("GETEX k EX 0", "$-1\r\n"),
            ("GETEX k BOGUS", "-ERR syntax error\r\n"),
            ("SET k v", "+OK\r\n"),
            ("GETEX k EX 0", "-ERR invalid expire time in 'getex' command\r\n"),
            ("GETEX k EX", "-ERR syntax error\r\n"),
            ("GETEX k EX 1 PX 1", "-ERR syntax error\r\n"),
            ("GETEX k PERSIST EX 1", "-ERR syntax error\r\n"),
            ("GETEX k KEEPTTL", "-ERR syntax error\r\n"),
            ("GETEX k PX 1", "$1\r\nv\r\n"),
            ("GETEX k PERSIST", "$1\r\nv\r\n"),
            ("GETEX k EXAT 1", "$1\r\nv\r\n"),
            ("GET k", "$-1\r\n"),
        ]);
        let mut harness = Harness::new(1);
        harness.check(&[("SET k v", "+OK\r\n"), ("GETEX k PX 10", "$1\r\nv\r\n")]);
        harness.now_ms += 9;
        harness.check(&[("GETEX k", "$1\r\nv\r\n")]);
        harness.now_ms += 1;
        harness.check(&[("GETEX k", "$-1\r\n")]);
    }

    #[test]
    fn what_is_read_counts_and_what_does_not_change_does_not() {
        let mut harness = Harness::new(1);
        harness.run("SET k v");
        let changes = harness.counters().changes;
        for command in ["GET k", "GETEX k", "GETEX k PERSIST", "STRLEN k", "GETRANGE k 0 1", "MGET k"] {
            harness.run(command);
        }
        for command in ["GET m", "GETDEL m", "GETEX m", "STRLEN m", "GETRANGE m 0 1"] {
            harness.run(command);
        }
        let counters = harness.counters();
        assert_eq!((counters.hits, counters.misses, counters.changes), (6, 5, changes));
        harness.run("GETDEL k");
        assert_eq!(harness.counters().changes, changes + 1);
    }

    #[test]
    fn large_strings_are_not_copied() {
        let mut harness = Harness::new(1);
        let large = vec![b'x'; 100_000];
        harness.run_args(&[b"SET", b"k", &large]);
        let replies: Vec<_> = ["GET k", "GETRANGE k 10 99999", "MGET k", "GETDEL k"]
            .map(|command| harness.run_for_shared(command))
            .into_iter()
            .flatten()
            .collect();
        let place = replies[0].as_ptr();
        assert_eq!(replies.len(), 4);
        for (reply, offset) in replies.iter().zip([0, 10, 0, 0]) {
            assert_eq!(reply.as_ptr(), place.wrapping_add(offset));
        }
        assert_eq!(harness.run("GET k"), "$-1\r\n");
    }
}
