//! ZRANDMEMBER and ZSCAN in both forms of a set.

use std::collections::BTreeMap;

use crate::command::testing::{Harness, check};

const OUT_OF_RANGE: &str =
    "-ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

#[test]
fn what_chance_does_not_decide() {
    check(&[
        ("ZADD z 1.5 a", ":1\r\n"),
        ("ZRANDMEMBER z", "$1\r\na\r\n"),
        ("ZRANDMEMBER z 3", "*1\r\n$1\r\na\r\n"),
        ("ZRANDMEMBER z -2", "*2\r\n$1\r\na\r\n$1\r\na\r\n"),
        ("ZRANDMEMBER z -2 WITHSCORES", "*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\na\r\n$3\r\n1.5\r\n"),
        ("ZRANDMEMBER z 0", "*0\r\n"),
        ("ZRANDMEMBER z 9223372036854775807", "*1\r\n$1\r\na\r\n"),
        ("ZRANDMEMBER z -9223372036854775808", OUT_OF_RANGE),
        ("ZRANDMEMBER z -9223372036854775807 WITHSCORES", "-ERR value is out of range\r\n"),
        ("ZRANDMEMBER z 9223372036854775807 WITHSCORES", "-ERR value is out of range\r\n"),
        ("ZRANDMEMBER z a", "-ERR value is not an integer or out of range\r\n"),
        ("ZRANDMEMBER z 1 BOGUS", "-ERR syntax error\r\n"),
        ("ZRANDMEMBER z 1 WITHSCORES x", "-ERR syntax error\r\n"),
        ("ZRANDMEMBER x", "$-1\r\n"),
        ("ZRANDMEMBER x 3", "*0\r\n"),
        ("SET s x", "+OK\r\n"),
        ("ZRANDMEMBER s", WRONG_TYPE),
        ("ZRANDMEMBER s 1", WRONG_TYPE),
    ]);
    let mut harness = Harness::new(1);
    harness.run("ZADD z 1.5 a");
    harness.resp3();
    assert_eq!(harness.run("ZRANDMEMBER z 5 WITHSCORES"), "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
    assert_eq!(harness.run("ZRANDMEMBER x 5 WITHSCORES"), "*0\r\n");
}

/// The members of a flat reply.
fn members(reply: &str) -> Vec<String> {
    reply.split("\r\n").skip(2).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_member_is_as_likely() {
    for limit in ["128", "0"] {
        let mut harness = Harness::new(1);
        harness.configure("zset-max-listpack-entries", limit);
        (0..20).for_each(|number| {
            harness.run(&format!("ZADD z {number} m{number}"));
        });
        // A few drawn, a few taken while walking, and drawn again and again: 4,000 members each.
        for (line, times) in [("ZRANDMEMBER z 4", 1000), ("ZRANDMEMBER z 10", 400), ("ZRANDMEMBER z -100", 40)] {
            let mut counts = BTreeMap::new();
            for _ in 0..times {
                let mut drawn = members(&harness.run(line));
                drawn.iter().for_each(|member| *counts.entry(member.clone()).or_insert(0_i32) += 1);
                drawn.sort();
                drawn.dedup();
                assert!(line.contains('-') || drawn.len() == line[14..].parse::<usize>().expect("a number"), "{line}");
            }
            // The deviation is below 14.
            assert_eq!(counts.len(), 20);
            assert!(counts.values().all(|count| (count - 200).abs() < 80), "{line}: {counts:?}");
        }
    }
}

#[test]
fn walking() {
    check(&[
        ("ZADD z 1 a 0.1 b", ":2\r\n"),
        ("ZSCAN z 0", "*2\r\n$1\r\n0\r\n*4\r\n$1\r\nb\r\n$3\r\n0.1\r\n$1\r\na\r\n$1\r\n1\r\n"),
        ("ZSCAN z 7 MATCH a COUNT 1", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
        ("ZSCAN x 0 BOGUS", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("ZSCAN x a", "-ERR invalid cursor\r\n"),
        ("ZSCAN z 0 BOGUS", "-ERR syntax error\r\n"),
        ("ZSCAN z 0 COUNT 0", "-ERR syntax error\r\n"),
        ("SET s x", "+OK\r\n"),
        ("ZSCAN s 0", WRONG_TYPE),
    ]);
    let mut harness = Harness::new(1);
    harness.configure("zset-max-listpack-entries", "0");
    harness.resp3();
    harness.run("ZADD z 0.1 a");
    assert_eq!(harness.run("ZSCAN z 0"), "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$19\r\n0.10000000000000001\r\n");
}

#[test]
fn a_walk_over_a_large_set_shows_every_member() {
    let mut harness = Harness::new(4);
    (0..1000).for_each(|number| {
        harness.run(&format!("ZADD z 1 m{number}"));
    });
    let (mut cursor, mut seen) = ("0".to_owned(), Vec::new());
    loop {
        let reply = harness.run(&format!("ZSCAN z {cursor} COUNT 50"));
        let lines: Vec<&str> = reply.split("\r\n").collect();
        let page: Vec<String> = lines[5..].iter().step_by(4).map(|&member| member.to_owned()).collect();
        assert!(page.len() < 80);
        seen.extend(page);
        cursor = lines[2].to_owned();
        if cursor == "0" {
            break;
        }
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 1000);
}
