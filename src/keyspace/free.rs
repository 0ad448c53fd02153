//! The graveyard: what was deleted but not freed yet. Freeing is done in slices so that no deletion stalls its core.
//!
//! Small values are freed at once (that is cheaper than queueing them); large ones and whole tables wait here until the
//! home core calls `free_slice` from its cron.
//!
//! A large buffer's pages are given back to the system one slice after the other (`madvise`), whatever allocator it came
//! from, and the buffer itself is dropped when it has none left. Just dropping it would do no better: mimalloc gives the
//! pages back a little later, all at once (40 to 90 ms for 512 MiB in pages of 4 KiB). A shrinking `realloc` would not do
//! either: mimalloc leaves a huge block as it is down to half its size, and then copies it. A buffer that a reply still
//! refers to is only let go of; the reply frees it.

use std::collections::VecDeque;
use std::ffi::c_void;

use bytes::BytesMut;

use crate::value::object::{ALLOCATIONS_PER_SLICE, LongString, Value};

use super::entry::EntryPointer;
use crate::value::table::Table;

/// Values up to this size are freed at once: giving 1 MiB back takes 60 µs at the most.
const FREE_AT_ONCE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a large buffer given back per slice, and what the addresses at which slices end are multiples of, so that no
/// huge page is cut. A slice takes 10 µs when it is made of huge pages, 0.2 to 0.3 ms when of pages of 4 KiB.
const SLICE_BYTES: usize = 4 * 1024 * 1024;
/// Both ends of what is given back lie at multiples of this, so that no page is shared with a neighbour: a multiple of
/// every page size of x86_64 and aarch64.
const PAGE_BYTES_MAX: usize = 64 * 1024;

/// Deleted values and tables that wait to be freed.
#[derive(Default)]
pub struct Graveyard {
    /// Values and entries that waited and were freed (INFO's `lazyfreed_objects`).
    pub freed_objects: u64,
    buffers: VecDeque<Buffer>,
    collections: VecDeque<Value>,
    tables: VecDeque<Table>,
    indexes: VecDeque<Table>,
}

impl Graveyard {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.buffers.is_empty() && self.collections.is_empty() && self.tables.is_empty() && self.indexes.is_empty()
    }

    /// Values and entries that wait (INFO's `lazyfree_pending_objects`).
    pub fn pending_objects(&self) -> usize {
        self.buffers.len() + self.collections.len() + self.tables.iter().map(Table::len).sum::<usize>()
    }

    /// Takes a value to free.
    pub fn bury(&mut self, value: Value) {
        match value {
            Value::String(string) if string.memory_bytes() > FREE_AT_ONCE_BYTES_MAX => {
                self.buffers.extend(Buffer::of(string));
            }
            collection if collection.allocations() > ALLOCATIONS_PER_SLICE => self.collections.push_back(collection),
            _ => {}
        }
    }

    /// Takes a whole table of entries to free, and the entries with it.
    pub fn bury_table(&mut self, table: Table) {
        if !table.is_empty() {
            self.tables.push_back(table);
        }
    }

    /// Takes a table to free whose entries belong to another one.
    pub fn bury_index(&mut self, table: Table) {
        if !table.is_empty() {
            self.indexes.push_back(table);
        }
    }

    /// Frees one slice (a segment of a table, some megabytes of a string, some elements of a collection); false when nothing was left.
    pub fn free_slice(&mut self) -> bool {
        if let Some(buffer) = self.buffers.front_mut() {
            if buffer.give_slice_back() {
                self.buffers.pop_front();
                self.freed_objects += 1;
            }
            return true;
        }
        if let Some(collection) = self.collections.front_mut() {
            if let Some(bytes) = collection.take_large_string(FREE_AT_ONCE_BYTES_MAX) {
                self.buffers.extend(Buffer::of(LongString::Shared(bytes)));
                return true;
            }
            if !collection.free_slice() {
                self.collections.pop_front();
                self.freed_objects += 1;
            }
            return true;
        }
        if let Some(index) = self.indexes.front_mut() {
            if !index.drain_segment(|_| {}) {
                self.indexes.pop_front();
            }
            return true;
        }
        let Some(mut table) = self.tables.pop_front() else { return false };
        let more = table.drain_segment(|at| {
            self.freed_objects += 1;
            // SAFETY: the table held the only pointer to the entry that anyone will look behind (the index of its
            // expiries went with the database, and is freed without looking), and has just given it up.
            if let Some(value) = unsafe { EntryPointer::from_raw(at).destroy() } {
                self.bury(*value);
            }
        });
        if more {
            self.tables.push_front(table);
        }
        true
    }
}

/// A large buffer that nobody refers to any more.
struct Buffer {
    bytes: Owned,
    /// How much of it, from its start, has been given back.
    given_back: usize,
}

enum Owned {
    Private(Vec<u8>),
    Shared(BytesMut),
}

impl Buffer {
    /// The buffer of a string; none when a reply still refers to it, whose reference then is the last.
    fn of(string: LongString) -> Option<Buffer> {
        let bytes = match string {
            LongString::Private(bytes) => Owned::Private(bytes),
            LongString::Shared(bytes) => Owned::Shared(bytes.try_into_mut().ok()?),
        };
        Some(Buffer { bytes, given_back: 0 })
    }

    /// Gives back one slice; true when what is left can be dropped in one go.
    fn give_slice_back(&mut self) -> bool {
        let (start, capacity) = match &mut self.bytes {
            Owned::Private(bytes) => (bytes.as_mut_ptr(), bytes.capacity()),
            Owned::Shared(bytes) => (bytes.as_mut_ptr(), bytes.capacity()),
        };
        let address = start.addr();
        let from = (address + self.given_back).next_multiple_of(PAGE_BYTES_MAX);
        let end = (address + capacity) / PAGE_BYTES_MAX * PAGE_BYTES_MAX;
        let to = end.min((from / SLICE_BYTES + 1) * SLICE_BYTES);
        if from >= to {
            return true;
        }
        // SAFETY: `from..to` lies inside the buffer (`address <= from < to <= address + capacity`) and is made of whole
        // pages, so nothing else is in them. The buffer is ours alone and nobody reads it any more; its memory is the
        // allocator's private anonymous memory, which stays valid and reads as zeros from now on. If the call fails,
        // nothing has changed, and the final drop frees the pages.
        unsafe { libc::madvise(start.add(from - address).cast::<c_void>(), to - from, libc::MADV_DONTNEED) };
        self.given_back = to - address;
        to == end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::list::{End, Limits, List, NewElement};
    use crate::value::object::Collection;
    use bytes::Bytes;

    const BIG_BYTES: usize = 3 * SLICE_BYTES + 12_345;

    fn bury(graveyard: &mut Graveyard, string: LongString) {
        graveyard.bury(Value::String(string));
    }

    /// Which of the buffer's pages still hold what was written.
    fn bytes_left(buffer: &Buffer) -> usize {
        let bytes = match &buffer.bytes {
            Owned::Private(bytes) => &bytes[..],
            Owned::Shared(bytes) => &bytes[..],
        };
        bytes.iter().filter(|&&byte| byte == 7).count()
    }

    #[test]
    fn large_buffers_lose_their_pages_slice_by_slice() {
        for shared in [false, true] {
            let mut graveyard = Graveyard::default();
            let bytes = vec![7; BIG_BYTES];
            let string = if shared { LongString::Shared(Bytes::from(bytes)) } else { LongString::Private(bytes) };
            bury(&mut graveyard, string);
            assert_eq!(graveyard.pending_objects(), 1);
            assert_eq!(bytes_left(&graveyard.buffers[0]), BIG_BYTES);
            let (mut slices, mut before) = (0, BIG_BYTES);
            while graveyard.free_slice() {
                slices += 1;
                assert!(slices < 10, "the last slice comes");
                let Some(buffer) = graveyard.buffers.front() else { break };
                let left = bytes_left(buffer);
                assert!(left < before && before - left <= SLICE_BYTES, "{before} to {left} in one slice");
                before = left;
            }
            assert!(slices >= 3, "{slices}");
            assert!(before <= SLICE_BYTES + 2 * PAGE_BYTES_MAX, "{before} left for the last");
            assert!(graveyard.is_empty() && !graveyard.free_slice());
        }
    }

    #[test]
    fn spare_capacity_is_given_back_too() {
        let mut bytes = vec![7; BIG_BYTES];
        bytes.truncate(10);
        let mut buffer = Buffer::of(LongString::Private(bytes)).expect("nobody else refers to it");
        let mut slices = 1;
        while !buffer.give_slice_back() {
            slices += 1;
        }
        assert!((3..=5).contains(&slices), "{slices}");
        assert!(buffer.given_back > BIG_BYTES - PAGE_BYTES_MAX);
    }

    #[test]
    fn a_buffer_that_a_reply_refers_to_is_let_go_of() {
        let mut graveyard = Graveyard::default();
        let reply = Bytes::from(vec![7; BIG_BYTES]);
        bury(&mut graveyard, LongString::Shared(reply.clone()));
        assert!(graveyard.is_empty());
        assert!(reply.is_unique());
        assert!(reply.iter().all(|&byte| byte == 7));
    }

    #[test]
    fn large_elements_of_a_list_are_freed_like_strings() {
        let mut graveyard = Graveyard::default();
        let limits = Limits { node: -2, plain_bytes_min: 0 };
        let mut list = List::default();
        for _ in 0..3 {
            for bytes in [Bytes::from(vec![7; BIG_BYTES]), Bytes::from_static(b"small")] {
                list.make_room(bytes.len(), 1, limits);
                list.push(End::Back, NewElement { bytes: &bytes, shared: Some(&bytes) }, limits);
            }
        }
        graveyard.bury(list.into_value());
        assert_eq!(graveyard.pending_objects(), 1, "few allocations, but large ones");
        let mut buffers = 0;
        while graveyard.free_slice() {
            buffers += usize::from(graveyard.buffers.front().is_some_and(|buffer| buffer.given_back == 0));
        }
        assert_eq!(buffers, 3);
        assert!(graveyard.is_empty());
    }

    #[test]
    fn small_values_are_freed_at_once() {
        let mut graveyard = Graveyard::default();
        bury(&mut graveyard, LongString::Private(vec![7; FREE_AT_ONCE_BYTES_MAX]));
        assert!(graveyard.is_empty());
        bury(&mut graveyard, LongString::Private(vec![7; FREE_AT_ONCE_BYTES_MAX + 1]));
        assert!(!graveyard.is_empty());
    }
}
