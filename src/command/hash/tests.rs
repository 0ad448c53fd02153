//! The hash commands against keyspaces without a server: replies in both protocols, expiry of fields step by step, what is
//! counted. What stock Redis can be asked stands in `tests/tables/hashes.txt`.

use crate::command::testing::{Harness, check};

const WRONG_TYPE: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

/// A server with one shard whose hashes are tables when `large`.
fn harness(large: bool) -> Harness {
    let mut harness = Harness::new(1);
    if large {
        harness.configure("hash-max-listpack-entries", "0");
    }
    harness
}

#[test]
fn setting_and_reading() {
    check(&[
        ("HSET h f v", ":1\r\n"),
        ("HSET h f w g 12", ":1\r\n"),
        ("HGET h f", "$1\r\nw\r\n"),
        ("HGET h g", "$2\r\n12\r\n"),
        ("HGET h x", "$-1\r\n"),
        ("HGET x f", "$-1\r\n"),
        ("HMGET h f x g", "*3\r\n$1\r\nw\r\n$-1\r\n$2\r\n12\r\n"),
        ("HGETALL h", "*4\r\n$1\r\nf\r\n$1\r\nw\r\n$1\r\ng\r\n$2\r\n12\r\n"),
        ("HKEYS h", "*2\r\n$1\r\nf\r\n$1\r\ng\r\n"),
        ("HVALS h", "*2\r\n$1\r\nw\r\n$2\r\n12\r\n"),
        ("HLEN h", ":2\r\n"),
        ("HSTRLEN h g", ":2\r\n"),
        ("HEXISTS h f", ":1\r\n"),
        ("HEXISTS h x", ":0\r\n"),
        ("HSET h f", "-ERR wrong number of arguments for 'hset' command\r\n"),
        ("HMSET h f 1 g", "-ERR wrong number of arguments for 'hmset' command\r\n"),
        ("HMSET h f 1", "+OK\r\n"),
        ("HSETNX h f 2", ":0\r\n"),
        ("HSETNX h n 2", ":1\r\n"),
        ("HDEL h f x", ":1\r\n"),
        ("HDEL h g n", ":2\r\n"),
        ("EXISTS h", ":0\r\n"),
        ("HDEL h g", ":0\r\n"),
        ("SET s 1", "+OK\r\n"),
        ("HSET s f v", WRONG_TYPE),
        ("HGET s f", WRONG_TYPE),
        ("HEXPIRE s x FIELDS 1 f", WRONG_TYPE),
        ("HSETEX s FIELDS 1 f v", WRONG_TYPE),
    ]);
}

#[test]
fn replies_of_resp3() {
    for large in [false, true] {
        let mut harness = harness(large);
        harness.resp3();
        harness.check(&[
            ("HSET h f v", ":1\r\n"),
            ("HGETALL h", "%1\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            ("HGETALL x", "%0\r\n"),
            ("HKEYS h", "*1\r\n$1\r\nf\r\n"),
            ("HGET h x", "_\r\n"),
            ("HMGET h x", "*1\r\n_\r\n"),
            ("HRANDFIELD h", "$1\r\nf\r\n"),
            ("HRANDFIELD x", "_\r\n"),
            ("HRANDFIELD h 5", "*1\r\n$1\r\nf\r\n"),
            ("HRANDFIELD h 5 WITHVALUES", "*1\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            ("HRANDFIELD h -2 WITHVALUES", "*2\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            ("HSCAN h 0", "*2\r\n$1\r\n0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            ("HPEXPIRE h 5 FIELDS 1 f", "*1\r\n:1\r\n"),
        ]);
        harness.now_ms += 5;
        harness.check(&[("HGETALL h", "%0\r\n"), ("HKEYS h", "*0\r\n"), ("HLEN h", ":1\r\n")]);
    }
}

#[test]
fn counters_keep_the_time_of_their_field() {
    for large in [false, true] {
        let mut harness = harness(large);
        harness.check(&[
            ("HINCRBY h n 5", ":5\r\n"),
            ("HEXPIRE h 10 FIELDS 1 n", "*1\r\n:1\r\n"),
            ("HINCRBY h n -7", ":-2\r\n"),
            ("HINCRBYFLOAT h n 0.5", "$4\r\n-1.5\r\n"),
            ("HTTL h FIELDS 1 n", "*1\r\n:10\r\n"),
            ("HINCRBY h n 1", "-ERR hash value is not an integer\r\n"),
            ("HSET h t text", ":1\r\n"),
            ("HINCRBYFLOAT h t 1", "-ERR hash value is not a float\r\n"),
            ("HINCRBYFLOAT h t x", "-ERR value is not a valid float\r\n"),
            ("HINCRBYFLOAT h t inf", "-ERR value is NaN or Infinity\r\n"),
            ("HINCRBY h t 1.5", "-ERR value is not an integer or out of range\r\n"),
            ("HSET h m 9223372036854775807", ":1\r\n"),
            ("HINCRBY h m 1", "-ERR increment or decrement would overflow\r\n"),
        ]);
        harness.now_ms += 10_000;
        harness.check(&[("HINCRBY h n 1", ":1\r\n"), ("HTTL h FIELDS 1 n", "*1\r\n:-1\r\n")]);
    }
}

#[test]
fn fields_expire() {
    for large in [false, true] {
        let mut harness = harness(large);
        harness.check(&[
            ("HSET h a 1 b 2 c 3 d 4", ":4\r\n"),
            ("HPEXPIRE h 100 FIELDS 3 a b x", "*3\r\n:1\r\n:1\r\n:-2\r\n"),
            ("HPEXPIRE h 200 NX FIELDS 2 a c", "*2\r\n:0\r\n:1\r\n"),
            ("HPEXPIRE h 150 GT FIELDS 3 a c d", "*3\r\n:1\r\n:0\r\n:0\r\n"),
            ("HPEXPIRE h 120 LT FIELDS 2 a d", "*2\r\n:1\r\n:1\r\n"),
            ("HPEXPIRE h 110 XX FIELDS 2 d x", "*2\r\n:1\r\n:-2\r\n"),
            ("HPTTL h FIELDS 5 a b c d x", "*5\r\n:120\r\n:100\r\n:200\r\n:110\r\n:-2\r\n"),
            ("HTTL h FIELDS 1 a", "*1\r\n:1\r\n"),
            ("HPEXPIRETIME h FIELDS 1 a", "*1\r\n:1700000000120\r\n"),
            ("HEXPIRETIME h FIELDS 1 a", "*1\r\n:1700000001\r\n"),
            ("HPERSIST h FIELDS 3 c c x", "*3\r\n:1\r\n:-1\r\n:-2\r\n"),
        ]);
        harness.now_ms += 105;
        // HLEN counts what has expired until somebody meets it.
        harness.check(&[
            ("HLEN h", ":4\r\n"),
            ("HTTL h FIELDS 1 b", "*1\r\n:-2\r\n"),
            ("HLEN h", ":4\r\n"),
            ("HGET h b", "$-1\r\n"),
            ("HLEN h", ":3\r\n"),
        ]);
        harness.now_ms += 100;
        harness.check(&[
            ("HVALS h", "*1\r\n$1\r\n3\r\n"),
            ("HMGET h a c d", "*3\r\n$-1\r\n$1\r\n3\r\n$-1\r\n"),
            ("HLEN h", ":1\r\n"),
        ]);
        assert_eq!(harness.counters().expired_fields, 3);
    }
}

#[test]
fn a_hash_goes_with_its_last_field() {
    for command in ["HGET h a", "HEXISTS h a", "HSTRLEN h a", "HRANDFIELD h", "HRANDFIELD h 3", "HMGET h a"] {
        for large in [false, true] {
            let mut harness = harness(large);
            harness.run("HSET h a 1");
            harness.run("HPEXPIRE h 5 FIELDS 1 a");
            harness.now_ms += 5;
            harness.check(&[("EXISTS h", ":1\r\n")]);
            harness.run(command);
            harness.check(&[("EXISTS h", ":0\r\n")]);
            assert_eq!(harness.counters().expired_fields, 1, "{command}");
        }
    }
    check(&[
        ("HSET h a 1 b 2", ":2\r\n"),
        ("HPEXPIRE h 0 FIELDS 3 a b c", "*3\r\n:2\r\n:2\r\n:-2\r\n"),
        ("EXISTS h", ":0\r\n"),
        ("HSET h a 1", ":1\r\n"),
        ("HGETDEL h FIELDS 2 a b", "*2\r\n$1\r\n1\r\n$-1\r\n"),
        ("EXISTS h", ":0\r\n"),
        ("HSETEX h EXAT 1 FIELDS 1 a 1", ":1\r\n"),
        ("EXISTS h", ":0\r\n"),
        ("HSET h a 1", ":1\r\n"),
        ("HGETEX h PXAT 1 FIELDS 1 a", "*1\r\n$1\r\n1\r\n"),
        ("EXISTS h", ":0\r\n"),
    ]);
}

#[test]
fn fields_that_expired_are_no_fields_for_who_writes() {
    for (command, reply) in [
        ("HSET h a 2", ":1\r\n"),
        ("HSETNX h a 2", ":1\r\n"),
        ("HDEL h a", ":1\r\n"),
        ("HPEXPIRE h 5 FIELDS 1 a", "*1\r\n:-2\r\n"),
        ("HPERSIST h FIELDS 1 a", "*1\r\n:-2\r\n"),
        ("HGETDEL h FIELDS 1 a", "*1\r\n$-1\r\n"),
        ("HGETEX h PERSIST FIELDS 1 a", "*1\r\n$-1\r\n"),
        ("HSETEX h FXX FIELDS 1 a 2", ":0\r\n"),
        ("HSETEX h FNX FIELDS 1 a 2", ":1\r\n"),
        ("HSETEX h KEEPTTL FIELDS 1 a 2", ":1\r\n"),
    ] {
        for large in [false, true] {
            let mut harness = harness(large);
            harness.check(&[("HSET h a 1 b 1", ":2\r\n"), ("HPEXPIRE h 5 FIELDS 1 a", "*1\r\n:1\r\n")]);
            harness.now_ms += 5;
            harness.check(&[(command, reply)]);
            let len = harness.run("HLEN h");
            let ttl = harness.run("HTTL h FIELDS 1 a");
            assert_eq!(len == ":2\r\n", ttl == "*1\r\n:-1\r\n", "{command}: {len} {ttl}");
        }
    }
}

#[test]
fn setting_together_with_a_time() {
    for large in [false, true] {
        let mut harness = harness(large);
        harness.check(&[
            ("HSETEX h FXX FIELDS 1 a 1", ":0\r\n"),
            ("EXISTS h", ":0\r\n"),
            ("HSETEX h FNX EX 10 FIELDS 2 a 1 b 2", ":1\r\n"),
            ("HTTL h FIELDS 2 a b", "*2\r\n:10\r\n:10\r\n"),
            ("HSETEX h fnx FIELDS 2 c 1 a 1", ":0\r\n"),
            ("HSETEX h KEEPTTL FIELDS 1 a 5", ":1\r\n"),
            ("HTTL h FIELDS 1 a", "*1\r\n:10\r\n"),
            ("HSETEX h FIELDS 1 a 6", ":1\r\n"),
            ("HTTL h FIELDS 1 a", "*1\r\n:-1\r\n"),
            ("HGETEX h PX 1500 FIELDS 2 a x", "*2\r\n$1\r\n6\r\n$-1\r\n"),
            ("HPTTL h FIELDS 1 a", "*1\r\n:1500\r\n"),
            ("HGETEX h FIELDS 1 a", "*1\r\n$1\r\n6\r\n"),
            ("HGETEX h PERSIST FIELDS 1 a", "*1\r\n$1\r\n6\r\n"),
            ("HPTTL h FIELDS 1 a", "*1\r\n:-1\r\n"),
            ("HSETEX h PXAT 1 FIELDS 1 b 1", ":1\r\n"),
            ("HKEYS h", "*1\r\n$1\r\na\r\n"),
        ]);
    }
}

#[test]
fn arguments_of_the_extended_commands() {
    check(&[
        ("HSETEX h FNX FXX FIELDS 1 a 1", "-ERR Only one of FXX or FNX arguments can be specified\r\n"),
        (
            "HSETEX h EX 1 KEEPTTL FIELDS 1 a 1",
            "-ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified\r\n",
        ),
        ("HSETEX h BOGUS FIELDS 1 a 1", "-ERR unknown argument: BOGUS\r\n"),
        ("HSETEX h FNX FIELDS 0 a 1", "-ERR invalid number of fields\r\n"),
        ("HSETEX h FNX FIELDS x a 1", "-ERR invalid number of fields\r\n"),
        ("HSETEX h FIELDS 2 a 1", "-ERR wrong number of arguments for 'hsetex' command\r\n"),
        ("HSETEX h FIELDS 1 a 1 b", "-ERR wrong number of arguments for 'hsetex' command\r\n"),
        ("HSETEX h FNX KEEPTTL FIELDS 1", "-ERR wrong number of arguments for 'hsetex' command\r\n"),
        ("HSETEX h EX -1 FIELDS 1 a 1", "-ERR invalid expire time, must be >= 0\r\n"),
        ("HSETEX h EX 70368744178 FIELDS 1 a 1", "-ERR invalid expire time in 'hsetex' command\r\n"),
        ("HSETEX h FNX KEEPTTL a EX", "-ERR unknown argument: a\r\n"),
        ("HSETEX h FNX b KEEPTTL EX", "-ERR unknown argument: b\r\n"),
        ("HSETEX h KEEPTTL FNX FNX EX", "-ERR Only one of FXX or FNX arguments can be specified\r\n"),
        ("HGETDEL h FIELDS 0 a", "-ERR Number of fields must be a positive integer\r\n"),
        ("HGETDEL h FIELDS 2 a", "-ERR The `numfields` parameter must match the number of arguments\r\n"),
        ("HGETDEL h a 1 b", "-ERR Mandatory argument FIELDS is missing or not at the right position\r\n"),
        ("HGETEX h EX 10 FIELDS", "-ERR Number of fields must be a positive integer\r\n"),
        ("HGETEX h EX 10 FIELDS 1", "-ERR The `numfields` parameter must match the number of arguments\r\n"),
        ("HGETEX h EX x FIELDS 1 a", "-ERR value is not an integer or out of range\r\n"),
        ("HGETEX h a 1 b", "-ERR Mandatory argument FIELDS is missing or not at the right position\r\n"),
        ("HGETEX h FIELDS 2 a b", "*2\r\n$-1\r\n$-1\r\n"),
        ("EXISTS h", ":0\r\n"),
    ]);
}

#[test]
fn times_move_with_their_hash() {
    for large in [false, true] {
        let mut harness = harness(large);
        harness.check(&[
            ("HSET h a 1 b 2", ":2\r\n"),
            ("HPEXPIRE h 50 FIELDS 1 a", "*1\r\n:1\r\n"),
            ("COPY h copy", ":1\r\n"),
            ("RENAME h renamed", "+OK\r\n"),
            ("HPTTL copy FIELDS 2 a b", "*2\r\n:50\r\n:-1\r\n"),
            ("HPTTL renamed FIELDS 2 a b", "*2\r\n:50\r\n:-1\r\n"),
            ("HSET copy a 5", ":0\r\n"),
            ("HPTTL renamed FIELDS 1 a", "*1\r\n:50\r\n"),
            ("MOVE renamed 1", ":1\r\n"),
            ("SELECT 1", "+OK\r\n"),
            ("PEXPIRE renamed 100000", ":1\r\n"),
            ("PERSIST renamed", ":1\r\n"),
            ("HPTTL renamed FIELDS 1 a", "*1\r\n:50\r\n"),
        ]);
        let info = harness.run("INFO keyspace");
        assert!(info.contains("db0:keys=1,expires=0,avg_ttl=0,subexpiry=0\r\n"), "{info}");
        assert!(info.contains("db1:keys=1,expires=0,avg_ttl=0,subexpiry=1\r\n"), "{info}");
    }
}

#[test]
fn what_is_counted() {
    for large in [false, true] {
        let mut harness = harness(large);
        for (command, changes) in [
            ("HSET h a 1 b 2", 2),
            ("HSET h a 1", 1),
            ("HSETNX h a 1", 0),
            ("HINCRBY h a 1", 1),
            ("HEXPIRE h 10 FIELDS 2 a x", 1),
            ("HPERSIST h FIELDS 1 a", 1),
            ("HPERSIST h FIELDS 1 a", 0),
            ("HGETDEL h FIELDS 2 a x", 1),
            ("HDEL h x", 0),
            ("HDEL h b", 1),
            ("HSETEX h EX 10 FIELDS 1 a 1", 2),
            ("HINCRBY h a x", 0),
            ("HSET h", 0),
        ] {
            let before = harness.counters().changes;
            harness.run(command);
            assert_eq!(harness.counters().changes - before, changes, "{command}");
        }
        let before = harness.counters();
        for command in ["HGET h a", "HGETALL h", "HLEN h", "HTTL h FIELDS 1 a", "HRANDFIELD h", "HSCAN h 0"] {
            harness.run(command);
        }
        let after = harness.counters();
        assert_eq!((after.hits - before.hits, after.misses - before.misses), (6, 0));
    }
}

#[test]
fn a_walk_meets_every_field() {
    let mut harness = harness(true);
    for number in 0..1000 {
        harness.run(&format!("HSET h field{number} {number}"));
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let reply = harness.run(&format!("HSCAN h {cursor} COUNT 30 NOVALUES MATCH *5*"));
        let mut lines = reply.lines().filter(|line| !line.starts_with(['*', '$']));
        cursor = lines.next().expect("a cursor").to_owned();
        seen.extend(lines.map(str::to_owned));
        if cursor == "0" {
            break;
        }
    }
    assert_eq!(seen.len(), 271);
    harness.check(&[
        ("HSCAN x 0 BOGUS", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ("HSCAN h x", "-ERR invalid cursor\r\n"),
        ("HSCAN h 0 BOGUS", "-ERR syntax error\r\n"),
        ("HSCAN h 0 COUNT", "-ERR syntax error\r\n"),
        ("HSCAN h 0 COUNT 0", "-ERR syntax error\r\n"),
        ("HSCAN h 0 COUNT x", "-ERR value is not an integer or out of range\r\n"),
        ("HSCAN h 0 TYPE hash", "-ERR syntax error\r\n"),
    ]);
}
