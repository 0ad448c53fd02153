//! `Journal`: what was changed in a box and has not been given to the log.
//!
//! Records stand in the box while it is in somebody's hand. When it leaves the hand they become a *chunk* with the shard's
//! next number (`ship`), so the chunks of a shard, put in order, are its history whoever worked with the box. What
//! concerns several shards is a *joint* chunk: one in each of them with a common ticket (`runtime/log_marks`); the log
//! emits them as one.
//!
//! `keyspace/` records what goes because its time has come; everything else is recorded by `shard/record`, from what
//! `shard/call` ran. As long as there is no log nothing is recorded, at the cost of one look at `marks`.

use std::sync::Arc;

use crate::runtime::log_marks::LogMarks;
use crate::stdx::limits::JOURNAL_BYTES_KEPT_MAX;

use super::records::{Extent, Records};

/// What several shards changed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Joint {
    /// Its place among all joint chunks.
    pub ticket: u64,
    /// The shards that have a part, one bit each.
    pub shards: u64,
    /// Not changes but a sign for the log: here something ends and something else begins.
    pub is_sign: bool,
}

/// The head of a chunk; its bytes stand with those of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkHead {
    /// Whose chunk it is.
    pub shard: u16,
    /// Its number among the chunks of that shard, from 0.
    pub sequence: u64,
    /// Its bytes.
    pub bytes_len: usize,
    /// What is to be known of them.
    pub extent: Extent,
    /// It is part of something in several shards.
    pub joint: Option<Joint>,
}

/// Chunks on their way to the log, in a box that is used again and again.
#[derive(Debug, Default)]
pub struct Shipment {
    /// Their bytes, one after the other.
    pub bytes: Vec<u8>,
    /// Their heads.
    pub heads: Vec<ChunkHead>,
}

impl Shipment {
    /// Empties it for its next use.
    pub fn clear(&mut self) {
        self.heads.clear();
        self.bytes.clear();
        self.bytes.shrink_to(JOURNAL_BYTES_KEPT_MAX);
    }
}

/// See the file's head.
#[derive(Debug, Default)]
pub struct Journal {
    /// There is a log.
    log: Option<Arc<LogMarks>>,
    /// Writes that changed something, ever; never looked at but for whether it moved.
    pub changes: u64,
    /// `changes` before the command that runs now.
    pub changes_before: u64,
    /// What the next chunk has so far.
    open: Records,
    /// What the command that runs now wants to be recorded instead of itself.
    pub effects: Records,
    /// The commands that run now are part of something whose records stay together, in one of the boxes.
    pub in_unit: bool,
    /// That is this box.
    pub leads_unit: bool,
    /// These records.
    pub unit: Records,
    /// Those of them that say what went because its time had come; they stay true if the rest is taken back.
    pub unit_expired: Records,
    /// The shards they concern.
    pub unit_shards: u64,
    /// Chunks that are complete.
    closed: Shipment,
    /// Chunks numbered so far.
    sealed: u64,
}

impl Journal {
    /// Changes are recorded.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.log.is_some()
    }

    /// From now on changes are recorded, or not. With all boxes in hand, so that nothing is half recorded.
    pub fn switch(&mut self, log: Option<Arc<LogMarks>>) {
        self.log = log;
    }

    /// The marks of the log, if there is one.
    pub fn log(&self) -> Option<&Arc<LogMarks>> {
        self.log.as_ref()
    }

    /// A key went because its time had come.
    #[cold]
    pub fn removed(&mut self, database: u32, key: &[u8]) {
        if self.is_on() {
            self.open.push_words(database, &[b"DEL", key]);
        }
    }

    /// Fields of a hash went because their time had come: one record for each.
    #[cold]
    pub fn removed_field(&mut self, database: u32, key: &[u8], field: &[u8]) {
        if self.is_on() {
            self.open.push_words(database, &[b"HDEL", key, field]);
        }
    }

    /// Records to be part of the next chunk.
    pub fn open(&mut self) -> &mut Records {
        &mut self.open
    }

    /// Moves the effects of a command into the next chunk, together.
    pub fn record_effects(&mut self) {
        self.open.append_whole(&self.effects);
        self.effects.clear(JOURNAL_BYTES_KEPT_MAX);
    }

    /// The command that runs now is forgotten: it failed.
    pub fn forget_effects(&mut self) {
        self.effects.clear(JOURNAL_BYTES_KEPT_MAX);
    }

    /// Ends the next chunk here, if anything is in it.
    pub fn close(&mut self) {
        if !self.open.is_empty() {
            let open = std::mem::take(&mut self.open);
            self.push_closed(&open, None);
            self.open = open;
            self.open.clear(JOURNAL_BYTES_KEPT_MAX);
        }
    }

    /// A part of something in several shards, behind what is there.
    pub fn push_joint(&mut self, records: &Records, joint: Joint) {
        self.close();
        self.push_closed(records, Some(joint));
    }

    /// What the next chunk has so far becomes a part of something in several shards. Whatever was before was closed.
    pub fn close_joint(&mut self, joint: Joint) {
        let open = std::mem::take(&mut self.open);
        self.push_closed(&open, Some(joint));
        self.open = open;
        self.open.clear(JOURNAL_BYTES_KEPT_MAX);
    }

    fn push_closed(&mut self, records: &Records, joint: Option<Joint>) {
        self.closed.bytes.extend_from_slice(records.bytes());
        self.closed.heads.push(ChunkHead {
            shard: 0,
            sequence: self.sealed,
            bytes_len: records.bytes().len(),
            extent: records.extent(),
            joint,
        });
        self.sealed += 1;
    }

    /// The chunks of this shard that must be safe before anybody may hear of what is in the box now.
    #[inline]
    pub fn chunks(&self) -> u64 {
        self.sealed + u64::from(!self.open.is_empty())
    }

    /// Nothing is to be shipped.
    #[inline]
    pub fn is_shipped(&self) -> bool {
        self.open.is_empty() && self.closed.heads.is_empty()
    }

    /// Bytes that were recorded and not shipped.
    pub fn unshipped_bytes(&self) -> usize {
        self.open.bytes().len() + self.closed.bytes.len()
    }

    /// The box leaves the hand: its chunks go along to the log.
    pub fn ship(&mut self, shard: usize, shipment: &mut Shipment) {
        shipment.bytes.extend_from_slice(&self.closed.bytes);
        shipment.heads.extend(self.closed.heads.iter().map(|head| ChunkHead { shard: shard as u16, ..*head }));
        self.closed.clear();
        if !self.open.is_empty() {
            shipment.bytes.extend_from_slice(self.open.bytes());
            shipment.heads.push(ChunkHead {
                shard: shard as u16,
                sequence: self.sealed,
                bytes_len: self.open.bytes().len(),
                extent: self.open.extent(),
                joint: None,
            });
            self.sealed += 1;
            self.open.clear(JOURNAL_BYTES_KEPT_MAX);
        }
    }
}
