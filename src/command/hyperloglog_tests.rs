//! Tests of the HyperLogLog commands.

use crate::command::testing::{Harness, check};

const NOT_ONE: &str = "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n";
const CORRUPT: &str = "-INVALIDOBJ Corrupted HLL object detected\r\n";

#[test]
fn adding_counting_and_merging() {
    check(&[
        ("PFADD h", ":1\r\n"),
        ("PFADD h", ":0\r\n"),
        ("PFCOUNT h", ":0\r\n"),
        ("PFADD h a b c d e f g", ":1\r\n"),
        ("PFADD h a g", ":0\r\n"),
        ("PFCOUNT h", ":7\r\n"),
        ("PFCOUNT h", ":7\r\n"),
        ("PFADD i g h", ":1\r\n"),
        ("PFCOUNT h i missing", ":8\r\n"),
        ("PFMERGE j h i missing", "+OK\r\n"),
        ("PFCOUNT j", ":8\r\n"),
        ("PFMERGE new", "+OK\r\n"),
        ("PFCOUNT new", ":0\r\n"),
        ("PFCOUNT missing", ":0\r\n"),
        ("PFDEBUG ENCODING j", "+sparse\r\n"),
        ("PFDEBUG TODENSE h", ":1\r\n"),
        ("PFDEBUG TODENSE h", ":0\r\n"),
        ("PFMERGE j h", "+OK\r\n"),
        ("PFDEBUG encoding j", "+dense\r\n"),
        ("STRLEN j", ":12304\r\n"),
        ("PFCOUNT j h i", ":8\r\n"),
        ("PFDEBUG DECODE j", "-ERR HLL encoding is not sparse\r\n"),
        ("PFDEBUG DECODE new", "$7\r\nZ:16384\r\n"),
        ("PFDEBUG FOO j", "-ERR Unknown PFDEBUG subcommand 'FOO'\r\n"),
        ("PFDEBUG FOO missing", "-ERR The specified key does not exist\r\n"),
        ("OBJECT ENCODING new", "$3\r\nraw\r\n"),
    ]);
}

#[test]
fn what_is_none_is_refused() {
    check(&[
        ("SET n 12", "+OK\r\n"),
        ("PFADD n a", NOT_ONE),
        ("PFCOUNT n", NOT_ONE),
        ("PFCOUNT missing n", NOT_ONE),
        ("PFMERGE d n", NOT_ONE),
        ("EXISTS d", ":0\r\n"),
        ("PFADD h a b c", ":1\r\n"),
        ("PFMERGE n h", NOT_ONE),
        ("APPEND h hello", ":32\r\n"),
        ("PFCOUNT h", CORRUPT),
        ("PFCOUNT h missing", CORRUPT),
        ("PFMERGE d h", CORRUPT),
        ("PFMERGE h", CORRUPT),
        ("PFDEBUG GETREG h", CORRUPT),
        ("PFDEBUG TODENSE h", CORRUPT),
        ("SETRANGE h 0 0123", ":32\r\n"),
        ("PFCOUNT h", NOT_ONE),
        ("PFADD dense", ":1\r\n"),
        ("PFDEBUG TODENSE dense", ":1\r\n"),
        ("APPEND dense x", ":12305\r\n"),
        ("PFCOUNT dense", NOT_ONE),
    ]);
}

#[test]
fn a_command_that_meets_a_fault_has_changed_nothing() {
    let mut harness = Harness::new(1);
    // A header, zeros for the first half of the registers, and no more.
    harness.run("SET h \"HYLL\\x01\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\0\\x5f\\xff\"");
    let before = harness.run("GET h");
    let changes = harness.counters().changes;
    let elements: Vec<String> = (0..50).map(|number| number.to_string()).collect();
    assert_eq!(harness.run(&["PFADD h ", &elements.join(" ")].concat()), CORRUPT);
    assert_eq!(harness.run("GET h"), before);
    assert_eq!(harness.counters().changes, changes);
}

#[test]
fn what_counts_as_a_change() {
    let mut harness = Harness::new(1);
    for (line, changes) in [
        ("PFADD h a b", 3),
        ("PFADD h a", 3),
        ("PFADD h c", 4),
        ("PFCOUNT h", 5),
        ("PFCOUNT h", 5),
        ("PFMERGE i h", 6),
        ("PFMERGE i h", 7),
        ("PFDEBUG TODENSE h", 8),
        ("PFDEBUG GETREG h", 8),
    ] {
        harness.run(line);
        assert_eq!(harness.counters().changes, changes, "{line}");
    }
    assert_eq!((harness.counters().hits, harness.counters().misses), (5, 1));
}

#[test]
fn sparse_ones_become_dense_at_the_configured_length() {
    let mut harness = Harness::new(1);
    harness.configure("hll-sparse-max-bytes", "30");
    harness.check(&[
        ("PFADD h a b c d", ":1\r\n"),
        ("PFDEBUG ENCODING h", "+sparse\r\n"),
        ("PFADD h e f", ":1\r\n"),
        ("PFDEBUG ENCODING h", "+dense\r\n"),
        ("PFCOUNT h", ":6\r\n"),
        ("PFADD i f g", ":1\r\n"),
        ("PFMERGE j i", "+OK\r\n"),
        ("PFDEBUG ENCODING j", "+sparse\r\n"),
        ("PFMERGE j h", "+OK\r\n"),
        ("PFCOUNT j", ":7\r\n"),
    ]);
}

#[test]
fn the_self_test_runs() {
    check(&[("PFSELFTEST", "+OK\r\n")]);
}
