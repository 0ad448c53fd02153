//! Changing lists within: LSET, LINSERT, LREM, LTRIM.

use std::ops::ControlFlow;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, KeySpec, Run};
use crate::value::list::{End, List};
use crate::value::listpack::Element;

use super::{KEY_INSERT, LIST, element, finish_removal, limits, range};

/// One key, elements of which are removed.
const KEY_TRIM: &[KeySpec] = &[spec::one(&["RW", "delete"])];

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "lset",
        arity: 4,
        run: Run::Keyed(lset),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: spec::KEY_UPDATE,
        summary: "Puts an element in the place of the one at an index of a list.",
        complexity: "O(log N) for a list of N elements",
        syntax: "key index:integer element",
        ..LIST
    },
    Command {
        name: "linsert",
        arity: 5,
        run: Run::Keyed(linsert),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: KEY_INSERT,
        since: "2.2.0",
        summary: "Adds an element before or after another one of a list.",
        complexity: "O(N), N elements up to the one looked for",
        syntax: "key where(BEFORE | AFTER) pivot element",
        ..LIST
    },
    Command {
        name: "lrem",
        arity: 4,
        run: Run::Keyed(lrem),
        flags: Flags::WRITE,
        keys: KEY_TRIM,
        summary: "Removes elements of a list that are equal to the one given. The key goes with its last element.",
        complexity: "O(N) for a list of N elements",
        syntax: "key count:integer element",
        ..LIST
    },
    Command {
        name: "ltrim",
        arity: 4,
        run: Run::Keyed(ltrim),
        flags: Flags::WRITE,
        keys: KEY_TRIM,
        summary: "Removes all elements of a list but those between two indexes. The key goes with its last element.",
        complexity: "O(log N + M) for a list of N elements, M of them removed",
        syntax: "key start:integer stop:integer",
        ..LIST
    },
];

fn lset(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context));
    let (mut key, reply) = context.open(1);
    let list = key.collection::<List>()?.ok_or(CommandError::NoSuchKey)?;
    let index = args.integer(2)?;
    let element = element(&args, 3);
    // Redis does this first, and OBJECT ENCODING shows it.
    list.make_room(element.bytes.len(), 1, limits);
    let index = list.index(index).ok_or(CommandError::Text("ERR index out of range"))?;
    list.replace(index, element, limits);
    list.shrink(limits);
    key.changed(1);
    reply.ok();
    Ok(())
}

fn linsert(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context));
    let after = args.is(2, b"AFTER");
    if !after && !args.is(2, b"BEFORE") {
        return Err(CommandError::Syntax);
    }
    let (mut key, reply) = context.open(1);
    let Some(list) = key.collection::<List>()? else {
        reply.integer(0);
        return Ok(());
    };
    let (pivot, element) = (Element::of(args.get(3)), element(&args, 4));
    // As in LSET, whether or not the element is put in.
    list.make_room(element.bytes.len(), 1, limits);
    let (mut index, mut found) = (0, false);
    list.walk(0, End::Back, |item| {
        found = item.equals(pivot);
        if found {
            return ControlFlow::Break(());
        }
        index += 1;
        ControlFlow::Continue(())
    });
    if !found {
        reply.integer(-1);
        return Ok(());
    }
    list.insert(index, after, element, limits);
    reply.integer(list.len() as i64);
    key.changed(1);
    Ok(())
}

fn lrem(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context));
    let count = args.integer(2)?;
    if count == i64::MIN {
        return Err(super::OUT_OF_RANGE);
    }
    let (mut key, reply) = context.open(1);
    let Some(list) = key.collection::<List>()? else {
        reply.integer(0);
        return Ok(());
    };
    let end = if count < 0 { End::Back } else { End::Front };
    let most = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let removed = list.remove_equal(args.get(3), most, end);
    reply.integer(removed as i64);
    if removed > 0 {
        finish_removal(&mut key, removed, limits)?;
    }
    Ok(())
}

fn ltrim(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context));
    let (start, stop) = (args.integer(2)?, args.integer(3)?);
    let (mut key, reply) = context.open(1);
    reply.ok();
    let Some(list) = key.collection::<List>()? else { return Ok(()) };
    let len = list.len();
    let kept = range(start, stop, len);
    list.remove_range(kept.end, len - kept.end);
    list.remove_range(0, kept.start);
    // Who watches the key is told even if all elements stay.
    key.changed_uncounted();
    finish_removal(&mut key, len - kept.len(), limits)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn sets() {
        check(&[
            ("LSET l 0 x", "-ERR no such key\r\n"),
            ("LSET l x x", "-ERR no such key\r\n"),
            ("RPUSH l a b c", ":3\r\n"),
            ("LSET l 1 12", "+OK\r\n"),
            ("LSET l -1 z", "+OK\r\n"),
            ("LRANGE l 0 -1", "*3\r\n$1\r\na\r\n$2\r\n12\r\n$1\r\nz\r\n"),
            ("LSET l 3 x", "-ERR index out of range\r\n"),
            ("LSET l -4 x", "-ERR index out of range\r\n"),
            ("LSET l x x", "-ERR value is not an integer or out of range\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LSET s x x", WRONG_TYPE),
        ]);
    }

    #[test]
    fn inserts() {
        check(&[
            ("LINSERT l BEFORE a x", ":0\r\n"),
            ("LINSERT l beside a x", "-ERR syntax error\r\n"),
            ("RPUSH l a b a 10", ":4\r\n"),
            ("LINSERT l after a x", ":5\r\n"),
            ("LINSERT l BEFORE 10 y", ":6\r\n"),
            ("LINSERT l AFTER missing y", ":-1\r\n"),
            ("LRANGE l 0 -1", "*6\r\n$1\r\na\r\n$1\r\nx\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\ny\r\n$2\r\n10\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LINSERT s BEFORE a x", WRONG_TYPE),
            ("LINSERT s a a x", "-ERR syntax error\r\n"),
        ]);
    }

    #[test]
    fn removes_equal_elements() {
        check(&[
            ("LREM l 0 a", ":0\r\n"),
            ("RPUSH l a b a c a 5 5", ":7\r\n"),
            ("LREM l -1 a", ":1\r\n"),
            ("LREM l 0 5", ":2\r\n"),
            ("LRANGE l 0 -1", "*4\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\nc\r\n"),
            ("LREM l 1 a", ":1\r\n"),
            ("LREM l 1 missing", ":0\r\n"),
            ("LRANGE l 0 -1", "*3\r\n$1\r\nb\r\n$1\r\na\r\n$1\r\nc\r\n"),
            ("LREM l x a", "-ERR value is not an integer or out of range\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LREM s 0 a", WRONG_TYPE),
            ("RPUSH all x x", ":2\r\n"),
            ("LREM all -5 x", ":2\r\n"),
            ("EXISTS all", ":0\r\n"),
        ]);
    }

    #[test]
    fn trims() {
        check(&[
            ("LTRIM l 0 1", "+OK\r\n"),
            ("RPUSH l a b c d e", ":5\r\n"),
            ("LTRIM l 1 -2", "+OK\r\n"),
            ("LRANGE l 0 -1", "*3\r\n$1\r\nb\r\n$1\r\nc\r\n$1\r\nd\r\n"),
            ("LTRIM l 0 100", "+OK\r\n"),
            ("LLEN l", ":3\r\n"),
            ("LTRIM l 5 10", "+OK\r\n"),
            ("EXISTS l", ":0\r\n"),
            ("LTRIM l x 10", "-ERR value is not an integer or out of range\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LTRIM s 0 1", WRONG_TYPE),
        ]);
    }

    #[test]
    fn what_is_removed_or_changed_counts() {
        let mut harness = Harness::new(1);
        harness.run("RPUSH l a b a c a d e f");
        let before = harness.counters().changes;
        for (line, changes) in [
            ("LSET l 1 x", 1),
            ("LINSERT l AFTER x y", 2),
            ("LINSERT l AFTER missing y", 2),
            ("LREM l 2 a", 4),
            ("LREM l 2 missing", 4),
            ("LTRIM l 1 -2", 6),
            ("LTRIM l 0 -1", 6),
            ("LTRIM l 9 9", 11),
        ] {
            harness.run(line);
            assert_eq!(harness.counters().changes - before, changes, "{line}");
        }
    }
}
