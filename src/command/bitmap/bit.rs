//! Single bits: SETBIT and GETBIT.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::{bits, string_edit};

use super::{BITMAP, bit_offset};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "setbit",
        arity: 4,
        run: Run::Keyed(setbit),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: spec::KEY_READ_UPDATE,
        since: "2.2.0",
        summary: "Sets or clears a bit of a string value and returns what it was; a string too short is made longer.",
        syntax: "key offset:integer value:integer",
        ..BITMAP
    },
    Command {
        name: "getbit",
        arity: 3,
        run: Run::Keyed(getbit),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        since: "2.2.0",
        summary: "Returns a bit of a string value.",
        syntax: "key offset:integer",
        ..BITMAP
    },
];

fn setbit(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let bit = bit_offset(args, 2, context.config, None)?;
    let is_one = match args.get(3) {
        b"0" => false,
        b"1" => true,
        _ => return Err(CommandError::Text("ERR bit is not an integer or out of range")),
    };
    let (mut key, reply) = context.open(1);
    let bytes = key.raw_string().ok_or(CommandError::WrongType)?;
    let grows = bit / 8 >= bytes.len() as u64;
    if grows {
        string_edit::grow_zeroed(bytes, (bit / 8) as usize + 1);
    }
    let was_one = bits::is_set(bytes, bit);
    bits::assign(bytes, bit, is_one);
    // As since Redis 7.2: a bit that stays what it was is no change.
    key.changed(usize::from(grows || was_one != is_one));
    reply.integer(i64::from(was_one));
    Ok(())
}

fn getbit(context: &mut Context<'_>) -> Result<(), CommandError> {
    let bit = bit_offset(context.args, 2, context.config, None)?;
    let (value, reply) = context.read_string(1);
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    let is_one = match value {
        None => false,
        Some(value) => bits::is_set(value.bytes(&mut scratch).ok_or(CommandError::WrongType)?, bit),
    };
    reply.integer(i64::from(is_one));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const OUT_OF_RANGE: &str = "-ERR bit offset is not an integer or out of range\r\n";
    const NO_BIT: &str = "-ERR bit is not an integer or out of range\r\n";

    #[test]
    fn bits_are_set_cleared_and_returned() {
        check(&[
            ("SETBIT k 7 1", ":0\r\n"),
            ("GET k", "$1\r\n\x01\r\n"),
            ("SETBIT k 7 1", ":1\r\n"),
            ("SETBIT k 7 0", ":1\r\n"),
            ("SETBIT k 15 0", ":0\r\n"),
            ("STRLEN k", ":2\r\n"),
            ("GETBIT k 100", ":0\r\n"),
            ("GETBIT missing 0", ":0\r\n"),
            ("SET n 1", "+OK\r\n"),
            ("GETBIT n 2", ":1\r\n"),
            ("GETBIT n 8", ":0\r\n"),
            ("SETBIT n 6 1", ":0\r\n"),
            ("GET n", "$1\r\n3\r\n"),
            ("OBJECT ENCODING n", "$3\r\nraw\r\n"),
            ("GETBIT n -1", OUT_OF_RANGE),
            ("GETBIT n 4294967296", OUT_OF_RANGE),
            ("GETBIT n 4294967295", ":0\r\n"),
            ("GETBIT n #1", OUT_OF_RANGE),
            ("SETBIT n x 1", OUT_OF_RANGE),
            ("SETBIT n 1 2", NO_BIT),
            ("SETBIT n 1 -1", NO_BIT),
            ("SETBIT n 1 01", NO_BIT),
            ("SETBIT n x y", OUT_OF_RANGE),
            ("SETBIT missing x 1", OUT_OF_RANGE),
            ("EXISTS missing", ":0\r\n"),
        ]);
    }

    #[test]
    fn only_real_changes_count() {
        let mut harness = Harness::new(1);
        for (line, changes) in
            [("SETBIT k 3 1", 1), ("SETBIT k 3 1", 1), ("SETBIT k 4 0", 1), ("SETBIT k 9 0", 2), ("SETBIT k 3 0", 3)]
        {
            harness.run(line);
            assert_eq!(harness.counters().changes, changes, "{line}");
        }
    }

    #[test]
    fn the_limit_is_that_of_strings() {
        let mut harness = Harness::new(1);
        harness.configure("proto-max-bulk-len", "1mb");
        harness.check(&[
            ("SETBIT k 8388608 1", OUT_OF_RANGE),
            ("SETBIT k 8388607 1", ":0\r\n"),
            ("STRLEN k", ":1048576\r\n"),
        ]);
    }
}
