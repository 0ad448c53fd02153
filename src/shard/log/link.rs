//! `LogLink`: one core's way to the log. Chunks of a turn travel together in one shipment; when the ring is full they join
//! the next one. Shipments come back empty and are used again, so in steady state nothing is allocated.

use std::sync::Arc;

use crate::keyspace::journal::{Journal, Shipment};
use crate::runtime::doorbell::Doorbell;
use crate::runtime::log_marks::LogMarks;
use crate::runtime::ring::{Receiver, Sender, ring};
use crate::stdx::limits::LOG_WAITING_BYTES_MAX;

/// What the log and all cores share.
#[derive(Debug)]
pub struct LogMeeting {
    /// Tickets, and what is safe.
    pub marks: Arc<LogMarks>,
    /// Wakes the log.
    pub doorbell: Doorbell,
}

/// See the file's head.
pub struct LogLink {
    meeting: Arc<LogMeeting>,
    sender: Sender<Box<Shipment>>,
    empties: Receiver<Box<Shipment>>,
    current: Box<Shipment>,
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
        LogLink { meeting, sender, empties, current: Box::default(), awaited },
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

    /// What was shipped leaves, if the ring has room.
    #[inline]
    pub fn flush(&mut self) {
        if self.current.heads.is_empty() {
            return;
        }
        let next = self.empties.pop().unwrap_or_default();
        match self.sender.push(std::mem::replace(&mut self.current, next)) {
            Ok(()) => {
                self.meeting.doorbell.ring_if_parked();
            }
            Err(full) => self.current = full,
        }
    }

    /// Something waits that now has room, or somebody for what is safe now.
    pub fn has_work(&self) -> bool {
        (self.is_waiting() && self.sender.len() < self.sender.capacity())
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
