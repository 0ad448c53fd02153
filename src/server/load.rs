//! Loading a snapshot when the server starts: one thread reads the file and cuts it into keys, one thread per shard makes
//! their values and puts them in.
//!
//! The cores run already, so that clients who connect meanwhile are told to wait (`-LOADING`) and INFO shows how far it is.
//! The threads here get at a shard as other cores do: they take its box from its shelf for a few thousand keys and put it
//! back. Whatever cannot be loaded whole ends the start.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::command::load_limits::load_limits;
use crate::command::persist::loaded;
use crate::config::Config;
use crate::keyspace::{KeyHasher, Keyspace};
use crate::persist::rdb::chunks::{Chunk, ChunkReader, KeySpan, LoadFailure};
use crate::persist::rdb::load::{LoadOptions, LoadReport, insert, shard_of};
use crate::persist::aof::files::{FilesError, LogFiles, part_name};
use crate::persist::rdb::output::SaveOptions;
use crate::persist::rdb::save::save;
use crate::runtime::clock::Clock;
use crate::runtime::process::hold_thread_us;
use crate::runtime::shelf::PutResult;
use crate::shard::exchange::Meeting;
use crate::shard::log::orders::{LogOrders, Order};
use crate::stats::persistence::SaveFacts;
use crate::stats::server::ServerFacts;
use crate::stdx::limits::{RDB_CHUNKS_QUEUED_MAX, SHELF_SPINS};

use crate::session::replay::{self, Replay};

/// Time between two lines about the progress.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(5);

/// Keys of one shard on their way to its thread.
type Work = (Arc<Chunk>, Vec<KeySpan>);

/// Loads the snapshot at `path` into boxes that stand on their shelves; none if there is no such file.
pub fn load_file(
    path: &Path,
    meeting: &Meeting,
    hasher: &KeyHasher,
    options: &LoadOptions,
    facts: &SaveFacts,
) -> Result<Option<LoadReport>, LoadFailure> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            tracing::warn!("Fatal error: can't open the RDB file {} for reading: {error}", path.display());
            return Err(error.into());
        }
    };
    facts.load_bytes_total.store(file.metadata()?.len(), Ordering::Relaxed);
    load_stream(file, meeting, hasher, options, facts).map(Some)
}

/// As `load_file` for an open file, which is left behind its RDB part.
pub fn load_stream(
    file: File,
    meeting: &Meeting,
    hasher: &KeyHasher,
    options: &LoadOptions,
    facts: &SaveFacts,
) -> Result<LoadReport, LoadFailure> {
    let databases = with_box(meeting, 0, |keyspace| keyspace.databases_len());
    let mut chunks = ChunkReader::new(file, options.sums, hasher.clone(), databases);
    let reports = Mutex::new(Vec::new());
    let failed = AtomicBool::new(false);
    let cut = std::thread::scope(|scope| {
        let mut senders = Vec::new();
        for shard in 0..hasher.shards() {
            let (sender, receiver) = sync_channel(RDB_CHUNKS_QUEUED_MAX);
            senders.push(sender);
            let (reports, failed) = (&reports, &failed);
            scope.spawn(move || {
                let report = insert_all(meeting, shard, &receiver, options, failed);
                reports.lock().unwrap_or_else(PoisonError::into_inner).push(report);
            });
        }
        cut_all(&mut chunks, hasher, &senders, facts, &failed)
    });
    let mut report = LoadReport::default();
    for part in reports.into_inner().unwrap_or_else(PoisonError::into_inner) {
        report.add(&part?);
    }
    cut?;
    report.bytes = chunks.consumed();
    (report.functions, report.aux) = (chunks.facts.functions, chunks.facts.aux);
    Ok(report)
}

/// Works with a shard's box, as soon as nobody else does.
fn with_box<T>(meeting: &Meeting, shard: usize, work: impl FnOnce(&mut Keyspace) -> T) -> T {
    let shelf = &meeting.shelves[shard];
    let mut keyspace = loop {
        match shelf.try_take(false, SHELF_SPINS) {
            Some(keyspace) => break keyspace,
            None => std::thread::yield_now(),
        }
    };
    let result = work(&mut keyspace);
    if shelf.put(keyspace) == PutResult::Wanted {
        meeting.doorbells[shard].ring_if_parked();
    }
    result
}

/// Cuts the whole file; what belongs to a shard goes to its thread.
fn cut_all(
    chunks: &mut ChunkReader<File>,
    hasher: &KeyHasher,
    senders: &[SyncSender<Work>],
    facts: &SaveFacts,
    failed: &AtomicBool,
) -> Result<(), LoadFailure> {
    let mut progress = Progress::new();
    while let Some(chunk) = chunks.next_chunk()? {
        let mut shares: Vec<Vec<KeySpan>> = vec![Vec::new(); senders.len()];
        for &span in &chunk.keys {
            shares[shard_of(&chunk, span, hasher)?].push(span);
        }
        let chunk = Arc::new(chunk);
        for (sender, share) in senders.iter().zip(shares) {
            // A thread that has ended has said why.
            if !share.is_empty() && sender.send((chunk.clone(), share)).is_err() {
                return Ok(());
            }
        }
        facts.load_bytes.store(chunks.consumed(), Ordering::Relaxed);
        progress.tell(facts);
        if failed.load(Ordering::Relaxed) {
            return Ok(());
        }
    }
    Ok(())
}

/// Puts the keys of one shard in.
fn insert_all(
    meeting: &Meeting,
    shard: usize,
    work: &Receiver<Work>,
    options: &LoadOptions,
    failed: &AtomicBool,
) -> Result<LoadReport, LoadFailure> {
    let mut report = LoadReport::default();
    for (chunk, spans) in work {
        if options.key_delay_us > 0 {
            spans.iter().for_each(|_| hold_thread_us(options.key_delay_us));
        }
        let result = with_box(meeting, shard, |keyspace| {
            spans.iter().try_for_each(|&span| insert(keyspace, &chunk, span, options, &mut report))
        });
        if let Err(error) = result {
            failed.store(true, Ordering::Relaxed);
            return Err(error);
        }
    }
    Ok(report)
}

/// A line now and then.
struct Progress {
    next: Instant,
}

impl Progress {
    fn new() -> Progress {
        Progress { next: Instant::now() + PROGRESS_INTERVAL }
    }

    fn tell(&mut self, facts: &SaveFacts) {
        if Instant::now() < self.next {
            return;
        }
        self.next += PROGRESS_INTERVAL;
        let (loaded, total) =
            (facts.load_bytes.load(Ordering::Relaxed), facts.load_bytes_total.load(Ordering::Relaxed));
        tracing::info!("Loading: {} of {} megabytes ({}%)", loaded >> 20, total >> 20, loaded * 100 / total.max(1));
    }
}

/// What loading at the start takes.
pub struct Loading {
    /// Where the boxes stand.
    pub meeting: Arc<Meeting>,
    /// Hashes and routes keys.
    pub hasher: KeyHasher,
    /// The parameters.
    pub config: Arc<Config>,
    /// Facts about the server.
    pub server: Arc<ServerFacts>,
    /// Unix time in milliseconds.
    pub now_ms: i64,
    /// The append-only log.
    pub log: LogOrders,
}

impl Loading {
    /// Loads what the append-only log says, and opens it for what comes. What went wrong has been logged.
    fn start_log(&self, options: LoadOptions) -> Result<(), replay::Failed> {
        let started = Instant::now();
        let mut files = match LogFiles::find(&self.config) {
            Ok(files) => files,
            Err(FilesError::Io(error)) => return Err(error.into()),
            Err(FilesError::Manifest(error)) => {
                tracing::warn!("*** FATAL AOF MANIFEST FILE ERROR ***");
                if let Some((number, line)) = &error.line {
                    tracing::warn!("Reading the manifest file, at line {number}");
                    tracing::warn!(">>> '{line}'");
                }
                tracing::warn!("{}", error.reason);
                return Err(replay::Failed);
            }
        };
        files.adopt_old_file(&self.config.directory())?;
        let was_empty = files.manifest.is_empty();
        let options = LoadOptions { drops_expired: false, ..options };
        let load = |file: File, _: &mut [Option<Box<Keyspace>>]| {
            let report = load_stream(file, &self.meeting, &self.hasher, &options, &self.server.saves)?;
            tell_origin(&report, self.now_ms);
            loaded(&report, &self.server);
            Ok(report)
        };
        let (hasher, config, server, now_ms) = (&self.hasher, &*self.config, &*self.server, self.now_ms);
        let replay = Replay { meeting: Some(&self.meeting), hasher, config, server, now_ms, clock: &Clock::real(), load: &load };
        let (base_bytes, any) = replay.run(&files, &mut [])?;
        if any {
            tracing::info!("DB loaded from append only file: {:.3} seconds", started.elapsed().as_secs_f64());
        }
        files.make_folder()?;
        if was_empty {
            let is_snapshot = self.config.get_bool(crate::param!("aof-use-rdb-preamble"));
            let base = files.manifest.next_base(&files.name, if is_snapshot { "rdb" } else { "aof" });
            if is_snapshot {
                let options = SaveOptions::new(&self.config, false, self.now_ms).for_log_base(files.path_of(&base));
                save(&[&Keyspace::new(1, self.hasher.clone(), 0)], &options)?;
            } else {
                File::create(files.path_of(&base))?.sync_all()?;
            }
            tracing::info!("Creating AOF base file {} on server start", part_name(&base));
            files.manifest.set_base(base, 0);
        }
        let is_new = files.open_last()?;
        let verb = if is_new { "Creating" } else { "Opening" };
        let last = files.manifest.increments.last().map(part_name).unwrap_or_default();
        tracing::info!("{verb} AOF incr file {last} on server start");
        self.server.log.base_bytes.store(if any { base_bytes } else { files.bytes() }, Ordering::Relaxed);
        self.log.send(Order::Open(Box::new(files)));
        let marks = &self.log.meeting().marks;
        for shard in 0..self.hasher.shards() {
            with_box(&self.meeting, shard, |keyspace| keyspace.journal.switch(Some(marks.clone())));
        }
        self.server.log.enabled.store(true, Ordering::Release);
        Ok(())
    }

    /// Loads what is there to load. False when that cannot be done whole, which has been logged.
    pub fn run(&self) -> bool {
        let saves = &*self.server.saves;
        let started = Instant::now();
        let lfu = self.server.lfu_policy.load(Ordering::Relaxed);
        (0..self.hasher.shards()).for_each(|shard| with_box(&self.meeting, shard, |keyspace| keyspace.lfu = lfu));
        let options = LoadOptions::new(&self.config, load_limits(&self.config, &self.server), self.now_ms);
        if self.config.get_bool(crate::param!("appendonly")) {
            return self.start_log(options).is_ok();
        }
        let path = SaveOptions::new(&self.config, false, self.now_ms).path;
        match load_file(&path, &self.meeting, &self.hasher, &options, saves) {
            Ok(None) => true,
            Ok(Some(report)) => {
                tell_origin(&report, self.now_ms);
                loaded(&report, &self.server);
                self.server.scripts.load(report.functions);
                tracing::info!("DB loaded from disk: {:.3} seconds", started.elapsed().as_secs_f64());
                true
            }
            Err(failure) => {
                tracing::warn!("{}: {failure}", path.display());
                tracing::warn!("Terminating server after rdb file reading failure.");
                false
            }
        }
    }
}

/// What the file says of the server that wrote it, in Redis' words.
pub fn tell_origin(report: &LoadReport, now_ms: i64) {
    for (name, value) in &report.aux {
        let text = String::from_utf8_lossy(value);
        let number = || text.parse::<i64>().unwrap_or_default();
        match name.as_slice() {
            b"redis-ver" => tracing::info!("Loading RDB produced by version {text}"),
            b"valkey-ver" => tracing::info!("Loading RDB produced by Valkey version {text}"),
            b"ctime" => tracing::info!("RDB age {} seconds", (now_ms / 1000 - number()).max(0)),
            b"used-mem" => {
                tracing::info!("RDB memory usage when created {:.2} Mb", number() as f64 / f64::from(1 << 20));
            }
            b"aof-preamble" if number() != 0 => tracing::info!("RDB has an AOF tail"),
            b"aof-base" if number() != 0 => tracing::info!("RDB is base AOF"),
            _ => {}
        }
    }
}
