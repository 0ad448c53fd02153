//! Taking members from the ends: ZPOPMIN, ZPOPMAX, ZMPOP, and their forms that wait.

use std::ops::Range;

use crate::command::args::Args;
use crate::command::blocking::{self, TimeoutReply, Wait, WaitKeys};
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, BeginSearch, Command, FindKeys, Flags, KeySpec, Run};
use crate::resp::reply::Protocol;
use crate::value::object::ObjectType;
use crate::value::sorted_set::SortedSet;

use super::remove::remove_ranks;
use super::{SORTED_SET, reply_element};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zpopmin",
        arity: -2,
        run: Run::Keyed(zpopmin),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "access", "delete"])],
        since: "5.0.0",
        summary: "Removes the members with the lowest scores and returns them.",
        complexity: "O(M log N), M members removed and N in the set",
        syntax: "key [count:integer]",
        ..SORTED_SET
    },
    Command {
        name: "zpopmax",
        arity: -2,
        run: Run::Keyed(zpopmax),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "access", "delete"])],
        since: "5.0.0",
        summary: "Removes the members with the highest scores and returns them.",
        complexity: "O(M log N), M members removed and N in the set",
        syntax: "key [count:integer]",
        ..SORTED_SET
    },
    Command {
        name: "zmpop",
        arity: -4,
        run: Run::Keyed(zmpop),
        flags: Flags::WRITE,
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            ..spec::one(&["RW", "access", "delete"])
        }],
        since: "7.0.0",
        summary: "Removes members with the lowest or highest scores from the first given set that has any, and \
                  returns them.",
        complexity: "O(K + M log N), K keys, M members removed and N in the set",
        syntax: "numkeys:integer key... where(MIN | MAX) [COUNT count:integer]",
        ..SORTED_SET
    },
    Command {
        name: "bzpopmin",
        arity: -3,
        run: Run::Keyed(bzpopmin),
        flags: Flags::WRITE.and(Flags::FAST).and(Flags::BLOCKING),
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::Range { last: -2, step: 1, limit: 0 },
            ..spec::one(&["RW", "access", "delete"])
        }],
        since: "5.0.0",
        summary: "Removes the member with the lowest score from the first given set that has any, or waits for one.",
        complexity: "O(log N), N members of the set",
        syntax: "key... timeout:double",
        history: &[("6.0.0", "The timeout may have a fraction.")],
        ..SORTED_SET
    },
    Command {
        name: "bzpopmax",
        arity: -3,
        run: Run::Keyed(bzpopmax),
        flags: Flags::WRITE.and(Flags::FAST).and(Flags::BLOCKING),
        keys: &[KeySpec {
            begin: BeginSearch::Index(1),
            find: FindKeys::Range { last: -2, step: 1, limit: 0 },
            ..spec::one(&["RW", "access", "delete"])
        }],
        since: "5.0.0",
        summary: "Removes the member with the highest score from the first given set that has any, or waits for one.",
        complexity: "O(log N), N members of the set",
        syntax: "key... timeout:double",
        history: &[("6.0.0", "The timeout may have a fraction.")],
        ..SORTED_SET
    },
    Command {
        name: "bzmpop",
        arity: -5,
        run: Run::Keyed(bzmpop),
        flags: Flags::WRITE.and(Flags::BLOCKING),
        keys: &[KeySpec {
            begin: BeginSearch::Index(2),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 1 },
            ..spec::one(&["RW", "access", "delete"])
        }],
        since: "7.0.0",
        summary: "Removes members with the lowest or highest scores from the first given set that has any, or waits \
                  for some.",
        complexity: "O(K + M log N), K keys, M members removed and N in the set",
        syntax: "timeout:double numkeys:integer key... where(MIN | MAX) [COUNT count:integer]",
        ..SORTED_SET
    },
];

/// From which end members are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Lowest,
    Highest,
}

/// What a reply shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Members and scores in turn.
    Flat,
    /// A pair for each member.
    Pairs,
    /// The key, a member and its score.
    KeyAndMember,
    /// The key, and pairs.
    KeyAndPairs,
}

/// Takes up to `count` members (at least one) of the set at an argument's key. False when there is no such key.
fn pop(context: &mut Context<'_>, index: usize, end: End, count: usize, shape: Shape) -> Result<bool, CommandError> {
    let name = context.args.get(index);
    let (mut key, reply) = context.open(index);
    let Some(set) = key.collection::<SortedSet>()? else { return Ok(false) };
    if count == 1 {
        set.prefetch_pops(end == End::Highest);
    }
    let (len, count) = (set.len(), count.min(set.len()));
    let ranks = match end {
        End::Lowest => 0..count,
        End::Highest => len - count..len,
    };
    match shape {
        Shape::Flat => reply.array(2 * count),
        Shape::Pairs => reply.array(count),
        Shape::KeyAndMember => {
            reply.array(1 + 2 * count);
            reply.bulk(name);
        }
        Shape::KeyAndPairs => {
            reply.array(2);
            reply.bulk(name);
            reply.array(count);
        }
    }
    for entry in set.range(ranks.clone(), end == End::Highest) {
        if matches!(shape, Shape::Pairs | Shape::KeyAndPairs) {
            reply.array(2);
        }
        reply_element(reply, entry.member);
        reply.double(entry.score());
    }
    remove_ranks(&mut key, ranks)?;
    let name = if end == End::Lowest { "ZPOPMIN" } else { "ZPOPMAX" };
    match shape {
        Shape::KeyAndMember => key.effect(name, &[]),
        Shape::KeyAndPairs => key.effect_number(name, count as i64),
        Shape::Flat | Shape::Pairs => {}
    }
    Ok(true)
}

fn zpopmin(context: &mut Context<'_>) -> Result<(), CommandError> {
    pop_one_set(context, End::Lowest)
}

fn zpopmax(context: &mut Context<'_>) -> Result<(), CommandError> {
    pop_one_set(context, End::Highest)
}

fn pop_one_set(context: &mut Context<'_>, end: End) -> Result<(), CommandError> {
    let args = context.args;
    let count = match args.len() {
        2 => None,
        3 => {
            let count = args.integer(2).ok().and_then(|count| usize::try_from(count).ok());
            Some(count.ok_or(CommandError::Text("ERR value is out of range, must be positive"))?)
        }
        _ => return Err(CommandError::Syntax),
    };
    let is_paired = count.is_some() && context.reply.protocol == Protocol::Resp3;
    let shape = if is_paired { Shape::Pairs } else { Shape::Flat };
    let is_popped = match count {
        Some(0) => {
            context.write(1).collection::<SortedSet>()?;
            false
        }
        count => pop(context, 1, end, count.unwrap_or(1), shape)?,
    };
    if !is_popped {
        context.reply.array(0);
    }
    Ok(())
}

/// What ZMPOP and BZMPOP ask for.
struct Request {
    keys: Range<usize>,
    end: End,
    count: usize,
}

impl Request {
    /// Reads the arguments from the number of keys on, which stands at `first`.
    fn parse(args: Args<'_>, first: usize) -> Result<Request, CommandError> {
        let positive = |index, error| {
            let number = args.integer(index).ok().and_then(|number| usize::try_from(number).ok());
            number.filter(|&number| number > 0).ok_or(CommandError::Text(error))
        };
        let keys = positive(first, "ERR numkeys should be greater than 0")?;
        let after_keys = keys.checked_add(first + 1).filter(|&index| index < args.len()).ok_or(CommandError::Syntax)?;
        let end = if args.is(after_keys, b"min") {
            End::Lowest
        } else if args.is(after_keys, b"max") {
            End::Highest
        } else {
            return Err(CommandError::Syntax);
        };
        let mut request = Request { keys: first + 1..after_keys, end, count: 1 };
        match args.len() - after_keys - 1 {
            0 => {}
            // Redis reads the count before it stumbles over what follows.
            2.. if args.is(after_keys + 1, b"count") => {
                request.count = positive(after_keys + 2, "ERR count should be greater than 0")?;
                if args.len() > after_keys + 3 {
                    return Err(CommandError::Syntax);
                }
            }
            _ => return Err(CommandError::Syntax),
        }
        Ok(request)
    }
}

fn zmpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    let request = Request::parse(context.args, 1)?;
    for index in request.keys {
        if pop(context, index, request.end, request.count, Shape::KeyAndPairs)? {
            return Ok(());
        }
    }
    context.reply.null_array();
    Ok(())
}

fn bzpopmin(context: &mut Context<'_>) -> Result<(), CommandError> {
    let last = context.args.len() - 1;
    pop_or_wait(context, last, &Request { keys: 1..last, end: End::Lowest, count: 1 }, Shape::KeyAndMember)
}

fn bzpopmax(context: &mut Context<'_>) -> Result<(), CommandError> {
    let last = context.args.len() - 1;
    pop_or_wait(context, last, &Request { keys: 1..last, end: End::Highest, count: 1 }, Shape::KeyAndMember)
}

fn bzmpop(context: &mut Context<'_>) -> Result<(), CommandError> {
    let request = Request::parse(context.args, 2)?;
    pop_or_wait(context, 1, &request, Shape::KeyAndPairs)
}

/// Takes from the first set there is, or waits as long as the argument `timeout` says.
fn pop_or_wait(context: &mut Context<'_>, timeout: usize, request: &Request, shape: Shape) -> Result<(), CommandError> {
    let until_ms = blocking::until_ms_of_seconds(context.args, timeout, context.turn.now_ms)?;
    for index in request.keys.clone() {
        if context.has(index) && pop(context, index, request.end, request.count, shape)? {
            return Ok(());
        }
    }
    context.wait(Wait {
        keys: WaitKeys::All,
        until_ms,
        timeout_reply: TimeoutReply::NullArray,
        object_type: ObjectType::SortedSet,
        even_without_key: false,
        replaced: Vec::new(),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    const SYNTAX: &str = "-ERR syntax error\r\n";
    const NOT_POSITIVE: &str = "-ERR value is out of range, must be positive\r\n";
    const NO_KEYS: &str = "-ERR numkeys should be greater than 0\r\n";
    const NO_COUNT: &str = "-ERR count should be greater than 0\r\n";

    #[test]
    fn popping() {
        check(&[
            ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f", ":6\r\n"),
            ("ZPOPMIN z", "*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
            ("ZPOPMAX z 2", "*4\r\n$1\r\nf\r\n$1\r\n6\r\n$1\r\ne\r\n$1\r\n5\r\n"),
            ("ZPOPMIN z 0", "*0\r\n"),
            ("ZPOPMIN x", "*0\r\n"),
            ("ZPOPMIN x 3", "*0\r\n"),
            ("ZPOPMIN x -1", NOT_POSITIVE),
            ("ZPOPMIN x a", NOT_POSITIVE),
            ("ZPOPMIN x 1 2", SYNTAX),
            ("ZMPOP 2 x z MIN", "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n"),
            ("ZPOPMAX z 99", "*4\r\n$1\r\nd\r\n$1\r\n4\r\n$1\r\nc\r\n$1\r\n3\r\n"),
            ("EXISTS z", ":0\r\n"),
            ("ZMPOP 2 x z MAX COUNT 3", "*-1\r\n"),
            ("SET s x", "+OK\r\n"),
            ("ZPOPMIN s", WRONG_TYPE),
            ("ZPOPMIN s 0", WRONG_TYPE),
            ("ZMPOP 2 x s MIN", WRONG_TYPE),
        ]);
    }

    #[test]
    fn arguments_of_zmpop() {
        check(&[
            ("ZMPOP 0 x MIN", NO_KEYS),
            ("ZMPOP a x MIN", NO_KEYS),
            ("ZMPOP 1 x BOTH", SYNTAX),
            ("ZMPOP 2 x MIN", SYNTAX),
            ("ZMPOP 9223372036854775807 x MIN", SYNTAX),
            ("ZMPOP 1 x MIN COUNT", SYNTAX),
            ("ZMPOP 1 x MIN COUNT 0", NO_COUNT),
            ("ZMPOP 1 x MIN COUNT a", NO_COUNT),
            ("ZMPOP 1 x MIN COUNT 1 COUNT 2", SYNTAX),
            ("ZMPOP 1 x MIN COUNT 0 COUNT 2", NO_COUNT),
            ("ZMPOP 1 x MIN BOGUS 1", SYNTAX),
        ]);
    }

    #[test]
    fn pairs_in_resp3() {
        let mut harness = Harness::new(1);
        harness.run("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f");
        harness.resp3();
        harness.check(&[
            ("ZPOPMIN z", "*2\r\n$1\r\na\r\n,1\r\n"),
            ("ZPOPMIN z 1", "*1\r\n*2\r\n$1\r\nb\r\n,2\r\n"),
            ("ZMPOP 1 z MAX COUNT 2", "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nf\r\n,6\r\n*2\r\n$1\r\ne\r\n,5\r\n"),
            ("BZPOPMIN x z 0", "*3\r\n$1\r\nz\r\n$1\r\nc\r\n,3\r\n"),
            ("ZMPOP 1 x MAX", "_\r\n"),
            ("ZPOPMIN x 1", "*0\r\n"),
        ]);
    }

    #[test]
    fn the_waiting_forms_take_what_is_there() {
        check(&[
            ("ZADD z 1 a 2 b 3 c 4 d", ":4\r\n"),
            ("BZPOPMIN x z 0", "*3\r\n$1\r\nz\r\n$1\r\na\r\n$1\r\n1\r\n"),
            ("BZPOPMAX z x 0.5", "*3\r\n$1\r\nz\r\n$1\r\nd\r\n$1\r\n4\r\n"),
            (
                "BZMPOP 1 2 x z MAX COUNT 9",
                "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nc\r\n$1\r\n3\r\n*2\r\n$1\r\nb\r\n$1\r\n2\r\n",
            ),
            ("BZPOPMIN x -1", "-ERR timeout is negative\r\n"),
            ("BZPOPMIN x a", "-ERR timeout is not a float or out of range\r\n"),
            ("BZMPOP a 1 x BOTH", SYNTAX),
            ("BZMPOP a 1 x MIN", "-ERR timeout is not a float or out of range\r\n"),
            ("SET s x", "+OK\r\n"),
            ("BZPOPMIN s z 0", WRONG_TYPE),
        ]);
    }

    #[test]
    fn changes_are_counted_as_redis_does() {
        let mut harness = Harness::new(1);
        harness.run("ZADD z 1 a 2 b 3 c 4 d");
        for (line, changes) in
            [("ZPOPMIN z", 5), ("ZPOPMIN z 0", 5), ("ZPOPMIN z 2", 7), ("ZPOPMIN z 2", 8), ("ZPOPMIN z", 8)]
        {
            harness.run(line);
            assert_eq!(harness.counters().changes, changes, "{line}");
        }
    }
}
