//! One segment of the keyspace's hash table: a small open-addressed array of cache lines.
//!
//! A segment covers the hashes that share its first `depth` bits. Each entry is one [`Slot`]: its pointer and a *tag*,
//! the 16 hash bits that follow the segment's prefix. The home bucket is the tag scaled to the number of buckets, so
//! buckets are in hash order, any number of buckets will do, and a segment changes size without looking at an entry.
//!
//! Invariants: a bucket's slots `0..count` are filled, the rest are not read; an entry whose home bucket is `b` lies in
//! `b..=b + reach(b)` (wrapping round the end), or in the segment's overflow if `b` has the overflow mark; the marks are exact.
//! Only `table.rs` and its other files use this, on the thread that owns the table.

use std::alloc::{Layout, alloc_zeroed, handle_alloc_error};
use std::ptr::{self, NonNull};

/// Slots of a bucket: with the bucket's marks they fill one cache line.
pub(super) const BUCKET_SLOTS: usize = 7;

/// Bits of a tag.
pub(super) const TAG_BITS: u32 = 16;

/// How many buckets after its home an entry may lie. Seven lets a segment fill to nine tenths before it has to split
/// (three: to eight tenths, and finds are no faster).
const REACH_MAX: usize = 7;

/// Bytes of a cache line, the unit of a segment's memory.
const LINE_BYTES: usize = 64;

/// The bucket counts a segment can have. With the header line and the line that the allocator loses to the alignment
/// they fill mimalloc's size classes. Segments of a large table all have the largest size: with finer steps up to it the
/// table proper took a fifth less, but the process did not (holes of the sizes left behind), and insertions took half more.
const SIZES: [usize; 7] = [1, 2, 4, 8, 14, 30, 62];

/// The most buckets a segment has; beyond it splits.
pub(super) const BUCKETS_MAX: usize = SIZES[SIZES.len() - 1];

const POINTER_BITS: u32 = 48;
const POINTER_MASK: u64 = (1 << POINTER_BITS) - 1;

/// An entry's pointer in the low 48 bits, its tag in the high 16.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot(u64);

impl Slot {
    pub(super) fn new(tag: u16, entry: NonNull<u8>) -> Slot {
        let address = entry.as_ptr().expose_provenance() as u64;
        assert!(
            address <= POINTER_MASK,
            "an entry's address has at most 48 bits"
        );
        Slot(u64::from(tag) << POINTER_BITS | address)
    }

    #[inline]
    pub(super) fn tag(self) -> u16 {
        (self.0 >> POINTER_BITS) as u16
    }

    #[inline]
    pub(super) fn entry(self) -> NonNull<u8> {
        let pointer = ptr::with_exposed_provenance_mut((self.0 & POINTER_MASK) as usize);
        // SAFETY: a slot is only made from a `NonNull` whose address fits the mask (`new`), and unfilled slots are never read.
        unsafe { NonNull::new_unchecked(pointer) }
    }

    /// The same entry seen from another depth.
    pub(super) fn with_tag(self, tag: u16) -> Slot {
        Slot(self.0 & POINTER_MASK | u64::from(tag) << POINTER_BITS)
    }
}

/// One cache line: seven slots, and a word of marks that holds (from its low end) the low byte of each slot's tag,
/// three bits count, four bits reach, one bit overflow.
#[repr(C, align(64))]
pub(super) struct Bucket {
    marks: u64,
    slots: [Slot; BUCKET_SLOTS],
}

const COUNT_SHIFT: u32 = 56;
const REACH_SHIFT: u32 = 59;
const OVERFLOW_SHIFT: u32 = 63;
const EVERY_BYTE: u64 = 0x0101_0101_0101_0101;

impl Bucket {
    #[inline]
    fn count(&self) -> usize {
        (self.marks >> COUNT_SHIFT & 7) as usize
    }

    #[inline]
    fn reach(&self) -> usize {
        (self.marks >> REACH_SHIFT & 15) as usize
    }

    fn set_reach(&mut self, reach: usize) {
        self.marks = self.marks & !(15 << REACH_SHIFT) | (reach as u64) << REACH_SHIFT;
    }

    #[inline]
    fn overflows(&self) -> bool {
        self.marks >> OVERFLOW_SHIFT != 0
    }

    fn set_overflows(&mut self, overflows: bool) {
        self.marks = self.marks & !(1 << OVERFLOW_SHIFT) | u64::from(overflows) << OVERFLOW_SHIFT;
    }

    /// Whether entries of this home bucket lie anywhere else.
    #[inline]
    fn spills(&self) -> bool {
        self.marks >> REACH_SHIFT != 0
    }

    #[inline]
    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots[..self.count()]
    }

    /// The first entry here with this tag that `eq` accepts. Compares all seven low tag bytes at once.
    #[inline]
    fn find(&self, tag: u16, eq: &mut impl FnMut(NonNull<u8>) -> bool) -> Option<NonNull<u8>> {
        let differences = self.marks ^ (EVERY_BYTE * u64::from(tag & 0xFF));
        // The top bit of each byte that is zero; a byte above a zero byte may be marked too, hence the second look below.
        let zeros = differences.wrapping_sub(EVERY_BYTE) & !differences & (EVERY_BYTE << 7);
        let mut candidates = zeros & ((1 << (self.count() * 8)) - 1);
        while candidates != 0 {
            let slot = self.slots[(candidates.trailing_zeros() / 8) as usize % BUCKET_SLOTS];
            if slot.tag() == tag && eq(slot.entry()) {
                return Some(slot.entry());
            }
            candidates &= candidates - 1;
        }
        None
    }

    fn set(&mut self, position: usize, slot: Slot) {
        let shift = position * 8;
        self.marks = self.marks & !(0xFF << shift) | u64::from(slot.tag() & 0xFF) << shift;
        self.slots[position] = slot;
    }

    fn push(&mut self, slot: Slot) -> bool {
        let count = self.count();
        if count == BUCKET_SLOTS {
            return false;
        }
        self.set(count, slot);
        self.marks += 1 << COUNT_SHIFT;
        true
    }

    fn remove(&mut self, position: usize) {
        let last = self.count() - 1;
        self.set(position, self.slots[last]);
        self.marks -= 1 << COUNT_SHIFT;
    }
}

/// Where an entry lies in its segment.
enum Place {
    Bucket { distance: usize, position: usize },
    Overflow { position: usize },
}

/// A header line and the buckets.
#[repr(C, align(64))]
pub(super) struct Segment {
    len: usize,
    /// Entries that found no place in reach of their home while growing would not have helped: equal hashes, in practice.
    overflow: Vec<Slot>,
    buckets: [Bucket],
}

impl Segment {
    /// An empty segment of `buckets` buckets, one of [`SIZES`].
    pub(super) fn new(buckets: usize) -> Box<Segment> {
        debug_assert!(SIZES.contains(&buckets));
        const { assert!(size_of::<Bucket>() == LINE_BYTES) };
        let layout = Layout::from_size_align((1 + buckets) * LINE_BYTES, LINE_BYTES)
            .expect("at most 63 lines");
        // SAFETY: the layout's size is not zero.
        let base = unsafe { alloc_zeroed(layout) };
        if base.is_null() {
            handle_alloc_error(layout);
        }
        let segment = ptr::slice_from_raw_parts_mut(base, buckets) as *mut Segment;
        // SAFETY: `base` is valid for `layout`, which is the layout of a `Segment` of so many buckets: the header's three
        // words of overflow and one of length lie in the first line, the buckets from the second. All zeros is a valid
        // length and a valid bucket; the `Vec` is written before the box is made. Both came from the global allocator.
        unsafe {
            (&raw mut (*segment).overflow).write(Vec::new());
            let segment = Box::from_raw(segment);
            debug_assert_eq!(Layout::for_value(&*segment), layout);
            segment
        }
    }

    /// The smallest number of buckets that `len` entries fill to no more than `percent`.
    pub(super) fn size_for(len: usize, percent: usize) -> usize {
        SIZES
            .into_iter()
            .find(|size| size * BUCKET_SLOTS * percent >= len * 100)
            .unwrap_or(BUCKETS_MAX)
    }

    /// The number of buckets a segment of `buckets` grows to.
    pub(super) fn next_size(buckets: usize) -> usize {
        SIZES
            .into_iter()
            .find(|&size| size > buckets)
            .unwrap_or(BUCKETS_MAX)
    }

    /// A segment that holds `slots`, of the first size from `buckets_min` on where all find a place.
    pub(super) fn build(slots: &[Slot], buckets_min: usize) -> Box<Segment> {
        let mut buckets = buckets_min;
        loop {
            let mut segment = Segment::new(buckets);
            for &slot in slots {
                if !segment.place(slot) {
                    segment.push_overflow(slot);
                }
            }
            if segment.overflow.is_empty() || buckets == BUCKETS_MAX || !segment.is_worth_growing()
            {
                return segment;
            }
            buckets = Segment::next_size(buckets);
        }
    }

    /// Entries, overflow included.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn buckets(&self) -> usize {
        self.buckets.len()
    }

    /// Bytes this takes of the heap, with the line that the allocator loses to the alignment.
    pub(super) fn memory_bytes(&self) -> usize {
        (2 + self.buckets.len()) * LINE_BYTES + self.overflow.capacity() * size_of::<Slot>()
    }

    /// False when the buckets are so empty that only entries of (nearly) equal hashes can have found no place.
    pub(super) fn is_worth_growing(&self) -> bool {
        (self.len - self.overflow.len()) * 2 >= self.buckets.len() * BUCKET_SLOTS
    }

    /// Whether the segment should merge or become smaller: it is less than two fifths full, a little less than the halves
    /// of a split are.
    pub(super) fn is_sparse(&self) -> bool {
        self.len * 5 < self.buckets.len() * BUCKET_SLOTS * 2
    }

    /// The home bucket of a tag.
    #[inline]
    pub(super) fn home(&self, tag: u16) -> usize {
        (usize::from(tag) * self.buckets.len()) >> TAG_BITS
    }

    /// The first tag whose home is after that of `tag`; `1 << TAG_BITS` when that is the last bucket.
    pub(super) fn tags_end(&self, tag: u16) -> u32 {
        (((self.home(tag) + 1) << TAG_BITS).div_ceil(self.buckets.len())) as u32
    }

    #[inline]
    pub(super) fn bucket(&self, index: usize) -> &Bucket {
        &self.buckets[index]
    }

    /// The bucket `distance` after `home`, round the end.
    #[inline]
    fn index_at(&self, home: usize, distance: usize) -> usize {
        let index = home + distance;
        if index < self.buckets.len() {
            index
        } else {
            index - self.buckets.len()
        }
    }

    /// The entry with this tag that `eq` accepts.
    #[inline]
    pub(super) fn find(
        &self,
        tag: u16,
        eq: &mut impl FnMut(NonNull<u8>) -> bool,
    ) -> Option<NonNull<u8>> {
        let home = self.home(tag);
        let bucket = &self.buckets[home];
        match bucket.find(tag, eq) {
            None if bucket.spills() => self.find_spilled(home, tag, eq),
            found => found,
        }
    }

    fn find_spilled(
        &self,
        home: usize,
        tag: u16,
        eq: &mut impl FnMut(NonNull<u8>) -> bool,
    ) -> Option<NonNull<u8>> {
        let bucket = &self.buckets[home];
        for distance in 1..=bucket.reach() {
            let found = self.buckets[self.index_at(home, distance)].find(tag, eq);
            if found.is_some() {
                return found;
            }
        }
        if !bucket.overflows() {
            return None;
        }
        self.overflow
            .iter()
            .find(|slot| slot.tag() == tag && eq(slot.entry()))
            .map(|slot| slot.entry())
    }

    /// Puts an entry into its home bucket or one in reach; false when all are full.
    pub(super) fn place(&mut self, slot: Slot) -> bool {
        let home = self.home(slot.tag());
        for distance in 0..=REACH_MAX.min(self.buckets.len() - 1) {
            let index = self.index_at(home, distance);
            if self.buckets[index].push(slot) {
                if distance > self.buckets[home].reach() {
                    self.buckets[home].set_reach(distance);
                }
                self.len += 1;
                return true;
            }
        }
        false
    }

    /// Puts an entry that has no place into the overflow.
    pub(super) fn push_overflow(&mut self, slot: Slot) {
        self.overflow.push(slot);
        self.len += 1;
        let home = self.home(slot.tag());
        self.buckets[home].set_overflows(true);
    }

    fn locate(&self, slot: Slot) -> Option<Place> {
        let home = self.home(slot.tag());
        for distance in 0..=self.buckets[home].reach() {
            let bucket = &self.buckets[self.index_at(home, distance)];
            if let Some(position) = bucket.slots().iter().position(|&other| other == slot) {
                return Some(Place::Bucket { distance, position });
            }
        }
        if !self.buckets[home].overflows() {
            return None;
        }
        let position = self.overflow.iter().position(|&other| other == slot)?;
        Some(Place::Overflow { position })
    }

    /// Takes `slot` out; false when it is not here.
    pub(super) fn remove(&mut self, slot: Slot) -> bool {
        let home = self.home(slot.tag());
        match self.locate(slot) {
            None => return false,
            Some(Place::Bucket { distance, position }) => {
                let index = self.index_at(home, distance);
                self.buckets[index].remove(position);
                if distance > 0 && distance == self.buckets[home].reach() {
                    let reach = self.reach_found(home, distance);
                    self.buckets[home].set_reach(reach);
                }
            }
            Some(Place::Overflow { position }) => {
                self.overflow.swap_remove(position);
                if self.overflow.len() < self.overflow.capacity() / 4 {
                    self.overflow.shrink_to(self.overflow.len() * 2);
                }
                let overflows = self
                    .overflow
                    .iter()
                    .any(|other| self.home(other.tag()) == home);
                self.buckets[home].set_overflows(overflows);
            }
        }
        self.len -= 1;
        true
    }

    /// How far from `home` its entries really lie, at most `reach`.
    fn reach_found(&self, home: usize, reach: usize) -> usize {
        let is_of_home = |slot: &Slot| self.home(slot.tag()) == home;
        let holds_one = |&distance: &usize| {
            self.buckets[self.index_at(home, distance)]
                .slots()
                .iter()
                .any(is_of_home)
        };
        (1..=reach).rev().find(holds_one).unwrap_or(0)
    }

    /// Puts `new` where `old` is, of the same tag; false when `old` is not here.
    pub(super) fn replace(&mut self, old: Slot, new: Slot) -> bool {
        let home = self.home(old.tag());
        match self.locate(old) {
            None => return false,
            Some(Place::Bucket { distance, position }) => {
                let index = self.index_at(home, distance);
                self.buckets[index].set(position, new);
            }
            Some(Place::Overflow { position }) => self.overflow[position] = new,
        }
        true
    }

    /// Every entry, in the order of the buckets they lie in, then the overflow.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.buckets
            .iter()
            .flat_map(Bucket::slots)
            .chain(&self.overflow)
            .copied()
    }

    /// The entries of the home bucket of `tag_min` whose tag is at least that, wherever they lie.
    pub(super) fn slots_of_home(&self, tag_min: u16) -> impl Iterator<Item = Slot> {
        let home = self.home(tag_min);
        let bucket = &self.buckets[home];
        let tags = u32::from(tag_min)..self.tags_end(tag_min);
        let overflow = if bucket.overflows() {
            &self.overflow[..]
        } else {
            &[]
        };
        (0..=bucket.reach())
            .flat_map(move |distance| self.buckets[self.index_at(home, distance)].slots())
            .chain(overflow)
            .copied()
            .filter(move |slot| tags.contains(&u32::from(slot.tag())))
    }
}

/// A directory word: a segment's address (a multiple of 64) with the segment's depth in the six low bits and its number
/// of buckets in the sixteen high ones, so that the address of the home bucket follows from one load.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentWord(u64);

impl SegmentWord {
    /// Gives the segment to the directory.
    pub(super) fn new(segment: Box<Segment>, depth: u32) -> SegmentWord {
        let buckets = segment.buckets() as u64;
        let address = Box::into_raw(segment).expose_provenance() as u64;
        assert!(address <= POINTER_MASK, "an address has at most 48 bits");
        debug_assert!(address.is_multiple_of(LINE_BYTES as u64) && (depth as usize) < LINE_BYTES);
        SegmentWord(buckets << POINTER_BITS | address | u64::from(depth))
    }

    #[inline]
    pub(super) fn depth(self) -> u32 {
        (self.0 % LINE_BYTES as u64) as u32
    }

    #[inline]
    pub(super) fn buckets(self) -> usize {
        (self.0 >> POINTER_BITS) as usize
    }

    #[inline]
    fn pointer(self) -> *mut Segment {
        let address = self.0 & POINTER_MASK & !(LINE_BYTES as u64 - 1);
        ptr::slice_from_raw_parts_mut(
            ptr::with_exposed_provenance_mut::<u8>(address as usize),
            self.buckets(),
        ) as *mut Segment
    }

    /// What tells segments apart.
    #[cfg(test)]
    pub(super) fn segment_address(self) -> usize {
        self.pointer().addr()
    }

    /// # Safety
    /// The segment is in the directory, and nobody changes it during `'a`.
    #[inline]
    pub(super) unsafe fn segment<'a>(self) -> &'a Segment {
        // SAFETY: the word was made from a box of this address and length, and the caller vouches for the rest.
        unsafe { &*self.pointer() }
    }

    /// # Safety
    /// The segment is in the directory, and nobody else looks at it during `'a`.
    #[inline]
    pub(super) unsafe fn segment_mut<'a>(self) -> &'a mut Segment {
        // SAFETY: the word was made from a box of this address and length, and the caller vouches for the rest.
        unsafe { &mut *self.pointer() }
    }

    /// Takes the segment back.
    ///
    /// # Safety
    /// The segment has not been taken back before, and no word for it is used afterwards.
    pub(super) unsafe fn into_box(self) -> Box<Segment> {
        // SAFETY: the word was made from a box of this address and length, and the caller vouches for the rest.
        unsafe { Box::from_raw(self.pointer()) }
    }

    /// The address of the segment's header, for a prefetch: reads no memory.
    #[inline]
    pub(super) fn header_address(self) -> *const u8 {
        self.pointer().cast_const().cast()
    }

    /// The address of the tag's home bucket, for a prefetch: reads no memory.
    #[inline]
    pub(super) fn home_address(self, tag: u16) -> *const u8 {
        let home = (usize::from(tag) * self.buckets()) >> TAG_BITS;
        self.pointer()
            .cast::<u8>()
            .cast_const()
            .wrapping_add((1 + home) * LINE_BYTES)
    }
}

/// Asks for the cache line at `address`, which may be any address.
#[inline(always)]
pub(super) fn prefetch(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address has no effect but on the cache; SSE is part of x86_64.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: `prfm` of any address has no effect but on the cache.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{}]", in(reg) address, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}
#[cfg(test)]
impl Segment {
    /// Panics unless the marks of all buckets and the length are exact. `tag_of` is what an entry's tag should be.
    pub(super) fn check(&self, tag_of: impl Fn(NonNull<u8>) -> u16) {
        assert_eq!(self.len, self.slots().count());
        assert!(self.slots().all(|slot| slot.tag() == tag_of(slot.entry())));
        for (home, bucket) in self.buckets.iter().enumerate() {
            for (position, slot) in bucket.slots().iter().enumerate() {
                assert_eq!(
                    bucket.marks >> (position * 8) & 0xFF,
                    u64::from(slot.tag() & 0xFF)
                );
            }
            assert_eq!(
                bucket.reach(),
                self.reach_found(home, self.buckets.len().min(REACH_MAX + 1) - 1)
            );
            assert_eq!(
                bucket.overflows(),
                self.overflow
                    .iter()
                    .any(|slot| self.home(slot.tag()) == home)
            );
        }
        for (index, bucket) in self.buckets.iter().enumerate() {
            for slot in bucket.slots() {
                let home = self.home(slot.tag());
                let distance = (index + self.buckets.len() - home) % self.buckets.len();
                assert!(distance <= self.buckets[home].reach());
            }
        }
    }
}
