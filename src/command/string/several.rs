//! Several strings at once: MGET, MSET, MSETNX. Their keys do not depend on each other, so every shard does its own.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Merge, Run, Scatter};
use crate::keyspace::write::Expiry;

use super::{STRING, reply_string, set_to_argument};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "mget",
        arity: -2,
        run: Run::Scatter(Scatter { part: mget_one, step: 1, merge: Merge::Array, unless: None }),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEYS_READ,
        summary: "Returns the string values of all given keys at one moment.",
        complexity: "O(N), N keys",
        syntax: "key...",
        tips: &["request_policy:multi_shard"],
        ..STRING
    },
    Command {
        name: "mset",
        arity: -3,
        run: Run::Scatter(Scatter { part: mset_one, step: 2, merge: Merge::Ok, unless: None }),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: spec::KEYS_OVERWRITE_PAIRS,
        since: "1.0.1",
        summary: "Sets the string values of all given keys at one moment.",
        complexity: "O(N), N keys",
        syntax: "data{key value}...",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
        ..STRING
    },
    // Redis 7.0 shows routing tips for MSETNX; 7.2 took them back, since its parts are not independent in a cluster.
    Command {
        name: "msetnx",
        arity: -3,
        run: Run::Scatter(Scatter { part: mset_one, step: 2, merge: Merge::Ok, unless: Some(exists) }),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: spec::KEYS_INSERT_PAIRS,
        since: "1.0.1",
        summary: "Sets the string values of all given keys at one moment, if none of them exists.",
        complexity: "O(N), N keys",
        syntax: "data{key value}...",
        ..STRING
    },
];

fn mget_one(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    let (value, reply) = context.read_string(item);
    // What is no string is no error here, but nothing.
    if value.is_none_or(|value| reply_string(reply, value).is_err()) {
        context.reply.null();
    }
    Ok(0)
}

fn mset_one(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    let args = context.args;
    let (mut key, _) = context.open(item);
    set_to_argument(&mut key, args, item + 1, Expiry::Never);
    Ok(0)
}

fn exists(context: &mut Context<'_>, item: usize) -> Result<i64, CommandError> {
    let (key, database, turn) = (context.key(item), context.database, context.turn);
    Ok(i64::from(context.keyspaces.of(&key).peek(database, &key, turn).is_some()))
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn several() {
        check(&[
            ("MSET a 1 b 2 c 3 a 4", "+OK\r\n"),
            ("MGET a b x c a", "*5\r\n$1\r\n4\r\n$1\r\n2\r\n$-1\r\n$1\r\n3\r\n$1\r\n4\r\n"),
            ("MSETNX x 1 a 9", ":0\r\n"),
            ("GET x", "$-1\r\n"),
            ("MSETNX x 1 y 2 x 3", ":1\r\n"),
            ("MGET x y", "*2\r\n$1\r\n3\r\n$1\r\n2\r\n"),
            ("MSET a", "-ERR wrong number of arguments for 'mset' command\r\n"),
            ("MSET a 1 b", "-ERR wrong number of arguments for 'mset' command\r\n"),
            ("MSETNX n 1 m", "-ERR wrong number of arguments for 'msetnx' command\r\n"),
            ("GET n", "$-1\r\n"),
        ]);
    }

    #[test]
    fn every_pair_is_a_change_and_a_refused_msetnx_is_none() {
        let mut harness = Harness::new(4);
        harness.run("MSET a 1 b 2 c 3");
        assert_eq!(harness.counters().changes, 3);
        harness.run("MSETNX d 1 a 2");
        assert_eq!(harness.counters().changes, 3);
        harness.run("MSETNX d 1 e 2");
        assert_eq!(harness.counters().changes, 5);
        assert_eq!(harness.counters().hits + harness.counters().misses, 0);
    }
}
