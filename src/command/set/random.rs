//! Members by chance: SPOP and SRANDMEMBER.

use crate::command::args::Args;
use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::repeated;
use crate::command::spec::{self, Command, Flags, Run};
use crate::resp::reply::Reply;
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::stdx::random::Random;
use crate::value::set::Set;

use super::{SET, limits, reply_member};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "spop",
        arity: -2,
        run: Run::Keyed(spop),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "access", "delete"])],
        summary: "Removes random members of a set and returns them.",
        complexity: "O(1), or O(N) with a count of N",
        syntax: "key [count:integer@3.2.0]",
        history: &[("3.2.0", "Takes a count.")],
        tips: &["nondeterministic_output"],
        ..SET
    },
    Command {
        name: "srandmember",
        arity: -2,
        run: Run::Keyed(srandmember),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns random members of a set.",
        complexity: "O(1), or O(N) with a count of N or -N",
        syntax: "key [count:integer@2.6.0]",
        history: &[("2.6.0", "Takes a count.")],
        tips: &["nondeterministic_output"],
        ..SET
    },
];

/// A source of randomness for one command.
fn source(context: &mut Context<'_>) -> Random {
    let key = context.key(1);
    Random::new(context.keyspace(&key).random_u64())
}

fn spop(context: &mut Context<'_>) -> Result<(), CommandError> {
    match context.args.len() {
        2 => {}
        3 => return spop_several(context),
        _ => return Err(CommandError::Syntax),
    }
    let mut random = source(context);
    let (mut key, reply) = context.open(1);
    let Some(set) = key.collection::<Set>()? else {
        reply.null();
        return Ok(());
    };
    let mut popped = Vec::new();
    set.pop(&mut random, |member| {
        reply_member(reply, member);
        popped.extend_from_slice(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]));
    });
    key.changed(1);
    key.effect("SREM", &[&popped]);
    key.remove_if_empty::<Set>();
    Ok(())
}

fn spop_several(context: &mut Context<'_>) -> Result<(), CommandError> {
    const NOT_POSITIVE: CommandError = CommandError::Text("ERR value is out of range, must be positive");
    let count = context.args.integer(2).ok().and_then(|count| usize::try_from(count).ok()).ok_or(NOT_POSITIVE)?;
    let (limits, mut random) = (limits(context.config), source(context));
    let (mut key, reply) = context.open(1);
    let Some(set) = key.collection::<Set>()? else {
        reply.set(0);
        return Ok(());
    };
    let len = set.len();
    reply.set(count.min(len));
    if count < len {
        let mut popped = Vec::new();
        set.pop_several(count, &limits, &mut random, |member| {
            reply_member(reply, member);
            popped.push(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]).to_vec());
        });
        key.changed(count);
        if count > 0 {
            key.effect_of("SREM", popped.len(), popped.iter().map(Vec::as_slice));
        }
    } else {
        set.iter().for_each(|member| reply_member(reply, member));
        key.remove();
        key.changed(len - 1);
        key.effect("DEL", &[]);
    }
    Ok(())
}

/// The count of SRANDMEMBER, whose magnitude must be a number too.
fn signed_count(args: Args<'_>) -> Result<i64, CommandError> {
    const OUT_OF_RANGE: &str =
        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807";
    let count = args.integer(2)?;
    if count == i64::MIN { Err(CommandError::Text(OUT_OF_RANGE)) } else { Ok(count) }
}

fn srandmember(context: &mut Context<'_>) -> Result<(), CommandError> {
    let count = match context.args.len() {
        2 => None,
        3 => Some(signed_count(context.args)?),
        _ => return Err(CommandError::Syntax),
    };
    let mut random = source(context);
    let (set, reply) = context.read_collection::<Set>(1)?;
    match (set, count) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.array(0),
        (Some(set), None) => set.random(&mut random).into_iter().for_each(|member| reply_member(reply, member)),
        (Some(set), Some(count)) if count < 0 => {
            return reply_drawn(reply, set, count.unsigned_abs(), &mut random);
        }
        (Some(set), Some(count)) => {
            let count = usize::try_from(count).unwrap_or(usize::MAX).min(set.len());
            reply.array(count);
            set.sample(count, &mut random, |member| reply_member(reply, member));
        }
    }
    Ok(())
}

/// Replies with members, any of them several times.
fn reply_drawn(reply: &mut Reply, set: &Set, count: u64, random: &mut Random) -> Result<(), CommandError> {
    repeated::check_count(count)?;
    let start = reply.position();
    reply.array(count as usize);
    for _ in 0..count {
        set.random(random).into_iter().for_each(|member| reply_member(reply, member));
        if repeated::is_too_long(reply, start) {
            return Err(repeated::TOO_LONG);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn what_chance_does_not_decide() {
        check(&[
            ("SADD s 1", ":1\r\n"),
            ("SRANDMEMBER s", "$1\r\n1\r\n"),
            ("SRANDMEMBER s 3", "*1\r\n$1\r\n1\r\n"),
            ("SRANDMEMBER s -3", "*3\r\n$1\r\n1\r\n$1\r\n1\r\n$1\r\n1\r\n"),
            ("SRANDMEMBER s 0", "*0\r\n"),
            ("SRANDMEMBER s 9223372036854775807", "*1\r\n$1\r\n1\r\n"),
            (
                "SRANDMEMBER s -9223372036854775808",
                "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n",
            ),
            ("SRANDMEMBER s a", "-ERR value is not an integer or out of range\r\n"),
            ("SRANDMEMBER s 1 2", "-ERR syntax error\r\n"),
            ("SRANDMEMBER x", "$-1\r\n"),
            ("SRANDMEMBER x 3", "*0\r\n"),
            ("SPOP s 0", "*0\r\n"),
            ("SPOP s -1", "-ERR value is out of range, must be positive\r\n"),
            ("SPOP s a", "-ERR value is out of range, must be positive\r\n"),
            ("SPOP s 1 2", "-ERR syntax error\r\n"),
            ("SPOP s", "$1\r\n1\r\n"),
            ("EXISTS s", ":0\r\n"),
            ("SPOP s", "$-1\r\n"),
            ("SPOP s 3", "*0\r\n"),
            ("SADD s 1 2", ":2\r\n"),
            ("SPOP s 2", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
            ("EXISTS s", ":0\r\n"),
            ("SET t x", "+OK\r\n"),
            ("SPOP t", WRONG_TYPE),
            ("SPOP t 1", WRONG_TYPE),
            ("SRANDMEMBER t", WRONG_TYPE),
            ("SRANDMEMBER t 1", WRONG_TYPE),
        ]);
    }

    #[test]
    fn resp3_tells_sets_from_lists() {
        let mut harness = Harness::new(1);
        harness.resp3();
        harness.run("SADD s 1");
        assert_eq!(harness.run("SRANDMEMBER s 2"), "*1\r\n$1\r\n1\r\n");
        assert_eq!(harness.run("SRANDMEMBER x 2"), "*0\r\n");
        assert_eq!(harness.run("SRANDMEMBER x"), "_\r\n");
        assert_eq!(harness.run("SPOP s 2"), "~1\r\n$1\r\n1\r\n");
        assert_eq!(harness.run("SPOP s 2"), "~0\r\n");
        assert_eq!(harness.run("SPOP s"), "_\r\n");
    }

    #[test]
    fn changes_are_counted_as_redis_does() {
        let mut harness = Harness::new(4);
        for (line, changes) in [
            ("SADD s 1 2 3 4 5 6", 6),
            ("SRANDMEMBER s 3", 6),
            ("SPOP s", 7),
            ("SPOP s 0", 7),
            ("SPOP s 2", 9),
            ("SPOP s 9", 12),
            ("SPOP s 9", 12),
        ] {
            harness.run(line);
            assert_eq!(harness.counters().changes, changes, "{line}");
        }
        assert_eq!(harness.counters().hits, 1, "SRANDMEMBER reads, SPOP does not count as reading");
    }
}
