//! The large form of a sorted set: a table from members to scores, and a tree of the same members in their order.
//!
//! A member stands once in memory, in the table's allocation, with its score behind it; the tree holds pointers to those.
//!
//! Invariant, on which all `unsafe` here rests: the pointers in the tree are exactly the places of the table's members, with
//! the same scores. Only this file changes either, and always both.

use std::ops::Range;

use super::range::Bounds;
use super::tree::{Items, Tree};
use crate::value::listpack::Element;
use crate::value::member_table::{MemberPointer, MemberTable};

/// Items of a leaf: 1 KiB. Children of an inner node: just below 2 KiB.
const LEAF_ITEMS_MAX: usize = 64;
const INNER_CHILDREN_MAX: usize = 42;

/// Items whose places in the tree one slice of freeing takes away; they hold no allocation of their own.
const ITEMS_PER_SLICE: usize = 64 * LEAF_ITEMS_MAX;

/// How many members before it is popped a member is asked for, and, when it has come, what else its removal looks at.
/// No leaf at an end is shorter for long.
const MEMBERS_AHEAD: usize = 12;
const REMOVALS_AHEAD: usize = 6;

type Order = Tree<MemberPointer, LEAF_ITEMS_MAX, INNER_CHILDREN_MAX>;

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Large {
    table: MemberTable,
    order: Order,
}

/// Members in order with their scores.
#[derive(Debug)]
pub(super) struct Members<'a>(Items<'a, MemberPointer, LEAF_ITEMS_MAX, INNER_CHILDREN_MAX>);

impl<'a> Iterator for Members<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<(&'a [u8], f64)> {
        let (score, pointer) = self.0.next()?;
        // SAFETY: the invariant; the set is borrowed during `'a`, so its members stay.
        Some((unsafe { pointer.member() }, score))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The score behind a member in the table.
#[inline]
fn read_score(payload: &[u8]) -> f64 {
    f64::from_le_bytes(payload.try_into().expect("every member was given eight bytes"))
}

impl Large {
    /// Number of members.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// The score of a member.
    #[inline]
    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.table.get(member).map(read_score)
    }

    /// How many items stand before this score and member.
    #[inline]
    pub(super) fn rank(&self, score: f64, member: &[u8]) -> usize {
        self.order.rank(|other, pointer| {
            // SAFETY: the invariant; nothing is removed while `self` is borrowed.
            other < score || (other == score && unsafe { pointer.member() } < member)
        })
    }

    /// How many items stand before a range, and how many before its end.
    pub(super) fn ranks(&self, bounds: &impl Bounds) -> (usize, usize) {
        // SAFETY: the invariant; nothing is removed while `self` is borrowed.
        let element = |pointer: MemberPointer| Element::Bytes(unsafe { pointer.member() });
        let from = self.order.rank(|score, pointer| bounds.is_before(score, element(pointer)));
        let to = self.order.rank(|score, pointer| bounds.is_before_end(score, element(pointer)));
        (from, to)
    }

    /// The members of these ranks, from the last to the first when `reverse`.
    pub(super) fn range(&self, ranks: Range<usize>, reverse: bool) -> Members<'_> {
        Members(self.order.range(ranks, reverse))
    }

    /// The member of this rank.
    pub(super) fn get(&self, rank: usize) -> Option<(&[u8], f64)> {
        let (score, pointer) = self.order.get(rank)?;
        // SAFETY: the invariant; nothing is removed while `self` is borrowed.
        Some((unsafe { pointer.member() }, score))
    }

    /// Adds a member that is known to be absent.
    pub(super) fn insert_absent(&mut self, member: &[u8], score: f64) {
        let pointer = self.table.insert_absent(member, &score.to_le_bytes());
        self.insert_ordered(pointer, member, score);
    }

    /// As `insert_absent` for one that stands behind all others.
    pub(super) fn push(&mut self, member: &[u8], score: f64) {
        let pointer = self.table.insert_absent(member, &score.to_le_bytes());
        self.order.insert((score, pointer), |_, _| true);
    }

    fn insert_ordered(&mut self, pointer: MemberPointer, member: &[u8], score: f64) {
        self.order.insert((score, pointer), |other, place| {
            // SAFETY: the invariant; nothing is removed meanwhile.
            other < score || (other == score && unsafe { place.member() } < member)
        });
    }

    /// Shows a member's score, and changes it to what is returned, when that is another one. None when there is no such
    /// member; else its old score.
    pub(super) fn change(&mut self, member: &[u8], decide: impl FnOnce(f64) -> Option<f64>) -> Option<f64> {
        let (pointer, payload) = self.table.pointer(member)?;
        let old = read_score(payload);
        let Some(new) = decide(old).filter(|new| *new != old) else { return Some(old) };
        payload.copy_from_slice(&new.to_le_bytes());
        let from = self.rank(old, member);
        let to = self.rank(new, member);
        if to == from || to == from + 1 {
            self.order.set_score(from, new);
        } else {
            self.order.remove(from..from + 1, |_, _| {});
            self.insert_ordered(pointer, member, new);
        }
        Some(old)
    }

    /// Removes a member; gives its score.
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.score(member)?;
        let rank = self.rank(score, member);
        self.remove_ranks(rank..rank + 1);
        Some(score)
    }

    /// Removes the members of these ranks, which must exist.
    pub(super) fn remove_ranks(&mut self, ranks: Range<usize>) {
        let Large { table, order } = self;
        order.remove(ranks, |_, pointer| {
            // SAFETY: the invariant: it is in the table; the tree has just let go of it, and compares nothing until it has
            // brought its nodes up to date.
            unsafe { table.remove_at(pointer) }
        });
    }

    /// Asks the memory for what some pops ahead will look at: whoever pops one member mostly pops more.
    #[inline]
    pub(super) fn prefetch_pops(&self, highest: bool) {
        if !self.table.is_worth_prefetching() {
            return;
        }
        let [member, removal] = self.order.near_end([MEMBERS_AHEAD, REMOVALS_AHEAD], highest);
        if let Some((_, pointer)) = member {
            self.table.prefetch_pointer(pointer);
        }
        if let Some((_, pointer)) = removal {
            // SAFETY: the invariant.
            unsafe { self.table.prefetch_removal(pointer) };
        }
    }

    /// One step of a walk over all members, as `MemberTable::scan`.
    pub(super) fn scan(&self, cursor: u64, mut see: impl FnMut(&[u8], f64)) -> u64 {
        self.table.scan(cursor, |member, payload| see(member, read_score(payload)))
    }

    /// The members with their scores, by name.
    pub(super) fn member_table(&self) -> &MemberTable {
        &self.table
    }

    /// Bytes of the heap it takes, about.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<Large>() + self.table.memory_bytes() + self.order.memory_bytes()
    }

    /// How many allocations dropping it frees, about.
    pub(super) fn allocations(&self) -> usize {
        self.len() + self.len() / (LEAF_ITEMS_MAX / 2)
    }

    /// Frees a slice; false when little is left. The order goes first, since it points into the table.
    pub(super) fn free_slice(&mut self) -> bool {
        let len = self.order.len();
        if len > 0 {
            self.order.remove(len.saturating_sub(ITEMS_PER_SLICE)..len, |_, _| {});
            return true;
        }
        self.table.free_slice()
    }
}

impl Clone for Large {
    fn clone(&self) -> Large {
        let mut copy = Large::default();
        for (member, score) in self.range(0..self.len(), false) {
            copy.push(member, score);
        }
        copy
    }
}
