//! Tests of what is recorded: the words of each command's effect, and where units end.

use std::sync::Arc;

use crate::command::testing::{Harness, START_MS};
use crate::keyspace::journal::Shipment;
use crate::runtime::log_marks::LogMarks;
use crate::shard::log::merge::Merger;

use super::*;

fn harness(shards: usize) -> Harness {
    let mut harness = Harness::new(shards);
    let marks = Arc::new(LogMarks::new(shards));
    in_hand(harness.boxes()).for_each(|journal| journal.switch(Some(marks.clone())));
    harness.recorder = Some((before, after));
    harness
}

/// What the log got since this was asked last, one command per line.
fn recorded(harness: &mut Harness, merger: &mut Merger) -> String {
    let (mut out, mut shipment) = (Records::default(), Shipment::default());
    for (shard, keyspace) in harness.boxes().iter_mut().flatten().enumerate() {
        keyspace.journal.ship(shard, &mut shipment);
    }
    merger.accept(&shipment, &mut out, |_, _| {});
    assert_eq!(merger.waiting(), 0, "something waits for good");
    let text = String::from_utf8_lossy(out.bytes()).into_owned();
    let words: Vec<&str> = text.split("\r\n").filter(|word| !word.starts_with('$') && !word.is_empty()).collect();
    let joined = words.join(" ");
    let lines = joined.split('*').filter(|line| !line.is_empty());
    lines.map(|line| line.split_once(' ').map_or("", |(_, words)| words.trim())).collect::<Vec<_>>().join("; ")
}

/// Runs lines and compares what each adds to the log, with one shard and with several.
#[track_caller]
fn check(table: &[(&str, &str)]) {
    for shards in [1, 4] {
        let (mut harness, mut merger) = (harness(shards), Merger::new(shards));
        for (line, expected) in table {
            let reply = harness.run(line);
            assert_eq!(recorded(&mut harness, &mut merger), *expected, "{line} -> {reply} ({shards} shards)");
        }
    }
}

#[test]
fn what_changes_nothing_is_not_recorded() {
    check(&[
        ("GET a", ""),
        ("DEL a", ""),
        ("SET a 1 XX", ""),
        ("SET a 1", "SET a 1"),
        ("SET a 2 NX", ""),
        ("INCR a", "INCR a"),
        ("LPUSH a 1", ""),
        ("EXPIRE b 10", ""),
        ("RENAME a a", ""),
        ("GETEX a", ""),
        ("MSETNX a 1 b 2", ""),
        ("DEL b a", "DEL b a"),
    ]);
}

#[test]
fn times_are_those_of_the_clock() {
    let at = |ms: i64| (START_MS + ms).to_string();
    let (ten, one) = (at(10_000), at(1));
    check(&[
        ("SET a 1 EX 10", &format!("SET a 1 PXAT {ten}")),
        ("SET a 1 KEEPTTL", "SET a 1 KEEPTTL"),
        ("SET a 1 GET", "SET a 1"),
        ("SETEX a 10 v", &format!("SET a v PXAT {ten}")),
        ("PSETEX a 1 v", &format!("SET a v PXAT {one}")),
        ("EXPIRE a 10 XX", &format!("PEXPIREAT a {ten}")),
        ("GETEX a PX 1", &format!("PEXPIREAT a {one}")),
        ("GETEX a PERSIST", "PERSIST a"),
        ("EXPIREAT a 1", "DEL a"),
        ("HSET h f 1 g 2", "HSET h f 1 g 2"),
        ("HEXPIRE h 10 FIELDS 2 f x", &format!("HPEXPIREAT h {ten} FIELDS 1 f")),
        ("HINCRBYFLOAT h f 1.5", &format!("MULTI; HSET h f 2.5; HPEXPIREAT h {ten} FIELDS 1 f; EXEC")),
        ("HPEXPIREAT h 1 FIELDS 1 g", "HDEL h g"),
        ("INCRBYFLOAT n 1.5", "SET n 1.5 KEEPTTL"),
        ("GETDEL n", "DEL n"),
    ]);
}

#[test]
fn what_was_popped_is_named() {
    check(&[
        ("SADD s 1", "SADD s 1"),
        ("SPOP s", "SREM s 1"),
        ("SADD s a b", "SADD s a b"),
        ("SPOP s 2", "DEL s"),
        ("RPUSH l a b c d", "RPUSH l a b c d"),
        ("BLPOP no l 0", "LPOP l"),
        ("LMPOP 2 no l RIGHT COUNT 2", "RPOP l 2"),
        ("BLMOVE l m LEFT RIGHT 0", "LMOVE l m LEFT RIGHT"),
        ("BRPOPLPUSH m l 0", "RPOPLPUSH m l"),
        ("ZADD z 1 a 2 b 3 c", "ZADD z 1 a 2 b 3 c"),
        ("BZPOPMAX no z 0", "ZPOPMAX z"),
        ("ZMPOP 2 no z MIN COUNT 5", "ZPOPMIN z 2"),
    ]);
}

#[test]
fn streams() {
    let now = START_MS.to_string();
    check(&[
        ("XADD x 1-1 f v", "XADD x 1-1 f v"),
        ("XADD x * f v", &format!("XADD x {now}-0 f v")),
        ("XADD x MAXLEN ~ 10 9999999999999-1 f v", "XADD x MAXLEN = 3 9999999999999-1 f v"),
        ("XTRIM x MAXLEN 2", "XTRIM x MAXLEN = 2"),
        ("XGROUP CREATE x g 0", "XGROUP CREATE x g 0"),
        (
            "XREADGROUP GROUP g c COUNT 1 STREAMS x >",
            &format!(
                "MULTI; XGROUP CREATECONSUMER x g c; XCLAIM x g c 0 {now}-0 TIME {now} RETRYCOUNT 1 FORCE JUSTID LASTID \
                 {now}-0; XGROUP SETID x g {now}-0 ENTRIESREAD 2; EXEC"
            ),
        ),
        (
            "XCLAIM x g d 0 9999999999999-1 FORCE",
            "MULTI; XGROUP CREATECONSUMER x g d; XCLAIM x g d 0 9999999999999-1 TIME 1700000000000 RETRYCOUNT 2 FORCE JUSTID \
             LASTID 1700000000000-0; EXEC",
        ),
    ]);
}

#[test]
fn what_expires_goes_before_the_command_that_met_it() {
    for shards in [1, 4] {
        let (mut harness, mut merger) = (harness(shards), Merger::new(shards));
        for line in ["SET a 1 PX 5", "SET b 1 PX 5", "HSET h f 1 g 2", "HPEXPIRE h 5 FIELDS 1 f"] {
            harness.run(line);
        }
        recorded(&mut harness, &mut merger);
        harness.now_ms += 5;
        harness.run("GET a");
        assert_eq!(recorded(&mut harness, &mut merger), "DEL a");
        harness.run("INCR b");
        assert_eq!(recorded(&mut harness, &mut merger), "DEL b; INCR b");
        harness.run("HGET h f");
        assert_eq!(recorded(&mut harness, &mut merger), "HDEL h f");
    }
}

#[test]
fn a_unit_stands_together_in_the_order_in_which_it_ran() {
    for shards in [1, 4] {
        let (mut harness, mut merger) = (harness(shards), Merger::new(shards));
        harness.run("SET late 1 PX 5");
        harness.run("SET first 1");
        recorded(&mut harness, &mut merger);
        harness.now_ms += 5;
        harness.run("SET before 1");
        begin_unit(harness.boxes(), (1 << shards) - 1);
        for line in ["SET a 1", "RENAME a b", "GET late", "SET c 1 EX 1000", "GET c", "SWAPDB 0 1"] {
            harness.run(line);
        }
        end_unit(harness.boxes());
        harness.run("SET after 1");
        let at_ms = harness.now_ms + 1_000_000;
        assert_eq!(
            recorded(&mut harness, &mut merger),
            format!(
                "SET before 1; MULTI; SET a 1; RENAME a b; DEL late; SET c 1 PXAT {at_ms}; SWAPDB 0 1; EXEC; SET after 1"
            )
        );
        begin_unit(harness.boxes(), (1 << shards) - 1);
        harness.run("GET nothing");
        end_unit(harness.boxes());
        assert_eq!(recorded(&mut harness, &mut merger), "");
        begin_unit(harness.boxes(), (1 << shards) - 1);
        harness.run("SET alone 1");
        end_unit(harness.boxes());
        assert_eq!(recorded(&mut harness, &mut merger), "SET alone 1");
    }
}

#[test]
fn a_unit_that_is_taken_back_leaves_what_had_expired() {
    let (mut harness, mut merger) = (harness(4), Merger::new(4));
    harness.run("SET late 1 PX 5");
    recorded(&mut harness, &mut merger);
    harness.now_ms += 5;
    begin_unit(harness.boxes(), 0);
    for line in ["SET a 1", "GET late"] {
        join_unit(harness.boxes(), 0b1111);
        harness.run(line);
    }
    forget_unit(harness.boxes());
    assert_eq!(recorded(&mut harness, &mut merger), "DEL late");
}

#[test]
fn without_a_log_nothing_is_kept() {
    let mut harness = Harness::new(2);
    harness.recorder = Some((before, after));
    for line in ["SET a 1 EX 5", "SADD s a", "SPOP s", "MSET a 1 b 2", "FLUSHALL"] {
        harness.run(line);
    }
    assert!(in_hand(harness.boxes()).all(|journal| journal.is_shipped() && journal.effects.is_empty()));
}
