//! Facts about this process that every core may read, and the few switches that every core obeys.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use super::core::CoreStats;

/// The version of Redis whose semantics we follow; clients look at it to decide what they may use.
pub const REDIS_VERSION: &str = "7.4.1";

/// Facts and switches of the whole server. Switches change rarely, so sharing them costs nothing.
pub struct ServerFacts {
    /// 40 hexadecimal digits, new at every start.
    pub run_id: String,
    /// Unix time of the start, milliseconds.
    pub started_ms: i64,
    /// The configuration file's absolute path, or empty.
    pub config_file: String,
    /// The binary's path.
    pub executable: String,
    /// The TCP port listened on, 0 without.
    pub tcp_port: u16,
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
    /// The server is on its way out.
    pub stopping: AtomicBool,
    /// Highest memory use seen, bytes.
    pub memory_peak_bytes: AtomicUsize,
}

impl ServerFacts {
    /// Facts of a server with `cores` cores and `commands` command rows.
    pub fn new(cores: usize, commands: usize, run_id: String, started_ms: i64) -> ServerFacts {
        ServerFacts {
            run_id,
            started_ms,
            config_file: String::new(),
            executable: String::new(),
            tcp_port: 0,
            multiplexing_api: String::new(),
            cores: (0..cores).map(|_| CoreStats::new(commands)).collect(),
            next_client_id: AtomicU64::new(1),
            clients: AtomicUsize::new(0),
            rejected_connections: AtomicU64::new(0),
            paused_until_ms: AtomicI64::new(0),
            paused_writes_only: AtomicBool::new(false),
            active_expire: AtomicBool::new(true),
            lfu_policy: AtomicBool::new(false),
            stopping: AtomicBool::new(false),
            memory_peak_bytes: AtomicUsize::new(0),
        }
    }

    /// A number for a new client.
    pub fn next_client_id(&self) -> u64 {
        self.next_client_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The sum of one counter over all cores.
    pub fn sum(&self, counter: impl Fn(&CoreStats) -> u64) -> u64 {
        self.cores.iter().map(counter).fold(0, u64::wrapping_add)
    }

    /// CONFIG RESETSTAT.
    pub fn reset(&self) {
        for core in &self.cores {
            core.reset();
        }
        self.rejected_connections.store(0, Ordering::Relaxed);
    }
}
