//! Moving an element from one list to another: LMOVE, RPOPLPUSH.

use bytes::Bytes;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{Command, Flags, KeySpec, Run, key_at, one};
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::list::{End, Item, Limits, List, NewElement};

use super::{LIST, finish_removal, limits, reply_item, side};

/// The list an element is taken from and the one it goes to.
pub(super) const KEYS: &[KeySpec] = &[one(&["RW", "access", "delete"]), key_at(2, &["RW", "insert"])];

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "lmove",
        arity: 5,
        run: Run::Keyed(lmove),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: KEYS,
        since: "6.2.0",
        summary: "Moves an element from one end of a list to an end of another one and returns it.",
        syntax: "source:key destination:key wherefrom(LEFT | RIGHT) whereto(LEFT | RIGHT)",
        ..LIST
    },
    Command {
        name: "rpoplpush",
        arity: 3,
        run: Run::Keyed(rpoplpush),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: KEYS,
        since: "1.2.0",
        summary: "Moves the last element of a list to the front of another one and returns it.",
        syntax: "source:key destination:key",
        deprecated: Some(("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments")),
        ..LIST
    },
];

fn lmove(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (from, to) = (side(&context.args, 3)?, side(&context.args, 4)?);
    transfer_or_null(context, from, to)
}

fn rpoplpush(context: &mut Context<'_>) -> Result<(), CommandError> {
    transfer_or_null(context, End::Back, End::Front)
}

fn transfer_or_null(context: &mut Context<'_>, from: End, to: End) -> Result<(), CommandError> {
    if !transfer(context, from, to)? {
        context.reply.null();
    }
    Ok(())
}

/// Longest element that is moved without an allocation, in bytes.
const SHORT_BYTES_MAX: usize = 128;

/// An element between two lists.
enum Carried {
    Short { buffer: [u8; SHORT_BYTES_MAX], len: usize },
    Long(Bytes),
}

impl Carried {
    fn new(item: Item<'_>) -> Carried {
        let mut digits = [0; INTEGER_TEXT_BYTES_MAX];
        let bytes = match item {
            Item::Packed(element) => element.text(&mut digits),
            Item::Plain(bytes) => return Carried::Long(bytes.clone()),
        };
        if bytes.len() > SHORT_BYTES_MAX {
            return Carried::Long(Bytes::copy_from_slice(bytes));
        }
        let mut buffer = [0; SHORT_BYTES_MAX];
        buffer[..bytes.len()].copy_from_slice(bytes);
        Carried::Short { buffer, len: bytes.len() }
    }

    fn element(&self) -> NewElement<'_> {
        match self {
            Carried::Short { buffer, len } => NewElement::new(&buffer[..*len]),
            Carried::Long(bytes) => NewElement { bytes, shared: Some(bytes) },
        }
    }
}

/// Moves an element from the list at argument 1 to the one at argument 2 and replies with it; false when there is none.
pub(super) fn transfer(context: &mut Context<'_>, from: End, to: End) -> Result<bool, CommandError> {
    let limits = limits(context);
    let is_rotation = context.args.get(1) == context.args.get(2);
    let (mut source, reply) = context.open(1);
    let Some(item) = source.collection::<List>()?.and_then(|list| list.end(from)) else { return Ok(false) };
    reply_item(reply, item);
    let carried = Carried::new(item);
    if is_rotation {
        let Some(list) = source.collection::<List>()? else { return Ok(false) };
        list.remove_end(from);
        push(list, to, &carried, limits);
        finish_removal(&mut source, 1, limits)?;
        return Ok(true);
    }
    drop(source);
    // A destination of another type is refused here, before anything has changed.
    let mut destination = context.write(2);
    push(destination.collection_or(List::default)?, to, &carried, limits);
    // A move is one change, counted at the source.
    destination.changed_uncounted();
    drop(destination);
    let mut source = context.write(1);
    if let Some(list) = source.collection::<List>()? {
        list.remove_end(from);
    }
    finish_removal(&mut source, 1, limits)?;
    Ok(true)
}

fn push(list: &mut List, end: End, carried: &Carried, limits: Limits) {
    let element = carried.element();
    list.make_room(element.bytes.len(), 1, limits);
    list.push(end, element, limits);
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn moves() {
        check(&[
            ("LMOVE a b LEFT LEFT", "$-1\r\n"),
            ("LMOVE a b LEFT UP", "-ERR syntax error\r\n"),
            ("LMOVE a b UP LEFT", "-ERR syntax error\r\n"),
            ("RPUSH a 1 2 3 4", ":4\r\n"),
            ("LMOVE a b LEFT RIGHT", "$1\r\n1\r\n"),
            ("LMOVE a b right left", "$1\r\n4\r\n"),
            ("RPOPLPUSH a b", "$1\r\n3\r\n"),
            ("LRANGE b 0 -1", "*3\r\n$1\r\n3\r\n$1\r\n4\r\n$1\r\n1\r\n"),
            ("LMOVE b b RIGHT LEFT", "$1\r\n1\r\n"),
            ("RPOPLPUSH b b", "$1\r\n4\r\n"),
            ("LRANGE b 0 -1", "*3\r\n$1\r\n4\r\n$1\r\n1\r\n$1\r\n3\r\n"),
            ("RPOPLPUSH a a", "$1\r\n2\r\n"),
            ("RPOPLPUSH a b", "$1\r\n2\r\n"),
            ("EXISTS a", ":0\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LMOVE s b LEFT LEFT", WRONG_TYPE),
            ("LMOVE b s LEFT LEFT", WRONG_TYPE),
            ("LMOVE missing s LEFT LEFT", "$-1\r\n"),
            ("LLEN b", ":4\r\n"),
        ]);
    }

    #[test]
    fn a_move_is_one_change() {
        let mut harness = Harness::new(1);
        harness.run("RPUSH a 1 2 3");
        let before = harness.counters().changes;
        for (line, changes) in [("LMOVE a b LEFT LEFT", 1), ("LMOVE a a LEFT RIGHT", 2), ("LMOVE c b LEFT LEFT", 2)] {
            harness.run(line);
            assert_eq!(harness.counters().changes - before, changes, "{line}");
        }
        assert_eq!(harness.counters().hits + harness.counters().misses, 0);
    }
}
