//! A snapshot beside the commands: every entry as it was at one moment, although entries change meanwhile.
//!
//! A snapshot begins while all boxes are in one hand; that is its moment. From then on each box is walked in slices, every
//! database in the order of its table's positions, which splits and merges do not change. An entry that is to change, move
//! or go before the walk has come to it is written *early*, as it is, and marked; an entry that comes into being ahead of
//! the walk is marked without being written. The walk takes marks off instead of writing. So each entry of the moment is
//! written exactly once, nothing else is, and nothing has to be remembered but one bit in the entry.
//!
//! Invariants: without a snapshot no entry is marked, and every database's walk is at its end; behind a database's walk
//! nothing is marked; a database that was emptied ahead of its walk is kept until it was walked. Every change of an entry
//! goes through `Keyspace::write`, `unlink_entry` or `fields.rs`, and these call `write_early` first.
//!
//! A value is written in one piece however large it is, so one of ten million elements holds its core up once.

use super::database::{Database, Keyspace, hash_of_entry};
use super::entry::{Entry, EntryPointer};
use crate::value::table::Table;

/// Takes the entries of one box; made by whoever writes the file.
pub trait SnapshotSink: Send {
    /// An entry of the database that had this number at the snapshot's moment. `early`: it is about to change.
    fn entry(&mut self, database: u32, entry: &Entry<'_>, early: bool);
    /// A slice has ended.
    fn pause(&mut self);
    /// Nobody wants any more entries: something went wrong.
    fn is_failed(&self) -> bool;
    /// So much waits to be written that the walk should rest.
    fn is_full(&self) -> bool;
    /// All entries were given. Dropped without this, the snapshot comes to nothing.
    fn end(self: Box<Self>);
}

/// How far a snapshot has come in a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Walk {
    /// The position in the table from which it goes on; everything before is done.
    next: u64,
    /// The database's number at the snapshot's moment.
    database: u32,
}

impl Walk {
    /// At its end.
    pub(super) const DONE: Walk = Walk { next: u64::MAX, database: 0 };

    fn is_done(self) -> bool {
        self.next == u64::MAX
    }
}

/// See the file's head.
pub struct Snapshot {
    /// None when the snapshot was given up, and only marks are to be taken off.
    sink: Option<Box<dyn SnapshotSink>>,
    /// Databases that were emptied before they were walked.
    emptied: Vec<Database>,
    /// Entries that were marked, at least; those that went since are counted.
    marks: u64,
    /// Tells snapshots of a process apart.
    pub id: u64,
}

impl Snapshot {
    /// Nothing more is written of it.
    pub fn is_given_up(&self) -> bool {
        self.sink.is_none()
    }
}

/// What one slice of a walk did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SnapshotSlice {
    /// It met so many entries; there are more.
    Met(usize),
    /// So much waits to be written that it should rest.
    Rest,
    /// There was nothing left, or never anything to do.
    Done,
}

impl Keyspace {
    /// Begins a snapshot, while all boxes are in one hand.
    pub fn begin_snapshot(&mut self, sink: Box<dyn SnapshotSink>, id: u64) {
        // The marks of one that was given up a moment ago, if any are left.
        while self.snapshot_slice() != SnapshotSlice::Done {}
        for (index, database) in self.databases.iter_mut().enumerate() {
            if !database.keys.is_empty() {
                database.walk = Walk { next: 0, database: index as u32 };
            }
        }
        self.snapshot = Some(Box::new(Snapshot { sink: Some(sink), emptied: Vec::new(), marks: 0, id }));
    }

    /// Gives a snapshot up: nothing more is written of it.
    pub fn abort_snapshot(&mut self) {
        let Some(snapshot) = &mut self.snapshot else { return };
        snapshot.sink = None;
        for database in std::mem::take(&mut snapshot.emptied) {
            self.bury_database(database);
        }
    }

    /// Goes on with the snapshot, for the entries of one bucket.
    pub fn snapshot_slice(&mut self) -> SnapshotSlice {
        let Some(mut snapshot) = self.snapshot.take() else { return SnapshotSlice::Done };
        if snapshot.sink.as_ref().is_some_and(|sink| sink.is_failed()) {
            self.snapshot = Some(snapshot);
            self.abort_snapshot();
            return SnapshotSlice::Met(0);
        }
        if snapshot.sink.is_none() && snapshot.marks == 0 {
            self.databases.iter_mut().for_each(|database| database.walk = Walk::DONE);
        }
        let hasher = &self.hasher;
        let Snapshot { sink, marks, emptied, .. } = &mut *snapshot;
        let Some(database) = self.databases.iter_mut().chain(emptied).find(|one| !one.walk.is_done()) else {
            if let Some(sink) = sink.take() {
                sink.end();
            }
            return SnapshotSlice::Done;
        };
        let met = database.walk_bucket(sink, marks, |at| hash_of_entry(hasher, at));
        let mut slice = SnapshotSlice::Met(met);
        if let Some(sink) = sink
            && sink.is_full()
        {
            slice = SnapshotSlice::Rest;
        }
        while let Some(at) = snapshot.emptied.iter().position(|database| database.walk.is_done()) {
            let database = snapshot.emptied.swap_remove(at);
            self.bury_database(database);
        }
        self.snapshot = Some(snapshot);
        slice
    }

    /// The walk rests: what was done shall be seen (INFO).
    pub fn pause_snapshot(&mut self) {
        if let Some(sink) = self.snapshot.as_mut().and_then(|snapshot| snapshot.sink.as_mut()) {
            sink.pause();
        }
    }

    /// Writes an entry that is about to change into the snapshot, unless that was done.
    #[cold]
    #[inline(never)]
    pub(super) fn write_early(&mut self, database: u32, hash: u64, mut pointer: EntryPointer) {
        let Some(snapshot) = &mut self.snapshot else { return };
        let Some(sink) = &mut snapshot.sink else { return };
        let walk = self.databases[database as usize].walk;
        // SAFETY: the callers have just found the entry in its table, and nothing is changed while the reference lives.
        let entry = unsafe { pointer.entry() };
        if Table::position(hash) >= walk.next && !entry.is_marked() {
            sink.entry(walk.database, &entry, true);
            pointer.set_marked(true);
            snapshot.marks += 1;
        }
    }

    /// Marks an entry that has come into being ahead of the walk: it is not in the snapshot, or was written early.
    #[cold]
    #[inline(never)]
    pub(super) fn mark_new(&mut self, database: u32, hash: u64, mut pointer: EntryPointer) {
        let Some(snapshot) = &mut self.snapshot else { return };
        if snapshot.sink.is_some() && Table::position(hash) >= self.databases[database as usize].walk.next {
            pointer.set_marked(true);
            snapshot.marks += 1;
        }
    }

    /// Takes a database that was emptied: the snapshot may still need what was in it.
    pub(super) fn bury_or_keep(&mut self, database: Database) {
        match &mut self.snapshot {
            Some(snapshot) if snapshot.sink.is_some() && !database.walk.is_done() => snapshot.emptied.push(database),
            _ => self.bury_database(database),
        }
    }

    fn bury_database(&mut self, database: Database) {
        self.graveyard.bury_index(database.expires);
        self.graveyard.bury_index(database.field_expires);
        self.graveyard.bury_table(database.keys);
    }
}

impl Database {
    /// Walks over one bucket; returns how many entries it met.
    fn walk_bucket(
        &mut self,
        sink: &mut Option<Box<dyn SnapshotSink>>,
        marks: &mut u64,
        hash_of: impl Fn(std::ptr::NonNull<u8>) -> u64,
    ) -> usize {
        let walk = self.walk;
        let mut met = 0;
        let next = self.keys.scan(walk.next, |at| {
            met += 1;
            // SAFETY: the table only holds live entries.
            let mut pointer = unsafe { EntryPointer::from_raw(at) };
            // SAFETY: as above; only the mark is changed, and not while the reference is used.
            let entry = unsafe { pointer.entry() };
            if entry.is_marked() {
                pointer.set_marked(false);
                *marks -= 1;
            } else if let Some(sink) = sink
                // A merge of segments brings entries back that were before the position.
                && Table::position(hash_of(at)) >= walk.next
            {
                sink.entry(walk.database, &entry, false);
            }
        });
        self.walk = if next == 0 { Walk::DONE } else { Walk { next, ..walk } };
        met
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
