//! Whole strings or parts of them: BITCOUNT and BITPOS.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::bits;

use super::BITMAP;

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "bitcount",
        arity: -2,
        run: Run::Keyed(bitcount),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.6.0",
        summary: "Counts the bits that are set in a string value or in a part of it.",
        complexity: "O(N), N bytes of the part",
        syntax: "key [range{start:integer end:integer [unit(BYTE | BIT)]@7.0.0}]",
        history: &[("7.0.0", "Takes `BYTE` and `BIT`.")],
        ..BITMAP
    },
    Command {
        name: "bitpos",
        arity: -3,
        run: Run::Keyed(bitpos),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.8.7",
        summary: "Finds the first bit that is one, or the first that is zero, in a string value or in a part of it.",
        complexity: "O(N), N bytes of the part",
        syntax: "key bit:integer [range{start:integer [end-unit-block{end:integer [unit(BYTE | BIT)]@7.0.0}]}]",
        history: &[("7.0.0", "Takes `BYTE` and `BIT`.")],
        ..BITMAP
    },
];

/// What a range counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    /// BYTE or BIT at an argument that need not be there.
    fn parse(args: Args<'_>, index: usize) -> Result<Unit, CommandError> {
        match index < args.len() {
            false => Ok(Unit::Byte),
            true if args.is(index, b"bit") => Ok(Unit::Bit),
            true if args.is(index, b"byte") => Ok(Unit::Byte),
            true => Err(CommandError::Syntax),
        }
    }

    /// The first and the last bit of a range in a string of `len` bytes. Places are counted from the end when negative, and
    /// moved into the string when they lie before it. None when the range is empty.
    fn bits(self, start: i64, end: i64, len: usize) -> Option<(u64, u64)> {
        let size = if self == Unit::Bit { 1 } else { 8 };
        // A string is far shorter than 2^60 bytes, and a negative number plus a length cannot overflow.
        let places = len as i64 * 8 / size;
        let place = |index: i64| if index < 0 { (index + places).max(0) } else { index };
        let (start, end) = (place(start), place(end).min(places - 1));
        (start <= end).then(|| ((start * size) as u64, (end * size + size - 1) as u64))
    }
}

fn bitcount(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    // As since Redis 7.2: arguments are checked before the key is looked at.
    let (start, end, unit) = match args.len() {
        2 => (0, -1, Unit::Byte),
        4 | 5 => (args.integer(2)?, args.integer(3)?, Unit::parse(args, 4)?),
        _ => return Err(CommandError::Syntax),
    };
    let (value, reply) = context.read_string(1);
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    let bytes = match &value {
        None => &[],
        Some(value) => value.bytes(&mut scratch).ok_or(CommandError::WrongType)?,
    };
    let is_reversed = start < 0 && end < 0 && start > end;
    let count = match unit.bits(start, end, bytes.len()) {
        Some((first, last)) if !is_reversed => bits::count_between(bytes, first, last),
        _ => 0,
    };
    reply.integer(count as i64);
    Ok(())
}

fn bitpos(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let is_one = match args.integer(2)? {
        0 => false,
        1 => true,
        _ => return Err(CommandError::Text("ERR The bit argument must be 1 or 0.")),
    };
    if args.len() > 6 {
        return Err(CommandError::Syntax);
    }
    let start = if args.len() > 3 { args.integer(3)? } else { 0 };
    let unit = Unit::parse(args, 5)?;
    let end = if args.len() > 4 { Some(args.integer(4)?) } else { None };
    let (value, reply) = context.read_string(1);
    let Some(value) = value else {
        // As if it were an endless string of zeros.
        reply.integer(if is_one { -1 } else { 0 });
        return Ok(());
    };
    let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
    let bytes = value.bytes(&mut scratch).ok_or(CommandError::WrongType)?;
    let found = match unit.bits(start, end.unwrap_or(-1), bytes.len()) {
        None => None,
        Some((first, last)) => match bits::find_between(bytes, is_one, first, last) {
            // Behind the string there are zeros, unless the range says that it ends before.
            None if !is_one && end.is_none() => Some(bytes.len() as u64 * 8),
            found => found,
        },
    };
    reply.integer(found.map_or(-1, |bit| bit as i64));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::check;

    #[test]
    fn ranges() {
        let table: &[(Unit, i64, i64, usize, Option<(u64, u64)>)] = &[
            (Unit::Byte, 0, -1, 3, Some((0, 23))),
            (Unit::Byte, 1, 1, 3, Some((8, 15))),
            (Unit::Byte, -100, -200, 3, Some((0, 7))),
            (Unit::Byte, 3, 9, 3, None),
            (Unit::Byte, 2, 1, 3, None),
            (Unit::Byte, 0, -1, 0, None),
            (Unit::Byte, i64::MIN, i64::MAX, 3, Some((0, 23))),
            (Unit::Bit, 5, -1, 3, Some((5, 23))),
            (Unit::Bit, -1, -1, 3, Some((23, 23))),
            (Unit::Bit, i64::MAX, i64::MAX, 3, None),
        ];
        for (unit, start, end, len, bits) in table {
            assert_eq!(unit.bits(*start, *end, *len), *bits, "{start} {end} of {len}");
        }
    }

    #[test]
    fn counting() {
        check(&[
            ("SET k foobar", "+OK\r\n"),
            ("BITCOUNT k", ":26\r\n"),
            ("BITCOUNT k 0 0", ":4\r\n"),
            ("BITCOUNT k 1 1 byte", ":6\r\n"),
            ("BITCOUNT k 5 30 BIT", ":17\r\n"),
            ("BITCOUNT k -1 -2", ":0\r\n"),
            ("BITCOUNT k -100 -200", ":0\r\n"),
            ("BITCOUNT k 0", "-ERR syntax error\r\n"),
            ("BITCOUNT k 0 1 BITS", "-ERR syntax error\r\n"),
            ("BITCOUNT k 0 1 BIT x", "-ERR syntax error\r\n"),
            ("BITCOUNT k a b BITS", "-ERR value is not an integer or out of range\r\n"),
            ("BITCOUNT missing 0 x", "-ERR value is not an integer or out of range\r\n"),
            ("BITCOUNT missing 0 1", ":0\r\n"),
            ("SET n 123", "+OK\r\n"),
            ("BITCOUNT n", ":10\r\n"),
        ]);
    }

    #[test]
    fn finding() {
        check(&[
            ("BITPOS missing 0", ":0\r\n"),
            ("BITPOS missing 1", ":-1\r\n"),
            ("BITPOS missing 0 5 6", ":0\r\n"),
            ("SETBIT k 20 1", ":0\r\n"),
            ("BITPOS k 1", ":20\r\n"),
            ("BITPOS k 1 0 1", ":-1\r\n"),
            ("BITPOS k 1 21 -1 BIT", ":-1\r\n"),
            ("BITPOS k 0 2", ":16\r\n"),
            ("BITPOS k 0 20 20 BIT", ":-1\r\n"),
            ("SET f \"\\xff\\xff\"", "+OK\r\n"),
            ("BITPOS f 0", ":16\r\n"),
            ("BITPOS f 0 1", ":16\r\n"),
            ("BITPOS f 0 0 -1", ":-1\r\n"),
            ("BITPOS f 0 2", ":-1\r\n"),
            ("SET e \"\"", "+OK\r\n"),
            ("BITPOS e 0", ":-1\r\n"),
            ("BITPOS f 2", "-ERR The bit argument must be 1 or 0.\r\n"),
            ("BITPOS f x", "-ERR value is not an integer or out of range\r\n"),
            ("BITPOS f 0 0 x BITS", "-ERR syntax error\r\n"),
            ("BITPOS f 0 x 0 BITS", "-ERR value is not an integer or out of range\r\n"),
            ("BITPOS f 0 0 0 BIT x", "-ERR syntax error\r\n"),
        ]);
    }
}
