//! `SortedSet`: members with scores, in the order of score and member.
//!
//! Small ones are a listpack (`packed`), large ones a table and a tree over the same members (`large`); a set becomes large
//! when it has too many members or one too long, and stays so. Ranks count from 0, from the lowest score on. A score is
//! never NaN. Called by `keyspace/`, by the command families of sorted sets and of geo, and by `persist/`.

mod large;
mod packed;
mod range;
mod tree;

use std::ops::Range;

use super::listpack::{Element, Listpack};
use super::member_table::MemberTable;
use super::object::{Collection, collection_conversions};
use crate::stdx::limits::LISTPACK_BYTES_MAX;
use large::Large;
pub use range::{Bounds, MemberBound, MemberRange, ScoreRange};

/// How much the small form may hold (`zset-max-listpack-entries` and `zset-max-listpack-value`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PackedLimits {
    /// Most members.
    pub members_max: u64,
    /// Longest member, in bytes.
    pub member_bytes_max: u64,
}

/// See the file's head.
#[derive(Debug)]
pub struct SortedSet {
    form: Form,
}

#[derive(Debug)]
enum Form {
    Packed(Listpack),
    Large(Box<Large>),
}

/// One member with its score.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The member.
    pub member: Element<'a>,
    score: Score<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Score<'a> {
    Number(f64),
    /// Read only when somebody asks.
    Packed(Element<'a>),
}

impl Member<'_> {
    /// The score.
    #[inline]
    pub fn score(&self) -> f64 {
        match self.score {
            Score::Number(score) => score,
            Score::Packed(element) => packed::score_of(element),
        }
    }
}

/// Members in order, forwards or backwards.
#[derive(Debug)]
pub struct Members<'a>(MembersForm<'a>);

#[derive(Debug)]
enum MembersForm<'a> {
    Packed(packed::Members<'a>),
    Large(large::Members<'a>),
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    #[inline]
    fn next(&mut self) -> Option<Member<'a>> {
        match &mut self.0 {
            MembersForm::Packed(members) => {
                let (member, score) = members.next_pair()?;
                Some(Member { member, score: Score::Packed(score) })
            }
            MembersForm::Large(members) => {
                let (member, score) = members.next()?;
                Some(Member { member: Element::Bytes(member), score: Score::Number(score) })
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            MembersForm::Packed(members) => (members.len(), Some(members.len())),
            MembersForm::Large(members) => members.size_hint(),
        }
    }
}

impl ExactSizeIterator for Members<'_> {}

/// What became of a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It was added.
    Added,
    /// It had this score before and has another one now.
    Updated(f64),
    /// It had this score and still has.
    Kept(f64),
    /// It is not in the set and was not added.
    Absent,
}

impl SortedSet {
    /// The members of a large set by name.
    #[inline]
    pub fn member_table(&self) -> Option<&MemberTable> {
        match &self.form {
            Form::Packed(_) => None,
            Form::Large(large) => Some(large.member_table()),
        }
    }

    /// An empty set that is to hold about so many members, the first of them so long.
    pub fn new(members: usize, member_bytes: usize, limits: PackedLimits) -> SortedSet {
        let mut set = SortedSet { form: Form::Packed(Listpack::new()) };
        if members as u64 > limits.members_max || member_bytes as u64 > limits.member_bytes_max {
            set.grow();
        }
        set
    }

    /// A set from a listpack out of a file; none when it does not hold one.
    pub fn from_packed(pack: Listpack) -> Option<SortedSet> {
        Some(SortedSet { form: Form::Packed(packed::checked(pack)?) })
    }

    /// The listpack of a small set.
    pub fn packed(&self) -> Option<&Listpack> {
        match &self.form {
            Form::Packed(pack) => Some(pack),
            Form::Large(_) => None,
        }
    }

    /// Number of members.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.len() / 2,
            Form::Large(large) => large.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.form {
            Form::Packed(pack) => packed::score(pack, member),
            Form::Large(large) => large.score(member),
        }
    }

    /// The rank of a member, and its score.
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.form {
            Form::Packed(pack) => packed::rank_of(pack, member),
            Form::Large(large) => {
                let score = large.score(member)?;
                Some((large.rank(score, member), score))
            }
        }
    }

    /// The ranks of the members in a range.
    pub fn ranks(&self, bounds: &impl Bounds) -> Range<usize> {
        let (from, to) = match &self.form {
            Form::Packed(pack) => packed::ranks(pack, bounds),
            Form::Large(large) => large.ranks(bounds),
        };
        from..to.max(from)
    }

    /// The members of these ranks, from the last to the first when `reverse`. Ranks beyond the end are left out.
    pub fn range(&self, ranks: Range<usize>, reverse: bool) -> Members<'_> {
        let end = ranks.end.min(self.len());
        let ranks = ranks.start.min(end)..end;
        Members(match &self.form {
            Form::Packed(pack) => MembersForm::Packed(packed::Members::new(pack, ranks, reverse)),
            Form::Large(large) => MembersForm::Large(large.range(ranks, reverse)),
        })
    }

    /// All members in order.
    pub fn iter(&self) -> Members<'_> {
        self.range(0..usize::MAX, false)
    }

    /// The member of this rank.
    pub fn get(&self, rank: usize) -> Option<Member<'_>> {
        match &self.form {
            Form::Packed(_) => self.range(rank..rank.saturating_add(1), false).next(),
            Form::Large(large) => {
                let (member, score) = large.get(rank)?;
                Some(Member { member: Element::Bytes(member), score: Score::Number(score) })
            }
        }
    }

    /// Adds a member, or changes its score: `decide` is given the score it has, if any, and returns the one it shall have;
    /// none leaves everything as it is.
    pub fn update(
        &mut self,
        member: &[u8],
        limits: PackedLimits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Change {
        let pack = match &mut self.form {
            Form::Packed(pack) => pack,
            Form::Large(large) => {
                // The member is looked up once when it is there, so `decide` waits for whichever case it is.
                let mut decide = Some(decide);
                let mut new = None;
                let mut take = |old| decide.take().and_then(|decide| decide(old));
                let old = large.change(member, |old| {
                    new = take(Some(old));
                    new
                });
                return match (old, new) {
                    (Some(old), Some(new)) if new != old => Change::Updated(old),
                    (Some(old), _) => Change::Kept(old),
                    (None, _) => match take(None) {
                        Some(score) => {
                            large.insert_absent(member, score);
                            Change::Added
                        }
                        None => Change::Absent,
                    },
                };
            }
        };
        let Some(at) = packed::find(pack, member) else {
            let Some(score) = decide(None) else { return Change::Absent };
            self.insert_absent(member, score, limits);
            return Change::Added;
        };
        let old = packed::score_at(pack, at);
        match decide(Some(old)).filter(|new| *new != old) {
            Some(new) => {
                packed::remove_at(pack, at);
                packed::insert_absent(pack, member, new);
                Change::Updated(old)
            }
            None => Change::Kept(old),
        }
    }

    /// Sets a member's score, whether it is there or not.
    pub fn insert(&mut self, member: &[u8], score: f64, limits: PackedLimits) -> Change {
        self.update(member, limits, |_| Some(score))
    }

    /// Adds a member that is known to be absent.
    pub fn insert_absent(&mut self, member: &[u8], score: f64, limits: PackedLimits) {
        if self.must_grow(member.len(), limits) {
            self.grow();
        }
        match &mut self.form {
            Form::Packed(pack) => packed::insert_absent(pack, member, score),
            Form::Large(large) => large.insert_absent(member, score),
        }
    }

    /// Adds a member that is known to be absent and to belong behind all others: for sets that are made in order.
    pub fn push(&mut self, member: &[u8], score: f64, limits: PackedLimits) {
        if self.must_grow(member.len(), limits) {
            self.grow();
        }
        match &mut self.form {
            Form::Packed(pack) => packed::push(pack, Element::of(member), score),
            Form::Large(large) => large.push(member, score),
        }
    }

    /// Whether one member more, of so many bytes, is too much for the small form.
    fn must_grow(&self, member_bytes: usize, limits: PackedLimits) -> bool {
        match &self.form {
            Form::Packed(pack) => {
                self.len() as u64 + 1 > limits.members_max
                    || member_bytes as u64 > limits.member_bytes_max
                    || pack.as_bytes().len() + member_bytes > LISTPACK_BYTES_MAX
            }
            Form::Large(_) => false,
        }
    }

    /// Makes a set large that is about to get so many members.
    pub fn reserve(&mut self, members: usize, limits: PackedLimits) {
        if self.packed().is_some() && members as u64 > limits.members_max {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let mut large = Box::<Large>::default();
        for entry in self.iter() {
            large.push(&entry.member.to_text(), entry.score());
        }
        self.form = Form::Large(large);
    }

    /// Removes a member; gives its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.form {
            Form::Packed(pack) => {
                let at = packed::find(pack, member)?;
                let score = packed::score_at(pack, at);
                packed::remove_at(pack, at);
                Some(score)
            }
            Form::Large(large) => large.remove(member),
        }
    }

    /// Removes the members of these ranks, which must exist.
    pub fn remove_ranks(&mut self, ranks: Range<usize>) {
        match &mut self.form {
            Form::Packed(pack) => packed::remove_ranks(pack, ranks),
            Form::Large(large) => large.remove_ranks(ranks),
        }
    }

    /// Asks the memory for what further pops at one end will look at.
    #[inline]
    pub fn prefetch_pops(&self, highest: bool) {
        if let Form::Large(large) = &self.form {
            large.prefetch_pops(highest);
        }
    }

    /// One step of a walk that began with cursor 0: shows some members, and returns the cursor for the next step, 0 when
    /// this was the last. A small set is shown whole.
    pub fn scan(&self, cursor: u64, mut see: impl FnMut(Element<'_>, f64)) -> u64 {
        match &self.form {
            Form::Packed(_) => {
                self.iter().for_each(|entry| see(entry.member, entry.score()));
                0
            }
            Form::Large(large) => large.scan(cursor, |member, score| see(Element::Bytes(member), score)),
        }
    }
}

impl Collection for SortedSet {
    collection_conversions!(SortedSet);

    fn is_empty(&self) -> bool {
        match &self.form {
            Form::Packed(pack) => pack.is_empty(),
            Form::Large(large) => large.len() == 0,
        }
    }

    fn encoding(&self) -> &'static str {
        match &self.form {
            Form::Packed(_) => "listpack",
            Form::Large(_) => "skiplist",
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.form {
            Form::Packed(pack) => pack.memory_bytes(),
            Form::Large(large) => large.memory_bytes(),
        }
    }

    fn copy(&self) -> SortedSet {
        let form = match &self.form {
            Form::Packed(pack) => Form::Packed(pack.clone()),
            Form::Large(large) => Form::Large(large.clone()),
        };
        SortedSet { form }
    }

    fn allocations(&self) -> usize {
        match &self.form {
            Form::Packed(_) => 1,
            Form::Large(large) => large.allocations(),
        }
    }

    fn free_slice(&mut self) -> bool {
        match &mut self.form {
            Form::Packed(_) => false,
            Form::Large(large) => large.free_slice(),
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
