//! Taking elements from the ends: LPOP, RPOP, LMPOP.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{BeginSearch, Command, FindKeys, Flags, KeySpec, Run};
use crate::stdx::number;
use crate::value::list::{End, List};

use super::{KEY_POP, LIST, finish_removal, limits, pop_range, record_pop, reply_item, side};

/// What LPOP and RPOP have in common.
const POP: Command = Command {
    arity: -2,
    flags: Flags::WRITE.and(Flags::FAST),
    keys: KEY_POP,
    complexity: "O(N), N elements returned",
    syntax: "key [count:integer]@6.2.0",
    history: &[("6.2.0", "Takes a count.")],
    ..LIST
};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "lpop",
        run: Run::Keyed(lpop),
        summary: "Removes and returns the first elements of a list. The key goes with its last element.",
        ..POP
    },
    Command {
        name: "rpop",
        run: Run::Keyed(rpop),
        summary: "Removes and returns the last elements of a list. The key goes with its last element.",
        ..POP
    },
    Command {
        name: "lmpop",
        arity: -4,
        run: Run::Keyed(lmpop),
        flags: Flags::WRITE,
        keys: &[KeySpec {
            flags: &["RW", "access", "delete"],
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            notes: "",
        }],
        since: "7.0.0",
        summary: "Removes and returns elements of the first of several lists that exists. The key goes with its last element.",
        complexity: "O(N+M), N keys given, M elements returned",
        syntax: "numkeys:integer key... where(LEFT | RIGHT) [COUNT count:integer]",
        ..LIST
    },
];

fn lpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    pop(context, End::Front)
}

fn rpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    pop(context, End::Back)
}

#[inline]
fn pop(context: &mut Context<'_>, end: End) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context));
    let count = match args.len() {
        2 => None,
        3 => Some(not_negative(&args, 2, "ERR value is out of range, must be positive")?),
        _ => return Err(CommandError::Arity(context.command)),
    };
    let (mut key, reply) = context.open(1);
    let Some(list) = key.collection::<List>()? else {
        if count.is_some() {
            reply.null_array()
        } else {
            reply.null()
        }
        return Ok(());
    };
    let removed = match count {
        Some(0) => {
            reply.array(0);
            return Ok(());
        }
        Some(count) => {
            let count = count.min(list.len());
            pop_range(reply, list, end, count);
            count
        }
        None => {
            if let Some(item) = list.end(end) {
                reply_item(reply, item);
            }
            list.remove_end(end);
            1
        }
    };
    finish_removal(&mut key, removed, limits)
}

/// An integer that is not negative; anything else gets the text.
pub(super) fn not_negative(args: &Args<'_>, index: usize, text: &'static str) -> Result<usize, CommandError> {
    let number = number::parse_i64(args.get(index)).and_then(|number| usize::try_from(number).ok());
    number.ok_or(CommandError::Text(text))
}

/// What LMPOP is asked for.
pub(super) struct Pops {
    /// The arguments that are keys.
    pub(super) keys: std::ops::Range<usize>,
    /// Where to take from.
    pub(super) end: End,
    /// How many at most.
    pub(super) count: usize,
}

impl Pops {
    /// Reads `numkeys key... where [COUNT count]` from an argument on.
    pub(super) fn parse(args: &Args<'_>, first: usize) -> Result<Pops, CommandError> {
        let keys_len = not_negative(args, first, "ERR numkeys should be greater than 0")?;
        if keys_len == 0 {
            return Err(CommandError::Text("ERR numkeys should be greater than 0"));
        }
        let keys = first + 1..(first + 1).saturating_add(keys_len);
        if keys.end >= args.len() {
            return Err(CommandError::Syntax);
        }
        let end = side(args, keys.end)?;
        let mut count = None;
        let mut at = keys.end + 1;
        while at < args.len() {
            if count.is_some() || !args.is(at, b"COUNT") || at + 1 == args.len() {
                return Err(CommandError::Syntax);
            }
            let text = "ERR count should be greater than 0";
            count = Some(not_negative(args, at + 1, text)?).filter(|&count| count > 0);
            if count.is_none() {
                return Err(CommandError::Text(text));
            }
            at += 2;
        }
        Ok(Pops { keys, end, count: count.unwrap_or(1) })
    }
}

fn lmpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    let pops = Pops::parse(&context.args, 1)?;
    if !pop_first(context, &pops)? {
        context.reply.null_array();
    }
    Ok(())
}

/// Pops from the first of the keys in hand that has a list and replies with its name and the elements; false when none has one.
pub(super) fn pop_first(context: &mut Context<'_>, pops: &Pops) -> Result<bool, CommandError> {
    let (args, limits) = (context.args, limits(context));
    for index in pops.keys.clone() {
        if !context.has(index) {
            continue;
        }
        let (mut key, reply) = context.open(index);
        let Some(list) = key.collection::<List>()? else { continue };
        let count = pops.count.min(list.len());
        reply.array(2);
        reply.bulk(args.get(index));
        pop_range(reply, list, pops.end, count);
        record_pop(&mut key, pops.end, Some(count));
        finish_removal(&mut key, count, limits)?;
        return Ok(true);
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn pops() {
        check(&[
            ("RPUSH l a b c d e f", ":6\r\n"),
            ("LPOP l", "$1\r\na\r\n"),
            ("RPOP l", "$1\r\nf\r\n"),
            ("LPOP l 0", "*0\r\n"),
            ("LPOP l 2", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
            ("RPOP l 100", "*2\r\n$1\r\ne\r\n$1\r\nd\r\n"),
            ("EXISTS l", ":0\r\n"),
            ("LPOP l", "$-1\r\n"),
            ("LPOP l 1", "*-1\r\n"),
            ("RPOP l 0", "*-1\r\n"),
            ("LPOP l -1", "-ERR value is out of range, must be positive\r\n"),
            ("RPOP l x", "-ERR value is out of range, must be positive\r\n"),
            ("LPOP l 1 2", "-ERR wrong number of arguments for 'lpop' command\r\n"),
            ("SET s v", "+OK\r\n"),
            ("RPOP s", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("RPUSH l 1", ":1\r\n"),
            ("RPOP l", "$1\r\n1\r\n"),
            ("EXISTS l", ":0\r\n"),
        ]);
        let mut harness = Harness::new(1);
        harness.resp3();
        harness.check(&[("LPOP l", "_\r\n"), ("LPOP l 1", "_\r\n"), ("LMPOP 1 l LEFT", "_\r\n")]);
    }

    #[test]
    fn pops_from_the_first_list_that_exists() {
        check(&[
            ("RPUSH b 1 2 3", ":3\r\n"),
            ("RPUSH c 4", ":1\r\n"),
            ("LMPOP 3 a b c LEFT", "*2\r\n$1\r\nb\r\n*1\r\n$1\r\n1\r\n"),
            ("LMPOP 3 a b c right COUNT 5", "*2\r\n$1\r\nb\r\n*2\r\n$1\r\n3\r\n$1\r\n2\r\n"),
            ("LMPOP 3 a b c RIGHT", "*2\r\n$1\r\nc\r\n*1\r\n$1\r\n4\r\n"),
            ("LMPOP 3 a b c RIGHT", "*-1\r\n"),
            ("SET s v", "+OK\r\n"),
            ("LMPOP 2 a s LEFT", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("LMPOP 0 a LEFT", "-ERR numkeys should be greater than 0\r\n"),
            ("LMPOP x a LEFT", "-ERR numkeys should be greater than 0\r\n"),
            ("LMPOP 2 a LEFT", "-ERR syntax error\r\n"),
            ("LMPOP 9223372036854775807 a LEFT", "-ERR syntax error\r\n"),
            ("LMPOP 1 a UP", "-ERR syntax error\r\n"),
            ("LMPOP 1 a LEFT COUNT", "-ERR syntax error\r\n"),
            ("LMPOP 1 a LEFT COUNT 0", "-ERR count should be greater than 0\r\n"),
            ("LMPOP 1 a LEFT COUNT x", "-ERR count should be greater than 0\r\n"),
            ("LMPOP 1 a LEFT COUNT 1 COUNT 2", "-ERR syntax error\r\n"),
        ]);
    }

    #[test]
    fn every_element_taken_is_a_change() {
        let mut harness = Harness::new(1);
        harness.run("RPUSH l a b c d");
        let before = harness.counters().changes;
        for (line, changes) in [("LPOP l", 1), ("LPOP l 2", 3), ("LMPOP 1 l LEFT COUNT 9", 4), ("LPOP l", 4)] {
            harness.run(line);
            assert_eq!(harness.counters().changes - before, changes, "{line}");
        }
        assert_eq!(harness.counters().misses, 0);
    }
}
