//! Several strings at once: MGET, MSET, MSETNX. Their keys do not depend on each other, so every shard does its own.
//! MSETEX, whose condition is about all keys and whose keys are counted, runs in one place.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, BeginSearch, Command, FindKeys, Flags, KeySpec, Merge, Run, Scatter};
use crate::keyspace::write::Expiry;

use super::options::{Condition, SetOptions};
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
    // Of Redis 8.4: its manual's page, its row (msetex.json) and its test suite (unit/type/string) say what it does.
    Command {
        name: "msetex",
        arity: -4,
        run: Run::Keyed(msetex),
        flags: Flags::WRITE.and(Flags::DENYOOM),
        keys: &[KeySpec {
            flags: &["OW", "update"],
            begin: BeginSearch::Index(1),
            find: FindKeys::KeyNumber { count_index: 0, first_key: 1, step: 2 },
            notes: "",
        }],
        since: "8.4.0",
        summary: "Sets the string values of all given keys at one moment, with one expiration and under one condition.",
        complexity: "O(N), N keys",
        syntax: "numkeys:integer data{key value}... [condition(NX | XX)] [expiration(EX seconds:integer | \
                 PX milliseconds:integer | EXAT unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | \
                 KEEPTTL)]",
        tips: &["request_policy:multi_shard", "response_policy:all_succeeded"],
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

fn msetex(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let pairs = args.integer(1).ok().filter(|number| (1..=i64::from(i32::MAX)).contains(number));
    let pairs = pairs.ok_or(CommandError::Text("ERR invalid numkeys value"))? as usize;
    if args.len() < 2 + 2 * pairs {
        return Err(CommandError::Text("ERR wrong number of key-value pairs"));
    }
    let options = SetOptions::parse_several(args, 2 + 2 * pairs)?;
    let expiry = options.expiry(args, context.turn.now_ms, context.command)?;
    let keys = (2..2 + 2 * pairs).step_by(2);
    let must_exist = match options.condition {
        Condition::Absent => Some(0),
        Condition::Present => Some(1),
        Condition::Always | Condition::Compares(..) => None,
    };
    for index in keys.clone() {
        if must_exist.is_some_and(|must_exist| exists(context, index) != Ok(must_exist)) {
            context.reply.integer(0);
            return Ok(());
        }
    }
    for index in keys {
        let mut key = context.write(index);
        set_to_argument(&mut key, args, index + 1, expiry);
        super::write::record_set(&mut key, args.get(index + 1), expiry);
    }
    context.reply.integer(1);
    Ok(())
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

    #[test]
    fn several_with_one_expiration() {
        const PAIRS: &str = "-ERR wrong number of key-value pairs\r\n";
        const NUMBER: &str = "-ERR invalid numkeys value\r\n";
        const SYNTAX: &str = "-ERR syntax error\r\n";
        check(&[
            ("MSETEX 2 a 1 b 2 EX 100", ":1\r\n"),
            ("TTL b", ":100\r\n"),
            ("MSETEX 2 a 3 c 4 NX", ":0\r\n"),
            ("MSETEX 2 a 3 c 4 xx px 1000", ":0\r\n"),
            ("MGET a b c", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$-1\r\n"),
            ("MSETEX 2 b 6 a 5 KEEPTTL XX", ":1\r\n"),
            ("TTL b", ":100\r\n"),
            ("MSETEX 1 a 7", ":1\r\n"),
            ("TTL a", ":-1\r\n"),
            ("MSETEX 2 d 1 d 2 NX", ":1\r\n"),
            ("GET d", "$1\r\n2\r\n"),
            ("MSETEX 1 e 1 EXAT 1", ":1\r\n"),
            ("EXISTS e", ":0\r\n"),
            ("MSETEX key1 val1 ex 10", NUMBER),
            ("MSETEX 0 a 1", NUMBER),
            ("MSETEX -1 a 1", NUMBER),
            ("MSETEX 2147483648 a 1 EX 10", NUMBER),
            ("MSETEX 2147483647 a 1 EX 10", PAIRS),
            ("MSETEX 2 a 1 b", PAIRS),
            ("MSETEX 1 a 1 foo", SYNTAX),
            ("MSETEX 1 a 1 b 2", SYNTAX),
            ("MSETEX 1 a 1 GET", SYNTAX),
            ("MSETEX 1 a 1 IFEQ 1", SYNTAX),
            ("MSETEX 1 a 1 NX XX", SYNTAX),
            ("MSETEX 1 a 1 EX 10 PX 10", SYNTAX),
            ("MSETEX 1 a 1 KEEPTTL EX 10", SYNTAX),
            ("MSETEX 1 a 1 EX", SYNTAX),
            ("MSETEX 1 a 1 EX 0", "-ERR invalid expire time in 'msetex' command\r\n"),
            ("MSETEX 1 a 1 EX x", "-ERR value is not an integer or out of range\r\n"),
            ("MSETEX 1 a", "-ERR wrong number of arguments for 'msetex' command\r\n"),
            ("GET a", "$1\r\n7\r\n"),
        ]);
    }
}
