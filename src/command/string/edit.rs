//! Editing a string in place: APPEND, SETRANGE.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::keyspace::entry::StringValue;
use crate::keyspace::write::{Expiry, KeyWrite};
use crate::stdx::number;
use crate::value::string_edit;

use super::{STRING, check_length, set_to_argument};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "append",
        arity: 3,
        run: Run::Keyed(append),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: &[spec::one(&["RW", "insert"])],
        since: "2.0.0",
        summary: "Appends to the string value of a key; a key that does not exist is created.",
        complexity: "O(N), N bytes appended; copying the value when it grows is O(1) per byte on average",
        syntax: "key value",
        ..STRING
    },
    Command {
        name: "setrange",
        arity: 4,
        run: Run::Keyed(setrange),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: spec::KEY_UPDATE,
        since: "2.2.0",
        summary: "Overwrites a part of a string value from an offset on; what is missing before it becomes zero bytes.",
        complexity: "O(N), N bytes written",
        syntax: "key offset:integer value",
        ..STRING
    },
];

/// Length of the key's string; none when the key does not exist.
fn length_of(key: &mut KeyWrite<'_>) -> Result<Option<usize>, CommandError> {
    match key.string() {
        None => Ok(None),
        Some(StringValue::Short(bytes)) => Ok(Some(bytes.len())),
        Some(StringValue::Integer(integer)) => Ok(Some(number::signed_digits_count(integer))),
        Some(StringValue::Long(string)) => Ok(Some(string.as_bytes().len())),
        Some(StringValue::Other) => Err(CommandError::WrongType),
    }
}

fn append(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, config) = (context.args, context.config);
    let tail = args.get(2);
    let (mut key, reply) = context.open(1);
    let total = match length_of(&mut key)? {
        None => {
            set_to_argument(&mut key, args, 2, Expiry::Never);
            tail.len()
        }
        Some(len) => {
            let total = check_length(config, len, tail.len())?;
            string_edit::append(key.edit_string().ok_or(CommandError::WrongType)?, tail);
            total
        }
    };
    reply.integer(total as i64);
    Ok(())
}

fn setrange(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, config) = (context.args, context.config);
    let offset = usize::try_from(args.integer(2)?).map_err(|_| CommandError::OffsetOutOfRange)?;
    let piece = args.get(3);
    let (mut key, reply) = context.open(1);
    let len = length_of(&mut key)?.unwrap_or(0);
    if piece.is_empty() {
        reply.integer(len as i64);
        return Ok(());
    }
    let end = check_length(config, offset, piece.len())?;
    string_edit::write_at(key.edit_string().ok_or(CommandError::WrongType)?, offset, piece);
    reply.integer(len.max(end) as i64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};
    use crate::keyspace::entry::ValueRef;

    const TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";

    #[test]
    fn appending_and_overwriting() {
        check(&[
            ("APPEND a \"\"", ":0\r\n"),
            ("GET a", "$0\r\n\r\n"),
            ("APPEND a abc", ":3\r\n"),
            ("APPEND a def", ":6\r\n"),
            ("GET a", "$6\r\nabcdef\r\n"),
            ("SET n 12", "+OK\r\n"),
            ("APPEND n 34", ":4\r\n"),
            ("GET n", "$4\r\n1234\r\n"),
            ("INCR n", ":1235\r\n"),
            ("SETRANGE n 1 x", ":4\r\n"),
            ("GET n", "$4\r\n1x35\r\n"),
            ("SETRANGE m 2 x", ":3\r\n"),
            ("GET m", "$3\r\n\0\0x\r\n"),
            ("SETRANGE missing 5 \"\"", ":0\r\n"),
            ("GET missing", "$-1\r\n"),
            ("SETRANGE a 100 \"\"", ":6\r\n"),
            ("SETRANGE a -1 \"\"", "-ERR offset is out of range\r\n"),
            ("SETRANGE a x y", "-ERR value is not an integer or out of range\r\n"),
        ]);
    }

    #[test]
    fn lengths_are_bounded_without_overflow() {
        check(&[
            ("SETRANGE a 536870911 xx", TOO_LONG),
            ("SETRANGE a 536870912 x", TOO_LONG),
            ("SETRANGE a 9223372036854775807 x", TOO_LONG),
            ("SETRANGE a 9223372036854775807 \"\"", ":0\r\n"),
            ("GET a", "$-1\r\n"),
        ]);
        let mut harness = Harness::new(1);
        harness.configure("proto-max-bulk-len", "1mb");
        harness.check(&[
            ("SETRANGE a 1048575 xx", TOO_LONG),
            ("SETRANGE a 1048575 x", ":1048576\r\n"),
            ("APPEND a x", TOO_LONG),
            ("APPEND a \"\"", ":1048576\r\n"),
            ("GETRANGE a 1048574 1048576", "$2\r\n\0x\r\n"),
        ]);
    }

    #[test]
    fn the_result_is_raw_and_keeps_its_expiry() {
        for edit in ["APPEND k x", "SETRANGE k 0 x"] {
            let mut harness = Harness::new(1);
            harness.run("SET k abc PX 10");
            harness.run(edit);
            harness.look("k", |entry| {
                let entry = entry.expect("the key exists");
                assert!(matches!(entry.value(), ValueRef::Boxed(_)), "{edit}");
                assert!(entry.expire_at_ms().is_some(), "{edit}");
            });
            assert_eq!(harness.counters().changes, 2, "{edit}");
        }
    }

    #[test]
    fn a_large_string_is_edited_where_it_stands() {
        let mut harness = Harness::new(1);
        let large = vec![b'x'; 100_000];
        harness.run_args(&[b"SET", b"k", &large]);
        // The first edit makes room; a read in between shares the buffer, and once its reply is gone it is edited again.
        harness.run("APPEND k y");
        let place = harness.run_for_shared("GET k")[0].as_ptr();
        harness.run("SETRANGE k 5 zzz");
        harness.run("APPEND k y");
        let reply = harness.run_for_shared("GET k");
        assert_eq!(reply[0].as_ptr(), place);
        assert_eq!(&reply[0][3..10], b"xxzzzxx");
        // While a reply is on its way its bytes do not change.
        harness.run("SETRANGE k 5 ###");
        assert_eq!(&reply[0][3..10], b"xxzzzxx");
        assert_eq!(harness.run("GETRANGE k 3 9"), "$7\r\nxx###xx\r\n");
    }
}
