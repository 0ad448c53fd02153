//! Asks the memory ahead for what a window of commands will look at, so that their cache misses overlap.
//!
//! Four passes over the window, each of which reads what the one before asked for: the table's buckets
//! (`Keyspace::prefetch_bucket`, which the caller does while it plans), the first lines of the entries, the rest of the
//! entries or the collections they own, and in large collections the place of the member that a command names. With a
//! million keys of 64 bytes each pass is worth a tenth to a third of a GET.
//!
//! Nothing here decides anything: a wrong guess (one entry in a hundred has the tag of another) costs a cache line.

use crate::stdx::limits::PREFETCH_WINDOW;
use crate::value::member_table::MemberTable;
use crate::value::object::Value;
use crate::value::table::prefetch_line;

use super::database::Keyspace;
use super::entry::{Entry, EntryPointer, ValueRef};

/// With fewer commands there is nothing to overlap.
const WINDOW_MIN: usize = 4;

/// What one command will look at. Its bucket was asked for (`Keyspace::prefetch_bucket`).
#[derive(Clone, Copy)]
pub struct Wanted<'k> {
    /// Where its first key lies.
    pub keyspace: &'k Keyspace,
    /// The client's database.
    pub database: u32,
    /// The key's hash.
    pub hash: u64,
    /// The first member (field) that it names.
    pub member: Option<&'k [u8]>,
}

/// What is known of one command's data so far.
#[derive(Clone, Copy)]
enum Sight<'k> {
    Nothing,
    Entry(Entry<'k>),
    Value(&'k Value),
    Member(&'k MemberTable, u64),
}

/// Touches what the commands of a window will look at; at most `PREFETCH_WINDOW` of them.
pub fn touch<'k>(wanted: impl ExactSizeIterator<Item = Wanted<'k>>) {
    if wanted.len() < WINDOW_MIN {
        return;
    }
    let mut sights = [(Sight::Nothing, None); PREFETCH_WINDOW];
    let count = wanted.len().min(PREFETCH_WINDOW);
    let mut last = (u64::MAX, Sight::Nothing);
    for (sight, wanted) in sights.iter_mut().zip(wanted) {
        // Pipelines often stay at one collection.
        if wanted.hash != last.0 {
            last = (wanted.hash, entry_of(&wanted));
        } else if wanted.member.is_none() {
            continue;
        }
        *sight = (last.1, wanted.member);
    }
    let sights = &mut sights[..count];
    let mut members = false;
    for (sight, member) in sights.iter_mut() {
        if let Sight::Entry(entry) = *sight {
            *sight = look_at_entry(entry, member.is_some());
            members |= matches!(sight, Sight::Value(_));
        }
    }
    if !members {
        return;
    }
    for (sight, member) in sights.iter_mut() {
        if let (Sight::Value(value), Some(member)) = (*sight, *member)
            && let Some(table) = value.member_table()
            && let Some(hash) = table.prefetch_bucket(member)
        {
            *sight = Sight::Member(table, hash);
        }
    }
    for (sight, _) in sights.iter() {
        if let Sight::Member(table, hash) = *sight {
            table.prefetch_member(hash);
        }
    }
}

#[inline]
fn entry_of<'k>(wanted: &Wanted<'k>) -> Sight<'k> {
    match wanted.keyspace.database(wanted.database).prefetch_entry(wanted.hash) {
        // SAFETY: tables hold live entries, which nobody changes or frees while the keyspace is borrowed.
        Some(at) => Sight::Entry(unsafe { EntryPointer::from_raw(at).entry() }),
        None => Sight::Nothing,
    }
}

#[inline]
fn look_at_entry(entry: Entry<'_>, has_member: bool) -> Sight<'_> {
    entry.prefetch_rest();
    match entry.value() {
        ValueRef::Boxed(value) => {
            prefetch_line(std::ptr::from_ref(value).cast());
            if has_member { Sight::Value(value) } else { Sight::Nothing }
        }
        ValueRef::Inline(_) | ValueRef::Integer(_) => Sight::Nothing,
    }
}
