//! Fields of hashes that expire: the index of the keys that have some, and the only ways in which a field goes because its
//! time has come.
//!
//! The index is a table of entries like that of volatile keys: an entry whose hash has a field with a time stands in its
//! database's `field_expires`, and is marked so. The write guard brings it up to date when it is dropped, so nobody else has
//! to think of it. Fields go when a command meets them (`KeyWrite::expire_fields`, `expire_due_fields`) or when the home
//! core's cron walks the index (`expire_fields_slice`).

use crate::stdx::limits::FIELDS_EXPIRED_PER_SLICE;
use crate::value::hash::Hash;
use crate::value::object::Collection;

use super::database::{Keyspace, hash_of_entry};
use super::entry::EntryPointer;
use super::expire::ExpireSlice;
use super::write::KeyWrite;

impl KeyWrite<'_> {
    /// Removes those of the named fields whose time has come, and the key when no other is left.
    pub fn expire_fields<'f>(&mut self, names: impl Iterator<Item = &'f [u8]>) {
        let now_ms = self.turn.now_ms;
        let mut count = 0;
        for name in names {
            let Ok(Some(hash)) = self.collection::<Hash>() else { return };
            if hash.expire_field(name, now_ms) {
                self.keyspace.journal.removed_field(self.database, self.key.bytes, name);
                count += 1;
            }
        }
        self.count_expired_fields(count);
        self.remove_if_empty::<Hash>();
    }

    /// Removes up to `max` fields whose time has come, and the key when no other is left.
    pub fn expire_due_fields(&mut self, max: usize) {
        let now_ms = self.turn.now_ms;
        let Some(pointer) = &mut self.pointer else { return };
        let Some(hash) = pointer.boxed_mut().and_then(Hash::of_mut) else { return };
        let (journal, database, key) = (&mut self.keyspace.journal, self.database, self.key.bytes);
        let count = hash.expire(now_ms, max, |field| journal.removed_field(database, key, field));
        self.may_have_field_times = true;
        self.count_expired_fields(count);
        self.remove_if_empty::<Hash>();
    }

    /// Counts fields that a command has removed because their time had come (INFO's `expired_subkeys`), and tells those who
    /// watch the key.
    pub fn count_expired_fields(&mut self, count: usize) {
        if count > 0 {
            self.keyspace.counters.expired_fields += count as u64;
            self.keyspace.report(self.database, self.key.bytes);
        }
    }

    /// Brings the index up to date with what was done to the key's hash.
    #[inline]
    pub(super) fn index_fields(&mut self) {
        let Some(pointer) = &mut self.pointer else { return };
        let has_times = pointer.boxed_mut().and_then(Hash::of_mut).is_some_and(|hash| hash.first_time().is_some());
        // SAFETY: the guard's pointer is live.
        if has_times != unsafe { pointer.entry() }.has_field_times() {
            self.keyspace.index_fields(self.database, self.key.hash, *pointer, has_times);
        }
    }
}

impl Keyspace {
    /// Puts an entry into the index of those whose hashes have fields with times, or takes it out.
    #[cold]
    fn index_fields(&mut self, database: u32, hash: u64, mut pointer: EntryPointer, has_times: bool) {
        let Keyspace { databases, hasher, .. } = self;
        let index = &mut databases[database as usize].field_expires;
        if has_times {
            index.insert(hash, pointer.as_raw(), |at| hash_of_entry(hasher, at));
        } else {
            index.remove(hash, pointer.as_raw(), |at| hash_of_entry(hasher, at));
        }
        pointer.set_field_times(has_times);
    }

    /// Looks at the hashes in a few buckets of one database's index and removes fields whose time has come, and keys that
    /// have no other. After `FIELDS_EXPIRED_PER_SLICE` of them the next slice looks at the same buckets again. `due` is
    /// scratch space that keeps its memory between calls.
    pub fn expire_fields_slice(&mut self, database: u32, now_ms: i64, due: &mut Vec<EntryPointer>) -> ExpireSlice {
        let mut slice = ExpireSlice::default();
        due.clear();
        if self.keeps_all {
            slice.round_done = true;
            return slice;
        }
        let tables = &mut self.databases[database as usize];
        let begin = tables.field_expire_cursor;
        tables.field_expire_cursor = tables.field_expires.scan(begin, |at| {
            slice.looked_at += 1;
            // SAFETY: the index only holds live entries of this database.
            let pointer = unsafe { EntryPointer::from_raw(at) };
            // SAFETY: as above; nothing is changed while the walk is in its bucket.
            if unsafe { pointer.entry() }.collection::<Hash>().is_some_and(|hash| hash.is_due(now_ms)) {
                due.push(pointer);
            }
        });
        for &pointer in due.iter() {
            slice.removed +=
                self.expire_entry_fields(database, pointer, now_ms, FIELDS_EXPIRED_PER_SLICE - slice.removed);
        }
        let cursor = &mut self.databases[database as usize].field_expire_cursor;
        if slice.removed == FIELDS_EXPIRED_PER_SLICE {
            *cursor = begin;
        } else {
            slice.round_done = *cursor == 0;
        }
        self.counters.expired_fields += slice.removed as u64;
        slice
    }

    /// Removes up to `max` fields of an entry's hash whose time has come, and the entry when no other is left.
    fn expire_entry_fields(&mut self, database: u32, mut pointer: EntryPointer, now_ms: i64, max: usize) -> usize {
        if self.snapshot.is_some() {
            let key_hash = hash_of_entry(&self.hasher, pointer.as_raw());
            self.write_early(database, key_hash, pointer);
        }
        let copy = pointer;
        // SAFETY: it stands in its table; the key lies in the entry, the hash that is changed below has a box of its own.
        let key = unsafe { copy.entry() }.key();
        let Some(hash) = pointer.boxed_mut().and_then(Hash::of_mut) else { return 0 };
        let removed = hash.expire(now_ms, max, |field| self.journal.removed_field(database, key, field));
        let (is_empty, has_times) = (hash.is_empty(), hash.first_time().is_some());
        if is_empty || !has_times {
            let key_hash = hash_of_entry(&self.hasher, pointer.as_raw());
            if is_empty {
                self.remove_entry(database, key_hash, pointer);
            } else {
                self.index_fields(database, key_hash, pointer, false);
            }
        }
        if removed > 0 && !is_empty {
            // SAFETY: the entry was not removed.
            self.report(database, unsafe { pointer.entry() }.key());
        }
        removed
    }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
