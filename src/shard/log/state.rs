//! `LogState`: the log's tool (see `runtime/combiner`): what has arrived and is not in order yet, what is in order and not
//! written yet, and the file. Whoever has it writes for all.
//!
//! With `appendfsync everysec` and `no` a core writes at the end of its turn, before replies leave, one write for all that
//! has arrived: a process that is killed loses nothing that was answered. With `always` the log's thread writes and syncs.
//! What takes longer than a write is the thread's everywhere: new files, syncs, and trying again after a failure.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::keyspace::records::{Records, push_select};
use crate::persist::aof::file::{LogFile, append_all};
use crate::persist::aof::files::LogFiles;
use crate::runtime::process::hold_thread_us;
use crate::stats::persistence::SaveFacts;
use crate::stdx::limits::{JOURNAL_BYTES_KEPT_MAX, LOG_BYTES_PER_WRITE_MAX};

use super::super::exchange::Meeting;
use super::link::{LogEnd, LogMeeting};
use super::merge::Merger;

/// See the file's head.
pub struct LogState {
    ends: Vec<LogEnd>,
    merger: Merger,
    out: Records,
    /// Bytes of `out` that are written.
    written: usize,
    /// Bytes that cores count as waiting and that are in `out`.
    counted: u64,
    /// The files; without them nothing is recorded.
    pub files: Option<LogFiles>,
    /// The database that is selected at the end of the file.
    selected: Option<u32>,
    /// What must stand in the file before `out`.
    head: Vec<u8>,
    /// The head for what is in `out` was made.
    is_headed: bool,
    /// Written since the last sync began.
    unsynced: bool,
    stamped_s: u64,
    /// Signs that were met, with their places in `out`.
    signs: Vec<(u64, usize)>,
    /// Chunks of each shard that were published as safe.
    published: Vec<u64>,
}

/// How far the shards' chunks are in the file.
pub type Emitted = Vec<u64>;

impl LogState {
    /// A log without files, with one end per core.
    pub fn new(ends: Vec<LogEnd>) -> LogState {
        let shards = ends.len();
        LogState {
            ends,
            merger: Merger::new(shards),
            out: Records::default(),
            written: 0,
            counted: 0,
            files: None,
            selected: None,
            head: Vec::new(),
            is_headed: false,
            unsynced: false,
            stamped_s: 0,
            signs: Vec::new(),
            published: vec![0; shards],
        }
    }

    /// Takes in what the cores have sent, up to a limit. False when there was nothing. `now_s`: Unix time, for annotations.
    pub fn drain(&mut self, cores: &Meeting, now_s: Option<u64>) -> bool {
        let mut any = false;
        loop {
            let mut more = false;
            for core in 0..self.ends.len() {
                more |= self.take_one(core, cores, now_s);
            }
            any |= more;
            if !more || self.out.bytes().len() >= LOG_BYTES_PER_WRITE_MAX {
                return any;
            }
        }
    }

    /// Takes in one shipment of this core.
    pub fn take_one(&mut self, core: usize, cores: &Meeting, now_s: Option<u64>) -> bool {
        let Some(mut shipment) = self.ends[core].receiver.pop() else { return false };
        self.counted += shipment.bytes.len() as u64;
        if let Some(now_s) = now_s {
            self.stamp(now_s);
        }
        let LogState { merger, out, signs, .. } = self;
        // What follows a sign in this shipment, or waits for it, must not be in front of it in the file.
        merger.accept(&shipment, out, |ticket, out| {
            signs.push((ticket, out.bytes().len()));
            out.forget_database();
        });
        shipment.clear();
        // When the way back is full the box is dropped.
        let _ = self.ends[core].empties.push(shipment);
        if self.ends[core].receiver.take_starved() {
            cores.doorbells[core].ring_if_parked();
        }
        true
    }

    /// Something has arrived and was not taken in.
    pub fn has_arrivals(&self) -> bool {
        self.ends.iter().any(|end| !end.receiver.is_empty())
    }

    /// Something was taken in that is not in the file.
    pub fn has_unwritten(&self) -> bool {
        !self.out.is_empty()
    }

    /// Something is in the file that no sync has begun for.
    pub fn has_unsynced(&self) -> bool {
        self.unsynced
    }

    /// Chunks that wait for others.
    pub fn waiting(&self) -> usize {
        self.merger.waiting()
    }

    /// An annotation of the time, once a second.
    fn stamp(&mut self, now_s: u64) {
        if now_s != self.stamped_s {
            self.stamped_s = now_s;
            if self.out.is_empty() {
                // In front of the SELECT that may have to stand before what follows.
                self.head.extend_from_slice(format!("#TS:{now_s}\r\n").as_bytes());
            } else {
                self.out.annotate(now_s);
            }
        }
    }

    /// The next sign that was met and its place; what stands before belongs to the old file.
    pub fn next_sign(&mut self) -> Option<(u64, usize)> {
        (!self.signs.is_empty()).then(|| self.signs.remove(0))
    }

    /// Everything that was taken in is written, or nothing more of it can be for now. True when it is.
    pub fn write(&mut self, meeting: &LogMeeting) -> bool {
        let facts = &meeting.facts;
        facts.buffer_bytes.store((self.out.bytes().len() - self.written) as u64, Relaxed);
        match self.write_up_to(meeting, self.out.bytes().len()) {
            Ok(()) => {
                self.out.clear(JOURNAL_BYTES_KEPT_MAX);
                facts.buffer_bytes.store(0, Relaxed);
                (self.written, self.is_headed) = (0, false);
                meeting.marks.remove_waiting(std::mem::take(&mut self.counted));
                if facts.write_error.load(Relaxed) != 0 {
                    facts.write_error.store(0, Relaxed);
                    meeting.saves.set_alarm(SaveFacts::LOG_FAILED, facts.sync_error.load(Relaxed) != 0);
                    tracing::warn!("AOF write error looks solved. The server can write again.");
                }
                true
            }
            Err(error) => {
                let number = error.raw_os_error().unwrap_or(nix::libc::EIO);
                meeting.saves.set_alarm(SaveFacts::LOG_FAILED, true);
                if facts.write_error.swap(number, Relaxed) != number {
                    tracing::warn!("Error writing to the AOF file: {error}");
                }
                false
            }
        }
    }

    /// Writes what has been put in order, up to this place.
    pub fn write_up_to(&mut self, meeting: &LogMeeting, end: usize) -> io::Result<()> {
        if end == self.written {
            return Ok(());
        }
        let Some(files) = &mut self.files else {
            // Nothing is recorded while there is no file.
            self.head.clear();
            self.written = end;
            return Ok(());
        };
        let Some(file) = &files.file else { return Err(io::ErrorKind::NotFound.into()) };
        hold_thread_us(meeting.facts.write_sleep_us.load(Relaxed));
        let extent = self.out.extent();
        if self.written == 0 && !self.is_headed {
            self.is_headed = true;
            if self.selected != Some(extent.first) {
                push_select(&mut self.head, extent.first);
            }
        }
        if !self.head.is_empty() {
            let (count, result) = append_all(&**file, &self.head, &mut files.file_bytes);
            self.head.drain(..count);
            result?;
        }
        let (count, result) = append_all(&**file, &self.out.bytes()[self.written..end], &mut files.file_bytes);
        meeting.facts.bytes.fetch_add(count as u64, Relaxed);
        self.unsynced |= count > 0;
        self.written += count;
        result?;
        self.selected = Some(extent.last);
        Ok(())
    }

    /// What follows goes to another file, or to none: the database is selected anew there, and what was taken in up to
    /// this place is dealt with.
    pub fn turn_page(&mut self, end: usize) {
        self.selected = None;
        self.written = self.written.max(end);
    }

    /// A sync is to begin: the file, if anything was written to it since the last, and what will be safe when it ends.
    pub fn begin_sync(&mut self) -> Option<(Arc<dyn LogFile>, Emitted)> {
        if !std::mem::take(&mut self.unsynced) {
            return None;
        }
        let file = self.files.as_ref()?.file.clone()?;
        Some((file, self.emitted()))
    }

    /// The sync that was begun has failed, and what it was for is not safe.
    pub fn sync_failed(&mut self) {
        self.unsynced = true;
    }

    /// How far the shards' chunks were taken in.
    pub fn emitted(&self) -> Emitted {
        (0..self.published.len()).map(|shard| self.merger.emitted(shard)).collect()
    }

    /// Says that all that was taken in is safe, to those who wait for it.
    pub fn publish(&mut self, meeting: &LogMeeting, cores: &Meeting) {
        let mut moved = false;
        for shard in 0..self.published.len() {
            let emitted = self.merger.emitted(shard);
            if self.published[shard] != emitted {
                self.published[shard] = emitted;
                meeting.marks.set_durable(shard, emitted);
                moved = true;
            }
        }
        if moved {
            meeting.wake_waiting(cores);
        }
    }

    /// A core's part: takes in what has arrived, writes it and says so. False when there is something that only the log's
    /// thread does.
    pub fn serve(&mut self, meeting: &LogMeeting, cores: &Meeting, now_s: Option<u64>) -> bool {
        self.drain(cores, now_s);
        if !self.signs.is_empty() || self.files.is_none() {
            // Without files: the thread may have been told of them and not looked yet.
            return false;
        }
        let is_written = meeting.facts.write_error.load(Relaxed) == 0 && self.write(meeting);
        // As in Redis, who wrote is not kept waiting for a disk that fails, unless it was promised.
        self.publish(meeting, cores);
        is_written
    }
}
