//! The append-only log of a world: the process' own `LogState` with a disk in memory. In some worlds replies wait for the
//! disk, in others cores write by themselves; the steps drawn here are those of the log's thread. A sync takes a while: it
//! begins in one step and ends in another. The disk fails now and then where it is let.

use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::persist::aof::file::LogFile;
use crate::persist::aof::files::LogFiles;
use crate::runtime::combiner::Combiner;
use crate::runtime::doorbell::Doorbell;
use crate::runtime::log_marks::LogMarks;
use crate::shard::exchange::Meeting;
use crate::shard::log::link::{LogLink, LogMeeting, link};
use crate::shard::log::state::{Emitted, LogState};
use crate::stats::server::ServerFacts;
use crate::stdx::random::Random;

/// Failures of one disk, at the most: a world comes to rest.
const FAILURES_MAX: u64 = 30;
/// One call in so many fails.
const FAILS_ONE_IN: u64 = 6;

/// What is on the disk, and what the kernel has of it.
struct Disk(Mutex<DiskState>);

struct DiskState {
    bytes: Vec<u8>,
    synced_len: usize,
    random: Random,
    failures_left: u64,
}

impl Disk {
    fn state(&self) -> MutexGuard<'_, DiskState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl DiskState {
    fn fails(&mut self) -> bool {
        let fails = self.failures_left > 0 && self.random.below(FAILS_ONE_IN) == 0;
        self.failures_left -= u64::from(fails);
        fails
    }
}

impl LogFile for Disk {
    fn append(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        let mut count = bytes.len();
        if state.fails() {
            match state.random.below(3) {
                0 => return Err(io::Error::from_raw_os_error(nix::libc::EIO)),
                1 => return Err(io::Error::from_raw_os_error(nix::libc::ENOSPC)),
                _ => count = state.random.below(count as u64) as usize,
            }
        }
        state.bytes.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn cut(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        if state.fails() {
            return Err(io::Error::from_raw_os_error(nix::libc::EIO));
        }
        state.bytes.truncate(len as usize);
        state.synced_len = state.synced_len.min(len as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state();
        state.synced_len = state.bytes.len();
        Ok(())
    }
}

/// See the file's head.
pub(super) struct SimulatedLog {
    meeting: Arc<LogMeeting>,
    disk: Arc<Disk>,
    /// A sync is under way: for so many bytes, and what is safe when it ends.
    sync: Option<(usize, Emitted)>,
}

impl SimulatedLog {
    /// A log and the ways to it, with rings of so many slots. `random` draws its kind.
    pub(super) fn new(
        cores: usize,
        slots: usize,
        random: &mut Random,
        server: &ServerFacts,
    ) -> (SimulatedLog, Vec<LogLink>) {
        server.log.enabled.store(true, Relaxed);
        server.log.always.store(random.below(2) == 0, Relaxed);
        let meeting = Arc::new(LogMeeting {
            marks: Arc::new(LogMarks::new(cores)),
            doorbell: Doorbell::silent(),
            tool: Combiner::empty(),
            facts: server.log.clone(),
            saves: server.saves.clone(),
        });
        let (links, ends) = (0..cores).map(|_| link(meeting.clone(), slots)).unzip();
        let random = Random::new(random.next_u64());
        let disk = DiskState { bytes: Vec::new(), synced_len: 0, random, failures_left: 0 };
        let disk = Arc::new(Disk(Mutex::new(disk)));
        let mut state = LogState::new(ends);
        state.files = Some(LogFiles::of_double(disk.clone()));
        meeting.tool.put_down(Box::new(state), &meeting.doorbell);
        (SimulatedLog { meeting, disk, sync: None }, links)
    }

    /// From now on the disk fails now and then.
    pub(super) fn let_disk_fail(&self) {
        self.disk.state().failures_left = FAILURES_MAX;
    }

    /// What boxes need to record.
    pub(super) fn marks(&self) -> &Arc<LogMarks> {
        &self.meeting.marks
    }

    fn with_state<T>(&self, work: impl FnOnce(&mut LogState) -> T) -> T {
        let mut state = self.meeting.tool.insist().expect("nobody has the tool between two steps");
        let result = work(&mut state);
        self.meeting.tool.put_down(state, &self.meeting.doorbell);
        result
    }

    /// Something is to be done by the log's thread.
    pub(super) fn has_work(&self) -> bool {
        let always = self.meeting.facts.always.load(Relaxed);
        let marks = &self.meeting.marks;
        self.sync.is_some()
            || self.meeting.facts.write_error.load(Relaxed) != 0
            || self.with_state(|state| {
                let is_behind = || (0..marks.shards()).any(|shard| marks.durable(shard) != state.emitted()[shard]);
                let is_brought = self.meeting.tool.is_asked() || (always && state.has_arrivals());
                is_brought || state.has_unwritten() || state.has_unsynced() || is_behind()
            })
    }

    /// One step of the log's thread.
    pub(super) fn step(&mut self, random: &mut Random, cores: &Meeting) {
        let (meeting, disk) = (self.meeting.clone(), self.disk.clone());
        let always = meeting.facts.always.load(Relaxed);
        if self.sync.is_some() && random.below(2) == 0 {
            return self.end_sync(cores, always);
        }
        meeting.tool.begin();
        let begun = self.with_state(|state| {
            if state.has_arrivals() && random.below(3) > 0 {
                let (first, count) = (random.below(marks_len(&meeting)) as usize, marks_len(&meeting) as usize);
                let _ = (0..count).any(|offset| state.take_one((first + offset) % count, cores, None));
                meeting.tool.leave();
                return None;
            }
            let is_written = state.write(&meeting);
            if !always {
                state.publish(&meeting, cores);
            }
            let begins = is_written && self.sync.is_none();
            if always && begins && !state.has_unsynced() {
                state.publish(&meeting, cores);
            }
            if begins { state.begin_sync() } else { None }
        });
        if let Some((_, emitted)) = begun {
            self.sync = Some((disk.state().bytes.len(), emitted));
        }
    }

    fn end_sync(&mut self, cores: &Meeting, always: bool) {
        let Some((len, emitted)) = self.sync.take() else { return };
        let mut disk = self.disk.state();
        disk.synced_len = disk.synced_len.max(len);
        drop(disk);
        if always {
            emitted.iter().enumerate().for_each(|(shard, &count)| self.meeting.marks.set_durable(shard, count));
            self.meeting.wake_waiting(cores);
        }
    }

    /// What is left of the log's file when it ends now. Where replies wait for the disk the power is cut: what was synced
    /// is left, and some of what follows. Else the process is killed, and what was written is left.
    pub(super) fn survivor(&self, random: &mut Random) -> Vec<u8> {
        let disk = self.disk.state();
        let mut len = disk.bytes.len();
        if self.meeting.facts.always.load(Relaxed) {
            len = disk.synced_len + random.below((len - disk.synced_len) as u64 + 1) as usize;
        }
        disk.bytes[..len].to_vec()
    }

    /// While the disk fails, what was told may be missing: as in Redis, replies do not wait for it then.
    pub(super) fn may_owe(&self) -> bool {
        !self.meeting.facts.always.load(Relaxed) && self.meeting.facts.write_error.load(Relaxed) != 0
    }

    /// What it is like, for a person.
    pub(super) fn kind(&self) -> String {
        let waits_for = if self.meeting.facts.always.load(Relaxed) { "disk" } else { "kernel" };
        let failures_left = self.disk.state().failures_left;
        format!("replies wait for the {waits_for}, {failures_left} failures are left")
    }

    /// What is not done when the world rests.
    pub(super) fn leftover(&self) -> Option<String> {
        let waiting = self.with_state(|state| state.waiting());
        (waiting > 0).then(|| format!("the log is left with {waiting} chunks that wait"))
    }
}

fn marks_len(meeting: &LogMeeting) -> u64 {
    meeting.marks.shards() as u64
}
