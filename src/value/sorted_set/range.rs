//! Ranges of a sorted set's members: by score, or by the members' bytes among members of one score.

use std::cmp::Ordering;

use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::listpack::Element;

/// Scores from `min` to `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lowest score.
    pub min: f64,
    /// `min` itself is not in the range.
    pub min_excluded: bool,
    /// The highest score.
    pub max: f64,
    /// `max` itself is not in the range.
    pub max_excluded: bool,
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberBound<'a> {
    /// Before all members.
    Lowest,
    /// These bytes, which are in the range themselves.
    Included(&'a [u8]),
    /// These bytes, which are not.
    Excluded(&'a [u8]),
    /// Behind all members.
    Highest,
}

/// Members from `min` to `max`, in the order of their bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberRange<'a> {
    /// Where it begins.
    pub min: MemberBound<'a>,
    /// Where it ends.
    pub max: MemberBound<'a>,
}

/// What stands before and in a range of a sorted set.
pub trait Bounds {
    /// The item stands before the range.
    fn is_before(&self, score: f64, member: Element<'_>) -> bool;
    /// The item stands before the range's end.
    fn is_before_end(&self, score: f64, member: Element<'_>) -> bool;
}

/// Compares an element's text with bytes.
#[inline]
pub fn compare(element: Element<'_>, bytes: &[u8]) -> Ordering {
    match element {
        Element::Bytes(text) => text.cmp(bytes),
        Element::Integer(_) => element.text(&mut [0; INTEGER_TEXT_BYTES_MAX]).cmp(bytes),
    }
}

impl Bounds for ScoreRange {
    #[inline]
    fn is_before(&self, score: f64, _: Element<'_>) -> bool {
        if self.min_excluded { score <= self.min } else { score < self.min }
    }

    #[inline]
    fn is_before_end(&self, score: f64, _: Element<'_>) -> bool {
        if self.max_excluded { score < self.max } else { score <= self.max }
    }
}

impl Bounds for MemberRange<'_> {
    #[inline]
    fn is_before(&self, _: f64, member: Element<'_>) -> bool {
        match self.min {
            MemberBound::Lowest => false,
            MemberBound::Included(min) => compare(member, min).is_lt(),
            MemberBound::Excluded(min) => compare(member, min).is_le(),
            MemberBound::Highest => true,
        }
    }

    #[inline]
    fn is_before_end(&self, _: f64, member: Element<'_>) -> bool {
        match self.max {
            MemberBound::Lowest => false,
            MemberBound::Included(max) => compare(member, max).is_le(),
            MemberBound::Excluded(max) => compare(member, max).is_lt(),
            MemberBound::Highest => true,
        }
    }
}
