//! Drawing fields at random (HRANDFIELD). Called by `hash.rs` only.

use std::collections::HashSet;

use crate::stdx::limits::DUE_FIELD_DRAWS_MAX;
use crate::stdx::random::Random;
use crate::value::listpack::Element;

use super::fields::Fields;
use super::{Body, Hash};

/// A sample is drawn field by field when the table has at least so many times its size; else the table is walked.
const DRAW_SHARE: usize = 3;

type Pair<'a> = (Element<'a>, Element<'a>);

/// See `Hash::draw`.
pub(super) fn draw<'a>(
    hash: &'a Hash,
    count: usize,
    now_ms: i64,
    random: &mut Random,
    mut see: impl FnMut(Element<'a>, Element<'a>) -> bool,
) -> usize {
    let pairs: Vec<Pair<'a>> = match &hash.body {
        Body::Packed(_) => hash.iter(now_ms).collect(),
        Body::Table(_) => Vec::new(),
    };
    for shown in 0..count {
        let pair = match &hash.body {
            Body::Packed(_) => pairs.get(random.below(pairs.len() as u64) as usize).copied(),
            Body::Table(fields) => {
                draw_live(fields, now_ms, random).or_else(|| reservoir(hash, 1, now_ms, random).pop())
            }
        };
        let Some((field, value)) = pair else { return shown };
        if !see(field, value) {
            return shown + 1;
        }
    }
    count
}

/// See `Hash::sample`.
pub(super) fn sample<'a>(
    hash: &'a Hash,
    count: usize,
    now_ms: i64,
    random: &mut Random,
    mut see: impl FnMut(Element<'a>, Element<'a>),
) -> usize {
    let drawn = match &hash.body {
        Body::Table(fields) if count <= fields.len() / DRAW_SHARE => draw_different(fields, count, now_ms, random),
        _ => None,
    };
    let chosen = drawn.unwrap_or_else(|| reservoir(hash, count, now_ms, random));
    for (field, value) in &chosen {
        see(*field, *value);
    }
    chosen.len()
}

/// A field of a table whose time has not come; none when too many draws met one whose time has.
fn draw_live<'a>(fields: &'a Fields, now_ms: i64, random: &mut Random) -> Option<Pair<'a>> {
    let some_due = fields.first_time().is_some_and(|at_ms| at_ms <= now_ms);
    for _ in 0..DUE_FIELD_DRAWS_MAX {
        let (field, value) = fields.members.random(&mut || random.next_u64())?;
        if !(some_due && fields.is_due(field, now_ms)) {
            return Some((Element::Bytes(field), Element::Bytes(value)));
        }
    }
    None
}

/// Different fields of a table that has far more; none when next to nothing but fields whose time has come was met.
fn draw_different<'a>(fields: &'a Fields, count: usize, now_ms: i64, random: &mut Random) -> Option<Vec<Pair<'a>>> {
    let (mut names, mut chosen) = (HashSet::with_capacity(count), Vec::with_capacity(count));
    while chosen.len() < count {
        let pair = draw_live(fields, now_ms, random)?;
        if let Element::Bytes(name) = pair.0
            && names.insert(name)
        {
            chosen.push(pair);
        }
    }
    Some(chosen)
}

/// Different fields, met in a walk over all of them (Vitter's algorithm R).
fn reservoir<'a>(hash: &'a Hash, count: usize, now_ms: i64, random: &mut Random) -> Vec<Pair<'a>> {
    let mut chosen = Vec::with_capacity(count.min(hash.len()));
    for (met, pair) in hash.iter(now_ms).enumerate() {
        if chosen.len() < count {
            chosen.push(pair);
        } else if let Some(place) = chosen.get_mut(random.below(met as u64 + 1) as usize) {
            *place = pair;
        }
    }
    chosen
}
