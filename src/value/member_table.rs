//! `MemberTable`: a hash table of members, each with an optional payload; what large sets, hashes and sorted sets are made of.
//!
//! The table itself (`table.rs`) holds pointers; each is one allocation of this file:
//!
//! ```text
//! varint: length of the member * 2, + 1 when there is a payload
//! varint: length of the payload, when there is one
//! member bytes, payload bytes
//! ```
//!
//! A varint has seven bits per byte, lowest first, the top bit set on all but the last. So a set's member of up to 63 bytes
//! costs one byte on top of itself. A payload has no alignment: read numbers with `from_le_bytes`.
//!
//! Invariants: every pointer in the table is a live allocation of `layout` of its content, belongs to this table alone, and
//! lies under the hash of its member; `members_bytes` is the sum of their sizes. Nothing stalls as it grows or shrinks: at
//! most one segment is rebuilt per change. Called by the collection types.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::NonNull;

use super::member_hash;
use super::object::ALLOCATIONS_PER_SLICE;
use super::table::{Table, prefetch_line};

/// Allocations are multiples of this, the allocator's own granularity, so nothing is lost by rounding.
const GRAIN_BYTES: usize = 16;

/// Members from which on it is worth while to ask for cache lines ahead.
const PREFETCHED_LEN_MIN: usize = 2048;

const LINE_BYTES: usize = 64;

/// Bytes of the longest varint.
const VARINT_BYTES_MAX: usize = 10;

/// See the file's head.
#[derive(Default)]
pub struct MemberTable {
    table: Table,
    members_bytes: usize,
}

/// A member that was taken out of its table.
pub struct OwnedMember {
    at: NonNull<u8>,
}

// SAFETY: the allocation belongs to this value alone, and may be read and freed by any thread.
unsafe impl Send for OwnedMember {}

/// A member's place, for an order of members that is kept beside their table (sorted sets). It stays where it is until the
/// member is removed or gets a payload of another length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MemberPointer(NonNull<u8>);

// SAFETY: a pointer says nothing about who owns the allocation; whoever looks behind it (`member`) vouches for that.
unsafe impl Send for MemberPointer {}

impl MemberPointer {
    /// The member.
    ///
    /// # Safety
    /// It is in its table, where nobody changes or removes it during `'a`.
    #[inline]
    pub unsafe fn member<'a>(self) -> &'a [u8] {
        // SAFETY: by contract; what is in a table is live.
        unsafe { parts(self.0) }.0
    }
}

/// The lengths of one allocation's parts.
#[derive(Clone, Copy)]
struct Shape {
    header: usize,
    member: usize,
    payload: usize,
}

impl Shape {
    fn content(self) -> usize {
        self.header + self.member + self.payload
    }

    /// Bytes of the allocation.
    fn bytes(self) -> usize {
        self.content().next_multiple_of(GRAIN_BYTES)
    }

    fn layout(self) -> Layout {
        Layout::from_size_align(self.bytes(), 1).expect("two strings in memory are shorter than isize::MAX together")
    }
}

/// The header of an allocation, before it is written there.
struct Header {
    bytes: [u8; 2 * VARINT_BYTES_MAX],
    len: usize,
}

impl Header {
    fn of(member: usize, payload: usize) -> Header {
        let mut header = Header { bytes: [0; 2 * VARINT_BYTES_MAX], len: 0 };
        header.push((member as u64) << 1 | u64::from(payload > 0));
        if payload > 0 {
            header.push(payload as u64);
        }
        header
    }

    fn push(&mut self, mut value: u64) {
        while value > 0x7f {
            self.bytes[self.len] = value as u8 | 0x80;
            self.len += 1;
            value >>= 7;
        }
        self.bytes[self.len] = value as u8;
        self.len += 1;
    }
}

/// Reads a varint; returns it with the number of its bytes.
///
/// # Safety
/// A whole varint that `Header` wrote stands at `at`.
#[inline]
unsafe fn read_varint(at: *const u8) -> (usize, usize) {
    // SAFETY: by contract at least one byte stands here.
    let first = unsafe { *at };
    if first < 0x80 {
        return (usize::from(first), 1);
    }
    let (mut value, mut count) = (u64::from(first & 0x7f), 1);
    loop {
        // SAFETY: the byte before had its top bit set, so the varint goes on.
        let byte = unsafe { *at.add(count) };
        value |= u64::from(byte & 0x7f) << (7 * count);
        count += 1;
        if byte < 0x80 {
            return (value as usize, count);
        }
    }
}

/// # Safety
/// `at` is a live allocation of this file.
#[inline]
unsafe fn shape(at: NonNull<u8>) -> Shape {
    // SAFETY: an allocation begins with its header, which has a second varint when the first one is odd.
    unsafe {
        let (word, header) = read_varint(at.as_ptr());
        if word & 1 == 0 {
            return Shape { header, member: word >> 1, payload: 0 };
        }
        let (payload, more) = read_varint(at.as_ptr().add(header));
        Shape { header: header + more, member: word >> 1, payload }
    }
}

/// The member and the payload.
///
/// # Safety
/// `at` is a live allocation of this file, and nobody changes or frees it during `'a`.
#[inline]
unsafe fn parts<'a>(at: NonNull<u8>) -> (&'a [u8], &'a [u8]) {
    // SAFETY: the two parts lie behind the header, inside the allocation, and were written when it was made.
    unsafe {
        let shape = shape(at);
        let member = at.as_ptr().add(shape.header).cast_const();
        (
            std::slice::from_raw_parts(member, shape.member),
            std::slice::from_raw_parts(member.add(shape.member), shape.payload),
        )
    }
}

/// Makes an allocation that nobody owns yet.
fn create(member: &[u8], payload: &[u8]) -> (NonNull<u8>, Shape) {
    let header = Header::of(member.len(), payload.len());
    let shape = Shape { header: header.len, member: member.len(), payload: payload.len() };
    let at = allocate(shape);
    // SAFETY: the allocation is new, so nothing overlaps it, and as long as the three parts together.
    unsafe {
        at.as_ptr().copy_from_nonoverlapping(header.bytes.as_ptr(), header.len);
        let body = at.as_ptr().add(header.len);
        body.copy_from_nonoverlapping(member.as_ptr(), member.len());
        body.add(member.len()).copy_from_nonoverlapping(payload.as_ptr(), payload.len());
    }
    (at, shape)
}

fn allocate(shape: Shape) -> NonNull<u8> {
    let layout = shape.layout();
    // SAFETY: the size is not zero: there is a header.
    let Some(at) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
    at
}

/// Frees an allocation; returns how many bytes it had.
///
/// # Safety
/// `at` is a live allocation of this file that nobody refers to afterwards.
unsafe fn free(at: NonNull<u8>) -> usize {
    // SAFETY: by contract; the allocation was made with the layout of its shape, and `rewrite_payload` keeps that.
    unsafe {
        let shape = shape(at);
        dealloc(at.as_ptr(), shape.layout());
        shape.bytes()
    }
}

/// Replaces the payload without moving the allocation; false when it does not have the right size.
///
/// # Safety
/// `at` is a live allocation of this file that nobody else refers to; `payload` does not overlap it.
unsafe fn rewrite_payload(at: NonNull<u8>, payload: &[u8]) -> bool {
    // SAFETY: by contract.
    let old = unsafe { shape(at) };
    let header = Header::of(old.member, payload.len());
    let new = Shape { header: header.len, payload: payload.len(), ..old };
    if new.bytes() != old.bytes() {
        return false;
    }
    // SAFETY: the new content has a layout of the same size as the old one, so all three parts lie inside; the member may
    // move over itself, hence `copy`; the header is written after it, so what it overwrites was moved before.
    unsafe {
        let start = at.as_ptr();
        if new.header != old.header {
            start.add(new.header).copy_from(start.add(old.header), old.member);
        }
        start.copy_from_nonoverlapping(header.bytes.as_ptr(), header.len);
        start.add(new.header + new.member).copy_from_nonoverlapping(payload.as_ptr(), payload.len());
    }
    true
}

impl MemberTable {
    /// An empty table, which has allocated nothing.
    pub const fn new() -> MemberTable {
        MemberTable { table: Table::new(), members_bytes: 0 }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is no member.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes of the heap it takes. In constant time.
    pub fn memory_bytes(&self) -> usize {
        self.members_bytes + self.table.memory_bytes()
    }

    /// Asks for the cache line where a member will be looked for; returns the member's hash for `prefetch_member`. None for
    /// a table so small that it is in the cache anyhow.
    #[inline]
    pub fn prefetch_bucket(&self, member: &[u8]) -> Option<u64> {
        if !self.is_worth_prefetching() {
            return None;
        }
        let hash = member_hash::hash(member);
        self.table.prefetch_bucket(hash);
        Some(hash)
    }

    /// Asks for the member itself, some time after `prefetch_bucket`.
    #[inline]
    pub fn prefetch_member(&self, hash: u64) {
        if let Some(at) = self.table.prefetch_entry(hash)
            && self.members_bytes > self.len() * LINE_BYTES / 2
        {
            prefetch_line(at.as_ptr().wrapping_add(LINE_BYTES));
        }
    }

    /// Asks for the cache line of a member that will be removed by its place. Like the next one, for tables so large that it
    /// is worth while.
    #[inline]
    pub fn prefetch_pointer(&self, pointer: MemberPointer) {
        prefetch_line(pointer.0.as_ptr());
    }

    /// Asks for what `remove_at` will look at besides the member itself, some time after `prefetch_pointer`.
    ///
    /// # Safety
    /// The member is in this table.
    #[inline]
    pub unsafe fn prefetch_removal(&self, pointer: MemberPointer) {
        self.table.prefetch_removal(rehash(pointer.0));
    }

    /// Whether there are so many members that it is worth while to ask for cache lines ahead.
    #[inline]
    pub fn is_worth_prefetching(&self) -> bool {
        self.len() >= PREFETCHED_LEN_MIN
    }

    /// Whether this is a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.find(member_hash::hash(member), member).is_some()
    }

    /// The payload of a member, empty when it was given none.
    #[inline]
    pub fn get(&self, member: &[u8]) -> Option<&[u8]> {
        let at = self.find(member_hash::hash(member), member)?;
        // SAFETY: what is in the table is live, and stays as it is while `self` is borrowed.
        Some(unsafe { parts(at) }.1)
    }

    /// The payload of a member for a change in place.
    #[inline]
    pub fn get_mut(&mut self, member: &[u8]) -> Option<&mut [u8]> {
        let at = self.find(member_hash::hash(member), member)?;
        // SAFETY: what is in the table is live; the payload lies behind header and member, inside the allocation; the
        // result keeps the table borrowed, so there is no other reference.
        unsafe {
            let shape = shape(at);
            let payload = at.as_ptr().add(shape.header + shape.member);
            Some(std::slice::from_raw_parts_mut(payload, shape.payload))
        }
    }

    /// Adds a member, or replaces its payload when it is there already. True when it is new.
    pub fn insert(&mut self, member: &[u8], payload: &[u8]) -> bool {
        let hash = member_hash::hash(member);
        let Some(old) = self.find(hash, member) else {
            let (at, shape) = create(member, payload);
            self.insert_new(hash, at, shape);
            return true;
        };
        // SAFETY: what is in the table is live; `&mut self` makes us its only user, and so `payload` lies elsewhere.
        if !unsafe { rewrite_payload(old, payload) } {
            let (new, shape) = create(member, payload);
            self.table.replace(hash, old, new);
            // SAFETY: the table has just let go of it.
            self.members_bytes -= unsafe { free(old) };
            self.members_bytes += shape.bytes();
        }
        false
    }

    /// The place of a member, with its payload for a change in place.
    #[inline]
    pub fn pointer(&mut self, member: &[u8]) -> Option<(MemberPointer, &mut [u8])> {
        let at = self.find(member_hash::hash(member), member)?;
        // SAFETY: as in `get_mut`.
        let payload = unsafe {
            let shape = shape(at);
            std::slice::from_raw_parts_mut(at.as_ptr().add(shape.header + shape.member), shape.payload)
        };
        Some((MemberPointer(at), payload))
    }

    /// Adds a member that is known to be absent; gives its place.
    pub fn insert_absent(&mut self, member: &[u8], payload: &[u8]) -> MemberPointer {
        let (at, shape) = create(member, payload);
        self.insert_new(member_hash::hash(member), at, shape);
        MemberPointer(at)
    }

    /// Removes a member by its place.
    ///
    /// # Safety
    /// The member is in this table, and nobody uses the place afterwards.
    pub unsafe fn remove_at(&mut self, pointer: MemberPointer) {
        let MemberPointer(at) = pointer;
        let is_removed = self.table.remove(rehash(at), at, rehash);
        debug_assert!(is_removed, "by contract it is here");
        // SAFETY: the table has just let go of it, and by contract so has the caller.
        self.members_bytes -= unsafe { free(at) };
    }

    /// Removes a member; false when there is none.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.take(member).is_some()
    }

    /// Takes a member out, with its payload.
    pub fn take(&mut self, member: &[u8]) -> Option<OwnedMember> {
        let hash = member_hash::hash(member);
        let at = self.find(hash, member)?;
        Some(self.take_found(hash, at))
    }

    /// Takes a member out that is drawn as `random` draws it.
    pub fn take_random(&mut self, random: &mut impl FnMut() -> u64) -> Option<OwnedMember> {
        let at = self.table.random(random)?;
        Some(self.take_found(rehash(at), at))
    }

    /// Whether there is a member with this hash (`member_hash`) that `accept` accepts with its payload.
    pub fn contains_hashed(&self, hash: u64, accept: impl Fn(&[u8], &[u8]) -> bool) -> bool {
        self.find_hashed(hash, accept).is_some()
    }

    /// Takes out a member with this hash that `accept` accepts with its payload. For indexes that keep hashes, not members.
    pub fn take_hashed(&mut self, hash: u64, accept: impl Fn(&[u8], &[u8]) -> bool) -> Option<OwnedMember> {
        let at = self.find_hashed(hash, accept)?;
        Some(self.take_found(hash, at))
    }

    /// One step of a walk that began with cursor 0: shows some members with their payloads, and returns the cursor for the
    /// next step, 0 when this was the last. A member that is there throughout the walk is shown at least once.
    pub fn scan(&self, cursor: u64, mut see: impl FnMut(&[u8], &[u8])) -> u64 {
        self.table.scan(cursor, |at| {
            // SAFETY: what is in the table is live, and stays as it is while `self` is borrowed.
            let (member, payload) = unsafe { parts(at) };
            see(member, payload);
        })
    }

    /// A member drawn at random with its payload, each member as likely as the others. `random` gives 64 random bits.
    pub fn random(&self, random: &mut impl FnMut() -> u64) -> Option<(&[u8], &[u8])> {
        let at = self.table.random(random)?;
        // SAFETY: what is in the table is live, and stays as it is while `self` is borrowed.
        Some(unsafe { parts(at) })
    }

    /// All members with their payloads, in the table's order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        // SAFETY: what is in the table is live, and stays as it is while `self` is borrowed.
        self.table.entries().map(|at| unsafe { parts(at) })
    }

    /// Frees about `ALLOCATIONS_PER_SLICE` members of a table that nobody will look at again; false when few are left.
    pub fn free_slice(&mut self) -> bool {
        let enough = self.len().saturating_sub(ALLOCATIONS_PER_SLICE);
        let mut bytes = 0;
        while self.table.len() > enough {
            // SAFETY: the table lets go of what it hands out here.
            self.table.drain_segment(|at| bytes += unsafe { free(at) });
        }
        self.members_bytes -= bytes;
        self.len() > ALLOCATIONS_PER_SLICE
    }

    #[inline]
    fn find(&self, hash: u64, member: &[u8]) -> Option<NonNull<u8>> {
        // SAFETY: what is in the table is live, and stays as it is while `self` is borrowed.
        self.table.find(hash, |at| unsafe { parts(at) }.0 == member)
    }

    #[inline]
    fn find_hashed(&self, hash: u64, accept: impl Fn(&[u8], &[u8]) -> bool) -> Option<NonNull<u8>> {
        self.table.find(hash, |at| {
            // SAFETY: what is in the table is live, and stays as it is while `self` is borrowed.
            let (member, payload) = unsafe { parts(at) };
            accept(member, payload) && member_hash::hash(member) == hash
        })
    }

    /// Takes out what was found a moment ago.
    fn take_found(&mut self, hash: u64, at: NonNull<u8>) -> OwnedMember {
        let is_removed = self.table.remove(hash, at, rehash);
        assert!(is_removed, "what was found is in the table");
        let owned = OwnedMember { at };
        // SAFETY: live: the table has just handed it over.
        self.members_bytes -= unsafe { shape(at) }.bytes();
        owned
    }

    /// Adds an allocation whose member is not in the table.
    fn insert_new(&mut self, hash: u64, at: NonNull<u8>, shape: Shape) {
        self.table.insert(hash, at, rehash);
        self.members_bytes += shape.bytes();
    }
}

/// The hash of what is in a table.
fn rehash(at: NonNull<u8>) -> u64 {
    // SAFETY: a table of this file only hands over what is in it, which is live.
    member_hash::hash(unsafe { parts(at) }.0)
}

impl Clone for MemberTable {
    fn clone(&self) -> MemberTable {
        let mut copy = MemberTable::new();
        for (member, payload) in self.iter() {
            let (at, shape) = create(member, payload);
            copy.insert_new(member_hash::hash(member), at, shape);
        }
        copy
    }
}

impl Drop for MemberTable {
    fn drop(&mut self) {
        for at in self.table.entries() {
            // SAFETY: each entry is met once, and the table, which is dropped next, does not look behind its pointers.
            unsafe { free(at) };
        }
    }
}

impl fmt::Debug for MemberTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemberTable").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl OwnedMember {
    /// The member.
    pub fn member(&self) -> &[u8] {
        // SAFETY: the allocation is live until this value is dropped.
        unsafe { parts(self.at) }.0
    }

    /// Its payload.
    pub fn payload(&self) -> &[u8] {
        // SAFETY: as above.
        unsafe { parts(self.at) }.1
    }
}

impl Drop for OwnedMember {
    fn drop(&mut self) {
        // SAFETY: the allocation belongs to this value, which nobody can use any more.
        unsafe { free(self.at) };
    }
}

#[cfg(test)]
#[path = "member_table_tests.rs"]
mod tests;
