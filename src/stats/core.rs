//! What one core counts. Only the owning core writes (a plain load and store, no locked instruction); anybody reads.

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock};
use std::sync::atomic::{AtomicU64, Ordering};

use super::latency::{Bucket, LatencyHistogram};

/// Different error prefixes kept for INFO errorstats. Beyond: counted in the total only.
const ERROR_KINDS_MAX: usize = 128;

/// A counter written by one core and read by all.
#[derive(Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// A counter at zero.
    pub const fn zero() -> Counter {
        Counter(AtomicU64::new(0))
    }

    /// Sets a figure that is measured instead of counted; only the owning core may call this.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// Adds; only the owning core may call this.
    #[inline]
    pub fn add(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_add(amount), Ordering::Relaxed);
    }

    /// Subtracts; only the owning core may call this.
    #[inline]
    pub fn subtract(&self, amount: u64) {
        self.0.store(self.0.load(Ordering::Relaxed).wrapping_sub(amount), Ordering::Relaxed);
    }

    /// The value.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// CONFIG RESETSTAT. A concurrent `add` of the owner may win; the figure is then as old as one turn.
    pub fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

/// What is counted per command.
#[derive(Default)]
pub struct CommandCounters {
    /// Times it ran.
    pub calls: Counter,
    /// Nanoseconds it took, shared evenly among the commands of a run.
    pub duration_ns: Counter,
    /// Times it was refused before it ran.
    pub rejected: Counter,
    /// Times it ran into an error.
    pub failed: Counter,
    /// How long it took; made when it first runs with `latency-tracking`.
    pub latency: OnceLock<Box<LatencyHistogram>>,
}

/// What one core counts. Padded so that two cores never write to one cache line (two lines are fetched together).
#[repr(align(128))]
pub struct CoreStats {
    /// Connections accepted.
    pub connections: Counter,
    /// Connections this core has taken over from the acceptors; never reset.
    pub adopted: Counter,
    /// Clients connected now.
    pub clients: Counter,
    /// Commands run.
    pub commands: Counter,
    /// Clients that wait: for a pause to end, or in a blocking command. Never reset.
    pub blocked: Counter,
    /// Those of them whose wait for a key ends by itself. Never reset.
    pub timeouts: Counter,
    /// Clients that subscribe to something. Never reset.
    pub pubsub_clients: Counter,
    /// Clients closed because they did not read what was sent to them.
    pub output_limit_disconnections: Counter,
    /// Reads from sockets.
    pub reads: Counter,
    /// Writes to sockets.
    pub writes: Counter,
    /// Bytes read from clients.
    pub bytes_in: Counter,
    /// Bytes sent to clients.
    pub bytes_out: Counter,
    /// Error replies.
    pub errors: Counter,
    /// Batches sent to other cores.
    pub batches: Counter,
    /// Loans asked for.
    pub loans: Counter,
    /// Scattered commands that needed holds.
    pub scatters: Counter,
    /// Scripts that had to begin anew because a box they turned out to need was out.
    pub scripts_anew: Counter,
    /// Protocol errors and limits that closed a client.
    pub query_limit_disconnections: Counter,
    /// Turns of the core's loop.
    pub cycles: Counter,
    /// Changes of the core's shard, as its cron last saw them; never reset.
    pub changes: Counter,
    /// Memory of the core's interpreter, bytes, as its cron last saw it; never reset.
    pub interpreter_bytes: Counter,
    /// Memory of the clients, bytes; measured every second, never reset.
    pub clients_bytes: Counter,
    /// The largest input of one client in the last seconds, bytes; likewise.
    pub client_input_bytes_max: Counter,
    /// The largest output of one client in the last seconds, bytes; likewise.
    pub client_output_bytes_max: Counter,
    /// Per command, by the row's number.
    pub per_command: Box<[CommandCounters]>,
    error_kinds: Mutex<BTreeMap<Box<str>, u64>>,
}

impl CoreStats {
    /// All zero, with room for `commands` rows.
    pub fn new(commands: usize) -> CoreStats {
        CoreStats {
            connections: Counter::default(),
            adopted: Counter::default(),
            clients: Counter::default(),
            commands: Counter::default(),
            blocked: Counter::default(),
            timeouts: Counter::default(),
            pubsub_clients: Counter::default(),
            output_limit_disconnections: Counter::default(),
            reads: Counter::default(),
            writes: Counter::default(),
            bytes_in: Counter::default(),
            bytes_out: Counter::default(),
            errors: Counter::default(),
            batches: Counter::default(),
            loans: Counter::default(),
            scatters: Counter::default(),
            scripts_anew: Counter::default(),
            query_limit_disconnections: Counter::default(),
            cycles: Counter::default(),
            changes: Counter::default(),
            interpreter_bytes: Counter::default(),
            clients_bytes: Counter::default(),
            client_input_bytes_max: Counter::default(),
            client_output_bytes_max: Counter::default(),
            per_command: (0..commands).map(|_| CommandCounters::default()).collect(),
            error_kinds: Mutex::new(BTreeMap::new()),
        }
    }

    /// Adds the time that commands took: `each_ns` for each, given by their rows' numbers. `track`: into their histograms
    /// too (`latency-tracking`). Pipelines repeat themselves, so neighbours of one row are added together: 0.5 ns a command
    /// in a window of one kind of command, 1.8 ns when two kinds take turns, 4.5 ns for one alone (AMD EPYC, fat LTO;
    /// without histograms and one by one it was 2.1, 1.1 and 2.2 ns).
    #[inline]
    pub fn spent(&self, commands: impl Iterator<Item = usize>, each_ns: u64, track: bool) {
        let bucket = Bucket::of(each_ns);
        let add = |id: usize, calls: u64| {
            let command = &self.per_command[id];
            command.duration_ns.add(calls * each_ns);
            if track {
                command.latency.get_or_init(Box::default).add(bucket, calls);
            }
        };
        let mut same = (usize::MAX, 0);
        for id in commands {
            if id == same.0 {
                same.1 += 1;
                continue;
            }
            if same.1 > 0 {
                add(same.0, same.1);
            }
            same = (id, 1);
        }
        if same.1 > 0 {
            add(same.0, same.1);
        }
    }

    /// Counts an error reply under its prefix ("ERR", "WRONGTYPE" …).
    pub fn count_error(&self, text: &[u8]) {
        self.errors.add(1);
        let kind = text.split(|&byte| byte == b' ').next().and_then(|kind| std::str::from_utf8(kind).ok()).unwrap_or("ERR");
        let mut kinds = self.error_kinds.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(count) = kinds.get_mut(kind) {
            *count += 1;
        } else if kinds.len() < ERROR_KINDS_MAX {
            kinds.insert(kind.into(), 1);
        }
    }

    /// Adds this core's error counts to `sum`.
    pub fn add_errors_to(&self, sum: &mut BTreeMap<String, u64>) {
        let kinds = self.error_kinds.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for (kind, count) in kinds.iter() {
            *sum.entry(kind.to_string()).or_default() += count;
        }
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for counter in
            [&self.connections, &self.commands, &self.reads, &self.writes, &self.bytes_in, &self.bytes_out, &self.errors]
                .into_iter()
                .chain([&self.batches, &self.loans, &self.scatters, &self.scripts_anew, &self.query_limit_disconnections, &self.cycles])
        {
            counter.reset();
        }
        for command in &self.per_command {
            for counter in [&command.calls, &command.duration_ns, &command.rejected, &command.failed] {
                counter.reset();
            }
            if let Some(latency) = command.latency.get() {
                latency.reset();
            }
        }
        self.error_kinds.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clear();
    }
}
