//! BITOP: a string from several others, bit by bit.
//!
//! DIFF, DIFF1, ANDOR and ONE are those of Redis 8.2 (its manual's page on BITOP).

use std::borrow::Cow;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{BeginSearch, Command, FindKeys, Flags, KeySpec, Run, key_at};
use crate::keyspace::entry::ValueRef;
use crate::keyspace::write::Expiry;
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};
use crate::value::bits::{self, Operation};
use crate::value::object::{LongString, Value};

use super::BITMAP;

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "bitop",
    arity: -4,
    run: Run::Keyed(bitop),
    flags: Flags::WRITE.and(Flags::DENYOOM),
    keys: &[
        key_at(2, &["OW", "update"]),
        KeySpec {
            flags: &["RO", "access"],
            begin: BeginSearch::Index(FIRST_SOURCE),
            find: FindKeys::Range { last: -1, step: 1, limit: 0 },
            notes: "",
        },
    ],
    since: "2.6.0",
    summary: "Combines string values bit by bit and stores the result.",
    complexity: "O(N), N bytes of all strings",
    syntax: "operation(AND | OR | XOR | NOT | DIFF@8.2.0 | DIFF1@8.2.0 | ANDOR@8.2.0 | ONE@8.2.0) destkey:key key...",
    history: &[("8.2.0", "Takes `DIFF`, `DIFF1`, `ANDOR` and `ONE`.")],
    ..BITMAP
}];

/// The first of the sources, X.
const FIRST_SOURCE: usize = 3;

const OPERATIONS: &[(&[u8], Operation)] = &[
    (b"and", Operation::And),
    (b"or", Operation::Or),
    (b"xor", Operation::Xor),
    (b"not", Operation::Not),
    (b"diff", Operation::Diff),
    (b"diff1", Operation::Diff1),
    (b"andor", Operation::AndOr),
    (b"one", Operation::One),
];

fn bitop(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, database, turn) = (context.args, context.database, context.turn);
    let operation = OPERATIONS.iter().find(|(name, _)| args.is(1, name)).map(|&(_, operation)| operation);
    let operation = operation.ok_or(CommandError::Syntax)?;
    let sources = args.len() - FIRST_SOURCE;
    match operation {
        Operation::Not if sources != 1 => {
            return Err(CommandError::Text("ERR BITOP NOT must be called with a single source key."));
        }
        Operation::Diff | Operation::Diff1 | Operation::AndOr if sources < 2 => {
            let name = args.get(1).to_ascii_uppercase();
            return Err(CommandError::quoting("ERR BITOP ", &name, " must be called with at least two source keys."));
        }
        _ => {}
    }
    let mut len = 0;
    for index in FIRST_SOURCE..args.len() {
        let key = context.key(index);
        if let Some(entry) = context.keyspace(&key).read(database, &key, turn) {
            len = len.max(entry.string_len().ok_or(CommandError::WrongType)?);
        }
    }
    if len == 0 {
        context.write(2).remove();
    } else {
        let result = combined(context, operation);
        context.write(2).set_value(LongString::Private(result).boxed(), Expiry::Never);
    }
    context.reply.integer(len as i64);
    Ok(())
}

/// The combination of all sources, which were looked at and are strings.
fn combined(context: &Context<'_>, operation: Operation) -> Vec<u8> {
    let mut texts: Vec<Cow<'_, [u8]>> = Vec::with_capacity(context.args.len() - FIRST_SOURCE);
    for index in FIRST_SOURCE..context.args.len() {
        let entry = context.keyspaces.find(context.database, &context.key(index));
        texts.push(match entry.map(|entry| entry.value()) {
            Some(ValueRef::Inline(bytes)) => bytes.into(),
            Some(ValueRef::Integer(integer)) => {
                number::format_i64(&mut [0; INTEGER_TEXT_BYTES_MAX], integer).to_vec().into()
            }
            Some(ValueRef::Boxed(Value::String(string))) => string.as_bytes().into(),
            Some(ValueRef::Boxed(_)) | None => Cow::default(),
        });
    }
    let sources: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
    bits::combine(operation, &sources)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn operations() {
        check(&[
            ("MSET a \"\\x0f\\xff\" b \"\\x3c\" c \"\\x01\"", "+OK\r\n"),
            ("BITOP AND d a b", ":2\r\n"),
            ("GET d", "$2\r\n\x0c\0\r\n"),
            ("BITOP or d b c", ":1\r\n"),
            ("GET d", "$1\r\n=\r\n"),
            ("BITOP XOR d b c b", ":1\r\n"),
            ("GET d", "$1\r\n\x01\r\n"),
            ("BITOP NOT d missing", ":0\r\n"),
            ("EXISTS d", ":0\r\n"),
            ("BITOP AND d a missing", ":2\r\n"),
            ("GET d", "$2\r\n\0\0\r\n"),
            ("BITOP DIFF d b c a", ":2\r\n"),
            ("GET d", "$2\r\n0\0\r\n"),
            ("BITOP DIFF1 d a b c", ":2\r\n"),
            ("GET d", "$2\r\n0\0\r\n"),
            ("BITOP ANDOR d b c a", ":2\r\n"),
            ("GET d", "$2\r\n\x0c\0\r\n"),
            ("BITOP ONE d b c b", ":1\r\n"),
            ("GET d", "$1\r\n\x01\r\n"),
            ("BITOP XOR b b b", ":1\r\n"),
            ("GET b", "$1\r\n\0\r\n"),
            ("OBJECT ENCODING b", "$3\r\nraw\r\n"),
            ("SET n 12", "+OK\r\n"),
            ("BITOP OR n n", ":2\r\n"),
            ("GET n", "$2\r\n12\r\n"),
            ("BITOP NOT d a b", "-ERR BITOP NOT must be called with a single source key.\r\n"),
            ("BITOP diff1 d a", "-ERR BITOP DIFF1 must be called with at least two source keys.\r\n"),
            ("BITOP NAND d a b", "-ERR syntax error\r\n"),
            ("BITOP AND d", "-ERR wrong number of arguments for 'bitop' command\r\n"),
        ]);
    }

    #[test]
    fn the_result_forgets_the_expiry_and_counts_once() {
        let mut harness = Harness::new(1);
        harness.run("SET d x PX 10");
        harness.run("BITOP NOT d d");
        assert!(harness.look("d", |entry| entry.expect("stored").expire_at_ms().is_none()));
        harness.run("BITOP OR missing nothing");
        assert_eq!(harness.counters().changes, 2);
        assert_eq!((harness.counters().hits, harness.counters().misses), (1, 1));
    }
}
