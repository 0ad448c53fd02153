//! The hash family: one file per kind of command, rows beside their handlers.
//!
//! `write` HSET and its kin, HDEL; `read` HGET and its kin; `number` the counters; `random` HRANDFIELD; `scan` HSCAN; `expire`
//! HEXPIRE and its kin, HPERSIST; `expires` HTTL and its kin; `extended` HGETDEL, HGETEX, HSETEX.
//!
//! Fields whose time has come: commands that change fields first remove such ones among those they name (`open`,
//! `expire_named`), so they never see one. Commands that read named fields see none either, and remove them afterwards
//! (`remove_due`). Two commands know them, as in Redis: HLEN counts them until somebody has removed them, and HDEL removes
//! them like others.

pub mod expire;
pub mod expires;
pub mod extended;
pub mod number;
pub mod random;
pub mod read;
pub mod scan;
pub mod write;

use std::iter::StepBy;
use std::ops::Range;

use crate::config::Config;
use crate::keyspace::write::KeyWrite;
use crate::resp::reply::Reply;
use crate::stdx::number::{INTEGER_TEXT_BYTES_MAX, format_i64};
use crate::value::hash::{FieldTime, Hash, PackedLimits};
use crate::value::listpack::Element;

use super::args::Args;
use super::context::Context;
use super::error::CommandError;
use super::spec::{Categories, Command};

/// What the rows of this family have in common.
const HASH: Command = Command { categories: Categories::HASH, group: "hash", since: "2.0.0", ..Command::BASE };

/// The arguments that name fields.
type Names = StepBy<Range<usize>>;

/// The arguments from `first` on, every `step`, name fields.
fn names(args: Args<'_>, first: usize, step: usize) -> Names {
    (first..args.len()).step_by(step)
}

/// Opens the key at argument 1, which must hold a hash if it exists. Of the named fields those are removed first whose time
/// has come.
#[inline]
fn open<'c>(context: &'c mut Context<'_>, names: Names) -> Result<(KeyWrite<'c>, &'c mut Reply), CommandError> {
    let (args, now_ms) = (context.args, context.turn.now_ms);
    let (mut key, reply) = context.open(1);
    expire_named(&mut key, args, names, now_ms)?;
    Ok((key, reply))
}

/// Removes those of the named fields whose time has come.
#[inline]
fn expire_named(key: &mut KeyWrite<'_>, args: Args<'_>, names: Names, now_ms: i64) -> Result<(), CommandError> {
    if key.collection::<Hash>()?.is_some_and(|hash| hash.is_due(now_ms)) {
        key.expire_fields(names.map(|index| args.get(index)));
    }
    Ok(())
}

/// Removes those of the named fields whose time has come, after a read that met them.
#[cold]
fn remove_due(context: &mut Context<'_>, names: Names) {
    let args = context.args;
    context.write(1).expire_fields(names.map(|index| args.get(index)));
}

/// The log is told what a field is now: its value and its time, if it has one.
fn record_field(key: &mut KeyWrite<'_>, field: &[u8], value: &[u8], now_ms: i64) {
    if !key.is_recorded() {
        return;
    }
    let time = key.collection::<Hash>().ok().flatten().map(|hash| hash.time(field, now_ms));
    match time {
        None | Some(FieldTime::NoField) => key.effect("HDEL", &[field]),
        Some(time) => {
            key.effect("HSET", &[field, value]);
            if let FieldTime::At(at_ms) = time {
                record_times(key, at_ms, None, &[field]);
            }
        }
    }
}

/// The log is told of a time that fields got; with the word of the condition that was met, as in Redis.
fn record_times(key: &mut KeyWrite<'_>, at_ms: i64, condition: Option<&[u8]>, fields: &[&[u8]]) {
    if !key.is_recorded() || fields.is_empty() {
        return;
    }
    let (mut time, mut count) = ([0; INTEGER_TEXT_BYTES_MAX], [0; INTEGER_TEXT_BYTES_MAX]);
    let (time, count) = (format_i64(&mut time, at_ms), format_i64(&mut count, fields.len() as i64));
    let head = [time].into_iter().chain(condition).chain([&b"FIELDS"[..], count]);
    let len = 3 + usize::from(condition.is_some()) + fields.len();
    key.effect_of("HPEXPIREAT", len, head.chain(fields.iter().copied()));
}

/// The log is told of fields that were removed.
fn record_removed(key: &mut KeyWrite<'_>, fields: &[&[u8]]) {
    if !fields.is_empty() {
        key.effect("HDEL", fields);
    }
}

/// Up to where hashes stay packed.
#[inline]
pub(super) fn packed_limits(config: &Config) -> PackedLimits {
    let limit = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    PackedLimits {
        entries: limit(config.get_u64(crate::param!("hash-max-listpack-entries"))),
        value_bytes: limit(config.get_u64(crate::param!("hash-max-listpack-value"))),
    }
}

#[inline]
fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Integer(integer) => reply.bulk_integer(integer),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}

#[inline]
fn reply_element_or_null(reply: &mut Reply, element: Option<Element<'_>>) {
    match element {
        Some(element) => reply_element(reply, element),
        None => reply.null(),
    }
}

#[cfg(test)]
mod tests;
