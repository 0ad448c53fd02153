//! The small form of a sorted set: member and score in turn in a listpack, in the set's order, as Redis has it.
//!
//! Whole scores are integers of the listpack, others the text that Redis writes. Functions over a `Listpack` whose content
//! the set vouches for; called by `sorted_set` only.

use std::ops::Range;

use super::range::{Bounds, compare};
use crate::stdx::double_text::{DOUBLE_TEXT_BYTES_MAX, exact_i64, format_double};
use crate::stdx::number;
use crate::value::listpack::{Element, Listpack};

/// The number that a score's element stands for. The set vouches that it is one.
#[inline]
pub(super) fn score_of(element: Element<'_>) -> f64 {
    match element {
        Element::Integer(integer) => integer as f64,
        Element::Bytes(text) => number::parse_double(text).unwrap_or_default(),
    }
}

/// Hands over the element that a score is kept as.
#[inline]
fn with_element<T>(score: f64, act: impl FnOnce(Element<'_>) -> T) -> T {
    match exact_i64(score) {
        Some(integer) => act(Element::Integer(integer)),
        None => act(Element::Bytes(format_double(&mut [0; DOUBLE_TEXT_BYTES_MAX], score))),
    }
}

/// Position of the score behind the member at `at`.
#[inline]
fn score_position(pack: &Listpack, at: usize) -> usize {
    pack.next(at).expect("a score follows its member")
}

/// Position of a member.
pub(super) fn find(pack: &Listpack, member: &[u8]) -> Option<usize> {
    pack.find(member, pack.first()?, 1)
}

/// The score of the member at a position.
pub(super) fn score_at(pack: &Listpack, at: usize) -> f64 {
    score_of(pack.get(score_position(pack, at)))
}

/// The score of a member.
pub(super) fn score(pack: &Listpack, member: &[u8]) -> Option<f64> {
    find(pack, member).map(|at| score_at(pack, at))
}

/// How many members stand before this one.
pub(super) fn rank_of(pack: &Listpack, member: &[u8]) -> Option<(usize, f64)> {
    let wanted = Element::of(member);
    let mut elements = pack.iter();
    let mut rank = 0;
    loop {
        let (member, score) = (elements.next()?, elements.next()?);
        if member == wanted {
            return Some((rank, score_of(score)));
        }
        rank += 1;
    }
}

/// Adds a member that is known to be absent.
pub(super) fn insert_absent(pack: &mut Listpack, member: &[u8], score: f64) {
    let at = insert_position(pack, member, score);
    with_element(score, |score| pack.insert_pair(at, Element::of(member), score));
}

/// Where a score and member belong.
fn insert_position(pack: &Listpack, member: &[u8], score: f64) -> usize {
    let mut next = pack.first();
    while let Some(at) = next {
        let score_at = score_position(pack, at);
        let other = score_of(pack.get(score_at));
        if other > score || (other == score && compare(pack.get(at), member).is_gt()) {
            return at;
        }
        next = pack.next(score_at);
    }
    pack.end()
}

/// Adds a member behind all others, where it must belong.
pub(super) fn push(pack: &mut Listpack, member: Element<'_>, score: f64) {
    pack.push_back(member);
    with_element(score, |score| pack.push_back(score));
}

/// Removes the member at a position, with its score.
pub(super) fn remove_at(pack: &mut Listpack, at: usize) {
    pack.remove_range(at, 2);
}

/// Removes the members of these ranks, which must exist.
pub(super) fn remove_ranks(pack: &mut Listpack, ranks: Range<usize>) {
    if let Some(at) = seek(pack, ranks.start) {
        pack.remove_range(at, 2 * ranks.len());
    }
}

/// Position of the member of this rank.
pub(super) fn seek(pack: &Listpack, rank: usize) -> Option<usize> {
    pack.seek(i64::try_from(rank).ok()?.checked_mul(2)?)
}

/// How many members stand before a range, and how many before its end.
pub(super) fn ranks(pack: &Listpack, bounds: &impl Bounds) -> (usize, usize) {
    let mut elements = pack.iter();
    let (mut from, mut to) = (0, 0);
    while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
        let score = score_of(score);
        if !bounds.is_before_end(score, member) {
            break;
        }
        to += 1;
        from += usize::from(bounds.is_before(score, member));
    }
    (from, to)
}

/// A listpack as this file writes it, from one out of a file; none when that holds no sorted set: pairs in order, no member
/// twice, scores that are numbers.
pub(super) fn checked(pack: Listpack) -> Option<Listpack> {
    let mut last: Option<(f64, Vec<u8>)> = None;
    let mut members = Vec::new();
    let (mut elements, mut is_canonical) = (pack.iter(), true);
    while let Some(member) = elements.next() {
        let score = match elements.next()? {
            Element::Integer(integer) => integer as f64,
            Element::Bytes(text) => {
                is_canonical &= number::parse_i64(text).is_none();
                number::parse_double(text)?
            }
        };
        let text = member.to_text().into_owned();
        is_canonical &= Element::of(&text) == member;
        if last.is_some_and(|(last_score, last_text)| (last_score, &last_text[..]) >= (score, &text[..])) {
            return None;
        }
        members.push(text.clone());
        last = Some((score, text));
    }
    members.sort_unstable();
    if members.windows(2).any(|pair| pair[0] == pair[1]) {
        return None;
    }
    if is_canonical {
        return Some(pack);
    }
    // Integers that stand there as strings, as old versions of Redis may have left them.
    let mut whole = Listpack::new();
    pack.iter().for_each(|element| whole.push_back(Element::of(&element.to_text())));
    Some(whole)
}

/// Members in order with their scores.
#[derive(Clone, Debug)]
pub(super) struct Members<'a> {
    pack: &'a Listpack,
    /// The next member.
    at: Option<usize>,
    left: usize,
    reverse: bool,
}

impl<'a> Members<'a> {
    /// The members of these ranks, which must exist, from the last to the first when `reverse`.
    pub(super) fn new(pack: &'a Listpack, ranks: Range<usize>, reverse: bool) -> Members<'a> {
        let start = if reverse { ranks.end.wrapping_sub(1) } else { ranks.start };
        let at = if ranks.is_empty() { None } else { seek(pack, start) };
        Members { pack, at, left: ranks.len(), reverse }
    }

    /// The next member and the element of its score.
    #[inline]
    pub(super) fn next_pair(&mut self) -> Option<(Element<'a>, Element<'a>)> {
        let at = self.at.filter(|_| self.left > 0)?;
        let score_at = score_position(self.pack, at);
        self.left -= 1;
        self.at = if self.reverse {
            self.pack.previous(at).and_then(|score_at| self.pack.previous(score_at))
        } else {
            self.pack.next(score_at)
        };
        Some((self.pack.get(at), self.pack.get(score_at)))
    }

    /// Members that are left.
    pub(super) fn len(&self) -> usize {
        self.left
    }
}
