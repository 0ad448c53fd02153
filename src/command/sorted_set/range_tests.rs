//! Ranges by rank, score and bytes, in both forms of a set and in both protocols.

use crate::command::testing::{Harness, check};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
const SYNTAX: &str = "-ERR syntax error\r\n";
const NO_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

/// Runs each command in both forms of a set; members are single letters, and so are expected as one word.
#[track_caller]
fn check_ranges(table: &[(&str, &str)]) {
    for limit in ["128", "0"] {
        let mut harness = Harness::new(4);
        harness.configure("zset-max-listpack-entries", limit);
        harness.run("ZADD z 1 a 2 b 3 c 4 d 5 e");
        harness.run("ZADD m 0 a 0 b 0 c 0 d 0 e");
        for (line, expected) in table {
            let reply = harness.run(line);
            let letters: String = reply.split("\r\n").skip(2).step_by(2).collect();
            assert_eq!(letters, *expected, "{line}: {reply}");
            assert!(reply.starts_with(&format!("*{}\r\n", expected.len())), "{line}: {reply}");
        }
    }
}

#[test]
fn ranges() {
    check_ranges(&[
        ("ZRANGE z 0 -1", "abcde"),
        ("ZRANGE z 1 2", "bc"),
        ("ZRANGE z -2 100", "de"),
        ("ZRANGE z 3 1", ""),
        ("ZRANGE z 0 1 REV", "ed"),
        ("ZRANGE z -2 -1 rev", "ba"),
        ("ZREVRANGE z 1 3", "dcb"),
        ("ZRANGE z 2 4 BYSCORE", "bcd"),
        ("ZRANGE z 4 2 BYSCORE REV", "dcb"),
        ("ZRANGE z 2 4 BYSCORE REV", ""),
        ("ZRANGEBYSCORE z (2 (4", "c"),
        ("ZRANGEBYSCORE z -inf +inf", "abcde"),
        ("ZRANGEBYSCORE z -inf +inf LIMIT 1 2", "bc"),
        ("ZRANGEBYSCORE z 2 inf LIMIT 1 -1", "cde"),
        ("ZRANGEBYSCORE z 2 inf LIMIT 0 0", ""),
        ("ZRANGEBYSCORE z 2 inf LIMIT -1 2", ""),
        ("ZRANGEBYSCORE z 2 inf LIMIT 4 2", ""),
        ("ZRANGEBYSCORE z 2 inf LIMIT 3 2", "e"),
        ("ZREVRANGEBYSCORE z 4 2", "dcb"),
        ("ZREVRANGEBYSCORE z (4 (2", "c"),
        ("ZREVRANGEBYSCORE z inf -inf LIMIT 1 2", "dc"),
        ("ZREVRANGEBYSCORE z inf -inf LIMIT 4 9223372036854775807", "a"),
        ("ZREVRANGEBYSCORE z inf -inf LIMIT 9223372036854775807 1", ""),
        ("ZRANGE m - + BYLEX", "abcde"),
        ("ZRANGE m (b [d BYLEX", "cd"),
        ("ZRANGE m [d (b BYLEX REV", "dc"),
        ("ZRANGEBYLEX m [b + LIMIT 1 2", "cd"),
        ("ZREVRANGEBYLEX m + - LIMIT 1 2", "dc"),
        ("ZRANGEBYLEX m + -", ""),
        ("ZRANGEBYLEX m [bb [c", "c"),
        ("ZRANGE z 0 -1 LIMIT 3 -1", "abcde"),
        ("ZRANGE x 0 -1", ""),
        ("ZRANGEBYSCORE x 0 1", ""),
    ]);
}

#[test]
fn what_is_refused() {
    check(&[
        ("ZRANGE z 0 x", NO_INTEGER),
        ("ZRANGE z 0 1 BYSCORE BYLEX", SYNTAX),
        ("ZRANGE z 0 1 BOGUS", SYNTAX),
        ("ZRANGE z 0 1 LIMIT 1", SYNTAX),
        ("ZRANGE z 0 1 BYSCORE LIMIT x 1", NO_INTEGER),
        ("ZRANGEBYSCORE z 0 1 BYSCORE", SYNTAX),
        ("ZRANGEBYSCORE z 0 1 REV", SYNTAX),
        ("ZREVRANGE z 0 1 REV", SYNTAX),
        ("ZRANGE z 0 1 REV REV", SYNTAX),
        ("ZRANGE z 0 1 BYSCORE BYSCORE", SYNTAX),
        ("ZRANGESTORE y z 0 1 WITHSCORES", SYNTAX),
        (
            "ZRANGE z 0 1 LIMIT 1 1",
            "-ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX\r\n",
        ),
        ("ZRANGE z - + BYLEX WITHSCORES", "-ERR syntax error, WITHSCORES not supported in combination with BYLEX\r\n"),
        ("ZRANGE z (1 x BYSCORE", "-ERR min or max is not a float\r\n"),
        ("ZRANGE z - x BYLEX", "-ERR min or max not valid string range item\r\n"),
        ("SET s x", "+OK\r\n"),
        ("ZRANGE s 0 1", WRONG_TYPE),
        ("ZRANGE s - x BYLEX", "-ERR min or max not valid string range item\r\n"),
        ("ZRANGESTORE y s 0 1", WRONG_TYPE),
        ("ZRANGEBYSCORE s 0 1", WRONG_TYPE),
    ]);
}

#[test]
fn scores_are_beside_members_or_pairs() {
    let mut harness = Harness::new(1);
    harness.run("ZADD z 1.5 a 2 7");
    harness.check(&[
        ("ZRANGE z 0 -1 WITHSCORES", "*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\n7\r\n$1\r\n2\r\n"),
        ("ZRANGEBYSCORE z 2 3 WITHSCORES LIMIT 0 1", "*2\r\n$1\r\n7\r\n$1\r\n2\r\n"),
    ]);
    harness.resp3();
    harness.check(&[
        ("ZRANGE z 0 -1 WITHSCORES", "*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n*2\r\n$1\r\n7\r\n,2\r\n"),
        ("ZREVRANGE z 0 0 WITHSCORES", "*1\r\n*2\r\n$1\r\n7\r\n,2\r\n"),
        ("ZRANGE z 0 0", "*1\r\n$1\r\na\r\n"),
        ("ZRANGE x 0 0 WITHSCORES", "*0\r\n"),
    ]);
}

#[test]
fn storing() {
    let mut harness = Harness::new(4);
    harness.run("ZADD z 1 a 2 b 3 c");
    harness.run("SET y x PX 1000");
    harness.check(&[
        ("ZRANGESTORE y z 1 2 REV", ":2\r\n"),
        ("ZRANGE y 0 -1 WITHSCORES", "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n"),
        ("TTL y", ":-1\r\n"),
        ("ZRANGESTORE z z 2 +inf BYSCORE LIMIT 1 5", ":1\r\n"),
        ("ZRANGE z 0 -1", "*1\r\n$1\r\nc\r\n"),
        ("ZRANGESTORE y z - (a BYLEX", ":0\r\n"),
        ("EXISTS y", ":0\r\n"),
        ("ZRANGESTORE z x 0 -1", ":0\r\n"),
        ("EXISTS z", ":0\r\n"),
    ]);
    harness.resp3();
    assert_eq!(harness.run("ZRANGESTORE y x 0 -1"), ":0\r\n");
}
