//! The commands that wait for an element: BLPOP, BRPOP, BLMPOP, BLMOVE, BRPOPLPUSH. Each first does what its kin that does
//! not wait does; only when there is nothing to take does the client wait. Whoever serves it runs the same handler again.

use crate::command::blocking::{TimeoutReply, Wait, WaitKeys, Waiting, until_ms_of_seconds};
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{BeginSearch, Command, FindKeys, Flags, KeySpec, Run};
use crate::value::list::{End, List};
use crate::value::object::ObjectType;

use super::pop::{Pops, pop_first};
use super::transfer::{KEYS, transfer};
use super::{LIST, finish_removal, limits, record_pop, reply_item, side};

const HISTORY: &[(&str, &str)] = &[("6.0.0", "The timeout may have a fraction.")];

/// What BLPOP and BRPOP have in common.
const POP: Command = Command {
    arity: -3,
    flags: Flags::WRITE.and(Flags::BLOCKING),
    keys: &[KeySpec {
        flags: &["RW", "access", "delete"],
        begin: BeginSearch::Index(1),
        find: FindKeys::Range { last: -2, step: 1, limit: 0 },
        notes: "",
    }],
    since: "2.0.0",
    complexity: "O(N), N keys given",
    syntax: "key... timeout:double",
    history: HISTORY,
    ..LIST
};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "blpop",
        run: Run::Keyed(blpop),
        summary: "Removes and returns the first element of the first list that has one, and waits for it if need be.",
        ..POP
    },
    Command {
        name: "brpop",
        run: Run::Keyed(brpop),
        summary: "Removes and returns the last element of the first list that has one, and waits for it if need be.",
        ..POP
    },
    Command {
        name: "blmpop",
        arity: -5,
        run: Run::Keyed(blmpop),
        flags: Flags::WRITE.and(Flags::BLOCKING),
        keys: &[KeySpec {
            flags: &["RW", "access", "delete"],
            begin: BeginSearch::Index(2),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            notes: "",
        }],
        since: "7.0.0",
        summary: "Removes and returns elements of the first of several lists that has one, and waits for it if need be.",
        complexity: "O(N+M), N keys given, M elements returned",
        syntax: "timeout:double numkeys:integer key... where(LEFT | RIGHT) [COUNT count:integer]",
        ..LIST
    },
    Command {
        name: "blmove",
        arity: 6,
        run: Run::Keyed(blmove),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::BLOCKING),
        keys: KEYS,
        since: "6.2.0",
        summary: "Moves an element from one list to another and returns it, and waits for it if need be.",
        syntax: "source:key destination:key wherefrom(LEFT | RIGHT) whereto(LEFT | RIGHT) timeout:double",
        ..LIST
    },
    Command {
        name: "brpoplpush",
        arity: 4,
        run: Run::Keyed(brpoplpush),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::BLOCKING),
        keys: KEYS,
        since: "2.2.0",
        summary: "Moves the last element of a list to the front of another one, and waits for it if need be.",
        syntax: "source:key destination:key timeout:double",
        history: HISTORY,
        deprecated: Some(("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")),
        ..LIST
    },
];

fn blpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    pop_or_wait(context, End::Front)
}

fn brpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    pop_or_wait(context, End::Back)
}

fn pop_or_wait(context: &mut Context<'_>, end: End) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context));
    let last = args.len() - 1;
    let until_ms = until_ms_of_seconds(args, last, context.turn.now_ms)?;
    for index in 1..last {
        if !context.has(index) {
            continue;
        }
        let (mut key, reply) = context.open(index);
        let Some(item) = key.collection::<List>()?.and_then(|list| list.end(end)) else { continue };
        reply.array(2);
        reply.bulk(args.get(index));
        reply_item(reply, item);
        if let Some(list) = key.collection::<List>()? {
            list.remove_end(end);
        }
        record_pop(&mut key, end, None);
        return finish_removal(&mut key, 1, limits);
    }
    wait(context, WaitKeys::All, until_ms);
    Ok(())
}

fn blmpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    let pops = Pops::parse(&context.args, 2)?;
    let until_ms = until_ms_of_seconds(context.args, 1, context.turn.now_ms)?;
    if !pop_first(context, &pops)? {
        wait(context, WaitKeys::All, until_ms);
    }
    Ok(())
}

fn blmove(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (from, to) = (side(&context.args, 3)?, side(&context.args, 4)?);
    transfer_or_wait(context, from, to, 5)
}

fn brpoplpush(context: &mut Context<'_>) -> Result<(), CommandError> {
    transfer_or_wait(context, End::Back, End::Front, 3)
}

fn transfer_or_wait(context: &mut Context<'_>, from: End, to: End, timeout: usize) -> Result<(), CommandError> {
    let until_ms = until_ms_of_seconds(context.args, timeout, context.turn.now_ms)?;
    if transfer(context, from, to)? {
        let args = context.args;
        let word = |end| if end == End::Front { &b"LEFT"[..] } else { b"RIGHT" };
        match timeout {
            3 => context.write(1).effect("RPOPLPUSH", &[args.get(2)]),
            _ => context.write(1).effect("LMOVE", &[args.get(2), word(from), word(to)]),
        }
        return Ok(());
    }
    // The reply to a client that may not wait is that of LMOVE; the one whose time is over gets another, in RESP2.
    if matches!(context.waiting, Waiting::Denied | Waiting::DeniedToScript) {
        context.reply.null();
    } else {
        wait(context, WaitKeys::First, until_ms);
    }
    Ok(())
}

fn wait(context: &mut Context<'_>, keys: WaitKeys, until_ms: Option<i64>) {
    context.wait(Wait {
        keys,
        until_ms,
        timeout_reply: TimeoutReply::NullArray,
        object_type: ObjectType::List,
        even_without_key: false,
        replaced: Vec::new(),
    });
}

#[cfg(test)]
mod tests {
    use crate::command::testing::check;

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn with_an_element_nobody_waits() {
        check(&[
            ("RPUSH b 1 2 3 4 5 6 7", ":7\r\n"),
            ("BLPOP a b 0", "*2\r\n$1\r\nb\r\n$1\r\n1\r\n"),
            ("BRPOP a b 0.1", "*2\r\n$1\r\nb\r\n$1\r\n7\r\n"),
            ("BLMPOP 0 2 a b LEFT", "*2\r\n$1\r\nb\r\n*1\r\n$1\r\n2\r\n"),
            ("BLMPOP 1 2 a b RIGHT COUNT 2", "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n6\r\n$1\r\n5\r\n"),
            ("BLMOVE b c LEFT RIGHT 0", "$1\r\n3\r\n"),
            ("BRPOPLPUSH b c 0", "$1\r\n4\r\n"),
            ("LRANGE c 0 -1", "*2\r\n$1\r\n4\r\n$1\r\n3\r\n"),
            ("EXISTS b", ":0\r\n"),
        ]);
    }

    /// The bench runs commands as a transaction does: nobody may wait.
    #[test]
    fn who_may_not_wait_gets_the_reply_of_a_wait_that_is_over() {
        check(&[
            ("BLPOP a b 0", "*-1\r\n"),
            ("BRPOP a 1", "*-1\r\n"),
            ("BLMPOP 0 1 a LEFT", "*-1\r\n"),
            ("BLMOVE a b LEFT LEFT 0", "$-1\r\n"),
            ("BRPOPLPUSH a b 0", "$-1\r\n"),
        ]);
    }

    #[test]
    fn refuses() {
        check(&[
            ("BLPOP a x", "-ERR timeout is not a float or out of range\r\n"),
            ("BLPOP a -1", "-ERR timeout is negative\r\n"),
            ("BLPOP a", "-ERR wrong number of arguments for 'blpop' command\r\n"),
            ("BLMOVE a b UP LEFT x", "-ERR syntax error\r\n"),
            ("BLMOVE a b LEFT LEFT x", "-ERR timeout is not a float or out of range\r\n"),
            ("BRPOPLPUSH a b -1", "-ERR timeout is negative\r\n"),
            ("BLMPOP x 0 a LEFT", "-ERR numkeys should be greater than 0\r\n"),
            ("BLMPOP x 1 a LEFT", "-ERR timeout is not a float or out of range\r\n"),
            ("SET s v", "+OK\r\n"),
            ("BLPOP s 0", WRONG_TYPE),
            ("BLMPOP 0 1 s LEFT", WRONG_TYPE),
            ("BLMOVE s a LEFT LEFT 0", WRONG_TYPE),
            ("BRPOPLPUSH s a 0", WRONG_TYPE),
            ("BRPOPLPUSH missing s 0", "$-1\r\n"),
            ("RPUSH l a", ":1\r\n"),
            ("BRPOPLPUSH l s 0", WRONG_TYPE),
            ("LLEN l", ":1\r\n"),
        ]);
    }
}
