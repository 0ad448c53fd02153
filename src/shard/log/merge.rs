//! `Merger`: the chunks of all shards, in one order. No input or output: shipments in, records out.
//!
//! Rules. The chunks of a shard are emitted in the order of their numbers. A joint chunk is emitted as one when all its
//! parts have arrived and each is the first of its shard that has not been emitted — or has only joint chunks *with greater
//! tickets* and what follows those before it. Several records of a joint chunk stand between MULTI and EXEC.
//!
//! Why a part may pass others. Parts of two joint chunks can stand in different orders on two shards only if both are
//! scattered commands: whoever works with whole boxes has all of them in hand at once. A scattered command J takes its
//! ticket after every shard has granted its holds, and each shard applies it later. Say at a shard K, with a greater
//! ticket, was applied before J. K took its ticket after J, so it was decided, and applied, when J's keys were held already; so
//! everything from K to J at that shard was done while J's keys were held exclusively, and commutes with J. (A loan cannot
//! be between them: boxes are not lent while keys are held.) And everything emitted before J at J's other shards is what
//! came before it there, or commutes for the same reason. So J may go first.
//!
//! Why it never stops for good. Of the joint chunks not emitted take the one with the smallest ticket. Before its parts stand
//! single chunks, which are emitted when they are first, and joint ones with greater tickets, which it may pass. It is
//! emitted as soon as all its parts, and the single chunks before the first joint one at each of its shards, have arrived.

use std::collections::VecDeque;

use crate::keyspace::journal::{ChunkHead, Joint, Shipment};
use crate::keyspace::records::{Extent, Records};

use super::super::exchange::bits;

/// A chunk that waits for others.
struct Waiting {
    extent: Extent,
    bytes: Vec<u8>,
    joint: Option<Joint>,
}

/// What is known of one shard.
#[derive(Default)]
struct Lane {
    /// The number of the first chunk that has not been emitted.
    next: u64,
    /// The chunks from there on, as far as they are known.
    chunks: VecDeque<Slot>,
}

enum Slot {
    Missing,
    Here(Waiting),
    /// Emitted before its turn.
    Done,
}

/// See the file's head.
pub struct Merger {
    lanes: Vec<Lane>,
    /// Chunks that wait; 0 nearly always.
    waiting: usize,
}

impl Merger {
    /// For so many shards, none of which has had a chunk.
    pub fn new(shards: usize) -> Merger {
        Merger { lanes: (0..shards).map(|_| Lane::default()).collect(), waiting: 0 }
    }

    /// Chunks of the shard that were emitted, with all before them.
    pub fn emitted(&self, shard: usize) -> u64 {
        self.lanes[shard].next
    }

    /// Chunks that wait for others.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Takes a shipment in. `out` gets what can be emitted; `on_sign` is called between what comes before and behind a sign.
    pub fn accept(&mut self, shipment: &Shipment, out: &mut Records, mut on_sign: impl FnMut(u64, &mut Records)) {
        let mut at = 0;
        for head in &shipment.heads {
            let bytes = &shipment.bytes[at..at + head.bytes_len];
            at += head.bytes_len;
            let lane = &mut self.lanes[head.shard as usize];
            if head.joint.is_none() && head.sequence == lane.next && lane.chunks.is_empty() {
                // Nearly all chunks: nobody waits for them, and they wait for nobody.
                out.append_bytes(head.extent, bytes);
                lane.next += 1;
                continue;
            }
            self.keep(head, bytes);
            self.emit(out, &mut on_sign);
        }
    }

    fn keep(&mut self, head: &ChunkHead, bytes: &[u8]) {
        let lane = &mut self.lanes[head.shard as usize];
        let index = (head.sequence - lane.next) as usize;
        while lane.chunks.len() <= index {
            lane.chunks.push_back(Slot::Missing);
        }
        debug_assert!(matches!(lane.chunks[index], Slot::Missing), "a chunk arrives once");
        lane.chunks[index] = Slot::Here(Waiting { extent: head.extent, bytes: bytes.to_vec(), joint: head.joint });
        self.waiting += 1;
    }

    /// Emits what can be emitted.
    fn emit(&mut self, out: &mut Records, on_sign: &mut impl FnMut(u64, &mut Records)) {
        loop {
            let mut moved = false;
            for shard in 0..self.lanes.len() {
                moved |= self.emit_singles(shard, out);
            }
            for shard in 0..self.lanes.len() {
                if let Some(joint) = self.first_joint(shard)
                    && self.may_go(joint)
                {
                    self.emit_joint(joint, out, on_sign);
                    moved = true;
                }
            }
            if !moved {
                return;
            }
        }
    }

    /// Emits the chunks of one shard up to the first that is joint or missing.
    fn emit_singles(&mut self, shard: usize, out: &mut Records) -> bool {
        let lane = &mut self.lanes[shard];
        let before = lane.next;
        while let Some(slot) = lane.chunks.front() {
            match slot {
                Slot::Here(Waiting { extent, bytes, joint: None }) => {
                    out.append_bytes(*extent, bytes);
                    self.waiting -= 1;
                }
                Slot::Done => {}
                Slot::Missing | Slot::Here(_) => break,
            }
            lane.chunks.pop_front();
            lane.next += 1;
        }
        lane.next != before
    }

    fn first_joint(&self, shard: usize) -> Option<Joint> {
        match self.lanes[shard].chunks.front() {
            Some(Slot::Here(waiting)) => waiting.joint,
            _ => None,
        }
    }

    /// All parts are here, and what is before them may be passed.
    fn may_go(&self, joint: Joint) -> bool {
        bits(joint.shards).all(|shard| {
            self.first_joint(shard).is_some_and(|first| first.ticket >= joint.ticket)
                && self.part_of(shard, joint.ticket).is_some()
        })
    }

    fn part_of(&self, shard: usize, ticket: u64) -> Option<usize> {
        self.lanes[shard].chunks.iter().position(
            |slot| matches!(slot, Slot::Here(waiting) if waiting.joint.is_some_and(|joint| joint.ticket == ticket)),
        )
    }

    fn emit_joint(&mut self, joint: Joint, out: &mut Records, on_sign: &mut impl FnMut(u64, &mut Records)) {
        let mut whole = Records::default();
        for shard in bits(joint.shards) {
            let Some(index) = self.part_of(shard, joint.ticket) else { unreachable!("`may_go` found all parts") };
            let slot = std::mem::replace(&mut self.lanes[shard].chunks[index], Slot::Done);
            let Slot::Here(part) = slot else { unreachable!("`part_of` found it") };
            whole.append_bytes(part.extent, &part.bytes);
            self.waiting -= 1;
        }
        out.append_whole(&whole);
        if joint.is_sign {
            for shard in bits(joint.shards) {
                self.emit_singles_done(shard);
            }
            on_sign(joint.ticket, out);
        }
    }

    /// A sign's own slots are counted as emitted before it is told of.
    fn emit_singles_done(&mut self, shard: usize) {
        let lane = &mut self.lanes[shard];
        while matches!(lane.chunks.front(), Some(Slot::Done)) {
            lane.chunks.pop_front();
            lane.next += 1;
        }
    }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
