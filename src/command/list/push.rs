//! Adding elements at the ends: LPUSH, RPUSH, LPUSHX, RPUSHX.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{Command, Flags, Run};
use crate::value::list::{End, List};

use super::{KEY_INSERT, LIST, element, limits};

/// What the rows here have in common.
const PUSH: Command = Command {
    arity: -3,
    flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
    keys: KEY_INSERT,
    complexity: "O(N), N elements given",
    syntax: "key element...",
    ..LIST
};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "lpush",
        run: Run::Keyed(lpush),
        summary: "Adds elements at the front of a list, one after the other. An absent key becomes a list.",
        history: &[("2.4.0", "Takes several elements.")],
        ..PUSH
    },
    Command {
        name: "rpush",
        run: Run::Keyed(rpush),
        summary: "Adds elements at the back of a list. An absent key becomes a list.",
        history: &[("2.4.0", "Takes several elements.")],
        ..PUSH
    },
    Command {
        name: "lpushx",
        run: Run::Keyed(lpushx),
        since: "2.2.0",
        summary: "Adds elements at the front of a list that exists.",
        history: &[("4.0.0", "Takes several elements.")],
        ..PUSH
    },
    Command {
        name: "rpushx",
        run: Run::Keyed(rpushx),
        since: "2.2.0",
        summary: "Adds elements at the back of a list that exists.",
        history: &[("4.0.0", "Takes several elements.")],
        ..PUSH
    },
];

fn lpush(context: &mut Context<'_>) -> Result<(), CommandError> {
    push(context, End::Front, false)
}

fn rpush(context: &mut Context<'_>) -> Result<(), CommandError> {
    push(context, End::Back, false)
}

fn lpushx(context: &mut Context<'_>) -> Result<(), CommandError> {
    push(context, End::Front, true)
}

fn rpushx(context: &mut Context<'_>) -> Result<(), CommandError> {
    push(context, End::Back, true)
}

#[inline]
fn push(context: &mut Context<'_>, end: End, only_existing: bool) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context));
    let (mut key, reply) = context.open(1);
    if only_existing && !key.exists() {
        reply.integer(0);
        return Ok(());
    }
    let count = args.len() - 2;
    let bytes = args.iter_from(2).map(<[u8]>::len).sum();
    let list = key.collection_or(|| List::with_room(bytes, count, limits))?;
    list.make_room(bytes, count, limits);
    for index in 2..args.len() {
        list.push(end, element(&args, index), limits);
    }
    reply.integer(list.len() as i64);
    key.changed(count);
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn pushes() {
        check(&[
            ("RPUSH l a b", ":2\r\n"),
            ("LPUSH l c d", ":4\r\n"),
            ("LRANGE l 0 -1", "*4\r\n$1\r\nd\r\n$1\r\nc\r\n$1\r\na\r\n$1\r\nb\r\n"),
            ("RPUSHX missing a", ":0\r\n"),
            ("LPUSHX missing a", ":0\r\n"),
            ("EXISTS missing", ":0\r\n"),
            ("LPUSHX l 1 2", ":6\r\n"),
            ("RPUSHX l 3", ":7\r\n"),
            ("LRANGE l 0 1", "*2\r\n$1\r\n2\r\n$1\r\n1\r\n"),
            ("SET s v", "+OK\r\n"),
            ("RPUSH s a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("LPUSHX s a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("RPUSH l", "-ERR wrong number of arguments for 'rpush' command\r\n"),
            ("TYPE l", "+list\r\n"),
            ("GET l", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ]);
    }

    #[test]
    fn every_element_is_a_change_and_nothing_is_read() {
        let mut harness = Harness::new(1);
        harness.run("RPUSH l a b c");
        harness.run("LPUSHX missing a");
        let counters = harness.counters();
        assert_eq!((counters.changes, counters.hits, counters.misses), (3, 0, 0));
    }

    #[test]
    fn large_elements_are_not_copied() {
        let mut harness = Harness::new(1);
        let large = vec![b'x'; 100_000];
        let given = harness.run_args_keeping_bigs(&[b"RPUSH", b"l", &large]);
        let replies: Vec<_> = ["LINDEX l 0", "LRANGE l 0 -1", "LMOVE l m LEFT LEFT", "LPOP m"]
            .map(|command| harness.run_for_shared(command))
            .into_iter()
            .flatten()
            .collect();
        assert_eq!(replies.len(), 4);
        assert!(replies.iter().all(|reply| reply.as_ptr() == given[0].as_ptr()));
        assert_eq!(harness.run("EXISTS l m"), ":0\r\n");
    }

    #[test]
    fn encodings_follow_the_limit_of_the_configuration() {
        let mut harness = Harness::new(1);
        harness.configure("list-max-listpack-size", "3");
        harness.check(&[
            ("RPUSH l a b c", ":3\r\n"),
            ("OBJECT ENCODING l", "$8\r\nlistpack\r\n"),
            ("RPUSH l d", ":4\r\n"),
            ("OBJECT ENCODING l", "$9\r\nquicklist\r\n"),
            ("RPOP l 3", "*3\r\n$1\r\nd\r\n$1\r\nc\r\n$1\r\nb\r\n"),
            ("OBJECT ENCODING l", "$8\r\nlistpack\r\n"),
        ]);
    }
}
