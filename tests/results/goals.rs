//! The goals, where each one's figure is found, and what is to be said of those that are missed.

use super::records::Measure;

/// What is wanted of a figure.
#[derive(Clone, Copy, Debug)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// One line of the table.
pub struct Goal {
    pub what: &'static str,
    pub limit: Limit,
    pub unit: &'static str,
    pub measure: Measure,
    /// Shown when the goal is missed: the profile, and what was tried.
    pub note: &'static str,
}

const OF_FLOOR: &str = "× the floor's CPU";
const OF_REDIS: &str = "× Redis' CPU";

const fn cpu(what: &'static str, limit: f64, pipeline: u64, test: &'static str, note: &'static str) -> Goal {
    Goal { what, limit: Limit::AtMost(limit), unit: OF_REDIS, measure: Measure::Cpu(pipeline, test, "redis"), note }
}

const fn between(
    what: &'static str,
    limit: f64,
    unit: &'static str,
    pipeline: u64,
    test: &'static str,
    own: &'static str,
    other: &'static str,
) -> Goal {
    Goal {
        what,
        limit: Limit::AtMost(limit),
        unit,
        measure: Measure::Between(pipeline, test, own, other),
        note: "see the record.",
    }
}

const fn floor(what: &'static str, test: &'static str) -> Goal {
    Goal { what, limit: Limit::AtMost(1.08), unit: OF_FLOOR, measure: Measure::Cpu(1, test, "floor"), note: PIPELINE_1 }
}

const fn elements(what: &'static str, kind: &'static str, note: &'static str) -> Goal {
    Goal { what, limit: Limit::AtMost(0.8), unit: "× Redis' memory", measure: Measure::Elements(kind), note }
}

const fn row(
    what: &'static str,
    limit: Limit,
    unit: &'static str,
    record: &'static str,
    row: &'static str,
    note: &'static str,
) -> Goal {
    Goal { what, limit, unit, measure: Measure::Row(record, row), note }
}

const PIPELINE_1: &str = "nine tenths of the time are the kernel's; what is left is one look-up without a batch that could hide its \
cache misses, readings of the clock, and the hand-over from the reader's task to the writer's.";
const XADD: &str =
    "a third is the kernel, about 6 % clears new pages; a node grows at 80 % full, which could come later.";
const COLLECTION: &str = "at pipeline 16 over TCP the floor alone (sockets and runtime) costs 0.41 to 0.44 µs, and Redis' whole LPUSH or RPUSH \
0.65: with pushes and pops half of that cannot be reached on these sockets. Of what is the command's own, see the record of the one-core path \
(2026-11-21-one-core-path) for the profiles, the instructions per command before and after, and what was tried.";

/// All of them.
pub const GOALS: &[Goal] = &[
    floor("SET at pipeline 1", "set"),
    floor("GET at pipeline 1", "get"),
    cpu("SET at pipeline 16", 0.40, 16, "set", ""),
    cpu("GET at pipeline 16", 0.40, 16, "get", ""),
    cpu("SET at pipeline 64", 0.20, 64, "set", ""),
    cpu("GET at pipeline 64", 0.20, 64, "get", ""),
    cpu("LPUSH at pipeline 16", 0.50, 16, "lpush", COLLECTION),
    cpu("RPUSH at pipeline 16", 0.50, 16, "rpush", COLLECTION),
    cpu("LPOP at pipeline 16", 0.50, 16, "lpop", COLLECTION),
    cpu("SADD at pipeline 16", 0.50, 16, "sadd", COLLECTION),
    cpu("HSET at pipeline 16", 0.50, 16, "hset", COLLECTION),
    cpu("ZADD at pipeline 16", 0.50, 16, "zadd", COLLECTION),
    cpu("ZPOPMIN at pipeline 16", 0.50, 16, "zpopmin", COLLECTION),
    cpu("XADD at pipeline 16", 0.50, 16, "xadd", XADD),
    Goal {
        what: "LRANGE of 100 to 600 at pipeline 16, the worst",
        limit: Limit::AtMost(0.50),
        unit: OF_REDIS,
        measure: Measure::CpuWorst(16, &["lrange_100", "lrange_300", "lrange_500", "lrange_600"], "redis"),
        note: "copying the reply through the socket is most of it, for both.",
    },
    cpu("MGET of 10 keys at pipeline 16", 0.50, 16, "mget", ""),
    cpu("MSET of 10 keys at pipeline 16", 0.50, 16, "mset", ""),
    row("MULTI SET GET EXEC", Limit::AtMost(0.67), OF_REDIS, "transactions", "MULTI SET GET EXEC", ""),
    row("EVAL of one GET", Limit::AtMost(0.67), OF_REDIS, "transactions", "EVAL of one GET", "see the record."),
    Goal {
        what: "memory of small strings",
        limit: Limit::AtMost(0.60),
        unit: "× Redis' per key",
        measure: Measure::Memory,
        note: "",
    },
    elements(
        "memory of lists of 10 to 1000, the worst",
        "list",
        "from 100 elements on both hold the same listpack bytes; what is around them is all that can be saved.",
    ),
    elements("memory of sets of 10 to 1000, the worst", "set", ""),
    elements(
        "memory of hashes of 10 to 1000, the worst",
        "hash",
        "small hashes are the same listpack in both, so only the entry is saved.",
    ),
    elements("memory of sorted sets of 10 to 1000, the worst", "zset", "as for hashes."),
    row(
        "appendfsync always at 50 connections",
        Limit::AtLeast(3.0),
        "× Redis' SET/s",
        "persistence",
        "appendfsync always",
        "see the record.",
    ),
    row("SAVE", Limit::AtMost(1.0), "× Redis' time", "persistence", "SAVE, s", ""),
    row(
        "restart",
        Limit::AtMost(0.5),
        "× Redis' time",
        "persistence",
        "start with the file",
        "with one shard; loading takes all cores.",
    ),
    between("epoll at pipeline 16, SET", 1.15, "× io_uring's CPU", 16, "set", "epoll", "io_uring"),
    between("epoll at pipeline 16, GET", 1.15, "× io_uring's CPU", 16, "get", "epoll", "io_uring"),
    Goal {
        what: "GET of any of 10 M keys at pipeline 16",
        limit: Limit::AtMost(1.33),
        unit: "× the CPU for 100 k of them",
        measure: Measure::Tests(16, "get", "get#100000"),
        note: "what the passes of prefetching leave of the cache misses.",
    },
];
