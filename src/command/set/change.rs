//! Changing sets member by member: SADD, SREM, SMOVE.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::spec::{self, Command, Flags, Run, key_at};
use crate::value::set::Set;

use super::{SET, limits};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "sadd",
        arity: -3,
        run: Run::Keyed(sadd),
        flags: Flags::WRITE.and(Flags::DENYOOM).and(Flags::FAST),
        keys: &[spec::one(&["RW", "insert"])],
        member: 2,
        summary: "Adds members to a set, which begins to exist with the first one.",
        complexity: "O(N), N members given",
        syntax: "key member...",
        history: &[("2.4.0", "Takes several members.")],
        ..SET
    },
    Command {
        name: "srem",
        arity: -3,
        run: Run::Keyed(srem),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[spec::one(&["RW", "delete"])],
        member: 2,
        summary: "Removes members from a set, which ceases to exist with the last one.",
        complexity: "O(N), N members given",
        syntax: "key member...",
        history: &[("2.4.0", "Takes several members.")],
        ..SET
    },
    Command {
        name: "smove",
        arity: 4,
        run: Run::Keyed(smove),
        flags: Flags::WRITE.and(Flags::FAST),
        keys: &[key_at(1, &["RW", "access", "delete"]), key_at(2, &["RW", "insert"])],
        summary: "Moves a member from one set to another.",
        syntax: "source:key destination:key member",
        ..SET
    },
];

fn sadd(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context.config));
    let count = args.len() - 2;
    let (mut key, reply) = context.open(1);
    let set = key.collection_or(|| Set::for_members(args.get(2), count, &limits))?;
    set.expect(count, &limits);
    let added = args.iter_from(2).filter(|member| set.add(member, &limits)).count();
    key.changed(added);
    reply.integer(added as i64);
    Ok(())
}

fn srem(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (mut key, reply) = context.open(1);
    let removed = match key.collection::<Set>()? {
        None => 0,
        Some(set) => args.iter_from(2).filter(|member| set.remove(member)).count(),
    };
    key.changed(removed);
    key.remove_if_empty::<Set>();
    reply.integer(removed as i64);
    Ok(())
}

fn smove(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (args, limits) = (context.args, limits(context.config));
    let member = args.get(3);
    let is_member = context.write(1).collection::<Set>()?.map(|set| set.contains(member));
    let Some(is_member) = is_member else {
        context.reply.integer(0);
        return Ok(());
    };
    context.write(2).collection::<Set>()?;
    if is_member && args.get(1) != args.get(2) {
        let mut source = context.write(1);
        let is_removed = source.collection::<Set>()?.is_some_and(|set| set.remove(member));
        source.changed(usize::from(is_removed));
        source.remove_if_empty::<Set>();
        drop(source);
        let mut destination = context.write(2);
        let is_added = destination.collection_or(|| Set::for_members(member, 1, &limits))?.add(member, &limits);
        destination.changed(usize::from(is_added));
    }
    context.reply.integer(i64::from(is_member));
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::command::testing::{Harness, check};

    #[test]
    fn adding_and_removing() {
        check(&[
            ("SADD s a b a", ":2\r\n"),
            ("SADD s b c", ":1\r\n"),
            ("SCARD s", ":3\r\n"),
            ("SREM s a x", ":1\r\n"),
            ("SREM s x", ":0\r\n"),
            ("SREM s b c c", ":2\r\n"),
            ("EXISTS s", ":0\r\n"),
            ("SREM s b", ":0\r\n"),
            ("SET t x", "+OK\r\n"),
            ("SADD t a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SREM t a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SADD s", "-ERR wrong number of arguments for 'sadd' command\r\n"),
        ]);
    }

    #[test]
    fn moving() {
        check(&[
            ("SMOVE a b 1", ":0\r\n"),
            ("SADD a 1 2", ":2\r\n"),
            ("SMOVE a b 3", ":0\r\n"),
            ("EXISTS b", ":0\r\n"),
            ("SMOVE a b 1", ":1\r\n"),
            ("SMEMBERS a", "*1\r\n$1\r\n2\r\n"),
            ("SMEMBERS b", "*1\r\n$1\r\n1\r\n"),
            ("SMOVE a a 2", ":1\r\n"),
            ("SMOVE a a 3", ":0\r\n"),
            ("SADD b 2", ":1\r\n"),
            ("SMOVE a b 2", ":1\r\n"),
            ("EXISTS a", ":0\r\n"),
            ("SET t x", "+OK\r\n"),
            ("SMOVE a t 2", ":0\r\n"),
            ("SMOVE b t 3", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SMOVE t b 2", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SCARD b", ":2\r\n"),
        ]);
    }

    #[test]
    fn changes_are_counted_as_redis_does() {
        let mut harness = Harness::new(4);
        for (line, changes) in [
            ("SADD a 1 2 2 3", 3),
            ("SADD a 1", 3),
            ("SREM a 1 9", 4),
            ("SMOVE a b 2", 6),
            ("SADD a 2", 7),
            ("SMOVE a b 2", 8),
            ("SMOVE a a 3", 8),
            ("SREM a 3", 9),
        ] {
            harness.run(line);
            assert_eq!(harness.counters().changes, changes, "{line}");
        }
        assert_eq!(harness.counters().hits + harness.counters().misses, 0);
    }

    #[test]
    fn parameters_decide_the_form() {
        let mut harness = Harness::new(1);
        harness.configure("set-max-intset-entries", "3");
        harness.configure("set-max-listpack-entries", "2");
        harness.configure("set-max-listpack-value", "4");
        let table: &[(&str, &str)] = &[
            ("SADD i 1 2 3", "intset"),
            ("SADD i 4", "hashtable"),
            ("SADD j 1 2 3 4", "hashtable"),
            ("SADD l a 1", "listpack"),
            ("SADD l b", "hashtable"),
            ("SADD m abcde", "hashtable"),
            ("SADD n 12345", "intset"),
            ("SADD n a", "hashtable"),
            ("SADD o 1 a", "listpack"),
        ];
        for (line, encoding) in table {
            harness.run(line);
            let key = line.split(' ').nth(1).expect("a key");
            let reply = harness.run(&format!("OBJECT ENCODING {key}"));
            assert_eq!(reply, format!("${}\r\n{encoding}\r\n", encoding.len()), "{line}");
        }
    }
}
