//! The hash table of keyspaces and of large collections: from a 64-bit hash to pointers that it stores and does not own.
//!
//! Extendible hashing (Fagin et al. 1979). A directory, indexed by the hash's top `depth` bits, points to small segments
//! (`table_segment.rs`); a segment of a lower depth than the directory's is pointed to by several neighbouring words.
//! A full segment splits in two (the first ones, of small tables, grow before that); a sparse one merges with its buddy.
//! Each is a copy of at most 434 words, so there is no rehash pause; only a split asks the caller for the hashes of its
//! entries. Doubling and halving the directory copies 8 bytes per segment. Measured: 13.5 to 19 bytes per entry at every
//! size from 100 thousand entries on, 16 in the mean.
//!
//! Everything is in *hash order*: segments by the top bits, a segment's buckets by the 16 bits that follow (the tag).
//! That is what makes `scan` (`table_scan.rs`) a walk over the hashes themselves, whatever the table's shape.
//!
//! Bits of the hash used: 63..32, then 15..0. Bits 31..16 choose the shard and are alike for all keys of one table.
//!
//! Invariants: `directory.len()` is `1 << depth`, or 0 when the table is empty; the words of a segment of depth `d` are
//! the `1 << (depth - d)` neighbours whose index has its prefix. The table's owner is one thread; it may be sent.

use std::ptr::NonNull;

use crate::stdx::limits::{TABLE_DEPTH_MAX, TABLE_DIRECTORY_SPARSENESS_MAX};

#[path = "table_scan.rs"]
mod scan;
#[path = "table_segment.rs"]
mod segment;
#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

use segment::{BUCKET_SLOTS, BUCKETS_MAX, Segment, SegmentWord, Slot, TAG_BITS, prefetch};

/// Bits of a hash that place an entry: its segment's prefix and its tag.
const POSITION_BITS: u32 = TABLE_DEPTH_MAX + TAG_BITS;

/// How full the segments that come out of a split or a merge are at the most, in percent; they split at about 90.
const FILL_PERCENT: usize = 80;

/// How full a segment is at the most when it has shrunk, in percent. It grows when it is full.
const FILL_SHRUNK_PERCENT: usize = 50;

/// Buddies with at most this many entries together merge: so many that two sparse ones nearly always do, so few that a
/// segment that has merged does not split again soon.
const MERGE_LEN_MAX: usize = BUCKETS_MAX * BUCKET_SLOTS * 76 / 100;

/// How many entries ahead a walk asks for cache lines: as many as a core can wait for at once.
const ENTRIES_AHEAD: usize = 16;

/// Directories of at most this many words are halved as soon as they can be.
const DIRECTORY_SMALL_LEN: usize = 16;

/// A table of untyped pointers by hash. Keys are the caller's business: it compares them and knows their hashes.
#[derive(Default)]
pub struct Table {
    directory: Vec<SegmentWord>,
    depth: u32,
    len: usize,
    segments: usize,
    /// Segments whose depth is the directory's.
    segments_deepest: usize,
    segments_bytes: usize,
}

/// Asks for a cache line, whatever the address.
#[inline(always)]
pub fn prefetch_line(address: *const u8) {
    prefetch(address);
}

/// The hash bits that place an entry, from the top.
#[inline]
fn placing_bits(hash: u64) -> u64 {
    hash & 0xFFFF_FFFF_0000_0000 | (hash & 0xFFFF) << 16
}

/// The tag that an entry has in a segment of this depth.
#[inline]
fn tag_at(hash: u64, depth: u32) -> u16 {
    (placing_bits(hash) << depth >> (u64::BITS - TAG_BITS)) as u16
}

impl Table {
    /// An empty table, which has allocated nothing.
    pub const fn new() -> Table {
        Table {
            directory: Vec::new(),
            depth: 0,
            len: 0,
            segments: 0,
            segments_deepest: 0,
            segments_bytes: 0,
        }
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the heap that the directory and the segments take, the allocator's alignment slack included.
    pub fn memory_bytes(&self) -> usize {
        self.directory.capacity() * size_of::<SegmentWord>() + self.segments_bytes
    }

    /// Where [`Table::scan`] meets an entry with this hash: by cursors up to this one it was not, by greater ones it was.
    #[inline]
    pub fn position(hash: u64) -> u64 {
        placing_bits(hash) >> (u64::BITS - POSITION_BITS)
    }

    #[inline]
    fn index(&self, hash: u64) -> usize {
        (hash >> 1 >> (u64::BITS - 1 - self.depth)) as usize
    }

    /// The directory word for a hash; none when the table is empty.
    #[inline]
    fn word(&self, hash: u64) -> Option<SegmentWord> {
        self.directory.get(self.index(hash)).copied()
    }

    #[inline]
    fn segment(&self, word: SegmentWord) -> &Segment {
        // SAFETY: words are only taken from the directory, all of whose segments are alive; `&self` keeps them unchanged.
        unsafe { word.segment() }
    }

    #[inline]
    fn segment_mut(&mut self, word: SegmentWord) -> &mut Segment {
        // SAFETY: words are only taken from the directory, all of whose segments are alive; `&mut self` makes us the only user.
        unsafe { word.segment_mut() }
    }

    /// Asks for the cache line where [`Table::find`] will look first. Reads only the directory.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if let Some(word) = self.word(hash) {
            prefetch(word.home_address(tag_at(hash, word.depth())));
        }
    }

    /// As [`Table::prefetch_bucket`], for what [`Table::remove`] will look at: it changes the segment's header too.
    #[inline]
    pub fn prefetch_removal(&self, hash: u64) {
        if let Some(word) = self.word(hash) {
            prefetch(word.header_address());
            prefetch(word.home_address(tag_at(hash, word.depth())));
        }
    }

    /// Asks for the first cache line of the entry that [`Table::find`] will compare first: nearly always the right one,
    /// as one in a hundred has the tag of another. Call it some time after [`Table::prefetch_bucket`].
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) -> Option<NonNull<u8>> {
        let candidate = self.find(hash, |_| true)?;
        prefetch(candidate.as_ptr());
        Some(candidate)
    }

    /// The entry with this hash that `eq` accepts. `eq` sees few others: one in a hundred calls of `find`.
    #[inline]
    pub fn find(&self, hash: u64, mut eq: impl FnMut(NonNull<u8>) -> bool) -> Option<NonNull<u8>> {
        let word = self.word(hash)?;
        self.segment(word).find(tag_at(hash, word.depth()), &mut eq)
    }

    /// Adds an entry whose key is known to be absent. `rehash` gives the hash of an entry of the table, this or another.
    pub fn insert(&mut self, hash: u64, entry: NonNull<u8>, rehash: impl Fn(NonNull<u8>) -> u64) {
        if self.directory.is_empty() {
            let segment = self.account(Segment::new(1));
            self.directory = vec![SegmentWord::new(segment, 0)];
            self.segments = 1;
            self.segments_deepest = 1;
        }
        // Each round makes the segment larger or deeper, and both have an end.
        loop {
            let index = self.index(hash);
            let word = self.directory[index];
            let slot = Slot::new(tag_at(hash, word.depth()), entry);
            if self.segment_mut(word).place(slot) {
                break;
            }
            if !self.make_room(index, &rehash) {
                self.insert_overflow(word, slot);
                break;
            }
        }
        self.len += 1;
    }

    #[cold]
    fn insert_overflow(&mut self, word: SegmentWord, slot: Slot) {
        let segment = self.segment_mut(word);
        let bytes_before = segment.memory_bytes();
        segment.push_overflow(slot);
        let bytes = segment.memory_bytes();
        self.segments_bytes += bytes - bytes_before;
    }

    /// Puts `new` in the place of `old`, whose key (and so whose hash) is the same.
    ///
    /// # Panics
    /// When `old` is not in the table under this hash, which is a bug of the caller.
    pub fn replace(&mut self, hash: u64, old: NonNull<u8>, new: NonNull<u8>) {
        let word = self.word(hash);
        let is_replaced = word.is_some_and(|word| {
            let tag = tag_at(hash, word.depth());
            self.segment_mut(word)
                .replace(Slot::new(tag, old), Slot::new(tag, new))
        });
        assert!(is_replaced, "the entry to replace is in the table");
    }

    /// Takes an entry out; false when it was not in. `rehash` as for [`Table::insert`].
    pub fn remove(
        &mut self,
        hash: u64,
        entry: NonNull<u8>,
        rehash: impl Fn(NonNull<u8>) -> u64,
    ) -> bool {
        let index = self.index(hash);
        let Some(word) = self.word(hash) else {
            return false;
        };
        let slot = Slot::new(tag_at(hash, word.depth()), entry);
        let segment = self.segment_mut(word);
        let bytes_before = segment.memory_bytes();
        if !segment.remove(slot) {
            return false;
        }
        // Merging needs no hashes: the tags hold all the bits. So this only checks what the caller says.
        debug_assert_eq!(placing_bits(rehash(entry)), placing_bits(hash));
        let is_sparse = segment.is_sparse();
        let bytes = segment.memory_bytes();
        self.segments_bytes -= bytes_before - bytes;
        self.len -= 1;
        if self.len == 0 {
            self.clear();
        } else if is_sparse {
            self.shrink(index);
        }
        true
    }

    /// All entries, segment by segment in hash order. Asks for the entries' cache lines some entries ahead.
    pub fn entries(&self) -> impl Iterator<Item = NonNull<u8>> {
        let mut index = 0;
        let words = std::iter::from_fn(move || {
            let &word = self.directory.get(index)?;
            index += self.alias_count(word);
            Some(word)
        });
        words.flat_map(|word| {
            let segment = self.segment(word);
            let mut ahead = segment.slots().skip(ENTRIES_AHEAD);
            segment.slots().map(move |slot| {
                if let Some(ahead) = ahead.next() {
                    prefetch(ahead.entry().as_ptr());
                }
                slot.entry()
            })
        })
    }

    /// Takes all entries of one segment out, at most 434 if their hashes differ; false when none are left in the table afterwards.
    /// To free a large table in slices, without calling for hashes.
    pub fn drain_segment(&mut self, mut emit: impl FnMut(NonNull<u8>)) -> bool {
        let Some(mut index) = self.directory.len().checked_sub(1) else {
            return false;
        };
        // Go down to a segment whose buddy is as deep as itself, so that the buddy can take its place.
        loop {
            let word = self.directory[index];
            if word.depth() == 0 || self.directory[self.buddy_index(index)].depth() == word.depth()
            {
                break;
            }
            index = self.buddy_index(index);
        }
        let word = self.directory[index];
        let drained = self
            .segment(word)
            .slots()
            .inspect(|slot| emit(slot.entry()))
            .count();
        self.len -= drained;
        if self.len == 0 {
            self.clear();
            return false;
        }
        let buddy = self.directory[self.buddy_index(index)];
        let is_upper = self.is_upper(index);
        let slots: Vec<Slot> = self
            .segment(buddy)
            .slots()
            .map(|slot| merged(slot, !is_upper))
            .collect();
        self.put_merged(index, &slots);
        true
    }

    /// Frees everything but the entries.
    fn clear(&mut self) {
        let mut index = 0;
        while let Some(&word) = self.directory.get(index) {
            index += self.alias_count(word);
            // SAFETY: each segment is met once, at its first word, and the words are dropped below.
            drop(unsafe { word.into_box() });
        }
        self.directory = Vec::new();
        self.depth = 0;
        self.len = 0;
        self.segments = 0;
        self.segments_deepest = 0;
        self.segments_bytes = 0;
    }

    fn account(&mut self, segment: Box<Segment>) -> Box<Segment> {
        self.segments_bytes += segment.memory_bytes();
        segment
    }

    /// Words that point to the same segment.
    fn alias_count(&self, word: SegmentWord) -> usize {
        1 << (self.depth - word.depth())
    }

    /// A word of the other half of what would be the segment's parent: the segment of that half, if it has not split.
    fn buddy_index(&self, index: usize) -> usize {
        index ^ self.alias_count(self.directory[index])
    }

    /// Whether the segment at `index` is the upper of two buddies.
    fn is_upper(&self, index: usize) -> bool {
        index & self.alias_count(self.directory[index]) != 0
    }

    /// Lets `count` neighbouring words, among them `index`, point to `segment`.
    fn point_to(&mut self, index: usize, count: usize, segment: Box<Segment>, depth: u32) {
        let word = SegmentWord::new(self.account(segment), depth);
        let first = index & !(count - 1);
        self.directory[first..first + count].fill(word);
    }

    /// Frees a segment to which the directory no longer points.
    fn free(&mut self, word: SegmentWord) {
        // SAFETY: the callers have replaced all its words, and use this one no more.
        let segment = unsafe { word.into_box() };
        self.segments_bytes -= segment.memory_bytes();
    }

    /// Grows or splits the segment at `index`; false when that would not help.
    #[cold]
    fn make_room(&mut self, index: usize, rehash: &impl Fn(NonNull<u8>) -> u64) -> bool {
        let word = self.directory[index];
        if !self.segment(word).is_worth_growing() {
            return false;
        }
        if word.buckets() < BUCKETS_MAX {
            self.resize(index, Segment::next_size(word.buckets()));
            return true;
        }
        if word.depth() == TABLE_DEPTH_MAX {
            return false;
        }
        let mut index = index;
        if word.depth() == self.depth {
            if self.directory.len() * 2 > TABLE_DIRECTORY_SPARSENESS_MAX * self.segments {
                return false;
            }
            self.double_directory();
            index *= 2;
        }
        self.split(index, rehash);
        true
    }

    fn resize(&mut self, index: usize, buckets: usize) {
        let word = self.directory[index];
        let slots: Vec<Slot> = self.segment(word).slots().collect();
        self.point_to(
            index,
            self.alias_count(word),
            Segment::build(&slots, buckets),
            word.depth(),
        );
        self.free(word);
    }

    fn split(&mut self, index: usize, rehash: &impl Fn(NonNull<u8>) -> u64) {
        let word = self.directory[index];
        let depth = word.depth() + 1;
        let slots: Vec<Slot> = self.segment(word).slots().collect();
        let mut halves = [
            Vec::with_capacity(slots.len()),
            Vec::with_capacity(slots.len()),
        ];
        for (position, slot) in slots.iter().enumerate() {
            if let Some(ahead) = slots.get(position + ENTRIES_AHEAD) {
                prefetch(ahead.entry().as_ptr());
            }
            let hash = rehash(slot.entry());
            debug_assert_eq!(tag_at(hash, word.depth()), slot.tag());
            halves[usize::from(slot.tag() >> (TAG_BITS - 1))]
                .push(slot.with_tag(tag_at(hash, depth)));
        }
        let count = self.alias_count(word) / 2;
        let first = index & !(2 * count - 1);
        for (half, slots) in halves.iter().enumerate() {
            let buckets = Segment::size_for(slots.len(), FILL_PERCENT);
            self.point_to(
                first + half * count,
                count,
                Segment::build(slots, buckets),
                depth,
            );
        }
        self.free(word);
        self.segments += 1;
        if depth == self.depth {
            self.segments_deepest += 2;
        }
    }

    fn double_directory(&mut self) {
        let mut directory = Vec::with_capacity(self.directory.len() * 2);
        directory.extend(self.directory.iter().flat_map(|&word| [word, word]));
        self.directory = directory;
        self.depth += 1;
        self.segments_deepest = 0;
    }

    /// Makes a sparse segment one with its buddy, or else smaller.
    fn shrink(&mut self, index: usize) {
        let word = self.directory[index];
        let len = self.segment(word).len();
        if word.depth() > 0 {
            let buddy = self.directory[self.buddy_index(index)];
            if buddy.depth() == word.depth() && len + self.segment(buddy).len() <= MERGE_LEN_MAX {
                return self.merge(index);
            }
        }
        let buckets = Segment::size_for(len, FILL_SHRUNK_PERCENT);
        if buckets < word.buckets() {
            self.resize(index, buckets);
        }
    }

    fn merge(&mut self, index: usize) {
        let mut slots = Vec::with_capacity(MERGE_LEN_MAX);
        for index in [index, self.buddy_index(index)] {
            let is_upper = self.is_upper(index);
            slots.extend(
                self.segment(self.directory[index])
                    .slots()
                    .map(|slot| merged(slot, is_upper)),
            );
        }
        self.put_merged(index, &slots);
    }

    /// Replaces the segment at `index` and its buddy by one with `slots`.
    fn put_merged(&mut self, index: usize, slots: &[Slot]) {
        let word = self.directory[index];
        let buddy = self.directory[self.buddy_index(index)];
        debug_assert_eq!(word.depth(), buddy.depth());
        let buckets = Segment::size_for(slots.len(), FILL_PERCENT);
        self.point_to(
            index,
            self.alias_count(word) * 2,
            Segment::build(slots, buckets),
            word.depth() - 1,
        );
        self.free(word);
        self.free(buddy);
        self.segments -= 1;
        if word.depth() == self.depth {
            self.segments_deepest -= 2;
        }
        self.halve_directory();
    }

    /// Halves the directory when no segment needs all of it, and so few need half that it will not soon double again.
    fn halve_directory(&mut self) {
        let is_sparse = self.segments * 4 <= self.directory.len()
            || self.directory.len() <= DIRECTORY_SMALL_LEN;
        if self.segments_deepest > 0 || !is_sparse || self.depth == 0 {
            return;
        }
        let halved: Vec<SegmentWord> = self.directory.iter().copied().step_by(2).collect();
        self.depth -= 1;
        self.segments_deepest = halved
            .iter()
            .filter(|word| word.depth() == self.depth)
            .count();
        self.directory = halved;
    }
}

/// A slot as it is in its segment's parent: the bit that told the halves apart comes back to the tag.
fn merged(slot: Slot, is_upper: bool) -> Slot {
    slot.with_tag(slot.tag() >> 1 | u16::from(is_upper) << (TAG_BITS - 1))
}

impl Drop for Table {
    fn drop(&mut self) {
        self.clear();
    }
}
