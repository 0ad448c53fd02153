//! The stream family: one file per kind of command, rows beside their handlers.
//!
//! `add` XADD, XTRIM, XDEL, XSETID and XLEN; `range` XRANGE and XREVRANGE; `read` XREAD and XREADGROUP; `group` XGROUP;
//! `pending` XACK and XPENDING; `claim` XCLAIM and XAUTOCLAIM; `info` XINFO. What they share stands here: how IDs are read
//! and written, and how entries are replied.

pub mod add;
pub mod claim;
pub mod group;
pub mod info;
pub mod pending;
pub mod range;
pub mod read;
mod record;

use crate::resp::reply::Reply;
use crate::value::listpack::Element;
use crate::value::stream::id::{ID_TEXT_BYTES_MAX, until_nul};
use crate::value::stream::{Entry, StreamId};

use super::args::Args;
use super::error::CommandError;
use super::spec::{Categories, Command};

/// What the rows of this family have in common.
const STREAM: Command = Command { categories: Categories::STREAM, group: "stream", since: "5.0.0", ..Command::BASE };

const INVALID_ID: CommandError = CommandError::Text("ERR Invalid stream ID specified as stream command argument");

/// An ID; without a sequence number it is that of the first entry of its millisecond.
fn id_at(args: Args<'_>, index: usize) -> Result<StreamId, CommandError> {
    StreamId::parse(args.get(index), 0).ok_or(INVALID_ID)
}

/// Refuses the arguments from `first` on unless all are IDs.
fn check_ids(args: Args<'_>, first: usize) -> Result<(), CommandError> {
    (first..args.len()).try_for_each(|index| id_at(args, index).map(|_| ()))
}

/// Where an interval begins: an ID, `-`, `+`, or with a parenthesis the ID behind it.
fn interval_start(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = StreamId::parse(id, 0).ok_or(INVALID_ID)?;
            id.next().ok_or(CommandError::Text("ERR invalid start ID for the interval"))
        }
        _ => StreamId::parse_bound(text, 0).ok_or(INVALID_ID),
    }
}

/// Where an interval ends: an ID, `-`, `+`, or with a parenthesis the ID before it.
fn interval_end(text: &[u8]) -> Result<StreamId, CommandError> {
    match text {
        [b'(', id @ ..] if !id.is_empty() => {
            let id = StreamId::parse(id, u64::MAX).ok_or(INVALID_ID)?;
            id.previous().ok_or(CommandError::Text("ERR invalid end ID for the interval"))
        }
        _ => StreamId::parse_bound(text, u64::MAX).ok_or(INVALID_ID),
    }
}

/// An error that names a key and a group of the client's, as C strings.
fn naming(parts: [&[u8]; 5]) -> CommandError {
    let [before, first, between, second, after] = parts;
    CommandError::Owned([before, until_nul(first), between, until_nul(second), after].concat())
}

/// The key or the group does not exist.
fn no_key_or_group(key: &[u8], group: &[u8], after: &str) -> CommandError {
    naming([b"NOGROUP No such key '", key, b"' or consumer group '", group, after.as_bytes()])
}

/// The group does not exist, and its key does.
fn no_group(key: &[u8], group: &[u8]) -> CommandError {
    naming([b"NOGROUP No such consumer group '", group, b"' for key name '", key, b"'"])
}

/// Replies with an ID.
fn reply_id(reply: &mut Reply, id: StreamId) {
    reply.bulk(id.format(&mut [0; ID_TEXT_BYTES_MAX]));
}

fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Integer(integer) => reply.bulk_integer(integer),
        Element::Bytes(bytes) => reply.bulk(bytes),
    }
}

/// Replies with an entry: its ID, its fields and values.
fn reply_entry(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply.array(2 * entry.fields_count);
    for (field, value) in entry.fields() {
        reply_element(reply, field);
        reply_element(reply, value);
    }
}

/// Replies with an array of entries; returns how many there are.
fn reply_entries<'a>(reply: &mut Reply, entries: impl Iterator<Item = Entry<'a>>) -> usize {
    let deferred = reply.deferred();
    let mut count = 0;
    for entry in entries {
        reply_entry(reply, &entry);
        count += 1;
    }
    reply.finish_array(deferred, count);
    count
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
