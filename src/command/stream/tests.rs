//! Tests of what the tables in tests/tables/streams.txt and stream_groups.txt cannot see: counters, time, shards, and that a
//! refused command changes nothing.

use crate::command::testing::{Harness, START_MS, check};

const NO_GROUP: &str = "-NOGROUP No such key 's' or consumer group 'g'\r\n";

#[test]
fn the_clock_gives_ids_and_they_never_go_back() {
    let mut harness = Harness::new(1);
    let reply = |id: String| format!("${}\r\n{id}\r\n", id.len());
    assert_eq!(harness.run("XADD s * f v"), reply(format!("{START_MS}-0")));
    assert_eq!(harness.run("XADD s * f v"), reply(format!("{START_MS}-1")));
    harness.now_ms += 5;
    assert_eq!(harness.run("XADD s * f v"), reply(format!("{}-0", START_MS + 5)));
    harness.now_ms -= 100;
    assert_eq!(harness.run("XADD s * f v"), reply(format!("{}-1", START_MS + 5)));
    harness.run("XDEL s *");
    harness.run("XTRIM s MAXLEN 0");
    assert_eq!(harness.run("XADD s * f v"), reply(format!("{}-2", START_MS + 5)));
}

#[test]
fn refused_commands_create_nothing() {
    let mut harness = Harness::new(4);
    for line in [
        "XADD s 0-0 f v",
        "XADD s x f v",
        "XADD s 1-1 f",
        "XADD s MAXLEN 1 LIMIT 1 1-1 f v",
        "XADD s NOMKSTREAM 1-1 f v",
        "XGROUP CREATE s g x MKSTREAM",
        "XGROUP CREATE s g 0",
        "XTRIM s MAXLEN 1",
        "XDEL s 1-1",
        "XACK s g 1-1",
        "XSETID s 1-1",
    ] {
        harness.run(line);
        assert_eq!(harness.run("EXISTS s"), ":0\r\n", "{line}");
    }
    assert_eq!(harness.counters().changes, 0);
}

/// What INFO's `rdb_changes_since_last_save` gets from each command, as in Redis.
#[test]
fn changes_are_counted() {
    let mut harness = Harness::new(1);
    for (line, changes) in [
        ("XADD s 1-1 f v", 1),
        ("XADD s MAXLEN 5 1-2 f v", 1),
        ("XADD s 1-3 f v", 1),
        ("XADD s 1-4 f v", 1),
        ("XGROUP CREATE s g 0", 1),
        ("XGROUP CREATE s g 0", 0),
        ("XGROUP CREATECONSUMER s g c", 1),
        ("XGROUP CREATECONSUMER s g c", 0),
        ("XREADGROUP GROUP g c COUNT 2 STREAMS s >", 1),
        ("XREADGROUP GROUP g c STREAMS s 0", 0),
        ("XREADGROUP GROUP g d NOACK STREAMS s >", 2),
        ("XREADGROUP GROUP g d STREAMS s >", 0),
        ("XCLAIM s g d 0 1-1 1-2", 2),
        ("XCLAIM s g e 0 1-3 LASTID 9-9", 2),
        ("XAUTOCLAIM s g d 0 -", 2),
        ("XACK s g 1-1 1-2 1-3", 2),
        ("XDEL s 1-1 1-2 9-9", 2),
        ("XTRIM s MAXLEN 0", 2),
        ("XTRIM s MAXLEN 0", 0),
        ("XSETID s 9-9", 1),
        ("XGROUP SETID s g 0", 1),
        ("XGROUP DELCONSUMER s g c", 1),
        ("XGROUP DESTROY s g", 1),
        ("XGROUP DESTROY s g", 0),
    ] {
        let before = harness.counters().changes;
        harness.run(line);
        assert_eq!(harness.counters().changes - before, changes, "{line}");
    }
}

#[test]
fn idle_times_follow_the_clock() {
    let mut harness = Harness::new(1);
    for line in ["XADD s 1-1 f v", "XADD s 1-2 f v", "XGROUP CREATE s g 0", "XREADGROUP GROUP g c COUNT 1 STREAMS s >"]
    {
        harness.run(line);
    }
    harness.now_ms += 100;
    harness.run("XREADGROUP GROUP g c STREAMS s >");
    harness.now_ms += 50;
    harness.check(&[
        (
            "XPENDING s g - + 9",
            "*2\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:150\r\n:1\r\n*4\r\n$3\r\n1-2\r\n$1\r\nc\r\n:50\r\n:1\r\n",
        ),
        ("XPENDING s g IDLE 51 - + 9", "*1\r\n*4\r\n$3\r\n1-1\r\n$1\r\nc\r\n:150\r\n:1\r\n"),
        ("XCLAIM s g d 151 1-1 1-2 JUSTID", "*0\r\n"),
        ("XCLAIM s g d 150 1-1 1-2 JUSTID", "*1\r\n$3\r\n1-1\r\n"),
        ("XAUTOCLAIM s g d 51 - JUSTID", "*3\r\n$3\r\n0-0\r\n*0\r\n*0\r\n"),
        ("XAUTOCLAIM s g d 50 - JUSTID", "*3\r\n$3\r\n0-0\r\n*1\r\n$3\r\n1-2\r\n*0\r\n"),
    ]);
    harness.now_ms += 7;
    harness.run("XREADGROUP GROUP g c STREAMS s >");
    harness.now_ms += 1;
    let consumers = harness.run("XINFO CONSUMERS s g");
    let of_c = "*8\r\n$4\r\nname\r\n$1\r\nc\r\n$7\r\npending\r\n:0\r\n$4\r\nidle\r\n:1\r\n$8\r\ninactive\r\n:58\r\n";
    let of_d = "*8\r\n$4\r\nname\r\n$1\r\nd\r\n$7\r\npending\r\n:2\r\n$4\r\nidle\r\n:8\r\n$8\r\ninactive\r\n:8\r\n";
    assert_eq!(consumers, ["*2\r\n", of_c, of_d].concat());
}

#[test]
fn waiting_is_not_allowed_everywhere() {
    // The bench denies it, as transactions do.
    check(&[
        ("XREAD BLOCK 0 STREAMS s $", "*-1\r\n"),
        ("XGROUP CREATE s g $ MKSTREAM", "+OK\r\n"),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS s >", "*-1\r\n"),
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS s 0", "*1\r\n*2\r\n$1\r\ns\r\n*0\r\n"),
    ]);
}

#[test]
fn errors_name_the_key_and_the_group() {
    check(&[
        ("XPENDING s g", NO_GROUP),
        ("XCLAIM s g c 0 1-1", NO_GROUP),
        ("XAUTOCLAIM s g c 0 -", NO_GROUP),
        ("XGROUP CREATE s h 0 MKSTREAM", "+OK\r\n"),
        ("XPENDING s g", NO_GROUP),
        ("XGROUP SETID s \"g\\x00h\" 0", "-NOGROUP No such consumer group 'g' for key name 's'\r\n"),
    ]);
}
