//! `LogLink`: one core's way to the log. Chunks of a turn travel together in one shipment; when the ring is full they join
//! the next one. Shipments come back empty and are used again, so in steady state nothing is allocated.
//!
//! At the end of a core's turn, before replies leave, it *settles*: unless replies wait for the disk anyway it takes the
//! log's tool and writes what has arrived, its own shipments and those of others. When another core has the tool, that
//! one writes them.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use crate::keyspace::journal::{Journal, Shipment};
use crate::runtime::combiner::Combiner;
use crate::runtime::doorbell::Doorbell;
use crate::runtime::log_marks::LogMarks;
use crate::runtime::ring::{Receiver, Sender, ring};
use crate::stats::log::LogFacts;
use crate::stats::persistence::SaveFacts;
use crate::stdx::limits::{LOG_ROUNDS_PER_TURN_MAX, LOG_WAITING_BYTES_MAX, SHELF_SPINS};

use super::super::exchange::Meeting;
use super::state::LogState;

/// What the log and all cores share.
pub struct LogMeeting {
    /// Tickets, and what is safe.
    pub marks: Arc<LogMarks>,
    /// Wakes the log's thread.
    pub doorbell: Doorbell,
    /// The log's tool; the thread is its home.
    pub tool: Combiner<LogState>,
    /// What is known of the log.
    pub facts: Arc<LogFacts>,
    /// Where failures are told.
    pub saves: Arc<SaveFacts>,
}

impl LogMeeting {
    /// Wakes the cores on which somebody waits for what is safe now.
    pub fn wake_waiting(&self, cores: &Meeting) {
        for (core, doorbell) in cores.doorbells.iter().enumerate() {
            if self.marks.is_waiting(core) {
                doorbell.ring_if_parked();
            }
        }
    }
}

/// See the file's head.
pub struct LogLink {
    meeting: Arc<LogMeeting>,
    sender: Sender<Box<Shipment>>,
    empties: Receiver<Box<Shipment>>,
    current: Box<Shipment>,
    /// Something has left, and nobody was asked to write it.
    is_unsettled: bool,
    /// For each shard, how many chunks must be safe before somebody here goes on.
    awaited: Vec<u64>,
}

/// The log's end of a link.
pub struct LogEnd {
    /// Shipments that have arrived.
    pub receiver: Receiver<Box<Shipment>>,
    /// Where they go back.
    pub empties: Sender<Box<Shipment>>,
}

/// A link between one core and the log, with rings of so many slots.
pub fn link(meeting: Arc<LogMeeting>, slots: usize) -> (LogLink, LogEnd) {
    let (sender, receiver) = ring(slots);
    let (empties_sender, empties) = ring(slots);
    let awaited = vec![u64::MAX; meeting.marks.shards()];
    (
        LogLink { meeting, sender, empties, current: Box::default(), is_unsettled: false, awaited },
        LogEnd { receiver, empties: empties_sender },
    )
}

impl LogLink {
    /// The marks.
    pub fn marks(&self) -> &Arc<LogMarks> {
        &self.meeting.marks
    }

    /// A box leaves the hand.
    #[inline]
    pub fn ship(&mut self, shard: usize, journal: &mut Journal) {
        if !journal.is_shipped() {
            let bytes = journal.unshipped_bytes();
            journal.ship(shard, &mut self.current);
            self.meeting.marks.add_waiting(bytes as u64);
        }
    }

    /// Something was shipped and has not left.
    pub fn is_waiting(&self) -> bool {
        !self.current.heads.is_empty()
    }

    /// What was shipped leaves, if the ring has room. The log's thread is woken if it is the one to write it.
    #[inline]
    pub fn flush(&mut self) {
        if self.current.heads.is_empty() {
            return;
        }
        let next = self.empties.pop().unwrap_or_default();
        match self.sender.push(std::mem::replace(&mut self.current, next)) {
            Ok(()) if self.meeting.facts.always.load(Relaxed) => {
                self.meeting.tool.leave();
                self.meeting.doorbell.ring_if_parked();
            }
            Ok(()) => self.is_unsettled = true,
            Err(full) => self.current = full,
        }
    }

    /// Before replies leave: see the file's head. `now_s`: Unix time, if annotations of it are wanted.
    pub fn settle(&mut self, cores: &Meeting, now_s: Option<u64>) {
        self.flush();
        let is_unsettled = std::mem::take(&mut self.is_unsettled) || self.is_waiting();
        let meeting = &*self.meeting;
        if !is_unsettled || meeting.facts.always.load(Relaxed) {
            return;
        }
        let Some(mut state) = meeting.tool.bring(SHELF_SPINS) else { return };
        for _ in 0..LOG_ROUNDS_PER_TURN_MAX {
            meeting.tool.begin();
            if !state.serve(meeting, cores, now_s) {
                break;
            }
            match meeting.tool.give_back(state, &meeting.doorbell) {
                Some(next) => state = next,
                None => return,
            }
        }
        // More than a core's share, or what only the thread does.
        meeting.tool.put_down(state, &meeting.doorbell);
        meeting.tool.leave();
        meeting.doorbell.ring_if_parked();
    }

    /// Something waits that now has room or was not settled, or somebody for what is safe now.
    pub fn has_work(&self) -> bool {
        self.is_unsettled
            || (self.is_waiting() && self.sender.len() < self.sender.capacity())
            || self
                .awaited
                .iter()
                .enumerate()
                .any(|(shard, &count)| count != u64::MAX && self.meeting.marks.durable(shard) >= count)
    }

    /// Somebody on this core waits until so many chunks of the shard are safe.
    pub fn await_durable(&mut self, core: usize, shard: usize, chunks: u64) {
        self.awaited[shard] = self.awaited[shard].min(chunks);
        self.meeting.marks.set_waiting(core, true);
    }

    /// Nobody waits any more; who still does says so again.
    pub fn forget_awaited(&mut self) {
        self.awaited.fill(u64::MAX);
    }

    /// The log is so far behind that sessions must not be read for now.
    #[inline]
    pub fn is_congested(&self) -> bool {
        self.meeting.marks.waiting_bytes() >= LOG_WAITING_BYTES_MAX
    }
}
