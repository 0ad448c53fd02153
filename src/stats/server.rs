//! Facts about this process that every core may read, and the few switches that every core obeys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use super::core::CoreStats;
use super::log::LogFacts;
use super::pubsub::PubsubFacts;
use super::scripts::ScriptFacts;
use super::persistence::SaveFacts;
use super::slow_log::SlowLog;

/// The version of Redis whose semantics we follow; clients look at it to decide what they may use.
pub const REDIS_VERSION: &str = "7.4.1";

/// Our own version.
pub const RINGFORT_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the first core's cron measures ten times a second, so that no command has to ask the system.
#[derive(Default)]
pub struct Samples {
    /// Resident set of the process, bytes.
    pub rss_bytes: AtomicU64,
    /// The part of it that belongs to no file: heap and stacks, bytes.
    pub rss_anonymous_bytes: AtomicU64,
    /// Processor time of the process in the system, microseconds.
    pub cpu_system_us: AtomicU64,
    /// Processor time of the process outside the system, microseconds.
    pub cpu_user_us: AtomicU64,
    /// As `cpu_system_us`, of the first core's thread.
    pub cpu_system_first_core_us: AtomicU64,
    /// As `cpu_user_us`, of the first core's thread.
    pub cpu_user_first_core_us: AtomicU64,
    /// Commands per second over the last 1.6 seconds, as in Redis.
    pub commands_per_s: AtomicU64,
    /// Bytes received per second, likewise.
    pub bytes_in_per_s: AtomicU64,
    /// Bytes sent per second, likewise.
    pub bytes_out_per_s: AtomicU64,
    /// Turns of all cores' loops per second, likewise.
    pub cycles_per_s: AtomicU64,
    /// Processor time of one such turn, microseconds, likewise.
    pub cycle_us: AtomicU64,
    /// Processor time of the process at the last CONFIG RESETSTAT, microseconds.
    pub cpu_at_reset_us: AtomicU64,
}

impl Samples {
    /// Processor time of the process, microseconds.
    pub fn cpu_us(&self) -> u64 {
        self.cpu_system_us.load(Ordering::Relaxed) + self.cpu_user_us.load(Ordering::Relaxed)
    }
}

/// Facts and switches of the whole server. Switches change rarely, so sharing them costs nothing.
pub struct ServerFacts {
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// Unix time of the start, milliseconds.
    pub started_ms: i64,
    /// The configuration file's absolute path, or empty.
    pub config_file: String,
    /// Who supervises the process: "no", "systemd", "upstart".
    pub supervised: &'static str,
    /// The binary's path.
    pub executable: String,
    /// "io_uring (…)" or "epoll".
    pub multiplexing_api: String,
    /// One per core.
    pub cores: Box<[CoreStats]>,
    /// The next client's number.
    next_client_id: AtomicU64,
    /// Clients connected over all cores, for `maxclients`.
    pub clients: AtomicUsize,
    /// Clients refused because of `maxclients`.
    pub rejected_connections: AtomicU64,
    /// Until when clients are paused, unix time in milliseconds; 0: not.
    pub paused_until_ms: AtomicI64,
    /// Only writes are paused.
    pub paused_writes_only: AtomicBool,
    /// Keys expire by themselves (DEBUG SET-ACTIVE-EXPIRE).
    pub active_expire: AtomicBool,
    /// `maxmemory-policy` is one of the LFU policies: keys count their uses.
    pub lfu_policy: AtomicBool,
    /// What took long (SLOWLOG).
    pub slow_log: SlowLog,
    /// Since when more memory is used than allowed, Unix time in milliseconds; 0 when that is not so.
    pub over_memory_since_ms: AtomicI64,
    /// How long that was so before, milliseconds.
    pub over_memory_ms: AtomicI64,
    /// The server is on its way out.
    pub stopping: AtomicBool,
    /// The cores that have clients who monitor, one bit each.
    pub monitor_cores: AtomicU64,
    /// Failed attempts to authenticate.
    pub auth_failures: AtomicU64,
    /// Requests whose command the user may not run.
    pub denied_commands: AtomicU64,
    /// Requests with a key that the user may not use.
    pub denied_keys: AtomicU64,
    /// Requests with a channel that the user may not use.
    pub denied_channels: AtomicU64,
    /// The cron's work on keys and idle clients rests (DEBUG PAUSE-CRON).
    pub cron_paused: AtomicBool,
    /// Checksums of payloads are not looked at (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    pub skip_checksums: AtomicBool,
    /// Scripts may run every command (DEBUG SET-DISABLE-DENY-SCRIPTS).
    pub scripts_may_all: AtomicBool,
    /// Length from which an element of a list gets a node of its own (DEBUG QUICKLIST-PACKED-THRESHOLD); 0: as usual.
    pub list_plain_bytes_min: AtomicUsize,
    /// What `replication_id` is made from.
    pub replication_seed: AtomicU64,
    /// 16 hexadecimal digits that change with the binary.
    pub build_id: String,
    /// The machine: "Linux 6.18.44 x86_64".
    pub machine: String,
    /// Memory of the machine, bytes; 0 when it is not known.
    pub system_memory_bytes: u64,
    /// Memory in use when the server began to serve, bytes.
    pub memory_startup_bytes: AtomicUsize,
    /// What the cron measures.
    pub samples: Samples,
    /// Loading and saving; shared with the threads that write files.
    pub saves: Arc<SaveFacts>,
    /// The append-only log.
    pub log: Arc<LogFacts>,
    /// Scripts and functions.
    pub scripts: Arc<ScriptFacts>,
    /// Publish/subscribe.
    pub pubsub: Arc<PubsubFacts>,
}

impl ServerFacts {
    /// Facts of a server with `cores` cores and `commands` command rows.
    pub fn new(cores: usize, commands: usize, run_id: String, started_ms: i64) -> ServerFacts {
        ServerFacts {
            run_id,
            started_ms,
            config_file: String::new(),
            supervised: "no",
            executable: String::new(),
            multiplexing_api: String::new(),
            cores: (0..cores).map(|_| CoreStats::new(commands)).collect(),
            next_client_id: AtomicU64::new(1),
            clients: AtomicUsize::new(0),
            rejected_connections: AtomicU64::new(0),
            paused_until_ms: AtomicI64::new(0),
            paused_writes_only: AtomicBool::new(false),
            active_expire: AtomicBool::new(true),
            lfu_policy: AtomicBool::new(false),
            slow_log: SlowLog::default(),
            over_memory_since_ms: AtomicI64::new(0),
            over_memory_ms: AtomicI64::new(0),
            stopping: AtomicBool::new(false),
            monitor_cores: AtomicU64::new(0),
            auth_failures: AtomicU64::new(0),
            denied_commands: AtomicU64::new(0),
            denied_keys: AtomicU64::new(0),
            denied_channels: AtomicU64::new(0),
            cron_paused: AtomicBool::new(false),
            skip_checksums: AtomicBool::new(false),
            scripts_may_all: AtomicBool::new(false),
            list_plain_bytes_min: AtomicUsize::new(0),
            replication_seed: AtomicU64::new(0),
            build_id: String::new(),
            machine: String::new(),
            system_memory_bytes: 0,
            memory_startup_bytes: AtomicUsize::new(0),
            samples: Samples::default(),
            scripts: Arc::default(),
            pubsub: Arc::default(),
            saves: Arc::new(SaveFacts::new(started_ms)),
            log: Arc::default(),
        }
    }

    /// Clients, or only writes, are paused at this time: the data stands still.
    #[inline]
    pub fn is_paused(&self, now_ms: i64) -> bool {
        self.paused_until_ms.load(Ordering::Relaxed) > now_ms
    }

    /// A number for a new client.
    pub fn next_client_id(&self) -> u64 {
        self.next_client_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The replication id of the data set: 40 hexadecimal digits that change with `replication_seed`.
    pub fn replication_id(&self) -> String {
        let mut random = crate::stdx::random::Random::new(self.replication_seed.load(Ordering::Relaxed));
        (0..5).map(|_| format!("{:08x}", random.next_u64() as u32)).collect()
    }

    /// The sum of one counter over all cores.
    pub fn sum(&self, counter: impl Fn(&CoreStats) -> u64) -> u64 {
        self.cores.iter().map(counter).fold(0, u64::wrapping_add)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        self.scripts.evicted.store(0, Ordering::Relaxed);
        for core in &self.cores {
            core.reset();
        }
        self.rejected_connections.store(0, Ordering::Relaxed);
        for counter in [&self.auth_failures, &self.denied_commands, &self.denied_keys, &self.denied_channels] {
            counter.store(0, Ordering::Relaxed);
        }
        self.over_memory_ms.store(0, Ordering::Relaxed);
        let samples = &self.samples;
        samples.cpu_at_reset_us.store(samples.cpu_us(), Ordering::Relaxed);
        super::memory::reset_peak();
    }
}
