//! Removing members: ZREM, and ranges of ranks, scores and bytes.

use std::ops::Range;

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run};
use crate::keyspace::write::{KeyWrite, OtherType};
use crate::value::sorted_set::SortedSet;

use super::{SORTED_SET, member_range, ranks_of, score_range};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "zrem",
        arity: -3,
        run: Run::Keyed(zrem),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "delete"])],
        member: 2,
        since: "1.2.0",
        summary: "Removes members from a sorted set.",
        complexity: "O(M log N), M members given and N in the set",
        syntax: "key member...",
        history: &[("2.4.0", "Takes several members.")],
        ..SORTED_SET
    },
    Command {
        name: "zremrangebyrank",
        arity: 4,
        run: Run::Keyed(zremrangebyrank),
        flags: Flags::WRITE,
        keys: &[spec::one(&["RW", "delete"])],
        since: "2.0.0",
        summary: "Removes the members whose ranks lie in a range.",
        complexity: "O(M + log N), M members removed and N in the set",
        syntax: "key start:integer stop:integer",
        ..SORTED_SET
    },
    Command {
        name: "zremrangebyscore",
        arity: 4,
        run: Run::Keyed(zremrangebyscore),
        flags: Flags::WRITE,
        keys: &[spec::one(&["RW", "delete"])],
        since: "1.2.0",
        summary: "Removes the members whose scores lie in a range.",
        complexity: "O(M + log N), M members removed and N in the set",
        syntax: "key min:double max:double",
        ..SORTED_SET
    },
    Command {
        name: "zremrangebylex",
        arity: 4,
        run: Run::Keyed(zremrangebylex),
        flags: Flags::WRITE,
        keys: &[spec::one(&["RW", "delete"])],
        since: "2.8.9",
        summary: "Removes the members between two others, in the order of their bytes.",
        complexity: "O(M + log N), M members removed and N in the set",
        syntax: "key min max",
        ..SORTED_SET
    },
];

fn zrem(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(1);
    let mut removed = 0;
    if let Some(set) = key.collection::<SortedSet>()? {
        for member in args.iter_from(2) {
            removed += usize::from(set.remove(member).is_some());
            if set.is_empty() {
                break;
            }
        }
        key.changed(removed);
        key.remove_if_empty::<SortedSet>();
    }
    reply.integer(removed as i64);
    Ok(())
}

/// Removes the members of these ranks of the set at a key; with the last one goes the key. They must exist.
pub(super) fn remove_ranks(key: &mut KeyWrite<'_>, ranks: Range<usize>) -> Result<(), OtherType> {
    let Some(set) = key.collection::<SortedSet>()? else { return Ok(()) };
    let count = ranks.len();
    if count == set.len() {
        // As a whole, a large set is freed in slices.
        key.remove();
        key.changed(count - 1);
    } else {
        set.remove_ranks(ranks);
        key.changed(count);
    }
    Ok(())
}

/// Removes the ranks that `find` finds, and replies how many they were.
fn remove_found(context: &mut Context<'_>, find: impl FnOnce(&SortedSet) -> Range<usize>) -> Result<(), CommandError> {
    let (mut key, reply) = context.open(1);
    let ranks = key.collection::<SortedSet>()?.map_or(0..0, |set| find(set));
    reply.integer(ranks.len() as i64);
    if !ranks.is_empty() {
        remove_ranks(&mut key, ranks)?;
    }
    Ok(())
}

fn zremrangebyrank(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (start, stop) = (context.args.integer(2)?, context.args.integer(3)?);
    remove_found(context, |set| ranks_of(start, stop, set.len()))
}

fn zremrangebyscore(context: &mut Context<'_>) -> Result<(), CommandError> {
    let range = score_range(context.args, 2, 3)?;
    remove_found(context, |set| set.ranks(&range))
}

fn zremrangebylex(context: &mut Context<'_>) -> Result<(), CommandError> {
    let range = member_range(context.args, 2, 3)?;
    remove_found(context, |set| set.ranks(&range))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

    #[test]
    fn removing() {
        check(&[
            ("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g", ":7\r\n"),
            ("ZREM z a x a", ":1\r\n"),
            ("ZREM x a", ":0\r\n"),
            ("ZREMRANGEBYRANK z -1 -1", ":1\r\n"),
            ("ZREMRANGEBYSCORE z (2 3", ":1\r\n"),
            ("ZREMRANGEBYSCORE z 9 1", ":0\r\n"),
            ("ZRANGE z 0 -1", "*4\r\n$1\r\nb\r\n$1\r\nd\r\n$1\r\ne\r\n$1\r\nf\r\n"),
            ("ZREMRANGEBYLEX z [e (f", ":1\r\n"),
            ("ZREMRANGEBYLEX z - +", ":3\r\n"),
            ("EXISTS z", ":0\r\n"),
            ("ZREMRANGEBYRANK z 0 -1", ":0\r\n"),
            ("ZREMRANGEBYRANK z 0 x", "-ERR value is not an integer or out of range\r\n"),
            ("ZREMRANGEBYSCORE z 0 x", "-ERR min or max is not a float\r\n"),
            ("ZREMRANGEBYLEX z 0 x", "-ERR min or max not valid string range item\r\n"),
            ("SET s x", "+OK\r\n"),
            ("ZREM s a", WRONG_TYPE),
            ("ZREMRANGEBYRANK s 0 1", WRONG_TYPE),
            ("ZREMRANGEBYSCORE s 0 1", WRONG_TYPE),
            ("ZREMRANGEBYLEX s - +", WRONG_TYPE),
        ]);
    }

    #[test]
    fn changes_are_counted_as_redis_does() {
        let mut harness = Harness::new(1);
        harness.run("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f 7 g");
        for (line, changes) in [
            ("ZREM z x", 7),
            ("ZREM z a b", 9),
            ("ZREMRANGEBYRANK z 0 0", 10),
            ("ZREMRANGEBYSCORE z 100 200", 10),
            ("ZREMRANGEBYLEX z - +", 14),
            ("ZADD z 1 a", 15),
            ("ZREM z a", 16),
            ("ZREM z a", 16),
        ] {
            harness.run(line);
            assert_eq!(harness.counters().changes, changes, "{line}");
        }
    }
}
