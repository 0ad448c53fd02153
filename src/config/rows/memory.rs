//! Rows about memory: limits, eviction, expiry, by name.

use crate::config::check::no_active_defrag;
use crate::config::row::{
    INT_MAX, Kind, Parameter, integer, memory_or_percent, row, unsigned, unsigned_memory,
};

const MAXMEMORY_POLICIES: &[(&str, i32)] = &[
    ("volatile-lru", 0),
    ("volatile-lfu", 1),
    ("volatile-random", 2),
    ("volatile-ttl", 3),
    ("allkeys-lru", 4),
    ("allkeys-lfu", 5),
    ("allkeys-random", 6),
    ("noeviction", 7),
];

pub(super) const MEMORY: &[Parameter] = &[
    row("active-defrag-cycle-max", integer(1, 99), "25")
        .stored("there is no active defragmentation")
        .about("Largest share of a core for defragmentation, in percent."),
    row("active-defrag-cycle-min", integer(1, 99), "1")
        .stored("there is no active defragmentation")
        .about("Least share of a core for defragmentation, in percent."),
    row("active-defrag-ignore-bytes", unsigned_memory(1, i64::MAX as u64), "104857600")
        .stored("there is no active defragmentation")
        .about("Wasted bytes below which defragmentation does not start."),
    row("active-defrag-max-scan-fields", integer(1, i64::MAX), "1000")
        .stored("there is no active defragmentation")
        .about("Collections with more fields than this are defragmented on their own."),
    row("active-defrag-threshold-lower", integer(0, 1000), "10")
        .stored("there is no active defragmentation")
        .about("Fragmentation in percent at which defragmentation starts."),
    row("active-defrag-threshold-upper", integer(0, 1000), "100")
        .stored("there is no active defragmentation")
        .about("Fragmentation in percent at which defragmentation works hardest."),
    row("active-expire-effort", integer(1, 10), "1")
        .about("How hard the server looks for expired keys nobody asks for, from 1 to 10."),
    row("activedefrag", Kind::YesNo, "no")
        .check(no_active_defrag)
        .stored("the allocator cannot move values")
        .about("Move values together to give memory back while running; cannot be enabled."),
    row("activerehashing", Kind::YesNo, "yes")
        .stored("tables grow one segment at a time, there is nothing to rehash")
        .about("Rehash tables while idle."),
    row("disable-thp", Kind::YesNo, "yes")
        .immutable()
        .stored("huge pages are left to the allocator")
        .about("Switch transparent huge pages off for this process."),
    row("jemalloc-bg-thread", Kind::YesNo, "yes")
        .stored("the allocator is not jemalloc")
        .about("Let jemalloc purge in its own thread."),
    row("lazyfree-lazy-eviction", Kind::YesNo, "no")
        .stored("big values are always freed in slices")
        .about("Free evicted keys in the background."),
    row("lazyfree-lazy-expire", Kind::YesNo, "no")
        .stored("big values are always freed in slices")
        .about("Free expired keys in the background."),
    row("lazyfree-lazy-server-del", Kind::YesNo, "no")
        .stored("big values are always freed in slices")
        .about("Free keys that a command replaces in the background."),
    row("lazyfree-lazy-user-del", Kind::YesNo, "no")
        .stored("big values are always freed in slices")
        .about("Let DEL behave as UNLINK."),
    row("lazyfree-lazy-user-flush", Kind::YesNo, "no")
        .stored("a flush swaps in an empty keyspace and frees the old one in slices")
        .about("Let FLUSHALL, FLUSHDB, SCRIPT FLUSH and FUNCTION FLUSH behave as with ASYNC."),
    row("lfu-decay-time", integer(0, INT_MAX), "1")
        .about("Minutes after which an LFU counter loses one."),
    row("lfu-log-factor", integer(0, INT_MAX), "10")
        .about("How slowly the access counter of the LFU policies saturates."),
    row("maxmemory", unsigned_memory(0, u64::MAX), "0")
        .about("Most bytes the data may take before keys are evicted or writes refused; 0 sets no limit."),
    row("maxmemory-clients", memory_or_percent(-100, i64::MAX), "0")
        .stored("each client's buffers have limits of their own")
        .about("Most bytes all clients' buffers may take together, in bytes or percent of maxmemory; the biggest clients are closed first. 0 sets no limit."),
    row("maxmemory-eviction-tenacity", integer(0, 100), "10")
        .about("How long eviction may go on in one piece, 0 (shortest) to 100 (as long as it takes)."),
    row("maxmemory-policy", Kind::Choice(MAXMEMORY_POLICIES), "noeviction")
        .about("Which keys are evicted when maxmemory is reached."),
    row("maxmemory-samples", integer(1, 64), "5")
        .about("Keys looked at to find one that is good to evict."),
    row("replica-ignore-maxmemory", Kind::YesNo, "yes")
        .alias("slave-ignore-maxmemory")
        .stored("there is no replication in this build")
        .about("A replica evicts nothing on its own; it waits for its master's deletions."),
    row("tracking-table-max-keys", unsigned(0, i64::MAX as u64), "1000000")
        .stored("there is no client-side caching in this build")
        .about("Most keys remembered for client-side caching; beyond, clients are told to forget some. 0 sets no limit."),
];
