//! Tests of intersections, unions and differences, with a model for all three.

use std::collections::BTreeSet;

use super::*;
use crate::command::testing::{Harness, check};
use crate::stdx::random::Random;

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

#[test]
fn small_sets() {
    check(&[
        ("SADD a 1 2 3", ":3\r\n"),
        ("SADD b 2 3 4", ":3\r\n"),
        ("SINTER a b", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("SINTER a b a", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("SINTER a x", "*0\r\n"),
        ("SINTERCARD 2 a b", ":2\r\n"),
        ("SINTERCARD 2 a b LIMIT 1", ":1\r\n"),
        ("SINTERCARD 2 a b LIMIT 0", ":2\r\n"),
        ("SINTERCARD 2 a x LIMIT 5 limit 6", ":0\r\n"),
        ("SINTERSTORE r a b", ":2\r\n"),
        ("SMEMBERS r", "*2\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("SUNIONSTORE r a b x", ":4\r\n"),
        ("SMEMBERS r", "*4\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n$1\r\n4\r\n"),
        ("SDIFF r a", "*1\r\n$1\r\n4\r\n"),
        ("SDIFF x a", "*0\r\n"),
        ("SDIFF r a r", "*0\r\n"),
        ("SDIFFSTORE r r a", ":1\r\n"),
        ("SMEMBERS r", "*1\r\n$1\r\n4\r\n"),
        ("SUNION x y", "*0\r\n"),
        ("SUNION r r", "*1\r\n$1\r\n4\r\n"),
    ]);
}

#[test]
fn mistakes() {
    check(&[
        ("SADD a 1", ":1\r\n"),
        ("SET t x", "+OK\r\n"),
        ("SINTER a t", WRONG_TYPE),
        ("SINTER x t", WRONG_TYPE),
        ("SUNION t a", WRONG_TYPE),
        ("SDIFFSTORE r x t", WRONG_TYPE),
        ("SINTERCARD 0 a", "-ERR numkeys should be greater than 0\r\n"),
        ("SINTERCARD x a", "-ERR numkeys should be greater than 0\r\n"),
        ("SINTERCARD 2 a", "-ERR Number of keys can't be greater than number of args\r\n"),
        ("SINTERCARD 9223372036854775807 a", "-ERR Number of keys can't be greater than number of args\r\n"),
        ("SINTERCARD 1 a LIMIT", "-ERR syntax error\r\n"),
        ("SINTERCARD 1 a b", "-ERR syntax error\r\n"),
        ("SINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative\r\n"),
        ("SINTERCARD 1 a LIMIT x", "-ERR LIMIT can't be negative\r\n"),
    ]);
}

#[test]
fn a_result_replaces_whatever_was_there() {
    check(&[
        ("SADD a 1", ":1\r\n"),
        ("SET t x EX 100", "+OK\r\n"),
        ("SINTERSTORE t a", ":1\r\n"),
        ("TYPE t", "+set\r\n"),
        ("TTL t", ":-1\r\n"),
        ("SET t x", "+OK\r\n"),
        ("SINTERSTORE t a x", ":0\r\n"),
        ("EXISTS t", ":0\r\n"),
        ("SUNIONSTORE a x", ":0\r\n"),
        ("EXISTS a", ":0\r\n"),
        ("SADD a 1", ":1\r\n"),
        ("SDIFFSTORE a a a", ":0\r\n"),
        ("EXISTS a", ":0\r\n"),
    ]);
}

#[test]
fn changes_and_reads_are_counted_as_redis_does() {
    let mut harness = Harness::new(4);
    for (line, changes, hits, misses) in [
        ("SADD a 1 2", 2, 0, 0),
        ("SUNIONSTORE b a x", 3, 1, 1),
        ("SDIFFSTORE b a a", 4, 3, 1),
        ("SDIFFSTORE b a a", 4, 5, 1),
        ("SINTER a a x", 4, 7, 2),
    ] {
        harness.run(line);
        let counters = harness.counters();
        assert_eq!((counters.changes, counters.hits, counters.misses), (changes, hits, misses), "{line}");
    }
}

#[test]
fn replies_are_sets_in_resp3() {
    let mut harness = Harness::new(4);
    harness.resp3();
    harness.run("SADD a 1");
    for command in ["SINTER", "SUNION"] {
        assert_eq!(harness.run(&format!("{command} a a")), "~1\r\n$1\r\n1\r\n");
        assert_eq!(harness.run(&format!("{command} x")), "~0\r\n");
    }
    assert_eq!(harness.run("SDIFF a x"), "~1\r\n$1\r\n1\r\n");
    assert_eq!(harness.run("SDIFF x a"), "~0\r\n");
}

type Model = BTreeSet<String>;

fn members_of(reply: &str) -> Model {
    let members: Vec<&str> = reply.split("\r\n").skip(2).step_by(2).collect();
    assert_eq!(reply.split("\r\n").next(), Some(format!("*{}", members.len()).as_str()));
    let distinct: Model = members.iter().map(|&member| member.to_owned()).collect();
    assert_eq!(distinct.len(), members.len());
    distinct
}

/// Sets of all sizes and forms, some of them small against others, so that every way of combining them is taken.
#[test]
fn every_way_gives_the_same() {
    let mut random = Random::new(11);
    let mut harness = Harness::new(4);
    for round in 0..60 {
        harness.run("FLUSHALL");
        let mut sets: Vec<Model> = Vec::new();
        for index in 0..random.below(12) + 1 {
            let (size, integers) = ([0, 3, 40, 300, 900][random.below(5) as usize], random.below(2) == 0);
            let mut set = Model::new();
            for _ in 0..size {
                let number = random.below(400);
                set.insert(if integers || number % 3 == 0 { number.to_string() } else { format!("m{number}") });
            }
            for member in &set {
                harness.run(&format!("SADD s{index} {member}"));
            }
            sets.push(set);
        }
        let keys: Vec<String> = (0..sets.len()).map(|index| format!("s{index}")).collect();
        let keys = keys.join(" ");
        let union: Model = sets.iter().flatten().cloned().collect();
        let inter: Model =
            union.iter().filter(|&member| sets.iter().all(|set| set.contains(member))).cloned().collect();
        let others: Model = sets[1..].iter().flatten().cloned().collect();
        let difference: Model = sets[0].difference(&others).cloned().collect();
        for (command, expected) in [("SUNION", &union), ("SINTER", &inter), ("SDIFF", &difference)] {
            let reply = harness.run(&format!("{command} {keys}"));
            assert_eq!(&members_of(&reply), expected, "{round}: {command} {keys}");
            let stored = harness.run(&format!("{command}STORE r {keys}"));
            assert_eq!(stored, format!(":{}\r\n", expected.len()));
            assert_eq!(&members_of(&harness.run("SMEMBERS r")), expected, "{round}: {command}STORE {keys}");
        }
        let card = harness.run(&format!("SINTERCARD {} {keys} LIMIT 7", sets.len()));
        assert_eq!(card, format!(":{}\r\n", inter.len().min(7)));
    }
}

#[test]
fn both_ways_of_a_difference_agree() {
    let limits = SetLimits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 };
    let set_of = |numbers: Range<u64>| {
        let mut set = Set::new();
        numbers.for_each(|number| assert!(set.add(number.to_string().as_bytes(), &limits)));
        set
    };
    let (large, small, other) = (set_of(0..1_000), set_of(5..15), set_of(900..1_005));
    let many = Difference::of(vec![Some(&large), Some(&small), None, Some(&other), Some(&small)]);
    assert_eq!(many.others.len(), 2);
    assert!(many.is_cheaper_removing());
    let few = Difference::of(vec![Some(&small), Some(&large), Some(&other)]);
    assert!(!few.is_cheaper_removing());
    for difference in [many, few] {
        let mut asked = Vec::new();
        difference.by_asking(|member| asked.push(member.to_text().into_owned()));
        let removed = difference.by_removing(&limits);
        assert_eq!(asked.len(), removed.len());
        assert!(asked.iter().all(|member| removed.contains(member)));
    }
}
