//! The graveyard: what was deleted but not freed yet. Freeing is done in slices so that no deletion stalls its core.
//!
//! Small values are freed at once (that is cheaper than queueing them); large ones and whole tables wait here until the
//! home core calls `free_slice`, from its cron and when it has nothing else to do.

use std::collections::VecDeque;

use crate::value::object::{LongString, Value};

use super::entry::EntryPointer;
use super::table::Table;

/// Values up to this size are freed at once: unmapping 1 MiB takes about 30 µs.
const FREE_AT_ONCE_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of a large buffer given back per slice.
const SLICE_BYTES: usize = 4 * 1024 * 1024;

/// Deleted values and tables that wait to be freed.
#[derive(Default)]
pub struct Graveyard {
    values: VecDeque<Box<Value>>,
    tables: VecDeque<Table>,
}

impl Graveyard {
    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.tables.is_empty()
    }

    /// Values and entries that wait (INFO's `lazyfree_pending_objects`).
    pub fn pending_objects(&self) -> usize {
        self.values.len() + self.tables.iter().map(Table::len).sum::<usize>()
    }

    /// Takes a value to free.
    pub fn bury(&mut self, value: Box<Value>) {
        let Value::String(string) = &*value;
        if string.memory_bytes() > FREE_AT_ONCE_BYTES_MAX {
            self.values.push_back(value);
        }
    }

    /// Takes a whole table of entries to free.
    pub fn bury_table(&mut self, table: Table) {
        if !table.is_empty() {
            self.tables.push_back(table);
        }
    }

    /// Frees one slice (a segment of a table, some megabytes of a value); false when nothing was left.
    pub fn free_slice(&mut self) -> bool {
        if let Some(value) = self.values.front_mut() {
            if shrink(value) {
                self.values.pop_front();
            }
            return true;
        }
        let Some(table) = self.tables.front_mut() else { return false };
        let values = &mut self.values;
        let more = table.drain_segment(|at| {
            // SAFETY: the table held the only pointer to the entry (its expiries went with the database) and has just
            // given it up.
            if let Some(value) = unsafe { EntryPointer::from_raw(at).destroy() } {
                let Value::String(string) = &*value;
                if string.memory_bytes() > FREE_AT_ONCE_BYTES_MAX {
                    values.push_back(value);
                }
            }
        });
        if !more {
            self.tables.pop_front();
        }
        true
    }
}

/// Gives back one slice of a value; true when what is left can be dropped in one go.
fn shrink(value: &mut Value) -> bool {
    let Value::String(string) = value;
    let LongString::Private(bytes) = string else { return true };
    if bytes.capacity() <= SLICE_BYTES {
        return true;
    }
    // `truncate` only forgets the tail; `shrink_to` lets the allocator unmap it.
    let keep = bytes.capacity() - SLICE_BYTES;
    bytes.truncate(keep);
    bytes.shrink_to(keep);
    false
}
