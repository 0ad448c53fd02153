//! Walking a table in hash order, and drawing from it.
//!
//! A scan's cursor is a position among the hashes: the 42 placing bits ([`POSITION_BITS`]) from which the next step goes
//! on. A step emits the entries between two positions. Where an entry lies may change between steps, its position never
//! does, so an entry present throughout is emitted at least once whatever the table does meanwhile, and every scan ends.
//! An entry comes twice only when its segment merged in between: then its tag has lost the bits that the cursor had.

use std::ptr::NonNull;

use crate::stdx::limits::{TABLE_RANDOM_DRAWS_MAX, TABLE_SCAN_EMPTY_BUCKETS_MAX};

use super::segment::{BUCKET_SLOTS, BUCKETS_MAX, SegmentWord, TAG_BITS};
use super::{POSITION_BITS, Table};

const POSITIONS: u64 = 1 << POSITION_BITS;

impl Table {
    /// One step of an iteration that began with cursor 0: emits the entries of one home bucket, passing over empty ones,
    /// and returns the cursor for the next step, 0 when this was the last. Cursors are below 2^42; any other one from a
    /// client ends the iteration.
    pub fn scan(&self, cursor: u64, mut emit: impl FnMut(NonNull<u8>)) -> u64 {
        let mut position = cursor;
        for _ in 0..TABLE_SCAN_EMPTY_BUCKETS_MAX {
            if position >= POSITIONS || self.directory.is_empty() {
                return 0;
            }
            let word = self.directory[(position >> (POSITION_BITS - self.depth)) as usize];
            let segment = self.segment(word);
            // Within the segment's range of positions, its tags count in units of `1 << shift`.
            let shift = POSITION_BITS - word.depth() - TAG_BITS;
            let tag = (position >> shift) as u16;
            let emitted = segment
                .slots_of_home(tag)
                .map(|slot| emit(slot.entry()))
                .count();
            let segment_start = position >> (shift + TAG_BITS) << (shift + TAG_BITS);
            position = segment_start + (u64::from(segment.tags_end(tag)) << shift);
            if emitted > 0 {
                break;
            }
        }
        if position < POSITIONS { position } else { 0 }
    }

    /// A random entry, each with the same probability; none when the table is empty. `random` gives 64 random bits.
    /// Draws a slot of a segment until one is filled, so a table of usual density takes about two cache misses. (Entries
    /// in an overflow list are only drawn when the buckets are nearly empty.)
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<NonNull<u8>> {
        // Slots beyond a small segment's end are drawn too, and refused, lest its entries be drawn more often.
        let buckets_max = match self.directory[..] {
            [] => return None,
            [word] => word.buckets(),
            _ => BUCKETS_MAX,
        };
        for _ in 0..TABLE_RANDOM_DRAWS_MAX {
            let bits = random();
            let index = scale(bits >> 32, self.directory.len());
            let drawn = scale(bits & u64::from(u32::MAX), buckets_max * BUCKET_SLOTS);
            let (bucket, slot) = (drawn / BUCKET_SLOTS, drawn % BUCKET_SLOTS);
            let word = self.directory[index];
            // A segment is drawn by the first of its words only, so that all segments are drawn equally often.
            if bucket >= word.buckets() || !self.is_first_word(index, word) {
                continue;
            }
            if let Some(slot) = self.segment(word).bucket(bucket).slots().get(slot) {
                return Some(slot.entry());
            }
        }
        self.random_walk(random)
    }

    fn is_first_word(&self, index: usize, word: SegmentWord) -> bool {
        index & ((1 << (self.depth - word.depth())) - 1) == 0
    }

    /// One of the entries that a scan from a random place meets first.
    fn random_walk(&self, random: &mut impl FnMut() -> u64) -> Option<NonNull<u8>> {
        let mut cursor = random() % POSITIONS;
        let mut rounds = 0;
        let mut chosen = None;
        let mut met = 0;
        while chosen.is_none() && rounds < 2 {
            cursor = self.scan(cursor, |entry| {
                met += 1;
                if random().is_multiple_of(met) {
                    chosen = Some(entry);
                }
            });
            rounds += u32::from(cursor == 0);
        }
        chosen
    }
}

/// A 32-bit random number, scaled to `0..count`.
fn scale(bits: u64, count: usize) -> usize {
    ((bits * count as u64) >> 32) as usize
}
