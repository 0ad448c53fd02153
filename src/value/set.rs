//! `Set`: a set of strings, in one of three forms as in Redis 7.2 and later.
//!
//! Integers only, and not too many: an intset. Few and short members: a listpack. Everything else: a table, which a set
//! stays once it is one (but for SPOP, which may take nearly all of it away). The limits are parameters, which the caller
//! hands over with each change that may cross them.
//!
//! Called by `keyspace/` and by the command family of its type.

use std::collections::HashSet;

use super::intset::Intset;
use super::listpack::{Element, Listpack};
use super::member_table::MemberTable;
use super::object::{Collection, collection_conversions};
use crate::stdx::limits::{INTSET_ENTRIES_MAX, LISTPACK_BYTES_MAX, SAMPLE_DRAWS_PER_MEMBER_MAX};
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};
use crate::stdx::random::Random;

/// A sample of more than a `SAMPLE_SPARSE`-th of a table is taken in one walk over all members, a smaller one is drawn.
const SAMPLE_SPARSE: usize = 3;

/// A table of which at most a `POP_LEAVES_FEW`-th is left by one SPOP becomes a listpack again, as in Redis.
const POP_LEAVES_FEW: usize = 5;

/// How large the small forms may get (`set-max-…`).
#[derive(Clone, Copy, Debug)]
pub struct SetLimits {
    /// Members of an intset.
    pub intset_entries: usize,
    /// Members of a listpack.
    pub listpack_entries: usize,
    /// Bytes of a listpack's member.
    pub listpack_value: usize,
}

impl SetLimits {
    fn intset_entries(&self) -> usize {
        self.intset_entries.min(INTSET_ENTRIES_MAX)
    }
}

/// See the file's head.
#[derive(Debug)]
pub enum Set {
    /// Integers only.
    Integers(Intset),
    /// Few and short members.
    Packed(Listpack),
    /// Anything else.
    Table(Box<MemberTable>),
}

/// One of three iterators.
enum Members<I, P, T> {
    Integers(I),
    Packed(P),
    Table(T),
}

impl<'a, I, P, T> Iterator for Members<I, P, T>
where
    I: Iterator<Item = i64>,
    P: Iterator<Item = Element<'a>>,
    T: Iterator<Item = &'a [u8]>,
{
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match self {
            Members::Integers(integers) => integers.next().map(Element::Integer),
            Members::Packed(elements) => elements.next(),
            Members::Table(members) => members.next().map(Element::Bytes),
        }
    }
}

impl Set {
    /// An empty set in the form that fits `count` members of which this is the first.
    pub fn for_members(first: &[u8], count: usize, limits: &SetLimits) -> Set {
        if count <= limits.intset_entries && number::parse_i64(first).is_some() {
            Set::Integers(Intset::new())
        } else if count <= limits.listpack_entries {
            Set::Packed(Listpack::new())
        } else {
            Set::Table(Box::default())
        }
    }

    /// An empty set, which is an intset until something else comes.
    pub fn new() -> Set {
        Set::Integers(Intset::new())
    }

    /// An empty set that is a listpack, to which members are added faster than to an intset.
    pub fn packed() -> Set {
        Set::Packed(Listpack::new())
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Set::Integers(integers) => integers.len(),
            Set::Packed(packed) => packed.len(),
            Set::Table(table) => table.len(),
        }
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        match self {
            Set::Integers(integers) => integers.is_empty(),
            Set::Packed(packed) => packed.is_empty(),
            Set::Table(table) => table.is_empty(),
        }
    }

    /// Becomes a table at once when `count` more members are coming and a small form would not hold so many.
    pub fn expect(&mut self, count: usize, limits: &SetLimits) {
        let is_too_much = match self {
            Set::Integers(_) => count > limits.intset_entries,
            Set::Packed(_) => count > limits.listpack_entries,
            Set::Table(_) => false,
        };
        if is_too_much {
            self.become_table();
        }
    }

    /// Whether this is a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self {
            Set::Integers(integers) => number::parse_i64(member).is_some_and(|integer| integers.contains(integer)),
            Set::Packed(packed) => packed.first().is_some_and(|first| packed.find(member, first, 0).is_some()),
            Set::Table(table) => table.contains(member),
        }
    }

    /// As `contains`, for a member of another set.
    #[inline]
    pub fn contains_element(&self, member: Element<'_>) -> bool {
        match (self, member) {
            (Set::Integers(integers), Element::Integer(integer)) => integers.contains(integer),
            _ => self.contains(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX])),
        }
    }

    /// Adds a member; false when it was there already.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: &SetLimits) -> bool {
        match self {
            Set::Table(table) => table.insert(member, b""),
            _ => self.add_to_small(member, limits),
        }
    }

    /// As `add`, for a member of another set.
    #[inline]
    pub fn add_element(&mut self, member: Element<'_>, limits: &SetLimits) -> bool {
        match (&mut *self, member) {
            (Set::Integers(_), Element::Integer(integer)) => self.add_integer(integer, limits),
            _ => self.add(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]), limits),
        }
    }

    /// Adds to an intset.
    fn add_integer(&mut self, integer: i64, limits: &SetLimits) -> bool {
        let Set::Integers(integers) = self else { unreachable!("called for intsets") };
        let is_new = integers.insert(integer);
        if integers.len() > limits.intset_entries() {
            self.become_table();
        }
        is_new
    }

    fn add_to_small(&mut self, member: &[u8], limits: &SetLimits) -> bool {
        let fits = member.len() <= limits.listpack_value;
        match self {
            Set::Integers(integers) => {
                if let Some(integer) = number::parse_i64(member) {
                    return self.add_integer(integer, limits);
                }
                let fits = fits && integers.len() < limits.listpack_entries && integers_fit(integers, member, limits);
                if fits {
                    let mut packed = Listpack::new();
                    integers.iter().for_each(|integer| packed.push_back(Element::Integer(integer)));
                    packed.push_back(Element::Bytes(member));
                    *self = Set::Packed(packed);
                    return true;
                }
            }
            Set::Packed(packed) => {
                if packed.first().is_some_and(|first| packed.find(member, first, 0).is_some()) {
                    return false;
                }
                let bytes = packed.as_bytes().len() + member.len();
                if fits && packed.len() < limits.listpack_entries && bytes <= LISTPACK_BYTES_MAX {
                    packed.push_back(Element::of(member));
                    return true;
                }
            }
            Set::Table(_) => {}
        }
        self.become_table().insert(member, b"")
    }

    /// Removes a member; false when it was not there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self {
            Set::Integers(integers) => number::parse_i64(member).is_some_and(|integer| integers.remove(integer)),
            Set::Packed(packed) => {
                let found = packed.first().and_then(|first| packed.find(member, first, 0));
                found.inspect(|&at| packed.remove(at)).is_some()
            }
            Set::Table(table) => table.remove(member),
        }
    }

    /// As `remove`, for a member of another set.
    pub fn remove_element(&mut self, member: Element<'_>) -> bool {
        self.remove(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]))
    }

    /// All members. Those of a table are `Bytes` even when they are the text of an integer.
    pub fn iter(&self) -> impl Iterator<Item = Element<'_>> {
        match self {
            Set::Integers(integers) => Members::Integers(integers.iter()),
            Set::Packed(packed) => Members::Packed(packed.iter()),
            Set::Table(table) => Members::Table(table.iter().map(|(member, _)| member)),
        }
    }

    /// One step of a walk that began with cursor 0: shows some members and returns the cursor for the next step, 0 when
    /// this was the last. A small set is shown whole, whatever the cursor. What is there throughout the walk is shown at
    /// least once.
    pub fn scan(&self, cursor: u64, mut see: impl FnMut(Element<'_>)) -> u64 {
        match self {
            Set::Table(table) => table.scan(cursor, |member, _| see(Element::Bytes(member))),
            _ => {
                self.iter().for_each(see);
                0
            }
        }
    }

    /// A member, each as likely as the others; none of an empty set.
    pub fn random(&self, random: &mut Random) -> Option<Element<'_>> {
        match self {
            Set::Integers(integers) => {
                let index = random.below(integers.len() as u64) as usize;
                (index < integers.len()).then(|| Element::Integer(integers.get(index)))
            }
            Set::Packed(packed) => {
                let index = random.below(packed.len() as u64) as i64;
                packed.seek(index).map(|at| packed.get(at))
            }
            Set::Table(table) => table.random(&mut || random.next_u64()).map(|(member, _)| Element::Bytes(member)),
        }
    }

    /// Shows `count` members, no two the same; all such choices are equally likely. `count` must not exceed `len`.
    pub fn sample(&self, count: usize, random: &mut Random, mut see: impl FnMut(Element<'_>)) {
        let mut drawn = HashSet::new();
        if let Set::Table(table) = self
            && count <= table.len() / SAMPLE_SPARSE
        {
            let mut draws_left = count * SAMPLE_DRAWS_PER_MEMBER_MAX;
            while drawn.len() < count && draws_left > 0 {
                draws_left -= 1;
                let Some((member, _)) = table.random(&mut || random.next_u64()) else { break };
                // Members do not move while the table is borrowed, so their addresses tell them apart.
                if drawn.insert(member.as_ptr()) {
                    see(Element::Bytes(member));
                }
            }
        }
        let mut selection = Selection { wanted: count - drawn.len(), left: self.len() - drawn.len() };
        for member in self.iter() {
            if selection.wanted == 0 {
                break;
            }
            let is_drawn = matches!(member, Element::Bytes(bytes) if drawn.contains(&bytes.as_ptr()));
            if !is_drawn && selection.takes_next(random) {
                see(member);
            }
        }
    }

    /// Removes and shows a member, each as likely as the others.
    pub fn pop(&mut self, random: &mut Random, see: impl FnOnce(Element<'_>)) {
        match self {
            Set::Table(table) => {
                if let Some(taken) = table.take_random(&mut || random.next_u64()) {
                    see(Element::Bytes(taken.member()));
                }
            }
            Set::Integers(integers) if !integers.is_empty() => {
                let integer = integers.get(random.below(integers.len() as u64) as usize);
                integers.remove(integer);
                see(Element::Integer(integer));
            }
            Set::Packed(packed) => {
                let index = random.below(packed.len() as u64) as i64;
                if let Some(at) = packed.seek(index) {
                    see(packed.get(at));
                    packed.remove(at);
                }
            }
            Set::Integers(_) => {}
        }
    }

    /// Removes and shows `count` members; all such choices are equally likely. `count` must not exceed `len`.
    pub fn pop_several(
        &mut self,
        count: usize,
        limits: &SetLimits,
        random: &mut Random,
        mut see: impl FnMut(Element<'_>),
    ) {
        let mut selection = Selection { wanted: count, left: self.len() };
        match self {
            Set::Integers(integers) => integers.retain(|integer| {
                let is_taken = selection.takes_next(random);
                if is_taken {
                    see(Element::Integer(integer));
                }
                !is_taken
            }),
            Set::Packed(packed) => {
                let mut rest = Listpack::new();
                for member in packed.iter() {
                    if selection.takes_next(random) {
                        see(member);
                    } else {
                        rest.push_back(member);
                    }
                }
                *packed = rest;
            }
            Set::Table(_) => {
                for _ in 0..count {
                    self.pop(random, &mut see);
                }
                if self.len().saturating_mul(POP_LEAVES_FEW) <= count {
                    self.become_small(limits);
                }
            }
        }
    }

    /// A set of integers that is kept as something else becomes an intset, if it is not too large for one.
    pub fn become_integers(&mut self, limits: &SetLimits) {
        if matches!(self, Set::Integers(_)) || self.len() > limits.intset_entries() {
            return;
        }
        let mut integers = Intset::new();
        let are_all = self.iter().all(|member| {
            let integer = match member {
                Element::Integer(integer) => Some(integer),
                Element::Bytes(bytes) => number::parse_i64(bytes),
            };
            integer.is_some_and(|integer| integers.insert(integer))
        });
        if are_all {
            *self = Set::Integers(integers);
        }
    }

    /// A table becomes a listpack if its members fit into one.
    fn become_small(&mut self, limits: &SetLimits) {
        if self.len() > limits.listpack_entries {
            return;
        }
        let mut small = Set::Packed(Listpack::new());
        for member in self.iter() {
            small.add_element(member, limits);
            if matches!(small, Set::Table(_)) {
                return;
            }
        }
        *self = small;
    }

    fn become_table(&mut self) -> &mut MemberTable {
        if !matches!(self, Set::Table(_)) {
            let mut table = Box::<MemberTable>::default();
            for member in self.iter() {
                table.insert(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]), b"");
            }
            *self = Set::Table(table);
        }
        match self {
            Set::Table(table) => table,
            _ => unreachable!("it has just become one"),
        }
    }
}

/// Whether an intset's members, and this one, may be kept in a listpack.
fn integers_fit(integers: &Intset, member: &[u8], limits: &SetLimits) -> bool {
    let Some((smallest, largest)) = integers.ends() else { return true };
    let longest = number::signed_digits_count(smallest).max(number::signed_digits_count(largest));
    let bytes = integers.len().saturating_mul(longest + 1).saturating_add(member.len());
    longest <= limits.listpack_value && bytes <= LISTPACK_BYTES_MAX
}

/// Takes `wanted` of the next `left` items, all choices equally likely (Knuth's algorithm S).
struct Selection {
    wanted: usize,
    left: usize,
}

impl Selection {
    fn takes_next(&mut self, random: &mut Random) -> bool {
        let takes = (random.below(self.left as u64) as usize) < self.wanted;
        self.left -= 1;
        self.wanted -= usize::from(takes);
        takes
    }
}

impl Default for Set {
    fn default() -> Set {
        Set::new()
    }
}

impl Collection for Set {
    collection_conversions!(Set);

    fn is_empty(&self) -> bool {
        self.is_empty()
    }

    fn encoding(&self) -> &'static str {
        match self {
            Set::Integers(_) => "intset",
            Set::Packed(_) => "listpack",
            Set::Table(_) => "hashtable",
        }
    }

    fn memory_bytes(&self) -> usize {
        match self {
            Set::Integers(integers) => integers.memory_bytes(),
            Set::Packed(packed) => packed.memory_bytes(),
            Set::Table(table) => size_of::<MemberTable>() + table.memory_bytes(),
        }
    }

    fn copy(&self) -> Set {
        match self {
            Set::Integers(integers) => Set::Integers(integers.clone()),
            Set::Packed(packed) => Set::Packed(packed.clone()),
            Set::Table(table) => Set::Table(table.clone()),
        }
    }

    fn allocations(&self) -> usize {
        match self {
            Set::Integers(_) | Set::Packed(_) => 1,
            Set::Table(table) => table.len() + 1,
        }
    }

    fn free_slice(&mut self) -> bool {
        match self {
            Set::Integers(_) | Set::Packed(_) => false,
            Set::Table(table) => table.free_slice(),
        }
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
