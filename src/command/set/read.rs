//! Asking one set: SCARD, SISMEMBER, SMISMEMBER, SMEMBERS, SSCAN.

use crate::command::context::Context;
use crate::command::error::CommandError;
use crate::command::scan_options::{self, Page, ScanOptions, Walked};
use crate::command::spec::{self, Command, Flags, Run};
use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::set::Set;

use super::{SET, reply_member};

/// The rows.
pub const COMMANDS: &[Command] = &[
    Command {
        name: "scard",
        arity: 2,
        run: Run::Keyed(scard),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        summary: "Returns how many members a set has.",
        syntax: "key",
        ..SET
    },
    Command {
        name: "sismember",
        arity: 3,
        run: Run::Keyed(sismember),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_LOOK,
        member: 2,
        summary: "Tells whether a set has a member.",
        syntax: "key member",
        ..SET
    },
    Command {
        name: "smismember",
        arity: -3,
        run: Run::Keyed(smismember),
        flags: Flags::READONLY.and(Flags::FAST),
        keys: spec::KEY_READ,
        member: 2,
        since: "6.2.0",
        summary: "Tells of several members whether a set has them.",
        complexity: "O(N), N members given",
        syntax: "key member...",
        ..SET
    },
    Command {
        name: "smembers",
        arity: 2,
        run: Run::Keyed(smembers),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        summary: "Returns all members of a set.",
        complexity: "O(N), N members of the set",
        syntax: "key",
        tips: &["nondeterministic_output_order"],
        ..SET
    },
    Command {
        name: "sscan",
        arity: -3,
        run: Run::Keyed(sscan),
        flags: Flags::READONLY,
        keys: spec::KEY_READ,
        since: "2.8.0",
        summary: "Walks over the members of a set, a few with each call.",
        complexity: "O(1) a call; O(N) for the whole walk, N members of the set",
        syntax: "key cursor:integer [MATCH pattern:pattern] [COUNT count:integer]",
        tips: &["nondeterministic_output"],
        ..SET
    },
];

fn scard(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (set, reply) = context.read_collection::<Set>(1)?;
    reply.integer(set.map_or(0, Set::len) as i64);
    Ok(())
}

fn sismember(context: &mut Context<'_>) -> Result<(), CommandError> {
    let member = context.args.get(2);
    let (set, reply) = context.read_collection::<Set>(1)?;
    reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    Ok(())
}

fn smismember(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let (set, reply) = context.read_collection::<Set>(1)?;
    reply.array(args.len() - 2);
    for member in args.iter_from(2) {
        reply.integer(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

fn smembers(context: &mut Context<'_>) -> Result<(), CommandError> {
    let (set, reply) = context.read_collection::<Set>(1)?;
    reply.set(set.map_or(0, Set::len));
    set.iter().flat_map(|set| set.iter()).for_each(|member| reply_member(reply, member));
    Ok(())
}

fn sscan(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let cursor = scan_options::cursor(args, 2)?;
    let (set, reply) = context.read_collection::<Set>(1)?;
    let mut page = Page::new(reply);
    let mut next = 0;
    if let Some(set) = set {
        let options = ScanOptions::parse(args, 3, Walked::Members)?;
        next = options.walk(&mut page, cursor, |cursor, page| {
            set.scan(cursor, |member| {
                page.met += 1;
                if options.accepts(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX])) {
                    reply_member(page.item(), member);
                }
            })
        });
    }
    page.finish(reply, next);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::command::testing::{Harness, check};

    #[test]
    fn asking() {
        check(&[
            ("SADD s 1 2", ":2\r\n"),
            ("SCARD s", ":2\r\n"),
            ("SCARD x", ":0\r\n"),
            ("SISMEMBER s 1", ":1\r\n"),
            ("SISMEMBER s 01", ":0\r\n"),
            ("SISMEMBER x 1", ":0\r\n"),
            ("SMISMEMBER s 1 a 2", "*3\r\n:1\r\n:0\r\n:1\r\n"),
            ("SMISMEMBER x 1 2", "*2\r\n:0\r\n:0\r\n"),
            ("SMEMBERS s", "*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
            ("SMEMBERS x", "*0\r\n"),
            ("SSCAN s 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\n1\r\n$1\r\n2\r\n"),
            ("SSCAN s 99 MATCH 2 COUNT 1", "*2\r\n$1\r\n0\r\n*1\r\n$1\r\n2\r\n"),
            ("SSCAN x 5 BOGUS", "*2\r\n$1\r\n0\r\n*0\r\n"),
            ("SSCAN x a", "-ERR invalid cursor\r\n"),
            ("SSCAN s 0 BOGUS", "-ERR syntax error\r\n"),
            ("SSCAN s 0 COUNT 0", "-ERR syntax error\r\n"),
            ("SSCAN s 0 TYPE set", "-ERR syntax error\r\n"),
            ("SSCAN s 0 NOVALUES", "-ERR NOVALUES option can only be used in HSCAN\r\n"),
            ("SET t x", "+OK\r\n"),
            ("SCARD t", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SMEMBERS t", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SMISMEMBER t a", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ("SSCAN t 0", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ]);
    }

    #[test]
    fn members_are_a_set_in_resp3() {
        let mut harness = Harness::new(1);
        harness.run("SADD s 1");
        harness.resp3();
        assert_eq!(harness.run("SMEMBERS s"), "~1\r\n$1\r\n1\r\n");
        assert_eq!(harness.run("SMEMBERS x"), "~0\r\n");
        assert_eq!(harness.run("SMISMEMBER s 1"), "*1\r\n:1\r\n");
    }

    /// A page of SSCAN: the cursor, and the members.
    fn page(harness: &mut Harness, line: &str) -> (String, Vec<String>) {
        let reply = harness.run(line);
        let lines: Vec<&str> = reply.split("\r\n").collect();
        (lines[2].to_owned(), lines[5..].iter().step_by(2).map(|&member| member.to_owned()).collect())
    }

    #[test]
    fn a_walk_over_a_large_set_shows_every_member() {
        let mut harness = Harness::new(4);
        for number in 0..2_000 {
            harness.run(&format!("SADD s m{number}"));
        }
        let (mut cursor, mut seen, mut calls) = ("0".to_owned(), BTreeSet::new(), 0);
        loop {
            let (next, members) = page(&mut harness, &format!("SSCAN s {cursor} COUNT 50"));
            assert!(members.len() < 70, "a page of {}", members.len());
            seen.extend(members);
            calls += 1;
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(seen.len(), 2_000);
        assert!((25..45).contains(&calls), "{calls}");
        let (cursor, _) = page(&mut harness, "SSCAN s 0 COUNT 50");
        harness.run("DEL s");
        assert_eq!(page(&mut harness, &format!("SSCAN s {cursor}")), ("0".to_owned(), Vec::new()));
        assert_eq!(harness.counters().hits, calls + 1);
    }
}
