//! Rows about encodings of values, and events on keys, by name.

use crate::config::row::{INT_MAX, Kind, Parameter, integer, row, unsigned, unsigned_memory};

pub(super) const DATA_TYPES: &[Parameter] = &[
    row(
        "hash-max-listpack-entries",
        unsigned(0, i64::MAX as u64),
        "512",
    )
    .alias("hash-max-ziplist-entries")
    .about("Most fields of a hash kept in packed form."),
    row(
        "hash-max-listpack-value",
        unsigned_memory(0, i64::MAX as u64),
        "64",
    )
    .alias("hash-max-ziplist-value")
    .about("Longest field or value of a hash kept in packed form, in bytes."),
    row(
        "hll-sparse-max-bytes",
        unsigned_memory(0, i64::MAX as u64),
        "3000",
    )
    .about("Largest HyperLogLog kept in sparse form, in bytes."),
    row("list-compress-depth", integer(0, INT_MAX), "0")
        .stored("list nodes are not compressed")
        .about("Nodes at each end of a list left uncompressed; 0 compresses none."),
    row(
        "list-max-listpack-size",
        integer(-INT_MAX - 1, INT_MAX),
        "-2",
    )
    .alias("list-max-ziplist-size")
    .about("Most entries per packed node of a list; -1 to -5 mean 4, 8, 16, 32 and 64 kilobytes."),
    row("notify-keyspace-events", Kind::Events, "")
        .stored("there are no keyspace notifications in this build")
        .about(
        "Which events on keys are published: letters out of KEg$lshzxetdmnA, or empty for none.",
    ),
    row(
        "set-max-intset-entries",
        unsigned(0, i64::MAX as u64),
        "512",
    )
    .about("Most members of a set of integers kept in packed form."),
    row(
        "set-max-listpack-entries",
        unsigned(0, i64::MAX as u64),
        "128",
    )
    .about("Most members of a set kept in packed form."),
    row("set-max-listpack-value", unsigned(0, i64::MAX as u64), "64")
        .about("Longest member of a set kept in packed form, in bytes."),
    row(
        "stream-node-max-bytes",
        unsigned_memory(0, i64::MAX as u64),
        "4096",
    )
    .about("Most bytes per node of a stream; 0 sets no limit."),
    row("stream-node-max-entries", integer(0, i64::MAX), "100")
        .about("Most entries per node of a stream; 0 sets no limit."),
    row(
        "zset-max-listpack-entries",
        unsigned(0, i64::MAX as u64),
        "128",
    )
    .alias("zset-max-ziplist-entries")
    .about("Most members of a sorted set kept in packed form."),
    row(
        "zset-max-listpack-value",
        unsigned_memory(0, i64::MAX as u64),
        "64",
    )
    .alias("zset-max-ziplist-value")
    .about("Longest member of a sorted set kept in packed form, in bytes."),
];
