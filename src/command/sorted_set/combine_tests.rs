//! Unions, intersections and differences of sorted and plain sets.

use std::collections::BTreeMap;

use crate::command::testing::{Harness, check};
use crate::stdx::random::Random;

const SYNTAX: &str = "-ERR syntax error\r\n";
const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

/// The elements of a flat reply, separated by spaces.
fn words(reply: &str) -> String {
    reply.split("\r\n").skip(2).step_by(2).collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn check_words(harness: &mut Harness, table: &[(&str, &str)]) {
    for (line, expected) in table {
        let reply = harness.run(line);
        assert_eq!(words(&reply), *expected, "{line}: {reply}");
    }
}

#[test]
fn combining() {
    for limit in ["128", "0"] {
        let mut harness = Harness::new(4);
        harness.configure("zset-max-listpack-entries", limit);
        harness.configure("set-max-intset-entries", limit);
        for line in ["ZADD a 1 x 2 y 3 7", "ZADD b 10 y 20 7 30 z", "SADD s y 7", "ZADD i inf x -inf y"] {
            harness.run(line);
        }
        check_words(
            &mut harness,
            &[
                ("ZUNION 2 a b WITHSCORES", "x 1 y 12 7 23 z 30"),
                ("ZUNION 2 a b", "x y 7 z"),
                ("ZUNION 2 a b WEIGHTS 2 1 WITHSCORES", "x 2 y 14 7 26 z 30"),
                ("ZUNION 2 a b WEIGHTS -1 0.5 AGGREGATE MIN WITHSCORES", "7 -3 y -2 x -1 z 15"),
                ("ZUNION 2 a b AGGREGATE MAX WITHSCORES", "x 1 y 10 7 20 z 30"),
                ("ZUNION 1 a", "x y 7"),
                ("ZUNION 2 a a WITHSCORES", "x 2 y 4 7 6"),
                ("ZUNION 3 a nothing s WITHSCORES", "x 1 y 3 7 4"),
                ("ZINTER 2 a b WITHSCORES", "y 12 7 23"),
                ("ZINTER 2 a b AGGREGATE MIN WITHSCORES", "y 2 7 3"),
                ("ZINTER 3 a b s WEIGHTS 1 1 100 WITHSCORES", "y 112 7 123"),
                ("ZINTER 2 a a WEIGHTS 1 2 WITHSCORES", "x 3 y 6 7 9"),
                ("ZINTER 2 s s WITHSCORES", "7 2 y 2"),
                ("ZINTER 2 a nothing", ""),
                ("ZDIFF 2 a b WITHSCORES", "x 1"),
                ("ZDIFF 2 a s", "x"),
                ("ZDIFF 2 s a", ""),
                ("ZDIFF 1 a", "x y 7"),
                ("ZDIFF 2 a a", ""),
                ("ZDIFF 2 nothing a", ""),
                ("ZDIFF 2 a nothing WITHSCORES", "x 1 y 2 7 3"),
                ("ZDIFF 8 a b nothing s s s s s", "x"),
                ("ZUNION 2 i i WEIGHTS 1 -1 WITHSCORES", "x 0 y 0"),
                ("ZUNION 1 i WEIGHTS 0 WITHSCORES", "x 0 y 0"),
                ("ZINTER 2 i i WEIGHTS 1 -1 WITHSCORES", "x 0 y 0"),
            ],
        );
        harness.check(&[
            ("ZINTERCARD 2 a b", ":2\r\n"),
            ("ZINTERCARD 2 a b LIMIT 1", ":1\r\n"),
            ("ZINTERCARD 2 a b LIMIT 0", ":2\r\n"),
            ("ZINTERCARD 2 a nothing", ":0\r\n"),
            ("ZUNIONSTORE c 2 a b AGGREGATE MAX", ":4\r\n"),
            ("ZINTERSTORE a 2 a b", ":2\r\n"),
            ("ZDIFFSTORE b 2 b a", ":1\r\n"),
        ]);
        check_words(
            &mut harness,
            &[
                ("ZRANGE c 0 -1 WITHSCORES", "x 1 y 10 7 20 z 30"),
                ("ZRANGE a 0 -1 WITHSCORES", "y 12 7 23"),
                ("ZRANGE b 0 -1 WITHSCORES", "z 30"),
            ],
        );
        harness.check(&[("ZDIFFSTORE b 2 b b", ":0\r\n"), ("EXISTS b", ":0\r\n"), ("ZDIFFSTORE b 1 b", ":0\r\n")]);
    }
}

#[test]
fn arguments() {
    check(&[
        ("ZUNION x a", "-ERR value is not an integer or out of range\r\n"),
        ("ZUNION 0 a", "-ERR at least 1 input key is needed for 'zunion' command\r\n"),
        ("ZINTERCARD -1 a", "-ERR at least 1 input key is needed for 'zintercard' command\r\n"),
        ("ZUNIONSTORE d 0 a", "-ERR at least 1 input key is needed for 'zunionstore' command\r\n"),
        ("ZUNION 2 a", SYNTAX),
        ("ZUNION 9223372036854775807 a", SYNTAX),
        ("ZUNION 1 a WEIGHTS", SYNTAX),
        ("ZUNION 1 a WEIGHTS x", "-ERR weight value is not a float\r\n"),
        ("ZUNION 1 a WEIGHTS 1 2", SYNTAX),
        ("ZUNION 1 a AGGREGATE", SYNTAX),
        ("ZUNION 1 a AGGREGATE AVG", SYNTAX),
        ("ZUNION 1 a LIMIT 1", SYNTAX),
        ("ZDIFF 1 a WEIGHTS 1", SYNTAX),
        ("ZDIFF 1 a AGGREGATE SUM", SYNTAX),
        ("ZUNIONSTORE d 1 a WITHSCORES", SYNTAX),
        ("ZINTERCARD 1 a WITHSCORES", SYNTAX),
        ("ZINTERCARD 1 a LIMIT", SYNTAX),
        ("ZINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative\r\n"),
        ("ZINTERCARD 1 a LIMIT x", "-ERR LIMIT can't be negative\r\n"),
        ("SET s x", "+OK\r\n"),
        ("ZUNION 2 a s BOGUS", WRONG_TYPE),
        ("ZUNIONSTORE s 1 a", ":0\r\n"),
        ("EXISTS s", ":0\r\n"),
    ]);
    let mut harness = Harness::new(1);
    harness.run("ZADD a 1.5 x 2 y");
    harness.resp3();
    harness.check(&[
        ("ZUNION 1 a WITHSCORES", "*2\r\n*2\r\n$1\r\nx\r\n,1.5\r\n*2\r\n$1\r\ny\r\n,2\r\n"),
        ("ZINTER 1 a", "*2\r\n$1\r\nx\r\n$1\r\ny\r\n"),
        ("ZDIFF 1 nothing WITHSCORES", "*0\r\n"),
    ]);
}

type Model = BTreeMap<String, i64>;

fn in_order(model: &Model) -> String {
    let mut members: Vec<(i64, &String)> = model.iter().map(|(member, score)| (*score, member)).collect();
    members.sort();
    members.iter().map(|(score, member)| format!("{member} {score}")).collect::<Vec<_>>().join(" ")
}

#[test]
fn random_sets_are_combined_as_a_model_does() {
    let mut random = Random::new(8);
    for round in 0..200 {
        let mut harness = Harness::new(2);
        harness.configure("zset-max-listpack-entries", if round % 2 == 0 { "128" } else { "5" });
        let mut models = vec![Model::new(); 3];
        for (key, model) in models.iter_mut().enumerate() {
            for _ in 0..random.below(if key == 0 { 60 } else { 20 }) {
                let (member, score) = (random.below(40).to_string(), random.below(9) as i64);
                harness.run(&format!("ZADD k{key} {score} {member}"));
                model.insert(member, score);
            }
        }
        let mut union = Model::new();
        for (member, score) in models.iter().flatten() {
            *union.entry(member.clone()).or_default() += score;
        }
        let mut common = union.clone();
        common.retain(|member, _| models.iter().all(|model| model.contains_key(member)));
        let mut difference = models[0].clone();
        difference.retain(|member, _| !models[1].contains_key(member) && !models[2].contains_key(member));
        for (command, expected) in [("UNION", &union), ("INTER", &common), ("DIFF", &difference)] {
            let reply = harness.run(&format!("Z{command} 3 k0 k1 k2 WITHSCORES"));
            assert_eq!(words(&reply), in_order(expected), "{command}");
            harness.run(&format!("Z{command}STORE d 3 k0 k1 k2"));
            assert_eq!(words(&harness.run("ZRANGE d 0 -1 WITHSCORES")), in_order(expected), "{command}");
        }
        assert_eq!(harness.run("ZINTERCARD 3 k0 k1 k2"), format!(":{}\r\n", common.len()));
    }
}
