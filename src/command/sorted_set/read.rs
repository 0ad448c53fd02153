//! What asks one sorted set: how many members, which scores and ranks.

use std::ops::Range;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::value::sorted_set::SortedSet;

use super::{SORTED_SET, member_range, score_range};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zcard",
        arity: 2,
        run: Run::Keyed(zcard),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        since: "1.2.0",
        summary: "Counts the members of a sorted set.",
        syntax: "key",
        ..SORTED_SET
    },
    Command {
        name: "zcount",
        arity: 4,
        run: Run::Keyed(zcount),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        since: "2.0.0",
        summary: "Counts the members whose scores lie in a range.",
        complexity: "O(log N), N members of the set",
        syntax: "key min:double max:double",
        ..SORTED_SET
    },
    Command {
        name: "zlexcount",
        arity: 4,
        run: Run::Keyed(zlexcount),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        since: "2.8.9",
        summary: "Counts the members between two others, in the order of their bytes.",
        complexity: "O(log N), N members of the set",
        syntax: "key min max",
        ..SORTED_SET
    },
    Command {
        name: "zscore",
        arity: 3,
        run: Run::Keyed(zscore),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        member: 2,
        since: "1.2.0",
        summary: "Returns the score of a member.",
        syntax: "key member",
        ..SORTED_SET
    },
    Command {
        name: "zmscore",
        arity: -3,
        run: Run::Keyed(zmscore),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        member: 2,
        since: "6.2.0",
        summary: "Returns the scores of several members.",
        complexity: "O(M), M members given",
        syntax: "key member...",
        ..SORTED_SET
    },
    Command {
        name: "zrank",
        arity: -3,
        run: Run::Keyed(zrank),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        member: 2,
        since: "2.0.0",
        summary: "Returns the rank of a member, counted from the lowest score.",
        complexity: "O(log N), N members of the set",
        syntax: "key member [WITHSCORE]",
        history: &[("7.2.0", "Takes WITHSCORE.")],
        ..SORTED_SET
    },
    Command {
        name: "zrevrank",
        arity: -3,
        run: Run::Keyed(zrevrank),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        member: 2,
        since: "2.0.0",
        summary: "Returns the rank of a member, counted from the highest score.",
        complexity: "O(log N), N members of the set",
        syntax: "key member [WITHSCORE]",
        history: &[("7.2.0", "Takes WITHSCORE.")],
        ..SORTED_SET
    },
];

fn zcard(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    reply.integer(set.map_or(0, SortedSet::len) as i64);
    Ok(())
}

fn count(context: &mut Context<'_>, find: impl FnOnce(&SortedSet) -> Range<usize>) -> Result<(), CommandError> {
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    reply.integer(set.map_or(0..0, find).len() as i64);
    Ok(())
}

fn zcount(context: &mut Context<'_>) -> Result<(), CommandError> {
    let range = score_range(context.args, 2, 3)?;
    count(context, |set| set.ranks(&range))
}

fn zlexcount(context: &mut Context<'_>) -> Result<(), CommandError> {
    let range = member_range(context.args, 2, 3)?;
    count(context, |set| set.ranks(&range))
}

fn zscore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let member = context.args.get(2);
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    match set.and_then(|set| set.score(member)) {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
    Ok(())
}

fn zmscore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    reply.array(args.len() - 2);
    for member in args.iter_from(2) {
        match set.and_then(|set| set.score(member)) {
            Some(score) => reply.double(score),
            None => reply.null(),
        }
    }
    Ok(())
}

fn zrank(context: &mut Context<'_>) -> Result<(), CommandError> {
    rank(context, |rank, _| rank)
}

fn zrevrank(context: &mut Context<'_>) -> Result<(), CommandError> {
    rank(context, |rank, len| len - 1 - rank)
}

fn rank(context: &mut Context<'_>, count: fn(usize, usize) -> usize) -> Result<(), CommandError> {
    let args = context.args;
    let with_score = match args.len() {
        3 => false,
        4 if args.is(3, b"withscore") => true,
        4 => return Err(CommandError::Syntax),
        _ => return Err(CommandError::Arity(context.command)),
    };
    let (set, reply) = context.read_collection::<SortedSet>(1)?;
    let found = set.and_then(|set| set.rank(args.get(2)).map(|(rank, score)| (count(rank, set.len()), score)));
    match found {
        Some((rank, score)) => {
            if with_score {
                reply.array(2);
            }
            reply.integer(rank as i64);
            if with_score {
                reply.double(score);
            }
        }
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::Harness;

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn asking() {
        for limit in ["128", "0"] {
            let mut harness = Harness::new(4);
            harness.configure("zset-max-listpack-entries", limit);
            harness.check(&[
                ("ZADD z 1 a 2.5 b 2.5 c inf d", ":4\r\n"),
                ("ZCARD z", ":4\r\n"),
                ("ZCARD x", ":0\r\n"),
                ("ZCOUNT z 1 2.5", ":3\r\n"),
                ("ZCOUNT z (1 (2.5", ":0\r\n"),
                ("ZCOUNT z (1 +inf", ":3\r\n"),
                ("ZCOUNT z '' ' 1'", ":1\r\n"),
                ("ZCOUNT z 5 1", ":0\r\n"),
                ("ZCOUNT x 1 2", ":0\r\n"),
                ("ZCOUNT x nan 2", "-ERR min or max is not a float\r\n"),
                ("ZLEXCOUNT z - +", ":4\r\n"),
                ("ZLEXCOUNT x - +", ":0\r\n"),
                ("ZLEXCOUNT x a b", "-ERR min or max not valid string range item\r\n"),
                ("ZSCORE z b", "$3\r\n2.5\r\n"),
                ("ZSCORE z x", "$-1\r\n"),
                ("ZSCORE x b", "$-1\r\n"),
                ("ZMSCORE z a x d", "*3\r\n$1\r\n1\r\n$-1\r\n$3\r\ninf\r\n"),
                ("ZMSCORE x a", "*1\r\n$-1\r\n"),
                ("ZRANK z c", ":2\r\n"),
                ("ZREVRANK z c", ":1\r\n"),
                ("ZRANK z x", "$-1\r\n"),
                ("ZRANK x a", "$-1\r\n"),
                ("ZRANK z c WITHSCORE", "*2\r\n:2\r\n$3\r\n2.5\r\n"),
                ("ZREVRANK z x WITHSCORE", "*-1\r\n"),
                ("ZRANK z c WITHSCORES", "-ERR syntax error\r\n"),
                ("ZRANK z c WITHSCORE x", "-ERR wrong number of arguments for 'zrank' command\r\n"),
                ("SET s x", "+OK\r\n"),
                ("ZCARD s", WRONG_TYPE),
                ("ZSCORE s a", WRONG_TYPE),
                ("ZMSCORE s a", WRONG_TYPE),
                ("ZRANK s a", WRONG_TYPE),
                ("ZCOUNT s 1 2", WRONG_TYPE),
                ("ZLEXCOUNT s - +", WRONG_TYPE),
            ]);
        }
    }

    #[test]
    fn scores_are_doubles_in_resp3() {
        let mut harness = Harness::new(1);
        harness.run("ZADD z 1.5 a");
        harness.resp3();
        harness.check(&[
            ("ZSCORE z a", ",1.5\r\n"),
            ("ZSCORE z x", "_\r\n"),
            ("ZMSCORE z a x", "*2\r\n,1.5\r\n_\r\n"),
            ("ZRANK z a WITHSCORE", "*2\r\n:0\r\n,1.5\r\n"),
            ("ZRANK z x WITHSCORE", "_\r\n"),
        ]);
    }
}
