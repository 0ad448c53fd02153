//! The append-only log of a world, in memory: it takes in what cores send when the schedule says so, and what it has
//! written is safe only after a sync, which is a step of its own. A power cut leaves what was synced.

use std::sync::Arc;

use crate::keyspace::records::Records;
use crate::runtime::doorbell::Doorbell;
use crate::runtime::log_marks::LogMarks;
use crate::shard::exchange::Meeting;
use crate::shard::log::link::{LogEnd, LogLink, LogMeeting, link};
use crate::shard::log::merge::Merger;
use crate::stdx::random::Random;

/// See the file's head.
pub(super) struct SimulatedLog {
    meeting: Arc<LogMeeting>,
    ends: Vec<LogEnd>,
    merger: Merger,
    out: Records,
    synced_len: usize,
    published: Vec<u64>,
}

impl SimulatedLog {
    /// A log and the ways to it, with rings of so many slots.
    pub(super) fn new(cores: usize, slots: usize) -> (SimulatedLog, Vec<LogLink>) {
        let marks = Arc::new(LogMarks::new(cores));
        let meeting = Arc::new(LogMeeting { marks, doorbell: Doorbell::silent() });
        let (links, ends) = (0..cores).map(|_| link(meeting.clone(), slots)).unzip();
        let merger = Merger::new(cores);
        let log =
            SimulatedLog { meeting, ends, merger, out: Records::default(), synced_len: 0, published: vec![0; cores] };
        (log, links)
    }

    /// What boxes need to record.
    pub(super) fn marks(&self) -> &Arc<LogMarks> {
        &self.meeting.marks
    }

    fn has_arrivals(&self) -> bool {
        self.ends.iter().any(|end| !end.receiver.is_empty())
    }

    /// Something has arrived or is not synced.
    pub(super) fn has_work(&self) -> bool {
        self.has_arrivals() || self.synced_len != self.out.bytes().len() || self.is_unpublished()
    }

    fn is_unpublished(&self) -> bool {
        self.published.iter().enumerate().any(|(shard, &count)| self.merger.emitted(shard) != count)
    }

    /// Takes in one shipment, or syncs.
    pub(super) fn step(&mut self, random: &mut Random, cores: &Meeting) {
        if self.has_arrivals() && random.below(3) > 0 {
            let first = random.below(self.ends.len() as u64) as usize;
            let count = self.ends.len();
            let from = (0..count).map(|offset| (first + offset) % count);
            for core in from {
                let Some(mut shipment) = self.ends[core].receiver.pop() else { continue };
                self.merger.accept(&shipment, &mut self.out, |_, _| {});
                self.meeting.marks.remove_waiting(shipment.bytes.len() as u64);
                shipment.clear();
                let _ = self.ends[core].empties.push(shipment);
                if self.ends[core].receiver.take_starved() {
                    cores.doorbells[core].ring_if_parked();
                }
                return;
            }
        }
        self.synced_len = self.out.bytes().len();
        for shard in 0..self.published.len() {
            self.published[shard] = self.merger.emitted(shard);
            self.meeting.marks.set_durable(shard, self.published[shard]);
        }
        for core in 0..cores.doorbells.len() {
            if self.meeting.marks.is_waiting(core) {
                cores.doorbells[core].ring_if_parked();
            }
        }
    }

    /// What a power cut leaves: a file of the log.
    pub(super) fn synced(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        crate::keyspace::records::push_select(&mut bytes, self.out.extent().first);
        bytes.extend_from_slice(&self.out.bytes()[..self.synced_len]);
        bytes
    }

    /// What is not done when the world rests.
    pub(super) fn leftover(&self) -> Option<String> {
        (self.merger.waiting() > 0).then(|| format!("the log is left with {} chunks that wait", self.merger.waiting()))
    }
}
