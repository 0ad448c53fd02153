//! Loading the append-only log: its base, then the commands of its incremental files, one after the other.
//!
//! Commands run through `shard/call` like everybody's, with all boxes in hand: at the start for a slice of them at a time, so
//! that clients who ask meanwhile are told to wait, with DEBUG LOADAOF for all of them. Nothing expires while they run: the log itself says what went, and when. What stands
//! between MULTI and EXEC is run when EXEC has been read, so a transaction that was cut off leaves nothing.
//!
//! What cannot be loaded whole ends the start, but for the tail of the last file (`aof-load-truncated`).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use crate::command::args::Args;
use crate::command::blocking::Waiting;
use crate::command::context::{Context, Keyspaces};
use crate::command::spec::Run;
use crate::command::table::{Row, TABLE};
use crate::config::Config;
use crate::keyspace::{KeyHasher, Keyspace, Turn};
use crate::persist::aof::files::{LogFiles, part_name};
use crate::persist::aof::manifest::Part;
use crate::persist::aof::reader::{self, Step};
use crate::persist::rdb::chunks::LoadFailure;
use crate::persist::rdb::functions_payload;
use crate::persist::rdb::load::LoadReport;
use crate::resp::reply::{Protocol, Reply};
use crate::runtime::clock::Clock;
use crate::runtime::process::hold_thread_us;
use crate::runtime::shelf::PutResult;
use crate::script::source::split_library;
use crate::shard::batch::Batch;
use crate::shard::call;
use crate::shard::exchange::Meeting;
use crate::stats::core::CoreStats;
use crate::stats::server::ServerFacts;
use crate::stdx::limits::{REPLAY_BYTES_PER_READ, REPLAY_COMMANDS_PER_SLICE, SHELF_SPINS};

/// What replaying takes.
pub struct Replay<'a> {
    /// Where the boxes stand; none when they are given.
    pub meeting: Option<&'a Meeting>,
    /// Hashes and routes keys.
    pub hasher: &'a KeyHasher,
    /// The parameters.
    pub config: &'a Config,
    /// Facts about the server.
    pub server: &'a ServerFacts,
    /// Unix time in milliseconds.
    pub now_ms: i64,
    /// Measures how long it takes.
    pub clock: &'a Clock,
    /// Loads a base that is a snapshot, into these boxes if they are given.
    pub load: &'a LoadBase<'a>,
}

/// See `Replay::load`.
pub type LoadBase<'a> = dyn Fn(File, &mut [Option<Box<Keyspace>>]) -> Result<LoadReport, LoadFailure> + 'a;

/// Why a log could not be loaded; it has been logged.
#[derive(Debug)]
pub struct Failed;

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Failed {
        tracing::warn!("Unrecoverable error reading the append only file: {error}");
        Failed
    }
}

/// How a file ended.
#[derive(PartialEq, Eq)]
enum End {
    /// With its last command.
    Whole,
    /// It was cut off; its tail is gone now.
    Truncated,
}

/// One file while it is read.
struct Source<'a> {
    file: File,
    name: String,
    path: &'a Path,
    buffer: Vec<u8>,
    /// Where the unread part of the buffer begins.
    at: usize,
    /// Where the buffer begins in the file.
    offset: u64,
    is_at_end: bool,
}

impl Source<'_> {
    fn position(&self) -> u64 {
        self.offset + self.at as u64
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.at..]
    }

    /// Reads on; what has been used goes.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.at);
        self.offset += self.at as u64;
        self.at = 0;
        let wanted = REPLAY_BYTES_PER_READ.max(self.buffer.len()) as u64;
        let count = (&self.file).take(wanted).read_to_end(&mut self.buffer)?;
        self.is_at_end = count == 0;
        Ok(())
    }
}

/// The state of the client whose commands are replayed.
struct Player<'a> {
    replay: &'a Replay<'a>,
    boxes: Vec<Option<Box<Keyspace>>>,
    stats: CoreStats,
    database: u32,
    /// Commands since MULTI.
    queue: Option<Batch>,
    /// Where MULTI stood.
    queue_began: u64,
    in_slice: usize,
    /// Sources of libraries of functions.
    functions: Vec<Bytes>,
}

impl<'a> Replay<'a> {
    /// Loads what the manifest names, into these boxes if they are given. The number of bytes of the base, and whether there
    /// was anything.
    pub fn run(&self, files: &LogFiles, boxes: &mut [Option<Box<Keyspace>>]) -> Result<(u64, bool), Failed> {
        let mut player = Player {
            replay: self,
            boxes: boxes.iter_mut().map(Option::take).collect(),
            stats: CoreStats::new(TABLE.count()),
            database: 0,
            queue: None,
            queue_began: 0,
            in_slice: 0,
            functions: Vec::new(),
        };
        player.boxes.resize_with(self.hasher.shards(), || None);
        let result = self.run_files(files, &mut player);
        player.take_boxes();
        player.boxes.iter_mut().flatten().for_each(|keyspace| {
            (keyspace.keeps_all, keyspace.replayed_at_ms) = (false, 0);
        });
        player.put_boxes();
        for (slot, keyspace) in boxes.iter_mut().zip(player.boxes) {
            *slot = keyspace;
        }
        if result.is_ok() {
            self.server.scripts.load(player.functions);
        }
        result
    }

    fn run_files(&self, files: &LogFiles, player: &mut Player<'_>) -> Result<(u64, bool), Failed> {
        let mut total = 0;
        for part in files.manifest.data() {
            let metadata = std::fs::metadata(files.path_of(part)).map_err(|error| {
                tracing::warn!("Unable to obtain the AOF file {} length. stat: {error}", part_name(part));
                Failed
            })?;
            total += metadata.len();
        }
        self.server.saves.load_bytes_total.store(total, Ordering::Relaxed);
        let count = files.manifest.data().count();
        let mut base_bytes = 0;
        for (index, part) in files.manifest.data().enumerate() {
            let started_ns = self.clock.monotonic_ns();
            let is_base = index == 0 && files.manifest.base.is_some();
            let end = self.load_part(files, part, player)?;
            if end == End::Truncated && index + 1 < count {
                tracing::warn!("Fatal error: the truncated file is not the last file");
                return Err(Failed);
            }
            if is_base {
                base_bytes = std::fs::metadata(files.path_of(part))?.len();
            }
            let kind = if is_base { "base" } else { "incr" };
            let seconds = (self.clock.monotonic_ns() - started_ns) as f64 / 1e9;
            tracing::info!("DB loaded from {kind} file {}: {seconds:.3} seconds", part_name(part));
        }
        Ok((base_bytes, total > 0))
    }

    fn load_part(&self, files: &LogFiles, part: &Part, player: &mut Player<'_>) -> Result<End, Failed> {
        let path = files.path_of(part);
        let name = part_name(part);
        let mut file = File::open(&path).map_err(|error| {
            tracing::warn!("Fatal error: can't open the append log file {name} for reading: {error}");
            Failed
        })?;
        let mut offset = 0;
        let mut magic = [0; 5];
        let is_snapshot = file.read_exact(&mut magic).is_ok() && matches!(&magic, b"REDIS" | b"VALKE");
        if is_snapshot {
            let is_old = name == files.name;
            tracing::info!(
                "{}",
                if is_old {
                    "Reading RDB preamble from AOF file..."
                } else {
                    "Reading RDB base file on AOF loading..."
                }
            );
            offset = self.load_snapshot(&file, &name, is_old, player)?;
        }
        file.seek(SeekFrom::Start(offset))?;
        let source = Source { file, name, path: &path, buffer: Vec::new(), at: 0, offset, is_at_end: false };
        (player.database, player.queue) = (0, None);
        player.play(source)
    }

    /// Loads the snapshot at the beginning of a file; returns where it ends.
    fn load_snapshot(&self, file: &File, name: &str, is_old: bool, player: &mut Player<'_>) -> Result<u64, Failed> {
        let mut copy = file.try_clone()?;
        copy.seek(SeekFrom::Start(0))?;
        match (self.load)(copy, &mut player.boxes) {
            Ok(report) => {
                player.functions.extend(report.functions);
                if is_old {
                    tracing::info!("Reading the remaining AOF tail...");
                }
                Ok(report.bytes)
            }
            Err(failure) => {
                let what = if is_old { "RDB preamble of the AOF file" } else { "RDB base file" };
                tracing::warn!("Error reading the {what} {name}, AOF loading aborted: {failure}");
                Err(Failed)
            }
        }
    }
}

impl Player<'_> {
    fn play(&mut self, mut source: Source<'_>) -> Result<End, Failed> {
        let mut ranges = Vec::new();
        loop {
            match reader::next(source.rest(), &mut ranges) {
                Step::Annotation { bytes_len } => source.at += bytes_len,
                Step::Command { bytes_len } => {
                    let began = source.position();
                    let bytes = &source.buffer[source.at..source.at + bytes_len];
                    self.command(Args::new(bytes, &ranges, &[]), began, &source.name)?;
                    source.at += bytes_len;
                    self.slice_done(source.position());
                }
                Step::NeedMore if !source.is_at_end => source.fill()?,
                Step::NeedMore if source.rest().is_empty() && self.queue.is_none() => return Ok(End::Whole),
                Step::NeedMore => {
                    if source.rest().is_empty() {
                        let name = &source.name;
                        tracing::warn!("Revert incomplete MULTI/EXEC transaction in AOF file {name}");
                    }
                    return self.cut(&source);
                }
                Step::Broken => {
                    if Self::rest_is_zeros(&mut source)? {
                        return self.cut(&source);
                    }
                    tracing::warn!(
                        "Bad file format reading the append only file {}: make a backup of your AOF file, then use \
                         ./redis-check-aof --fix <filename.manifest> (offset {})",
                        source.name,
                        source.position()
                    );
                    return Err(Failed);
                }
            }
        }
    }

    /// Whether the file breaks off and only zeros follow, as after a power cut: the file had grown, but what was written never
    /// came to the disk.
    fn rest_is_zeros(source: &mut Source<'_>) -> Result<bool, Failed> {
        let mut last = [1];
        source.file.seek(SeekFrom::End(-1))?;
        source.file.read_exact(&mut last)?;
        if last != [0] {
            return Ok(false);
        }
        let read = source.offset + source.buffer.len() as u64;
        source.file.seek(SeekFrom::Start(read))?;
        source.file.read_to_end(&mut source.buffer)?;
        source.is_at_end = true;
        Ok(reader::is_zero_tail(source.rest()))
    }

    /// The file ends within a command or a transaction.
    fn cut(&mut self, source: &Source<'_>) -> Result<End, Failed> {
        let name = &source.name;
        let valid = if self.queue.is_some() { self.queue_began } else { source.position() };
        if self.replay.config.get_bool(crate::param!("aof-load-truncated")) {
            tracing::warn!("!!! Warning: short read while loading the AOF file {name}!!!");
            tracing::warn!("!!! Truncating the AOF {name} at offset {valid} !!!");
            match File::options().write(true).open(source.path).and_then(|file| file.set_len(valid)) {
                Ok(()) => {
                    tracing::warn!("AOF {name} loaded anyway because aof-load-truncated is enabled");
                    return Ok(End::Truncated);
                }
                Err(error) => tracing::warn!("Error truncating the AOF file {name}: {error}"),
            }
        }
        tracing::warn!(
            "Unexpected end of file reading the append only file {name}. You can: 1) Make a backup of your AOF file, then \
             use ./redis-check-aof --fix <filename.manifest>. 2) Alternatively you can set the 'aof-load-truncated' \
             configuration option to yes and restart the server. (offset {valid})"
        );
        Err(Failed)
    }

    fn command(&mut self, args: Args<'_>, began: u64, file: &str) -> Result<(), Failed> {
        // Commands of clients are in the log as they were called, those of the server by their own names.
        let row = TABLE.find(args.get(0)).or_else(|| TABLE.find_own(args.get(0)));
        let row = row.and_then(|row| match row.subcommands.is_empty() || args.len() < 2 {
            true => Some(row),
            false => row.subcommand(args.get(1)),
        });
        let Some(row) = row else {
            let name = String::from_utf8_lossy(args.get(0));
            tracing::warn!("Unknown command '{name}' reading the append only file {file} (offset {began})");
            return Err(Failed);
        };
        match row.full_name {
            "multi" => {
                self.queue = Some(Batch::new());
                self.queue_began = began;
            }
            "exec" => {
                let Some(queue) = self.queue.take() else { return Ok(()) };
                for index in 0..queue.len() {
                    self.run(queue.command(index).row, queue.args(index), file)?;
                }
            }
            _ => match &mut self.queue {
                Some(queue) => queue.push(row, args, 0..args.len(), 0, 0, Protocol::Resp2, true),
                None => self.run(row, args, file)?,
            },
        }
        Ok(())
    }

    fn run(&mut self, row: &'static Row, args: Args<'_>, file: &str) -> Result<(), Failed> {
        if row.full_name == "select" {
            let databases = self.replay.config.get_usize(crate::param!("databases"));
            return match args.len() == 2 && args.database(1, databases).is_ok() {
                true => {
                    self.database = args.database(1, databases).unwrap_or(0);
                    Ok(())
                }
                false => {
                    tracing::warn!("The append only file {file} selects a database that is not configured");
                    Err(Failed)
                }
            };
        }
        let only = match row.command.run {
            Run::Keyed(_) | Run::AllShards(_) | Run::Scatter(_) | Run::KeyedOrAllShards { .. } => None,
            Run::OneShard { pick, .. } => Some(pick(&args, self.replay.hasher.shards())),
            Run::Session(_) if row.parent == Some("function") => return self.change_functions(row, args, file),
            // What works on a client or the server leaves nothing in the data.
            Run::Session(_) | Run::Control(_) | Run::Transaction(_) | Run::Container => return Ok(()),
            Run::Script(_) => {
                tracing::warn!("The append only file {file} has a script instead of what it did: '{}'", row.full_name);
                return Err(Failed);
            }
        };
        if !row.accepts(args.len()) {
            tracing::warn!(
                "A command of the append only file {file} has a wrong number of arguments: '{}'",
                row.full_name
            );
            return Err(Failed);
        }
        self.take_boxes();
        let mut reply = Reply::new(Protocol::Resp2);
        let mut context = Context {
            args,
            reply: &mut reply,
            keyspaces: Keyspaces::new(&mut self.boxes, self.replay.hasher, only),
            database: self.database,
            turn: Turn::at(if is_relative(row, args) { self.replay.now_ms } else { 0 }, true),
            config: self.replay.config,
            server: self.replay.server,
            first_key: None,
            command: row.full_name,
            waiting: Waiting::Denied,
            wait: None,
        };
        if call::run_counted(row, &mut context, &self.stats).is_err() {
            return Err(Failed);
        }
        let text = reply.to_vec();
        if text.first() == Some(&b'-') {
            let error = String::from_utf8_lossy(&text);
            tracing::warn!("A command of the append only file {file} failed: '{}': {}", row.full_name, error.trim());
        }
        Ok(())
    }

    /// FUNCTION LOAD, DELETE, FLUSH, RESTORE. What they make is checked when the cores take it over.
    fn change_functions(&mut self, row: &Row, args: Args<'_>, file: &str) -> Result<(), Failed> {
        match row.full_name {
            "function|load" => self.add_library(args.get(args.len() - 1)),
            "function|restore" => {
                let Ok(sources) = functions_payload::restore(args.get(2), true) else {
                    tracing::warn!("The append only file {file} has libraries that cannot be read");
                    return Err(Failed);
                };
                if args.len() > 3 && args.is(3, b"flush") {
                    self.functions.clear();
                }
                sources.iter().for_each(|source| self.add_library(source));
            }
            "function|delete" => self.functions.retain(|other| library_name(other).as_deref() != Some(args.get(2))),
            "function|flush" => self.functions.clear(),
            other => {
                tracing::warn!("The append only file {file} has a command that cannot be loaded: '{other}'");
                return Err(Failed);
            }
        }
        Ok(())
    }

    fn add_library(&mut self, source: &[u8]) {
        self.functions.retain(|other| library_name(other) != library_name(source));
        self.functions.push(Bytes::copy_from_slice(source));
    }

    fn slice_done(&mut self, position: u64) {
        let delay_us = self.replay.config.get_i64(crate::param!("key-load-delay"));
        hold_thread_us(delay_us);
        self.in_slice += 1;
        if self.in_slice >= REPLAY_COMMANDS_PER_SLICE || delay_us > 0 {
            self.put_boxes();
            self.replay.server.saves.load_bytes.store(position, Ordering::Relaxed);
        }
    }

    fn take_boxes(&mut self) {
        for shard in 0..self.boxes.len() {
            while let (None, Some(meeting)) = (&self.boxes[shard], self.replay.meeting) {
                self.boxes[shard] = meeting.shelves[shard].try_take(false, SHELF_SPINS);
                if self.boxes[shard].is_none() {
                    std::thread::yield_now();
                }
            }
            if let Some(keyspace) = &mut self.boxes[shard] {
                (keyspace.keeps_all, keyspace.replayed_at_ms) = (true, self.replay.now_ms);
            }
        }
    }

    fn put_boxes(&mut self) {
        self.in_slice = 0;
        let Some(meeting) = self.replay.meeting else { return };
        for (shard, slot) in self.boxes.iter_mut().enumerate() {
            if let Some(keyspace) = slot.take()
                && meeting.shelves[shard].put(keyspace) == PutResult::Wanted
            {
                meeting.doorbells[shard].ring_if_parked();
            }
        }
    }
}

/// The name of a library.
fn library_name(source: &[u8]) -> Option<Vec<u8>> {
    split_library(source).ok().map(|(name, _)| name)
}

/// The command tells a time as a distance from now. Servers do not log such commands, people may.
fn is_relative(row: &Row, args: Args<'_>) -> bool {
    let has_word =
        || args.iter_from(1).any(|word| word.eq_ignore_ascii_case(b"EX") || word.eq_ignore_ascii_case(b"PX"));
    match row.full_name {
        "setex" | "psetex" | "expire" | "pexpire" | "hexpire" | "hpexpire" => true,
        "set" | "getex" => has_word(),
        // They compare times of delivery with the clock.
        _ => row.command.group == "stream",
    }
}
