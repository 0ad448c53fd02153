//! The large form of a hash: a table of fields with their values (Redis' encoding "hashtable"), and beside it, only once a
//! field was given one, the times at which fields expire.
//!
//! Invariants: `of_field` and `order` hold the same fields; `order` has one entry for fields whose time and hash are both
//! equal; every field with a time is in the table of fields. A hash without times pays one null pointer for this. Called by
//! `hash.rs` only.

use std::collections::BTreeSet;

use crate::value::member_hash;
use crate::value::member_table::{MemberTable, OwnedMember};
use crate::value::object::ALLOCATIONS_PER_SLICE;

/// See the file's head.
#[derive(Clone, Debug, Default)]
pub(super) struct Fields {
    pub(super) members: MemberTable,
    times: Option<Box<Times>>,
}

/// When fields expire.
#[derive(Clone, Debug, Default)]
struct Times {
    /// The time of each field that has one: Unix milliseconds, eight bytes.
    of_field: MemberTable,
    /// The times in order, with the hashes of the fields.
    order: BTreeSet<(i64, u64)>,
}

/// Bytes that an entry of `order` takes, about: 16 in nodes that are two thirds full.
const ORDER_ENTRY_BYTES: usize = 24;

fn time_of(payload: &[u8]) -> i64 {
    i64::from_le_bytes(*payload.first_chunk().expect("times are kept as eight bytes"))
}

impl Times {
    fn get(&self, field: &[u8]) -> Option<i64> {
        self.of_field.get(field).map(time_of)
    }

    fn set(&mut self, field: &[u8], at_ms: i64) {
        self.remove(field);
        self.of_field.insert(field, &at_ms.to_le_bytes());
        self.order.insert((at_ms, member_hash::hash(field)));
    }

    fn remove(&mut self, field: &[u8]) -> bool {
        let Some(taken) = self.of_field.take(field) else { return false };
        self.forget(time_of(taken.payload()), member_hash::hash(field));
        true
    }

    /// Takes a time out of the order that a field had, unless another one has the same time and hash.
    fn forget(&mut self, at_ms: i64, hash: u64) {
        if !self.of_field.contains_hashed(hash, |_, payload| time_of(payload) == at_ms) {
            self.order.remove(&(at_ms, hash));
        }
    }

    /// Takes a field out whose time has come.
    fn take_due(&mut self, now_ms: i64) -> Option<OwnedMember> {
        let &(at_ms, hash) = self.order.first().filter(|(at_ms, _)| *at_ms <= now_ms)?;
        let taken = self.of_field.take_hashed(hash, |_, payload| time_of(payload) == at_ms);
        self.forget(at_ms, hash);
        taken
    }
}

impl Fields {
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    #[inline]
    pub(super) fn first_time(&self) -> Option<i64> {
        self.times.as_ref()?.order.first().map(|&(at_ms, _)| at_ms)
    }

    /// The time of a field; none when it does not expire.
    #[inline]
    pub(super) fn time(&self, field: &[u8]) -> Option<i64> {
        self.times.as_ref()?.get(field)
    }

    /// Whether the time of a field has come.
    #[inline]
    pub(super) fn is_due(&self, field: &[u8], now_ms: i64) -> bool {
        self.time(field).is_some_and(|at_ms| at_ms <= now_ms)
    }

    /// Sets a field, which loses its time unless that is kept. True when it is new.
    #[inline]
    pub(super) fn set(&mut self, field: &[u8], value: &[u8], keep_time: bool) -> bool {
        let is_new = self.members.insert(field, value);
        if !is_new && !keep_time {
            self.drop_time(field);
        }
        is_new
    }

    /// Gives a field a time; false when there is no such field.
    pub(super) fn set_time(&mut self, field: &[u8], at_ms: i64) -> bool {
        let exists = self.members.contains(field);
        if exists {
            self.times.get_or_insert_default().set(field, at_ms);
        }
        exists
    }

    /// Takes the time of a field away; false when it has none.
    pub(super) fn drop_time(&mut self, field: &[u8]) -> bool {
        let Some(times) = &mut self.times else { return false };
        let is_dropped = times.remove(field);
        if times.order.is_empty() {
            self.times = None;
        }
        is_dropped
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let is_removed = self.members.remove(field);
        if is_removed {
            self.drop_time(field);
        }
        is_removed
    }

    /// Removes up to `max` fields whose time has come, and shows their names before.
    pub(super) fn expire(&mut self, now_ms: i64, max: usize, mut see: impl FnMut(&[u8])) -> usize {
        let mut count = 0;
        while count < max
            && let Some(times) = &mut self.times
            && let Some(taken) = times.take_due(now_ms)
        {
            see(taken.member());
            self.members.remove(taken.member());
            count += 1;
            if times.order.is_empty() {
                self.times = None;
            }
        }
        count
    }

    /// Bytes of memory it takes, itself included.
    pub(super) fn memory_bytes(&self) -> usize {
        let times = self.times.as_ref().map_or(0, |times| {
            size_of::<Times>() + times.of_field.memory_bytes() + times.order.len() * ORDER_ENTRY_BYTES
        });
        size_of::<Fields>() + self.members.memory_bytes() + times
    }

    pub(super) fn allocations(&self) -> usize {
        self.members.len() + self.times.as_ref().map_or(0, |times| times.order.len())
    }

    /// Frees a part of it; false when little is left.
    pub(super) fn free_slice(&mut self) -> bool {
        let Some(times) = &mut self.times else { return self.members.free_slice() };
        for _ in 0..ALLOCATIONS_PER_SLICE {
            times.order.pop_first();
        }
        if times.order.is_empty() && !times.of_field.free_slice() {
            self.times = None;
        }
        true
    }
}
