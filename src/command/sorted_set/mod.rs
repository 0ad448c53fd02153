//! The sorted set family: one file per kind of command, rows beside their handlers.
//!
//! `add` ZADD and ZINCRBY; `remove` ZREM and ZREMRANGEBY*; `read` what asks one set; `range` ZRANGE, its older forms and
//! ZRANGESTORE; `pop` what takes from the ends, and waits; `combine` unions, intersections and differences; `sample`
//! ZRANDMEMBER and ZSCAN. Here: how ranges are written, and how members are replied.

pub mod add;
pub mod combine;
pub mod pop;
pub mod range;
pub mod read;
pub mod remove;
pub mod sample;

use std::cmp::Ordering;
use std::ops::Range;

use crate::config::Config;
use crate::resp::reply::{Protocol, Reply};
use crate::stdx::number::{self, INTEGER_TEXT_BYTES_MAX};
use crate::value::listpack::Element;
use crate::value::sorted_set::{Member, MemberBound, MemberRange, PackedLimits, ScoreRange, SortedSet};

use super::args::Args;
use super::error::CommandError;
use super::spec::{Categories, Command};

/// What the rows of this family have in common.
const SORTED_SET: Command = Command { categories: Categories::SORTEDSET, group: "sorted-set", ..Command::BASE };

/// How large the small form may get.
pub fn limits(config: &Config) -> PackedLimits {
    PackedLimits {
        members_max: config.get_u64(crate::param!("zset-max-listpack-entries")),
        member_bytes_max: config.get_u64(crate::param!("zset-max-listpack-value")),
    }
}

/// Members on their way into a reply or a new set, by reference, with their scores; none twice.
pub type Found<'a> = Vec<(f64, Element<'a>)>;

/// The order of a sorted set.
fn compare(one: &(f64, Element<'_>), other: &(f64, Element<'_>)) -> Ordering {
    // No score is NaN.
    one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal).then_with(|| {
        let (mut one_text, mut other_text) = ([0; INTEGER_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
        one.1.text(&mut one_text).cmp(other.1.text(&mut other_text))
    })
}

/// A set of these members.
pub fn set_of(mut found: Found<'_>, limits: PackedLimits) -> SortedSet {
    found.sort_unstable_by(compare);
    let mut result = SortedSet::new(found.len(), 0, limits);
    for (score, member) in &found {
        result.push(member.text(&mut [0; INTEGER_TEXT_BYTES_MAX]), *score, limits);
    }
    result
}

/// Replies with one member.
#[inline]
pub fn reply_element(reply: &mut Reply, member: Element<'_>) {
    match member {
        Element::Integer(integer) => reply.bulk_integer(integer),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Begins a reply of so many members. With scores, RESP3 has a pair for each, RESP2 one flat array.
#[inline]
fn reply_count(reply: &mut Reply, count: usize, with_scores: bool) {
    let is_flat = with_scores && reply.protocol == Protocol::Resp2;
    reply.array(if is_flat { count.saturating_mul(2) } else { count });
}

/// Replies with one member of several, and its score if it is wanted.
#[inline]
fn reply_member(reply: &mut Reply, member: &Member<'_>, with_scores: bool) {
    reply_pair(reply, member.member, with_scores.then(|| member.score()));
}

/// Replies with one member of several, and its score when there is one.
#[inline]
fn reply_pair(reply: &mut Reply, member: Element<'_>, score: Option<f64>) {
    let Some(score) = score else { return reply_element(reply, member) };
    if reply.protocol == Protocol::Resp3 {
        reply.array(2);
    }
    reply_element(reply, member);
    reply.double(score);
}

/// The ranks from `start` to `stop`, both included and counted from the end when negative, of `len`.
fn ranks_of(start: i64, stop: i64, len: usize) -> Range<usize> {
    // A set has far fewer than 2^63 members, and a negative number plus a length cannot overflow.
    let len = len as i64;
    let place = |rank: i64| if rank < 0 { rank + len } else { rank };
    let (start, stop) = (place(start).max(0), place(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

/// The range of scores between two arguments.
fn score_range(args: Args<'_>, min: usize, max: usize) -> Result<ScoreRange, CommandError> {
    let end = |index| {
        let text: &[u8] = args.get(index);
        let (is_excluded, text) = text.strip_prefix(b"(").map_or((false, text), |rest| (true, rest));
        let number = number::parse_double_leniently(text);
        number.map(|number| (number, is_excluded)).ok_or(CommandError::Text("ERR min or max is not a float"))
    };
    let ((min, min_excluded), (max, max_excluded)) = (end(min)?, end(max)?);
    Ok(ScoreRange { min, min_excluded, max, max_excluded })
}

/// The range of members between two arguments.
fn member_range(args: Args<'_>, min: usize, max: usize) -> Result<MemberRange<'_>, CommandError> {
    let bound = |index| match args.get(index) {
        [b'-'] | [b'-', 0, ..] => Ok(MemberBound::Lowest),
        [b'+'] | [b'+', 0, ..] => Ok(MemberBound::Highest),
        [b'[', member @ ..] => Ok(MemberBound::Included(member)),
        [b'(', member @ ..] => Ok(MemberBound::Excluded(member)),
        _ => Err(CommandError::Text("ERR min or max not valid string range item")),
    };
    Ok(MemberRange { min: bound(min)?, max: bound(max)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks() {
        let table: &[(i64, i64, usize, Range<usize>)] = &[
            (0, -1, 5, 0..5),
            (1, 2, 5, 1..3),
            (-2, -1, 5, 3..5),
            (-100, 100, 5, 0..5),
            (3, 2, 5, 0..0),
            (5, 9, 5, 0..0),
            (0, -6, 5, 0..0),
            (i64::MIN, i64::MAX, 5, 0..5),
            (i64::MAX, i64::MIN, 5, 0..0),
            (0, -1, 0, 0..0),
        ];
        for (start, stop, len, expected) in table {
            assert_eq!(ranks_of(*start, *stop, *len), *expected, "{start} {stop} of {len}");
        }
    }
}
