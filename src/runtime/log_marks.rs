//! What the cores and the log share besides their rings: the order of what concerns several shards, and how far each
//! shard's changes are safe.
//!
//! Only who has the log in hand writes `durable`; everybody may take tickets. A core that waits for a mark is woken through its doorbell.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Stands alone on its cache lines.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Alone(AtomicU64);

/// See the file's head.
#[derive(Debug)]
pub struct LogMarks {
    tickets: Alone,
    durable: Box<[Alone]>,
    /// For each core: it wants to be woken when something is safe.
    waiting_cores: Box<[AtomicBool]>,
    /// Bytes that were given to the log and are not in its file yet.
    waiting_bytes: Alone,
}

impl LogMarks {
    /// Marks for so many shards.
    pub fn new(shards: usize) -> LogMarks {
        LogMarks {
            tickets: Alone::default(),
            durable: (0..shards).map(|_| Alone::default()).collect(),
            waiting_cores: (0..shards).map(|_| AtomicBool::new(false)).collect(),
            waiting_bytes: Alone::default(),
        }
    }

    /// Number of shards.
    pub fn shards(&self) -> usize {
        self.durable.len()
    }

    /// A ticket: greater than every one that was taken before, as the boxes and messages that are passed on tell it.
    pub fn take_ticket(&self) -> u64 {
        self.tickets.0.fetch_add(1, Ordering::Relaxed)
    }

    /// So many of the shard's chunks are safe: on the disk, or with the kernel where that is enough.
    #[inline]
    pub fn durable(&self, shard: usize) -> u64 {
        self.durable[shard].0.load(Ordering::Acquire)
    }

    /// The log: so many of the shard's chunks are safe. A smaller number than before changes nothing.
    pub fn set_durable(&self, shard: usize, chunks: u64) {
        self.durable[shard].0.fetch_max(chunks, Ordering::Release);
    }

    /// A core: whether it waits for something to be safe. It looks at `durable` once more afterwards.
    pub fn set_waiting(&self, core: usize, waits: bool) {
        self.waiting_cores[core].store(waits, Ordering::SeqCst);
    }

    /// The log, after `set_durable`: whether the core is to be woken.
    pub fn is_waiting(&self, core: usize) -> bool {
        self.waiting_cores[core].load(Ordering::SeqCst)
    }

    /// Bytes that wait for the log.
    #[inline]
    pub fn waiting_bytes(&self) -> u64 {
        self.waiting_bytes.0.load(Ordering::Relaxed)
    }

    /// A core: so many more.
    pub fn add_waiting(&self, bytes: u64) {
        self.waiting_bytes.0.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The log: so many fewer.
    pub fn remove_waiting(&self, bytes: u64) {
        self.waiting_bytes.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}
