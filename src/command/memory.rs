//! MEMORY: what keys and the server take, and what could be wrong with it.
//!
//! The figures are those of INFO's memory section. Names and reply shapes are Redis'; where something does not exist here
//! (rehashing, a second allocator for Lua) its figure is 0.

use std::sync::atomic::Ordering::Relaxed;

use super::context::{Context, SessionContext};
use super::error::CommandError;
use super::help::reply_help;
use super::spec::{Command, Flags, Run, key_at};
use crate::resp::reply::Reply;
use crate::stats::memory;
use crate::stats::server::ServerFacts;

/// The rows.
pub const COMMANDS: &[Command] = &[Command {
    name: "memory",
    arity: -2,
    since: "4.0.0",
    summary: "Tells what memory is used for.",
    complexity: "That of the subcommand.",
    subcommands: &[
        Command {
            name: "doctor",
            run: Run::AllShards(doctor),
            summary: "Says what could be wrong with the memory.",
            tips: ALL_SHARDS,
            ..MEMORY
        },
        Command {
            name: "help",
            run: Run::Session(help),
            flags: Flags::LOADING.and(Flags::STALE),
            summary: "Describes the subcommands.",
            ..MEMORY
        },
        Command {
            name: "malloc-stats",
            run: Run::Session(malloc_stats),
            summary: "Returns figures of the allocator.",
            complexity: "O(N), N threads",
            tips: ALL_SHARDS,
            ..MEMORY
        },
        Command {
            name: "purge",
            run: Run::Session(purge),
            summary: "Asks the allocator to give memory back to the system.",
            complexity: "O(N), N unused pages",
            tips: &["request_policy:all_shards", "response_policy:all_succeeded"],
            ..MEMORY
        },
        Command {
            name: "stats",
            run: Run::AllShards(stats),
            summary: "Returns what memory is used for.",
            tips: ALL_SHARDS,
            ..MEMORY
        },
        Command {
            name: "usage",
            arity: -3,
            run: Run::Keyed(usage),
            flags: Flags::READONLY,
            keys: &[key_at(2, &["RO"])],
            summary: "Returns how much memory a key and its value take.",
            complexity: "O(1)",
            syntax: "key [SAMPLES count:integer]",
            ..MEMORY
        },
    ],
    ..Command::BASE
}];

const MEMORY: Command = Command { arity: 2, since: "4.0.0", ..Command::BASE };

const ALL_SHARDS: &[&str] = &["nondeterministic_output", "request_policy:all_shards", "response_policy:special"];

/// What a key's place in a table takes: one word, in segments that are on average not full.
const PLACE_BYTES: usize = 12;

/// The number of samples is checked and otherwise not used: every collection keeps account of what it takes.
fn usage(context: &mut Context<'_>) -> Result<(), CommandError> {
    let args = context.args;
    let mut at = 3;
    while at < args.len() {
        if !args.is(at, b"samples") || at + 1 == args.len() {
            return Err(CommandError::Syntax);
        }
        if args.integer(at + 1)? < 0 {
            return Err(CommandError::Syntax);
        }
        at += 2;
    }
    let (key, database, turn) = (context.key(2), context.database, context.turn);
    match context.keyspaces.of(&key).peek(database, &key, turn) {
        Some(entry) => {
            let places = 1 + usize::from(entry.expire_at_ms().is_some());
            context.reply.integer((entry.memory_bytes() + places * PLACE_BYTES) as i64);
        }
        None => context.reply.null(),
    }
    Ok(())
}

/// A whole and what it should be close to.
#[derive(Clone, Copy)]
pub(super) struct Excess {
    /// The larger figure, in bytes.
    pub(super) whole: u64,
    /// The smaller figure, in bytes.
    pub(super) part: u64,
}

impl Excess {
    /// How many times the part is in the whole.
    pub(super) fn ratio(self) -> f64 {
        self.whole as f64 / self.part.max(1) as f64
    }

    /// What the whole has more than the part.
    pub(super) fn bytes(self) -> i64 {
        self.whole as i64 - self.part as i64
    }

    /// Redis' rule for what is worth a word: beyond the ratio, and more than ten megabytes.
    fn is_large(self, ratio_max: f64) -> bool {
        self.ratio() > ratio_max && self.bytes() > 10 << 20
    }
}

/// The figures that INFO and MEMORY share.
#[derive(Clone, Copy)]
pub(super) struct Figures {
    /// Bytes in use.
    pub(super) used: u64,
    /// The most that were in use.
    pub(super) peak: u64,
    /// In use before there was any data.
    pub(super) startup: u64,
    /// Of clients.
    pub(super) clients: u64,
    /// In use for other things than data.
    pub(super) overhead: u64,
    /// Resident bytes.
    pub(super) resident: u64,
    /// Those of them that belong to no file.
    pub(super) heap: u64,
}

impl Figures {
    /// The figures of a server whose tables take so many bytes.
    pub(super) fn of(server: &ServerFacts, table_bytes: u64) -> Figures {
        let used = memory::used_bytes() as u64;
        let startup = server.memory_startup_bytes.load(Relaxed) as u64;
        let clients = server.sum(|core| core.clients_bytes.get());
        Figures {
            used,
            peak: memory::peak_bytes() as u64,
            startup,
            clients,
            overhead: (startup + table_bytes + clients).min(used),
            resident: server.samples.rss_bytes.load(Relaxed),
            heap: server.samples.rss_anonymous_bytes.load(Relaxed),
        }
    }

    /// In use for data.
    pub(super) fn dataset(&self) -> u64 {
        self.used - self.overhead
    }

    /// Used for data beyond what the server began with.
    pub(super) fn net(&self) -> u64 {
        self.used.saturating_sub(self.startup)
    }

    /// What the allocator holds beyond what is in use.
    pub(super) fn allocator_fragmentation(&self) -> Excess {
        Excess { whole: self.heap, part: self.used }
    }

    /// What is resident of the allocator's beyond what it holds: the same, as nobody else tells.
    pub(super) fn allocator_resident(&self) -> Excess {
        Excess { whole: self.heap, part: self.heap }
    }

    /// What is resident and not the allocator's.
    pub(super) fn resident_overhead(&self) -> Excess {
        Excess { whole: self.resident, part: self.heap }
    }

    /// What is resident beyond what is in use.
    pub(super) fn fragmentation(&self) -> Excess {
        Excess { whole: self.resident, part: self.used }
    }
}

/// One database over all shards.
#[derive(Clone, Copy, Default)]
struct DatabaseFigures {
    keys: usize,
    main_bytes: usize,
    expires_bytes: usize,
}

fn databases(context: &mut Context<'_>) -> Vec<DatabaseFigures> {
    let mut sums = vec![DatabaseFigures::default(); context.keyspaces.databases_len()];
    for (_, keyspace) in context.keyspaces.all() {
        for (index, sum) in sums.iter_mut().enumerate() {
            let database = keyspace.database(index as u32);
            let expires_bytes = database.expires_table_bytes();
            sum.keys += database.len();
            sum.main_bytes += database.table_bytes() - expires_bytes;
            sum.expires_bytes += expires_bytes;
        }
    }
    sums
}

fn figures(context: &Context<'_>, databases: &[DatabaseFigures]) -> Figures {
    let table_bytes: usize = databases.iter().map(|database| database.main_bytes + database.expires_bytes).sum();
    Figures::of(context.server, table_bytes as u64)
}

fn stats(context: &mut Context<'_>) -> Result<(), CommandError> {
    let databases = databases(context);
    let figures = figures(context, &databases);
    let reply = &mut *context.reply;
    let shown = databases.iter().enumerate().filter(|(_, sum)| sum.main_bytes > 0);
    reply.map(31 + shown.clone().count());
    for (name, bytes) in [
        ("peak.allocated", figures.peak),
        ("total.allocated", figures.used),
        ("startup.allocated", figures.startup),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", figures.clients),
        ("cluster.links", 0),
        ("aof.buffer", 0),
        ("lua.caches", 0),
        ("functions.caches", 0),
    ] {
        integer(reply, name, bytes as i64);
    }
    for (index, sum) in shown {
        reply.bulk(format!("db.{index}").as_bytes());
        reply.map(2);
        integer(reply, "overhead.hashtable.main", sum.main_bytes as i64);
        integer(reply, "overhead.hashtable.expires", sum.expires_bytes as i64);
    }
    let keys: usize = databases.iter().map(|sum| sum.keys).sum();
    let tables: usize = databases.iter().map(|sum| sum.main_bytes + sum.expires_bytes).sum();
    integer(reply, "overhead.db.hashtable.lut", tables as i64);
    integer(reply, "overhead.db.hashtable.rehashing", 0);
    integer(reply, "overhead.total", figures.overhead as i64);
    integer(reply, "db.dict.rehashing.count", 0);
    integer(reply, "keys.count", keys as i64);
    integer(reply, "keys.bytes-per-key", figures.net().checked_div(keys as u64).unwrap_or(0) as i64);
    integer(reply, "dataset.bytes", figures.dataset() as i64);
    double(reply, "dataset.percentage", percentage(figures.dataset(), figures.net()));
    double(reply, "peak.percentage", percentage(figures.used, figures.peak));
    integer(reply, "allocator.allocated", figures.used as i64);
    integer(reply, "allocator.active", figures.heap as i64);
    integer(reply, "allocator.resident", figures.heap as i64);
    integer(reply, "allocator.muzzy", 0);
    for (ratio, bytes, excess) in [
        ("allocator-fragmentation.ratio", "allocator-fragmentation.bytes", figures.allocator_fragmentation()),
        ("allocator-rss.ratio", "allocator-rss.bytes", figures.allocator_resident()),
        ("rss-overhead.ratio", "rss-overhead.bytes", figures.resident_overhead()),
        ("fragmentation", "fragmentation.bytes", figures.fragmentation()),
    ] {
        double(reply, ratio, excess.ratio());
        integer(reply, bytes, excess.bytes());
    }
    Ok(())
}

fn percentage(part: u64, whole: u64) -> f64 {
    part as f64 * 100.0 / whole.max(1) as f64
}

fn integer(reply: &mut Reply, name: &str, value: i64) {
    reply.bulk(name.as_bytes());
    reply.integer(value);
}

fn double(reply: &mut Reply, name: &str, value: f64) {
    reply.bulk(name.as_bytes());
    reply.double(value);
}

/// Below this much memory in use, in bytes, the doctor has nothing to say.
const EXAMINED_BYTES_MIN: u64 = 5 << 20;
/// What one client may take on average, in bytes.
const CLIENT_BYTES_MAX: u64 = 200 << 10;

/// Redis' checks with its thresholds, as far as there is something to check.
fn complaints(figures: &Figures, clients: u64) -> Vec<&'static str> {
    [
        (
            figures.peak as f64 / figures.used.max(1) as f64 > 1.5,
            "Peak: at some time more than 1.5 times as much memory was in use as is now. What was freed since may still be \
             resident; it will be used again for new data. MEMORY PURGE asks the allocator to give it back.",
        ),
        (
            figures.fragmentation().is_large(1.4),
            "Resident memory: the process holds more than 1.4 times what is in use. After a peak (see above) this is \
             expected; otherwise the sizes of values change in a way that leaves holes.",
        ),
        (
            figures.allocator_fragmentation().is_large(1.1),
            "Fragmentation: the allocator holds more than 1.1 times what is in use, in pages that are partly free.",
        ),
        (
            figures.resident_overhead().is_large(1.1),
            "Process: more than a tenth of the resident memory is neither data nor buffers.",
        ),
        (
            figures.clients / clients.max(1) > CLIENT_BYTES_MAX,
            "Clients: on average their buffers take more than 200 KiB each. CLIENT LIST shows which (qbuf, omem): they \
             may read replies too slowly, or send very long pipelines.",
        ),
    ]
    .into_iter()
    .filter_map(|(holds, text)| holds.then_some(text))
    .collect()
}

fn doctor(context: &mut Context<'_>) -> Result<(), CommandError> {
    let databases = databases(context);
    let figures = figures(context, &databases);
    let report = if figures.used < EXAMINED_BYTES_MIN {
        "Too little memory is in use for an examination to mean anything. Come back with some data.\n".to_owned()
    } else {
        match &complaints(&figures, context.server.clients.load(Relaxed) as u64)[..] {
            [] => "Nothing wrong was found with the memory of this server.\n".to_owned(),
            found => format!("Found with the memory of this server:\n\n * {}\n", found.join("\n\n * ")),
        }
    };
    context.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

fn malloc_stats(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    let mut text = format!(
        "Allocator: {}\nIn use: {} bytes\nPeak: {} bytes\nAllocated less freed, by thread:\n",
        memory::HEAP_NAME,
        memory::used_bytes(),
        memory::peak_bytes()
    );
    for (thread, bytes) in memory::used_bytes_of_thread_cells().into_iter().enumerate() {
        text.push_str(&format!("  {thread}: {bytes}\n"));
    }
    context.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Each thread has a heap of its own, which gives unused pages back some milliseconds after they became unused. So there is
/// something to do at most for the thread at hand.
fn purge(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    memory::purge();
    context.reply.ok();
    Ok(())
}

const HELP: &[&str] = &[
    "DOCTOR",
    "    What could be wrong with the memory.",
    "MALLOC-STATS",
    "    Figures of the allocator.",
    "PURGE",
    "    Asks the allocator to give memory back to the system.",
    "STATS",
    "    What memory is used for.",
    "USAGE <key> [SAMPLES <count>]",
    "    Bytes that <key> and its value take. All of a value is counted, so <count> makes",
    "    no difference.",
];

fn help(context: &mut SessionContext<'_>) -> Result<(), CommandError> {
    reply_help(context.reply, "MEMORY", HELP);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::testing::{Harness, check};
    use crate::stdx::number;

    #[test]
    fn usage_grows_with_the_value() {
        check(&[
            ("MEMORY USAGE missing", "$-1\r\n"),
            ("MEMORY USAGE missing SAMPLES 5", "$-1\r\n"),
            ("MEMORY USAGE missing SAMPLES", "-ERR syntax error\r\n"),
            ("MEMORY USAGE missing SAMPLES -1", "-ERR syntax error\r\n"),
            ("MEMORY USAGE missing SAMPLES x", "-ERR value is not an integer or out of range\r\n"),
            ("MEMORY USAGE missing FOO 1", "-ERR syntax error\r\n"),
        ]);
        let mut harness = Harness::new(1);
        let mut usage = |lines: &[&str]| {
            lines.iter().for_each(|line| drop(harness.run(line)));
            let reply = harness.run("MEMORY USAGE k SAMPLES 0");
            number::parse_i64(reply.trim_start_matches(':').trim_end().as_bytes()).expect("an integer")
        };
        let short = usage(&["SET k v"]);
        assert!((1 + 1..100).contains(&short), "{short}");
        let timed = usage(&["SET k v EX 100"]);
        assert!(timed > short, "{timed}");
        let long = usage(&["SETRANGE k 100000 x"]);
        assert!((100_000..210_000).contains(&long), "{long}");
        let few = usage(&["DEL k", "RPUSH k a b c"]);
        let many = usage(&["LPOP k 3", "RPUSH k a", &["RPUSH k", &" element".repeat(5000)].concat()]);
        assert!(few > short && many > 5000 * 8 && many < 5000 * 40, "{few} {many}");
    }

    #[test]
    fn stats_have_a_map_for_each_database_in_use() {
        let mut harness = Harness::new(4);
        harness.resp3();
        assert!(harness.run("MEMORY STATS").starts_with("%31\r\n$14\r\npeak.allocated\r\n:"));
        harness.run("MSET a 1 b 2 c 3");
        harness.run("SET d 1 EX 100");
        let reply = harness.run("MEMORY STATS");
        assert!(reply.starts_with("%32\r\n"), "{reply}");
        assert!(reply.contains("\r\n$4\r\ndb.0\r\n%2\r\n$23\r\noverhead.hashtable.main\r\n:"), "{reply}");
        assert!(reply.contains("\r\n$10\r\nkeys.count\r\n:4\r\n"), "{reply}");
        // Every name has one value: simple ones here, but for the map above.
        assert_eq!(reply.matches("\r\n:").count() + reply.matches("\r\n,").count(), 31 + 2, "{reply}");
    }

    #[test]
    fn the_doctor_sees_what_is_large() {
        let healthy = Figures {
            used: 100 << 20,
            peak: 120 << 20,
            startup: 1 << 20,
            clients: 1 << 20,
            overhead: 10 << 20,
            resident: 105 << 20,
            heap: 104 << 20,
        };
        assert_eq!(complaints(&healthy, 10).len(), 0);
        let table: &[(Figures, u64, &str)] = &[
            (Figures { peak: 200 << 20, ..healthy }, 10, "Peak"),
            (Figures { resident: 150 << 20, heap: 149 << 20, ..healthy }, 10, "Resident"),
            (Figures { resident: 120 << 20, heap: 119 << 20, ..healthy }, 10, "Fragmentation"),
            (Figures { resident: 135 << 20, ..healthy }, 10, "Process"),
            (healthy, 1, "Clients"),
        ];
        for (figures, clients, first) in table {
            let found = complaints(figures, *clients);
            assert!(found.iter().any(|text| text.starts_with(first)), "{first}: {found:?}");
        }
    }

    #[test]
    fn texts() {
        let mut harness = Harness::new(1);
        harness.resp3();
        for line in ["MEMORY DOCTOR", "MEMORY MALLOC-STATS"] {
            assert!(harness.run(line).starts_with('='), "{line}");
        }
        harness.check(&[("MEMORY PURGE", "+OK\r\n")]);
        assert!(harness.run("MEMORY HELP").contains("+USAGE <key> [SAMPLES <count>]\r\n"));
    }
}
