//! Sorted sets from RDB. Called by `value_read.rs`.

use std::cmp::Ordering;

use crate::stdx::number::INTEGER_TEXT_BYTES_MAX;
use crate::value::listpack::Listpack;
use crate::value::sorted_set::{PackedLimits, SortedSet};

use super::error::LoadError;
use super::form::Form;
use super::reader::{Reader, Text};

/// Count, members each with its score. Redis writes them from the highest to the lowest, but any order will do.
pub(super) fn members(reader: &mut Reader<'_>, form: Form, limits: PackedLimits) -> Result<SortedSet, LoadError> {
    let count = reader.count()?;
    let mut pairs: Vec<(f64, Text<'_>)> = Vec::with_capacity(reader.capacity_for(count));
    for _ in 0..count {
        let member = reader.text()?;
        let score = if form == Form::SortedSetText { reader.double_text()? } else { reader.double()? };
        if score.is_nan() {
            return Err(reader.corrupt("a score that is no number"));
        }
        pairs.push((score, member));
    }
    pairs.reverse();
    // Takes linear time for what is in order already.
    pairs.sort_by(in_order);
    let longest = pairs.iter().map(|(_, member)| member.bytes(&mut [0; INTEGER_TEXT_BYTES_MAX]).len()).max();
    let mut set = SortedSet::new(pairs.len(), longest.unwrap_or_default(), limits);
    for (score, member) in &pairs {
        let mut scratch = [0; INTEGER_TEXT_BYTES_MAX];
        let member = member.bytes(&mut scratch);
        if set.score(member).is_some() {
            return Err(reader.corrupt("a member of a sorted set twice"));
        }
        set.push(member, *score, limits);
    }
    Ok(set)
}

/// The order of a sorted set: by score, then by member. Zeros are equal whatever their sign.
fn in_order(one: &(f64, Text<'_>), other: &(f64, Text<'_>)) -> Ordering {
    let (mut scratch_of_one, mut scratch_of_other) = ([0; INTEGER_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
    let by_score = one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
    by_score.then_with(|| one.1.bytes(&mut scratch_of_one).cmp(other.1.bytes(&mut scratch_of_other)))
}

/// A listpack of members and scores in turn, in order.
pub(super) fn of_listpack(
    pack: Listpack,
    damaged: &'static str,
    reader: &Reader<'_>,
    limits: PackedLimits,
) -> Result<SortedSet, LoadError> {
    if pack.is_empty() {
        return Err(reader.empty());
    }
    let mut set = SortedSet::from_packed(pack).ok_or(reader.corrupt(damaged))?;
    set.reserve(set.len(), limits);
    Ok(set)
}
