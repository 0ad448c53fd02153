//! Tests of SORT and SORT_RO.

use super::*;
use crate::command::testing::{Harness, check};

const SYNTAX: &str = "-ERR syntax error\r\n";
const NO_NUMBER: &str = "-ERR One or more scores can't be converted into double\r\n";

#[test]
fn numbers_and_texts() {
    check(&[
        ("RPUSH l 10 9 2 1.5 -3 9", ":6\r\n"),
        ("SORT l", "*6\r\n$2\r\n-3\r\n$3\r\n1.5\r\n$1\r\n2\r\n$1\r\n9\r\n$1\r\n9\r\n$2\r\n10\r\n"),
        ("SORT l DESC LIMIT 0 2", "*2\r\n$2\r\n10\r\n$1\r\n9\r\n"),
        ("SORT l ALPHA LIMIT 1 2", "*2\r\n$3\r\n1.5\r\n$2\r\n10\r\n"),
        ("SORT_RO l LIMIT -5 1 DESC ASC", "*1\r\n$2\r\n-3\r\n"),
        ("SORT l LIMIT 5 -1", "*1\r\n$2\r\n10\r\n"),
        ("SORT l LIMIT 6 1", "*0\r\n"),
        ("SORT l LIMIT 100 -1", "*0\r\n"),
        ("SORT l LIMIT 0 0", "*0\r\n"),
        ("SORT missing", "*0\r\n"),
        ("SORT l BY nosort", "*6\r\n$2\r\n10\r\n$1\r\n9\r\n$1\r\n2\r\n$3\r\n1.5\r\n$2\r\n-3\r\n$1\r\n9\r\n"),
        ("SORT l BY nosort DESC LIMIT 1 2", "*2\r\n$2\r\n-3\r\n$3\r\n1.5\r\n"),
        ("SORT l BY nosort LIMIT 9 2", "*0\r\n"),
        ("RPUSH t b a \"\" \" 7\"", ":4\r\n"),
        ("SORT t", NO_NUMBER),
        ("SORT t ALPHA", "*4\r\n$0\r\n\r\n$2\r\n 7\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("LPOP t 2", "*2\r\n$1\r\nb\r\n$1\r\na\r\n"),
        ("SORT t", "*2\r\n$0\r\n\r\n$2\r\n 7\r\n"),
        ("SADD s 3 1 2", ":3\r\n"),
        ("SORT s DESC", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
        ("SORT s BY nosort STORE d", ":3\r\n"),
        ("LRANGE d 0 -1", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
    ]);
}

#[test]
fn weights_and_values_of_other_keys() {
    check(&[
        ("RPUSH l 1 2 3", ":3\r\n"),
        ("MSET w_1 30 w_2 20 w_3 10 v_1 a v_3 c", "+OK\r\n"),
        ("SORT l BY w_*", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
        (
            "SORT l BY w_* GET v_* GET # GET fixed",
            "*9\r\n$1\r\nc\r\n$1\r\n3\r\n$-1\r\n$-1\r\n$1\r\n2\r\n$-1\r\n$1\r\na\r\n$1\r\n1\r\n$-1\r\n",
        ),
        ("SORT l BY v_* ALPHA DESC", "*3\r\n$1\r\n3\r\n$1\r\n1\r\n$1\r\n2\r\n"),
        ("SORT l BY v_*", NO_NUMBER),
        ("SORT l BY none_* DESC", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
        ("SORT l BY nosort BY w_*", "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n"),
        ("HSET h_1 n 5 x y", ":2\r\n"),
        ("HSET h_2 n 4", ":1\r\n"),
        ("SORT l BY h_*->n GET h_*->x GET h_*->n LIMIT 1 2", "*4\r\n$-1\r\n$1\r\n4\r\n$1\r\ny\r\n$1\r\n5\r\n"),
        ("SORT l GET h_*", "*3\r\n$-1\r\n$-1\r\n$-1\r\n"),
        ("SORT l BY w_* GET v_* STORE d", ":3\r\n"),
        ("LRANGE d 0 -1", "*3\r\n$1\r\nc\r\n$0\r\n\r\n$1\r\na\r\n"),
        ("SORT l STORE l DESC", ":3\r\n"),
        ("LRANGE l 0 -1", "*3\r\n$1\r\n3\r\n$1\r\n2\r\n$1\r\n1\r\n"),
        ("SORT missing STORE d", ":0\r\n"),
        ("EXISTS d", ":0\r\n"),
    ]);
}

#[test]
fn sorted_sets_keep_their_order_without_sorting() {
    check(&[
        ("ZADD z 1 c 2 b 3 a", ":3\r\n"),
        ("SORT z ALPHA", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("SORT z BY nosort", "*3\r\n$1\r\nc\r\n$1\r\nb\r\n$1\r\na\r\n"),
        ("SORT z BY nosort DESC LIMIT 0 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n"),
        ("SORT z BY nosort DESC LIMIT 1 5", "*2\r\n$1\r\nb\r\n$1\r\nc\r\n"),
        ("SORT z BY nosort LIMIT 1 1", "*1\r\n$1\r\nb\r\n"),
    ]);
}

#[test]
fn what_is_stored_has_the_form_of_its_size() {
    let mut harness = Harness::new(1);
    harness.run("RPUSH l 3 1 2");
    harness.check(&[("SORT l STORE d", ":3\r\n"), ("OBJECT ENCODING d", "$8\r\nlistpack\r\n")]);
    for number in 0..2000 {
        harness.run(&format!("RPUSH l number:{number}"));
    }
    harness.check(&[
        ("SORT l ALPHA STORE d", ":2003\r\n"),
        ("OBJECT ENCODING d", "$9\r\nquicklist\r\n"),
        ("LINDEX d -1", "$10\r\nnumber:999\r\n"),
    ]);
}

#[test]
fn refusals() {
    check(&[
        ("SORT l FOO", SYNTAX),
        ("SORT l LIMIT 1", SYNTAX),
        ("SORT l LIMIT a 1", "-ERR value is not an integer or out of range\r\n"),
        ("SORT l BY", SYNTAX),
        ("SORT l GET", SYNTAX),
        ("SORT l STORE", SYNTAX),
        ("SORT_RO l STORE d", SYNTAX),
        ("SET k v", "+OK\r\n"),
        ("SORT k", "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
        ("SORT k BY x FOO", SYNTAX),
        ("COMMAND GETKEYS SORT l BY a STORE GET STORE d", "*2\r\n$1\r\nl\r\n$1\r\nd\r\n"),
    ]);
}

#[test]
fn a_stored_element_is_a_change() {
    let mut harness = Harness::new(1);
    harness.run("RPUSH l 3 1 2");
    harness.run("SORT l");
    assert_eq!(harness.counters().changes, 3);
    harness.run("SORT l STORE d");
    assert_eq!(harness.counters().changes, 6);
    harness.run("SORT missing STORE nothing");
    assert_eq!(harness.counters().changes, 6);
    harness.run("SORT missing STORE d");
    assert_eq!(harness.counters().changes, 7);
}

#[test]
fn weights() {
    for (text, number) in [
        ("", Some(0.0)),
        ("1", Some(1.0)),
        (" \t+1.5e1", Some(15.0)),
        ("1\0x", Some(1.0)),
        ("0x10", Some(16.0)),
        ("inf", Some(f64::INFINITY)),
        ("-Infinity", Some(f64::NEG_INFINITY)),
        (" ", None),
        ("1 ", None),
        ("x", None),
        ("nan", None),
        ("1e400", None),
    ] {
        assert_eq!(weight(text.as_bytes()), number, "{text:?}");
    }
}

#[test]
fn which_requests_need_all_shards() {
    use crate::resp::request::ArgRange;
    for (request, needs) in [
        ("sort l", false),
        ("sort l by nosort get #", false),
        ("sort l get fixed", false),
        ("sort l by nosort by w_*", false),
        ("sort l by w_*", true),
        ("sort l get # get v_*", true),
        ("sort l limit 0 1 get v_* store d", true),
        ("sort l by w_* foo", false),
    ] {
        let words: Vec<&str> = request.split(' ').collect();
        let mut start = 0;
        let ranges: Vec<ArgRange> = words
            .iter()
            .map(|word| {
                start += word.len() as u32;
                ArgRange { start: start - word.len() as u32, len: word.len() as u32 }
            })
            .collect();
        let buffer = words.concat();
        assert_eq!(needs_all_shards(Args::new(buffer.as_bytes(), &ranges, &[])), needs, "{request}");
    }
}
