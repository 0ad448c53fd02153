//! A snapshot beside the commands (`keyspace/snapshot.rs`) on its way into a file: the cores make pieces of it, one thread
//! writes them.
//!
//! The queue between them is bounded: when it is full the walks rest. Only what must be written early goes on, as it cannot
//! wait; if the disk falls so far behind that even this piles up, the snapshot is given up. One snapshot is made at a time.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::keyspace::Keyspace;
use crate::keyspace::entry::Entry;
use crate::keyspace::snapshot::SnapshotSink;
use crate::runtime::clock::Clock;
use crate::runtime::helper;
use crate::stats::persistence::{SaveFacts, SaveKind};
use crate::stdx::limits::{RDB_CHUNK_BYTES, SNAPSHOT_BYTES_QUEUED_MAX, SNAPSHOT_BYTES_QUEUED_REST};

use super::chunk_write::ChunkWriter;
use super::output::{Output, SaveOptions, preface};

/// Keys between two updates of the figures that INFO shows.
const KEYS_PER_COUNT: u64 = 64;

/// Why a snapshot has ended.
#[derive(Debug)]
pub enum SnapshotEnd {
    /// The file is in its place and on disk.
    Saved,
    /// It was given up on purpose (FLUSHALL, SHUTDOWN); there is no file.
    Aborted,
    /// The file could not be written; there is none.
    Failed(io::Error),
}

/// Called by the writing thread when everything is over.
pub type OnEnd = Box<dyn FnOnce(&SnapshotEnd) + Send>;

/// What the cores and the writing thread share.
#[derive(Default)]
struct Shared {
    bytes_queued: AtomicUsize,
    failed: AtomicBool,
}

enum Piece {
    Bytes(Vec<u8>),
    /// One box was walked; the version that its values need.
    End(u16),
}

/// Begins a snapshot of boxes that are all in hand; this is its moment. Nothing else may be running.
///
/// # Errors
/// When no thread can be started. Anything else is told to `on_end`.
pub fn begin(
    keyspaces: &mut [&mut Keyspace],
    options: SaveOptions,
    kind: SaveKind,
    (facts, clock): (&Arc<SaveFacts>, &Clock),
    on_end: OnEnd,
) -> io::Result<()> {
    let shared = Arc::new(Shared::default());
    let (sender, receiver) = channel();
    let all: Vec<&Keyspace> = keyspaces.iter().map(|keyspace| &**keyspace).collect();
    let preface = preface(&options, &all);
    let keys =
        all.iter().flat_map(|keyspace| (0..keyspace.databases_len()).map(|at| keyspace.database(at as u32).len()));
    let keys = keys.sum::<usize>() as u64;
    let changes = all.iter().map(|keyspace| keyspace.counters.changes).sum();
    let writing = Writing {
        options: options.clone(),
        preface,
        receiver,
        boxes: keyspaces.len(),
        shared: shared.clone(),
        facts: facts.clone(),
        clock: clock.clone(),
        kind,
        changes,
        on_end,
    };
    helper::spawn("snapshot", move || writing.run())?;
    let id = facts.begin(kind, options.now_ms, keys);
    for keyspace in keyspaces {
        let sink = ShardSink {
            writer: ChunkWriter::new(options.compresses, options.uses),
            sender: sender.clone(),
            shared: shared.clone(),
            facts: facts.clone(),
            now_ms: options.now_ms,
            keys_uncounted: 0,
            early_uncounted: 0,
        };
        keyspace.begin_snapshot(Box::new(sink), id);
    }
    Ok(())
}

/// One core's part.
struct ShardSink {
    writer: ChunkWriter,
    sender: Sender<Piece>,
    shared: Arc<Shared>,
    facts: Arc<SaveFacts>,
    now_ms: i64,
    keys_uncounted: u64,
    early_uncounted: u64,
}

impl ShardSink {
    fn send(&mut self) {
        let bytes = self.writer.take();
        let queued = self.shared.bytes_queued.fetch_add(bytes.len(), Ordering::Relaxed) + bytes.len();
        if queued > SNAPSHOT_BYTES_QUEUED_MAX && !self.shared.failed.swap(true, Ordering::Relaxed) {
            tracing::warn!("The disk does not keep up with the snapshot: {} megabytes wait", queued >> 20);
        }
        // The writing thread takes everything until all of us are gone.
        let _ = self.sender.send(Piece::Bytes(bytes));
    }

    fn count(&mut self) {
        self.facts.keys_written.fetch_add(std::mem::take(&mut self.keys_uncounted), Ordering::Relaxed);
        let early = std::mem::take(&mut self.early_uncounted);
        let copied_bytes = self.facts.copied_bytes.fetch_add(early, Ordering::Relaxed) + early;
        self.facts.copied_bytes_peak.fetch_max(copied_bytes, Ordering::Relaxed);
    }
}

impl SnapshotSink for ShardSink {
    fn entry(&mut self, database: u32, entry: &Entry<'_>, early: bool) {
        if self.is_failed() {
            return;
        }
        self.writer.entry(database, entry, self.now_ms);
        if early {
            self.early_uncounted += entry.memory_bytes() as u64;
        }
        self.keys_uncounted += 1;
        if self.keys_uncounted >= KEYS_PER_COUNT {
            self.count();
        }
        if self.writer.len() >= RDB_CHUNK_BYTES {
            self.send();
        }
    }

    fn pause(&mut self) {
        self.count();
    }

    fn is_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Relaxed)
    }

    fn is_full(&self) -> bool {
        self.shared.bytes_queued.load(Ordering::Relaxed) > SNAPSHOT_BYTES_QUEUED_REST
    }

    fn end(mut self: Box<Self>) {
        self.count();
        self.send();
        let _ = self.sender.send(Piece::End(self.writer.version()));
    }
}

/// What the writing thread works with.
struct Writing {
    options: SaveOptions,
    preface: Vec<u8>,
    receiver: Receiver<Piece>,
    boxes: usize,
    shared: Arc<Shared>,
    facts: Arc<SaveFacts>,
    clock: Clock,
    kind: SaveKind,
    /// Changes that the snapshot holds.
    changes: u64,
    on_end: OnEnd,
}

impl Writing {
    fn run(self) {
        let end = match self.write() {
            Ok(true) => SnapshotEnd::Saved,
            Ok(false) if self.shared.failed.load(Ordering::Relaxed) => {
                SnapshotEnd::Failed(io::Error::other("the disk does not keep up"))
            }
            Ok(false) => SnapshotEnd::Aborted,
            Err(error) => SnapshotEnd::Failed(error),
        };
        // The boxes must be done with it before another one begins.
        self.shared.failed.store(true, Ordering::Relaxed);
        for _ in &self.receiver {}
        if self.kind == SaveKind::Snapshot {
            self.tell(&end);
        }
        (self.on_end)(&end);
        self.facts.end();
    }

    /// Writes the file; false when the boxes gave up.
    fn write(&self) -> io::Result<bool> {
        let mut output = Output::create(&self.options)?;
        output.write(&self.preface)?;
        let (mut ended, mut version) = (0, 0);
        for piece in &self.receiver {
            match piece {
                Piece::Bytes(bytes) => {
                    output.write(&bytes)?;
                    self.shared.bytes_queued.fetch_sub(bytes.len(), Ordering::Relaxed);
                }
                Piece::End(needed) => {
                    ended += 1;
                    version = needed.max(version);
                }
            }
        }
        if ended < self.boxes {
            return Ok(false);
        }
        output.finish(version)?;
        Ok(true)
    }

    fn tell(&self, end: &SnapshotEnd) {
        let now_ms = self.clock.unix_ms();
        let duration_s = (now_ms - self.options.now_ms).max(0) / 1000;
        self.facts.last_duration_s.store(duration_s, Ordering::Relaxed);
        match end {
            SnapshotEnd::Saved => {
                self.facts.saved(now_ms, self.changes);
                tracing::info!("DB saved on disk");
                tracing::info!("Background saving terminated with success");
            }
            SnapshotEnd::Aborted => tracing::warn!("Background saving was given up"),
            SnapshotEnd::Failed(error) => {
                self.facts.set_alarm(SaveFacts::SNAPSHOT_FAILED, true);
                tracing::warn!("Background saving error: {error}");
            }
        }
    }
}
